//! Calendar: that it is there, or that it has been. Of its slots it knows nothing, so none of them makes it larger.

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::codes::REMOVED;
use crate::messages::EventData;
use crate::messages::commands::{CreateCalendar, RemoveCalendar};
use crate::messages::events::{CalendarCreated, CalendarRemoved};
use crate::messages::state::{Calendar, State};

/// The kind of aggregate.
pub const KIND: &str = "Calendar";

/// `Calendar/<calendar_id>`
#[must_use]
pub fn id(calendar_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[calendar_id])
}

/// Whether a calendar of this id was removed; nothing where there never was one.
fn is_removed(states: &impl StateReader<State = State>, calendar_id: &str) -> Option<bool> {
    states.get(&id(calendar_id)).as_deref().and_then(State::calendar).map(|calendar| calendar.removed)
}

/// The acting user must be the calendar's owner, whose user id is its own. Nobody else is told what the `states` say.
fn permitted<'s, S>(
    rejections: &mut Rejections,
    states: &'s S,
    actor: Option<&str>,
    calendar_id: &str,
) -> Option<&'s S> {
    rejections.permitted(actor, calendar_id, "the user whose id is the calendar's", states)
}

/// Begins a calendar.
pub(crate) fn create(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CreateCalendar,
) -> Result<Vec<EventData>, Rejections> {
    let calendar_id = &command.calendar_id;
    let mut rejections = Rejections::none();
    let states = permitted(&mut rejections, states, actor, calendar_id);
    if rejections.well_formed("calendar_id", calendar_id) {
        match states.and_then(|states| is_removed(states, calendar_id)) {
            None => {}
            Some(false) => rejections.push(Violation::on(
                ALREADY_EXISTS,
                "calendar_id",
                format!("there is a calendar {calendar_id} already; schedule slots in it"),
            )),
            Some(true) => rejections.push(Violation::on(
                REMOVED,
                "calendar_id",
                format!("calendar {calendar_id} was removed, which is for good; there will be none of that id again"),
            )),
        }
    }
    rejections.or(|| vec![CalendarCreated { calendar_id: calendar_id.clone() }.into()])
}

/// Ends a calendar. Its slots go with it without an event of their own, however many they are: what anybody may do with one
/// is asked of the calendar first, and that is for good.
pub(crate) fn remove(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &RemoveCalendar,
) -> Result<Vec<EventData>, Rejections> {
    let mut rejections = Rejections::none();
    slots_of(&mut rejections, states, actor, &command.calendar_id);
    rejections.or(|| vec![CalendarRemoved { calendar_id: command.calendar_id.clone() }.into()])
}

/// The calendar of a command must be the acting user's, and there. Only then there is anything to ask of its slots: gives
/// back the states where they are.
pub(crate) fn slots_of<'s, S: StateReader<State = State>>(
    rejections: &mut Rejections,
    states: &'s S,
    actor: Option<&str>,
    calendar_id: &str,
) -> Option<&'s S> {
    let states = permitted(rejections, states, actor, calendar_id);
    if !rejections.well_formed("calendar_id", calendar_id) {
        return None;
    }
    let states = states?;
    let removed = is_removed(states, calendar_id);
    let is_there = rejections.require(removed.is_some(), || {
        let message = format!("there is no calendar {calendar_id}; create it first");
        Violation::on(NOT_FOUND, "calendar_id", message)
    }) && rejections.require(removed == Some(false), || {
        let message = format!("calendar {calendar_id} was removed, and its slots with it, which is for good");
        Violation::on(INVALID_STATE, "calendar_id", message)
    });
    is_there.then_some(states)
}

/// The state of a calendar.
pub(crate) fn state(removed: bool) -> State {
    State::Calendar(Calendar { removed })
}
