//! The end of a change, where it has begun: at the user.

use millrace_kernel::StateReader;

use crate::messages::EventData;
use crate::messages::events::{
    UserAdded, UserAdditionRefused, UserEmailReleased, UserUpdateRefused, UserUpdated,
};
use crate::messages::state::{Change, State, User};
use crate::messages::steps::EndChange;
use crate::user::{self, status};

/// Ends the change that a step names. Nothing happens when a repeated step finds it ended, also where another change is
/// under way by then.
pub(crate) fn end(states: &impl StateReader<State = State>, step: &EndChange) -> Option<EventData> {
    let kept = states.get(&user::id(&step.user_id));
    let user = user::user(&kept)?;
    let change = user.change.as_ref().filter(|change| change.change_id == step.change_id)?;
    let (user_id, violations) = (step.user_id.clone(), step.violations.clone());
    let is_made = violations.is_empty();
    Some(match &*user.status {
        status::ADDING if is_made => added(user).into(),
        status::ADDING => UserAdditionRefused { user_id, violations }.into(),
        status::REMOVED => UserEmailReleased { user_id }.into(),
        _ if is_made => updated(change).into(),
        _ => UserUpdateRefused { user_id, violations }.into(),
    })
}

fn added(user: &User) -> UserAdded {
    UserAdded {
        user_id: user.user_id.clone(),
        auth0_id: user.auth0_id.clone(),
        email: user.email.clone(),
        email_verified: user.email_verified,
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        picture: user.picture.clone(),
        locale: user.locale.clone(),
    }
}

fn updated(change: &Change) -> UserUpdated {
    UserUpdated {
        user_id: change.user_id.clone(),
        email: change.email.clone(),
        email_verified: change.email_verified,
        first_name: change.first_name.clone(),
        last_name: change.last_name.clone(),
        picture: change.picture.clone(),
        locale: change.locale.clone(),
    }
}
