//! Projection `estimations`: the estimations of a project, and who has estimated in each. **It takes points from
//! `EstimationClosed` and from no other event**, so neither its rows nor what it knows say any before.

use std::borrow::Cow;
use std::sync::Arc;

use millrace_kernel::{Event, Keeps, Known, Projection, StagedProjector, Writes};
use serde::{Deserialize, Serialize};

use super::known::{keep, read};
use crate::messages::EventData;
use crate::messages::events::{EstimationClosed, EstimationOpened};
use crate::messages::rows::{EstimatesRow, EstimationsByProjectRow};
use crate::scale::Scale;

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "estimations",
        views: &[EstimationsByProjectRow::TABLE, EstimatesRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| Box::new(Estimations)),
    }
}

/// As rows say it of one that can be estimated.
const OPEN: &str = "OPEN";
/// And of one that can not.
const CLOSED: &str = "CLOSED";

/// Knows of every estimation that was opened what its row says, and who has estimated, by the id of its aggregate.
struct Estimations;

#[derive(Clone, Serialize, Deserialize)]
struct Estimation {
    project_id: Arc<str>,
    team_id: Arc<str>,
    title: Arc<str>,
    scale: Arc<str>,
    round: i32,
    /// Who has estimated in this round, and when, last.
    members: Vec<(Arc<str>, i64)>,
    opened_at: i64,
    closed: Option<Closed>,
}

/// What a round came to.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Closed {
    points: i64,
    spread: i64,
    at: i64,
}

impl Estimation {
    fn opened(event: &EstimationOpened, at: i64) -> Self {
        Self {
            project_id: event.project_id.as_str().into(),
            team_id: event.team_id.as_str().into(),
            title: event.title.as_str().into(),
            scale: event.scale.as_str().into(),
            round: 1,
            members: Vec::new(),
            opened_at: at,
            closed: None,
        }
    }

    fn row(&self, estimation_id: &str, version: i64) -> EstimationsByProjectRow {
        EstimationsByProjectRow {
            project_id: self.project_id.clone(),
            estimation_id: estimation_id.into(),
            team_id: self.team_id.clone(),
            title: self.title.clone(),
            scale: self.scale.clone(),
            cards: cards(&self.scale).into(),
            status: if self.closed.is_some() { CLOSED } else { OPEN }.into(),
            round: self.round,
            // there are 200 at most
            estimate_count: i32::try_from(self.members.len()).unwrap_or(i32::MAX),
            points: self.closed.map(|it| it.points),
            spread: self.closed.map(|it| it.spread),
            opened_at: self.opened_at,
            closed_at: self.closed.map(|it| it.at),
            version,
        }
    }

    fn estimate(&self, estimation_id: &str, member_id: &str, at: i64, points: Option<i64>) -> EstimatesRow {
        EstimatesRow {
            estimation_id: estimation_id.into(),
            member_id: member_id.into(),
            project_id: self.project_id.clone(),
            team_id: self.team_id.clone(),
            round: self.round,
            points,
            submitted_at: at,
        }
    }

    /// Whoever has estimated now has, at that time.
    fn note(&mut self, member_id: &str, at: i64) {
        match self.members.iter_mut().find(|(member, _)| **member == *member_id) {
            Some((_, last)) => *last = at,
            None => self.members.push((member_id.into(), at)),
        }
    }

    /// Deletes the rows of the members, who have not estimated any more.
    fn forget_members(&mut self, estimation_id: &str, at: i64, writes: &mut Writes) {
        for (member_id, _) in self.members.drain(..) {
            writes.push(EstimatesRow::delete(estimation_id.into(), member_id, at));
        }
    }
}

/// A value of a scale, as rows say it.
#[derive(Serialize)]
struct Card {
    points: i64,
    label: Cow<'static, str>,
}

fn cards(scale: &str) -> String {
    let cards = Scale::parse(scale)
        .map(|scale| scale.cards().map(|(points, label)| Card { points, label }).collect::<Vec<_>>());
    // a list of numbers and texts always is JSON
    serde_json::to_string(&cards.unwrap_or_default()).unwrap_or_default()
}

/// Turns up what everybody has estimated.
fn close(estimation: &mut Estimation, closed: &EstimationClosed, at: i64, writes: &mut Writes) {
    estimation.closed = Some(Closed { points: closed.points, spread: closed.spread, at });
    for estimate in &closed.estimates {
        let submitted =
            estimation.members.iter().find(|(member, _)| **member == *estimate.member_id.as_str());
        let submitted_at = submitted.map_or(at, |(_, at)| *at);
        let points = Some(estimate.points);
        let row = estimation.estimate(&closed.estimation_id, &estimate.member_id, submitted_at, points);
        writes.push(row.put(at));
    }
}

impl StagedProjector<EventData> for Estimations {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let (at, key) = (event.recorded_at, event.aggregate_id.as_bytes());
        if let EventData::EstimationOpened(e) = &event.data {
            let estimation = Estimation::opened(e, at);
            keep(known, key, &estimation);
            writes.push(estimation.row(&e.estimation_id, event.version).put(at));
            return;
        }
        // of what is only requested there is no row, and projects have none
        let found: Option<Estimation> = read(known, key);
        let Some(mut estimation) = found else { return };
        let estimation_id = match &event.data {
            EventData::EstimateSubmitted(e) => {
                estimation.note(&e.member_id, at);
                writes.push(estimation.estimate(&e.estimation_id, &e.member_id, at, None).put(at));
                &e.estimation_id
            }
            EventData::EstimationClosed(e) => {
                close(&mut estimation, e, at, writes);
                &e.estimation_id
            }
            EventData::EstimationReopened(e) => {
                estimation.forget_members(&e.estimation_id, at, writes);
                (estimation.round, estimation.opened_at, estimation.closed) = (e.round, at, None);
                &e.estimation_id
            }
            EventData::EstimationEnded(e) => {
                estimation.forget_members(&e.estimation_id, at, writes);
                known.remove(key);
                let estimation_id = e.estimation_id.as_str().into();
                writes.push(EstimationsByProjectRow::delete(estimation.project_id, estimation_id, at));
                return;
            }
            // nothing but the version is another
            EventData::EstimationSettled(e) => &e.estimation_id,
            EventData::EstimationReopeningRequested(e) => &e.estimation_id,
            EventData::EstimationReopeningRefused(e) => &e.estimation_id,
            EventData::EstimationEndingNoted(e) => &e.estimation_id,
            _ => return,
        };
        keep(known, key, &estimation);
        writes.push(estimation.row(estimation_id, event.version).put(at));
    }
}
