//! Projection `users`: who is this user, by id and by name.

use std::sync::Arc;

use millrace_kernel::{Event, Projection, Projector, Rows, stateless};

use crate::messages::EventData;
use crate::messages::rows::{UserProfilesRow, UsersByUsernameRow};
use crate::username;

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "users",
        views: &[UserProfilesRow::TABLE, UsersByUsernameRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| stateless(Users)),
    }
}

/// Needs nothing but the event: a user never changes and a name never goes back.
struct Users;

impl Projector<EventData> for Users {
    fn apply(&self, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let EventData::UserRegistered(user) = &event.data else { return };
        let user_id: Arc<str> = user.user_id.as_str().into();
        let username: Arc<str> = user.username.as_str().into();
        let registered_at = event.recorded_at;
        let profile = UserProfilesRow { user_id: user_id.clone(), username: username.clone(), registered_at };
        rows.push(profile.put(event.recorded_at));
        let by_name = UsersByUsernameRow {
            username_key: username::key(&user.username).into(),
            user_id,
            username,
            registered_at,
        };
        rows.push(by_name.put(event.recorded_at));
    }
}
