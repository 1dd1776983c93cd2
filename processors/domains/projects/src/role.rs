//! What a member of a team may do, and how others find out: for each rank somebody holds there is an aggregate that decisions
//! elsewhere can look up, since a look-up tells nothing but that something exists.

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{AggregateId, Rejections, StateReader, Text, Violation, id};

use crate::messages::EventData;
use crate::messages::events::{
    ContributorAppointed, ContributorDismissed, ManagerAppointed, ManagerDismissed, OwnerAppointed,
    OwnerDismissed,
};
use crate::messages::state::{Contributor, Manager, Owner, State};

/// A role, the lowest first: each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on boards and estimates as well.
    Member,
    /// Changes projects and memberships as well.
    Admin,
    /// Makes others owners as well.
    Owner,
}

impl Role {
    /// The role of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "viewer" => Self::Viewer,
            "member" => Self::Member,
            "admin" => Self::Admin,
            "owner" => Self::Owner,
            _ => return None,
        })
    }
}

/// `name` must be a role; which one it is.
pub(crate) fn well_formed(rejections: &mut Rejections, name: &str) -> Option<Role> {
    let role = Role::parse(name);
    rejections.require(role.is_some(), || {
        Violation::on(INVALID_ARGUMENT, "role", "there are the roles owner, admin, member and viewer")
    });
    role
}

/// What somebody with a role is, for those who look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Works on boards: member, admin or owner.
    Contributor,
    /// Manages the team: admin or owner.
    Manager,
    /// Owns the team.
    Owner,
}

impl Rank {
    const ALL: [Self; 3] = [Self::Contributor, Self::Manager, Self::Owner];

    /// The kind of aggregate that says so.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Contributor => "Contributor",
            Self::Manager => "Manager",
            Self::Owner => "Owner",
        }
    }

    /// The lowest role that has it.
    fn from(self) -> Role {
        match self {
            Self::Contributor => Role::Member,
            Self::Manager => Role::Admin,
            Self::Owner => Role::Owner,
        }
    }

    /// Whether the acting user has it in a team; who acts for nobody in particular may do everything.
    pub(crate) fn is_held(
        self,
        states: &impl StateReader<State = State>,
        actor: Option<&str>,
        team_id: &str,
    ) -> bool {
        actor.is_none_or(|actor| {
            id::is_valid(actor)
                && id::is_valid(team_id)
                && states.exists(&AggregateId::new(self.kind(), &[actor, team_id]))
        })
    }
}

/// What becomes of somebody's ranks in a team when their role does: none is no role.
pub(crate) fn changed(
    user_id: &Text,
    team_id: &Text,
    before: Option<Role>,
    after: Option<Role>,
) -> Vec<EventData> {
    let has = |role: Option<Role>, rank: Rank| role.is_some_and(|role| role >= rank.from());
    let change = |rank: Rank| match (has(before, rank), has(after, rank)) {
        (false, true) => Some(appointed(rank, user_id.clone(), team_id.clone())),
        (true, false) => Some(dismissed(rank, user_id.clone(), team_id.clone())),
        _ => None,
    };
    Rank::ALL.into_iter().filter_map(change).collect()
}

fn appointed(rank: Rank, user_id: Text, team_id: Text) -> EventData {
    match rank {
        Rank::Contributor => ContributorAppointed { user_id, team_id }.into(),
        Rank::Manager => ManagerAppointed { user_id, team_id }.into(),
        Rank::Owner => OwnerAppointed { user_id, team_id }.into(),
    }
}

fn dismissed(rank: Rank, user_id: Text, team_id: Text) -> EventData {
    match rank {
        Rank::Contributor => ContributorDismissed { user_id, team_id }.into(),
        Rank::Manager => ManagerDismissed { user_id, team_id }.into(),
        Rank::Owner => OwnerDismissed { user_id, team_id }.into(),
    }
}

/// The state after an event of Contributor, Manager or Owner.
pub(crate) fn evolve(event: &EventData) -> Option<State> {
    match event {
        EventData::ContributorAppointed(_) => Some(State::Contributor(Contributor {})),
        EventData::ManagerAppointed(_) => Some(State::Manager(Manager {})),
        EventData::OwnerAppointed(_) => Some(State::Owner(Owner {})),
        _ => None,
    }
}
