//! Membership: who is in a team, and as what; what commands ask of it. How one that takes several steps begins and ends is
//! in `steps`.

use std::sync::Arc;

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{AggregateId, Rejections, StateReader, Text, Violation, id};

use crate::messages::EventData;
use crate::messages::commands::{
    CreateMembership, CreateMembershipForProject, DeleteMembership, UpdateMembership,
};
use crate::messages::events::{MembershipCreated, MembershipDeleted, MembershipRequested, MembershipUpdated};
use crate::messages::state::{Membership, State};
use crate::role::{self, Rank, Role};
use crate::{member, project, team};

/// The kind of aggregate; also looked up by decisions elsewhere.
pub const KIND: &str = "Membership";

/// Where a membership stands, as it is written in its state.
pub mod status {
    /// The project is still to take note of it, or the team to be founded.
    pub const REQUESTED: &str = "REQUESTED";
    /// It was requested, and is not to begin: its user or its project has ended.
    pub const ENDING: &str = "ENDING";
    /// It is there.
    pub const ACTIVE: &str = "ACTIVE";
    /// It has ended, and the project is still to forget it.
    pub const LEAVING: &str = "LEAVING";
}

/// What is said to somebody who may not give, change or take a membership.
pub(crate) const WHO: &str = "only owners and admins of the team may do this, only owners where it is about an owner, and nobody \
                              to their own role of an owner";

/// `Membership/<user_id>/<team_id>`
#[must_use]
pub fn id(user_id: &str, team_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[user_id, team_id])
}

/// The membership in a state, if it is there for others.
#[must_use]
pub fn active(state: Option<&State>) -> Option<&Membership> {
    state.and_then(State::membership).filter(|membership| membership.status == status::ACTIVE)
}

/// What is kept of a membership, where both ids are ids.
fn kept(states: &impl StateReader<State = State>, user_id: &str, team_id: &str) -> Option<Arc<State>> {
    (id::is_valid(user_id) && id::is_valid(team_id)).then(|| states.get(&id(user_id, team_id))).flatten()
}

/// Gives `states` back to somebody who may do it.
fn permitted<'s, S>(rejections: &mut Rejections, may: bool, states: &'s S) -> Option<&'s S> {
    rejections.require(may, || Violation::on(NOT_PERMITTED, "metadata.user_id", WHO)).then_some(states)
}

/// Makes somebody a member, or lets them found a team that nobody has founded.
pub(crate) fn create(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CreateMembership,
) -> Result<Vec<EventData>, Rejections> {
    let CreateMembership { membership_id, team_id, user_id, role } = command;
    let mut rejections = Rejections::none();
    let new_role = Role::parse(role);
    let founds = new_role == Some(Role::Owner)
        && actor.is_none_or(|actor| actor == user_id.as_str())
        && !team::is_founded(states, team_id);
    let may = founds || may_give(states, actor, team_id, new_role);
    let of_team = permitted(&mut rejections, may, states);
    rejections.well_formed("membership_id", membership_id);
    if rejections.well_formed("team_id", team_id)
        && let Some(states) = of_team.filter(|_| !founds)
    {
        team::exists(&mut rejections, states, team_id);
    }
    begins(&mut rejections, of_team, user_id, team_id);
    let new_role = role::well_formed(&mut rejections, role);
    if founds {
        return rejections.or(|| {
            let requested = MembershipRequested {
                membership_id: membership_id.clone(),
                team_id: team_id.clone(),
                user_id: user_id.clone(),
                role: role.clone(),
                project_id: None,
                requested_by: actor.map(Into::into),
            };
            vec![requested.into(), member::joined(user_id, team_id)]
        });
    }
    rejections.or(|| {
        let created = MembershipCreated {
            membership_id: membership_id.clone(),
            team_id: team_id.clone(),
            user_id: user_id.clone(),
            role: role.clone(),
        };
        let mut events = vec![created.into(), member::joined(user_id, team_id)];
        events.extend(role::changed(user_id, team_id, None, new_role));
        events
    })
}

