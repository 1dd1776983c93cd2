//! The tables of estimation as a plain fold of events.

use std::collections::BTreeMap;

use millrace_domain_estimation::EventData;
use millrace_kernel::{Event, Text, Value};

use crate::workload::Place;

/// What a round came to.
#[derive(Clone)]
struct Closed {
    points: i64,
    spread: i64,
    at: i64,
    /// What everybody had said.
    turned_up: BTreeMap<Text, i64>,
}

/// An estimation that was opened and has not ended.
#[derive(Clone)]
struct Asked {
    project_id: Text,
    team_id: Text,
    title: Text,
    scale: Text,
    round: i32,
    /// Who has said what in this round, and when.
    said: BTreeMap<Text, (i64, i64)>,
    opened_at: i64,
    closed: Option<Closed>,
    version: i64,
}

/// Everything that rows are made of, by estimation.
#[derive(Clone, Default)]
pub struct Rows {
    asked: BTreeMap<Text, Asked>,
}

fn text(value: &str) -> Value {
    Value::from(value)
}

/// The values of a scale with what people call them, as JSON.
fn cards(scale: &str) -> String {
    let card = |points: &str, label: &str| format!("{{\"points\":{points},\"label\":\"{label}\"}}");
    let cards: Vec<String> = match scale {
        "fibonacci" => "0 1 2 3 5 8 13 21 34 55 89".split(' ').map(|it| card(it, it)).collect(),
        "t-shirt" => [("1", "XS"), ("2", "S"), ("3", "M"), ("4", "L"), ("5", "XL"), ("6", "XXL")]
            .map(|(points, label)| card(points, label))
            .to_vec(),
        list => list.split(',').map(|it| card(it, it)).collect(),
    };
    format!("[{}]", cards.join(","))
}

fn of_project(project_id: &Text, estimation_id: &Text) -> Place {
    ("estimations_by_project", vec![text(project_id), text(estimation_id)])
}

fn of_member(estimation_id: &Text, member_id: &Text) -> [Place; 2] {
    let key = || vec![text(estimation_id), text(member_id)];
    [("estimates", key()), ("my_estimates", key())]
}

impl Rows {
    /// The row at a place.
    pub fn row(&self, (table, key): &Place) -> Option<Vec<Value>> {
        let [Value::Text(one), Value::Text(other)] = key.as_slice() else { return None };
        if *table == "estimations_by_project" {
            let it = self.asked.get(&**other)?;
            let closed = it.closed.as_ref();
            let mut row =
                [one, &**other, &it.team_id, &it.title, &it.scale].map(|it: &str| text(it)).to_vec();
            row.push(text(&cards(&it.scale)));
            row.push(text(if closed.is_some() { "CLOSED" } else { "OPEN" }));
            row.extend([it.round.into(), (it.said.len() as i32).into()]);
            row.extend([Value::from(closed.map(|it| it.points)), Value::from(closed.map(|it| it.spread))]);
            row.extend([it.opened_at.into(), Value::from(closed.map(|it| it.at)), it.version.into()]);
            return Some(row);
        }
        let it = self.asked.get(&**one)?;
        let (points, at) = it.said.get(&**other)?;
        let mut row = vec![text(one), text(other), text(&it.project_id)];
        if *table == "my_estimates" {
            row.extend([it.round.into(), (*points).into(), (*at).into()]);
        } else {
            let turned_up = it.closed.as_ref().and_then(|closed| closed.turned_up.get(&**other));
            row.extend([text(&it.team_id), it.round.into(), Value::from(turned_up.copied()), (*at).into()]);
        }
        Some(row)
    }

    /// The rows of everything about an estimation.
    fn places(&self, estimation_id: &Text) -> Vec<Place> {
        let Some(it) = self.asked.get(estimation_id) else { return Vec::new() };
        let members = it.said.keys().flat_map(|member_id| of_member(estimation_id, member_id));
        members.chain([of_project(&it.project_id, estimation_id)]).collect()
    }

    /// Takes in an event; the places it may have changed.
    pub fn fold(&mut self, event: &Event<EventData>) -> Vec<Place> {
        let (at, version) = (event.recorded_at, event.version);
        let estimation_id = match &event.data {
            EventData::EstimationOpened(e) => {
                let it = Asked {
                    project_id: e.project_id.clone(),
                    team_id: e.team_id.clone(),
                    title: e.title.clone(),
                    scale: e.scale.clone(),
                    round: 1,
                    said: BTreeMap::new(),
                    opened_at: at,
                    closed: None,
                    version,
                };
                self.asked.insert(e.estimation_id.clone(), it);
                return vec![of_project(&e.project_id, &e.estimation_id)];
            }
            EventData::EstimationEnded(e) => {
                let places = self.places(&e.estimation_id);
                self.asked.remove(&e.estimation_id);
                return places;
            }
            EventData::EstimateSubmitted(e) => &e.estimation_id,
            EventData::EstimationClosed(e) => &e.estimation_id,
            EventData::EstimationSettled(e) => &e.estimation_id,
            EventData::EstimationReopeningRequested(e) => &e.estimation_id,
            EventData::EstimationReopeningRefused(e) => &e.estimation_id,
            EventData::EstimationReopened(e) => &e.estimation_id,
            EventData::EstimationEndingNoted(e) => &e.estimation_id,
            _ => return Vec::new(),
        };
        let before = self.places(estimation_id);
        let Some(it) = self.asked.get_mut(estimation_id) else { return Vec::new() };
        it.version = version;
        let own = of_project(&it.project_id, estimation_id);
        match &event.data {
            EventData::EstimateSubmitted(e) => {
                it.said.insert(e.member_id.clone(), (e.points, at));
                [own].into_iter().chain(of_member(estimation_id, &e.member_id)).collect()
            }
            EventData::EstimationClosed(e) => {
                let said = e.estimates.iter().map(|it| (it.member_id.clone(), it.points));
                let turned_up = said.collect();
                it.closed = Some(Closed { points: e.points, spread: e.spread, at, turned_up });
                // what somebody has said themselves is the same before and after
                before.into_iter().filter(|(table, _)| *table != "my_estimates").collect()
            }
            EventData::EstimationReopened(e) => {
                it.said.clear();
                (it.round, it.opened_at, it.closed) = (e.round, at, None);
                before
            }
            _ => vec![own],
        }
    }
}
