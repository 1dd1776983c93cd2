//! The transactional log in memory, with Kafka's semantics: transactions whose markers take
//! offsets, aborted records that are never seen, fencing, groups that hand partitions over.
//!
//! All state stands behind one lock and every call is one step of it, so a seeded scheduler can
//! drive many instances in one thread and replay a history exactly. [`Faults`] is asked before
//! each step. What happens by time — a member that falls silent, a transaction left open, a tombstone that
//! has expired — happens when the next call looks at the [`Clock`].

mod broker;
mod faults;
mod group;
mod members;
mod partition;
mod reader;
mod writer;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_ports::{
    Appender, Clock, Group, GroupSpec, Log, LogFault, Outgoing, Reader, Record, Start, SystemClock,
    TopicPartition, TransactionalWriter,
};
use millrace_runtime::planted::{self, Bug};

use broker::Broker;
pub use faults::{Faults, NoFaults, Operation, Verdict};
use group::MemoryGroup;
use reader::MemoryReader;
use writer::MemoryWriter;

/// How long a blocked call sleeps before it looks at the clock again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A log in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: Arc<dyn Clock>,
    waits: bool,
}

struct State {
    broker: Broker,
    faults: Box<dyn Faults>,
}

/// What a step came to, for a caller that may wait.
enum Step<T> {
    Done(T),
    NothingYet(T),
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLog {
    /// A log on the machine's clock whose calls wait as long as they are told.
    #[must_use]
    pub fn new() -> Self {
        Self::build(Arc::new(SystemClock), true)
    }

    /// A log on a simulation's clock. Its calls never wait: with nothing to give they return at
    /// once, whatever wait they are given.
    #[must_use]
    pub fn stepwise(clock: Arc<dyn Clock>) -> Self {
        Self::build(clock, false)
    }

    fn build(clock: Arc<dyn Clock>, waits: bool) -> Self {
        let state = State { broker: Broker::default(), faults: Box::new(NoFaults) };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), clock, waits }) }
    }

    /// Asks `faults` before each step from now on.
    pub fn inject(&self, faults: Box<dyn Faults>) {
        self.shared.lock().faults = faults;
    }

    /// Makes a topic; one that exists stays as it is.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.shared.change(|state, _| state.broker.create_topic(name, partitions));
    }

    /// Compacts a topic from now on. Its tombstones stay for `tombstones` after what they delete is gone, as with
    /// Kafka's `delete.retention.ms`.
    pub fn compact_topic(&self, name: &str, tombstones: Duration) {
        self.shared.change(|state, _| state.broker.compact_topic(name, micros(tombstones)));
    }

    /// How large a record may be, with all that comes around it uncompressed; 1,048,588 bytes unless told.
    pub fn limit_record_bytes(&self, limit: usize) {
        self.shared.change(|state, _| state.broker.max_record_bytes = limit);
    }

    /// The same for one topic.
    pub fn limit_topic_bytes(&self, topic: &str, limit: usize) {
        self.shared.change(|state, _| state.broker.max_topic_bytes.insert(topic.into(), limit));
    }

    /// After how long a silent owner's transaction is ended; 10 s unless told.
    pub fn limit_transactions(&self, timeout: Duration) {
        self.shared.change(|state, _| state.broker.transaction_timeout_micros = micros(timeout));
    }

    /// Appends a record outside any transaction, as a foreign producer does.
    ///
    /// # Errors
    /// [`LogFault::NoSuchTopic`].
    pub fn append(&self, at: &TopicPartition, record: Plain) -> Result<i64, LogFault> {
        self.shared.change(|state, _| state.broker.append(at, record))
    }

    /// Forgets the records before `offset`, as retention does.
    ///
    /// # Errors
    /// [`LogFault::NoSuchTopic`].
    pub fn forget_before(&self, at: &TopicPartition, offset: i64) -> Result<(), LogFault> {
        self.shared.change(|state, _| {
            state.broker.partition_mut(at)?.forget_before(offset);
            Ok(())
        })
    }

    /// Makes the entries at `offsets` a batch that cannot be decompressed.
    ///
    /// # Errors
    /// [`LogFault::NoSuchTopic`].
    pub fn spoil(&self, at: &TopicPartition, offsets: std::ops::Range<i64>) -> Result<(), LogFault> {
        self.shared.change(|state, _| {
            state.broker.partition_mut(at)?.spoil(offsets.start, offsets.end);
            Ok(())
        })
    }

    /// Empties a partition, as a topic that is deleted and made anew; not while a transaction is open in
    /// it. Whether it was done.
    ///
    /// # Errors
    /// [`LogFault::NoSuchTopic`].
    pub fn empty(&self, at: &TopicPartition) -> Result<bool, LogFault> {
        self.shared.change(|state, _| Ok(state.broker.partition_mut(at)?.empty()))
    }

    /// Brings back what a partition has lost, as an operator does who has a mirror of it; after it was
    /// emptied, not while a transaction is open in it. Whether it was done.
    ///
    /// # Errors
    /// [`LogFault::NoSuchTopic`].
    pub fn bring_back(&self, at: &TopicPartition) -> Result<bool, LogFault> {
        self.shared.change(|state, _| Ok(state.broker.partition_mut(at)?.bring_back()))
    }

    /// Forgets the offsets of a group, as a broker does with one that was away for long.
    pub fn forget_offsets(&self, group: &str) {
        self.shared.change(|state, _| state.broker.forget_offsets(group));
    }

    /// All committed records of a topic, by partition and offset, those that were forgotten included: for
    /// oracles.
    #[must_use]
    pub fn committed_records(&self, topic: &str) -> Vec<Record> {
        self.shared.lock().broker.committed_records(topic)
    }

    /// The committed records of a partition from `offset` on, and the offset up to which (exclusive)
    /// all is decided; nothing where there is no such partition.
    #[must_use]
    pub fn committed_from(&self, at: &TopicPartition, offset: i64) -> (Vec<Record>, i64) {
        let state = self.shared.lock();
        state.broker.partition(at).map_or((Vec::new(), offset), |it| it.read(at, offset, usize::MAX))
    }

    /// The oldest offset that a partition still holds.
    #[must_use]
    pub fn start(&self, at: &TopicPartition) -> i64 {
        self.shared.lock().broker.partition(at).map_or(0, |it| it.start())
    }

    /// The offset up to which (exclusive) all of a partition is committed or aborted.
    #[must_use]
    pub fn committed_end(&self, at: &TopicPartition) -> i64 {
        self.shared.lock().broker.partition(at).map_or(0, |it| it.stable_end())
    }

    fn step<T>(
        &self,
        operation: &Operation<'_>,
        step: &'static str,
        act: impl FnOnce(&mut Broker, i64) -> Result<T, LogFault>,
    ) -> Result<T, LogFault> {
        self.shared.step(operation, step, act)
    }
}

