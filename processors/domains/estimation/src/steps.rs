//! What the steps of processes decide about an estimation: whether it opens, and how it ends with its project.

use millrace_kernel::{StateReader, Text};

use crate::estimation::{self, Kept, estimation, status};
use crate::listing;
use crate::messages::EventData;
use crate::messages::events::{
    EstimationEnded, EstimationEndingNoted, EstimationOpened, EstimationRefused, EstimationReopened,
    EstimationReopeningRefused, EstimationSettled,
};
use crate::messages::state::State;
use crate::messages::steps::{ConcludeEstimation, EndEstimation, SettleEstimation};

fn kept(states: &impl StateReader<State = State>, estimation_id: &Text) -> Kept {
    states.get(&estimation::id(estimation_id))
}

/// The project has taken note, or cannot; or it has ended since. Nothing happens when a repeated step finds it done.
pub(crate) fn conclude(
    states: &impl StateReader<State = State>,
    step: &ConcludeEstimation,
) -> Option<EventData> {
    let kept = kept(states, &step.estimation_id);
    let asked = estimation(&kept)?;
    let (estimation_id, project_id) = (step.estimation_id.clone(), asked.project_id.clone());
    let violations = match step.violations.is_empty() && asked.is_over {
        true => vec![listing::has_ended(&project_id)],
        false => step.violations.clone(),
    };
    match (&*asked.status, violations.is_empty()) {
        (status::REQUESTED, true) => {
            let (team_id, title, scale) = (asked.team_id.clone(), asked.title.clone(), asked.scale.clone());
            Some(EstimationOpened { estimation_id, project_id, team_id, title, scale }.into())
        }
        (status::REQUESTED, false) => {
            Some(EstimationRefused { estimation_id, project_id, violations }.into())
        }
        (status::REOPENING, true) => {
            Some(EstimationReopened { estimation_id, project_id, round: asked.round + 1 }.into())
        }
        (status::REOPENING, false) => {
            Some(EstimationReopeningRefused { estimation_id, project_id, violations }.into())
        }
        _ => None,
    }
}

/// The project has forgotten what was closed.
pub(crate) fn settle(states: &impl StateReader<State = State>, step: &SettleEstimation) -> Option<EventData> {
    let kept = kept(states, &step.estimation_id);
    let closing = estimation(&kept).filter(|it| it.status == status::CLOSING)?;
    let (estimation_id, project_id) = (step.estimation_id.clone(), closing.project_id.clone());
    Some(EstimationSettled { estimation_id, project_id }.into())
}

/// Its project has ended: what is open ends with it, and what is not does not open any more.
pub(crate) fn end(states: &impl StateReader<State = State>, step: &EndEstimation) -> Option<EventData> {
    let EndEstimation { estimation_id, project_id } = step.clone();
    let kept = kept(states, &estimation_id);
    let asked = estimation(&kept).filter(|it| it.project_id == project_id && !it.is_over)?;
    Some(match &*asked.status {
        status::OPEN => EstimationEnded { estimation_id, project_id }.into(),
        _ => EstimationEndingNoted { estimation_id, project_id }.into(),
    })
}