/// Makes somebody a member as soon as the project has taken note of it.
pub(crate) fn create_for_project(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CreateMembershipForProject,
) -> Result<Vec<EventData>, Rejections> {
    let CreateMembershipForProject { project_id, membership_id, team_id, user_id, role } = command;
    let mut rejections = Rejections::none();
    let may = may_give(states, actor, team_id, Role::parse(role));
    let of_team = permitted(&mut rejections, may, states);
    if rejections.well_formed("project_id", project_id)
        && let Some(states) = of_team.filter(|_| id::is_valid(team_id))
    {
        rejections.require(states.exists(&project::team_id(project_id, team_id)), || {
            project::not_the_teams(project_id, team_id)
        });
    }
    rejections.well_formed("membership_id", membership_id);
    rejections.well_formed("team_id", team_id);
    begins(&mut rejections, of_team, user_id, team_id);
    role::well_formed(&mut rejections, role);
    rejections.or(|| {
        let requested = MembershipRequested {
            membership_id: membership_id.clone(),
            team_id: team_id.clone(),
            user_id: user_id.clone(),
            role: role.clone(),
            project_id: Some(project_id.clone()),
            requested_by: actor.map(Into::into),
        };
        vec![requested.into(), member::joined(user_id, team_id)]
    })
}

/// Whether the acting user may give this role in a team: who wants to give what is no role is told so if they may give any.
fn may_give(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    team_id: &str,
    role: Option<Role>,
) -> bool {
    let rank = if role == Some(Role::Owner) { Rank::Owner } else { Rank::Manager };
    rank.is_held(states, actor, team_id)
}

/// The user must be there, and neither be in the team nor on the way into it or out of it.
fn begins(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    user_id: &str,
    team_id: &str,
) {
    if !rejections.well_formed("user_id", user_id) {
        return;
    }
    let Some(states) = states else { return };
    let kept = kept(states, user_id, team_id);
    match kept.as_deref().and_then(State::membership) {
        None => {
            member::can_join(rejections, states, user_id);
        }
        Some(membership) if membership.status == status::ACTIVE => {
            let message = format!("user {user_id} is in team {team_id} already; change the role instead");
            rejections.push(Violation::on(ALREADY_EXISTS, "user_id", message));
        }
        Some(_) => rejections.push(Violation::on(
            INVALID_STATE,
            "user_id",
            format!(
                "a membership of user {user_id} in team {team_id} is still beginning or ending; send this again when that \
                 has its outcome"
            ),
        )),
    }
}

/// Gives a member another role.
pub(crate) fn update(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &UpdateMembership,
) -> Result<Vec<EventData>, Rejections> {
    let UpdateMembership { team_id, user_id, role } = command;
    let mut rejections = Rejections::none();
    let kept = kept(states, user_id, team_id);
    let membership = active(kept.as_deref());
    let before = membership.and_then(|it| Role::parse(&it.role));
    let may = if before == Some(Role::Owner) || Role::parse(role) == Some(Role::Owner) {
        is_another_owner(states, actor, user_id, team_id, before)
    } else {
        Rank::Manager.is_held(states, actor, team_id)
    };
    let membership = permitted(&mut rejections, may, &membership);
    is_there(&mut rejections, membership, user_id, team_id);
    let after = role::well_formed(&mut rejections, role);
    rejections.or(|| {
        let updated =
            MembershipUpdated { team_id: team_id.clone(), user_id: user_id.clone(), role: role.clone() };
        let mut events = vec![updated.into()];
        events.extend(role::changed(user_id, team_id, before, after));
        events
    })
}

