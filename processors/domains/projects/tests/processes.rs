//! Whole stories: users, teams and projects in partitions of their own, steps in any order.

use crate::common;

use std::collections::BTreeMap;

use common::consistent::is_consistent;
use common::*;
use millrace_domain_projects::member::USER;
use millrace_domain_projects::messages::state::{Membership, Project};
use millrace_domain_projects::{
    CommandData, Projects, State, StepData, giving, membership, project as projects, team,
};
use millrace_kernel::codes::{INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED};
use millrace_testkit::world::{Answer, World};

type Inside = World<Projects>;

const PEOPLE: [&str; 6] = ["ann", "bob", "eve", "ida", "max", "zoe"];

/// Nobody is in a team yet.
fn world() -> Inside {
    let mut world = Inside::new(4);
    for user in PEOPLE {
        world.set_elsewhere(USER, &[user], true);
    }
    world
}

fn of<'w>(world: &'w Inside, user_id: &str) -> Option<&'w Membership> {
    membership::active(world.state(&membership::id(user_id, "t")))
}

fn project_of<'w>(world: &'w Inside, project_id: &str) -> Option<&'w Project> {
    world.state(&projects::id(project_id)).and_then(State::project)
}

fn through(world: &Inside, project_id: &str) -> Vec<String> {
    let all = project_of(world, project_id).map(|it| &it.memberships[..]).unwrap_or_default();
    all.iter().map(|it| it.user_id.to_string()).collect()
}

fn is_accepted(answer: &Answer) {
    assert_eq!(reasons(answer), []);
}

/// Runs a command to its end.
fn ask(world: &mut Inside, actor: Option<&str>, command: impl Into<CommandData>) -> Answer {
    let id = world.send(actor, command);
    world.settle();
    world.answer(&id).cloned().unwrap()
}

/// Ann's team with a project, through which Ida is in it.
fn with_project() -> Inside {
    let mut world = world();
    is_accepted(&ask(&mut world, Some("ann"), join("ann", "t", "owner")));
    is_accepted(&ask(&mut world, Some("ann"), project("p", "ann", "t")));
    is_accepted(&ask(&mut world, Some("ann"), give("p", "ida", "t", "admin")));
    world
}

/// What identity does, and the steps that follow here.
fn remove(world: &mut Inside, user_id: &str) {
    world.set_elsewhere(USER, &[user_id], false);
    world.react([end_member(user_id)]);
}

#[test]
fn of_two_who_found_a_team_one_wins() {
    for order in 0..4 {
        let mut world = world();
        let ann = world.send(Some("ann"), join("ann", "t", "owner"));
        let bob = world.send(Some("bob"), join("bob", "t", "owner"));
        assert_eq!((world.answer(&ann), world.answer(&bob)), (None, None), "neither is there yet");
        let mut order = order;
        while !world.pending().is_empty() {
            world.run_step(order % world.pending().len(), false);
            order /= 2;
        }
        let answers = [ann, bob].map(|id| world.answer(&id).cloned().unwrap());
        let founder = &world.state(&team::id("t")).and_then(State::team).unwrap().founded_by;
        for (user, answer) in ["ann", "bob"].iter().zip(&answers) {
            let has_won = **founder == **user;
            assert_eq!(of(&world, user).is_some(), has_won);
            let expected = [(NOT_PERMITTED, "metadata.user_id")];
            assert_eq!(reasons(answer), if has_won { &expected[..0] } else { &expected });
        }
        // whoever comes later is told the same
        let late = ask(&mut world, Some("eve"), join("eve", "t", "owner"));
        assert_eq!(Some(&late), answers.iter().find(|it| **it != Answer::Accepted));
        is_consistent(world.states(), "a race");
    }
}

#[test]
fn who_comes_through_a_project_goes_with_it() {
    let mut world = with_project();
    is_accepted(&ask(&mut world, Some("ida"), join("bob", "t", "member")));
    is_accepted(&ask(&mut world, Some("ida"), give("p", "eve", "t", "viewer")));
    is_accepted(&ask(&mut world, None, give("p", "max", "t", "member")));
    assert_eq!(through(&world, "p"), ["ida", "eve", "max"]);
    // whoever goes by themselves is forgotten there, before that is answered
    let command = world.send(Some("max"), leave("max", "t"));
    assert_eq!((of(&world, "max"), world.answer(&command)), (None, None));
    world.settle();
    is_accepted(world.answer(&command).unwrap());
    assert_eq!(through(&world, "p"), ["ida", "eve"]);
    // and may come again
    is_accepted(&ask(&mut world, Some("ann"), join("max", "t", "member")));
    let command = world.send(Some("ann"), drop_project("p"));
    assert_eq!(world.answer(&command), None);
    world.settle();
    is_accepted(world.answer(&command).unwrap());
    for (user, is_there) in [("ann", true), ("bob", true), ("max", true), ("ida", false), ("eve", false)] {
        assert_eq!(of(&world, user).is_some(), is_there, "{user}");
    }
    assert_eq!(through(&world, "p"), [""; 0]);
    let late = ask(&mut world, Some("ann"), give("p", "ida", "t", "member"));
    assert_eq!(reasons(&late), [(NOT_FOUND, "project_id")]);
    is_consistent(world.states(), "the project has ended");
}

