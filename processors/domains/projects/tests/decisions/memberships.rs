//! Who is given, changed and taken a membership, and who is not.

use millrace_domain_projects::messages::commands::CreateMembership;

use super::*;

#[test]
fn memberships_are_given_changed_and_taken() {
    let member = || vec![deleted("bob", "t", None, false), unlisted("bob", "t")];
    let rows = vec![
        (Some("ann"), join("new", "t", "owner"), vec![joined("new", "t", "owner")]),
        (Some("eve"), join("new", "t", "admin"), vec![joined("new", "t", "admin")]),
        (Some("eve"), join("new", "t", "viewer"), vec![joined("new", "t", "viewer")]),
        (None, join("new", "t", "owner"), vec![joined("new", "t", "owner")]),
        (
            Some("eve"),
            give("p", "new", "t", "member"),
            vec![vec![requested("new", "t", "member", Some("p"), Some("eve")), listed("new", "t")]],
        ),
        (
            None,
            give("p", "new", "t", "owner"),
            vec![vec![requested("new", "t", "owner", Some("p"), None), listed("new", "t")]],
        ),
        // the first founds the team
        (
            Some("new"),
            join("new", "n", "owner"),
            vec![vec![requested("new", "n", "owner", None, Some("new")), listed("new", "n")]],
        ),
        (
            None,
            join("new", "n", "owner"),
            vec![vec![requested("new", "n", "owner", None, None), listed("new", "n")]],
        ),
        // what a role gives comes and goes with it
        (
            Some("ann"),
            promote("zoe", "t", "owner"),
            vec![vec![updated("zoe", "t", "owner")], appointed("zoe", "t", "owner")],
        ),
        (
            Some("eve"),
            promote("bob", "t", "admin"),
            vec![vec![updated("bob", "t", "admin")], appointed("bob", "t", "admin")[1..].to_vec()],
        ),
        (
            Some("eve"),
            promote("eve", "t", "viewer"),
            vec![vec![updated("eve", "t", "viewer")], dismissed("eve", "t", "admin")],
        ),
        (Some("eve"), promote("bob", "t", "member"), vec![vec![updated("bob", "t", "member")]]),
        (
            None,
            promote("ann", "t", "member"),
            vec![vec![updated("ann", "t", "member")], dismissed("ann", "t", "owner")[1..].to_vec()],
        ),
        (Some("eve"), leave("bob", "t"), vec![member(), dismissed("bob", "t", "member")]),
        // everybody may leave
        (Some("bob"), leave("bob", "t"), vec![member(), dismissed("bob", "t", "member")]),
        (Some("zoe"), leave("zoe", "t"), vec![vec![deleted("zoe", "t", None, false), unlisted("zoe", "t")]]),
        (
            Some("ida"),
            leave("ida", "t"),
            vec![
                vec![deleted("ida", "t", Some("p"), false), unlisted("ida", "t")],
                dismissed("ida", "t", "member"),
            ],
        ),
        (
            None,
            leave("ann", "t"),
            vec![
                vec![deleted("ann", "t", None, false), unlisted("ann", "t")],
                dismissed("ann", "t", "owner"),
            ],
        ),
    ];
    all_accepted(
        rows.into_iter().map(|(actor, command, events)| (actor, command, events.concat())).collect(),
    );
}

#[test]
fn an_owner_is_another_owners_business() {
    let both = scene(Some("ann")).when(promote("eve", "t", "owner")).then_events(
        [vec![updated("eve", "t", "owner")], appointed("eve", "t", "owner")[2..].to_vec()].concat(),
    );
    let both = both.when(promote("ann", "t", "member")).then_rejected(&[ACTOR]);
    let both = both.when(leave("ann", "t")).then_rejected(&[ACTOR]);
    both.acting("eve").when(leave("ann", "t")).then_events(
        [vec![deleted("ann", "t", None, false), unlisted("ann", "t")], dismissed("ann", "t", "owner")]
            .concat(),
    );
}

