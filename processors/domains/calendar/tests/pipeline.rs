//! The domain inside the whole engine, in memory: a race, what comes twice, and histories with crashes.

use crate::common;

use std::collections::BTreeMap;

use common::schedule::Naive;
use common::*;
use millrace_domain_calendar::codes::OVERLAP_CALENDAR;
use millrace_domain_calendar::messages::rows::CalendarTimeslotsRow;
use millrace_domain_calendar::{Calendar, CommandData};
use millrace_kernel::{Addressed, Command, Metadata, NoSettings, Outcome, Status};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;
use millrace_testkit::tables::{Dice, rows};

fn send(pipeline: &Pipeline<Calendar>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

fn of<'a>(outcomes: &'a [Outcome], prefix: &str) -> Vec<&'a Outcome> {
    outcomes.iter().filter(|it| it.command_id.starts_with(prefix)).collect()
}

/// A hundred want the same hour, each in a way of their own; whatever the batches, one gets it.
#[test]
fn of_a_hundred_producers_one_wins() {
    for batch in [1, 7, 1_000] {
        let engine = ProcessorSettings { batch_max_records: batch, ..ProcessorSettings::default() };
        let mut pipeline = Pipeline::<Calendar>::new(4, NoSettings {}, engine);
        pipeline.start_processor();
        pipeline.start_processor();
        pipeline.start_projectors();
        send(&pipeline, "begin", create("ann"));
        pipeline.settle();
        let mut dice = Dice::new(batch as u64);
        let mut producers: Vec<i64> = (0..100).collect();
        while !producers.is_empty() {
            // in any order, while processors are at work
            let n = producers.swap_remove(dice.below(producers.len()));
            send(&pipeline, &format!("race-{n}"), schedule("ann", &format!("s{n}"), 600 - n, 601 + n));
            if dice.below(3) == 0 {
                let (instance, lane) = (dice.below(pipeline.instances()), dice.below(4));
                pipeline.turn(instance, lane);
            }
        }
        pipeline.settle();
        let outcomes = pipeline.outcomes();
        let raced = of(&outcomes, "race-");
        let (won, lost): (Vec<&Outcome>, Vec<&Outcome>) =
            raced.into_iter().partition(|it| it.status == Status::Accepted);
        assert_eq!((won.len(), lost.len()), (1, 99), "batches of {batch}");
        for outcome in lost {
            let reasons: Vec<(&str, Option<&str>)> =
                outcome.violations.iter().map(|it| (it.code.as_str(), it.field.as_deref())).collect();
            assert_eq!(reasons, [(OVERLAP_CALENDAR, Some("start"))]);
            assert_eq!(outcome.failure.as_deref(), Some("TimeslotSchedulingFailed"));
        }
        let shown = rows(&pipeline.store, CalendarTimeslotsRow::TABLE, CalendarTimeslotsRow::from_values);
        let winner = format!("race-{}", shown[0].timeslot_id.trim_start_matches('s'));
        assert_eq!((shown.len(), won[0].command_id.as_str()), (1, winner.as_str()));
    }
}

#[test]
fn what_comes_twice_happens_once() {
    let mut pipeline = Pipeline::<Calendar>::new(2, NoSettings {}, ProcessorSettings::default());
    pipeline.start_processor();
    for _ in 0..2 {
        send(&pipeline, "c1", create("ann"));
        send(&pipeline, "c2", schedule("ann", "s1", 0, 60));
        send(&pipeline, "c3", reschedule("ann", "s1", 30, 90));
        send(&pipeline, "c4", schedule("ann", "s2", 60, 120));
        send(&pipeline, "c5", remove("ann", "s1"));
        pipeline.settle();
        // the calendar; slot and day; slot, and day twice; slot and day
        assert_eq!(pipeline.events().len(), 1 + 2 + 3 + 2);
    }
    let outcomes = pipeline.outcomes();
    assert_eq!((outcomes.len(), outcomes.iter().filter(|it| it.duplicate).count()), (10, 5));
    for (first, again) in outcomes.iter().zip(&outcomes[5..]) {
        assert!(again.is_again(first), "{first:?} {again:?}");
    }
    let refused: Vec<&str> = of(&outcomes, "c4").iter().map(|it| it.violations[0].code.as_str()).collect();
    assert_eq!(refused, [OVERLAP_CALENDAR; 2]);
}

/// A calendar that the naive one decides likewise, while processes crash and calendars end.
#[test]
fn calendars_survive_crashes_of_anything() {
    const CALENDARS: [&str; 4] = ["ann", "bob", "eve", "zoe"];
    for seed in 0..10_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9));
        let engine = ProcessorSettings { batch_max_records: 4, ..ProcessorSettings::default() };
        let mut pipeline = Pipeline::<Calendar>::new(3, NoSettings {}, engine);
        pipeline.start_processor();
        pipeline.start_processor();
        pipeline.start_projectors();
        let mut sent: Vec<CommandData> = Vec::new();
        while sent.len() < 160 {
            match dice.below(6) {
                0 => {
                    let calendar = CALENDARS[dice.below(4)];
                    let slot = format!("s{}", dice.below(9));
                    let from = dice.below(60) as i64 * HOUR;
                    let to = from + (1 + dice.below(6) as i64) * HOUR;
                    let command = match dice.below(24) {
                        0..=5 => create(calendar),
                        6..=13 => schedule(calendar, &slot, from, to),
                        14..=19 => reschedule(calendar, &slot, from, to),
                        20..=22 => remove(calendar, &slot),
                        _ => end(calendar),
                    };
                    send(&pipeline, &format!("c{}", sent.len()), command.clone());
                    sent.push(command);
                }
                1 if dice.below(15) == 0 => pipeline.kill(dice.below(pipeline.instances())),
                _ => {
                    let (instance, lane) = (dice.below(pipeline.instances()), dice.below(3));
                    pipeline.turn(instance, lane);
                }
            }
        }
        pipeline.settle();
        // commands of one calendar are decided in the order in which they were sent
        let mut naive: BTreeMap<&str, Naive> = CALENDARS.iter().map(|it| (*it, Naive::default())).collect();
        let outcomes = pipeline.outcomes();
        for (n, command) in sent.iter().enumerate() {
            let why = naive.get_mut(&*command.routing_key()).unwrap().decide(command);
            let id = format!("c{n}");
            let first = outcomes.iter().find(|it| it.command_id == id && !it.duplicate);
            let first = first.unwrap_or_else(|| panic!("seed {seed}: {id} has no answer"));
            assert_eq!(first.status == Status::Accepted, why.is_empty(), "seed {seed}: {first:?} {why:?}");
        }
        let mut shown: Vec<(String, String, i64, i64)> =
            rows(&pipeline.store, CalendarTimeslotsRow::TABLE, CalendarTimeslotsRow::from_values)
                .into_iter()
                .map(|row| (row.calendar_id.to_string(), row.timeslot_id.to_string(), row.start, row.end))
                .collect();
        shown.sort();
        let there = naive.iter().flat_map(|(calendar, naive)| {
            let slots = naive.slots.iter();
            slots.map(|(slot, (from, to))| ((*calendar).to_owned(), slot.clone(), at(*from), at(*to)))
        });
        assert_eq!(shown, there.collect::<Vec<_>>(), "seed {seed}");
    }
}
