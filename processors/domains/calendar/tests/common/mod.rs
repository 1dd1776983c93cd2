//! Short names for messages, so that tables of tests read well. Times are in minutes from a midnight.

use millrace_domain_calendar::messages::{CommandData, EventData, commands, events};
use millrace_kernel::day::{DAY_MICROS, date, day_of};

pub mod schedule;

pub const MINUTE: i64 = 60_000_000;
pub const HOUR: i64 = 60;
pub const DAY: i64 = 24 * HOUR;

/// The midnight from which minutes count, of 2026-11-30: a day later a month begins.
pub const MIDNIGHT: i64 = 20_787 * DAY_MICROS;

/// An instant, in minutes from that midnight.
pub fn at(minute: i64) -> i64 {
    MIDNIGHT + minute * MINUTE
}

pub fn create(calendar: &str) -> CommandData {
    commands::CreateCalendar { calendar_id: calendar.into() }.into()
}

pub fn end(calendar: &str) -> CommandData {
    commands::RemoveCalendar { calendar_id: calendar.into() }.into()
}

pub fn schedule(calendar: &str, slot: &str, from: i64, to: i64) -> CommandData {
    schedule_as(calendar, slot, "work", at(from), at(to), None, None)
}

pub fn schedule_as(
    calendar: &str,
    slot: &str,
    title: &str,
    start: i64,
    end: i64,
    location: Option<&str>,
    description: Option<&str>,
) -> CommandData {
    commands::ScheduleTimeslot {
        calendar_id: calendar.into(),
        timeslot_id: slot.into(),
        title: title.into(),
        start,
        end,
        location: location.map(Into::into),
        description: description.map(Into::into),
    }
    .into()
}

pub fn reschedule(calendar: &str, slot: &str, from: i64, to: i64) -> CommandData {
    let (calendar_id, timeslot_id) = (calendar.into(), slot.into());
    commands::RescheduleTimeslot { calendar_id, timeslot_id, start: at(from), end: at(to) }.into()
}

pub fn remove(calendar: &str, slot: &str) -> CommandData {
    commands::RemoveScheduledTimeslot { calendar_id: calendar.into(), timeslot_id: slot.into() }.into()
}

pub fn created(calendar: &str) -> EventData {
    events::CalendarCreated { calendar_id: calendar.into() }.into()
}

pub fn ended(calendar: &str) -> EventData {
    events::CalendarRemoved { calendar_id: calendar.into() }.into()
}

pub fn booked(calendar: &str, slot: &str, from: i64, to: i64) -> EventData {
    let (calendar_id, timeslot_id, day) = (calendar.into(), slot.into(), date(day_of(at(from))).into());
    events::DayBooked { calendar_id, day, timeslot_id, start: at(from), end: at(to) }.into()
}

pub fn freed(calendar: &str, slot: &str, from: i64, to: i64) -> EventData {
    let (calendar_id, timeslot_id, day) = (calendar.into(), slot.into(), date(day_of(at(from))).into());
    events::DayFreed { calendar_id, day, timeslot_id, start: at(from), end: at(to) }.into()
}

/// A slot without more than a title.
pub fn scheduled(calendar: &str, slot: &str, from: i64, to: i64) -> [EventData; 2] {
    let scheduled = events::TimeslotScheduled {
        calendar_id: calendar.into(),
        timeslot_id: slot.into(),
        title: "work".into(),
        start: at(from),
        end: at(to),
        location: None,
        description: None,
    };
    [scheduled.into(), booked(calendar, slot, from, to)]
}

pub fn rescheduled(calendar: &str, slot: &str, from: i64, to: i64) -> EventData {
    let (calendar_id, timeslot_id) = (calendar.into(), slot.into());
    events::TimeslotRescheduled { calendar_id, timeslot_id, start: at(from), end: at(to) }.into()
}

pub fn removed(calendar: &str, slot: &str) -> EventData {
    events::ScheduledTimeslotRemoved { calendar_id: calendar.into(), timeslot_id: slot.into() }.into()
}
