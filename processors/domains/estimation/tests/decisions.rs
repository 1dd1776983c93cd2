//! Every command and every rejection, one row each, with the order of violations.

mod estimating;
mod opening;
mod turning;

use crate::common;

use common::*;
use millrace_domain_estimation::{CommandData, Estimations, EventData, who};
use millrace_kernel::codes::{
    ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED,
};
use millrace_testkit::given::{Given, given};
use millrace_testkit::texts::no_text_may_hold_control_characters;

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");
const NO_ID: (&str, &str) = (INVALID_ARGUMENT, "estimation_id");
const NO_PROJECT: (&str, &str) = (INVALID_ARGUMENT, "project_id");
const NO_TEAM: (&str, &str) = (INVALID_ARGUMENT, "team_id");
const NO_MEMBER: (&str, &str) = (INVALID_ARGUMENT, "member_id");
const OFF_SCALE: (&str, &str) = (INVALID_ARGUMENT, "points");
const NONE: (&str, &str) = (NOT_FOUND, "estimation_id");
const GONE_PROJECT: (&str, &str) = (NOT_FOUND, "project_id");
const STATE: (&str, &str) = (INVALID_STATE, "estimation_id");

/// Who is what: the owner Ann, the admin Eve, and Bob and Ida in team `t`; Max owns team `u`. Zoe is in `t` to look on, so
/// nothing of her can be looked up. Of `t` are the projects `p` and `r`, of `u` is `q`; project `d` of `t` was deleted.
const MANAGERS: [(&str, &str); 3] = [("ann", "t"), ("eve", "t"), ("max", "u")];
const CONTRIBUTORS: [(&str, &str); 5] =
    [("ann", "t"), ("eve", "t"), ("bob", "t"), ("ida", "t"), ("max", "u")];
const PROJECTS: [(&str, &str); 3] = [("p", "t"), ("r", "t"), ("q", "u")];

/// Of project `p`: `open`, in which Ann and Bob have estimated, `alone`, in which only Ann has, `closed`, `asked`, which is about to open,
/// `closing` and `reopening`. Of `q`: `theirs`. Of `d`, which has ended: `late`, where nothing has come of that yet, `over`, which was
/// open, and `kept`, which was closed.
fn happened() -> Vec<EventData> {
    let mut all = begun("open", "p", "t");
    all.extend([submitted("open", "p", "ann", 1, 2), submitted("open", "p", "bob", 1, 8)]);
    all.extend(begun("alone", "p", "t"));
    all.push(submitted("alone", "p", "ann", 1, 4));
    all.extend([begun("closed", "p", "t"), played("closed", "p")].concat());
    all.push(requested("asked", "p", "t"));
    all.extend([begun("closing", "p", "t"), played("closing", "p")[..3].to_vec()].concat());
    all.extend([begun("reopening", "p", "t"), played("reopening", "p")].concat());
    all.push(reopening("reopening", "p"));
    all.extend(begun("theirs", "q", "u"));
    all.extend(begun("late", "d", "t"));
    all.extend([begun("over", "d", "t"), vec![ended("over", "d")]].concat());
    all.extend([begun("kept", "d", "t"), played("kept", "d"), vec![noted("kept", "d")]].concat());
    all
}

fn beside(mut scene: Given<Estimations>) -> Given<Estimations> {
    for (user, team) in MANAGERS {
        scene = scene.elsewhere(who::MANAGER, &[user, team]);
    }
    for (user, team) in CONTRIBUTORS {
        scene = scene.elsewhere(who::CONTRIBUTOR, &[user, team]);
    }
    for (project, team) in PROJECTS {
        scene = scene.elsewhere(who::PROJECT_TEAM, &[project, team]);
    }
    scene
}

fn scene(actor: Option<&str>) -> Given<Estimations> {
    let scene = beside(given::<Estimations>(happened()));
    match actor {
        Some(actor) => scene.acting(actor),
        None => scene,
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
    assert_eq!(no_text_may_hold_control_characters::<Estimations>(), 5 + 4 + 3 + 3);
}
