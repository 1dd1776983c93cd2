//! Every command and every rejection, one row each, with the order of violations.

use crate::common;

use common::*;
use millrace_domain_calendar::codes::{INVALID_TIME_RANGE, OVERLAP_CALENDAR, REMOVED};
use millrace_domain_calendar::messages::events;
use millrace_domain_calendar::{Calendar, CommandData, EventData, State, timeslot};
use millrace_kernel::codes::{
    ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED,
};
use millrace_kernel::day::{FIRST_INSTANT, LAST_INSTANT};
use millrace_testkit::given::given;
use millrace_testkit::texts::no_text_may_hold_control_characters;
use millrace_testkit::world::World;

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");
const OVERLAPS: (&str, &str) = (OVERLAP_CALENDAR, "start");
const BACKWARDS: (&str, &str) = (INVALID_TIME_RANGE, "end");
const TOO_LONG: (&str, &str) = (LIMIT_REACHED, "end");

/// A calendar of Ann with two slots, of which the second goes over midnight, and one that was removed; and one of Bob that
/// was removed with a slot in it.
fn calendars() -> Vec<EventData> {
    let mut events = vec![created("ann"), created("bob")];
    events.extend(scheduled("ann", "s1", 10 * HOUR, 11 * HOUR));
    events.extend(scheduled("ann", "s2", 23 * HOUR, 25 * HOUR));
    events.extend(scheduled("ann", "gone", 12 * HOUR, 13 * HOUR));
    events.extend([removed("ann", "gone"), freed("ann", "gone", 12 * HOUR, 13 * HOUR)]);
    events.extend(scheduled("bob", "s1", 10 * HOUR, 11 * HOUR));
    events.push(ended("bob"));
    events
}

type Row<'a> = (&'a str, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

fn all_rejected(rows: Vec<Row<'_>>) {
    for (what, actor, command, expected) in rows {
        println!("{what}");
        let mut given = given::<Calendar>(calendars());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_rejected(&expected);
    }
}

#[test]
fn accepted() {
    let id64 = "i".repeat(64);
    let moved = |slot: &str, before: (i64, i64), after: (i64, i64)| {
        vec![
            rescheduled("ann", slot, after.0, after.1),
            freed("ann", slot, before.0, before.1),
            booked("ann", slot, after.0, after.1),
        ]
    };
    let ten = (10 * HOUR, 11 * HOUR);
    let rows: Vec<(Option<&str>, CommandData, Vec<EventData>)> = vec![
        (None, create("zoe"), vec![created("zoe")]),
        (Some("zoe"), create("zoe"), vec![created("zoe")]),
        (None, create(&id64), vec![created(&id64)]),
        // ends that touch do not overlap
        (
            None,
            schedule("ann", "n", 9 * HOUR, 10 * HOUR),
            scheduled("ann", "n", 9 * HOUR, 10 * HOUR).to_vec(),
        ),
        (
            None,
            schedule("ann", "n", 11 * HOUR, 23 * HOUR),
            scheduled("ann", "n", 11 * HOUR, 23 * HOUR).to_vec(),
        ),
        // what was taken out gives its time back
        (
            None,
            schedule("ann", "n", 12 * HOUR, 13 * HOUR),
            scheduled("ann", "n", 12 * HOUR, 13 * HOUR).to_vec(),
        ),
        // the longest there can be, behind all else
        (
            Some("ann"),
            schedule("ann", "n", 25 * HOUR, 25 * HOUR + 31 * DAY),
            scheduled("ann", "n", 25 * HOUR, 25 * HOUR + 31 * DAY).to_vec(),
        ),
        // onto itself, in part and altogether
        (None, reschedule("ann", "s1", 600, 630), moved("s1", ten, (600, 630))),
        (None, reschedule("ann", "s1", 630, 690), moved("s1", ten, (630, 690))),
        (None, reschedule("ann", "s1", 570, 720), moved("s1", ten, (570, 720))),
        (Some("ann"), reschedule("ann", "s1", ten.0, ten.1), vec![rescheduled("ann", "s1", ten.0, ten.1)]),
        // to another day, and away from over midnight
        (None, reschedule("ann", "s1", 26 * HOUR, 27 * HOUR), moved("s1", ten, (26 * HOUR, 27 * HOUR))),
        (
            None,
            reschedule("ann", "s2", 24 * HOUR, 26 * HOUR),
            moved("s2", (23 * HOUR, 25 * HOUR), (24 * HOUR, 26 * HOUR)),
        ),
        (None, remove("ann", "s1"), vec![removed("ann", "s1"), freed("ann", "s1", ten.0, ten.1)]),
        (Some("ann"), end("ann"), vec![ended("ann")]),
    ];
    for (actor, command, expected) in rows {
        let mut given = given::<Calendar>(calendars());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_events(expected);
    }
}

