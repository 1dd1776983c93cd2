//! Projection `own_estimates`: what somebody has estimated themselves, for them alone. It is a family of its own, so that what
//! has points of open rounds, its tables, its changes and what it knows, is apart from what others read.

use std::sync::Arc;

use millrace_kernel::{Event, Keeps, Known, Projection, StagedProjector, Text, Writes};

use super::known::{keep, read};
use crate::messages::EventData;
use crate::messages::rows::MyEstimatesRow;

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "own_estimates",
        views: &[MyEstimatesRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| Box::new(OwnEstimates)),
    }
}

/// Knows who has estimated in this round of an estimation, by the id of its aggregate.
struct OwnEstimates;

/// Takes away what was estimated in a round that is over.
fn forget(estimation_id: &Text, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
    let members: Option<Vec<Arc<str>>> = read(known, event.aggregate_id.as_bytes());
    known.remove(event.aggregate_id.as_bytes());
    for member_id in members.unwrap_or_default() {
        writes.push(MyEstimatesRow::delete(estimation_id.as_str().into(), member_id, event.recorded_at));
    }
}

impl StagedProjector<EventData> for OwnEstimates {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        match &event.data {
            EventData::EstimateSubmitted(e) => {
                let key = event.aggregate_id.as_bytes();
                let mut members: Vec<Arc<str>> = read(known, key).unwrap_or_default();
                if !members.iter().any(|member| **member == *e.member_id.as_str()) {
                    members.push(e.member_id.as_str().into());
                    keep(known, key, &members);
                }
                let row = MyEstimatesRow {
                    estimation_id: e.estimation_id.as_str().into(),
                    member_id: e.member_id.as_str().into(),
                    project_id: e.project_id.as_str().into(),
                    round: e.round,
                    points: e.points,
                    submitted_at: event.recorded_at,
                };
                writes.push(row.put(event.recorded_at));
            }
            EventData::EstimationReopened(e) => forget(&e.estimation_id, event, known, writes),
            EventData::EstimationEnded(e) => forget(&e.estimation_id, event, known, writes),
            _ => {}
        }
    }
}
