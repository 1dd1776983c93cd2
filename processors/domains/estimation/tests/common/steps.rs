//! Steps.

use millrace_domain_estimation::messages::{StepData, steps};
use millrace_kernel::Violation;

pub fn enlist(project_id: &str, estimation_id: &str, is_first: bool) -> StepData {
    steps::EnlistEstimation { project_id: project_id.into(), estimation_id: estimation_id.into(), is_first }
        .into()
}

pub fn conclude(estimation_id: &str, violations: Vec<Violation>) -> StepData {
    steps::ConcludeEstimation { estimation_id: estimation_id.into(), violations }.into()
}

pub fn delist(project_id: &str, estimation_id: &str) -> StepData {
    steps::DelistEstimation { project_id: project_id.into(), estimation_id: estimation_id.into() }.into()
}

pub fn settle(estimation_id: &str) -> StepData {
    steps::SettleEstimation { estimation_id: estimation_id.into() }.into()
}

pub fn end_project(project_id: &str) -> StepData {
    steps::EndProjectEstimations { project_id: project_id.into() }.into()
}

pub fn end(estimation_id: &str, project_id: &str) -> StepData {
    steps::EndEstimation { estimation_id: estimation_id.into(), project_id: project_id.into() }.into()
}
