//! A calendar so naive that it is obviously right: it goes through ranges minute by minute.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_calendar::CommandData;
use millrace_domain_calendar::codes::{INVALID_TIME_RANGE, OVERLAP_CALENDAR, REMOVED};
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, LIMIT_REACHED, NOT_FOUND};
use proptest::prelude::*;

use super::{DAY, HOUR, MIDNIGHT, MINUTE, create, end, remove, reschedule, schedule};

/// One calendar. Commands of others are none of its business.
#[derive(Default)]
pub struct Naive {
    created: bool,
    ended: bool,
    /// Minutes of the slots that are in it.
    pub slots: BTreeMap<String, (i64, i64)>,
    used: BTreeSet<String>,
}

fn minute(instant: i64) -> i64 {
    (instant - MIDNIGHT) / MINUTE
}

fn has((from, to): (i64, i64), minute: i64) -> bool {
    from <= minute && minute < to
}

impl Naive {
    /// Decides a command, and does what it says where nothing is against it; the codes of what is.
    pub fn decide(&mut self, command: &CommandData) -> Vec<&'static str> {
        let mut why = Vec::new();
        match command {
            CommandData::CreateCalendar(_) => match (self.created, self.ended) {
                (_, true) => why.push(REMOVED),
                (true, _) => why.push(ALREADY_EXISTS),
                _ => self.created = true,
            },
            CommandData::RemoveCalendar(_) => {
                self.is_there(&mut why);
                if why.is_empty() {
                    self.ended = true;
                    self.slots.clear();
                }
            }
            CommandData::ScheduleTimeslot(c) => {
                let (slot, range) = (c.timeslot_id.to_string(), (minute(c.start), minute(c.end)));
                let is_there = self.is_there(&mut why);
                if is_there && self.used.contains(&slot) {
                    why.push(ALREADY_EXISTS);
                }
                if is_range(range, &mut why) && is_there {
                    self.has_room(range, None, &mut why);
                }
                if why.is_empty() {
                    self.used.insert(slot.clone());
                    self.slots.insert(slot, range);
                }
            }
            CommandData::RescheduleTimeslot(c) => {
                let (slot, range) = (c.timeslot_id.to_string(), (minute(c.start), minute(c.end)));
                let is_slot = self.is_there(&mut why) && self.is_slot(&slot, &mut why);
                if is_range(range, &mut why) && is_slot {
                    self.has_room(range, Some(&slot), &mut why);
                }
                if why.is_empty() {
                    self.slots.insert(slot, range);
                }
            }
            CommandData::RemoveScheduledTimeslot(c) => {
                let slot = c.timeslot_id.to_string();
                let _ = self.is_there(&mut why) && self.is_slot(&slot, &mut why);
                if why.is_empty() {
                    self.slots.remove(&slot);
                }
            }
        }
        why
    }

    fn is_there(&self, why: &mut Vec<&str>) -> bool {
        match (self.created, self.ended) {
            (_, true) => why.push(INVALID_STATE),
            (false, _) => why.push(NOT_FOUND),
            _ => return true,
        }
        false
    }

    fn is_slot(&self, slot: &str, why: &mut Vec<&str>) -> bool {
        match (self.slots.contains_key(slot), self.used.contains(slot)) {
            (true, _) => return true,
            (_, true) => why.push(INVALID_STATE),
            _ => why.push(NOT_FOUND),
        }
        false
    }

    /// Nobody else may have a minute of it.
    fn has_room(&self, (from, to): (i64, i64), own: Option<&str>, why: &mut Vec<&str>) {
        let mut others = self.slots.iter().filter(|(slot, _)| Some(slot.as_str()) != own);
        if others.any(|(_, other)| (from..to).any(|minute| has(*other, minute))) {
            why.push(OVERLAP_CALENDAR);
        }
    }
}

fn is_range((from, to): (i64, i64), why: &mut Vec<&str>) -> bool {
    if from >= to {
        why.push(INVALID_TIME_RANGE);
    } else if to - from > 31 * DAY {
        why.push(LIMIT_REACHED);
    } else {
        return true;
    }
    false
}

/// Something that somebody wants of a calendar, in a time of some two months.
pub fn command(calendar: &'static str) -> impl Strategy<Value = CommandData> {
    let slot = || (0u8..24).prop_map(|n| format!("s{n}"));
    let start = || {
        prop_oneof![
            // crowded, on round hours, so that ends touch
            6 => (0i64..72).prop_map(|hour| hour * HOUR),
            2 => -40 * DAY..40 * DAY,
            1 => (-40i64..40).prop_map(|day| day * DAY),
        ]
    };
    let length = || {
        prop_oneof![
            6 => (1i64..4).prop_map(|hours| hours * HOUR),
            2 => 1i64..200,
            2 => (1i64..32).prop_map(|days| days * DAY),
            1 => Just(31 * DAY + 1),
            1 => -2i64..1,
        ]
    };
    prop_oneof![
        1 => Just(create(calendar)),
        20 => (slot(), start(), length()).prop_map(move |(s, from, n)| schedule(calendar, &s, from, from + n)),
        12 => (slot(), start(), length()).prop_map(move |(s, from, n)| reschedule(calendar, &s, from, from + n)),
        6 => slot().prop_map(move |s| remove(calendar, &s)),
        1 => proptest::bool::weighted(0.1)
            .prop_map(move |really| if really { end(calendar) } else { create(calendar) }),
    ]
}

/// A history of one calendar.
pub fn history(calendar: &'static str, length: usize) -> impl Strategy<Value = Vec<CommandData>> {
    proptest::collection::vec(command(calendar), 1..length)
        .prop_map(move |commands| [create(calendar)].into_iter().chain(commands).collect())
}
