//! Steps.

use millrace_domain_projects::messages::{StepData, steps};
use millrace_kernel::Violation;

pub fn found_team(team_id: &str, user_id: &str, requested_by: Option<&str>) -> StepData {
    let requested_by = requested_by.map(Into::into);
    steps::FoundTeam { team_id: team_id.into(), user_id: user_id.into(), requested_by }.into()
}

pub fn enlist(project_id: &str, user_id: &str, team_id: &str) -> StepData {
    steps::EnlistMembership {
        project_id: project_id.into(),
        user_id: user_id.into(),
        team_id: team_id.into(),
    }
    .into()
}

pub fn conclude(user_id: &str, team_id: &str, violations: Vec<Violation>) -> StepData {
    steps::ConcludeMembership { user_id: user_id.into(), team_id: team_id.into(), violations }.into()
}

pub fn delist(
    project_id: &str,
    user_id: &str,
    team_id: &str,
    with_project: bool,
    violations: Vec<Violation>,
) -> StepData {
    steps::DelistMembership {
        project_id: project_id.into(),
        user_id: user_id.into(),
        team_id: team_id.into(),
        with_project,
        violations,
    }
    .into()
}

pub fn close(user_id: &str, team_id: &str, violations: Vec<Violation>) -> StepData {
    steps::CloseMembership { user_id: user_id.into(), team_id: team_id.into(), violations }.into()
}

pub fn end_member(user_id: &str) -> StepData {
    steps::EndMember { user_id: user_id.into() }.into()
}

pub fn end_membership(user_id: &str, team_id: &str, project_id: Option<&str>) -> StepData {
    steps::EndMembership {
        user_id: user_id.into(),
        team_id: team_id.into(),
        project_id: project_id.map(Into::into),
    }
    .into()
}
