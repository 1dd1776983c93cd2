//! The domain inside the whole engine, in memory, beside identity: races, and crashes between any two steps.

use crate::common;

use std::collections::BTreeMap;

use common::consistent::all_is_consistent;
use common::whole::Whole;
use common::*;
use millrace_domain_projects::{CommandData, State};
use millrace_kernel::{Command, Metadata, Status};
use millrace_testkit::tables::Dice;

/// How many random histories every run tries; `MILLRACE_TEST_HISTORIES` says how many else.
const HISTORIES: u64 = 30;

const PEOPLE: [&str; 6] = ["ann", "bob", "eve", "ida", "max", "zoe"];

/// What the domain knows, without what the engine does.
fn known(whole: &Whole) -> BTreeMap<String, State> {
    let own = |id: &String| {
        ["Member", "Contributor", "Manager", "Owner", "Team", "Project", "Board", "Task"]
            .iter()
            .any(|kind| id.starts_with(kind))
    };
    whole.states().into_iter().filter(|(id, _)| own(id)).collect()
}

fn is_consistent(whole: &Whole, what: &str) {
    let states = whole.states();
    assert!(!states.keys().any(|id| id.starts_with("Process/")), "{what}: nothing is open");
    all_is_consistent(&known(whole), what);
}

#[test]
fn of_a_hundred_who_found_a_team_one_does() {
    let names: Vec<String> = (0..100).map(|n| format!("u{n}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut whole = Whole::new(4, &users);
    whole.projects.start_processor();
    whole.projects.start_processor();
    for user in &users {
        whole.send(user, Some(user), join(user, "t", "owner"));
    }
    whole.settle();
    let mut winners = Vec::new();
    for user in &users {
        let outcome = whole.answer(user).expect("it is answered");
        match outcome.status {
            Status::Accepted => winners.push(*user),
            Status::Rejected => {
                assert_eq!(pairs(&outcome.violations), [("NotPermitted", "metadata.user_id")]);
            }
        }
    }
    assert_eq!(winners.len(), 1);
    is_consistent(&whole, "a race");
    // whoever has lost can come in otherwise
    let loser = if winners[0] == "u0" { "u1" } else { "u0" };
    assert_eq!(whole.ask("again", Some(winners[0]), join(loser, "t", "owner")), []);
}

fn commands() -> Vec<(&'static str, Option<&'static str>, CommandData)> {
    vec![
        ("c01", Some("ann"), join("ann", "t", "owner")),
        ("c02", Some("bob"), join("bob", "t", "owner")),
        ("c03", Some("ann"), project("p", "ann", "t").into()),
        ("c04", Some("ann"), give("p", "bob", "t", "admin")),
        ("c05", Some("bob"), give("p", "eve", "t", "member")),
        ("c06", Some("bob"), join("ida", "t", "viewer")),
        ("c07", Some("eve"), task("p", "a", "todo", "m")),
        ("c08", Some("ida"), task("p", "b", "todo", "m")),
        ("c09", Some("eve"), leave("eve", "t")),
        ("c10", Some("bob"), give("p", "max", "t", "member")),
        ("c11", Some("ann"), drop_project("p")),
        ("c12", Some("bob"), join("zoe", "t", "viewer")),
        ("c13", Some("ann"), join("bob", "t", "owner")),
    ]
}

/// Whoever is at work is killed after so many turns, and another goes on; Bob is removed at the end.
fn story(kill_at: usize) -> (usize, Whole) {
    let mut whole = Whole::new(2, &PEOPLE);
    whole.projects.start_processor();
    whole.projects.start_policies();
    let mut turns = 0;
    let mut turn = |whole: &mut Whole| {
        let at = turns % 2;
        if turns == kill_at {
            whole.projects.kill(at);
        }
        // the session of who was killed ends by the clock
        if !whole.projects.turn(at, turns / 2) {
            whole.projects.clock.pass(250_000);
        }
        turns += 1;
    };
    for (id, actor, command) in commands() {
        whole.send(id, actor, command);
        let mut patience = 4_000;
        while whole.answer(id).is_none() {
            turn(&mut whole);
            patience -= 1;
            assert!(patience > 0, "{id} has no outcome, killed at {kill_at}");
        }
    }
    whole.remove("bob");
    whole.identity.settle();
    let mut patience = 4_000;
    while whole.states().contains_key("Membership/bob/t") {
        turn(&mut whole);
        patience -= 1;
        assert!(patience > 0, "Bob is still there, killed at {kill_at}");
    }
    whole.settle();
    (turns, whole)
}

#[test]
fn a_crash_at_any_step_changes_nothing() {
    let (turns, calm) = story(usize::MAX);
    let expected = known(&calm);
    let answers = |whole: &Whole| {
        commands()
            .iter()
            .map(|(id, ..)| whole.answer(id).unwrap().status == Status::Accepted)
            .collect::<Vec<_>>()
    };
    let accepted = answers(&calm);
    let refused: Vec<usize> = (0..accepted.len()).filter(|at| !accepted[*at]).map(|at| at + 1).collect();
    assert_eq!(refused, [2, 8, 12], "who founds second, who may only read, and who is in the team no more");
    assert!(expected.contains_key("Membership/ann/t") && expected.contains_key("Membership/ida/t"));
    for gone in ["bob", "eve", "max"] {
        assert!(!expected.contains_key(&format!("Membership/{gone}/t")), "{gone}");
    }
    assert!(turns > 60, "{turns}");
    for kill_at in 0..turns {
        let (_, whole) = story(kill_at);
        is_consistent(&whole, &format!("killed at {kill_at}"));
        assert_eq!(known(&whole), expected, "killed at {kill_at}");
        assert_eq!(answers(&whole), accepted, "killed at {kill_at}");
    }
}

/// The positions of an outcome name every partition in which its process has written: whoever waits for them sees all of it.
#[test]
fn whoever_waits_for_the_end_of_a_project_sees_all_of_it() {
    let mut whole = Whole::new(4, &PEOPLE);
    whole.projects.start_processor();
    assert_eq!(whole.ask("team", Some("ann"), join("ann", "t", "owner")), []);
    assert_eq!(whole.ask("project", Some("ann"), project("p", "ann", "t").into()), []);
    for user in &PEOPLE[1..] {
        assert_eq!(whole.ask(user, Some("ann"), give("p", user, "t", "member")), []);
    }
    assert_eq!(whole.ask("end", Some("ann"), drop_project("p")), []);
    let outcome = whole.answer("end").unwrap();
    let of_end: Vec<_> =
        whole.projects.events().into_iter().filter(|(_, it)| it.command_id == "end").collect();
    for (partition, event) in &of_end {
        let position = outcome.positions.iter().find(|it| it.partition == *partition);
        assert!(position.is_some(), "{event:?} is in none of {:?}", outcome.positions);
        let version = outcome.versions.iter().find(|it| it.aggregate_id == event.aggregate_id);
        assert!(version.is_some_and(|it| it.version >= event.version), "{event:?}");
    }
    let ids: std::collections::BTreeSet<_> = of_end.iter().map(|(_, it)| it.id.clone()).collect();
    assert_eq!(ids.len(), of_end.len(), "each has an id of its own");
    assert!(of_end.len() > 20, "{}", of_end.len());
}

#[test]
fn memberships_survive_crashes_of_anything() {
    let count = std::env::var("MILLRACE_TEST_HISTORIES").ok().map_or(HISTORIES, |text| text.parse().unwrap());
    let (mut accepted, mut gone) = (0, 0);
    for seed in 0..count {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 5);
        let mut whole = Whole::new(4, &PEOPLE);
        whole.projects.start_processor();
        whole.projects.start_processor();
        whole.projects.start_policies();
        whole.projects.start_projectors();
        let mut sent: Vec<String> = Vec::new();
        let mut removed: Vec<&str> = Vec::new();
        while sent.len() < 150 {
            let pick = |dice: &mut Dice, all: &[&'static str]| all[dice.below(all.len())];
            match dice.below(7) {
                0 => {
                    let (user, team) = (pick(&mut dice, &PEOPLE), pick(&mut dice, &["t", "u"]));
                    let (board, role) = (pick(&mut dice, &["p", "q", "r"]), pick(&mut dice, &ROLES));
                    let command = match dice.below(12) {
                        0 | 1 => join(user, team, "owner"),
                        2 => join(user, team, role),
                        3..=5 => give(board, user, team, role),
                        6 => promote(user, team, role),
                        7 => leave(user, team),
                        8 | 9 => project(board, user, team).into(),
                        10 => drop_project(board),
                        _ => task(board, role, "todo", "m"),
                    };
                    let actor = (dice.below(3) == 0).then_some(user);
                    let id = format!("c{}", sent.len());
                    whole.send(&id, actor, command.clone());
                    // some come twice
                    if dice.below(5) == 0 {
                        whole.send(&id, actor, command);
                    }
                    sent.push(id);
                }
                1 if dice.below(12) == 0 => {
                    let instance = dice.below(whole.projects.instances());
                    whole.projects.kill(instance);
                }
                2 if dice.below(25) == 0 && removed.len() < 3 => {
                    let user = pick(&mut dice, &PEOPLE);
                    if !removed.contains(&user) {
                        whole.remove(user);
                        removed.push(user);
                    }
                }
                3 => {
                    whole.identity.turn(0, dice.below(3));
                }
                _ => {
                    let (instance, lane) = (dice.below(whole.projects.instances()), dice.below(4));
                    whole.projects.turn(instance, lane);
                }
            }
        }
        whole.settle();
        is_consistent(&whole, &format!("seed {seed}"));
        let states = whole.states();
        for user in &removed {
            let member = states.get(&format!("Member/{user}")).and_then(State::member);
            assert!(member.is_some_and(|it| it.ended), "seed {seed}: {user} has ended here as well");
        }
        gone += removed.len();
        let outcomes = whole.projects.outcomes();
        for id in &sent {
            let firsts: Vec<_> = outcomes.iter().filter(|it| it.command_id == *id && !it.duplicate).collect();
            assert_eq!(firsts.len(), 1, "seed {seed}: one first answer for {id}");
            let reasons = pairs(&firsts[0].violations);
            assert!(reasons.iter().all(|(code, _)| *code != "Poisoned"), "seed {seed}: {reasons:?}");
            accepted += usize::from(reasons.is_empty());
        }
        let expected = super::views::by_hand(&whole.projects.events());
        assert_eq!(super::views::shown(&whole.projects.store), expected, "seed {seed}");
    }
    let at_least = usize::try_from(count).unwrap();
    assert!(
        accepted > 15 * at_least && gone > at_least,
        "worth their name: {accepted} accepted, {gone} gone"
    );
}

/// The engine compares what a move is based on before anybody decides it.
#[test]
fn of_two_who_move_a_card_one_is_told_that_the_other_has() {
    let mut whole = Whole::new(2, &PEOPLE);
    whole.projects.start_processor();
    assert_eq!(whole.ask("project", Some("ann"), project("p", "ann", "").into()), []);
    assert_eq!(whole.ask("task", Some("ann"), task("p", "a", "todo", "m")), []);
    for (id, column) in [("first", "doing"), ("second", "done")] {
        let metadata = Metadata { expected_version: Some(1), ..Metadata::default() };
        whole.projects.send(&Command { id: id.into(), metadata, data: shift("p", "a", column, "m") });
    }
    whole.settle();
    assert_eq!(whole.answer("first").unwrap().status, Status::Accepted);
    let violations = whole.answer("second").unwrap().violations;
    assert_eq!(pairs(&violations), [("VersionConflict", "metadata.expected_version")]);
    let states = whole.states();
    assert_eq!(&*states["Task/p/a"].task().unwrap().column, "doing");
}
