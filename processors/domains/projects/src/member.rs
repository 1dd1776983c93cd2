//! Member: of which teams a user is a member, and whether the user has ended.

use std::sync::Arc;

use millrace_kernel::codes::{LIMIT_REACHED, NOT_FOUND};
use millrace_kernel::{AggregateId, Published, Rejections, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::events::{MemberEnded, MemberJoined, MemberLeft};
use crate::messages::state::{Member, State};

/// The kind of aggregate.
pub const KIND: &str = "Member";

/// Users, as identity publishes them.
pub const USER: Published = Published::of("identity", "User");

/// Most memberships of a user: each is a step when the user ends, and one event asks for no more.
pub const MAX_TEAMS: usize = 1_000;

/// `Member/<user_id>`
#[must_use]
pub fn id(user_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[user_id])
}

/// What is kept of a user; nothing of one who never was in a team and has not ended.
fn kept(states: &impl StateReader<State = State>, user_id: &str) -> Option<Arc<State>> {
    states.get(&id(user_id))
}

/// Whether the user has ended.
pub(crate) fn has_ended(states: &impl StateReader<State = State>, user_id: &str) -> bool {
    kept(states, user_id).as_deref().and_then(State::member).is_some_and(|member| member.ended)
}

/// There is nobody of this id.
pub(crate) fn nobody(user_id: &str) -> Violation {
    Violation::on(NOT_FOUND, "user_id", format!("there is no user {user_id}"))
}

/// The user must be there.
pub(crate) fn exists(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    user_id: &str,
) -> bool {
    rejections.require(states.exists_elsewhere(USER, &[user_id]), || nobody(user_id))
}

/// The user, whose routing key this is, must be there and have room for one more team.
pub(crate) fn can_join(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    user_id: &str,
) -> bool {
    let kept = kept(states, user_id);
    let member = kept.as_deref().and_then(State::member);
    // that a user has ended is known here as soon as anything has come of it, whatever the look-up says
    if !rejections.require(!member.is_some_and(|member| member.ended), || nobody(user_id))
        || !exists(rejections, states, user_id)
    {
        return false;
    }
    rejections.require(member.is_none_or(|member| member.team_ids.len() < MAX_TEAMS), || {
        let message =
            format!("user {user_id} is in {MAX_TEAMS} teams, the most there may be; leave one first");
        Violation::on(LIMIT_REACHED, "user_id", message)
    })
}

/// One more team.
pub(crate) fn joined(user_id: &Text, team_id: &Text) -> EventData {
    MemberJoined { user_id: user_id.clone(), team_id: team_id.clone() }.into()
}

/// One team less, if it is in the list: of a user who has ended none is.
pub(crate) fn left(
    states: &impl StateReader<State = State>,
    user_id: &Text,
    team_id: &Text,
) -> Option<EventData> {
    let kept = kept(states, user_id);
    let is_listed =
        kept.as_deref().and_then(State::member).is_some_and(|member| member.team_ids.contains(team_id));
    is_listed.then(|| MemberLeft { user_id: user_id.clone(), team_id: team_id.clone() }.into())
}

/// The user was removed from identity. That happens once; a step that is repeated finds it done.
pub(crate) fn end(states: &impl StateReader<State = State>, user_id: &Text) -> Option<EventData> {
    let kept = kept(states, user_id);
    let member = kept.as_deref().and_then(State::member);
    let team_ids = match member {
        Some(member) if member.ended => return None,
        Some(member) => member.team_ids.clone(),
        None => Vec::new(),
    };
    Some(MemberEnded { user_id: user_id.clone(), team_ids }.into())
}

/// The state after an event of Member.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let mut member = match state {
        Some(State::Member(member)) => member,
        _ => Member { team_ids: Vec::new(), ended: false },
    };
    match event {
        EventData::MemberJoined(e) => member.team_ids.push(e.team_id.clone()),
        EventData::MemberLeft(e) => member.team_ids.retain(|team_id| *team_id != e.team_id),
        EventData::MemberEnded(_) => member = Member { team_ids: Vec::new(), ended: true },
        _ => {}
    }
    (member.ended || !member.team_ids.is_empty()).then_some(State::Member(member))
}
