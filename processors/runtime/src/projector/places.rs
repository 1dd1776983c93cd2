//! How far large fan-outs are, told beside their rows: whoever takes the partition over on another machine goes on there.
//!
//! What is told stays true: rows up to a place do not leave the tables. So it does not matter who has told it, how long ago, and
//! whether it comes late or twice; what is lost, damaged or of something else costs rows that are written again. It is
//! looked up once, when a projector begins, and believed of the same event alone: the projection says by a digest whether the
//! same rows come up to there.
//!
//! The rows of the table are few and are only ever overwritten, so nobody reads past what was deleted. Two fan-outs of one
//! slot displace each other; then one of them begins again.

use std::collections::BTreeMap;

use millrace_kernel::{Domain, FanOut, Known, PageQuery, Place, Put, Stage, StagedProjector, Value, Write};
use millrace_ports::{StoreFault, TopicPartition};
use serde::{Deserialize, Serialize};

use super::fault::ProjectorFault;
use super::footing::Footing;
use super::lane::ProjectorShared;
use super::running::Running;
use super::turns::UnderWay;
use crate::progress::PLACES;

/// Rows of a partition in the table. Few authors have so many readers that their fan-outs are under way at one time.
const SLOTS: i64 = 64;

/// What is told of a fan-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// Offset of the event whose rows they are, and its `recorded_at`.
    events_offset: i64,
    recorded_at: i64,
    /// How many fan-outs of the event were not at their ends, this one included.
    left: usize,
    /// [`Place::passed`] and [`Place::order`].
    passed: u32,
    order: u64,
}

impl Told {
    fn slot(&self) -> i64 {
        self.events_offset.rem_euclid(SLOTS)
    }

    /// What says so. Its time is that of the event, and a microsecond for each reader passed: of one event the place
    /// further on stays, and of two events that are some seconds apart the later one. All of it is one text: of two rows with one time CQL takes the greater value of each column.
    fn write(&self, projection: &str, partition: i32) -> Write {
        let place = serde_json::to_string(self).expect("numbers are JSON");
        let slot = Value::Int(self.slot() as i32);
        let values = vec![Value::from(projection), Value::Int(partition), slot, Value::from(place.as_str())];
        let timestamp = self.recorded_at + i64::from(self.passed);
        Write::Put(Put { table: PLACES, values, timestamp })
    }
}

/// What was told when a projector began, and what it has told itself.
#[derive(Default)]
pub(super) struct Places {
    /// By the offsets of their events.
    found: BTreeMap<i64, Told>,
    /// By slots.
    told: BTreeMap<i64, Told>,
    told_at: i64,
}

impl Places {
    /// Looks up what was told of a partition. Of tables that `rebuild` has made and nobody has filled yet that is nothing.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub(super) fn read<D: Domain>(
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        footing: &Footing,
    ) -> Result<Self, StoreFault> {
        if shared.is_building && footing.applied() == 0 {
            return Ok(Self::default());
        }
        let (projection, partition) = (shared.projection.as_str(), at.partition);
        let key = vec![Value::from(projection), Value::Int(partition)];
        let limit = SLOTS as usize;
        let query = PageQuery { table: PLACES.to_owned(), key, after: Vec::new(), limit, in_turn: false };
        let pages = shared.store.read(&[query])?;
        let mut places = Self::default();
        for row in pages.iter().flat_map(|page| &page.rows) {
            let Some(Value::Text(text)) = row.last() else { continue };
            match serde_json::from_str::<Told>(text) {
                Ok(told) => drop(places.found.insert(told.events_offset, told)),
                Err(error) => tracing::warn!(
                    projection,
                    partition,
                    %error,
                    "a place in {PLACES} cannot be read; if its fan-out is still under way, it begins at its first row"
                ),
            }
        }
        Ok(places)
    }

    /// Lets the fan-outs of an event go on where they were, if that was told.
    pub(super) fn go_on<'s, E>(
        &self,
        (offset, recorded_at): (i64, i64),
        stages: impl IntoIterator<Item = &'s Stage>,
        projector: &mut dyn StagedProjector<E>,
        known: &mut dyn Known,
    ) {
        let Some(told) = self.found.get(&offset).filter(|told| told.recorded_at == recorded_at) else {
            return;
        };
        let fan_outs: Vec<FanOut> = stages.into_iter().flat_map(|stage| stage.fan_outs.clone()).collect();
        let at = fan_outs.len().checked_sub(told.left).and_then(|at| fan_outs.get(at));
        let place = Place { passed: told.passed, order: told.order };
        if let Some(fan_out) = at {
            let is_same = projector.go_on_at(*fan_out, place, known);
            tracing::debug!(offset, told.passed, is_same, "a fan-out was under way elsewhere");
        }
    }
}

impl<D: Domain> Running<D> {
    /// Tells how far fan-outs are, when that is due: all rows that were made are then acknowledged.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn tell_places(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        now: bool,
    ) -> Result<(), ProjectorFault> {
        if !self.background.is_settled() || self.background.turns.is_empty() {
            return Ok(());
        }
        let (time, every) = (shared.clock.now_micros(), shared.settings.commit_interval_ms as i64 * 1_000);
        // a clock that was set back must not keep it from being told
        if !now && (0..every).contains(&(time - self.places.told_at)) {
            return Ok(());
        }
        self.places.told_at = time;
        let mut news = BTreeMap::new();
        for UnderWay { offset, recorded_at, fan_out, left } in self.background.turns.under_way() {
            if news.len() == SLOTS as usize {
                break;
            }
            let Some(Place { passed, order }) = self.projector.place(fan_out, &mut self.kept) else {
                continue;
            };
            let told = Told { events_offset: offset, recorded_at, left, passed, order };
            news.insert(told.slot(), told);
        }
        self.kept.take_fault().map_or(Ok(()), Err)?;
        news.retain(|slot, told| self.places.told.get(slot) != Some(told));
        let rows: Vec<Write> =
            news.values().map(|told| told.write(&shared.projection, at.partition)).collect();
        if !rows.is_empty() {
            shared.store.apply(&rows)?;
            self.places.told.append(&mut news);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events_offset: i64, recorded_at: i64, passed: u32) -> Told {
        Told { events_offset, recorded_at, left: 1, passed, order: u64::MAX }
    }

    #[test]
    fn of_one_slot_the_later_event_stays_and_of_one_event_the_place_further_on() {
        let time = |told: Told| match told.write("p", 0) {
            Write::Put(put) => put.timestamp,
            Write::Delete(delete) => panic!("{delete:?}"),
        };
        assert!(time(told(3, 1_000_000, 8)) < time(told(3, 1_000_000, 12)));
        assert!(time(told(3, 1_000_000, 1_000_000)) < time(told(3 + SLOTS, 3_000_000, 0)));
        assert!(time(told(3, 0, u32::MAX)) < 7_200_000_000, "servers refuse what is days ahead");
        assert_eq!(told(3, 0, 0).slot(), told(3 + SLOTS, 0, 0).slot());
    }

    #[test]
    fn what_is_told_is_read_back() {
        let before = told(7, 5, 9);
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Told>(&text).unwrap(), before);
    }
}
