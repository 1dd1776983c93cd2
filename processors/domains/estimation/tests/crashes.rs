//! The domain inside the whole engine, in memory, beside projects and identity: races, and crashes between any two steps.

use crate::common;
use crate::histories::histories;

use std::collections::BTreeMap;

use common::consistent::all_is_consistent;
use common::whole::{TEAM, Whole};
use common::*;
use millrace_domain_estimation::{CommandData, State};
use millrace_kernel::{Command, Metadata, Status};
use millrace_testkit::tables::Dice;

/// What the domain knows, without what the engine does.
fn known(whole: &Whole) -> BTreeMap<String, State> {
    let own = |id: &String| ["Estimation/", "ProjectEstimations/"].iter().any(|kind| id.starts_with(kind));
    whole.states().into_iter().filter(|(id, _)| own(id)).collect()
}

fn is_consistent(whole: &Whole, what: &str) {
    assert!(!whole.states().keys().any(|id| id.starts_with("Process/")), "{what}: nothing is open");
    all_is_consistent(&known(whole), what);
}

const A: Of<'_> = ("a", "p", "t");

fn commands() -> Vec<(&'static str, Option<&'static str>, CommandData)> {
    vec![
        ("c01", Some("ann"), open("a", "p", "t")),
        ("c02", Some("zoe"), open("b", "p", "t")),
        ("c03", Some("bob"), submit(A, "bob", 2)),
        ("c04", Some("ida"), close(A)),
        ("c05", Some("ann"), submit(A, "ann", 8)),
        ("c06", Some("zoe"), submit(A, "zoe", 8)),
        ("c07", Some("bob"), submit(A, "bob", 4)),
        ("c08", Some("ida"), close(A)),
        ("c09", Some("ann"), reopen(A)),
        ("c10", Some("ann"), open("b", "p", "t")),
        ("c11", Some("ann"), open("c", "q", "t")),
        ("c12", Some("bob"), submit(("b", "p", "t"), "bob", 1)),
        ("c13", Some("ida"), submit(("c", "q", "t"), "ida", 1)),
    ]
}

