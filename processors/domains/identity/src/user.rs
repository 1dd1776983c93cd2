//! User: who there is, and what a command may find.

use std::sync::Arc;

use millrace_kernel::codes::{INVALID_STATE, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::messages::state::{State, User};

/// The kind of aggregate; also looked up by decisions of other domains.
pub const KIND: &str = "User";

/// Where a user stands, as it is written in the state.
pub mod status {
    /// The address is being claimed; there is no user yet.
    pub const ADDING: &str = "ADDING";
    /// The user exists.
    pub const ACTIVE: &str = "ACTIVE";
    /// The user exists no more, for good.
    pub const REMOVED: &str = "REMOVED";
}

/// `User/<user_id>`
#[must_use]
pub fn id(user_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[user_id])
}

/// Whether this is the state of a user who exists.
#[must_use]
pub fn is_active(state: Option<&State>) -> bool {
    state.and_then(State::user).is_some_and(|user| user.status == status::ACTIVE)
}

/// What is kept of a user.
pub(crate) type Kept = Option<Arc<State>>;

/// The user in what is kept.
pub(crate) fn user(kept: &Kept) -> Option<&User> {
    kept.as_deref().and_then(State::user)
}

/// Who acts, for the message to somebody else.
pub(crate) const WHOSE: &str = "the user named in user_id";

/// The user of a command, if there is one that can be changed now.
pub(crate) fn changeable(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    user_id: &str,
) -> Kept {
    let states = rejections.permitted(actor, user_id, WHOSE, states);
    if !rejections.well_formed("user_id", user_id) {
        return None;
    }
    let kept = states?.get(&id(user_id));
    let exists = rejections.require(user(&kept).is_some(), || {
        Violation::on(NOT_FOUND, "user_id", format!("there is no user {user_id}; add them first"))
    });
    if !exists {
        return None;
    }
    let is_removed = user(&kept).is_some_and(|user| user.status == status::REMOVED);
    let is_there = rejections.require(!is_removed, || {
        Violation::on(INVALID_STATE, "user_id", format!("user {user_id} is removed, for good"))
    });
    let can_change = is_there && is_at_rest(rejections, user_id, user(&kept));
    if can_change { kept } else { None }
}

/// No change of the user must be under way.
pub(crate) fn is_at_rest(rejections: &mut Rejections, user_id: &str, user: Option<&User>) -> bool {
    rejections.require(user.is_none_or(|user| user.change.is_none()), || {
        let message = format!(
            "an earlier change of user {user_id} is under way; send this one again when that has its outcome"
        );
        Violation::on(INVALID_STATE, "user_id", message)
    })
}
