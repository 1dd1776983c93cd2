//! Every command and every rejection, one row each, with the order of violations.

use crate::common;

use common::*;
use millrace_domain_chirp::{Chirp, CommandData, EventData};
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_testkit::given::given;
use millrace_testkit::texts::no_text_may_hold_control_characters;

const ALREADY_FOLLOWING: &str = "AlreadyFollowing";
const NOT_FOLLOWING: &str = "NotFollowing";
const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");

/// What most rows begin with: two users, a chirp, and a deleted one.
fn network() -> Vec<EventData> {
    vec![
        registered("ann"),
        registered("bob"),
        posted("ann", "c1", "hello"),
        posted("ann", "gone", "oops"),
        deleted("ann", "gone"),
        started("eve", "eve_opens"),
    ]
}

type Row<'a> = (&'a str, Vec<EventData>, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

fn all_rejected(rows: Vec<Row<'_>>) {
    for (what, history, actor, command, expected) in rows {
        println!("{what}");
        let mut given = given::<Chirp>(history);
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_rejected(&expected);
    }
}

#[test]
fn no_text_holds_control_characters() {
    assert_eq!(no_text_may_hold_control_characters::<Chirp>(), 14);
}

#[test]
fn accepted() {
    let long = "x".repeat(280);
    // 280 scalar values that are 1120 bytes
    let birds = "🐦".repeat(280);
    let id64 = "i".repeat(64);
    let rows: Vec<(Vec<EventData>, Option<&str>, CommandData, EventData)> = vec![
        (vec![], None, register("ann", "Ann_1"), started("ann", "Ann_1")),
        (vec![], Some("ann"), register("ann", "abc"), started("ann", "abc")),
        (vec![], None, register(&id64, "a234567890_234567890"), started(&id64, "a234567890_234567890")),
        (network(), None, post("ann", "c2", &long), posted("ann", "c2", &long)),
        (network(), Some("ann"), post("ann", "c2", &birds), posted("ann", "c2", &birds)),
        // an id belongs to its author: another may use the same
        (network(), None, post("bob", "c1", "hi"), posted("bob", "c1", "hi")),
        // a zero-width space is not White_Space
        (network(), None, post("bob", "c1", "\u{200b}"), posted("bob", "c1", "\u{200b}")),
        (network(), Some("ann"), edit("ann", "c1", "new"), edited("ann", "c1", "new")),
        (network(), None, edit("ann", "c1", "hello"), edited("ann", "c1", "hello")),
        (network(), Some("ann"), delete("ann", "c1"), deleted("ann", "c1")),
        (network(), Some("bob"), follow("bob", "ann"), followed("bob", "ann")),
        (network(), None, follow("ann", "bob"), followed("ann", "bob")),
    ];
    for (history, actor, command, event) in rows {
        let mut given = given::<Chirp>(history);
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_events([event]);
    }
}

#[test]
fn register_user_is_rejected() {
    all_rejected(vec![
        ("empty id", vec![], None, register("", "Ann"), vec![(INVALID_ARGUMENT, "user_id")]),
        ("bad id", vec![], None, register("a/b", "Ann"), vec![(INVALID_ARGUMENT, "user_id")]),
        ("long id", vec![], None, register(&"i".repeat(65), "Ann"), vec![(INVALID_ARGUMENT, "user_id")]),
        ("id taken", network(), None, register("ann", "Ann"), vec![(ALREADY_EXISTS, "user_id")]),
        ("id registering", network(), None, register("eve", "Eve"), vec![(ALREADY_EXISTS, "user_id")]),
        ("short name", vec![], None, register("ann", "An"), vec![(INVALID_ARGUMENT, "username")]),
        ("long name", vec![], None, register("ann", &"n".repeat(21)), vec![(INVALID_ARGUMENT, "username")]),
        ("odd name", vec![], None, register("ann", "Änn"), vec![(INVALID_ARGUMENT, "username")]),
        ("dashed name", vec![], None, register("ann", "an-n"), vec![(INVALID_ARGUMENT, "username")]),
        ("another's", vec![], Some("bob"), register("ann", "Ann"), vec![ACTOR]),
        (
            "all at once",
            network(),
            None,
            register("ann", "?"),
            vec![(ALREADY_EXISTS, "user_id"), (INVALID_ARGUMENT, "username")],
        ),
        (
            "another's: whether the id is taken is not said",
            network(),
            Some("bob"),
            register("ann", "?"),
            vec![ACTOR, (INVALID_ARGUMENT, "username")],
        ),
        (
            "all malformed",
            vec![],
            Some("bob"),
            register("", ""),
            vec![ACTOR, (INVALID_ARGUMENT, "user_id"), (INVALID_ARGUMENT, "username")],
        ),
    ]);
}