#[test]
fn a_slot_has_a_title_and_perhaps_a_place_and_a_description() {
    let text256 = "🐦".repeat(256);
    for (start, end) in [(FIRST_INSTANT, FIRST_INSTANT + 1), (LAST_INSTANT - 1, LAST_INSTANT)] {
        let command = schedule_as("ann", "n", &text256, start, end, Some("here"), Some("a\nb\t"));
        let scheduled = events::TimeslotScheduled {
            calendar_id: "ann".into(),
            timeslot_id: "n".into(),
            title: text256.as_str().into(),
            start,
            end,
            location: Some("here".into()),
            description: Some("a\nb\t".into()),
        };
        let day = if start < 0 { "0001-01-01" } else { "9999-12-31" };
        let (calendar_id, timeslot_id) = ("ann".into(), "n".into());
        let booked = events::DayBooked { calendar_id, day: day.into(), timeslot_id, start, end };
        given::<Calendar>(calendars()).when(command).then_events([scheduled.into(), booked.into()]);
    }
}

#[test]
fn no_text_holds_control_characters() {
    assert_eq!(no_text_may_hold_control_characters::<Calendar>(), 1 + 5 + 2 + 2 + 1);
}

#[test]
fn create_calendar_is_rejected() {
    let id = (INVALID_ARGUMENT, "calendar_id");
    all_rejected(vec![
        ("exists", None, create("ann"), vec![(ALREADY_EXISTS, "calendar_id")]),
        ("removed", Some("bob"), create("bob"), vec![(REMOVED, "calendar_id")]),
        ("no id", None, create(""), vec![id]),
        ("odd id", None, create("a/b"), vec![id]),
        ("another's", Some("bob"), create("zoe"), vec![ACTOR]),
        ("another's that is there", Some("bob"), create("ann"), vec![ACTOR]),
        ("all at once", Some("bob"), create("a/b"), vec![ACTOR, id]),
    ]);
}

