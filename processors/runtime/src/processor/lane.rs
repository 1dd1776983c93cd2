//! A lane: the life of one partition in a processor, one small step at a time.
//!
//! Fence off the predecessor, restore, then decide. While one batch commits the next is
//! decided on top of it. Every fault ends in the beginning: nothing that was not committed
//! is kept, and what was committed is read again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use millrace_kernel::Domain;
use millrace_ports::{
    Clock, Group, Log, LogFault, Reader, Record, Start, TopicPartition, TransactionalWriter,
};
use millrace_wire::RegistryFault;
use thiserror::Error;

use super::batch::{Batch, BatchError};
use super::codecs::Codecs;
use super::decide::{Decider, Place, Verdict};
use super::intake::{Intake, read};
use super::lookup::{LookupPartition, LookupTables};
use super::restore::{Restore, RestoreFault};
use super::state::{Kept, Layers, Overlay, PartitionState};
use crate::settings::ProcessorSettings;
use crate::topology::Topology;

/// Longest wait for a commit before the input is looked at again.
const COMMIT_LOOK: Duration = Duration::from_millis(2);
/// How far the clock may differ from the log's before health says so.
const CLOCK_WARN_MS: i64 = 60_000;
/// How far the clock may differ before nothing is decided any more.
const CLOCK_STOP_MS: i64 = 3_600_000;

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
    pub codecs: Codecs<D>,
    /// The domain's lookup tables.
    pub lookups: Arc<LookupTables>,
    /// What an operator has set.
    pub settings: ProcessorSettings,
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
    /// The state cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreFault),
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
    #[error("this machine's clock is {} s off the broker's; nothing is decided until it is set right", .ahead_ms / 1_000)]
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
    /// Ending what a predecessor left open.
    Fencing,
    /// Reading its state; so many records so far.
    Restoring(u64),
    /// Deciding.
    Running {
        /// How many aggregates it knows.
        aggregates: usize,
        /// What the engine keeps of its own: open processes, dead steps, parked keys.
        kept: Kept,
        /// How far the clock seems ahead of the broker's, if that is worth saying.
        clock_ahead_ms: Option<i64>,
    },
}

enum Phase<D: Domain> {
    Start,
    Restoring { writer: Box<dyn TransactionalWriter>, restore: Box<Restore<D>> },
    Running(Box<Running<D>>),
}

/// One partition's processor.
pub struct Lane<D: Domain> {
    shared: Arc<Shared<D>>,
    group: Arc<dyn Group>,
    partition: i32,
    phase: Phase<D>,
}

impl<D: Domain> Lane<D> {
    /// A lane that has not begun yet.
    #[must_use]
    pub fn new(shared: Arc<Shared<D>>, group: Arc<dyn Group>, partition: i32) -> Self {
        Self { shared, group, partition, phase: Phase::Start }
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> LanePhase {
        match &self.phase {
            Phase::Start => LanePhase::Fencing,
            Phase::Restoring { restore, .. } => LanePhase::Restoring(restore.records()),
            Phase::Running(running) => LanePhase::Running {
                aggregates: running.committed.aggregate_count(),
                kept: running.committed.kept(),
                clock_ahead_ms: running.clock_ahead_ms,
            },
        }
    }

    /// Drops everything that is not committed and begins again.
    pub fn reset(&mut self) {
        self.phase = Phase::Start;
    }

    /// One step, which waits for input up to `wait` and not at all if there is work.
    ///
    /// # Errors
    /// [`LaneFault`]; call [`Lane::reset`] before the next step.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, LaneFault> {
        match &mut self.phase {
            Phase::Start => {
                let mut writer = self.group.writer(&self.shared.names.transactional_id(self.partition))?;
                // first of all: only now no transaction of a predecessor can still commit
                writer.fence()?;
                let restore = Restore::start(
                    &*self.shared.log,
                    &self.shared.names,
                    self.partition,
                    &self.shared.settings,
                )?;
                self.phase = Phase::Restoring { writer, restore: Box::new(restore) };
                Ok(Turn::Progress)
            }
            Phase::Restoring { restore, .. } => {
                let shared = &self.shared;
                let whole =
                    restore.turn(&*shared.log, &shared.names, &shared.codecs, &shared.settings, wait)?;
                if let Some(state) = whole {
                    self.begin(state)?;
                }
                Ok(Turn::Progress)
            }
            Phase::Running(running) => running.turn(&self.shared, wait),
        }
    }

    /// Finishes what was submitted, so that a planned move repeats nothing.
    ///
    /// # Errors
    /// As [`Lane::turn`].
    pub fn finish(&mut self, wait: Duration) -> Result<(), LaneFault> {
        if let Phase::Running(running) = &mut self.phase {
            running.writer.settle(wait)?;
        }
        self.phase = Phase::Start;
        Ok(())
    }

