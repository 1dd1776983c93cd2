//! What a project knows of its open estimations: so that they end with it, wherever they are.

use millrace_kernel::codes::{INVALID_STATE, LIMIT_REACHED};
use millrace_kernel::{AggregateId, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::events::{
    EstimationDelisted, EstimationEnlisted, EstimationEnlistingRefused, ProjectEstimationsEnded,
};
use crate::messages::state::{ProjectEstimations, State};
use crate::messages::steps::{DelistEstimation, EnlistEstimation};

/// The kind of aggregate.
pub const KIND: &str = "ProjectEstimations";

/// Most estimations of a project that are open at a time: they are in its list, which is written with each.
pub const MAX_OPEN: usize = 200;
/// Most estimations of a project, closed ones among them: they are rows of one partition.
pub const MAX_ESTIMATIONS: i32 = 10_000;

/// `ProjectEstimations/<project_id>`
#[must_use]
pub fn id(project_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[project_id])
}

/// What is said of a project that has ended.
pub(crate) fn has_ended(project_id: &str) -> Violation {
    let message = format!("project {project_id} was deleted, and no estimation of it opens any more");
    Violation::on(INVALID_STATE, "project_id", message)
}

fn nothing() -> ProjectEstimations {
    ProjectEstimations { estimation_ids: Vec::new(), opened: 0, ended: false }
}

fn kept(states: &impl StateReader<State = State>, project_id: &str) -> ProjectEstimations {
    let kept = states.get(&id(project_id));
    kept.as_deref().and_then(State::project_estimations).cloned().unwrap_or_else(nothing)
}

/// Takes note of an estimation that is about to open, if the project is still there. One that is in the list is not added
/// again, whoever repeats the step.
pub(crate) fn enlist(states: &impl StateReader<State = State>, step: &EnlistEstimation) -> EventData {
    let EnlistEstimation { project_id, estimation_id, is_first } = step.clone();
    let kept = kept(states, &project_id);
    let is_listed = kept.estimation_ids.contains(&estimation_id);
    let violation = if kept.ended {
        Some(has_ended(&project_id))
    } else if !is_listed && kept.estimation_ids.len() >= MAX_OPEN {
        let message = format!(
            "{MAX_OPEN} estimations of project {project_id} are open, the most there may be; close some first"
        );
        Some(Violation::on(LIMIT_REACHED, "project_id", message))
    } else if !is_listed && is_first && kept.opened >= MAX_ESTIMATIONS {
        let message = format!(
            "project {project_id} has had {MAX_ESTIMATIONS} estimations, the most there may be; reopen one of them"
        );
        Some(Violation::on(LIMIT_REACHED, "project_id", message))
    } else {
        None
    };
    match violation {
        None => EstimationEnlisted { project_id, estimation_id, is_first }.into(),
        Some(violation) => {
            EstimationEnlistingRefused { project_id, estimation_id, violations: vec![violation] }.into()
        }
    }
}

/// Forgets an estimation, whether or not it is in the list: whoever has told the project waits for that.
pub(crate) fn delist(step: &DelistEstimation) -> EventData {
    let DelistEstimation { project_id, estimation_id } = step.clone();
    EstimationDelisted { project_id, estimation_id }.into()
}

/// The project was deleted. That happens once; a step that is repeated finds it done.
pub(crate) fn end(states: &impl StateReader<State = State>, project_id: &Text) -> Option<EventData> {
    let kept = kept(states, project_id);
    let ended =
        ProjectEstimationsEnded { project_id: project_id.clone(), estimation_ids: kept.estimation_ids };
    (!kept.ended).then(|| ended.into())
}

/// The state after an event of ProjectEstimations.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let before = match state {
        Some(State::ProjectEstimations(list)) => Some(list),
        _ => None,
    };
    let list = match event {
        EventData::EstimationEnlisted(e) => {
            let mut list = before.unwrap_or_else(nothing);
            if !list.estimation_ids.contains(&e.estimation_id) {
                list.estimation_ids.push(e.estimation_id.clone());
                list.opened += i32::from(e.is_first);
            }
            Some(list)
        }
        EventData::EstimationDelisted(e) => before.map(|mut list| {
            list.estimation_ids.retain(|it| *it != e.estimation_id);
            list
        }),
        EventData::ProjectEstimationsEnded(_) => {
            let list = before.unwrap_or_else(nothing);
            Some(ProjectEstimations { estimation_ids: Vec::new(), ended: true, ..list })
        }
        _ => before,
    };
    list.map(State::ProjectEstimations)
}
