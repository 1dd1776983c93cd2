//! A lane: the life of one partition in a processor, one small step at a time.
//!
//! Follow the partition's topics until little is missing, fence off the predecessor, read the
//! rest, then decide. While one batch commits the next is decided on top of it. Nothing that was not
//! committed survives a fault. What was committed does where it is certain that nothing came to it; else the fault ends
//! in the beginning, and all is read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Domain;
use millrace_ports::{Clock, Group, Log, LogFault, Start, TopicPartition, TransactionalWriter};
use millrace_wire::RegistryFault;
use thiserror::Error;

use super::batch::BatchError;
use super::clock_watch::ClockWatch;
use super::codecs::Codecs;
use super::copy::{CopyFault, PartitionCopy, Reached, ends};
use super::footing::{Footing, Sample, Sampler};
use super::gap::{Gap, found_again, start_of};
use super::lookup::LookupTables;
use super::pace::Pace;
use super::pseudonyms::{KeyFault, Pseudonyms};
use super::running::{Begun, Running};
use super::state::Kept;
#[cfg(debug_assertions)]
use super::state::{Overlay, PartitionState};
use crate::copies::Copies;
use crate::local::LocalState;
use crate::metrics::{BatchMeter, Meter};
use crate::planted::{self, Bug};
use crate::settings::ProcessorSettings;
use crate::topology::Topology;

/// How many records may be missing, at least, when the predecessor is fenced off: what takes
/// some milliseconds to read.
const WARM_ENOUGH: u64 = 10_000;

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
    /// The names of what must stand in no key.
    pub pseudonyms: Pseudonyms,
    /// What an operator has set.
    pub settings: ProcessorSettings,
    /// Where the state of partitions lies on disk, if anywhere.
    pub local: Option<LocalState>,
    /// Copies of partitions that stand by in this process.
    pub copies: Arc<Copies<PartitionCopy<D>>>,
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
    /// The registry does not answer, and a message needs a schema that is not known yet.
    #[error("{at} offset {offset} cannot be read yet: {fault}; everything before it is decided")]
    Schema {
        /// The input.
        at: TopicPartition,
        /// The message's offset.
        offset: i64,
        /// What the registry said.
        #[source]
        fault: RegistryFault,
    },
    /// The state cannot be read or followed.
    #[error(transparent)]
    Copy(#[from] CopyFault),
    /// A bug of ours.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// State without the offset it was decided up to. Deciding from the beginning again would
    /// double what is older than the de-duplication window.
    #[error(
        "the group has no offset for {input}, though commands were decided there: the broker has forgotten it (offsets.retention.minutes). Nothing is decided until an operator says where it goes on, as {input}:lost-OFFSET; the newest outcome says how far the commands were answered"
    )]
    OffsetsLost {
        /// The input without an offset.
        input: TopicPartition,
    },
    /// A batch was not committed, for certain. What is committed stays as it is, and the messages of the batch
    /// are decided again.
    #[error("a batch of {messages} messages was not committed: {fault}")]
    NotCommitted {
        /// How many messages it held.
        messages: usize,
        /// What was in the way.
        #[source]
        fault: LogFault,
    },
    /// A batch of commands that cannot be decompressed, and nobody can tell where it ends.
    #[error(
        "{input} holds a batch at offset {offset} that cannot be decompressed ({why}), and where it ends cannot be found out: {cause}"
    )]
    BatchWithoutEnd {
        /// The input.
        input: TopicPartition,
        /// The offset of its first record.
        offset: i64,
        /// What the client said about it.
        why: String,
        /// What came of looking for its end.
        cause: LogFault,
    },
    /// Records that were deleted before anyone decided them.
    #[error(
        "{gap}: {} records were deleted before they were decided; nothing is decided in this partition until they are back or an operator gives them up", .gap.to - .gap.from
    )]
    Gap {
        /// Where they were.
        gap: Gap,
    },
    /// An input that ends before what was decided of it.
    #[error(
        "{input} ends at offset {end}, but is decided up to {decided}: somebody has made it anew or it has lost records; nothing is decided in this partition until an operator says where it goes on, as {input}:{decided}-{oldest} for all of what is there"
    )]
    InputAnew {
        /// The input.
        input: TopicPartition,
        /// Up to where it was decided.
        decided: i64,
        /// Where it begins.
        oldest: i64,
        /// Where it ends.
        end: i64,
    },
    /// A topic that decisions stand on has lost what stood in it.
    #[error(
        "{at} {what}: somebody has emptied it or made it anew; nothing is decided in this partition until its records are back"
    )]
    Gone {
        /// Where.
        at: TopicPartition,
        /// What shows it.
        what: String,
    },
    /// Claims in the partition were made with other keys of pseudonyms than this process has.
    #[error(transparent)]
    PseudonymKey(#[from] KeyFault),
    /// Rows with times from the future would be refused by the database.
    #[error("this machine's clock is {} s ahead of the broker's; nothing is decided until it is set right", .ahead_ms / 1_000)]
    Clock {
        /// How far ahead, milliseconds.
        ahead_ms: i64,
    },
}

