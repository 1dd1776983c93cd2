//! The tables, compared with what naive code makes of the events.

use crate::common;

use std::collections::BTreeMap;

use common::*;
use millrace_domain_identity::messages::commands::UpdateUser;
use millrace_domain_identity::messages::rows::{PeopleRow, UsersRow};
use millrace_domain_identity::{EventData, Identity};
use millrace_kernel::{Event, NoSettings};
use millrace_testkit::store::memory::MemoryStore;
use millrace_testkit::tables::{Dice, filled, rows};
use millrace_testkit::world::World;

/// Users and their addresses, as the tables show them.
pub fn shown(store: &MemoryStore) -> Vec<(String, String)> {
    let users = rows(store, UsersRow::TABLE, UsersRow::from_values);
    let people = rows(store, PeopleRow::TABLE, PeopleRow::from_values);
    let ids = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(
        ids(users.iter().map(|it| &*it.user_id).collect()),
        ids(people.iter().map(|it| &*it.user_id).collect()),
        "both tables show the same users"
    );
    let mut shown: Vec<_> =
        users.into_iter().map(|it| (it.user_id.to_string(), it.email.to_string())).collect();
    shown.sort();
    shown
}

/// Adds up by hand what is known of users.
fn by_hand(events: &[(i32, Event<EventData>)]) -> BTreeMap<String, UsersRow> {
    let mut users: BTreeMap<String, UsersRow> = BTreeMap::new();
    for (_, event) in events {
        let at = event.recorded_at;
        match &event.data {
            EventData::UserAdded(e) => {
                let row = UsersRow {
                    user_id: e.user_id.as_str().into(),
                    email: e.email.open().into(),
                    email_verified: e.email_verified,
                    first_name: e.first_name.open().into(),
                    last_name: e.last_name.open().into(),
                    picture: e.picture.open().into(),
                    locale: e.locale.as_str().into(),
                    accounting_enabled: false,
                    added_at: at,
                    updated_at: at,
                };
                users.insert(e.user_id.to_string(), row);
            }
            EventData::UserUpdated(e) => {
                let row = users.get_mut(e.user_id.as_str()).unwrap();
                row.updated_at = at;
                if let Some(email) = &e.email {
                    row.email = email.open().into();
                }
                if let Some(is_verified) = e.email_verified {
                    row.email_verified = is_verified;
                }
                if let Some(name) = &e.first_name {
                    row.first_name = name.open().into();
                }
                if let Some(name) = &e.last_name {
                    row.last_name = name.open().into();
                }
                if let Some(picture) = &e.picture {
                    row.picture = picture.open().into();
                }
                if let Some(locale) = &e.locale {
                    row.locale = locale.as_str().into();
                }
            }
            EventData::AccountingEnabled(e) => {
                let row = users.get_mut(e.user_id.as_str()).unwrap();
                (row.accounting_enabled, row.updated_at) = (true, at);
            }
            EventData::UserRemoved(e) => {
                users.remove(e.user_id.as_str());
            }
            _ => {}
        }
    }
    users
}

#[test]
fn tables_show_what_has_happened_to_users() {
    const PARTITIONS: i32 = 3;
    let mut removed = 0;
    for seed in 0..20_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 3);
        let mut world = World::<Identity>::new(PARTITIONS);
        for turn in 0..120 {
            world.tick(1_000);
            let user = format!("u{}", dice.below(12));
            let address = format!("a{}@example.org", dice.below(9));
            let text = format!("t{turn}");
            let of = nothing_for(&user);
            let command = match dice.below(10) {
                0..=2 => add(&user, &address),
                3 => add_unverified(&user, &address),
                4 => move_to(&user, &address),
                5 => verify(&user, dice.below(2) == 0),
                6 => UpdateUser { last_name: Some(text.into()), locale: Some("fr".into()), ..of }.into(),
                7 => UpdateUser { first_name: Some(text.into()), picture: Some("".into()), ..of }.into(),
                8 => enable(&user, 64, PRINT),
                _ => remove(&user),
            };
            world.send(None, command);
            for _ in 0..dice.below(4) {
                if !world.pending().is_empty() {
                    let index = dice.below(world.pending().len());
                    world.run_step(index, false);
                }
            }
        }
        world.settle();
        let expected = by_hand(world.events());
        removed +=
            world.events().iter().filter(|(_, it)| matches!(it.data, EventData::UserRemoved(_))).count();
        let store = filled::<Identity>(world.events(), &NoSettings {}, PARTITIONS, &mut dice);
        let users = rows(&store, UsersRow::TABLE, UsersRow::from_values);
        let users: BTreeMap<_, _> = users.into_iter().map(|row| (row.user_id.to_string(), row)).collect();
        assert_eq!(users, expected, "seed {seed}");
        let people: BTreeMap<_, _> = rows(&store, PeopleRow::TABLE, PeopleRow::from_values)
            .into_iter()
            .map(|it| (it.user_id.to_string(), (it.first_name, it.last_name, it.picture)))
            .collect();
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(id, it)| (id, (it.first_name, it.last_name, it.picture))).collect();
        assert_eq!(people, expected, "seed {seed}");
    }
    assert!(removed > 20, "the histories are worth their name: {removed}");
}
