//! CalendarDay: when slots begin on a day of UTC, and when each of them ends.
//!
//! A slot is known of on the day on which it begins and on no other, so scheduling one writes one day, whether it lasts
//! a minute or a month. What reaches into a day from before is found by looking back, at most as far as a slot can
//! last; slots do not overlap, so nothing further back than the last one before a day can reach into it. Ids are not
//! kept here, since no two slots take the same time: 500 ranges are 8 KB, with ids of 64 characters they would
//! be 40 KB, twice in a command that moves a slot to another day.

use millrace_kernel::codes::LIMIT_REACHED;
use millrace_kernel::day::{DAY_MICROS, date, rfc3339};
use millrace_kernel::{AggregateId, Rejections, StateReader, Text, Violation};

use crate::codes::OVERLAP_CALENDAR;
use crate::messages::EventData;
use crate::messages::events::{DayBooked, DayFreed};
use crate::messages::state::{Booked, CalendarDay, State};
use crate::rules::{MAX_DAYS, Range};

/// The kind of aggregate.
pub const KIND: &str = "CalendarDay";

/// Most slots that touch a day. What begins on it is in its state, which is written with every slot that does.
pub const MAX_SLOTS: usize = 500;

/// `CalendarDay/<calendar_id>/<day>`, the day as YYYY-MM-DD.
#[must_use]
pub fn id(calendar_id: &str, day: &str) -> AggregateId {
    AggregateId::new(KIND, &[calendar_id, day])
}

/// There must be room for a slot of this range in a calendar that is there: nothing else at that time, and not too
/// much on any of its days. The slot's `own` range, where it has one, is passed over.
pub(crate) fn has_room(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    calendar_id: &str,
    range: Range,
    own: Option<Range>,
) {
    let Found { overlapped, full_day } = look(states, calendar_id, range, own);
    let limit = |field: &str| {
        let day = full_day.map(date).unwrap_or_default();
        let message = format!("{day} has {MAX_SLOTS} slots, the most a day may have; choose another day");
        Violation::on(LIMIT_REACHED, field, message)
    };
    let is_first_full = full_day == Some(range.first_day());
    rejections.require(!is_first_full, || limit("start"));
    if let Some(other) = overlapped {
        let (from, to) = (rfc3339(other.start), rfc3339(other.end));
        let message = format!(
            "another slot of the calendar takes the time from {from} to {to}; choose a time that is free"
        );
        rejections.push(Violation::on(OVERLAP_CALENDAR, "start", message));
    }
    rejections.require(full_day.is_none() || is_first_full, || limit("end"));
}

/// What is in the way of a range.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// The first other slot that takes some of that time.
    overlapped: Option<Range>,
    /// The first of its days that has no room for one more slot, in days since the epoch.
    full_day: Option<i64>,
}

fn look(
    states: &impl StateReader<State = State>,
    calendar_id: &str,
    range: Range,
    own: Option<Range>,
) -> Found {
    let mut found = Found::default();
    // the newest slot that begins before the day that is looked at, if it is not the own one
    let mut before = reaching(states, calendar_id, range.first_day()).filter(|other| Some(*other) != own);
    for day in range.first_day()..=range.last_day() {
        let state = states.get(&id(calendar_id, &date(day)));
        let booked = state.as_deref().and_then(State::calendar_day).map_or(&[][..], |day| &day.booked);
        let is_reached = before.is_some_and(|other| other.end > day * DAY_MICROS);
        let others = booked.iter().map(range_of).filter(|other| Some(*other) != own);
        let mut count = usize::from(is_reached);
        for other in before.into_iter().filter(|_| day == range.first_day()).chain(others) {
            if found.overlapped.is_none() && other.start < range.end && range.start < other.end {
                found.overlapped = Some(other);
            }
            count += usize::from(other.start >= day * DAY_MICROS);
            before = Some(other);
        }
        if count >= MAX_SLOTS && found.full_day.is_none() {
            found.full_day = Some(day);
        }
    }
    found
}

/// The newest slot that begins before a day and not longer ago than a slot can last.
fn reaching(states: &impl StateReader<State = State>, calendar_id: &str, first_day: i64) -> Option<Range> {
    (first_day - MAX_DAYS..first_day).rev().find_map(|day| {
        let state = states.get(&id(calendar_id, &date(day)));
        let booked = state.as_deref().and_then(State::calendar_day)?.booked.last()?;
        Some(range_of(booked))
    })
}

fn range_of(booked: &Booked) -> Range {
    Range { start: booked.start, end: booked.end }
}

/// A slot takes its time.
pub(crate) fn book(calendar_id: &Text, timeslot_id: &Text, range: Range) -> EventData {
    DayBooked {
        calendar_id: calendar_id.clone(),
        day: date(range.first_day()).into(),
        timeslot_id: timeslot_id.clone(),
        start: range.start,
        end: range.end,
    }
    .into()
}

/// A slot gives its time back.
pub(crate) fn free(calendar_id: &Text, timeslot_id: &Text, range: Range) -> EventData {
    DayFreed {
        calendar_id: calendar_id.clone(),
        day: date(range.first_day()).into(),
        timeslot_id: timeslot_id.clone(),
        start: range.start,
        end: range.end,
    }
    .into()
}

/// The state after an event of CalendarDay; none once no slot begins on the day.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let mut booked = match state {
        Some(State::CalendarDay(day)) => day.booked,
        _ => Vec::new(),
    };
    match event {
        EventData::DayBooked(e) => {
            let place = booked.partition_point(|other| other.start < e.start);
            booked.insert(place, Booked { start: e.start, end: e.end });
        }
        EventData::DayFreed(e) => booked.retain(|other| other.start != e.start),
        _ => {}
    }
    (!booked.is_empty()).then_some(State::CalendarDay(CalendarDay { booked }))
}
