//! Every command and every rejection, one row each, with the order of violations.

mod memberships;
mod projects;
mod tasks;

use crate::common;

use common::*;
use millrace_domain_projects::{CommandData, EventData, Projects, member};
use millrace_kernel::codes::{
    ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED,
};
use millrace_testkit::given::{Given, given};
use millrace_testkit::texts::no_text_may_hold_control_characters;

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");
const NO_TEAM: (&str, &str) = (INVALID_ARGUMENT, "team_id");
const NO_USER: (&str, &str) = (INVALID_ARGUMENT, "user_id");
const NO_PROJECT: (&str, &str) = (INVALID_ARGUMENT, "project_id");
const NO_TASK: (&str, &str) = (INVALID_ARGUMENT, "task_id");
const NO_ROLE: (&str, &str) = (INVALID_ARGUMENT, "role");
const UNBASED: (&str, &str) = (INVALID_ARGUMENT, "metadata.expected_version");

/// Everybody who is there; Guy was, and has ended.
const USERS: [&str; 7] = ["ann", "eve", "bob", "zoe", "max", "new", "ida"];

/// Team `t` with its owner Ann, the admin Eve, Bob, and Zoe who may only read; Ida is in it through project `p`, which has the
/// tasks `a`, and `x`, which was deleted. Max owns team `u`, with project `q`. Project `s` is Bob's alone; project `d` of team
/// `t` was deleted. Max is on his way into team `t`, Ida out of team `u`.
fn people() -> Vec<EventData> {
    let mut all = team("t", "ann");
    all.extend(joined("eve", "t", "admin"));
    all.extend(joined("bob", "t", "member"));
    all.extend(joined("zoe", "t", "viewer"));
    all.extend(team("u", "max"));
    all.extend(begun("p", "ann", "t"));
    all.extend(begun("q", "max", "u"));
    all.extend(begun("s", "bob", ""));
    all.extend(begun("d", "ann", "t"));
    all.extend([project_deleted("d", None), team_cleared("d", "t")]);
    all.extend(given_through("p", "ida", "t", "member"));
    all.extend([requested("max", "t", "member", Some("p"), Some("ann")), listed("max", "t")]);
    all.extend(given_through("q", "ida", "u", "admin"));
    all.extend([deleted("ida", "u", Some("q"), false), unlisted("ida", "u")]);
    all.extend(dismissed("ida", "u", "admin"));
    all.extend([task_created("p", "a", 1, "todo", "m"), counted("p", 1, 1)]);
    all.extend([task_created("p", "x", 2, "todo", "n"), counted("p", 2, 2)]);
    all.extend([task_deleted("p", "x"), counted("p", 1, 2)]);
    all.push(member_ended("guy", &[]));
    all
}

fn scene(actor: Option<&str>) -> Given<Projects> {
    let mut scene = given::<Projects>(people());
    for user in USERS {
        scene = scene.elsewhere(member::USER, &[user]);
    }
    match actor {
        Some(actor) => scene.acting(actor),
        None => scene,
    }
}

/// Who asks, what for, and what happens.
type Accepted<'a> = (Option<&'a str>, CommandData, Vec<EventData>);

fn all_accepted(rows: Vec<Accepted<'_>>) {
    for (actor, command, events) in rows {
        println!("{actor:?} {command:?}");
        scene(actor).when(command).then_events(events);
    }
}

type Row<'a> = (&'a str, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

fn all_rejected(rows: Vec<Row<'_>>) {
    for (what, actor, command, expected) in rows {
        println!("{what}");
        scene(actor).when(command).then_rejected(&expected);
    }
}

#[test]
fn no_text_holds_control_characters() {
    assert_eq!(no_text_may_hold_control_characters::<Projects>(), 4 + 5 + 3 + 2 + 6 + 6 + 1 + 5 + 4 + 3 + 2);
}