/// Whatever comes first: the membership, or the end of its project.
#[test]
fn what_is_given_through_a_project_that_ends_is_refused_or_ends() {
    let mut seen = BTreeMap::new();
    for order in 0..64 {
        let mut world = with_project();
        let given = world.send(Some("ann"), give("p", "bob", "t", "member"));
        let ended = world.send(Some("ann"), drop_project("p"));
        let mut order = order;
        while !world.pending().is_empty() {
            world.run_step(order % world.pending().len(), false);
            order /= 2;
        }
        is_accepted(world.answer(&ended).unwrap());
        let answer = world.answer(&given).unwrap();
        assert!([&[][..], &[(INVALID_STATE, "project_id")]].contains(&&*reasons(answer)), "{answer:?}");
        *seen.entry(reasons(answer).len()).or_insert(0) += 1;
        assert_eq!(of(&world, "bob"), None);
        is_consistent(world.states(), "a race");
    }
    // the project was told of it after it had ended, every time: it is sent later
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1]);
    // here it has taken note of it before
    for order in 0..64 {
        let mut world = with_project();
        let given = world.send(Some("ann"), give("p", "bob", "t", "member"));
        world.run_step(0, false);
        let ended = world.send(Some("ann"), drop_project("p"));
        let mut order = order;
        while !world.pending().is_empty() {
            world.run_step(order % world.pending().len(), false);
            order /= 2;
        }
        is_accepted(world.answer(&ended).unwrap());
        *seen.entry(reasons(world.answer(&given).unwrap()).len()).or_insert(0) += 1;
        assert_eq!(of(&world, "bob"), None);
        is_consistent(world.states(), "a race");
    }
    assert_eq!(seen.len(), 2, "accepted and ended, and refused");
}

#[test]
fn who_is_removed_is_in_no_team_whatever_was_under_way() {
    let stories: [(&str, CommandData); 4] = [
        ("comes through a project", give("p", "bob", "t", "member")),
        ("founds a team", join("bob", "n", "owner")),
        ("goes", leave("ida", "t")),
        ("goes with the project", drop_project("p")),
    ];
    for (what, command) in stories {
        for order in 0..64 {
            let mut world = with_project();
            let id = world.send(None, command.clone());
            for user in ["bob", "ida"] {
                remove(&mut world, user);
            }
            let mut order = order;
            while !world.pending().is_empty() {
                world.run_step(order % world.pending().len(), false);
                order /= 2;
            }
            assert!(world.answer(&id).is_some(), "{what}: it is answered");
            for user in ["bob", "ida"] {
                assert_eq!(of(&world, user), None, "{what}: {user}");
                let late = ask(&mut world, None, join(user, "t", "member"));
                assert_eq!(reasons(&late), [(NOT_FOUND, "user_id")], "{what}");
            }
            is_consistent(world.states(), what);
        }
    }
}

#[test]
fn the_five_hundred_first_comes_when_another_has_gone() {
    let mut world = with_project();
    for n in 1..giving::MAX_MEMBERSHIPS {
        let user = format!("u{n}");
        world.set_elsewhere(USER, &[&user], true);
        is_accepted(&ask(&mut world, None, give("p", &user, "t", "viewer")));
    }
    let refused = ask(&mut world, Some("ann"), give("p", "bob", "t", "viewer"));
    assert_eq!(reasons(&refused), [(LIMIT_REACHED, "project_id")]);
    is_accepted(&ask(&mut world, Some("ann"), leave("u7", "t")));
    is_accepted(&ask(&mut world, Some("ann"), give("p", "bob", "t", "viewer")));
    is_consistent(world.states(), "as many as there may be");
    is_accepted(&ask(&mut world, Some("ann"), drop_project("p")));
    assert_eq!(through(&world, "p"), [""; 0]);
    is_consistent(world.states(), "the project has ended");
}

/// Each step of each story is taken twice: it comes to the same.
#[test]
fn a_step_that_is_taken_twice_changes_nothing() {
    let stories: [Vec<CommandData>; 5] = [
        vec![join("ann", "n", "owner")],
        vec![join("ann", "n", "owner"), join("bob", "n", "owner")],
        vec![give("p", "bob", "t", "owner"), leave("bob", "t"), give("p", "bob", "t", "member")],
        vec![give("p", "bob", "t", "owner"), drop_project("p")],
        vec![give("q", "bob", "t", "owner")],
    ];
    let told = |story: &[CommandData], twice: usize, removes: bool| {
        let mut world = with_project();
        let (mut taken, mut answers) = (0, Vec::new());
        let run = |world: &mut Inside, taken: &mut usize| {
            while !world.pending().is_empty() {
                let again = *taken == twice && !goes_on(&world.pending()[0].step);
                if again {
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
        if removes {
            remove(&mut world, "bob");
            run(&mut world, &mut taken);
        }
        let states: BTreeMap<String, State> = world
            .states()
            .iter()
            .filter_map(|(id, it)| Some((id.to_string(), it.state.as_deref()?.clone())))
            .collect();
        (taken, answers, states)
    };
    for (story, removes) in stories.iter().flat_map(|story| [(story, false), (story, true)]) {
        let (steps, answers, states) = told(story, usize::MAX, removes);
        for twice in 0..steps {
            let again = told(story, twice, removes);
            assert_eq!((&again.1, &again.2), (&answers, &states), "step {twice} of {story:?}");
        }
    }
}

/// The steps of a project's end lead from one membership to the next: twice would be two chains, of which the engine keeps a
/// project by taking each step once.
fn goes_on(step: &StepData) -> bool {
    match step {
        StepData::DelistMembership(it) => it.with_project,
        StepData::EndMembership(it) => it.project_id.is_some(),
        _ => false,
    }
}