#[test]
fn create_membership_is_rejected() {
    let all_wrong = CreateMembership {
        membership_id: "".into(),
        team_id: "/".into(),
        user_id: "a/b".into(),
        role: "king".into(),
    };
    let form = vec![(INVALID_ARGUMENT, "membership_id"), NO_TEAM, NO_USER, NO_ROLE];
    let found = |code| vec![(code, "user_id")];
    all_rejected(vec![
        ("all at once", None, all_wrong.clone().into(), form.clone()),
        ("all at once, by a stranger", Some("bob"), all_wrong.into(), [vec![ACTOR], form].concat()),
        ("by a member", Some("bob"), join("new", "t", "viewer"), vec![ACTOR]),
        ("by a viewer", Some("zoe"), join("new", "t", "viewer"), vec![ACTOR]),
        ("by somebody else's owner", Some("max"), join("new", "t", "viewer"), vec![ACTOR]),
        ("by oneself", Some("new"), join("new", "t", "viewer"), vec![ACTOR]),
        ("an owner by an admin", Some("eve"), join("new", "t", "owner"), vec![ACTOR]),
        ("by who wants to found what is founded", Some("new"), join("new", "t", "owner"), vec![ACTOR]),
        ("by who wants another to found", Some("ann"), join("new", "n", "owner"), vec![ACTOR]),
        ("in a team of nobody", Some("new"), join("new", "n", "admin"), vec![ACTOR]),
        ("in a team of nobody", None, join("new", "n", "admin"), vec![(NOT_FOUND, "team_id")]),
        ("a role that is none", Some("eve"), join("new", "t", "king"), vec![NO_ROLE]),
        ("a role in capitals", Some("eve"), join("new", "t", "Admin"), vec![NO_ROLE]),
        ("a role that is too long", Some("eve"), join("new", "t", &"x".repeat(17)), vec![NO_ROLE]),
        ("nobody", Some("ann"), join("nobody", "t", "member"), found(NOT_FOUND)),
        ("nobody founds", Some("nobody"), join("nobody", "n", "owner"), found(NOT_FOUND)),
        ("who has ended", Some("ann"), join("guy", "t", "member"), found(NOT_FOUND)),
        ("who is there", Some("ann"), join("bob", "t", "member"), found(ALREADY_EXISTS)),
        ("who is there through a project", None, join("ida", "t", "owner"), found(ALREADY_EXISTS)),
        ("who is on the way in", Some("ann"), join("max", "t", "member"), found(INVALID_STATE)),
        ("who is on the way out", Some("max"), join("ida", "u", "member"), found(INVALID_STATE)),
        ("who was there is nobody's business", Some("bob"), join("zoe", "t", "member"), vec![ACTOR]),
    ]);
}

#[test]
fn a_user_who_has_ended_is_nobody_though_the_look_up_does_not_say_so_yet() {
    let scene = scene(Some("ann")).elsewhere(member::USER, &["guy"]);
    scene.when(join("guy", "t", "member")).then_rejected(&[(NOT_FOUND, "user_id")]);
}

#[test]
fn nobody_is_in_more_than_a_thousand_teams() {
    let teams = || (0..member::MAX_TEAMS).map(|n| listed("new", &format!("t{n}")));
    let scene = |events: Vec<EventData>| {
        given::<Projects>([people(), events].concat()).elsewhere(member::USER, &["new"]).acting("ann")
    };
    let full = scene(teams().collect());
    let full = full.when(join("new", "t", "member")).then_rejected(&[(LIMIT_REACHED, "user_id")]);
    let full = full.when(give("p", "new", "t", "member")).then_rejected(&[(LIMIT_REACHED, "user_id")]);
    let full = full.acting("new");
    full.when(join("new", "n", "owner")).then_rejected(&[(LIMIT_REACHED, "user_id")]);
    let not_full = scene(teams().skip(1).collect());
    not_full.when(join("new", "t", "viewer")).then_events(joined("new", "t", "viewer"));
}

