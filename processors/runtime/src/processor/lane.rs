//! A lane: the life of one partition in a processor, one small step at a time.
//!
//! Follow the partition's topics until little is missing, fence off the predecessor, read the
//! rest, then decide. While one batch commits the next is decided on top of it. Every fault ends
//! in the beginning: nothing that was not committed is kept, and what was committed is read again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use millrace_kernel::Domain;
use millrace_ports::{
    Clock, Group, Log, LogFault, Reader, Record, Start, TopicPartition, Transaction, TransactionalWriter,
};
use millrace_wire::RegistryFault;
use thiserror::Error;

use super::batch::{Batch, BatchError};
use super::clock_watch::ClockWatch;
use super::codecs::Codecs;
use super::copies::Copies;
use super::copy::{CopyFault, PartitionCopy, Reached, ends};
use super::decide::{Decider, Place, Verdict};
use super::intake::read;
use super::local::LocalState;
use super::lookup::{LookupPartition, LookupTables};
use super::state::{Kept, Layers, Overlay, PartitionState};
use crate::dead::Burial;
use crate::planted::{self, Bug};
use crate::settings::ProcessorSettings;
use crate::topology::Topology;

/// Longest wait for a commit before the input is looked at again.
const COMMIT_LOOK: Duration = Duration::from_millis(2);
/// How many records may be missing, at least, when the predecessor is fenced off: what takes
/// some milliseconds to read.
const WARM_ENOUGH: u64 = 10_000;
/// How often a lane without input asks whether there really is none.
const QUIET_LOOK_MICROS: i64 = 30_000_000;

/// What all lanes of a domain share in one process.
pub struct Shared<D: Domain> {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Names of topics and ids.
    pub names: Topology,
    /// How many partitions the domain has.
    pub partitions: i32,
    /// The domain's codecs.
    pub codecs: Arc<Codecs<D>>,
    /// The domain's lookup tables.
    pub lookups: Arc<LookupTables>,
    /// What an operator has set.
    pub settings: ProcessorSettings,
    /// Where the state of partitions lies on disk, if anywhere.
    pub local: Option<LocalState>,
    /// Copies of partitions that stand by in this process.
    pub copies: Arc<Copies<D>>,
}

/// Why a lane must begin again.
#[derive(Debug, Error)]
pub enum LaneFault {
    /// The log does not answer, or another instance owns the partition.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// The state cannot be read or followed.
    #[error(transparent)]
    Copy(#[from] CopyFault),
    /// A bug of ours.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// State without the offset it was decided up to. Deciding from the beginning again would
    /// double what is older than the de-duplication window.
    #[error(
        "the group has no offset for {input}, though commands were decided there: the broker has forgotten it (offsets.retention.minutes). Nothing is decided until an operator sets it with kafka-consumer-groups --reset-offsets; the newest outcome says how far the commands were answered"
    )]
    OffsetsLost {
        /// The input without an offset.
        input: TopicPartition,
    },
    /// Rows with times from the future would be refused by the database.
    #[error("this machine's clock is {} s ahead of the broker's; nothing is decided until it is set right", .ahead_ms / 1_000)]
    Clock {
        /// How far ahead, milliseconds.
        ahead_ms: i64,
    },
}

/// What a step of a lane came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something was done; there may be more.
    Progress,
    /// There was nothing to do.
    Idle,
}

/// What a lane is doing, for health and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LanePhase {
    /// Opening what is at hand of its state.
    Starting,
    /// Reading its state while another may still decide; so many records so far.
    Warming(u64),
    /// Ending what a predecessor left open.
    Fencing,
    /// Reading what its predecessor committed last; so many records so far.
    CatchingUp(u64),
    /// Deciding.
    Running {
        /// How many aggregates it has in memory.
        aggregates: usize,
        /// What the engine keeps of its own: open processes, dead steps, parked keys.
        kept: Kept,
        /// How far the clock seems ahead of the broker's, if that is worth saying.
        clock_ahead_ms: Option<i64>,
    },
    /// Deciding nothing until the clock is right.
    ClockWrong {
        /// How far it is ahead of the broker's.
        ahead_ms: i64,
    },
}

enum Phase<D: Domain> {
    Start,
    Warming(Box<PartitionCopy<D>>),
    Fencing(Box<PartitionCopy<D>>),
    CatchingUp { writer: Box<dyn TransactionalWriter>, copy: Box<PartitionCopy<D>>, ends: Reached },
    Running(Box<Running<D>>),
}

