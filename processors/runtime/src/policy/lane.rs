//! One partition of another domain's events, reacted to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Domain;
use millrace_ports::{
    Group, LogFault, Outgoing, Reader, Start, TopicPartition, Transaction, TransactionalWriter,
};

use super::{PolicyFault, PolicyShared};
use crate::metrics::Meter;
use crate::planted::{self, Bug};
use crate::processor::lane::Turn;

/// Most events that are read at once.
const EVENTS_AT_ONCE: usize = 500;
/// From so many steps on, or so many bytes of them, no more events join a batch.
const STEPS_AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 4 << 20;
/// Longest wait for a commit before it is looked at again.
const COMMIT_LOOK: Duration = Duration::from_millis(2);
/// How long it is not said how far was read while nothing follows from it: whoever begins again reads that once more.
const UNSAID_MICROS: i64 = 1_000_000;

/// A partition's policy.
pub struct PolicyLane<D: Domain> {
    shared: Arc<PolicyShared<D>>,
    group: Arc<dyn Group>,
    at: TopicPartition,
    running: Option<Running>,
    /// How many events were reacted to for good, all resets before included.
    done: u64,
    meter: Meter,
}

struct Running {
    writer: Box<dyn TransactionalWriter>,
    reader: Box<dyn Reader>,
    /// Where the events go on, as committed.
    next: i64,
    /// Whether the group knows that.
    is_said: bool,
    /// Up to where they were read, with nothing following from those behind `next`.
    read_upto: i64,
    /// What the commit under way says of both, and how many events it has.
    under_way: Option<(i64, u64)>,
    /// How many events were read since the last commit.
    unsaid: u64,
    /// When something was committed last, by the clock that is never set.
    said_at: i64,
    #[cfg(debug_assertions)]
    bugs: Bugs,
}

/// What bugs that are turned on remember.
#[cfg(debug_assertions)]
#[derive(Default)]
struct Bugs {
    written: i64,
    after_offsets: Vec<Outgoing>,
}

impl<D: Domain> PolicyLane<D> {
    /// A lane that has not begun yet.
    #[must_use]
    pub fn new(shared: Arc<PolicyShared<D>>, group: Arc<dyn Group>, partition: i32) -> Self {
        let at = TopicPartition::new(Arc::clone(&shared.events), partition);
        Self { shared, group, at, running: None, done: 0, meter: Meter::default() }
    }

    /// The same, reporting to `meter`.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// Up to which offset events were reacted to and that was committed; `None` before it has begun.
    #[must_use]
    pub fn reacted_upto(&self) -> Option<i64> {
        self.running.as_ref().map(|running| running.next)
    }

    /// How far it has come.
    #[must_use]
    pub fn position(&self) -> String {
        match self.reacted_upto() {
            None => format!("{}, before its first event", self.at),
            Some(next) => format!("{} offset {next}", self.at),
        }
    }

    /// How many events were reacted to for good.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Whether it has reacted to all there is. Asks the log.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        let Some(running) = &self.running else { return false };
        let ends_here = |end| running.reader.position(&self.at) >= end;
        running.under_way.is_none() && self.shared.log.last_stable_offset(&self.at).is_ok_and(ends_here)
    }

    /// Reports how it is in numbers.
    pub fn measure(&self) {
        self.meter.update(|numbers| {
            numbers.is_held = true;
            if let Some(running) = &self.running {
                numbers.read_up_to(&self.at.topic, running.reader.position(&self.at));
            }
        });
    }

    /// Drops everything that is not committed; the next step begins again.
    pub fn reset(&mut self) {
        self.running = None;
    }

    /// Waits for the commit under way.
    ///
    /// # Errors
    /// What is in the way; then the next owner reacts to the same events again.
    pub fn finish(&mut self, wait: Duration) -> Result<(), PolicyFault> {
        if let Some(mut running) = self.running.take() {
            running.settle(wait, &mut self.done)?;
        }
        Ok(())
    }

    /// One step, which waits for events up to `wait`.
    ///
    /// # Errors
    /// [`PolicyFault`]; call [`PolicyLane::reset`] before the next step.
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, PolicyFault> {
        let Some(running) = &mut self.running else {
            self.running = Some(Running::begin(&self.shared, &*self.group, &self.at)?);
            return Ok(Turn::Progress);
        };
        if running.under_way.is_some() {
            let is_settled = running.settle(COMMIT_LOOK.min(wait), &mut self.done)?;
            return Ok(if is_settled { Turn::Progress } else { Turn::Idle });
        }
        running.react(&self.shared, &self.at, wait)
    }
}

