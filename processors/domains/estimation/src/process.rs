//! The processes of this domain, as functions of events.
//!
//! ```text
//! OpenEstimation → EstimationRequested ────────────┬► EnlistEstimation → EstimationEnlisted, …EnlistingRefused ► ConcludeEstimation → EstimationOpened, EstimationRefused,
//! ReopenEstimation → EstimationReopeningRequested ─┘  (project_id)                                               (estimation_id)      EstimationReopened, …ReopeningRefused
//! (estimation_id)
//!
//! CloseEstimation → EstimationClosed ► DelistEstimation → EstimationDelisted ► SettleEstimation → EstimationSettled
//! (estimation_id)                      (project_id)                            (estimation_id)
//!
//! ProjectDeleted ► EndProjectEstimations → ProjectEstimationsEnded ► EndEstimation → EstimationEnded, EstimationEndingNoted
//!                  (project_id)                                      (estimation_id)
//! ```

use millrace_kernel::{FollowUp, Rejections, Text, Violation};

use crate::messages::steps::{
    ConcludeEstimation, DelistEstimation, EndEstimation, EnlistEstimation, SettleEstimation,
};
use crate::messages::{EventData, StepData};

/// What an event sets in motion.
pub(crate) fn follow_up(event: &EventData) -> FollowUp<StepData> {
    match event {
        EventData::EstimationRequested(e) => enlist(&e.project_id, &e.estimation_id, true),
        EventData::EstimationReopeningRequested(e) => enlist(&e.project_id, &e.estimation_id, false),
        EventData::EstimationEnlisted(e) => conclude(&e.estimation_id, &[]),
        EventData::EstimationEnlistingRefused(e) => conclude(&e.estimation_id, &e.violations),
        EventData::EstimationClosed(e) => one(DelistEstimation::from(e).into()),
        EventData::EstimationDelisted(e) => one(SettleEstimation::from(e).into()),
        EventData::EstimationOpened(_)
        | EventData::EstimationReopened(_)
        | EventData::EstimationSettled(_) => FollowUp::Completed,
        EventData::EstimationRefused(e) => refused(&e.violations),
        EventData::EstimationReopeningRefused(e) => refused(&e.violations),
        EventData::ProjectEstimationsEnded(e) if !e.estimation_ids.is_empty() => {
            let end = |estimation_id: &Text| {
                let (estimation_id, project_id) = (estimation_id.clone(), e.project_id.clone());
                EndEstimation { estimation_id, project_id }.into()
            };
            FollowUp::Steps(e.estimation_ids.iter().map(end).collect())
        }
        EventData::ProjectEstimationsEnded(_)
        | EventData::EstimateSubmitted(_)
        | EventData::EstimationEnded(_)
        | EventData::EstimationEndingNoted(_) => FollowUp::None,
    }
}

fn one(step: StepData) -> FollowUp<StepData> {
    FollowUp::Steps(vec![step])
}

fn refused(violations: &[Violation]) -> FollowUp<StepData> {
    FollowUp::Refused(Rejections::from(violations.to_vec()))
}

fn enlist(project_id: &Text, estimation_id: &Text, is_first: bool) -> FollowUp<StepData> {
    let (project_id, estimation_id) = (project_id.clone(), estimation_id.clone());
    one(EnlistEstimation { project_id, estimation_id, is_first }.into())
}

fn conclude(estimation_id: &Text, violations: &[Violation]) -> FollowUp<StepData> {
    one(ConcludeEstimation { estimation_id: estimation_id.clone(), violations: violations.to_vec() }.into())
}
