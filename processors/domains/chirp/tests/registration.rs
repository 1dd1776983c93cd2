//! The process of a registration, whole: races, refusals and repeated steps.

use crate::common;

use common::*;
use millrace_domain_chirp::{Chirp, CommandData, StepData, user, username};
use millrace_kernel::Named;
use millrace_testkit::world::{Answer, World};
use proptest::prelude::*;

fn reasons(answer: &Answer) -> Vec<(&str, &str)> {
    match answer {
        Answer::Accepted => Vec::new(),
        Answer::Rejected(violations) => {
            violations.iter().map(|v| (v.code.as_str(), v.field.as_deref().unwrap_or_default())).collect()
        }
    }
}

#[test]
fn a_free_name_is_given() {
    let mut world = World::<Chirp>::new(4);
    assert_eq!(world.command(register("ann", "Ann")), Answer::Accepted);
    let names: Vec<&str> = world.events().iter().map(|(_, event)| event.data.name()).collect();
    assert_eq!(names, ["RegistrationStarted", "UsernameClaimed", "UserRegistered"]);
    assert!(user::is_registered(world.state(&user::id("ann"))));
    assert!(world.state(&username::id("aNN")).is_some());
}

#[test]
fn a_taken_name_is_refused_whatever_its_case_and_leaves_nothing() {
    let mut world = World::<Chirp>::new(4);
    world.command(register("ann", "Ann"));
    let before = world.state(&username::id("ann")).cloned();
    let answer = world.command(register("bob", "aNN"));
    assert_eq!(reasons(&answer), [("AlreadyExists", "username")]);
    assert_eq!(world.state(&user::id("bob")), None);
    assert_eq!(world.state(&username::id("ann")).cloned(), before);
    // the id is free again
    assert_eq!(world.command(register("bob", "Bob")), Answer::Accepted);
}

#[test]
fn a_user_exists_only_from_the_end_on() {
    let mut world = World::<Chirp>::new(4);
    world.command(register("bob", "Bob"));
    let open = world.send(None, register("ann", "Ann"));
    let rows: [(CommandData, (&str, &str)); 4] = [
        (register("ann", "Other"), ("AlreadyExists", "user_id")),
        (post("ann", "c1", "hi"), ("NotFound", "author_id")),
        (follow("ann", "bob"), ("NotFound", "follower_id")),
        (follow("bob", "ann"), ("NotFound", "followee_id")),
    ];
    for (command, reason) in rows.clone() {
        let id = world.send(None, command);
        assert_eq!(reasons(world.answer(&id).unwrap()), [reason]);
    }
    assert_eq!(world.answer(&open), None);
    world.settle();
    assert_eq!(world.answer(&open), Some(&Answer::Accepted));
    for (command, _) in rows.into_iter().skip(1) {
        assert_eq!(world.command(command), Answer::Accepted);
    }
}

proptest! {
    /// Several users race for a few names; steps run in any order and are sometimes repeated.
    #[test]
    fn of_any_race_exactly_one_wins(
        names in proptest::collection::vec(0usize..3, 1..8),
        order in proptest::collection::vec((any::<prop::sample::Index>(), proptest::bool::weighted(0.2)), 0..60),
        partitions in 1i32..5,
    ) {
        const NAMES: [[&str; 2]; 3] = [["name_a", "NAME_A"], ["name_b", "Name_B"], ["name_c", "nAme_c"]];
        let mut world = World::<Chirp>::new(partitions);
        let ids: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(i, name)| world.send(None, register(&format!("u{i}"), NAMES[*name][i % 2])))
            .collect();
        for (index, again) in order {
            if !world.pending().is_empty() {
                let index = index.index(world.pending().len());
                // a claim or an end may be decided again after a crash; its effects may not
                let again = again && matches!(world.pending()[index].step, StepData::ClaimUsername(_));
                world.run_step(index, again);
            }
        }
        world.settle();
        for name in 0..3 {
            let racers: Vec<usize> = (0..names.len()).filter(|i| names[*i] == name).collect();
            let winners: Vec<usize> = racers
                .iter()
                .copied()
                .filter(|i| world.answer(&ids[*i]) == Some(&Answer::Accepted))
                .collect();
            prop_assert_eq!(winners.len(), usize::from(!racers.is_empty()));
            for i in racers {
                let registered = user::is_registered(world.state(&user::id(&format!("u{i}"))));
                prop_assert_eq!(registered, winners.contains(&i), "only the winner is a user");
                if !registered {
                    prop_assert_eq!(world.state(&user::id(&format!("u{i}"))), None);
                }
            }
        }
    }
}
