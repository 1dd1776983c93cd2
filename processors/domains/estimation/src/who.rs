//! Who may: what decisions look up in projects, which publishes who has which rank in a team and whose a project is.

use millrace_kernel::codes::{NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{Published, Rejections, StateReader, Violation, id};

use crate::messages::State;

/// The team that works on a project, while there is the project.
pub const PROJECT_TEAM: Published = Published::of("projects", "ProjectTeam");
/// Somebody who may estimate: owner, admin or member of a team.
pub const CONTRIBUTOR: Published = Published::of("projects", "Contributor");
/// Somebody who may open, close and reopen: owner or admin of a team.
pub const MANAGER: Published = Published::of("projects", "Manager");

fn is(states: &impl StateReader<State = State>, of: Published, parts: [&str; 2]) -> bool {
    parts.iter().all(|part| id::is_valid(part)) && states.exists_elsewhere(of, &parts)
}

/// Gives `states` back to somebody who may open, close and reopen estimations of a team; who acts for nobody in particular may.
pub(crate) fn manages<'s, S: StateReader<State = State>>(
    rejections: &mut Rejections,
    states: &'s S,
    actor: Option<&str>,
    team_id: &str,
) -> Option<&'s S> {
    let may = actor.is_none_or(|actor| is(states, MANAGER, [actor, team_id]));
    let holds = rejections.require(may, || {
        let who = "only owners and admins of the team may open, close and reopen its estimations";
        Violation::on(NOT_PERMITTED, "metadata.user_id", who)
    });
    holds.then_some(states)
}

/// Gives `states` back to somebody who may estimate as this member; who acts for nobody in particular may, for everybody.
pub(crate) fn estimates<'s, S: StateReader<State = State>>(
    rejections: &mut Rejections,
    states: &'s S,
    actor: Option<&str>,
    member_id: &str,
    team_id: &str,
) -> Option<&'s S> {
    let may = actor.is_none_or(|actor| actor == member_id && is(states, CONTRIBUTOR, [actor, team_id]));
    let holds = rejections.require(may, || {
        let who = "only owners, admins and members of the team may estimate, each for themselves";
        Violation::on(NOT_PERMITTED, "metadata.user_id", who)
    });
    holds.then_some(states)
}

/// `member_id` must be of somebody who may estimate in the team.
pub(crate) fn is_member(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    member_id: &str,
    team_id: &str,
) {
    if rejections.well_formed("member_id", member_id)
        && let Some(states) = states.filter(|_| id::is_valid(team_id))
    {
        rejections.require(is(states, CONTRIBUTOR, [member_id, team_id]), || {
            let message = format!("team {team_id} has no owner, admin or member {member_id}");
            Violation::on(NOT_FOUND, "member_id", message)
        });
    }
}

/// There must be the project, and the team must work on it.
pub(crate) fn is_of_team(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    project_id: &str,
    team_id: &str,
) {
    if rejections.well_formed("project_id", project_id)
        && let Some(states) = states.filter(|_| id::is_valid(team_id))
    {
        rejections.require(is(states, PROJECT_TEAM, [project_id, team_id]), || {
            Violation::on(NOT_FOUND, "project_id", format!("team {team_id} has no project {project_id}"))
        });
    }
}
