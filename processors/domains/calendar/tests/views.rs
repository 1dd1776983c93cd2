//! The table against the naive calendar, whatever befalls those that write it.

use crate::common;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use common::schedule::{Naive, history};
use common::*;
use millrace_domain_calendar::messages::rows::{CalendarTimeslotsBucketsRow, CalendarTimeslotsRow};
use millrace_domain_calendar::{Calendar, EventData};
use millrace_kernel::day::{DAY_MICROS, date, day_of};
use millrace_kernel::{Domain, FanOut, NoSettings, Write, Writes};
use millrace_testkit::store::memory::MemoryStore;
use millrace_testkit::tables::{Dice, filled, rows};
use millrace_testkit::world::{Answer, World};
use proptest::prelude::*;

/// The first instant of a month, counted back day by day.
fn month(mut instant: i64) -> i64 {
    while !date(day_of(instant)).ends_with("-01") {
        instant -= DAY_MICROS;
    }
    day_of(instant) * DAY_MICROS
}

type Shown = (String, Reverse<(i64, i64, String)>, i64);

/// Calendar, month, start and id, latest first, and end, of every row.
fn shown(store: &MemoryStore) -> Vec<Shown> {
    let all = rows(store, CalendarTimeslotsRow::TABLE, CalendarTimeslotsRow::from_values);
    let shown = all.into_iter().map(|row| {
        assert_eq!((&*row.title, &row.location), ("work", &None));
        (row.calendar_id.to_string(), Reverse((row.bucket, row.start, row.timeslot_id.to_string())), row.end)
    });
    shown.collect()
}

fn expected(calendars: &[(&str, &Naive)]) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for (calendar, naive) in calendars {
        let slots = naive.slots.iter();
        all.extend(slots.map(|(slot, (from, to))| {
            let place = Reverse((month(at(*from)), at(*from), slot.clone()));
            ((*calendar).to_owned(), place, at(*to))
        }));
    }
    all.sort();
    all
}

fn months(store: &MemoryStore) -> BTreeSet<(String, i64)> {
    let all = rows(store, CalendarTimeslotsBucketsRow::TABLE, CalendarTimeslotsBucketsRow::from_values);
    all.into_iter().map(|row| (row.calendar_id.to_string(), row.bucket)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn the_table_is_what_the_naive_calendars_hold(
        ann in history("ann", 80),
        bob in history("bob", 80),
        partitions in 1i32..4,
        seed in any::<u64>(),
    ) {
        let mut dice = Dice::new(seed);
        let (mut world, mut naive) = (World::<Calendar>::new(partitions), [Naive::default(), Naive::default()]);
        let (mut ann, mut bob) = (ann.into_iter(), bob.into_iter());
        loop {
            let which = dice.below(2);
            let next = if which == 0 { ann.next() } else { bob.next() };
            let Some(command) = next else { break };
            naive[which].decide(&command);
            world.command(command);
        }
        let store = filled::<Calendar>(world.events(), &NoSettings {}, partitions, &mut dice);
        let expected = expected(&[("ann", &naive[0]), ("bob", &naive[1])]);
        let mut found = shown(&store);
        found.sort();
        prop_assert_eq!(&found, &expected);
        let wanted: BTreeSet<(String, i64)> =
            expected.iter().map(|(calendar, place, _)| (calendar.clone(), place.0.0)).collect();
        prop_assert_eq!(months(&store), wanted);
    }
}

/// A slot keeps its words and counts its versions wherever it is moved.
#[test]
fn a_row_has_all_of_a_slot() {
    let mut world = World::<Calendar>::new(1);
    world.command(create("ann"));
    world.command(schedule_as("ann", "s1", "talk", at(0), at(60), Some("here"), Some("all\nof it")));
    world.command(reschedule("ann", "s1", 2 * DAY, 2 * DAY + 30));
    // onto itself: the same row, of a later version
    assert_eq!(world.command(reschedule("ann", "s1", 2 * DAY, 2 * DAY + 30)), Answer::Accepted);
    let store = filled::<Calendar>(world.events(), &NoSettings {}, 1, &mut Dice::new(5));
    let row = CalendarTimeslotsRow {
        calendar_id: "ann".into(),
        bucket: month(at(2 * DAY)),
        start: at(2 * DAY),
        timeslot_id: "s1".into(),
        end: at(2 * DAY + 30),
        title: "talk".into(),
        location: Some("here".into()),
        description: Some("all\nof it".into()),
        version: 3,
    };
    assert_eq!(rows(&store, CalendarTimeslotsRow::TABLE, CalendarTimeslotsRow::from_values), [row]);
    assert_eq!(months(&store), BTreeSet::from([("ann".to_owned(), at(DAY))]), "of December alone");
}

/// A calendar that goes takes its rows along in pieces, each row by its key.
#[test]
fn a_removed_calendar_is_deleted_in_pieces() {
    let mut world = World::<Calendar>::new(1);
    world.command(create("ann"));
    for n in 0..300 {
        assert_eq!(world.command(schedule("ann", &format!("s{n}"), n * DAY, n * DAY + 1)), Answer::Accepted);
    }
    world.command(create("bob"));
    world.command(schedule("bob", "s1", 0, 1));
    world.command(end("ann"));
    let family = &Calendar::projections(&NoSettings {})[0];
    let mut projector = family.standalone(0);
    let mut deleted = 0;
    for (_, event) in world.events() {
        let mut writes = Writes::new();
        projector.stage(event, &mut writes);
        let asked = writes.take();
        if !matches!(event.data, EventData::CalendarRemoved(_)) {
            continue;
        }
        let fan_outs: Vec<FanOut> = asked.stages.iter().flat_map(|stage| stage.fan_outs.clone()).collect();
        assert_eq!((fan_outs.len(), asked.stages.iter().map(|it| it.writes.len()).sum()), (1, 0));
        let mut has_more = true;
        while has_more {
            let mut piece = Vec::new();
            has_more = projector.fan_out(fan_outs[0], 7, &mut piece);
            assert!(piece.len() <= 7 && (has_more || piece.len() < 7));
            deleted += piece.len();
            let of_a_row = |write: &Write| matches!(write, Write::Delete(it) if !it.range);
            assert!(piece.iter().all(of_a_row), "{piece:?}");
        }
    }
    // from the end of November to the end of September
    assert_eq!(deleted, 300 + 11, "every slot, and every month in the directory");
    let store = filled::<Calendar>(world.events(), &NoSettings {}, 1, &mut Dice::new(9));
    assert_eq!((shown(&store).len(), months(&store).len()), (1, 1), "Bob's are there");
}
