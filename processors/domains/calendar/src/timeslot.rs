//! Timeslot: what a slot of a calendar is, and when.

use std::sync::Arc;

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, StateReader, Text, Violation};

use crate::calendar_day::{book, free, has_room};
use crate::messages::EventData;
use crate::messages::commands::{RemoveScheduledTimeslot, RescheduleTimeslot, ScheduleTimeslot};
use crate::messages::events::{ScheduledTimeslotRemoved, TimeslotRescheduled, TimeslotScheduled};
use crate::messages::state::{State, Timeslot};
use crate::rules::Range;
use crate::{calendar, rules};

/// The kind of aggregate.
pub const KIND: &str = "Timeslot";

/// `Timeslot/<calendar_id>/<timeslot_id>`
#[must_use]
pub fn id(calendar_id: &str, timeslot_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[calendar_id, timeslot_id])
}

/// Puts a slot where nothing else is.
pub(crate) fn schedule(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &ScheduleTimeslot,
) -> Result<Vec<EventData>, Rejections> {
    let (calendar_id, timeslot_id) = (&command.calendar_id, &command.timeslot_id);
    let mut rejections = Rejections::none();
    let slots = calendar::slots_of(&mut rejections, states, actor, calendar_id);
    if rejections.well_formed("timeslot_id", timeslot_id) {
        rejections.require(slots.is_none_or(|it| it.get(&id(calendar_id, timeslot_id)).is_none()), || {
            let message = format!(
                "slot id {timeslot_id} of calendar {calendar_id} is taken, or was once; choose another"
            );
            Violation::on(ALREADY_EXISTS, "timeslot_id", message)
        });
    }
    rejections.words("title", &command.title);
    let range = rules::range(&mut rejections, command.start, command.end);
    if let (Some(range), Some(slots)) = (range, slots) {
        has_room(&mut rejections, slots, calendar_id, range, None);
    }
    if let Some(location) = &command.location {
        rejections.words("location", location);
    }
    if let Some(description) = &command.description {
        rejections.prose("description", description);
    }
    rejections.or(|| {
        let scheduled = TimeslotScheduled {
            calendar_id: calendar_id.clone(),
            timeslot_id: timeslot_id.clone(),
            title: command.title.clone(),
            start: command.start,
            end: command.end,
            location: command.location.clone(),
            description: command.description.clone(),
        };
        let range = Range { start: command.start, end: command.end };
        vec![scheduled.into(), book(calendar_id, timeslot_id, range)]
    })
}

/// Moves a slot to where nothing else is; where it is itself is free for it.
pub(crate) fn reschedule(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &RescheduleTimeslot,
) -> Result<Vec<EventData>, Rejections> {
    let (calendar_id, timeslot_id) = (&command.calendar_id, &command.timeslot_id);
    let mut rejections = Rejections::none();
    let slots = calendar::slots_of(&mut rejections, states, actor, calendar_id);
    let own = existing(&mut rejections, slots, calendar_id, timeslot_id);
    let range = rules::range(&mut rejections, command.start, command.end);
    if let (Some(range), Some(own), Some(slots)) = (range, own, slots) {
        has_room(&mut rejections, slots, calendar_id, range, Some(own));
    }
    rejections.or(|| {
        let rescheduled = TimeslotRescheduled {
            calendar_id: calendar_id.clone(),
            timeslot_id: timeslot_id.clone(),
            start: command.start,
            end: command.end,
        };
        let mut events = vec![rescheduled.into()];
        let range = Range { start: command.start, end: command.end };
        if let Some(own) = own.filter(|own| *own != range) {
            events.push(free(calendar_id, timeslot_id, own));
            events.push(book(calendar_id, timeslot_id, range));
        }
        events
    })
}

/// Takes a slot out of its calendar.
pub(crate) fn remove(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &RemoveScheduledTimeslot,
) -> Result<Vec<EventData>, Rejections> {
    let (calendar_id, timeslot_id) = (&command.calendar_id, &command.timeslot_id);
    let mut rejections = Rejections::none();
    let slots = calendar::slots_of(&mut rejections, states, actor, calendar_id);
    let own = existing(&mut rejections, slots, calendar_id, timeslot_id);
    rejections.or(|| {
        let removed =
            ScheduledTimeslotRemoved { calendar_id: calendar_id.clone(), timeslot_id: timeslot_id.clone() };
        let freed = own.map(|own| free(calendar_id, timeslot_id, own));
        [Some(removed.into()), freed].into_iter().flatten().collect()
    })
}

/// The range of the slot of a command, which must be in its calendar. Of a calendar that is not there, or not the acting user's,
/// nothing is asked.
fn existing(
    rejections: &mut Rejections,
    slots: Option<&impl StateReader<State = State>>,
    calendar_id: &Text,
    timeslot_id: &Text,
) -> Option<Range> {
    if !rejections.well_formed("timeslot_id", timeslot_id) {
        return None;
    }
    let kept: Option<Arc<State>> = slots?.get(&id(calendar_id, timeslot_id));
    let slot = kept.as_deref().and_then(State::timeslot);
    let exists = rejections.require(slot.is_some(), || {
        let message = format!("calendar {calendar_id} has no slot {timeslot_id}; schedule it first");
        Violation::on(NOT_FOUND, "timeslot_id", message)
    });
    let is_in = exists
        && rejections.require(slot.is_some_and(|slot| !slot.removed), || {
            let message = format!(
                "slot {timeslot_id} of calendar {calendar_id} was removed, for good; schedule another"
            );
            Violation::on(INVALID_STATE, "timeslot_id", message)
        });
    slot.filter(|_| is_in).map(|slot| Range { start: slot.start, end: slot.end })
}

/// The state after an event of Timeslot.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    match (event, state) {
        (EventData::TimeslotScheduled(e), _) => Some(State::Timeslot(Timeslot {
            title: e.title.clone(),
            start: e.start,
            end: e.end,
            location: e.location.clone(),
            description: e.description.clone(),
            removed: false,
        })),
        (EventData::TimeslotRescheduled(e), Some(State::Timeslot(slot))) => {
            Some(State::Timeslot(Timeslot { start: e.start, end: e.end, ..slot }))
        }
        // the texts go: what is taken back must not linger in the state topic
        (EventData::ScheduledTimeslotRemoved(_), Some(State::Timeslot(slot))) => {
            Some(State::Timeslot(Timeslot {
                title: Text::default(),
                location: None,
                description: None,
                removed: true,
                ..slot
            }))
        }
        (_, state) => state,
    }
}
