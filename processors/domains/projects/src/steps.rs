//! What the steps of processes decide about a membership: its end where it was asked for, and what is left to do afterwards.

use std::sync::Arc;

use millrace_kernel::{StateReader, Text};

use crate::membership::{self, status};
use crate::messages::EventData;
use crate::messages::events::{
    MembershipClosed, MembershipCreated, MembershipCreatedForProject, MembershipEndingNoted,
    MembershipRefused, MembershipWithdrawn,
};
use crate::messages::state::{Membership, State};
use crate::messages::steps::{CloseMembership, ConcludeMembership, EndMembership};
use crate::role::{self, Role};
use crate::{member, project};

fn kept(states: &impl StateReader<State = State>, user_id: &str, team_id: &str) -> Option<Arc<State>> {
    states.get(&membership::id(user_id, team_id))
}

/// The project has taken note, or the team is founded; or it cannot be. Nothing happens when a repeated step finds it ended.
pub(crate) fn conclude(
    states: &impl StateReader<State = State>,
    step: &ConcludeMembership,
) -> Vec<EventData> {
    let (user_id, team_id) = (&step.user_id, &step.team_id);
    let kept = kept(states, user_id, team_id);
    let Some(requested) = kept.as_deref().and_then(State::membership) else { return Vec::new() };
    let is_ending = match &*requested.status {
        status::REQUESTED => false,
        status::ENDING => true,
        _ => return Vec::new(),
    };
    if is_ending || !step.violations.is_empty() {
        let mut events = vec![refused(states, step, requested)];
        events.extend(member::left(states, user_id, team_id));
        return events;
    }
    let mut events = vec![begun(user_id, team_id, requested)];
    events.extend(role::changed(user_id, team_id, None, Role::parse(&requested.role)));
    events
}

fn begun(user_id: &Text, team_id: &Text, requested: &Membership) -> EventData {
    let (membership_id, role) = (requested.membership_id.clone(), requested.role.clone());
    let (team_id, user_id) = (team_id.clone(), user_id.clone());
    match requested.project_id.clone() {
        Some(project_id) => {
            MembershipCreatedForProject { project_id, membership_id, team_id, user_id, role }.into()
        }
        None => MembershipCreated { membership_id, team_id, user_id, role }.into(),
    }
}

/// What was not to begin any more is taken back where the project has taken note of it. A team that was founded stays so.
fn refused(
    states: &impl StateReader<State = State>,
    step: &ConcludeMembership,
    requested: &Membership,
) -> EventData {
    let (team_id, user_id) = (step.team_id.clone(), step.user_id.clone());
    if !step.violations.is_empty() {
        return MembershipRefused { team_id, user_id, violations: step.violations.clone() }.into();
    }
    let project_id = requested.project_id.clone();
    let violation = match &project_id {
        Some(project_id) if !member::has_ended(states, &user_id) => project::is_deleted(project_id),
        _ => member::nobody(&user_id),
    };
    let violations = vec![violation];
    match project_id {
        Some(project_id) => MembershipWithdrawn { team_id, user_id, project_id, violations }.into(),
        None => MembershipRefused { team_id, user_id, violations }.into(),
    }
}

/// The project has forgotten what has ended. Nothing happens when a repeated step finds it closed.
pub(crate) fn close(states: &impl StateReader<State = State>, step: &CloseMembership) -> Option<EventData> {
    let kept = kept(states, &step.user_id, &step.team_id);
    let is_leaving =
        kept.as_deref().and_then(State::membership).is_some_and(|it| it.status == status::LEAVING);
    let (team_id, user_id) = (step.team_id.clone(), step.user_id.clone());
    is_leaving.then(|| match step.violations.is_empty() {
        true => MembershipClosed { team_id, user_id }.into(),
        false => MembershipRefused { team_id, user_id, violations: step.violations.clone() }.into(),
    })
}

/// Its user has ended, or its project, which waits to be told that it may go on.
pub(crate) fn end(states: &impl StateReader<State = State>, step: &EndMembership) -> Vec<EventData> {
    let EndMembership { user_id, team_id, project_id } = step;
    let kept = kept(states, user_id, team_id);
    let membership = kept.as_deref().and_then(State::membership);
    // what was not given through the project does not end with it
    let membership = membership.filter(|it| project_id.is_none() || it.project_id == *project_id);
    match membership {
        Some(active) if active.status == status::ACTIVE => {
            membership::ended(states, user_id, team_id, active, project_id.is_some())
        }
        Some(it) if it.status == status::REQUESTED => vec![noted(step)],
        _ if project_id.is_some() => vec![noted(step)],
        _ => Vec::new(),
    }
}

fn noted(step: &EndMembership) -> EventData {
    let EndMembership { user_id, team_id, project_id } = step.clone();
    MembershipEndingNoted { team_id, user_id, project_id }.into()
}
