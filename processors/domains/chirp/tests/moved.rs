//! Fan-outs that another instance goes on with, at the place that was told of them.

use crate::common;

use std::collections::BTreeSet;

use common::network::*;
use millrace_domain_chirp::{Chirp, EventData, Settings};
use millrace_kernel::{Domain, Event, FanOut, Projection, Standalone, Value, Write, Writes};

/// Who has a row of the fan-out.
type Told = BTreeSet<String>;

fn timelines() -> Projection<EventData> {
    let settings =
        Settings { celebrity_above: 100, celebrity_below: 100, fan_out_at_once: 0, ..Settings::default() };
    let found = Chirp::projections(&settings).into_iter().find(|family| family.name == "timelines");
    found.expect("chirp has timelines")
}

/// A projector amid the fan-out of one event.
struct Teller {
    projector: Standalone<EventData>,
    fan_out: Option<FanOut>,
    told: Told,
    rows: usize,
}

impl Teller {
    /// One that has folded the events before `event`, and announces the fan-out of that one.
    fn at(before: &[Event<EventData>], event: &Event<EventData>) -> Self {
        let mut projector = timelines().standalone(0);
        before.iter().for_each(|event| projector.stage(event, &mut Writes::muted()));
        let mut writes = Writes::new();
        projector.stage(event, &mut writes);
        let fan_out = writes.take().stages.iter().flat_map(|stage| stage.fan_outs.clone()).next();
        Self { projector, fan_out, told: Told::new(), rows: 0 }
    }

    /// Makes some rows.
    fn go_on(&mut self, most: usize) {
        let Some(fan_out) = self.fan_out else { return };
        let mut rows = Vec::new();
        if !self.projector.fan_out(fan_out, most, &mut rows) {
            self.fan_out = None;
        }
        self.rows += rows.len();
        for row in &rows {
            let Write::Put(put) = row else { panic!("{row:?}") };
            let Value::Text(reader) = &put.values[0] else { panic!("{row:?}") };
            self.told.insert(reader.to_string());
        }
    }

    /// Takes in a later event, or makes some rows.
    fn live(&mut self, later: &mut &[Event<EventData>], dice: &mut Dice) {
        match (dice.below(3), *later) {
            (0, [next, rest @ ..]) => {
                self.projector.stage(next, &mut Writes::new());
                *later = rest;
            }
            _ => self.go_on(1 + dice.below(2)),
        }
    }
}

/// Events of one partition: some follow and unfollow an author, who posts; the place of that among them.
fn events(dice: &mut Dice) -> (Vec<Event<EventData>>, usize) {
    let mut acts: Vec<Act> = (1..USERS).map(|reader| Act::Follow(reader, 0)).collect();
    dice.shuffle(&mut acts);
    acts.push(Act::Post(0));
    for _ in 0..12 {
        let reader = 1 + dice.below(USERS - 1);
        acts.push(match dice.below(2) {
            0 => Act::Follow(reader, 0),
            _ => Act::Unfollow(reader, 0),
        });
    }
    let events: Vec<_> = history(&acts, 1).into_iter().map(|(_, event)| event).collect();
    let posted = events.iter().position(|event| matches!(event.data, EventData::ChirpPosted(_))).unwrap();
    (events, posted)
}

#[test]
fn every_reader_is_told_however_often_the_fan_out_moves_and_few_are_told_twice() {
    let mut resumed = 0;
    for seed in 0..300 {
        let dice = &mut Dice::new(seed);
        let (events, posted) = events(dice);
        let (before, event) = (&events[..posted], &events[posted]);
        let mut all = Teller::at(before, event);
        all.go_on(usize::MAX);
        let mut told = Told::new();
        let mut place = None;
        for _ in 0..4 {
            let mut teller = Teller::at(before, event);
            let fan_out = teller.fan_out.unwrap();
            if let Some(place) = place {
                assert!(teller.projector.go_on_at(fan_out, place));
                resumed += 1;
            }
            let mut later = &events[posted + 1..];
            for _ in 0..dice.below(6) {
                teller.live(&mut later, dice);
            }
            if teller.fan_out.is_some() {
                place = teller.projector.place(fan_out).or(place);
            }
            told.extend(std::mem::take(&mut teller.told));
        }
        let mut last = Teller::at(before, event);
        if let Some(place) = place {
            assert!(last.projector.go_on_at(last.fan_out.unwrap(), place));
        }
        let mut later = &events[posted + 1..];
        while last.fan_out.is_some() {
            last.live(&mut later, dice);
        }
        assert!(place.is_none_or(|place| last.rows < all.rows || place.passed == 0), "{place:?}");
        told.extend(last.told);
        assert_eq!(told, all.told, "seed {seed}");
    }
    assert!(resumed > 100, "{resumed}");
}

#[test]
fn a_place_of_another_numbering_of_people_is_not_believed() {
    let dice = &mut Dice::new(1);
    let (events, posted) = events(dice);
    let (before, event) = (&events[..posted], &events[posted]);
    let mut first = Teller::at(before, event);
    first.go_on(3);
    let place = first.projector.place(first.fan_out.unwrap()).unwrap();

    let mut same = Teller::at(before, event);
    assert!(same.projector.go_on_at(same.fan_out.unwrap(), place));
    assert_eq!(same.projector.place(same.fan_out.unwrap()), Some(place));

    // the same people and follows, but two have come in the other order
    let mut others = before.to_vec();
    let registered = |event: &Event<EventData>| matches!(event.data, EventData::UserRegistered(_));
    let first = others.iter().position(registered).unwrap();
    let last = others.iter().rposition(registered).unwrap();
    others.swap(first, last);
    let mut other = Teller::at(&others, event);
    assert!(!other.projector.go_on_at(other.fan_out.unwrap(), place));
    other.go_on(usize::MAX);
    assert_eq!(other.rows, USERS - 1, "it begins at its first row");
}
