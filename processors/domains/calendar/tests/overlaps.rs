//! Random schedules against the naive calendar, which looks at every minute.

use crate::common;

use std::collections::BTreeSet;

use common::schedule::{Naive, history};
use common::*;
use millrace_domain_calendar::codes::OVERLAP_CALENDAR;
use millrace_domain_calendar::{Calendar, CommandData, MAX_DAYS, State, calendar_day};
use millrace_kernel::codes::LIMIT_REACHED;
use millrace_kernel::day::date;
use millrace_testkit::world::{Answer, World};
use proptest::prelude::*;

fn codes(answer: &Answer) -> BTreeSet<String> {
    match answer {
        Answer::Accepted => BTreeSet::new(),
        Answer::Rejected(violations) => violations.iter().map(|it| it.code.clone()).collect(),
    }
}

/// All that the days of a calendar know, in order, in minutes.
fn days(world: &World<Calendar>) -> Vec<(i64, i64)> {
    let mut booked = Vec::new();
    for (id, kept) in world.states().iter().filter(|(id, _)| id.kind() == calendar_day::KIND) {
        let Some(day) = kept.state.as_deref() else { continue };
        let day = State::calendar_day(day).expect("a day");
        assert!(!day.booked.is_empty() && day.booked.len() <= calendar_day::MAX_SLOTS, "{id}");
        for one in &day.booked {
            let begins_on = date(one.start.div_euclid(DAY * MINUTE));
            assert_eq!(id.as_str(), format!("CalendarDay/ann/{begins_on}"), "by the day on which it begins");
            booked.push(((one.start - MIDNIGHT) / MINUTE, (one.end - MIDNIGHT) / MINUTE));
        }
    }
    booked.sort_unstable();
    booked
}

fn follow(commands: &[CommandData]) {
    let (mut world, mut naive) = (World::<Calendar>::new(2), Naive::default());
    for command in commands {
        let answer = world.command(command.clone());
        let expected: BTreeSet<String> = naive.decide(command).into_iter().map(str::to_owned).collect();
        assert_eq!(codes(&answer), expected, "{command:?} after {:?}", naive.slots);
        // what the days know is what is there, but of a calendar that was removed
        if naive.slots.is_empty() {
            continue;
        }
        let mut there: Vec<(i64, i64)> = naive.slots.values().copied().collect();
        there.sort_unstable();
        assert_eq!(days(&world), there);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn no_two_slots_ever_take_the_same_minute(commands in history("ann", 120)) {
        follow(&commands);
    }
}

/// What reaches into a day from as far back as it can: a slot of 31 days, against days at both ends of it.
#[test]
fn the_longest_slot_is_in_the_way_on_all_of_its_days() {
    let longest = [create("ann"), schedule("ann", "long", 7, MAX_DAYS * DAY + 7)];
    for day in [-1, 0, 1, 15, MAX_DAYS - 1, MAX_DAYS, MAX_DAYS + 1] {
        for minute in [0, 6, 7, 8, DAY - 1] {
            let from = day * DAY + minute;
            follow(&[&longest[..], &[schedule("ann", "s", from, from + 1)]].concat());
            // and the other way round
            let first = [create("ann"), schedule("ann", "s", from, from + 1)];
            follow(&[&first[..], &longest[1..]].concat());
        }
    }
}

#[test]
fn a_day_has_room_for_so_many_slots_also_for_those_that_reach_into_it() {
    let mut world = World::<Calendar>::new(1);
    world.command(create("ann"));
    // from before into the day, and 499 that begin on it
    world.command(schedule("ann", "long", -2 * DAY, 1));
    for n in 1..500 {
        let answer = world.command(schedule("ann", &format!("s{n}"), n, n + 1));
        assert_eq!(answer, Answer::Accepted, "{n}");
    }
    let full = |field: &str| BTreeSet::from([(LIMIT_REACHED.to_owned(), field.to_owned())]);
    let said = |answer: Answer| -> BTreeSet<(String, String)> {
        let Answer::Rejected(violations) = answer else { return BTreeSet::new() };
        violations.into_iter().map(|it| (it.code, it.field.unwrap_or_default())).collect()
    };
    assert_eq!(said(world.command(schedule("ann", "one", 600, 601))), full("start"));
    // over midnight into the next day begins on it; from the day before it would end on it
    assert_eq!(said(world.command(schedule("ann", "one", DAY - 1, DAY + 1))), full("start"));
    assert_eq!(said(world.command(schedule("ann", "one", DAY, DAY + 1))), BTreeSet::new());
    let both = BTreeSet::from([
        (LIMIT_REACHED.to_owned(), "start".to_owned()),
        (OVERLAP_CALENDAR.to_owned(), "start".to_owned()),
    ]);
    assert_eq!(said(world.command(schedule("ann", "two", 5, 6))), both);
    // a slot of that day itself may move within it
    assert_eq!(world.command(reschedule("ann", "s1", 700, 800)), Answer::Accepted);
    // with one gone there is room for one
    assert_eq!(world.command(remove("ann", "long")), Answer::Accepted);
    assert_eq!(world.command(schedule("ann", "three", -10, 1)), Answer::Accepted);
    assert_eq!(said(world.command(reschedule("ann", "one", 600, 601))), full("start"));
    assert_eq!(world.command(remove("ann", "three")), Answer::Accepted);
    assert_eq!(world.command(remove("ann", "s2")), Answer::Accepted);
    for slot in ["four", "five"] {
        let from = if slot == "four" { -30 } else { 600 };
        assert_eq!(world.command(schedule("ann", slot, from, from + 20)), Answer::Accepted);
    }
    assert_eq!(world.command(schedule("ann", "six", 650, 660)), Answer::Accepted);
    assert_eq!(
        said(world.command(reschedule("ann", "four", -20, 1))),
        full("end"),
        "it would end on a full day"
    );
}
