//! Projection `users`: what is known of a user, and what everybody may see of it.

use std::sync::Arc;

use millrace_kernel::{Event, KeyedProjector, Projection, Rows, keyed};
use serde::{Deserialize, Serialize};

use crate::messages::EventData;
use crate::messages::events::{UserAdded, UserUpdated};
use crate::messages::rows::{PeopleRow, UsersRow};

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "users",
        views: &[UsersRow::TABLE, PeopleRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| keyed(Users)),
    }
}

/// Knows of every user what the rows show; what is still to be claimed or given up, they do not.
struct Users;

/// What is known of a user.
#[derive(Serialize, Deserialize)]
struct Known {
    /// Of one who is removed nothing: their rows are gone.
    person: Option<Person>,
}

/// What the rows show.
#[derive(Clone, Serialize, Deserialize)]
struct Person {
    email: Arc<str>,
    email_verified: bool,
    first_name: Arc<str>,
    last_name: Arc<str>,
    picture: Arc<str>,
    locale: Arc<str>,
    accounting_enabled: bool,
    added_at: i64,
    updated_at: i64,
}

/// The user an event is about, if it changes what is shown.
fn user_id(event: &EventData) -> Option<&str> {
    match event {
        EventData::UserAdded(e) => Some(&e.user_id),
        EventData::UserUpdated(e) => Some(&e.user_id),
        EventData::UserRemoved(e) => Some(&e.user_id),
        EventData::AccountingEnabled(e) => Some(&e.user_id),
        _ => None,
    }
}

impl KeyedProjector<EventData> for Users {
    type State = Known;

    fn key<'e>(&self, event: &'e Event<EventData>) -> Option<&'e str> {
        user_id(&event.data)
    }

    fn evolve(&self, known: Option<Known>, event: &Event<EventData>) -> Option<Known> {
        let before = known.and_then(|known| known.person);
        let at = event.recorded_at;
        let person = match &event.data {
            EventData::UserAdded(e) => Some(Person::added(e, at)),
            EventData::UserUpdated(e) => before.map(|person| person.updated(e, at)),
            EventData::AccountingEnabled(_) => {
                before.map(|person| Person { accounting_enabled: true, updated_at: at, ..person })
            }
            _ => None,
        };
        Some(Known { person })
    }

    fn apply(&self, known: &Known, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let Some(user_id) = user_id(&event.data) else { return };
        let (user_id, at): (Arc<str>, _) = (user_id.into(), event.recorded_at);
        let Some(person) = known.person.clone() else {
            rows.push(UsersRow::delete(user_id.clone(), at));
            rows.push(PeopleRow::delete(user_id, at));
            return;
        };
        let people = PeopleRow {
            user_id: user_id.clone(),
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            picture: person.picture.clone(),
        };
        rows.push(person.row(user_id).put(at));
        rows.push(people.put(at));
    }
}

impl Person {
    fn added(event: &UserAdded, at: i64) -> Self {
        Self {
            email: event.email.open().into(),
            email_verified: event.email_verified,
            first_name: event.first_name.open().into(),
            last_name: event.last_name.open().into(),
            picture: event.picture.open().into(),
            locale: event.locale.as_str().into(),
            accounting_enabled: false,
            added_at: at,
            updated_at: at,
        }
    }

    /// Changes what the event gives.
    fn updated(mut self, event: &UserUpdated, at: i64) -> Self {
        for (field, new) in [
            (&mut self.email, &event.email),
            (&mut self.first_name, &event.first_name),
            (&mut self.last_name, &event.last_name),
            (&mut self.picture, &event.picture),
        ] {
            if let Some(new) = new {
                *field = new.open().into();
            }
        }
        if let Some(locale) = &event.locale {
            self.locale = locale.as_str().into();
        }
        self.email_verified = event.email_verified.unwrap_or(self.email_verified);
        self.updated_at = at;
        self
    }

    fn row(self, user_id: Arc<str>) -> UsersRow {
        UsersRow {
            user_id,
            email: self.email,
            email_verified: self.email_verified,
            first_name: self.first_name,
            last_name: self.last_name,
            picture: self.picture,
            locale: self.locale,
            accounting_enabled: self.accounting_enabled,
            added_at: self.added_at,
            updated_at: self.updated_at,
        }
    }
}