#[test]
fn post_chirp_is_rejected() {
    let long = "x".repeat(281);
    let content = (INVALID_ARGUMENT, "content");
    all_rejected(vec![
        ("unknown author", network(), None, post("zoe", "c1", "hi"), vec![(NOT_FOUND, "author_id")]),
        (
            "author still registering",
            network(),
            None,
            post("eve", "c1", "hi"),
            vec![(NOT_FOUND, "author_id")],
        ),
        ("empty", network(), None, post("ann", "c2", ""), vec![content]),
        ("blank", network(), None, post("ann", "c2", " \t\n\u{3000}\u{a0}\u{85}"), vec![content]),
        ("long", network(), None, post("ann", "c2", &long), vec![content]),
        ("a control character", network(), None, post("ann", "c2", "a\u{1b}[31mb"), vec![content]),
        ("nothing", network(), None, post("ann", "c2", "a\0"), vec![content]),
        ("long and blank", network(), None, post("ann", "c2", &" ".repeat(300)), vec![content]),
        ("id taken", network(), None, post("ann", "c1", "hi"), vec![(ALREADY_EXISTS, "chirp_id")]),
        (
            "id of a deleted one",
            network(),
            None,
            post("ann", "gone", "hi"),
            vec![(ALREADY_EXISTS, "chirp_id")],
        ),
        ("bad chirp id", network(), None, post("ann", "c 1", "hi"), vec![(INVALID_ARGUMENT, "chirp_id")]),
        ("bad author id", network(), None, post("a n", "c1", "hi"), vec![(INVALID_ARGUMENT, "author_id")]),
        ("another's", network(), Some("bob"), post("ann", "c2", "hi"), vec![ACTOR]),
        (
            "all at once",
            network(),
            Some("ann"),
            post("ann", "c1", ""),
            vec![(ALREADY_EXISTS, "chirp_id"), content],
        ),
        ("another's and all else", network(), Some("bob"), post("ann", "c1", ""), vec![ACTOR, content]),
        ("somebody's who is not there", network(), Some("bob"), post("zoe", "c1", "hi"), vec![ACTOR]),
        (
            "nothing right",
            network(),
            Some("bob"),
            post("", "", ""),
            vec![ACTOR, (INVALID_ARGUMENT, "chirp_id"), (INVALID_ARGUMENT, "author_id"), content],
        ),
    ]);
}

#[test]
fn edit_chirp_is_rejected() {
    let content = (INVALID_ARGUMENT, "content");
    all_rejected(vec![
        ("unknown chirp", network(), None, edit("ann", "c2", "hi"), vec![(NOT_FOUND, "chirp_id")]),
        ("somebody else's chirp id", network(), None, edit("bob", "c1", "hi"), vec![(NOT_FOUND, "chirp_id")]),
        ("deleted", network(), None, edit("ann", "gone", "hi"), vec![(INVALID_STATE, "chirp_id")]),
        (
            "unknown author",
            network(),
            None,
            edit("zoe", "c1", "hi"),
            vec![(NOT_FOUND, "chirp_id"), (NOT_FOUND, "author_id")],
        ),
        ("blank", network(), None, edit("ann", "c1", " "), vec![content]),
        ("long", network(), None, edit("ann", "c1", &"x".repeat(281)), vec![content]),
        ("not the author", network(), Some("bob"), edit("ann", "c1", "hi"), vec![ACTOR]),
        ("bad chirp id", network(), None, edit("ann", "", "hi"), vec![(INVALID_ARGUMENT, "chirp_id")]),
        ("bad author id", network(), None, edit("ä", "c1", "hi"), vec![(INVALID_ARGUMENT, "author_id")]),
        (
            "all at once",
            network(),
            Some("zoe"),
            edit("zoe", "gone", ""),
            vec![(NOT_FOUND, "chirp_id"), (NOT_FOUND, "author_id"), content],
        ),
        ("another's and all else", network(), Some("bob"), edit("zoe", "gone", ""), vec![ACTOR, content]),
        ("another's that is deleted", network(), Some("bob"), edit("ann", "gone", "hi"), vec![ACTOR]),
    ]);
}

#[test]
fn delete_chirp_is_rejected() {
    all_rejected(vec![
        ("unknown chirp", network(), None, delete("ann", "c2"), vec![(NOT_FOUND, "chirp_id")]),
        ("unknown author", network(), None, delete("zoe", "c1"), vec![(NOT_FOUND, "chirp_id")]),
        ("already deleted", network(), None, delete("ann", "gone"), vec![(INVALID_STATE, "chirp_id")]),
        ("not the author", network(), Some("bob"), delete("ann", "c1"), vec![ACTOR]),
        ("not the author, deleted", network(), Some("bob"), delete("ann", "gone"), vec![ACTOR]),
        ("bad chirp id", network(), None, delete("ann", "/"), vec![(INVALID_ARGUMENT, "chirp_id")]),
        ("bad author id", network(), None, delete("", "c1"), vec![(INVALID_ARGUMENT, "author_id")]),
        (
            "all at once",
            network(),
            Some("bob"),
            delete("", ""),
            vec![ACTOR, (INVALID_ARGUMENT, "chirp_id"), (INVALID_ARGUMENT, "author_id")],
        ),
    ]);
}

