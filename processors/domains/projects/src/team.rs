//! Team: that somebody has founded it. It is founded once, in its own partition, so that of two who want to one wins.

use millrace_kernel::codes::{INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation, id};

use crate::membership::WHO;
use crate::messages::EventData;
use crate::messages::events::{TeamFounded, TeamFoundingRefused};
use crate::messages::state::{State, Team};
use crate::messages::steps::FoundTeam;

/// The kind of aggregate; also looked up by decisions in other partitions.
pub const KIND: &str = "Team";

/// `Team/<team_id>`
#[must_use]
pub fn id(team_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[team_id])
}

/// Whether somebody has founded a team.
pub(crate) fn is_founded(states: &impl StateReader<State = State>, team_id: &str) -> bool {
    id::is_valid(team_id) && states.exists(&id(team_id))
}

/// The team of a command must be there.
pub(crate) fn exists(rejections: &mut Rejections, states: &impl StateReader<State = State>, team_id: &str) {
    rejections.require(is_founded(states, team_id), || {
        let message = format!("nobody has founded team {team_id}; its first owner does");
        Violation::on(NOT_FOUND, "team_id", message)
    });
}

/// Founds a team for the first who wants to; for its founder also if the step is repeated.
pub(crate) fn found(states: &impl StateReader<State = State>, step: &FoundTeam) -> EventData {
    let kept = states.get(&id(&step.team_id));
    let founder = kept.as_deref().and_then(State::team).map(|team| &team.founded_by);
    if founder.is_none_or(|founder| *founder == step.user_id) {
        return TeamFounded { team_id: step.team_id.clone(), user_id: step.user_id.clone() }.into();
    }
    // what is said to somebody who comes later
    let violation = match &step.requested_by {
        Some(_) => Violation::on(NOT_PERMITTED, "metadata.user_id", WHO),
        None => {
            let message = format!(
                "somebody else has founded team {} meanwhile; look who is in it, and send this again",
                step.team_id
            );
            Violation::on(INVALID_STATE, "team_id", message)
        }
    };
    TeamFoundingRefused {
        team_id: step.team_id.clone(),
        user_id: step.user_id.clone(),
        violations: vec![violation],
    }
    .into()
}

/// The state after an event of Team.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    match event {
        EventData::TeamFounded(e) => Some(State::Team(Team { founded_by: e.user_id.clone() })),
        _ => state,
    }
}
