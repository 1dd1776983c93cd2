//! FollowRelationship: who reads whom. It lives with the followee, whose audience it is.

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::messages::EventData;
use crate::messages::commands::{FollowUser, UnfollowUser};
use crate::messages::events::{UserFollowed, UserUnfollowed};
use crate::messages::state::{FollowRelationship, State};
use crate::rules::codes::{ALREADY_FOLLOWING, NOT_FOLLOWING};
use crate::{rules, user};

/// The kind of aggregate.
pub const KIND: &str = "FollowRelationship";

/// `FollowRelationship/<followee_id>/<follower_id>`
#[must_use]
pub fn id(followee_id: &str, follower_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[followee_id, follower_id])
}

pub(crate) fn follow(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &FollowUser,
) -> Result<UserFollowed, Rejections> {
    let (follower, followee) = (&command.follower_id, &command.followee_id);
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, follower, "the user named in follower_id", states);
    let follower_known = follower_exists(&mut rejections, states, follower, followee);
    if rejections.well_formed("followee_id", followee) {
        rejections.require(follower != followee, || {
            Violation::on(INVALID_ARGUMENT, "followee_id", "nobody can follow themselves; name another user")
        });
        let followee_known = followee_exists(&mut rejections, states, followee);
        if let Some(states) = states.filter(|_| follower_known && followee_known) {
            rejections.require(!is_following(states, followee, follower), || {
                Violation::on(
                    ALREADY_FOLLOWING,
                    "followee_id",
                    format!("{follower} follows {followee} already; there is nothing to do"),
                )
            });
        }
    }
    rejections.or(|| UserFollowed { follower_id: follower.clone(), followee_id: followee.clone() })
}

pub(crate) fn unfollow(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &UnfollowUser,
) -> Result<UserUnfollowed, Rejections> {
    let (follower, followee) = (&command.follower_id, &command.followee_id);
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, follower, "the user named in follower_id", states);
    let follower_known = follower_exists(&mut rejections, states, follower, followee);
    if rejections.well_formed("followee_id", followee)
        && followee_exists(&mut rejections, states, followee)
        && follower_known
        && let Some(states) = states
    {
        rejections.require(is_following(states, followee, follower), || {
            Violation::on(
                NOT_FOLLOWING,
                "followee_id",
                format!("{follower} does not follow {followee}; there is nothing to do"),
            )
        });
    }
    rejections.or(|| UserUnfollowed { follower_id: follower.clone(), followee_id: followee.clone() })
}

/// The follower may be of any partition, so they are looked up, unless it is the followee. Where there are no `states` to
/// ask, they may be there or not.
fn follower_exists(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    follower: &str,
    followee: &str,
) -> bool {
    if !rejections.well_formed("follower_id", follower) {
        return false;
    }
    let exists = states.is_none_or(|states| {
        if follower == followee {
            user::exists_here(states, follower)
        } else {
            states.exists(&user::id(follower))
        }
    });
    rules::user_exists(rejections, "follower_id", follower, exists)
}

fn followee_exists(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    followee: &str,
) -> bool {
    let exists = states.is_none_or(|states| user::exists_here(states, followee));
    rules::user_exists(rejections, "followee_id", followee, exists)
}

fn is_following(states: &impl StateReader<State = State>, followee: &str, follower: &str) -> bool {
    matches!(
        states.get(&id(followee, follower)).as_deref(),
        Some(State::FollowRelationship(FollowRelationship { active: true, .. }))
    )
}

/// The state after an event of FollowRelationship.
pub(crate) fn evolve(event: &EventData, recorded_at: i64) -> State {
    State::FollowRelationship(FollowRelationship {
        active: matches!(event, EventData::UserFollowed(_)),
        since: recorded_at,
    })
}
