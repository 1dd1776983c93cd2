//! The tables of identity as a plain fold of events.

use std::collections::BTreeMap;

use millrace_domain_identity::EventData;
use millrace_kernel::{Event, Value};

use crate::workload::Place;

/// What rows say of a user.
#[derive(Clone)]
struct Person {
    email: String,
    is_verified: bool,
    first_name: String,
    last_name: String,
    picture: String,
    locale: String,
    has_accounting: bool,
    added_at: i64,
    updated_at: i64,
}

/// Everything that rows are made of.
#[derive(Clone, Default)]
pub struct Rows {
    people: BTreeMap<String, Person>,
}

fn text(value: &str) -> Value {
    Value::from(value)
}

impl Rows {
    /// The row at a place.
    pub fn row(&self, (table, key): &Place) -> Option<Vec<Value>> {
        let [Value::Text(user_id)] = key.as_slice() else { return None };
        let person = self.people.get(&**user_id)?;
        let name = [text(&person.first_name), text(&person.last_name), text(&person.picture)];
        let of_name = || name.iter().cloned();
        Some(if *table == "people" {
            [text(user_id)].into_iter().chain(of_name()).collect()
        } else {
            let before = [text(user_id), text(&person.email), person.is_verified.into()];
            let behind = [
                text(&person.locale),
                person.has_accounting.into(),
                person.added_at.into(),
                person.updated_at.into(),
            ];
            before.into_iter().chain(of_name()).chain(behind).collect()
        })
    }

    /// Takes in an event; the places it may have changed.
    pub fn fold(&mut self, event: &Event<EventData>) -> Vec<Place> {
        let at = event.recorded_at;
        let user_id = match &event.data {
            EventData::UserAdded(e) => {
                let person = Person {
                    email: e.email.open().to_owned(),
                    is_verified: e.email_verified,
                    first_name: e.first_name.open().to_owned(),
                    last_name: e.last_name.open().to_owned(),
                    picture: e.picture.open().to_owned(),
                    locale: e.locale.to_string(),
                    has_accounting: false,
                    added_at: at,
                    updated_at: at,
                };
                self.people.insert(e.user_id.to_string(), person);
                &e.user_id
            }
            EventData::UserUpdated(e) => {
                if let Some(person) = self.people.get_mut(e.user_id.as_str()) {
                    person.updated_at = at;
                    person.is_verified = e.email_verified.unwrap_or(person.is_verified);
                    for (field, new) in [
                        (&mut person.email, e.email.as_ref().map(|it| it.open())),
                        (&mut person.first_name, e.first_name.as_ref().map(|it| it.open())),
                        (&mut person.last_name, e.last_name.as_ref().map(|it| it.open())),
                        (&mut person.picture, e.picture.as_ref().map(|it| it.open())),
                        (&mut person.locale, e.locale.as_deref()),
                    ] {
                        if let Some(new) = new {
                            *field = new.to_owned();
                        }
                    }
                }
                &e.user_id
            }
            EventData::AccountingEnabled(e) => {
                if let Some(person) = self.people.get_mut(e.user_id.as_str()) {
                    (person.has_accounting, person.updated_at) = (true, at);
                }
                &e.user_id
            }
            EventData::UserRemoved(e) => {
                self.people.remove(e.user_id.as_str());
                &e.user_id
            }
            _ => return Vec::new(),
        };
        ["users", "people"].map(|table| (table, vec![text(user_id)])).to_vec()
    }
}