#[test]
fn follow_user_is_rejected() {
    let mut followers = network();
    followers.push(followed("bob", "ann"));
    all_rejected(vec![
        ("unknown follower", network(), None, follow("zoe", "ann"), vec![(NOT_FOUND, "follower_id")]),
        ("follower registering", network(), None, follow("eve", "ann"), vec![(NOT_FOUND, "follower_id")]),
        ("unknown followee", network(), None, follow("ann", "zoe"), vec![(NOT_FOUND, "followee_id")]),
        ("followee registering", network(), None, follow("ann", "eve"), vec![(NOT_FOUND, "followee_id")]),
        (
            "both unknown",
            network(),
            None,
            follow("yan", "zoe"),
            vec![(NOT_FOUND, "follower_id"), (NOT_FOUND, "followee_id")],
        ),
        ("self", network(), None, follow("ann", "ann"), vec![(INVALID_ARGUMENT, "followee_id")]),
        (
            "self, unknown",
            network(),
            None,
            follow("zoe", "zoe"),
            vec![(NOT_FOUND, "follower_id"), (INVALID_ARGUMENT, "followee_id"), (NOT_FOUND, "followee_id")],
        ),
        ("already", followers.clone(), None, follow("bob", "ann"), vec![(ALREADY_FOLLOWING, "followee_id")]),
        ("another's", network(), Some("ann"), follow("bob", "ann"), vec![ACTOR]),
        ("bad follower id", network(), None, follow("b b", "ann"), vec![(INVALID_ARGUMENT, "follower_id")]),
        ("bad followee id", network(), None, follow("bob", ""), vec![(INVALID_ARGUMENT, "followee_id")]),
        ("another's who follows already", followers.clone(), Some("ann"), follow("bob", "ann"), vec![ACTOR]),
        (
            "nothing right",
            network(),
            Some("ann"),
            follow("", ""),
            vec![ACTOR, (INVALID_ARGUMENT, "follower_id"), (INVALID_ARGUMENT, "followee_id")],
        ),
    ]);
}

#[test]
fn unfollow_user_is_rejected() {
    let mut left = network();
    left.extend([followed("bob", "ann"), unfollowed("bob", "ann")]);
    all_rejected(vec![
        ("never", network(), None, unfollow("bob", "ann"), vec![(NOT_FOLLOWING, "followee_id")]),
        ("no longer", left, None, unfollow("bob", "ann"), vec![(NOT_FOLLOWING, "followee_id")]),
        ("self", network(), None, unfollow("bob", "bob"), vec![(NOT_FOLLOWING, "followee_id")]),
        ("unknown follower", network(), None, unfollow("zoe", "ann"), vec![(NOT_FOUND, "follower_id")]),
        ("unknown followee", network(), None, unfollow("ann", "zoe"), vec![(NOT_FOUND, "followee_id")]),
        (
            "both unknown",
            network(),
            None,
            unfollow("zoe", "zoe"),
            vec![(NOT_FOUND, "follower_id"), (NOT_FOUND, "followee_id")],
        ),
        ("bad follower id", network(), None, unfollow("", "ann"), vec![(INVALID_ARGUMENT, "follower_id")]),
        ("bad followee id", network(), None, unfollow("bob", "/"), vec![(INVALID_ARGUMENT, "followee_id")]),
        ("another's who does not follow", network(), Some("ann"), unfollow("bob", "ann"), vec![ACTOR]),
    ]);
}

#[test]
fn a_story_of_following() {
    let given = given::<Chirp>(network());
    let given = given.when(follow("bob", "ann")).then_events([followed("bob", "ann")]);
    let given = given.when(follow("bob", "ann")).then_rejected(&[(ALREADY_FOLLOWING, "followee_id")]);
    let given = given.when(unfollow("bob", "ann")).then_events([unfollowed("bob", "ann")]);
    let given = given.when(follow("bob", "ann")).then_events([followed("bob", "ann")]);
    given.when(unfollow("bob", "ann")).then_events([unfollowed("bob", "ann")]);
}

#[test]
fn a_story_of_a_chirp() {
    let given = given::<Chirp>(network());
    let given = given.when(post("ann", "c2", "a")).then_events([posted("ann", "c2", "a")]);
    let given = given.when(edit("ann", "c2", "b")).then_events([edited("ann", "c2", "b")]);
    let given = given.when(edit("ann", "c2", "c")).then_events([edited("ann", "c2", "c")]);
    let given = given.when(delete("ann", "c2")).then_events([deleted("ann", "c2")]);
    let given = given.when(delete("ann", "c2")).then_rejected(&[(INVALID_STATE, "chirp_id")]);
    let given = given.when(edit("ann", "c2", "d")).then_rejected(&[(INVALID_STATE, "chirp_id")]);
    given.when(post("ann", "c2", "e")).then_rejected(&[(ALREADY_EXISTS, "chirp_id")]);
}