/// Whoever is at work is killed after so many turns, and another goes on; project `p` is deleted at the end.
fn story(kill_at: usize) -> (usize, Whole) {
    let mut whole = Whole::new(2, &["p", "q"]);
    whole.estimation.start_processor();
    whole.estimation.start_policies();
    let mut turns = 0;
    let mut turn = |whole: &mut Whole| {
        let at = turns % 2;
        if turns == kill_at {
            whole.estimation.kill(at);
        }
        // the session of who was killed ends by the clock
        if !whole.estimation.turn(at, turns / 2) {
            whole.estimation.clock.pass(250_000);
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
    whole.delete("p");
    whole.projects.settle();
    let is_over = |whole: &Whole| {
        let states = whole.states();
        ["a", "b"].iter().all(|id| {
            let it = states.get(&format!("Estimation/{id}")).and_then(State::estimation);
            it.is_some_and(|it| it.is_over)
        })
    };
    let mut patience = 4_000;
    while !is_over(&whole) {
        turn(&mut whole);
        patience -= 1;
        assert!(patience > 0, "they are still open, killed at {kill_at}");
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
    assert_eq!(refused, [2, 4, 6], "who may only look on, and what was closed too early");
    let status = |id: &str| expected[&format!("Estimation/{id}")].estimation().unwrap().status.to_string();
    assert_eq!(["a", "b", "c"].map(status), ["ENDED", "ENDED", "OPEN"]);
    assert!(turns > 60, "{turns}");
    for kill_at in 0..turns {
        let (_, whole) = story(kill_at);
        is_consistent(&whole, &format!("killed at {kill_at}"));
        assert_eq!(known(&whole), expected, "killed at {kill_at}");
        assert_eq!(answers(&whole), accepted, "killed at {kill_at}");
    }
}

/// The positions of an outcome name every partition in which its process has written.
#[test]
fn whoever_waits_for_the_end_sees_all_of_it() {
    let mut whole = Whole::new(4, &["p"]);
    whole.estimation.start_processor();
    assert_eq!(whole.ask("open", Some("ann"), open("a", "p", "t")), []);
    for user in ["ann", "bob"] {
        assert_eq!(whole.ask(user, Some(user), submit(A, user, 2)), []);
    }
    assert_eq!(whole.ask("close", Some("ann"), close(A)), []);
    assert_eq!(whole.ask("reopen", Some("ann"), reopen(A)), []);
    for (id, count) in [("open", 3), ("close", 3), ("reopen", 3)] {
        let outcome = whole.answer(id).unwrap();
        let events: Vec<_> =
            whole.estimation.events().into_iter().filter(|(_, it)| it.command_id == id).collect();
        assert_eq!(events.len(), count, "{id}");
        for (partition, event) in &events {
            assert!(outcome.positions.iter().any(|it| it.partition == *partition), "{id}: {event:?}");
            let version = outcome.versions.iter().find(|it| it.aggregate_id == event.aggregate_id);
            assert!(version.is_some_and(|it| it.version >= event.version), "{id}: {event:?}");
        }
    }
}

/// The engine compares what a command is based on before anybody decides it.
#[test]
fn of_two_who_close_one_is_told_that_the_other_has() {
    let mut whole = Whole::new(2, &["p"]);
    whole.estimation.start_processor();
    assert_eq!(whole.ask("open", Some("ann"), open("a", "p", "t")), []);
    for user in ["ann", "bob"] {
        assert_eq!(whole.ask(user, Some(user), submit(A, user, 2)), []);
    }
    for id in ["first", "second"] {
        let metadata = Metadata { expected_version: Some(4), ..Metadata::default() };
        whole.estimation.send(&Command { id: id.into(), metadata, data: close(A) });
    }
    whole.settle();
    assert_eq!(whole.answer("first").unwrap().status, Status::Accepted);
    let violations = whole.answer("second").unwrap().violations;
    assert_eq!(pairs(&violations), [("VersionConflict", "metadata.expected_version")]);
}

#[test]
fn estimations_survive_crashes_of_anything() {
    let count = histories(30);
    let (mut accepted, mut gone) = (0, 0);
    for seed in 0..count {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 5);
        let projects = ["p", "q", "r"];
        let mut whole = Whole::new(4, &projects);
        whole.estimation.start_processor();
        whole.estimation.start_processor();
        whole.estimation.start_policies();
        whole.estimation.start_projectors();
        let mut sent: Vec<String> = Vec::new();
        let mut deleted: Vec<&str> = Vec::new();
        while sent.len() < 150 {
            let pick = |dice: &mut Dice, all: &[&'static str]| all[dice.below(all.len())];
            match dice.below(7) {
                0 => {
                    let (user, project) = (TEAM[dice.below(TEAM.len())].0, pick(&mut dice, &projects));
                    let name = format!("{project}{}", dice.below(3));
                    let of = (name.as_str(), project, "t");
                    let command = match dice.below(12) {
                        0..=2 => open(of.0, project, "t"),
                        3..=8 => submit(of, user, [1, 2, 4, 8][dice.below(4)]),
                        9 | 10 => close(of),
                        _ => reopen(of),
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
                    let instance = dice.below(whole.estimation.instances());
                    whole.estimation.kill(instance);
                }
                2 if dice.below(200) == 0 && deleted.len() < 2 => {
                    let project = pick(&mut dice, &projects);
                    if !deleted.contains(&project) {
                        whole.delete(project);
                        deleted.push(project);
                    }
                }
                3 if dice.below(100) == 0 => whole.leave("bob"),
                3 => {
                    whole.projects.turn(0, dice.below(3));
                }
                _ => {
                    let (instance, lane) = (dice.below(whole.estimation.instances()), dice.below(4));
                    whole.estimation.turn(instance, lane);
                }
            }
        }
        whole.settle();
        is_consistent(&whole, &format!("seed {seed}"));
        let states = whole.states();
        for project in &deleted {
            let list =
                states.get(&format!("ProjectEstimations/{project}")).and_then(State::project_estimations);
            assert!(list.is_some_and(|it| it.ended), "seed {seed}: {project} has ended here as well");
        }
        gone += deleted.len();
        let outcomes = whole.estimation.outcomes();
        for id in &sent {
            let firsts: Vec<_> = outcomes.iter().filter(|it| it.command_id == *id && !it.duplicate).collect();
            assert_eq!(firsts.len(), 1, "seed {seed}: one first answer for {id}");
            let reasons = pairs(&firsts[0].violations);
            assert!(reasons.iter().all(|(code, _)| *code != "Poisoned"), "seed {seed}: {reasons:?}");
            accepted += usize::from(reasons.is_empty());
        }
        let expected = super::views::by_hand(&whole.estimation.events());
        assert_eq!(super::views::shown(&whole.estimation.store), expected, "seed {seed}");
    }
    let at_least = usize::try_from(count).unwrap();
    assert!(
        accepted > 20 * at_least && 2 * gone > at_least,
        "worth their name: {accepted} accepted, {gone} gone"
    );
}
