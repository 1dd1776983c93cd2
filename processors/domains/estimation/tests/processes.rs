//! Whole stories: estimations and projects in partitions of their own, steps in any order.

use crate::common;

use std::collections::BTreeMap;

use common::consistent::{is_consistent, of_world};
use common::*;
use millrace_domain_estimation::messages::state::Estimation;
use millrace_domain_estimation::{CommandData, Estimations, State, estimation, listing, who};
use millrace_kernel::codes::{INVALID_STATE, LIMIT_REACHED, NOT_FOUND};
use millrace_testkit::world::{Answer, World};

type Inside = World<Estimations>;

const E: Of<'_> = ("e", "p", "t");

/// Ann's team `t` with Bob and Ida, and its projects `p` and `q`.
fn world() -> Inside {
    let mut world = Inside::new(4);
    world.set_elsewhere(who::MANAGER, &["ann", "t"], true);
    for user in ["ann", "bob", "ida"] {
        world.set_elsewhere(who::CONTRIBUTOR, &[user, "t"], true);
    }
    for project in ["p", "q"] {
        world.set_elsewhere(who::PROJECT_TEAM, &[project, "t"], true);
    }
    world
}

/// What projects does, and the steps that follow here.
fn delete(world: &mut Inside, project_id: &str) {
    world.set_elsewhere(who::PROJECT_TEAM, &[project_id, "t"], false);
    world.react([end_project(project_id)]);
}

/// Runs a command to its end.
fn ask(world: &mut Inside, actor: Option<&str>, command: CommandData) -> Answer {
    let id = world.send(actor, command);
    world.settle();
    world.answer(&id).cloned().unwrap()
}

fn is_accepted(answer: &Answer) {
    assert_eq!(reasons(answer), []);
}

fn of<'w>(world: &'w Inside, estimation_id: &str) -> Option<&'w Estimation> {
    world.state(&estimation::id(estimation_id)).and_then(State::estimation)
}

fn status<'w>(world: &'w Inside, estimation_id: &str) -> Option<&'w str> {
    of(world, estimation_id).map(|it| &*it.status)
}

fn in_any_order(world: &mut Inside, mut order: usize) {
    while !world.pending().is_empty() {
        world.run_step(order % world.pending().len(), false);
        order /= 2;
    }
}

