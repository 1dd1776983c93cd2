//! Projection `timeslots`: the slots of a calendar by their start.
//!
//! A slot's bucket is the month of UTC in which it begins, so that buckets and rows come in the same order. A month is
//! in the directory as long as a slot begins in it. A calendar that is removed takes its rows along: they are deleted in
//! pieces, since there may be any number, and so that who follows the calendar sees each of them go.

use std::sync::Arc;

use millrace_kernel::buckets::{Entered, Gone};
use millrace_kernel::day::month_of;
use millrace_kernel::{Event, FanOut, Keeps, Known, Projection, StagedProjector, Write, Writes};

use super::known::{Removal, Slot, Slots};
use crate::messages::EventData;
use crate::messages::events::TimeslotRescheduled;
use crate::messages::rows::{CalendarTimeslotsBucketsRow, CalendarTimeslotsRow};

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "timeslots",
        views: &[CalendarTimeslotsRow::TABLE, CalendarTimeslotsBucketsRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| Box::new(Timeslots)),
    }
}

/// The projector of a partition; all that it knows is by key.
struct Timeslots;

fn row(calendar_id: &str, timeslot_id: &str, slot: Slot, version: i64) -> CalendarTimeslotsRow {
    CalendarTimeslotsRow {
        calendar_id: calendar_id.into(),
        bucket: month_of(slot.start),
        start: slot.start,
        timeslot_id: timeslot_id.into(),
        end: slot.end,
        title: slot.title,
        location: slot.location,
        description: slot.description,
        version,
    }
}

fn deleted(calendar_id: &str, timeslot_id: &str, start: i64, at: i64) -> Write {
    CalendarTimeslotsRow::delete(calendar_id.into(), month_of(start), start, timeslot_id.into(), at)
}

/// What the directory is to say when a slot came into the month of `start`.
fn entered(calendar_id: &str, start: i64, is_new: bool, at: i64) -> Vec<Write> {
    let entered = Entered { bucket: month_of(start), is_new, left: None };
    CalendarTimeslotsRow::entered(calendar_id.into(), entered, at)
}

/// And when one went.
fn gone(calendar_id: &str, start: i64, is_left: bool, at: i64) -> Vec<Write> {
    CalendarTimeslotsRow::gone(calendar_id.into(), Gone { bucket: month_of(start), is_left }, at)
}

fn moved(event: &Event<EventData>, to: &TimeslotRescheduled, known: &mut dyn Known, writes: &mut Writes) {
    let (calendar_id, timeslot_id, at) =
        (to.calendar_id.as_str(), to.timeslot_id.as_str(), event.recorded_at);
    let slots = Slots::of(calendar_id);
    let Some(before) = slots.get(known, timeslot_id) else { return };
    let slot = Slot { start: to.start, end: to.end, ..before.clone() };
    if before.start == to.start {
        // the same key: it is overwritten, as a deletion would win over it
        slots.put(known, timeslot_id, &slot);
    } else {
        let is_left = slots.remove(known, timeslot_id, before.start);
        let is_new = slots.put(known, timeslot_id, &slot);
        writes.push(deleted(calendar_id, timeslot_id, before.start, at));
        if month_of(before.start) != month_of(to.start) {
            writes.extend(gone(calendar_id, before.start, is_left, at));
            writes.extend(entered(calendar_id, to.start, is_new, at));
        }
    }
    writes.push(row(calendar_id, timeslot_id, slot, event.version).put(at));
}

/// Forgets all slots of a calendar: whoever is told nothing of it has seen the rows go.
fn forget(known: &mut dyn Known, calendar_id: &str) {
    let slots = Slots::of(calendar_id);
    while let Some((start, timeslot_id)) = slots.first(known) {
        slots.remove(known, &timeslot_id, start);
    }
}

impl StagedProjector<EventData> for Timeslots {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let at = event.recorded_at;
        match &event.data {
            EventData::TimeslotScheduled(e) => {
                let slot = Slot {
                    start: e.start,
                    end: e.end,
                    title: e.title.as_str().into(),
                    location: e.location.as_ref().map(|text| text.as_str().into()),
                    description: e.description.as_ref().map(|text| text.as_str().into()),
                };
                let is_new = Slots::of(&e.calendar_id).put(known, &e.timeslot_id, &slot);
                writes.extend(entered(&e.calendar_id, e.start, is_new, at));
                writes.push(row(&e.calendar_id, &e.timeslot_id, slot, event.version).put(at));
            }
            EventData::TimeslotRescheduled(e) => moved(event, e, known, writes),
            EventData::ScheduledTimeslotRemoved(e) => {
                let slots = Slots::of(&e.calendar_id);
                let Some(slot) = slots.get(known, &e.timeslot_id) else { return };
                let is_left = slots.remove(known, &e.timeslot_id, slot.start);
                writes.push(deleted(&e.calendar_id, &e.timeslot_id, slot.start, at));
                writes.extend(gone(&e.calendar_id, slot.start, is_left, at));
            }
            EventData::CalendarRemoved(e) if writes.is_muted() => forget(known, &e.calendar_id),
            // nothing of the calendar comes after this, so the rows of no later event can be waiting for it
            EventData::CalendarRemoved(e) => {
                writes.fan_out(FanOut(Removal::begin(known, &e.calendar_id, at)));
            }
            EventData::CalendarCreated(_) | EventData::DayBooked(_) | EventData::DayFreed(_) => {}
        }
    }

    fn fan_out(
        &mut self,
        FanOut(number): FanOut,
        most: usize,
        known: &mut dyn Known,
        rows: &mut Vec<Write>,
    ) -> bool {
        let Some(mut removal) = Removal::of(known, number) else { return false };
        let calendar_id = Arc::clone(&removal.calendar_id);
        let slots = Slots::of(&calendar_id);
        let full = rows.len().saturating_add(most);
        while rows.len() < full {
            if let Some(bucket) = removal.emptied.take() {
                rows.push(CalendarTimeslotsBucketsRow::delete(calendar_id.clone(), bucket, removal.at));
                continue;
            }
            let Some((start, timeslot_id)) = slots.first(known) else {
                Removal::end(known, number);
                return false;
            };
            removal.emptied = slots.remove(known, &timeslot_id, start).then(|| month_of(start));
            rows.push(deleted(&calendar_id, &timeslot_id, start, removal.at));
        }
        removal.keep(known, number);
        true
    }
}
