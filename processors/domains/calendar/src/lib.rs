//! Calendars and their slots: the bounded context, pure.
//!
//! One file for each aggregate (`calendar`, `timeslot`, `calendar_day`) with what it decides and how its state evolves;
//! `rules` holds what several commands share, `projections` turns events into rows. The messages, states and rows in
//! `messages` are generated from `schemas/calendar`. There is no broker, database, clock or async in here; the README
//! beside says what the rules are where `domains.md` is silent.

pub mod calendar;
pub mod calendar_day;
pub mod messages;
pub mod projections;
mod rules;
pub mod timeslot;

use millrace_kernel::{
    Command, Domain, NoSettings, NoStep, Projection, Rejections, Schemas, Stamp, StateReader,
};

pub use messages::{CommandData, EventData, State};
pub use rules::{MAX_DAYS, codes};

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar;

impl Domain for Calendar {
    type Command = CommandData;
    type Step = NoStep;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;

    const NAME: &'static str = "calendar";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    /// One slot hardly ever depends on the one before: better that a later one comes first than that somebody cannot
    /// use their calendar at all.
    const KEEPS_ORDER_BEHIND_DEAD: bool = false;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let actor = command.metadata.user_id.as_deref();
        match &command.data {
            CommandData::CreateCalendar(c) => calendar::create(states, actor, c),
            CommandData::ScheduleTimeslot(c) => timeslot::schedule(states, actor, c),
            CommandData::RescheduleTimeslot(c) => timeslot::reschedule(states, actor, c),
            CommandData::RemoveScheduledTimeslot(c) => timeslot::remove(states, actor, c),
            CommandData::RemoveCalendar(c) => calendar::remove(states, actor, c),
        }
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        match event {
            EventData::CalendarCreated(_) => Some(calendar::state(false)),
            EventData::CalendarRemoved(_) => Some(calendar::state(true)),
            EventData::TimeslotScheduled(_)
            | EventData::TimeslotRescheduled(_)
            | EventData::ScheduledTimeslotRemoved(_) => timeslot::evolve(state, event),
            EventData::DayBooked(_) | EventData::DayFreed(_) => calendar_day::evolve(state, event),
        }
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        projections::all()
    }
}