fn listed(world: &Inside, project_id: &str) -> Vec<String> {
    let list = world.state(&listing::id(project_id)).and_then(State::project_estimations);
    list.map(|it| it.estimation_ids.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// Estimation `e`, in which Bob and Ida have estimated.
fn with_estimates() -> Inside {
    let mut world = world();
    is_accepted(&ask(&mut world, Some("ann"), open("e", "p", "t")));
    for (member, points) in [("bob", 2), ("ida", 4)] {
        is_accepted(&ask(&mut world, Some(member), submit(E, member, points)));
    }
    world
}

#[test]
fn an_estimation_is_opened_played_closed_and_reopened() {
    let mut world = world();
    let id = world.send(Some("ann"), open("e", "p", "t"));
    assert_eq!((world.answer(&id), status(&world, "e")), (None, Some("REQUESTED")));
    // nobody estimates before
    let early = world.send(Some("bob"), submit(E, "bob", 1));
    assert_eq!(reasons(world.answer(&early).unwrap()), [(INVALID_STATE, "estimation_id")]);
    world.settle();
    is_accepted(world.answer(&id).unwrap());
    assert_eq!(listed(&world, "p"), ["e"]);
    for (member, points) in [("bob", 2), ("ida", 4), ("bob", 8)] {
        is_accepted(&ask(&mut world, Some(member), submit(E, member, points)));
    }
    // turned up at once, answered when the project has forgotten it
    let id = world.send(Some("ann"), close(E));
    assert_eq!((world.answer(&id), status(&world, "e")), (None, Some("CLOSING")));
    let early = world.send(Some("ann"), reopen(E));
    assert_eq!(reasons(world.answer(&early).unwrap()), [(INVALID_STATE, "estimation_id")]);
    world.settle();
    is_accepted(world.answer(&id).unwrap());
    assert_eq!((status(&world, "e"), listed(&world, "p")), (Some("CLOSED"), vec![]));
    is_accepted(&ask(&mut world, Some("ann"), reopen(E)));
    let again = of(&world, "e").unwrap();
    assert_eq!((&*again.status, again.round, again.estimates.len()), ("OPEN", 2, 0));
    assert_eq!(listed(&world, "p"), ["e"]);
    is_consistent(world.states(), "a whole story");
}

/// Whatever comes first: the estimation, or the end of its project.
#[test]
fn what_is_asked_of_a_project_that_ends_is_refused_or_ends() {
    let mut seen: BTreeMap<&str, std::collections::BTreeSet<String>> = BTreeMap::new();
    for (what, is_closed) in [("open", false), ("reopen", true), ("close", false)] {
        for before in 0..3 {
            for order in 0..128 {
                let mut world = with_estimates();
                if is_closed {
                    is_accepted(&ask(&mut world, Some("ann"), close(E)));
                }
                let id = world.send(
                    Some("ann"),
                    match what {
                        "open" => open("new", "p", "t"),
                        "reopen" => reopen(E),
                        _ => close(E),
                    },
                );
                for _ in 0..before.min(world.pending().len()) {
                    world.run_step(0, false);
                }
                delete(&mut world, "p");
                in_any_order(&mut world, order);
                let name = if what == "open" { "new" } else { "e" };
                let answer = world.answer(&id).expect("it is answered");
                match (what, &*reasons(answer), status(&world, name)) {
                    ("open", [], Some("ENDED"))
                    | ("open", [(INVALID_STATE, "project_id")], None)
                    | ("reopen", [], Some("ENDED"))
                    | ("reopen", [(INVALID_STATE, "project_id")], Some("CLOSED"))
                    | ("close", [], Some("CLOSED")) => {}
                    other => panic!("{other:?}"),
                }
                seen.entry(what).or_default().insert(format!("{:?}", status(&world, name)));
                if what == "open" {
                    assert_eq!(status(&world, "e"), Some("ENDED"), "it was open");
                }
                is_consistent(world.states(), what);
                // and nothing opens any more
                for late in [open("late", "p", "t"), reopen(E)] {
                    let late = ask(&mut world, None, late);
                    let last = reasons(&late).pop().unwrap();
                    assert!(
                        [(NOT_FOUND, "project_id"), (INVALID_STATE, "project_id")].contains(&last),
                        "{late:?}"
                    );
                }
            }
        }
    }
    assert_eq!(seen["open"].len(), 2, "refused, and opened and ended");
    assert_eq!(seen["reopen"].len(), 2, "refused, and reopened and ended");
}

#[test]
fn others_are_left_alone_by_a_project_that_ends() {
    let mut world = with_estimates();
    is_accepted(&ask(&mut world, Some("ann"), open("other", "q", "t")));
    is_accepted(&ask(&mut world, Some("ann"), open("done", "p", "t")));
    for member in ["bob", "ida"] {
        is_accepted(&ask(&mut world, Some(member), submit(("done", "p", "t"), member, 1)));
    }
    is_accepted(&ask(&mut world, Some("ann"), close(("done", "p", "t"))));
    delete(&mut world, "p");
    world.settle();
    for (name, expected) in [("e", "ENDED"), ("done", "CLOSED"), ("other", "OPEN")] {
        assert_eq!(status(&world, name), Some(expected), "{name}");
    }
    is_accepted(&ask(&mut world, Some("bob"), submit(("other", "q", "t"), "bob", 1)));
    is_consistent(world.states(), "one project has ended");
}

#[test]
fn the_two_hundred_first_opens_when_another_is_closed() {
    let mut world = with_estimates();
    for n in 1..listing::MAX_OPEN {
        is_accepted(&ask(&mut world, None, open(&format!("e{n}"), "p", "t")));
    }
    let refused = ask(&mut world, Some("ann"), open("new", "p", "t"));
    assert_eq!(reasons(&refused), [(LIMIT_REACHED, "project_id")]);
    assert_eq!(of(&world, "new"), None, "the id is free");
    is_accepted(&ask(&mut world, Some("ann"), close(E)));
    is_accepted(&ask(&mut world, Some("ann"), open("new", "p", "t")));
    let refused = ask(&mut world, Some("ann"), reopen(E));
    assert_eq!(reasons(&refused), [(LIMIT_REACHED, "project_id")]);
    assert_eq!(status(&world, "e"), Some("CLOSED"));
    is_consistent(world.states(), "as many as there may be");
    delete(&mut world, "p");
    world.settle();
    is_consistent(world.states(), "the project has ended");
    assert!((1..listing::MAX_OPEN).all(|n| status(&world, &format!("e{n}")) == Some("ENDED")));
}

/// Each step of each story is taken twice: it comes to the same.
#[test]
fn a_step_that_is_taken_twice_changes_nothing() {
    let stories: [Vec<CommandData>; 3] =
        [vec![open("new", "p", "t")], vec![close(E), reopen(E)], vec![close(E), open("e", "p", "t")]];
    let told = |story: &[CommandData], twice: usize, ends: bool| {
        let mut world = with_estimates();
        let (mut taken, mut answers) = (0, Vec::new());
        let run = |world: &mut Inside, taken: &mut usize| {
            while !world.pending().is_empty() {
                if *taken == twice {
                    world.run_step(0, true);
                }
                world.run_step(0, false);
                *taken += 1;
            }
        };
        for command in story {
            let id = world.send(None, command.clone());
            run(&mut world, &mut taken);
            answers.push(world.answer(&id).cloned());
        }
        if ends {
            delete(&mut world, "p");
            run(&mut world, &mut taken);
        }
        (taken, answers, of_world(world.states()))
    };
    for (story, ends) in stories.iter().flat_map(|story| [(story, false), (story, true)]) {
        let (steps, answers, states) = told(story, usize::MAX, ends);
        for twice in 0..steps {
            let again = told(story, twice, ends);
            assert_eq!((&again.1, &again.2), (&answers, &states), "step {twice} of {story:?}");
        }
    }
}