/// Ends a membership, at once for everybody; the command has its outcome when the project has forgotten it, if it was given
/// through one.
pub(crate) fn delete(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &DeleteMembership,
) -> Result<Vec<EventData>, Rejections> {
    let DeleteMembership { team_id, user_id } = command;
    let mut rejections = Rejections::none();
    let kept = kept(states, user_id, team_id);
    let membership = active(kept.as_deref());
    let before = membership.and_then(|it| Role::parse(&it.role));
    let may = if before == Some(Role::Owner) {
        is_another_owner(states, actor, user_id, team_id, before)
    } else {
        // everybody may leave
        actor.is_none_or(|actor| actor == user_id.as_str()) || Rank::Manager.is_held(states, actor, team_id)
    };
    let found = permitted(&mut rejections, may, &membership);
    is_there(&mut rejections, found, user_id, team_id);
    match membership {
        Some(membership) if rejections.is_empty() => Ok(ended(states, user_id, team_id, membership, false)),
        _ => Err(rejections),
    }
}

/// Whether the acting user may give or take the role of an owner: an owner, but not from themselves. So whoever is the last
/// cannot go without another one, and nobody has to count.
fn is_another_owner(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    user_id: &str,
    team_id: &str,
    before: Option<Role>,
) -> bool {
    let is_own = before == Some(Role::Owner) && actor == Some(user_id);
    !is_own && Rank::Owner.is_held(states, actor, team_id)
}

/// The membership of a command must be there. `None` is somebody who is not to know.
fn is_there(
    rejections: &mut Rejections,
    membership: Option<&Option<&Membership>>,
    user_id: &str,
    team_id: &str,
) {
    let is_team = rejections.well_formed("team_id", team_id);
    let is_user = rejections.well_formed("user_id", user_id);
    if is_team
        && is_user
        && let Some(membership) = membership
    {
        rejections.require(membership.is_some(), || {
            Violation::on(NOT_FOUND, "user_id", format!("user {user_id} is not in team {team_id}"))
        });
    }
}

/// What happens when a membership that is there ends.
pub(crate) fn ended(
    states: &impl StateReader<State = State>,
    user_id: &Text,
    team_id: &Text,
    membership: &Membership,
    with_project: bool,
) -> Vec<EventData> {
    let deleted = MembershipDeleted {
        membership_id: membership.membership_id.clone(),
        team_id: team_id.clone(),
        user_id: user_id.clone(),
        project_id: membership.project_id.clone(),
        with_project,
    };
    let mut events = vec![deleted.into()];
    events.extend(member::left(states, user_id, team_id));
    events.extend(role::changed(user_id, team_id, Role::parse(&membership.role), None));
    events
}

/// The state after an event of Membership.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let before = match state {
        Some(State::Membership(membership)) => Some(membership),
        _ => None,
    };
    let with = |status: &str| before.clone().map(|it| Membership { status: status.into(), ..it });
    let membership = match event {
        EventData::MembershipRequested(e) => Some(Membership {
            membership_id: e.membership_id.clone(),
            role: e.role.clone(),
            project_id: e.project_id.clone(),
            status: status::REQUESTED.into(),
        }),
        EventData::MembershipCreated(e) => Some(Membership {
            membership_id: e.membership_id.clone(),
            role: e.role.clone(),
            project_id: None,
            status: status::ACTIVE.into(),
        }),
        EventData::MembershipCreatedForProject(e) => Some(Membership {
            membership_id: e.membership_id.clone(),
            role: e.role.clone(),
            project_id: Some(e.project_id.clone()),
            status: status::ACTIVE.into(),
        }),
        EventData::MembershipUpdated(e) => before.map(|it| Membership { role: e.role.clone(), ..it }),
        EventData::MembershipEndingNoted(e) => match &before {
            Some(it)
                if it.status == status::REQUESTED
                    && (e.project_id.is_none() || e.project_id == it.project_id) =>
            {
                with(status::ENDING)
            }
            _ => before,
        },
        // until the project has forgotten it, it cannot begin again
        EventData::MembershipDeleted(e) if e.project_id.is_some() && !e.with_project => with(status::LEAVING),
        EventData::MembershipWithdrawn(_) => with(status::LEAVING),
        EventData::MembershipDeleted(_)
        | EventData::MembershipRefused(_)
        | EventData::MembershipClosed(_) => None,
        _ => before,
    };
    membership.map(State::Membership)
}
