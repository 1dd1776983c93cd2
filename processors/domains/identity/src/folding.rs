//! The state of a user as a fold of events.

use millrace_kernel::{Personal, Text};

use crate::messages::EventData;
use crate::messages::events::{
    UserAdded, UserAdditionRequested, UserRemoved, UserUpdateRequested, UserUpdated,
};
use crate::messages::state::{Change, State, User};
use crate::user::status;

/// The state after an event of User.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let before = match state {
        Some(State::User(user)) => Some(user),
        _ => None,
    };
    let after = match event {
        EventData::UserAdditionRequested(e) => Some(adding(e)),
        EventData::UserAdded(e) => Some(added(before, e)),
        // the id is free again
        EventData::UserAdditionRefused(_) => None,
        EventData::UserUpdateRequested(e) => before.map(|user| User { change: Some(change(e)), ..user }),
        EventData::UserUpdated(e) => before.map(|user| updated(user, e)),
        EventData::UserUpdateRefused(_) => before.map(|user| User { change: None, ..user }),
        EventData::UserRemoved(e) => before.map(|_| removed(e)),
        EventData::UserEmailReleased(_) => {
            before.map(|user| User { email_claims: Vec::new(), change: None, ..user })
        }
        EventData::AccountingEnabled(e) => {
            before.map(|user| User { fingerprint: Some(e.fingerprint.clone()), ..user })
        }
        _ => before,
    };
    after.map(State::User)
}

/// Somebody of whom it is not known yet whether there will be such a user.
fn adding(event: &UserAdditionRequested) -> User {
    User {
        user_id: event.user_id.clone(),
        status: status::ADDING.into(),
        auth0_id: event.auth0_id.clone(),
        email: event.email.clone(),
        email_verified: event.email_verified,
        first_name: event.first_name.clone(),
        last_name: event.last_name.clone(),
        picture: event.picture.clone(),
        locale: event.locale.clone(),
        fingerprint: None,
        email_claims: Vec::new(),
        change: Some(Change {
            // they are made from the oldest key on
            email_claims: event.to_claim.iter().rev().cloned().collect(),
            ..nothing(&event.user_id, &event.change_id)
        }),
    }
}

/// The user, with what was claimed before, if anything was.
fn added(before: Option<User>, event: &UserAdded) -> User {
    User {
        user_id: event.user_id.clone(),
        status: status::ACTIVE.into(),
        auth0_id: event.auth0_id.clone(),
        email: event.email.clone(),
        email_verified: event.email_verified,
        first_name: event.first_name.clone(),
        last_name: event.last_name.clone(),
        picture: event.picture.clone(),
        locale: event.locale.clone(),
        fingerprint: None,
        email_claims: before.and_then(|user| user.change).map(|it| it.email_claims).unwrap_or_default(),
        change: None,
    }
}

fn change(event: &UserUpdateRequested) -> Change {
    Change {
        change_id: event.change_id.clone(),
        user_id: event.user_id.clone(),
        email: event.email.clone(),
        email_verified: event.email_verified,
        first_name: event.first_name.clone(),
        last_name: event.last_name.clone(),
        picture: event.picture.clone(),
        locale: event.locale.clone(),
        email_claims: event.email_claims.clone(),
    }
}

fn updated(user: User, event: &UserUpdated) -> User {
    let either = |new: &Option<Personal>, old: Personal| new.clone().unwrap_or(old);
    User {
        email: either(&event.email, user.email),
        email_verified: event.email_verified.unwrap_or(user.email_verified),
        first_name: either(&event.first_name, user.first_name),
        last_name: either(&event.last_name, user.last_name),
        picture: either(&event.picture, user.picture),
        locale: event.locale.clone().unwrap_or(user.locale),
        email_claims: user.change.map_or(user.email_claims, |change| change.email_claims),
        change: None,
        ..user
    }
}

/// Nobody, who still has claims to give up, if there are some.
fn removed(event: &UserRemoved) -> User {
    let is_done = event.email_claims.is_empty();
    User {
        user_id: event.user_id.clone(),
        status: status::REMOVED.into(),
        auth0_id: Personal::default(),
        email: Personal::default(),
        email_verified: false,
        first_name: Personal::default(),
        last_name: Personal::default(),
        picture: Personal::default(),
        locale: Text::default(),
        fingerprint: None,
        email_claims: event.email_claims.clone(),
        change: (!is_done).then(|| nothing(&event.user_id, &event.change_id)),
    }
}

/// A change under way after which nothing else is known of the user.
fn nothing(user_id: &Text, change_id: &Text) -> Change {
    Change {
        change_id: change_id.clone(),
        user_id: user_id.clone(),
        email: None,
        email_verified: None,
        first_name: None,
        last_name: None,
        picture: None,
        locale: None,
        email_claims: Vec::new(),
    }
}