/// A record as a foreign producer sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plain {
    /// Its key, if any.
    pub key: Option<bytes::Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<bytes::Bytes>,
    /// Its timestamp, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Headers in order.
    pub headers: Vec<(String, bytes::Bytes)>,
}

impl From<&Outgoing> for Plain {
    fn from(record: &Outgoing) -> Self {
        Self {
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp_ms: record.timestamp_ms,
            headers: record.headers.clone(),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits; in a simulation nobody does.
    fn tell(&self) {
        if self.waits {
            self.changed.notify_all();
        }
    }

    fn change<T>(&self, act: impl FnOnce(&mut State, i64) -> T) -> T {
        let now = self.clock.now_micros();
        let mut state = self.lock();
        let result = act(&mut state, now);
        drop(state);
        self.tell();
        result
    }

    /// One step that returns at once.
    fn step<T>(
        &self,
        operation: &Operation<'_>,
        step: &'static str,
        act: impl FnOnce(&mut Broker, i64) -> Result<T, LogFault>,
    ) -> Result<T, LogFault> {
        self.change(|state, now| {
            state.pass_time(now);
            match state.faults.before(operation) {
                Verdict::Proceed | Verdict::Later => act(&mut state.broker, now),
                Verdict::Refuse => Err(injected(step)),
                Verdict::LoseAnswer => {
                    act(&mut state.broker, now)?;
                    Err(injected(step))
                }
            }
        })
    }

    /// One step that waits up to `wait` until it has something to give; `idle` is what it gives
    /// otherwise.
    fn wait<T>(
        &self,
        operation: &Operation<'_>,
        step: &'static str,
        wait: Duration,
        idle: impl Fn() -> T,
        mut act: impl FnMut(&mut Broker, i64) -> Result<Step<T>, LogFault>,
    ) -> Result<T, LogFault> {
        let deadline = self.waits.then(|| Instant::now() + wait);
        let mut state = self.lock();
        loop {
            let now = self.clock.now_micros();
            state.pass_time(now);
            let verdict = state.faults.before(operation);
            let result = match verdict {
                Verdict::Refuse => Err(injected(step)),
                Verdict::Later => Ok(Step::NothingYet(idle())),
                Verdict::Proceed => act(&mut state.broker, now),
                Verdict::LoseAnswer => match act(&mut state.broker, now) {
                    Ok(Step::Done(_)) => Err(injected(step)),
                    other => other,
                },
            };
            self.tell();
            let nothing = match result? {
                Step::Done(found) => return Ok(found),
                Step::NothingYet(nothing) => nothing,
            };
            let Some(deadline) = deadline else { return Ok(nothing) };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(nothing);
            }
            let slept = self.changed.wait_timeout(state, left.min(LOOK_AGAIN));
            state = slept.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn pass_time(&mut self, now: i64) {
        self.broker.pass_time(now);
        let faults = &mut self.faults;
        self.broker
            .write_markers(|id, at| faults.before(&Operation::WriteMarkers { id, at }) == Verdict::Proceed);
    }
}

fn injected(step: &'static str) -> LogFault {
    LogFault::Unavailable { step, message: "injected by the test".to_owned() }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Appender for MemoryLog {
    /// A step for each record, so that some of them may be there when one is not.
    fn append(&self, records: Vec<Outgoing>) -> Result<(), LogFault> {
        records.iter().try_for_each(|record| {
            let at = TopicPartition::new(Arc::clone(&record.topic), record.partition);
            let append = Operation::Append { partition: &at };
            self.step(&append, "append records", |broker, _| broker.append(&at, record.into()).map(drop))
        })
    }
}

impl Log for MemoryLog {
    fn join(&self, spec: &GroupSpec) -> Result<Box<dyn Group>, LogFault> {
        let member =
            self.step(&Operation::Join { group: &spec.group_id }, "join the group", |broker, now| {
                broker.join(spec, now)
            })?;
        Ok(Box::new(MemoryGroup::new(self.shared.clone(), spec.clone(), member)))
    }

    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        Ok(Box::new(MemoryWriter::alone(self.shared.clone(), transactional_id)))
    }

    fn reader(&self, partitions: &[(TopicPartition, Start)]) -> Result<Box<dyn Reader>, LogFault> {
        let from = self.step(&Operation::OpenReader, "open a reader", |broker, _| {
            let resolved = partitions.iter().map(|(at, start)| {
                let partition = broker.partition(at)?;
                let offset = match start {
                    Start::Beginning => partition.start(),
                    Start::Offset(offset) => *offset,
                    Start::End => partition.end(),
                };
                Ok((at.clone(), offset))
            });
            resolved.collect::<Result<Vec<_>, LogFault>>()
        })?;
        Ok(Box::new(MemoryReader::new(self.shared.clone(), from)))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogFault> {
        Ok(Arc::new(self.clone()))
    }

    fn high_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.step(&Operation::Watermark { partition }, "read the high watermark", |broker, _| {
            let found = broker.partition(partition)?;
            Ok(if planted::is_on(Bug::StableEndAsWatermark) { found.stable_end() } else { found.end() })
        })
    }

    fn last_stable_offset(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.step(&Operation::Watermark { partition }, "read the last stable offset", |broker, _| {
            Ok(broker.partition(partition)?.stable_end())
        })
    }

    fn low_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.step(&Operation::Watermark { partition }, "read the low watermark", |broker, _| {
            Ok(broker.partition(partition)?.start())
        })
    }

    fn delete_before(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        offsets.iter().try_for_each(|(partition, &offset)| {
            self.step(&Operation::DeleteRecords { partition }, "delete old records", |broker, _| {
                let found = broker.partition_mut(partition)?;
                // as the broker: not what a transaction that is still open has written
                if !(0..=found.stable_end()).contains(&offset) {
                    return Err(LogFault::OutOfRange { partition: partition.clone(), offset });
                }
                found.forget_before(offset);
                Ok(())
            })
        })
    }

    fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<i64, LogFault> {
        self.step(&Operation::Watermark { partition }, "find an offset by time", |broker, _| {
            Ok(broker.partition(partition)?.offset_at(timestamp_ms))
        })
    }

    fn batch_end(&self, partition: &TopicPartition, offset: i64) -> Result<i64, LogFault> {
        let step = "look behind a batch";
        self.step(&Operation::Watermark { partition }, step, |broker, _| {
            match broker.partition(partition)?.spoiled_at(offset) {
                Some((_, next)) => Ok(next),
                None => Err(LogFault::Unavailable { step, message: "there is no such batch".to_owned() }),
            }
        })
    }

    fn partitions(&self, topic: &str) -> Result<i32, LogFault> {
        self.step(&Operation::Partitions { topic }, "look at a topic", |broker, _| broker.partitions(topic))
    }
}