#[test]
fn schedule_timeslot_is_rejected() {
    let (long, odd) = ("x".repeat(257), "a/b");
    let plain = |from, to| schedule("ann", "n", from, to);
    let text = |title: &str, location: Option<&str>, description: Option<&str>| {
        schedule_as("ann", "n", title, at(0), at(1), location, description)
    };
    let bad = |field| (INVALID_ARGUMENT, field);
    all_rejected(vec![
        ("no calendar", None, schedule("zoe", "n", 0, 1), vec![(NOT_FOUND, "calendar_id")]),
        ("removed", None, schedule("bob", "n", 0, 1), vec![(INVALID_STATE, "calendar_id")]),
        // what was in it is not asked for any more
        ("removed with it", None, schedule("bob", "s1", 600, 660), vec![(INVALID_STATE, "calendar_id")]),
        ("odd calendar", None, schedule(odd, "n", 0, 1), vec![bad("calendar_id")]),
        ("another's", Some("bob"), plain(0, 1), vec![ACTOR]),
        ("taken", None, schedule("ann", "s1", 0, 1), vec![(ALREADY_EXISTS, "timeslot_id")]),
        ("taken once", None, schedule("ann", "gone", 0, 1), vec![(ALREADY_EXISTS, "timeslot_id")]),
        ("odd slot", None, schedule("ann", odd, 0, 1), vec![bad("timeslot_id")]),
        ("no title", None, text("", None, None), vec![bad("title")]),
        ("blank title", None, text("\u{2003}", None, None), vec![bad("title")]),
        ("title of two lines", None, text("a\nb", None, None), vec![bad("title")]),
        ("blank place", None, text("t", Some(" "), None), vec![bad("location")]),
        ("long place", None, text("t", Some(&long), None), vec![bad("location")]),
        ("blank description", None, text("t", None, Some("\n")), vec![bad("description")]),
        ("long description", None, text("t", None, Some(&long)), vec![bad("description")]),
        (
            "before the year 1",
            None,
            schedule_as("ann", "n", "t", FIRST_INSTANT - 1, 0, None, None),
            vec![bad("start")],
        ),
        (
            "after the year 9999",
            None,
            schedule_as("ann", "n", "t", 0, LAST_INSTANT + 1, None, None),
            vec![bad("end")],
        ),
        (
            "no instants at all",
            None,
            schedule_as("ann", "n", "t", i64::MAX, i64::MIN, None, None),
            vec![bad("start"), bad("end")],
        ),
        ("empty", None, plain(5, 5), vec![BACKWARDS]),
        ("backwards", None, plain(5, 4), vec![BACKWARDS]),
        ("backwards over others", None, plain(11 * HOUR, 10 * HOUR), vec![BACKWARDS]),
        ("a minute too long", None, plain(100 * DAY, 131 * DAY + 1), vec![TOO_LONG]),
        ("the very same time", None, plain(10 * HOUR, 11 * HOUR), vec![OVERLAPS]),
        ("its first minute", None, plain(9 * HOUR, 10 * HOUR + 1), vec![OVERLAPS]),
        ("its last minute", None, plain(11 * HOUR - 1, 12 * HOUR), vec![OVERLAPS]),
        ("within", None, plain(10 * HOUR + 5, 10 * HOUR + 6), vec![OVERLAPS]),
        ("all around", None, plain(9 * HOUR, 12 * HOUR), vec![OVERLAPS]),
        ("what began the day before", None, plain(24 * HOUR, 24 * HOUR + 1), vec![OVERLAPS]),
        ("both of them", None, plain(-DAY, 2 * DAY), vec![OVERLAPS]),
        (
            "another's and all else",
            Some("bob"),
            schedule_as("ann", "s1", "", at(10 * HOUR), at(11 * HOUR), Some(""), Some("")),
            vec![ACTOR, bad("title"), bad("location"), bad("description")],
        ),
        (
            "all at once",
            Some("ann"),
            schedule_as("ann", "s1", "", at(10 * HOUR), at(11 * HOUR), Some(""), Some("")),
            vec![
                (ALREADY_EXISTS, "timeslot_id"),
                bad("title"),
                OVERLAPS,
                bad("location"),
                bad("description"),
            ],
        ),
        (
            "no calendar and all else",
            Some("zoe"),
            schedule_as("zoe", "", "", at(1), at(0), Some(""), Some("")),
            vec![
                (NOT_FOUND, "calendar_id"),
                bad("timeslot_id"),
                bad("title"),
                BACKWARDS,
                bad("location"),
                bad("description"),
            ],
        ),
    ]);
}

