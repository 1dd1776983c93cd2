//! What a decision on a calendar costs, however full it is: its look-ups, its rules, its events and the states that
//! follow, without Kafka and without the engine.
//!
//! Prints microseconds, the middle one and the one that 99 of 100 stay below, of each command on calendars of so many slots.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use millrace_domain_calendar::messages::commands::{
    CreateCalendar, RemoveScheduledTimeslot, RescheduleTimeslot, ScheduleTimeslot,
};
use millrace_domain_calendar::{Calendar, CommandData, EventData, State};
use millrace_kernel::{
    Addressed, AggregateId, Command, Domain, Metadata, Published, Rejections, Stamp, StateReader, decide,
};

/// Measures what a decision on a calendar costs.
#[derive(Parser)]
struct Arguments {
    /// How many slots are in the calendar.
    #[arg(long, default_value_t = 10_000)]
    slots: i64,
    /// How many decisions are measured of each kind.
    #[arg(long, default_value_t = 20_000)]
    decisions: usize,
}

type Failure = Box<dyn std::error::Error>;

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// 2026-11-30
const MIDNIGHT: i64 = 20_787 * DAY;
/// What is between the starts of two slots of a day, each of which takes a minute.
const STEP: i64 = 2 * MINUTE;

/// All states, in memory.
#[derive(Default)]
struct States(HashMap<AggregateId, Arc<State>>);

impl StateReader for States {
    type State = State;

    fn get(&self, id: &AggregateId) -> Option<Arc<State>> {
        self.0.get(id).cloned()
    }

    fn exists(&self, _id: &AggregateId) -> bool {
        false
    }

    fn exists_elsewhere(&self, _of: Published, _parts: &[&str]) -> bool {
        false
    }
}

impl States {
    fn decide(&self, data: CommandData) -> Result<Vec<EventData>, Rejections> {
        let command = Command { id: "c".into(), metadata: Metadata::default(), data };
        decide::<Calendar>(self, &command, Stamp { now: MIDNIGHT })
    }

    /// The states that follow, as a processor makes them: a copy of each that changes.
    fn follow(&self, events: &[EventData]) -> Vec<(AggregateId, Option<State>)> {
        let mut changed: Vec<(AggregateId, Option<State>)> = Vec::new();
        for event in events {
            let id = event.aggregate_id();
            let place = changed.iter().position(|(known, _)| *known == id);
            let before = match place {
                Some(place) => changed.swap_remove(place).1,
                None => self.0.get(&id).map(|state| State::clone(state)),
            };
            changed.push((id, Calendar::evolve(before, event, MIDNIGHT)));
        }
        changed
    }

    fn apply(&mut self, data: CommandData) -> Result<(), Failure> {
        let events = self.decide(data).map_err(|refused| format!("{:?}", refused.violations()))?;
        for (id, state) in self.follow(&events) {
            match state {
                Some(state) => self.0.insert(id, Arc::new(state)),
                None => self.0.remove(&id),
            };
        }
        Ok(())
    }
}

fn id(n: i64) -> String {
    format!("01999999-0000-7000-8000-{n:012}")
}

fn schedule(n: i64, start: i64, end: i64) -> CommandData {
    let (calendar_id, timeslot_id, title) = ("ann".into(), id(n).as_str().into(), "work".into());
    ScheduleTimeslot { calendar_id, timeslot_id, title, start, end, location: None, description: None }.into()
}

/// A calendar of `slots` slots, `a_day` on each of its days.
fn calendar(slots: i64, a_day: i64) -> Result<States, Failure> {
    let mut states = States::default();
    states.apply(CreateCalendar { calendar_id: "ann".into() }.into())?;
    for n in 0..slots {
        let start = start_of(n, a_day);
        states.apply(schedule(n, start, start + MINUTE))?;
    }
    Ok(states)
}

fn start_of(n: i64, a_day: i64) -> i64 {
    MIDNIGHT + n / a_day * DAY + n % a_day * STEP
}

/// A kind of command, and the one of it on the n-th slot.
type Kind<'k> = (&'static str, &'k dyn Fn(i64) -> CommandData);

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    println!("| slots a day | command | µs, half of them | µs, 99 of 100 |\n|---|---|---|---|");
    for a_day in [1, 10, 499] {
        let states = calendar(arguments.slots, a_day)?;
        let last = start_of(arguments.slots - 1, a_day);
        let free = |n: i64| schedule(-1, start_of(n, a_day) + MINUTE, start_of(n, a_day) + STEP);
        let taken = |n: i64| schedule(-1, start_of(n, a_day), start_of(n, a_day) + STEP);
        let month = |n: i64| schedule(-1, last + (40 + n % 9) * DAY, last + (71 + n % 9) * DAY);
        let moved = |n: i64| {
            let to = start_of((n + arguments.slots / 2) % arguments.slots, a_day) + MINUTE;
            let (calendar_id, timeslot_id) = ("ann".into(), id(n).as_str().into());
            RescheduleTimeslot { calendar_id, timeslot_id, start: to, end: to + MINUTE }.into()
        };
        let removed = |n: i64| {
            let (calendar_id, timeslot_id) = ("ann".into(), id(n).as_str().into());
            RemoveScheduledTimeslot { calendar_id, timeslot_id }.into()
        };
        let kinds: [Kind<'_>; 5] = [
            ("schedule a minute that is free", &free),
            ("schedule one that is taken", &taken),
            ("schedule 31 days behind all", &month),
            ("move to another day", &moved),
            ("remove", &removed),
        ];
        for (name, command) in kinds {
            let mut nanos: Vec<u128> = Vec::with_capacity(arguments.decisions);
            for n in 0..arguments.decisions {
                // across the calendar, so that no state is at hand only because it was needed just now
                let data = command((n as i64).wrapping_mul(7_919) % arguments.slots);
                let begun = Instant::now();
                let decided = states.decide(data);
                if let Ok(events) = &decided {
                    black_box(states.follow(events));
                }
                nanos.push(begun.elapsed().as_nanos());
                black_box(decided).ok();
            }
            nanos.sort_unstable();
            let micros = |part: usize| nanos[nanos.len() * part / 100] as f64 / 1_000.0;
            println!("| {a_day} | {name} | {:.1} | {:.1} |", micros(50), micros(99));
        }
    }
    Ok(())
}