impl Running {
    /// Fences off whoever reacted here before, and only then asks where to go on.
    fn begin<D: Domain>(
        shared: &PolicyShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
    ) -> Result<Self, PolicyFault> {
        let mut writer =
            group.writer(&shared.names.policy_transactional_id(shared.policy.domain, at.partition))?;
        writer.fence()?;
        let committed = group.committed(std::slice::from_ref(at))?.get(at).copied();
        let next = match (committed, shared.policy.since) {
            (Some(next), _) => next,
            (None, Some(since)) => shared.log.offset_at(at, since / 1_000)?,
            (None, None) => shared.log.low_watermark(at)?,
        };
        let reader = shared.log.reader(&[(at.clone(), Start::Offset(next))])?;
        tracing::info!(partition = %at, from = next, "reacting");
        Ok(Self {
            writer,
            reader,
            next,
            is_said: committed.is_some(),
            read_upto: next,
            under_way: None,
            unsaid: 0,
            said_at: shared.clock.monotonic_micros(),
            #[cfg(debug_assertions)]
            bugs: Bugs::default(),
        })
    }

    /// Reads on and submits what follows, with how far was read.
    fn react<D: Domain>(
        &mut self,
        shared: &PolicyShared<D>,
        at: &TopicPartition,
        wait: Duration,
    ) -> Result<Turn, PolicyFault> {
        let events = self.reader.poll(EVENTS_AT_ONCE, wait)?;
        let mut records = Vec::new();
        let (mut bytes, mut cut_at) = (0, None);
        for event in &events {
            if records.len() >= STEPS_AT_ONCE || bytes >= BYTES_AT_ONCE {
                cut_at = Some(event.offset);
                break;
            }
            match shared.react(event) {
                Ok(steps) => {
                    bytes += steps.iter().map(Outgoing::size_bytes).sum::<usize>();
                    records.extend(steps);
                }
                // what stands before it is reacted to first
                Err(_) if !records.is_empty() => {
                    cut_at = Some(event.offset);
                    break;
                }
                Err(fault) => return Err(fault),
            }
            self.unsaid += 1;
        }
        if let Some(offset) = cut_at {
            self.reader.seek(at, offset)?;
        }
        self.read_upto = cut_at.unwrap_or_else(|| self.reader.position(at));
        let is_due = shared.clock.monotonic_micros() - self.said_at >= UNSAID_MICROS;
        let is_news = self.read_upto > self.next || !self.is_said;
        if is_news && (is_due || !records.is_empty()) {
            #[cfg(debug_assertions)]
            let records = self.misnumbered(shared, records);
            self.submit(shared, at, records)?;
            return Ok(Turn::Progress);
        }
        Ok(if events.is_empty() { Turn::Idle } else { Turn::Progress })
    }

    /// Puts steps and offset under way, in one transaction.
    fn submit<D: Domain>(
        &mut self,
        shared: &PolicyShared<D>,
        at: &TopicPartition,
        records: Vec<Outgoing>,
    ) -> Result<(), LogFault> {
        #[cfg(debug_assertions)]
        let records = self.without_steps(records);
        let offsets = BTreeMap::from([(at.clone(), self.read_upto)]);
        self.writer.submit(Transaction { records, offsets })?;
        self.under_way = Some((self.read_upto, std::mem::take(&mut self.unsaid)));
        self.said_at = shared.clock.monotonic_micros();
        Ok(())
    }

    /// Waits for the commit under way; whether it has ended.
    fn settle(&mut self, wait: Duration, done: &mut u64) -> Result<bool, LogFault> {
        if !self.writer.settle(wait)? {
            return Ok(false);
        }
        #[cfg(debug_assertions)]
        if !self.bugs.after_offsets.is_empty() {
            let records = std::mem::take(&mut self.bugs.after_offsets);
            self.writer.submit(Transaction { records, offsets: BTreeMap::new() })?;
            return Ok(false);
        }
        if let Some((upto, events)) = self.under_way.take() {
            (self.next, self.is_said) = (upto, true);
            *done += events;
        }
        Ok(true)
    }
}

#[cfg(debug_assertions)]
impl Running {
    /// Keeps the steps for a transaction of their own, behind that of the offset.
    fn without_steps(&mut self, records: Vec<Outgoing>) -> Vec<Outgoing> {
        if !planted::is_on(Bug::PolicyOffsetsBeforeSteps) {
            return records;
        }
        self.bugs.after_offsets = records;
        Vec::new()
    }

    /// Numbers steps by how many this lane has written since it began.
    fn misnumbered<D: Domain>(
        &mut self,
        shared: &PolicyShared<D>,
        mut records: Vec<Outgoing>,
    ) -> Vec<Outgoing> {
        if !planted::is_on(Bug::PolicyNumbersAnew) {
            return records;
        }
        for record in &mut records {
            let value = record.value.as_deref().unwrap_or_default();
            let mut step = shared.steps.decode(value).expect("it was just written");
            self.bugs.written += 1;
            step.source.sequence = self.bugs.written;
            record.value = Some(shared.steps.encode(&step));
        }
        records
    }
}