    fn begin(&mut self, state: PartitionState<D::State>) -> Result<(), LaneFault> {
        let shared = &self.shared;
        let commands = TopicPartition::new(Arc::clone(&shared.names.commands), self.partition);
        let steps = TopicPartition::new(Arc::clone(&shared.names.steps), self.partition);
        let committed = self.group.committed(&[commands.clone(), steps.clone()])?;
        if state.last_recorded_at > 0 && !committed.contains_key(&commands) {
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
        let Phase::Restoring { writer, .. } = std::mem::replace(&mut self.phase, Phase::Start) else {
            return Ok(());
        };
        tracing::info!(
            partition = self.partition,
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
            was_idle: false,
            clock_ahead_ms: None,
        }));
        Ok(())
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
            "records {offset}..{oldest} were deleted by retention before they were decided; going on at {oldest}"
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
    /// Whether the last poll found nothing at the end of the commands.
    was_idle: bool,
    clock_ahead_ms: Option<i64>,
}

impl<D: Domain> Running<D> {
    fn turn(&mut self, shared: &Shared<D>, wait: Duration) -> Result<Turn, LaneFault> {
        let mut progress = self.settle(Duration::ZERO)?;
        if !self.pass_barrier(shared) {
            return self.wait_for_barrier(shared, wait);
        }
        progress |= self.decide_held(shared)?;
        if self.barrier.is_empty() && self.batch.len() < shared.settings.batch_max_records {
            let may_wait = !progress && self.pending.is_none() && self.batch.is_empty();
            progress |= self.poll(shared, if may_wait { wait } else { Duration::ZERO })?;
            progress |= self.decide_held(shared)?;
        }
        if self.pending.is_none() && self.barrier.is_empty() && !self.batch.is_empty() {
            self.submit(shared)?;
            progress = true;
        }
        if !progress && self.pending.is_some() {
            progress = self.settle(COMMIT_LOOK.min(wait))?;
        }
        Ok(if progress { Turn::Progress } else { Turn::Idle })
    }

    /// Takes in the batch under way if it has committed.
    fn settle(&mut self, wait: Duration) -> Result<bool, LaneFault> {
        if self.pending.is_none() || !self.writer.settle(wait)? {
            return Ok(false);
        }
        if let Some(overlay) = self.pending.take() {
            self.committed.merge(overlay);
        }
        Ok(true)
    }

    fn submit(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
        let nothing = Overlay::default();
        let below = Layers { committed: &self.committed, pending: None, current: &nothing };
        let place = place(shared, self.partition);
        let (mut transaction, overlay) =
            std::mem::take(&mut self.batch).close(&shared.codecs, &place, &below)?;
        self.next.append(&mut transaction.offsets);
        transaction.offsets = self.next.clone();
        self.writer.submit(transaction)?;
        self.pending = Some(overlay);
        Ok(())
    }

    fn poll(&mut self, shared: &Shared<D>, wait: Duration) -> Result<bool, LaneFault> {
        let room = shared.settings.batch_max_records.saturating_sub(self.batch.len() + self.held.len());
        if room == 0 {
            return Ok(false);
        }
        let records = self.reader.poll(room, wait)?;
        if let Some(first) =
            records.first().filter(|first| self.was_idle && first.topic == shared.names.commands)
        {
            self.check_clock(shared, first)?;
        }
        if !records.is_empty() {
            self.was_idle = false;
        } else if !wait.is_zero() && !self.was_idle {
            // an empty poll alone says nothing: a new client needs longer than that to connect
            let commands = TopicPartition::new(Arc::clone(&shared.names.commands), self.partition);
            self.was_idle = self.reader.position(&commands) >= shared.log.high_watermark(&commands)?;
        }
        let is_empty = records.is_empty();
        for record in records {
            self.polled += 1;
            self.held.push_back((self.polled, record));
        }
        Ok(!is_empty)
    }

    /// A record that ended a silence has just been appended, so its time is the broker's.
    fn check_clock(&mut self, shared: &Shared<D>, fresh: &Record) -> Result<(), LaneFault> {
        let ahead_ms = shared.clock.now_micros() / 1_000 - fresh.timestamp_ms;
        self.clock_ahead_ms = (ahead_ms.abs() > CLOCK_WARN_MS).then_some(ahead_ms);
        if ahead_ms > CLOCK_STOP_MS { Err(LaneFault::Clock { ahead_ms }) } else { Ok(()) }
    }

    /// Decides what was read, until a lookup is behind or the batch is full.
    fn decide_held(&mut self, shared: &Shared<D>) -> Result<bool, LaneFault> {
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
            let is_covered = |at: LookupPartition| self.covered.get(&at).is_some_and(|upto| number <= *upto);
            let decider =
                Decider { place: &place, layers: &layers, lookups: &shared.lookups, is_covered: &is_covered };
            let verdict = match read(&shared.codecs, record, record.topic == shared.names.steps)? {
                Intake::Command(command) => decider.command(&command, record),
                Intake::Step(step) => decider.step(&step, record),
                Intake::Unknown(unknown) => decider.unknown(&unknown, record),
                Intake::Dead(reason) => decider.dead(reason),
            };
            match verdict {
                Verdict::Behind(missed) => {
                    self.ask_barrier(shared, &missed)?;
                    break;
                }
                Verdict::Decided(decided) => {
                    let Some((_, record)) = self.held.pop_front() else { break };
                    if let Some(reason) = &decided.dead {
                        tracing::warn!(
                            topic = %record.topic, partition = record.partition, offset = record.offset, reason,
                            "record goes to the dead topic; see `millrace dead list`"
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
            self.covered.insert(at, self.polled);
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