impl LaneFault {
    /// Whether it takes nothing away: the lane goes on where it is with its next step.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        match self {
            // what was read waits until a wrong clock is right, or a registry is back
            Self::NotCommitted { .. } | Self::Clock { .. } | Self::Schema { .. } => true,
            _ => self.keeps_copy(),
        }
    }

    /// Whether it says nothing of the state that was restored: only where the inputs go on is not known.
    fn keeps_copy(&self) -> bool {
        matches!(
            self,
            Self::OffsetsLost { .. } | Self::Gap { .. } | Self::InputAnew { .. } | Self::PseudonymKey(_)
        )
    }
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
    /// Looking at its oldest events and opening what is at hand of its state.
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
    /// Reading the events that its state will be compared with.
    Sampling(Box<Sampler>),
    Warming(Box<PartitionCopy<D>>),
    Fencing(Box<PartitionCopy<D>>),
    CatchingUp {
        writer: Box<dyn TransactionalWriter>,
        copy: Box<PartitionCopy<D>>,
        ends: Reached,
    },
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
    /// Outlives it, too: see [`Pace`].
    pace: Pace,
    /// Outlives a reset, too: old events do not change.
    sample: Sample,
    /// How many messages were committed before the last reset.
    done: u64,
    meter: Meter,
    #[cfg(debug_assertions)]
    aborted: Option<Overlay<D::State>>,
    #[cfg(debug_assertions)]
    early: Option<BTreeMap<TopicPartition, i64>>,
}

impl<D: Domain> Lane<D> {
    /// A lane that has not begun yet.
    #[must_use]
    pub fn new(shared: Arc<Shared<D>>, group: Arc<dyn Group>, partition: i32) -> Self {
        let pace = Pace::new(shared.settings.batch_max_records, shared.settings.transaction_timeout());
        Self {
            shared,
            group,
            partition,
            phase: Phase::Start,
            clock_watch: ClockWatch::default(),
            pace,
            sample: Sample::new(),
            done: 0,
            meter: Meter::default(),
            #[cfg(debug_assertions)]
            aborted: None,
            #[cfg(debug_assertions)]
            early: None,
        }
    }

    /// The same, reporting to `meter`.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// Reports how it is in numbers.
    pub fn measure(&self) {
        let restored = |copy: &PartitionCopy<D>| {
            self.meter.update(|numbers| {
                numbers.is_held = true;
                numbers.restore_read = copy.records();
            })
        };
        match &self.phase {
            Phase::Start | Phase::Sampling(_) => self.meter.update(|numbers| numbers.is_held = true),
            Phase::Warming(copy) | Phase::Fencing(copy) | Phase::CatchingUp { copy, .. } => restored(copy),
            Phase::Running(running) => running.measure(&self.shared, &self.clock_watch),
        }
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> LanePhase {
        let clock = &*self.shared.clock;
        match &self.phase {
            Phase::Start | Phase::Sampling(_) => LanePhase::Starting,
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
            Phase::Start | Phase::Sampling(_) => {
                format!("partition {}, before its first record", self.partition)
            }
            Phase::Warming(copy) | Phase::Fencing(copy) | Phase::CatchingUp { copy, .. } => records(copy),
            Phase::Running(running) => {
                let inputs = running.next.iter().map(|(input, offset)| format!("{input} offset {offset}"));
                inputs.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// How many messages it has committed, all resets before included.
    #[must_use]
    pub fn done(&self) -> u64 {
        match &self.phase {
            Phase::Running(running) => self.done + running.done(),
            _ => self.done,
        }
    }

    /// Whether it has decided and committed all there is. Asks the log.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        matches!(&self.phase, Phase::Running(running) if running.has_caught_up(&self.shared))
    }

    /// Drops everything that is not committed and begins again.
    pub fn reset(&mut self) {
        #[cfg(debug_assertions)]
        self.keep_overlay();
        if let Phase::Running(running) = &self.phase {
            self.pace = running.pace;
            self.done += running.done();
        }
        self.phase = Phase::Start;
    }

    /// One step, which waits for input up to `wait` and not at all if there is work.
    ///
    /// # Errors
    /// [`LaneFault`]; call [`Lane::reset`] before the next step, unless it
    /// [keeps what there is](LaneFault::keeps_state).
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
            Phase::Start => match self.sample.is_empty().then(|| Sampler::open(shared, partition)) {
                Some(sampler) => match sampler? {
                    Some(sampler) => self.phase = Phase::Sampling(Box::new(sampler)),
                    None => self.open()?,
                },
                None => self.open()?,
            },
            Phase::Sampling(sampler) => {
                if sampler.step(shared, wait)? {
                    self.sample = sampler.take();
                    self.open()?;
                }
            }
            // whoever decides here now goes on meanwhile, so that the pause is short
            Phase::Warming(copy) => {
                let close = WARM_ENOUGH.max(4 * shared.settings.batch_max_records as u64);
                let left = copy.lag(shared, close)?;
                self.meter.update(|numbers| numbers.restore_left = left);
                if left > close {
                    copy.follow(shared, wait)?;
                } else if let Phase::Warming(copy) = std::mem::replace(&mut self.phase, Phase::Start) {
                    self.phase = Phase::Fencing(copy);
                }
            }
            Phase::Fencing(_) => {
                let mut writer = self.group.writer(&shared.names.transactional_id(partition))?;
                #[cfg(debug_assertions)]
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
                    self.begin().inspect_err(|fault| self.step_back(fault))?;
                }
            }
            Phase::Running(running) => return running.turn(shared, &mut self.clock_watch, wait),
        }
        Ok(Turn::Progress)
    }

