//! The tables, compared with what naive code makes of the events.

use crate::histories::{History, histories};

use std::collections::BTreeMap;

use millrace_domain_estimation::messages::rows::{EstimatesRow, EstimationsByProjectRow, MyEstimatesRow};
use millrace_domain_estimation::{Estimations, EventData};
use millrace_kernel::{Event, NoSettings};
use millrace_testkit::store::memory::MemoryStore;
use millrace_testkit::tables::{Dice, filled, rows};

/// All tables, each by its key.
#[derive(Debug, Default, PartialEq)]
pub struct Shown {
    pub estimations: BTreeMap<(String, String), EstimationsByProjectRow>,
    pub estimates: BTreeMap<(String, String), EstimatesRow>,
    pub own: BTreeMap<(String, String), MyEstimatesRow>,
}

pub fn shown(store: &MemoryStore) -> Shown {
    let mut shown = Shown::default();
    for row in rows(store, EstimationsByProjectRow::TABLE, EstimationsByProjectRow::from_values) {
        shown.estimations.insert((row.project_id.to_string(), row.estimation_id.to_string()), row);
    }
    for row in rows(store, EstimatesRow::TABLE, EstimatesRow::from_values) {
        shown.estimates.insert((row.estimation_id.to_string(), row.member_id.to_string()), row);
    }
    for row in rows(store, MyEstimatesRow::TABLE, MyEstimatesRow::from_values) {
        shown.own.insert((row.estimation_id.to_string(), row.member_id.to_string()), row);
    }
    shown
}

/// What the tables say may be estimated, written by hand.
fn cards(scale: &str) -> String {
    let card = |(points, label): (i64, &str)| format!("{{\"points\":{points},\"label\":\"{label}\"}}");
    let cards: Vec<String> = match scale {
        "t-shirt" => [(1, "XS"), (2, "S"), (3, "M"), (4, "L"), (5, "XL"), (6, "XXL")].map(card).into(),
        "fibonacci" => [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89].map(|it| card((it, &it.to_string()))).into(),
        list => list.split(',').map(|it| card((it.parse().unwrap(), it))).collect(),
    };
    format!("[{}]", cards.join(","))
}

/// Adds up by hand: goes through all events for every estimation.
pub fn by_hand(events: &[(i32, Event<EventData>)]) -> Shown {
    let mut shown = Shown::default();
    let opened = events.iter().filter_map(|(_, event)| match &event.data {
        EventData::EstimationOpened(e) => Some((event, e)),
        _ => None,
    });
    for (opening, e) in opened {
        let of_it: Vec<&Event<EventData>> = events
            .iter()
            .map(|(_, event)| event)
            .filter(|it| it.aggregate_id == opening.aggregate_id && it.version >= opening.version)
            .collect();
        if of_it.iter().any(|it| matches!(it.data, EventData::EstimationEnded(_))) {
            continue;
        }
        let begins = of_it.iter().rposition(|it| {
            matches!(it.data, EventData::EstimationOpened(_) | EventData::EstimationReopened(_))
        });
        let round = &of_it[begins.unwrap()..];
        let number = match &round[0].data {
            EventData::EstimationReopened(e) => e.round,
            _ => 1,
        };
        let closing = round.iter().find_map(|it| match &it.data {
            EventData::EstimationClosed(e) => Some((it.recorded_at, e)),
            _ => None,
        });
        let id = e.estimation_id.to_string();
        let mut members = 0;
        for it in round {
            let EventData::EstimateSubmitted(said) = &it.data else { continue };
            let key = (id.clone(), said.member_id.to_string());
            let turned_up = closing.map(|(_, closed)| {
                closed.estimates.iter().find(|it| it.member_id == said.member_id).unwrap().points
            });
            let row = EstimatesRow {
                estimation_id: e.estimation_id.as_str().into(),
                member_id: said.member_id.as_str().into(),
                project_id: e.project_id.as_str().into(),
                team_id: e.team_id.as_str().into(),
                round: number,
                points: turned_up,
                submitted_at: it.recorded_at,
            };
            members += i32::from(shown.estimates.insert(key.clone(), row).is_none());
            let own = MyEstimatesRow {
                estimation_id: e.estimation_id.as_str().into(),
                member_id: said.member_id.as_str().into(),
                project_id: e.project_id.as_str().into(),
                round: number,
                points: said.points,
                submitted_at: it.recorded_at,
            };
            shown.own.insert(key, own);
        }
        let row = EstimationsByProjectRow {
            project_id: e.project_id.as_str().into(),
            estimation_id: e.estimation_id.as_str().into(),
            team_id: e.team_id.as_str().into(),
            title: e.title.as_str().into(),
            scale: e.scale.as_str().into(),
            cards: cards(&e.scale).as_str().into(),
            status: if closing.is_some() { "CLOSED" } else { "OPEN" }.into(),
            round: number,
            estimate_count: members,
            points: closing.map(|(_, it)| it.points),
            spread: closing.map(|(_, it)| it.spread),
            opened_at: round[0].recorded_at,
            closed_at: closing.map(|(at, _)| at),
            version: of_it.last().unwrap().version,
        };
        shown.estimations.insert((e.project_id.to_string(), id), row);
    }
    shown
}

#[test]
fn tables_show_what_has_happened() {
    const PARTITIONS: i32 = 3;
    let mut most = (0, 0, 0);
    for seed in 0..histories(60) {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 3);
        let mut history = History::new(PARTITIONS);
        for _ in 0..300 {
            history.act(&mut dice);
        }
        if dice.below(2) == 0 {
            history.world.settle();
        }
        let expected = by_hand(history.world.events());
        let store = filled::<Estimations>(history.world.events(), &NoSettings {}, PARTITIONS, &mut dice);
        assert_eq!(shown(&store), expected, "seed {seed}");
        let Shown { estimations, estimates, own } = expected;
        most = (most.0.max(estimations.len()), most.1.max(estimates.len()), most.2.max(own.len()));
    }
    assert!(most.0 >= 4 && most.1 > 5 && most.2 > 5, "the histories are worth their name: {most:?}");
}
