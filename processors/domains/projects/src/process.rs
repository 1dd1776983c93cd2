//! The processes of this domain, as functions of events.
//!
//! ```text
//! CreateMembership → MembershipRequested ──────────► FoundTeam → TeamFounded, TeamFoundingRefused ────────────┬► ConcludeMembership → MembershipCreated, MembershipCreatedForProject,
//! CreateMembershipForProject → MembershipRequested ► EnlistMembership → MembershipEnlisted, …EnlistingRefused ┘  (user_id)            MembershipRefused, MembershipWithdrawn
//! (user_id)                                          (team_id, project_id)
//!
//! DeleteMembership → MembershipDeleted ┐
//! ConcludeMembership → …Withdrawn ─────┼► DelistMembership → MembershipDelisted ► CloseMembership → MembershipClosed, MembershipRefused
//! EndMember → MemberEnded ► EndMembership → MembershipDeleted   (project_id)      (user_id)
//! (user_id)                 (user_id)
//!
//! DeleteProject → ProjectDeleted ► EndMembership → MembershipDeleted, …EndingNoted ► DelistMembership → MembershipDelisted ► EndMembership … until none is left
//! (project_id)                     (user_id)                                         (project_id)
//! ```

use millrace_kernel::{FollowUp, Rejections, Text, Violation};

use crate::messages::events::Given;
use crate::messages::steps::{
    CloseMembership, ConcludeMembership, DelistMembership, EndMembership, EnlistMembership, FoundTeam,
};
use crate::messages::{EventData, StepData};

/// What an event sets in motion.
pub(crate) fn follow_up(event: &EventData) -> FollowUp<StepData> {
    match event {
        EventData::MembershipRequested(e) => one(match &e.project_id {
            Some(project_id) => EnlistMembership {
                project_id: project_id.clone(),
                user_id: e.user_id.clone(),
                team_id: e.team_id.clone(),
            }
            .into(),
            None => FoundTeam::from(e).into(),
        }),
        EventData::TeamFounded(e) => conclude(&e.user_id, &e.team_id, &[]),
        EventData::TeamFoundingRefused(e) => conclude(&e.user_id, &e.team_id, &e.violations),
        EventData::MembershipEnlisted(e) => conclude(&e.user_id, &e.team_id, &[]),
        EventData::MembershipEnlistingRefused(e) => conclude(&e.user_id, &e.team_id, &e.violations),
        EventData::MembershipRefused(e) => FollowUp::Refused(Rejections::from(e.violations.clone())),
        EventData::MembershipCreated(_)
        | EventData::MembershipCreatedForProject(_)
        | EventData::MembershipClosed(_) => FollowUp::Completed,
        EventData::MembershipDeleted(e) => match &e.project_id {
            Some(project_id) => delist(project_id, &e.user_id, &e.team_id, e.with_project, &[]),
            None => FollowUp::Completed,
        },
        EventData::MembershipWithdrawn(e) => {
            delist(&e.project_id, &e.user_id, &e.team_id, false, &e.violations)
        }
        EventData::MembershipEndingNoted(e) => match &e.project_id {
            Some(project_id) => delist(project_id, &e.user_id, &e.team_id, true, &[]),
            None => FollowUp::None,
        },
        EventData::MembershipDelisted(e) if e.with_project => end_next(&e.project_id, e.next.as_ref()),
        EventData::MembershipDelisted(e) => one(CloseMembership {
            user_id: e.user_id.clone(),
            team_id: e.team_id.clone(),
            violations: e.violations.clone(),
        }
        .into()),
        EventData::ProjectDeleted(e) => end_next(&e.project_id, e.next.as_ref()),
        EventData::MemberEnded(e) if !e.team_ids.is_empty() => {
            FollowUp::Steps(e.team_ids.iter().map(|team_id| end(&e.user_id, team_id, None)).collect())
        }
        EventData::MemberEnded(_)
        | EventData::MembershipUpdated(_)
        | EventData::MemberJoined(_)
        | EventData::MemberLeft(_)
        | EventData::ContributorAppointed(_)
        | EventData::ContributorDismissed(_)
        | EventData::ManagerAppointed(_)
        | EventData::ManagerDismissed(_)
        | EventData::OwnerAppointed(_)
        | EventData::OwnerDismissed(_)
        | EventData::ProjectCreated(_)
        | EventData::ProjectUpdated(_)
        | EventData::ProjectTeamSet(_)
        | EventData::ProjectTeamCleared(_)
        | EventData::BoardCounted(_)
        | EventData::TaskCreated(_)
        | EventData::TaskMoved(_)
        | EventData::TaskRenamed(_)
        | EventData::TaskDeleted(_) => FollowUp::None,
    }
}

fn one(step: StepData) -> FollowUp<StepData> {
    FollowUp::Steps(vec![step])
}

fn conclude(user_id: &Text, team_id: &Text, violations: &[Violation]) -> FollowUp<StepData> {
    let (user_id, team_id) = (user_id.clone(), team_id.clone());
    one(ConcludeMembership { user_id, team_id, violations: violations.to_vec() }.into())
}

fn delist(
    project_id: &Text,
    user_id: &Text,
    team_id: &Text,
    with_project: bool,
    violations: &[Violation],
) -> FollowUp<StepData> {
    one(DelistMembership {
        project_id: project_id.clone(),
        user_id: user_id.clone(),
        team_id: team_id.clone(),
        with_project,
        violations: violations.to_vec(),
    }
    .into())
}

/// One after the other, so that the outcome names all that was written: branches of a process do not know of each other.
fn end_next(project_id: &Text, next: Option<&Given>) -> FollowUp<StepData> {
    match next {
        Some(next) => one(end(&next.user_id, &next.team_id, Some(project_id))),
        None => FollowUp::Completed,
    }
}

fn end(user_id: &Text, team_id: &Text, project_id: Option<&Text>) -> StepData {
    EndMembership { user_id: user_id.clone(), team_id: team_id.clone(), project_id: project_id.cloned() }
        .into()
}