    fn open(&mut self) -> Result<(), CopyFault> {
        let shared = &self.shared;
        // one that nobody has followed for too long goes before another opens its store
        let standing = shared.copies.take(self.partition).filter(|copy| copy.check_age(shared).is_ok());
        let copy = match standing {
            Some(copy) => copy,
            None => PartitionCopy::open(shared, self.partition)?,
        };
        self.phase = Phase::Warming(Box::new(copy));
        Ok(())
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
            Phase::Start | Phase::Sampling(_) => {}
        }
        Ok(())
    }

    /// Keeps the copy of the state where a fault says nothing against it: it is followed on and fenced again, and not
    /// read anew. Reading all of it every few seconds would cost the brokers more than the whole domain's work.
    fn step_back(&mut self, fault: &LaneFault) {
        match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::CatchingUp { copy, .. } if fault.keeps_copy() && copy.check_age(&self.shared).is_ok() => {
                self.phase = Phase::Warming(copy);
            }
            _ => {}
        }
    }

    fn begin(&mut self) -> Result<(), LaneFault> {
        let shared = &self.shared;
        let names = shared.names.apart();
        if planted::is_on(Bug::FencedTooLate)
            && let Phase::CatchingUp { writer, .. } = &mut self.phase
        {
            writer.fence()?;
        }
        let commands = TopicPartition::new(Arc::clone(&names.commands), self.partition);
        let inputs = inputs_of(&names, self.partition);
        let committed = self.group.committed(&inputs)?;
        #[cfg(debug_assertions)]
        let committed = self.early.take().unwrap_or(committed);
        let mut committed = committed;
        let Phase::CatchingUp { copy, .. } = &self.phase else { return Ok(()) };
        let footing = Footing::find(shared, (&names, self.partition), copy.state(), &self.sample)?;
        shared.pseudonyms.check(self.partition, copy.state())?;
        if copy.has_records() && !committed.contains_key(&commands) {
            match found_again(shared, &commands)? {
                Some(offset) => committed.insert(commands.clone(), offset),
                None => return Err(LaneFault::OffsetsLost { input: commands }),
            };
        }
        let mut next = BTreeMap::new();
        for input in inputs {
            let offset = start_of(shared, &input, committed.get(&input).copied(), !committed.is_empty())?;
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
        #[cfg(debug_assertions)]
        let state = with_aborted(state, self.aborted.take());
        tracing::info!(
            partition = self.partition,
            records,
            aggregates = state.aggregate_count(),
            from = ?next.iter().map(|(at, offset)| format!("{at} {offset}")).collect::<Vec<_>>(),
            "state restored, deciding"
        );
        self.meter.update(|numbers| (numbers.restore_read, numbers.restore_left) = (records, 0));
        let meter = BatchMeter::new(self.meter.clone());
        let begun = Begun { writer, reader, next, footing, pace: self.pace };
        let running = Running::new(self.partition, names, begun, state, meter);
        self.phase = Phase::Running(Box::new(running));
        Ok(())
    }
}

/// What is decided in `partition`.
fn inputs_of(names: &Topology, partition: i32) -> Vec<TopicPartition> {
    names.inputs().into_iter().map(|topic| TopicPartition::new(Arc::clone(topic), partition)).collect()
}

#[cfg(debug_assertions)]
impl<D: Domain> Lane<D> {
    fn keep_overlay(&mut self) {
        if let Phase::Running(running) = &mut self.phase
            && planted::is_on(Bug::OverlayKeptAfterAbort)
        {
            self.aborted = running.pending.take();
        }
    }
}

#[cfg(debug_assertions)]
fn committed_early<D: Domain>(
    group: &dyn Group,
    shared: &Shared<D>,
    partition: i32,
) -> Option<BTreeMap<TopicPartition, i64>> {
    if !planted::is_on(Bug::PendingNotAwaited) {
        return None;
    }
    group.committed(&inputs_of(&shared.names, partition)).ok()
}

#[cfg(debug_assertions)]
fn with_aborted<S>(mut state: PartitionState<S>, aborted: Option<Overlay<S>>) -> PartitionState<S> {
    aborted.into_iter().for_each(|overlay| drop(state.merge(overlay)));
    state
}

impl<D: Domain> Drop for Lane<D> {
    fn drop(&mut self) {
        // what it still holds goes first: nobody else may open a store that is open
        self.phase = Phase::Start;
        self.shared.copies.vacate(self.partition);
    }
}