#[test]
fn reschedule_timeslot_is_rejected() {
    let ten = (10 * HOUR, 11 * HOUR);
    all_rejected(vec![
        ("no calendar", None, reschedule("zoe", "s1", 0, 1), vec![(NOT_FOUND, "calendar_id")]),
        ("removed", None, reschedule("bob", "s1", 0, 1), vec![(INVALID_STATE, "calendar_id")]),
        ("odd calendar", None, reschedule("", "s1", 0, 1), vec![(INVALID_ARGUMENT, "calendar_id")]),
        ("another's", Some("bob"), reschedule("ann", "s1", 0, 1), vec![ACTOR]),
        ("no slot", None, reschedule("ann", "n", 0, 1), vec![(NOT_FOUND, "timeslot_id")]),
        ("a removed slot", None, reschedule("ann", "gone", 0, 1), vec![(INVALID_STATE, "timeslot_id")]),
        ("odd slot", None, reschedule("ann", "a b", 0, 1), vec![(INVALID_ARGUMENT, "timeslot_id")]),
        ("empty", None, reschedule("ann", "s1", 5, 5), vec![BACKWARDS]),
        ("backwards onto itself", None, reschedule("ann", "s1", ten.1, ten.0), vec![BACKWARDS]),
        ("too long", None, reschedule("ann", "s1", 40 * DAY, 71 * DAY + 1), vec![TOO_LONG]),
        ("onto another", None, reschedule("ann", "s1", 23 * HOUR, 24 * HOUR), vec![OVERLAPS]),
        ("onto itself and another", None, reschedule("ann", "s1", 10 * HOUR, 23 * HOUR + 1), vec![OVERLAPS]),
        (
            "back onto the one before",
            None,
            reschedule("ann", "s2", 10 * HOUR + 59, 25 * HOUR),
            vec![OVERLAPS],
        ),
        (
            "no slot and all else",
            Some("ann"),
            reschedule("ann", "n", 2, 1),
            vec![(NOT_FOUND, "timeslot_id"), BACKWARDS],
        ),
        ("another's, no slot", Some("bob"), reschedule("ann", "n", 2, 1), vec![ACTOR, BACKWARDS]),
        ("another's, onto another", Some("bob"), reschedule("ann", "s1", 1380, 1440), vec![ACTOR]),
    ]);
}

#[test]
fn remove_scheduled_timeslot_is_rejected() {
    all_rejected(vec![
        ("no calendar", None, remove("zoe", "s1"), vec![(NOT_FOUND, "calendar_id")]),
        ("removed", None, remove("bob", "s1"), vec![(INVALID_STATE, "calendar_id")]),
        ("another's", Some("bob"), remove("ann", "s1"), vec![ACTOR]),
        ("another's, no slot", Some("bob"), remove("ann", "n"), vec![ACTOR]),
        ("no slot", None, remove("ann", "n"), vec![(NOT_FOUND, "timeslot_id")]),
        ("twice", None, remove("ann", "gone"), vec![(INVALID_STATE, "timeslot_id")]),
        (
            "no ids at all",
            Some("bob"),
            remove("", ""),
            vec![ACTOR, (INVALID_ARGUMENT, "calendar_id"), (INVALID_ARGUMENT, "timeslot_id")],
        ),
    ]);
}

#[test]
fn remove_calendar_is_rejected() {
    all_rejected(vec![
        ("unknown", None, end("zoe"), vec![(NOT_FOUND, "calendar_id")]),
        ("twice", None, end("bob"), vec![(INVALID_STATE, "calendar_id")]),
        ("odd id", None, end("a b"), vec![(INVALID_ARGUMENT, "calendar_id")]),
        ("another's", Some("bob"), end("ann"), vec![ACTOR]),
        ("another's that is no more", Some("ann"), end("bob"), vec![ACTOR]),
        ("another's that never was", Some("ann"), end("zoe"), vec![ACTOR]),
    ]);
}

#[test]
fn what_is_in_the_way_is_said_with_its_time() {
    let mut world = World::<Calendar>::new(1);
    world.command(create("ann"));
    world.command(schedule("ann", "s1", 600, 660));
    let answer = format!("{:?}", world.command(schedule("ann", "s2", 630, 700)));
    assert!(answer.contains("from 2026-11-30T10:00:00Z to 2026-11-30T11:00:00Z"), "{answer}");
}

#[test]
fn the_texts_of_what_was_removed_do_not_linger() {
    let mut world = World::<Calendar>::new(1);
    world.command(create("ann"));
    world.command(schedule_as("ann", "s1", "secret", at(0), at(1), Some("secret"), Some("secret")));
    world.command(remove("ann", "s1"));
    let state = world.state(&timeslot::id("ann", "s1")).and_then(State::timeslot).unwrap();
    assert!(state.removed && !format!("{state:?}").contains("secret"), "{state:?}");
}
