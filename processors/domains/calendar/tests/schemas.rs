//! What is generated from `schemas/calendar`: every message through its schema and back, where each belongs, and what a
//! rejection is called.

use crate::common;

use common::*;
use millrace_domain_calendar::{Calendar, CommandData, calendar, calendar_day, timeslot};
use millrace_kernel::{Addressed, Domain, Failing, Named};
use millrace_testkit::messages::all_round_trip;

#[test]
fn every_message_round_trips() {
    assert_eq!(all_round_trip::<Calendar>(), 5 + 7 + 3, "commands, events and kinds of states");
}

#[test]
fn every_command_has_a_failure_and_a_place() {
    let (whole, slot) = (calendar::id("ann"), timeslot::id("ann", "s1"));
    for (command, id, failure) in [
        (create("ann"), &whole, "CalendarCreationFailed"),
        (schedule("ann", "s1", 0, 1), &slot, "TimeslotSchedulingFailed"),
        (reschedule("ann", "s1", 0, 1), &slot, "TimeslotReschedulingFailed"),
        (remove("ann", "s1"), &slot, "ScheduledTimeslotRemovalFailed"),
        (end("ann"), &whole, "CalendarRemovalFailed"),
    ] {
        assert_eq!(CommandData::failure_of(command.name()), Some(failure));
        assert_eq!((&command.aggregate_id(), &*command.routing_key()), (id, "ann"), "{failure}");
    }
    let day = calendar_day::id("ann", "2026-11-30");
    for event in [booked("ann", "s1", 0, 1), freed("ann", "s1", 0, 1)] {
        assert_eq!((&event.aggregate_id(), &*event.routing_key()), (&day, "ann"));
    }
    assert!(Calendar::LOOKUPS.is_empty() && Calendar::SCHEMAS.steps.is_none());
}
