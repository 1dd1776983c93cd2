//! Whether the topics that a partition's decisions stand on are still the ones they were decided on.
//!
//! State, events and look-ups only grow: compaction removes records from their middle and never moves
//! their beginning, and nobody may delete there. Where one of them begins later than at 0, ends before
//! where it ended, or does not know what its events say, somebody has emptied it or made it anew.
//! Deciding on would begin versions at 1 again, give names away twice and forget money. What is on a disk
//! or in memory does not count: it may know more than what the next owner will find.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{AggregateId, Domain};
use millrace_ports::{LogFault, Outgoing, Reader, Start, TopicPartition};
use millrace_wire::DecodeFailure;

use super::lane::{LaneFault, Shared};
use super::state::PartitionState;
use crate::planted::{self, Bug};
use crate::topology::Topology;

/// How many of the oldest events are compared with the state.
const SAMPLE: usize = 32;
/// How often a lane at work looks at its topics, by the clock that is never set.
const LOOK_MICROS: i64 = 30_000_000;

/// Aggregates of a partition's oldest events, with the versions that its state must have reached.
pub(super) type Sample = Vec<(AggregateId, i64)>;

/// Reads the oldest events of a partition. They never change, so they are read before the pause in which
/// nobody decides.
pub(super) struct Sampler {
    at: TopicPartition,
    reader: Box<dyn Reader>,
    end: i64,
    found: Sample,
}

impl Sampler {
    /// Begins; reads nothing yet. `None` where there is no event.
    pub(super) fn open<D: Domain>(shared: &Shared<D>, partition: i32) -> Result<Option<Self>, LogFault> {
        let at = TopicPartition::new(Arc::clone(&shared.names.events), partition);
        let end = shared.log.last_stable_offset(&at)?;
        if end == 0 {
            return Ok(None);
        }
        let reader = shared.log.reader(&[(at.clone(), Start::Beginning)])?;
        Ok(Some(Self { at, reader, end, found: Sample::new() }))
    }

    /// Reads on, waiting up to `wait`; whether it has all that it wants.
    pub(super) fn step<D: Domain>(&mut self, shared: &Shared<D>, wait: Duration) -> Result<bool, LaneFault> {
        let records = self.reader.poll(SAMPLE - self.found.len(), wait)?;
        for value in records.iter().filter_map(|record| record.value.as_deref()) {
            match shared.codecs.events.decode(value) {
                Ok(event) => {
                    let id = AggregateId::parse(&event.aggregate_id);
                    self.found.extend(id.map(|id| (id, event.version)));
                }
                Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
                // an event that cannot be read is the projectors' to tell
                Err(_) => {}
            }
        }
        Ok(self.found.len() >= SAMPLE || self.reader.position(&self.at) >= self.end)
    }

    /// What it has read.
    pub(super) fn take(&mut self) -> Sample {
        std::mem::take(&mut self.found)
    }
}

/// The topics in which nothing but compaction may delete, and where each must end at least.
pub(super) struct Footing {
    /// State, events, and the look-up topics in the domain's order.
    ends: Vec<(TopicPartition, i64)>,
    /// How many records of states and events the transaction under way has.
    under_way: [i64; 2],
    looked_at: i64,
}

impl Footing {
    /// Looks at the topics of a partition whose state is about to be decided on.
    ///
    /// # Errors
    /// [`LaneFault::Gone`], and what is in the way of looking.
    pub(super) fn find<D: Domain>(
        shared: &Shared<D>,
        (names, partition): (&Topology, i32),
        state: &PartitionState<D::State>,
        sample: &Sample,
    ) -> Result<Self, LaneFault> {
        let lookups = D::LOOKUPS.iter().map(|kind| names.lookup(kind));
        let topics = [Arc::clone(&names.state), Arc::clone(&names.events)];
        let places = topics.into_iter().chain(lookups);
        let ends = places.map(|topic| (TopicPartition::new(topic, partition), 0)).collect();
        let mut footing = Self { ends, under_way: [0; 2], looked_at: 0 };
        if planted::is_on(Bug::EmptiedStateBelieved) {
            return Ok(footing);
        }
        footing.look(shared)?;
        footing.compare::<D>(state, sample)?;
        Ok(footing)
    }

    /// Notes what a transaction writes that is submitted now.
    pub(super) fn submitted(&mut self, records: &[Outgoing]) {
        for (count, (at, _)) in self.under_way.iter_mut().zip(&self.ends) {
            // the names are the lane's own, so all of them lie at one place in memory
            *count = records.iter().filter(|record| Arc::ptr_eq(&record.topic, &at.topic)).count() as i64;
        }
    }

    /// It is committed: nobody else writes there, so both topics have as many records more, at least.
    pub(super) fn committed(&mut self) {
        for ((_, end), count) in self.ends.iter_mut().zip(std::mem::take(&mut self.under_way)) {
            *end += count;
        }
    }

    /// Looks again when it is time: a lane at work has all its state in memory and would not notice.
    ///
    /// # Errors
    /// [`LaneFault::Gone`].
    pub(super) fn tend<D: Domain>(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
        let now = shared.clock.monotonic_micros();
        if now - self.looked_at < LOOK_MICROS || planted::is_on(Bug::EmptiedStateBelieved) {
            return Ok(());
        }
        match self.look(shared) {
            // a log that is away shows where work waits for it
            Err(LaneFault::Log(LogFault::Unavailable { .. })) => {
                self.looked_at = now;
                Ok(())
            }
            looked => looked,
        }
    }

    fn look<D: Domain>(&mut self, shared: &Shared<D>) -> Result<(), LaneFault> {
        for (at, last) in &mut self.ends {
            let (begin, end) = (shared.log.low_watermark(at)?, shared.log.high_watermark(at)?);
            if begin > 0 {
                return Err(gone(
                    at,
                    format!("begins at offset {begin}, though nothing may be deleted before it"),
                ));
            }
            if end < *last {
                return Err(gone(at, format!("ends at offset {end}, and must have come to {last} before")));
            }
            *last = end;
        }
        self.looked_at = shared.clock.monotonic_micros();
        Ok(())
    }

    /// What the oldest events say must be in the state, and where others look it up.
    fn compare<D: Domain>(&self, state: &PartitionState<D::State>, sample: &Sample) -> Result<(), LaneFault> {
        let [(states, state_end), (events, event_end), lookups @ ..] = &self.ends[..] else { return Ok(()) };
        for (id, version) in sample {
            let known = state.get(id);
            state.check()?;
            // what is known without the topic does not count
            let reached = known.as_ref().filter(|_| *state_end > 0).map_or(0, |known| known.version);
            if reached < *version {
                return Err(gone(
                    states,
                    format!("knows version {reached} of {id}, of which there is event {version}"),
                ));
            }
            let kind = D::LOOKUPS.iter().position(|kind| *kind == id.kind());
            let Some((lookup, 0)) = kind.and_then(|kind| lookups.get(kind)) else { continue };
            if D::is_visible(known.and_then(|known| known.state).as_deref()) {
                return Err(gone(lookup, format!("is empty, and {id} should stand in it")));
            }
        }
        if *event_end == 0 && state.aggregate_count() > 0 {
            return Err(gone(events, format!("is empty, though {states} has aggregates")));
        }
        Ok(())
    }
}

fn gone(at: &TopicPartition, what: String) -> LaneFault {
    LaneFault::Gone { at: at.clone(), what }
}