#[test]
fn create_membership_for_project_is_rejected() {
    let form = vec![NO_PROJECT, NO_TEAM, NO_USER, NO_ROLE];
    let found = |code, field| vec![(code, field)];
    all_rejected(vec![
        ("all at once", None, give("p p", "", "/", ""), form.clone()),
        ("all at once, by a stranger", Some("bob"), give("p p", "", "/", ""), [vec![ACTOR], form].concat()),
        ("by a member", Some("bob"), give("p", "new", "t", "viewer"), vec![ACTOR]),
        ("by oneself", Some("new"), give("p", "new", "t", "viewer"), vec![ACTOR]),
        ("an owner by an admin", Some("eve"), give("p", "new", "t", "owner"), vec![ACTOR]),
        ("founding", Some("new"), give("p", "new", "n", "owner"), vec![ACTOR]),
        ("no project", Some("eve"), give("n", "new", "t", "viewer"), found(NOT_FOUND, "project_id")),
        ("another team's", Some("eve"), give("q", "new", "t", "viewer"), found(NOT_FOUND, "project_id")),
        ("nobody's", Some("eve"), give("s", "new", "t", "viewer"), found(NOT_FOUND, "project_id")),
        ("deleted", Some("eve"), give("d", "new", "t", "viewer"), found(NOT_FOUND, "project_id")),
        ("nobody", Some("eve"), give("p", "nobody", "t", "viewer"), found(NOT_FOUND, "user_id")),
        ("who has ended", Some("eve"), give("p", "guy", "t", "viewer"), found(NOT_FOUND, "user_id")),
        ("who is there", Some("eve"), give("p", "bob", "t", "viewer"), found(ALREADY_EXISTS, "user_id")),
        ("who is on the way in", None, give("p", "max", "t", "viewer"), found(INVALID_STATE, "user_id")),
        ("who is on the way out", None, give("q", "ida", "u", "viewer"), found(INVALID_STATE, "user_id")),
        (
            "neither project nor user",
            None,
            give("n", "nobody", "t", "viewer"),
            vec![(NOT_FOUND, "project_id"), (NOT_FOUND, "user_id")],
        ),
    ]);
}

#[test]
fn update_membership_is_rejected() {
    let form = vec![NO_TEAM, NO_USER, NO_ROLE];
    all_rejected(vec![
        ("all at once", None, promote("/", "", "x"), form.clone()),
        ("all at once, by a stranger", Some("bob"), promote("/", "", "x"), [vec![ACTOR], form].concat()),
        ("by a member", Some("bob"), promote("zoe", "t", "member"), vec![ACTOR]),
        ("by a member, of nobody", Some("bob"), promote("new", "t", "member"), vec![ACTOR]),
        ("one's own", Some("zoe"), promote("zoe", "t", "member"), vec![ACTOR]),
        ("to owner, by an admin", Some("eve"), promote("zoe", "t", "owner"), vec![ACTOR]),
        ("an owner's, by an admin", Some("eve"), promote("ann", "t", "member"), vec![ACTOR]),
        ("an owner's own", Some("ann"), promote("ann", "t", "member"), vec![ACTOR]),
        ("not there", Some("eve"), promote("new", "t", "member"), vec![(NOT_FOUND, "user_id")]),
        ("not there yet", Some("eve"), promote("max", "t", "viewer"), vec![(NOT_FOUND, "user_id")]),
        ("not there any more", None, promote("ida", "u", "viewer"), vec![(NOT_FOUND, "user_id")]),
        (
            "not there, and no role",
            Some("eve"),
            promote("new", "t", "king"),
            vec![(NOT_FOUND, "user_id"), NO_ROLE],
        ),
    ]);
}

#[test]
fn delete_membership_is_rejected() {
    let form = vec![NO_TEAM, NO_USER];
    all_rejected(vec![
        ("all at once", None, leave("/", ""), form.clone()),
        ("all at once, by a stranger", Some("bob"), leave("/", ""), [vec![ACTOR], form].concat()),
        ("by a member", Some("bob"), leave("zoe", "t"), vec![ACTOR]),
        ("by a member, of nobody", Some("bob"), leave("new", "t"), vec![ACTOR]),
        ("an owner's, by an admin", Some("eve"), leave("ann", "t"), vec![ACTOR]),
        ("an owner's own", Some("ann"), leave("ann", "t"), vec![ACTOR]),
        ("not there", Some("new"), leave("new", "t"), vec![(NOT_FOUND, "user_id")]),
        ("not there yet", Some("max"), leave("max", "t"), vec![(NOT_FOUND, "user_id")]),
        ("not there any more", None, leave("ida", "u"), vec![(NOT_FOUND, "user_id")]),
    ]);
}