/// One partition's processor.
pub struct Lane<D: Domain> {
    shared: Arc<Shared<D>>,
    group: Arc<dyn Group>,
    partition: i32,
    phase: Phase<D>,
    /// Outlives a reset: beginning again does not set the clock right.
    clock_watch: ClockWatch,
    #[cfg(feature = "planted-bugs")]
    aborted: Option<Overlay<D::State>>,
    #[cfg(feature = "planted-bugs")]
    early: Option<BTreeMap<TopicPartition, i64>>,
}

impl<D: Domain> Lane<D> {
    /// A lane that has not begun yet.
    #[must_use]
    pub fn new(shared: Arc<Shared<D>>, group: Arc<dyn Group>, partition: i32) -> Self {
        Self {
            shared,
            group,
            partition,
            phase: Phase::Start,
            clock_watch: ClockWatch::default(),
            #[cfg(feature = "planted-bugs")]
            aborted: None,
            #[cfg(feature = "planted-bugs")]
            early: None,
        }
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> LanePhase {
        let clock = &*self.shared.clock;
        match &self.phase {
            Phase::Start => LanePhase::Starting,
            Phase::Warming(copy) => LanePhase::Warming(copy.records()),
            Phase::Fencing(_) => LanePhase::Fencing,
            Phase::CatchingUp { copy, .. } => LanePhase::CatchingUp(copy.records()),
            Phase::Running(_) if let Some(ahead_ms) = self.clock_watch.too_far_ahead(clock) => {
                LanePhase::ClockWrong { ahead_ms }
            }
            Phase::Running(running) => LanePhase::Running {
                aggregates: running.committed.aggregate_count(),
                kept: running.committed.kept(),
                clock_ahead_ms: self.clock_watch.worth_saying(clock),
            },
        }
    }

    /// How far it has come: where its inputs go on.
    #[must_use]
    pub fn position(&self) -> String {
        let records = |copy: &PartitionCopy<D>| {
            format!("partition {} of its state, {} records read", self.partition, copy.records())
        };
        match &self.phase {
            Phase::Start => format!("partition {}, before its first record", self.partition),
            Phase::Warming(copy) | Phase::Fencing(copy) | Phase::CatchingUp { copy, .. } => records(copy),
            Phase::Running(running) => {
                let inputs = running.next.iter().map(|(input, offset)| format!("{input} offset {offset}"));
                inputs.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// Drops everything that is not committed and begins again.
    pub fn reset(&mut self) {
        #[cfg(feature = "planted-bugs")]
        self.keep_overlay();
        self.phase = Phase::Start;
    }

    /// One step, which waits for input up to `wait` and not at all if there is work.
    ///
    /// # Errors
    /// [`LaneFault`]; call [`Lane::reset`] before the next step, except after
    /// [`LaneFault::Clock`], which takes nothing away.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, LaneFault> {
        let turned = self.step(wait);
        if let Err(LaneFault::Copy(CopyFault::Local(fault))) = &turned
            && fault.is_lasting()
            && let Some(local) = &self.shared.local
        {
            local.condemn(self.partition, fault.to_string());
        }
        turned
    }

    fn step(&mut self, wait: Duration) -> Result<Turn, LaneFault> {
        let (shared, partition) = (&self.shared, self.partition);
        match &mut self.phase {
            Phase::Start => {
                let copy = match shared.copies.take(partition) {
                    Some(copy) => copy,
                    None => PartitionCopy::open(shared, partition)?,
                };
                self.phase = Phase::Warming(Box::new(copy));
            }
            // whoever decides here now goes on meanwhile, so that the pause is short
            Phase::Warming(copy) => {
                let close = WARM_ENOUGH.max(4 * shared.settings.batch_max_records as u64);
                if copy.lag(shared)? > close {
                    copy.follow(shared, wait)?;
                } else if let Phase::Warming(copy) = std::mem::replace(&mut self.phase, Phase::Start) {
                    self.phase = Phase::Fencing(copy);
                }
            }
            Phase::Fencing(_) => {
                let mut writer = self.group.writer(&shared.names.transactional_id(partition))?;
                #[cfg(feature = "planted-bugs")]
                {
                    self.early = committed_early(&*self.group, shared, partition);
                }
                // only now no transaction of a predecessor can still commit
                if !planted::is_on(Bug::FencedTooLate) {
                    writer.fence()?;
                }
                let ends = ends(shared, partition)?;
                if let Phase::Fencing(copy) = std::mem::replace(&mut self.phase, Phase::Start) {
                    self.phase = Phase::CatchingUp { writer, copy, ends };
                }
            }
            Phase::CatchingUp { copy, ends, .. } => {
                let is_whole = copy.has_reached(ends)
                    || (copy.follow(shared, wait)? == 0 && planted::is_on(Bug::RestoreStopsEarly));
                if is_whole {
                    self.begin()?;
                }
            }
            Phase::Running(running) => return running.turn(shared, &mut self.clock_watch, wait),
        }
        Ok(Turn::Progress)
    }

    /// Finishes what was submitted, so that a planned move repeats nothing, and leaves its copy
    /// of the state for whoever needs it next.
    ///
    /// # Errors
    /// As [`Lane::turn`].
    pub fn finish(&mut self, wait: Duration) -> Result<(), LaneFault> {
        match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::Running(running) => {
                if let Some(copy) = running.finish(&self.shared, wait)? {
                    self.shared.copies.put(self.partition, copy);
                }
            }
            Phase::Warming(copy) | Phase::Fencing(copy) | Phase::CatchingUp { copy, .. } => {
                self.shared.copies.put(self.partition, *copy);
            }
            Phase::Start => {}
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), LaneFault> {
        let shared = &self.shared;
        if planted::is_on(Bug::FencedTooLate)
            && let Phase::CatchingUp { writer, .. } = &mut self.phase
        {
            writer.fence()?;
        }
        let commands = TopicPartition::new(Arc::clone(&shared.names.commands), self.partition);
        let steps = TopicPartition::new(Arc::clone(&shared.names.steps), self.partition);
        let committed = self.group.committed(&[commands.clone(), steps.clone()])?;
        #[cfg(feature = "planted-bugs")]
        let committed = self.early.take().unwrap_or(committed);
        let Phase::CatchingUp { copy, .. } = &self.phase else { return Ok(()) };
        if copy.has_records() && !committed.contains_key(&commands) {
            return Err(LaneFault::OffsetsLost { input: commands });
        }
        let mut next = BTreeMap::new();
        for input in [commands, steps] {
            let offset = start_of(&*shared.log, &input, committed.get(&input).copied())?;
            next.insert(input, offset);
        }
        let starts: Vec<_> =
            next.iter().map(|(input, offset)| (input.clone(), Start::Offset(*offset))).collect();
        let reader = shared.log.reader(&starts)?;
        let Phase::CatchingUp { writer, copy, .. } = std::mem::replace(&mut self.phase, Phase::Start) else {
            return Ok(());
        };
        let records = copy.records();
        let state = copy.into_state();
        #[cfg(feature = "planted-bugs")]
        let state = with_aborted(state, self.aborted.take());
        tracing::info!(
            partition = self.partition,
            records,
            aggregates = state.aggregate_count(),
            from = ?next.iter().map(|(at, offset)| format!("{at} {offset}")).collect::<Vec<_>>(),
            "state restored, deciding"
        );
        self.phase = Phase::Running(Box::new(Running {
            partition: self.partition,
            writer,
            reader,
            committed: state,
            pending: None,
            batch: Batch::default(),
            held: VecDeque::new(),
            polled: 0,
            barrier: Vec::new(),
            covered: HashMap::new(),
            next,
            quiet_at: None,
            proof: Proof::None,
            #[cfg(feature = "planted-bugs")]
            submitted: None,
        }));
        Ok(())
    }
}

#[cfg(feature = "planted-bugs")]
impl<D: Domain> Lane<D> {
    fn keep_overlay(&mut self) {
        if let Phase::Running(running) = &mut self.phase
            && planted::is_on(Bug::OverlayKeptAfterAbort)
        {
            self.aborted = running.pending.take();
        }
    }
}

#[cfg(feature = "planted-bugs")]
fn committed_early<D: Domain>(
    group: &dyn Group,
    shared: &Shared<D>,
    partition: i32,
) -> Option<BTreeMap<TopicPartition, i64>> {
    if !planted::is_on(Bug::PendingNotAwaited) {
        return None;
    }
    let inputs = [&shared.names.commands, &shared.names.steps];
    let inputs = inputs.map(|topic| TopicPartition::new(Arc::clone(topic), partition));
    group.committed(&inputs).ok()
}

#[cfg(feature = "planted-bugs")]
fn with_aborted<S>(mut state: PartitionState<S>, aborted: Option<Overlay<S>>) -> PartitionState<S> {
    aborted.into_iter().for_each(|overlay| state.merge(overlay));
    state
}

impl<D: Domain> Drop for Lane<D> {
    fn drop(&mut self) {
        // what it still holds goes first: nobody else may open a store that is open
        self.phase = Phase::Start;
        self.shared.copies.vacate(self.partition);
    }
}

/// Where an input goes on: at its committed offset, or at its beginning. Records that were
/// deleted before anyone decided them are lost, which is said aloud.
fn start_of(log: &dyn Log, input: &TopicPartition, committed: Option<i64>) -> Result<i64, LogFault> {
    let oldest = log.low_watermark(input)?;
    let Some(offset) = committed else { return Ok(oldest) };
    if oldest > offset {
        tracing::error!(
            partition = %input,
            lost = oldest - offset,
            "records {offset}..{oldest} were deleted by retention before they were decided, and are lost; going on at \
             {oldest}. What you can do: find their producers by time and let them send again; raise the topic's \
             retention.ms above the longest outage"
        );
        return Ok(oldest);
    }
    Ok(offset)
}

/// A lookup partition and the offset its table must reach.
type Barrier = (LookupPartition, i64);

struct Running<D: Domain> {
    partition: i32,
    writer: Box<dyn TransactionalWriter>,
    reader: Box<dyn Reader>,
    committed: PartitionState<D::State>,
    /// What the transaction under way will add to `committed`.
    pending: Option<Overlay<D::State>>,
    /// Decided, not submitted yet.
    batch: Batch<D>,
    /// Read, not decided yet, each with its number.
    held: VecDeque<(u64, Record)>,
    /// How many records were read.
    polled: u64,
    barrier: Vec<Barrier>,
    /// Up to which record number a miss in a lookup partition is final.
    covered: HashMap<LookupPartition, u64>,
    /// Where each input goes on. Every batch commits them all, since a broker forgets offsets
    /// that are not committed for long.
    next: BTreeMap<TopicPartition, i64>,
    /// When the end of the commands was last seen to be reached, by the clock that is never set;
    /// nothing has come since.
    quiet_at: Option<i64>,
    proof: Proof,
    #[cfg(feature = "planted-bugs")]
    submitted: Option<Transaction>,
}

/// Whether it is certain that nobody else has written below the offsets that a checkpoint was
/// said to reach. One who was replaced without knowing it yet would take the records of its
/// successor for its own. A commit that succeeds shows that it was not replaced before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    None,
    /// The offsets were asked for; no commit was begun since.
    Asked,
    /// A commit that was begun after the offsets were asked for is under way.
    Committing,
}

impl<D: Domain> Running<D> {
    fn turn(
        &mut self,
        shared: &Shared<D>,
        watch: &mut ClockWatch,
        wait: Duration,
    ) -> Result<Turn, LaneFault> {
        let mut progress = self.settle(Duration::ZERO)?;
        progress |= self.keep_checkpoint(shared)?;
        if watch.too_far_ahead(&*shared.clock).is_some() {
            // a record that ends a silence may tell that it is right again
            self.poll(shared, watch, wait)?;
        }
        if !self.pass_barrier(shared) {
            return self.wait_for_barrier(shared, wait);
        }
        progress |= self.decide_held(shared, watch)?;
        if self.barrier.is_empty() && self.batch.len() < shared.settings.batch_max_records {
            let may_wait = !progress && self.pending.is_none() && self.batch.is_empty();
            progress |= self.poll(shared, watch, if may_wait { wait } else { Duration::ZERO })?;
            progress |= self.decide_held(shared, watch)?;
        }
        if self.pending.is_none() && self.barrier.is_empty() && !self.batch.is_empty() {
            self.submit(shared)?;
            progress = true;
        }
        if self.proof == Proof::Asked && self.barrier.is_empty() && self.held.is_empty() {
            self.submit_nothing()?;
        }
        if !progress && self.pending.is_some() {
            progress = self.settle(COMMIT_LOOK.min(wait))?;
        }
        Ok(if progress { Turn::Progress } else { Turn::Idle })
    }

    /// Takes in the batch under way if it has committed.
    fn settle(&mut self, wait: Duration) -> Result<bool, LaneFault> {
        if self.pending.is_none() {
            return Ok(false);
        }
        let settled = self.writer.settle(wait);
        #[cfg(feature = "planted-bugs")]
        let settled = self.or_again(settled);
        if !settled? {
            return Ok(false);
        }
        if let Some(overlay) = self.pending.take() {
            self.committed.merge(overlay);
        }
        if self.proof == Proof::Committing {
            self.proof = Proof::None;
            self.committed.write_checkpoint();
        }
        Ok(true)
    }

    /// Takes checkpoints when they are due. The offsets of what was committed are not known, but
    /// while no transaction is open, all that lies below the high watermarks is in memory.
    fn keep_checkpoint(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
        let now = shared.clock.now_micros();
        let progress = self.committed.tend_checkpoint(now).map_err(CopyFault::from)?;
        if self.pending.is_some() || !self.committed.is_checkpoint_due(now) {
            return Ok(progress);
        }
        self.committed.freeze(ends(shared, self.partition)?, now);
        if planted::is_on(Bug::CheckpointUnproven) {
            self.committed.write_checkpoint();
            return Ok(self.committed.tend_checkpoint(now).map_err(CopyFault::from)?);
        }
        self.proof = Proof::Asked;
        Ok(true)
    }

    /// Commits where the inputs stand once more, to prove by it that nobody has taken over.
    fn submit_nothing(&mut self) -> Result<(), LaneFault> {
        if self.pending.is_none() {
            self.writer.submit(Transaction { records: Vec::new(), offsets: self.next.clone() })?;
            self.pending = Some(Overlay::default());
            self.proof = Proof::Committing;
        }
        Ok(())
    }

    /// Waits for the commit under way. Then its state, if somebody wants it: as a copy that
    /// stands by, or on disk so that the next start reads less.
    fn finish(
        mut self: Box<Self>,
        shared: &Shared<D>,
        wait: Duration,
    ) -> Result<Option<PartitionCopy<D>>, LaneFault> {
        self.settle(wait)?;
        self.committed.check()?;
        if self.pending.is_some() || !(shared.copies.keeps() || self.committed.is_stored()) {
            return Ok(None);
        }
        let reached = ends(shared, self.partition)?;
        let now = shared.clock.now_micros();
        // as in a simulation nobody would look again
        self.committed.tend_checkpoint(now).map_err(CopyFault::from)?;
        if self.committed.can_freeze() {
            self.committed.freeze(reached, now);
        }
        self.proof = Proof::Asked;
        self.submit_nothing()?;
        self.settle(wait)?;
        if self.pending.is_some() {
            return Ok(None);
        }
        self.committed.tend_checkpoint(now).map_err(CopyFault::from)?;
        Ok(Some(PartitionCopy::of_lane(self.partition, self.committed, reached)))
    }

    #[cfg(feature = "planted-bugs")]
    fn or_again(&mut self, settled: Result<bool, LogFault>) -> Result<bool, LogFault> {
        match (settled, self.submitted.take()) {
            (Err(LogFault::Unavailable { .. }), Some(again)) if planted::is_on(Bug::LostAnswerRetried) => {
                self.writer.fence()?;
                self.writer.submit(again)?;
                Ok(false)
            }
            (settled, submitted) => {
                self.submitted = submitted;
                settled
            }
        }
    }

    fn submit(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
        let nothing = Overlay::default();
        let below = Layers { committed: &self.committed, pending: None, current: &nothing };
        let place = place(shared, self.partition);
        let (mut transaction, overlay) =
            std::mem::take(&mut self.batch).close(&shared.codecs, &place, &below)?;
        // what was decided without seeing all of the state must not be committed
        self.committed.check()?;
        self.next.append(&mut transaction.offsets);
        transaction.offsets = self.next.clone();
        if planted::is_on(Bug::StepOffsetsNotCommitted) {
            transaction.offsets.retain(|input, _| input.topic != shared.names.steps);
        }
        #[cfg(feature = "planted-bugs")]
        {
            self.submitted = Some(transaction.clone());
        }
        self.writer.submit(transaction)?;
        self.pending = Some(overlay);
        if planted::is_on(Bug::CheckpointUncommitted)
            && let Some(overlay) = self.pending.replace(Overlay::default())
        {
            self.committed.merge(overlay);
            self.committed.freeze(ends(shared, self.partition)?, shared.clock.now_micros());
            self.committed.write_checkpoint();
        }
        if self.proof == Proof::Asked {
            self.proof = Proof::Committing;
        }
        Ok(())
    }

    fn poll(
        &mut self,
        shared: &Shared<D>,
        watch: &mut ClockWatch,
        wait: Duration,
    ) -> Result<bool, LaneFault> {
        let room = shared.settings.batch_max_records.saturating_sub(self.batch.len() + self.held.len());
        if room == 0 {
            return Ok(false);
        }
        let records = self.reader.poll(room, wait)?;
        let now = shared.clock.monotonic_micros();
        let is_quiet = |within: i64| self.quiet_at.is_some_and(|at| now - at <= within);
        if let Some(first) = records.first() {
            if first.topic == shared.names.commands && is_quiet(2 * QUIET_LOOK_MICROS) {
                watch.learn(&*shared.clock, first.timestamp_ms);
            }
            self.quiet_at = None;
        } else if !wait.is_zero() && !is_quiet(QUIET_LOOK_MICROS) {
            // an empty poll alone says nothing: a new client needs longer than that to connect, and
            // a connection may be lost without a word
            let commands = TopicPartition::new(Arc::clone(&shared.names.commands), self.partition);
            let is_end = self.reader.position(&commands) >= shared.log.high_watermark(&commands)?;
            self.quiet_at = is_end.then_some(now);
        }
        let is_empty = records.is_empty();
        for record in records {
            self.polled += 1;
            self.held.push_back((self.polled, record));
        }
        Ok(!is_empty)
    }

    /// Decides what was read, until a lookup is behind or the batch is full.
    fn decide_held(&mut self, shared: &Shared<D>, watch: &ClockWatch) -> Result<bool, LaneFault> {
        if let Some(ahead_ms) = watch.too_far_ahead(&*shared.clock) {
            return Err(LaneFault::Clock { ahead_ms });
        }
        let place = place(shared, self.partition);
        let mut progress = false;
        while self.batch.len() < shared.settings.batch_max_records {
            let Some((number, record)) = self.held.front() else { break };
            let number = *number;
            let layers = Layers {
                committed: &self.committed,
                pending: self.pending.as_ref(),
                current: &self.batch.overlay,
            };
            let is_covered = |at: LookupPartition| {
                self.covered.get(&at).is_some_and(|upto| number <= *upto)
                    || planted::is_on(Bug::LookupBarrierSkipped)
            };
            let decider =
                Decider { place: &place, layers: &layers, lookups: &shared.lookups, is_covered: &is_covered };
            let intake = read(&shared.codecs, record, record.topic == shared.names.steps)?;
            match decider.take(&intake, record) {
                Verdict::Behind(missed) => {
                    self.ask_barrier(shared, &missed)?;
                    break;
                }
                Verdict::Decided(decided) => {
                    let Some((_, record)) = self.held.pop_front() else { break };
                    if let Some(Burial { reason, .. }) = &decided.dead {
                        tracing::warn!(
                            topic = %record.topic, partition = record.partition, offset = record.offset, reason,
                            "record goes to the dead topic, and the partition goes on; see `millrace dead list`"
                        );
                    }
                    self.batch.add(&shared.codecs, &place, &record, *decided)?;
                    progress = true;
                }
            }
        }
        Ok(progress)
    }

    /// What was committed when the records at hand had arrived must be in the lookup tables
    /// before a miss counts. Never asked while a transaction of ours is open: two processors
    /// would wait for each other.
    fn ask_barrier(&mut self, shared: &Shared<D>, missed: &[LookupPartition]) -> Result<(), LaneFault> {
        if self.pending.is_some() {
            return Ok(());
        }
        for &at in missed {
            let target = shared.log.high_watermark(&shared.lookups.source(at))?;
            self.barrier.push((at, target));
        }
        Ok(())
    }

    /// Whether no barrier is left to wait for.
    fn pass_barrier(&mut self, shared: &Shared<D>) -> bool {
        if self.barrier.iter().any(|(at, target)| shared.lookups.position(*at) < *target) {
            return false;
        }
        for (at, _) in self.barrier.drain(..) {
            let upto = if planted::is_on(Bug::BarrierAskedTooEarly) { u64::MAX } else { self.polled };
            self.covered.insert(at, upto);
        }
        true
    }

    fn wait_for_barrier(&self, shared: &Shared<D>, wait: Duration) -> Result<Turn, LaneFault> {
        shared.lookups.wait_for_move(COMMIT_LOOK.min(wait));
        Ok(Turn::Idle)
    }
}

fn place<D: Domain>(shared: &Shared<D>, partition: i32) -> Place<'_> {
    Place {
        names: &shared.names,
        partition,
        partitions: shared.partitions,
        clock_micros: shared.clock.now_micros(),
        settings: &shared.settings,
    }
}
