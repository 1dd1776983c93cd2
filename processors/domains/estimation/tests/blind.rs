//! Nobody but who has said them learns points before they are turned up: at every moment of every history, what is written into
//! the tables that others read, and so what those who follow them are told, has points of closed rounds alone.

use crate::histories::{History, histories};

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_estimation::messages::rows::MyEstimatesRow;
use millrace_domain_estimation::{Estimations, EventData};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Event, NoSettings, Table, Value, Write};
use millrace_testkit::tables::Dice;

/// Estimates of a history that stand nowhere else: no time, no version and no number of a round is as large.
const SECRET: i64 = 1_000_000_000_000_000_000;

/// The same history, where each estimate is a number of its own and what is turned up follows from that.
fn marked(events: &[(i32, Event<EventData>)]) -> Vec<Event<EventData>> {
    let mut said: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut next = SECRET;
    events
        .iter()
        .map(|(_, event)| {
            let mut event = event.clone();
            match &mut event.data {
                EventData::EstimateSubmitted(e) => {
                    next += 1;
                    e.points = next;
                    said.insert((e.estimation_id.to_string(), e.member_id.to_string()), next);
                }
                EventData::EstimationClosed(e) => {
                    for estimate in &mut e.estimates {
                        estimate.points =
                            said[&(e.estimation_id.to_string(), estimate.member_id.to_string())];
                    }
                    e.points = e.estimates[0].points;
                    e.spread = e.estimates[0].points - 1;
                }
                _ => {}
            }
            event
        })
        .collect()
}

/// The secrets in a value, however they are written.
fn secrets(value: &Value) -> Vec<i64> {
    match value {
        Value::BigInt(number) if *number >= SECRET => vec![*number],
        Value::BigInt(_) | Value::Int(_) | Value::Boolean(_) | Value::Null => Vec::new(),
        Value::Text(text) => {
            let digits = text.split(|it: char| !it.is_ascii_digit());
            digits.filter_map(|it| it.parse().ok()).filter(|it| *it >= SECRET).collect()
        }
    }
}

#[test]
fn nobody_learns_points_before_they_are_turned_up() {
    let tables: Vec<Table> = parse_tables(Estimations::SCHEMAS.views).unwrap();
    let (mut hidden, mut turned) = (0, 0);
    for seed in 0..histories(60) {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 9);
        let mut history = History::new(2);
        for _ in 0..300 {
            history.act(&mut dice);
        }
        let events = marked(history.world.events());
        let families = Estimations::projections(&NoSettings {});
        let mut projectors: Vec<_> = families.iter().map(|family| family.standalone(0)).collect();
        // what was said so far, by the round in which it was, and what was turned up with it
        let mut said: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        let mut public: BTreeSet<i64> = BTreeSet::new();
        for event in &events {
            match &event.data {
                EventData::EstimateSubmitted(e) => {
                    said.entry(e.estimation_id.to_string()).or_default().insert(e.points);
                }
                EventData::EstimationClosed(e) => {
                    let last: BTreeSet<i64> = e.estimates.iter().map(|it| it.points).collect();
                    // what was said otherwise before stays a secret
                    assert!(last.is_subset(&said[e.estimation_id.as_str()]));
                    public.extend(last);
                    public.extend([e.points, e.spread]);
                }
                _ => {}
            }
            for projector in &mut projectors {
                for write in projector.rows(event).into_iter().flatten() {
                    if write.table() == MyEstimatesRow::TABLE {
                        continue;
                    }
                    let values = match &write {
                        Write::Put(put) => &put.values,
                        Write::Delete(delete) => &delete.key,
                    };
                    for secret in values.iter().flat_map(secrets) {
                        assert!(
                            public.contains(&secret),
                            "seed {seed}: {event:?} tells {secret} in {write:?}"
                        );
                        turned += 1;
                    }
                }
            }
        }
        hidden += said.values().flatten().filter(|it| !public.contains(it)).count();
    }
    assert!(hidden > 500 && turned > 500, "the histories are worth their name: {hidden}, {turned}");
    // of the table that is left out, nobody reads a row but its member
    let own = tables.iter().find(|it| it.name == MyEstimatesRow::TABLE).unwrap();
    assert_eq!(own.readers, [millrace_kernel::readers::Readers::Column("member_id".to_owned())]);
    let families = Estimations::projections(&NoSettings {});
    let of_own = families.iter().find(|it| it.views.contains(&MyEstimatesRow::TABLE)).unwrap();
    assert_eq!(of_own.views, [MyEstimatesRow::TABLE], "it shares nothing with what others read");
}

/// What others are shown does not depend on what was said: not by a count, an order or a time.
#[test]
fn what_others_see_is_the_same_whatever_was_said() {
    for seed in 0..histories(60) {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 11);
        let mut history = History::new(2);
        for _ in 0..200 {
            history.act(&mut dice);
        }
        let one: Vec<Event<EventData>> = history.world.events().iter().map(|it| it.1.clone()).collect();
        let other = marked(history.world.events());
        let shown = |events: &[Event<EventData>]| -> Vec<Vec<Write>> {
            let families = Estimations::projections(&NoSettings {});
            let others = families.iter().find(|it| !it.views.contains(&MyEstimatesRow::TABLE)).unwrap();
            let mut projector = others.standalone(0);
            // as long as nothing is turned up
            let blind = events.iter().take_while(|it| !matches!(it.data, EventData::EstimationClosed(_)));
            blind.map(|event| projector.rows(event).into_iter().flatten().collect()).collect()
        };
        assert_eq!(shown(&one), shown(&other), "seed {seed}");
    }
}
