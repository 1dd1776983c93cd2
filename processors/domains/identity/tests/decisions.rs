//! Every command and every rejection, one row each, with the order of violations.

use crate::common;

use common::*;
use millrace_domain_identity::messages::commands::{AddUser, UpdateUser};
use millrace_domain_identity::{CommandData, EventData, Identity};
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_testkit::given::{given, test_keys};
use millrace_testkit::texts::no_text_may_hold_control_characters;

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");

/// Ann, with a verified address; Zoe, without; Guy, who is removed; Max, who is being added; Eve, who changes her address.
fn people() -> Vec<EventData> {
    let mut all = there_is("ann", ANN, &["k1"]);
    all.push(added(person("zoe", "zoe@example.org", false)).into());
    all.extend(there_is("guy", "guy@example.org", &["k1"]));
    all.push(removed("guy", "r", vec![name("guy@example.org")]));
    all.push(addition_requested(person("max", "max@example.org", true), "a", vec![name("max@example.org")]));
    all.extend(there_is("eve", "eve@example.org", &["k1"]));
    let (new, old) = (vec![name("new@example.org")], vec![name("eve@example.org")]);
    let change = UpdateUser { email: Some("new@example.org".into()), ..nothing_for("eve") };
    all.push(update_requested(change, "u", new.clone(), new, old));
    all
}

type Row<'a> = (&'a str, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

fn all_rejected(rows: Vec<Row<'_>>) {
    for (what, actor, command, expected) in rows {
        println!("{what}");
        let mut given = given::<Identity>(people());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_rejected(&expected);
    }
}

#[test]
fn accepted() {
    let new = "new@example.net";
    let nameless = AddUser {
        first_name: "".into(),
        last_name: "".into(),
        picture: "".into(),
        locale: "".into(),
        ..person("new", new, false)
    };
    let all = UpdateUser {
        email: Some("zoe@Example.NET".into()),
        first_name: Some("Z".into()),
        last_name: Some("".into()),
        picture: Some("".into()),
        locale: Some("und".into()),
        ..nothing_for("zoe")
    };
    let respelt = UpdateUser { email: Some("Ann@Example.ORG".into()), ..nothing_for("ann") };
    let moved = UpdateUser { email: Some(new.into()), email_verified: Some(true), ..nothing_for("ann") };
    let said = UpdateUser { email: Some(new.into()), ..nothing_for("ann") };
    let only_said = UpdateUser { email_verified: Some(false), ..said.clone() };
    let unverified = UpdateUser { email_verified: Some(false), ..nothing_for("ann") };
    let verified = UpdateUser { email_verified: Some(true), ..nothing_for("zoe") };
    let zoe = vec![name("zoe@example.org")];
    let rows: Vec<(Option<&str>, CommandData, EventData)> = vec![
        // nobody has verified it, so nobody claims it
        (None, nameless.clone().into(), added(nameless).into()),
        (Some("new"), add_unverified("new", ANN), added(person("new", ANN, false)).into()),
        (Some("new"), add("new", new), addition_requested(person("new", new, true), "when", vec![name(new)])),
        // whether it is another's is found out where the claim is
        (None, add("new", ANN), addition_requested(person("new", ANN, true), "when", vec![name(ANN)])),
        (None, renew("ann"), updated(nothing_for("ann"))),
        // another address, and nobody says that it is verified
        (Some("zoe"), all.clone().into(), updated(UpdateUser { email_verified: Some(false), ..all })),
        (None, respelt.clone().into(), updated(respelt)),
        (
            Some("ann"),
            moved.clone().into(),
            update_requested(moved, "when", vec![name(new)], vec![name(new)], vec![name(ANN)]),
        ),
        // that the address before was verified says nothing of another one
        (None, said.into(), update_requested(only_said, "when", vec![], vec![], vec![name(ANN)])),
        (
            None,
            unverified.clone().into(),
            update_requested(unverified, "when", vec![], vec![], vec![name(ANN)]),
        ),
        (None, verified.clone().into(), update_requested(verified, "when", zoe.clone(), zoe, vec![])),
        (Some("ann"), remove("ann"), removed("ann", "when", vec![name(ANN)])),
        (None, remove("zoe"), removed("zoe", "when", vec![])),
        (None, enable("ann", 64, PRINT), enabled("ann", PRINT)),
        (Some("ann"), enable("ann", 4_096, OTHER_PRINT), enabled("ann", OTHER_PRINT)),
    ];
    for (actor, command, event) in rows {
        let mut given = given::<Identity>(people());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_events([event]);
    }
}

#[test]
fn an_address_is_claimed_under_each_key_and_renewed_by_any_update() {
    let both = || test_keys(&["k2", "k1"]);
    let (new, old) = (names(&["k2"], ANN), names(&["k1"], ANN));
    let [k2, k1] = [new.clone(), old.clone()];
    given::<Identity>([]).with_keys(both()).when(add("ann", ANN)).then_events([addition_requested(
        person("ann", ANN, true),
        "when",
        [&k1[..], &k2].concat(),
    )]);
    // a key has come
    given::<Identity>(there_is("ann", ANN, &["k1"])).with_keys(both()).when(renew("ann")).then_events([
        update_requested(nothing_for("ann"), "when", [&k2[..], &k1].concat(), k2.clone(), vec![]),
    ]);
    // both are there
    given::<Identity>(there_is("ann", ANN, &["k2", "k1"]))
        .with_keys(both())
        .when(renew("ann"))
        .then_events([updated(nothing_for("ann"))]);
    // one has gone
    given::<Identity>(there_is("ann", ANN, &["k2", "k1"]))
        .with_keys(test_keys(&["k2"]))
        .when(rename("ann", "Anna"))
        .then_events([update_requested(
            UpdateUser { first_name: Some("Anna".into()), ..nothing_for("ann") },
            "when",
            k2,
            vec![],
            k1,
        )]);
}

#[test]
fn no_text_holds_control_characters() {
    assert_eq!(no_text_may_hold_control_characters::<Identity>(), 16);
}

#[test]
fn add_user_is_rejected() {
    let long = "x".repeat(257);
    let with = |change: &dyn Fn(&mut AddUser)| -> CommandData {
        let mut of = person("new", "new@example.net", true);
        change(&mut of);
        of.into()
    };
    let picture = (INVALID_ARGUMENT, "picture");
    let locale = (INVALID_ARGUMENT, "locale");
    let mut rows = vec![
        ("taken", None, add("ann", BOB), vec![(ALREADY_EXISTS, "user_id")]),
        ("taken, without an address", None, add("zoe", BOB), vec![(ALREADY_EXISTS, "user_id")]),
        ("taken by a removed one", None, add("guy", BOB), vec![(ALREADY_EXISTS, "user_id")]),
        ("being added", None, add_unverified("max", BOB), vec![(INVALID_STATE, "user_id")]),
        ("taken, and changing", None, add("eve", BOB), vec![(ALREADY_EXISTS, "user_id")]),
        ("no id", None, add("a/b", BOB), vec![(INVALID_ARGUMENT, "user_id")]),
        ("for another", Some("bob"), add("new", BOB), vec![ACTOR]),
        ("for another who is there", Some("bob"), add("ann", BOB), vec![ACTOR]),
        ("no address", None, add("new", "bob"), vec![(INVALID_ARGUMENT, "email")]),
        ("no address, not verified", None, add_unverified("new", ""), vec![(INVALID_ARGUMENT, "email")]),
        ("not assigned", None, add("new", "\u{378}@x.org"), vec![(INVALID_ARGUMENT, "email")]),
        (
            "long address",
            None,
            add("new", &format!("{}@example.org", "a".repeat(243))),
            vec![(INVALID_ARGUMENT, "email")],
        ),
        ("blank", None, with(&|it| it.auth0_id = " ".into()), vec![(INVALID_ARGUMENT, "auth0_id")]),
        (
            "two first lines",
            None,
            with(&|it| it.first_name = "a\nb".into()),
            vec![(INVALID_ARGUMENT, "first_name")],
        ),
        ("two lines", None, with(&|it| it.last_name = "a\nb".into()), vec![(INVALID_ARGUMENT, "last_name")]),
        (
            "long names",
            None,
            with(&|it| {
                it.first_name = long.as_str().into();
                it.last_name = long.as_str().into();
            }),
            vec![(INVALID_ARGUMENT, "first_name"), (INVALID_ARGUMENT, "last_name")],
        ),
        (
            "long picture",
            None,
            with(&|it| it.picture = format!("https://x.org/{}", "a".repeat(2_035)).into()),
            vec![picture],
        ),
        (
            "all at once",
            Some("bob"),
            AddUser {
                user_id: "/".into(),
                auth0_id: "".into(),
                email: "".into(),
                email_verified: true,
                first_name: "\n".into(),
                last_name: "\0".into(),
                picture: "x".into(),
                locale: "x".into(),
            }
            .into(),
            vec![
                ACTOR,
                (INVALID_ARGUMENT, "user_id"),
                (INVALID_ARGUMENT, "auth0_id"),
                (INVALID_ARGUMENT, "email"),
                (INVALID_ARGUMENT, "first_name"),
                (INVALID_ARGUMENT, "last_name"),
                picture,
                locale,
            ],
        ),
    ];
    for text in [
        "ann.png",
        "/ann.png",
        "ftp://x.org/a",
        "javascript:alert(1)",
        "data:image/png,",
        " https://x.org",
        "https://x.org/a b",
        "https://",
    ] {
        rows.push(("no picture", None, with(&|it| it.picture = text.into()), vec![picture]));
    }
    for text in ["de_AT", "d", "-", "de-", "deutsch-für-alle", "de AT"] {
        rows.push(("no locale", None, with(&|it| it.locale = text.into()), vec![locale]));
    }
    all_rejected(rows);
}

#[test]
fn update_user_is_rejected() {
    let bad = |user_id: &str| UpdateUser {
        email: Some("".into()),
        first_name: Some("\n".into()),
        last_name: Some("\0".into()),
        picture: Some("x".into()),
        locale: Some("x".into()),
        ..nothing_for(user_id)
    };
    let fields = ["email", "first_name", "last_name", "picture", "locale"].map(|it| (INVALID_ARGUMENT, it));
    let all = |first: (&'static str, &'static str)| [&[first][..], &fields].concat();
    all_rejected(vec![
        ("unknown", None, renew("new"), vec![(NOT_FOUND, "user_id")]),
        ("no id", None, renew(""), vec![(INVALID_ARGUMENT, "user_id")]),
        ("removed", None, renew("guy"), vec![(INVALID_STATE, "user_id")]),
        ("being added", None, renew("max"), vec![(INVALID_STATE, "user_id")]),
        ("changing already", None, rename("eve", "Eva"), vec![(INVALID_STATE, "user_id")]),
        ("another", Some("bob"), renew("ann"), vec![ACTOR]),
        ("another who is changing", Some("bob"), renew("eve"), vec![ACTOR]),
        ("all at once", None, bad("ann").into(), fields.to_vec()),
        ("unknown and all else", None, bad("new").into(), all((NOT_FOUND, "user_id"))),
        ("another's and all else", Some("bob"), bad("guy").into(), all(ACTOR)),
        (
            "long address",
            None,
            move_to("ann", &format!("{}@example.org", "a".repeat(243))),
            vec![(INVALID_ARGUMENT, "email")],
        ),
    ]);
}

#[test]
fn remove_user_is_rejected() {
    all_rejected(vec![
        ("unknown", None, remove("new"), vec![(NOT_FOUND, "user_id")]),
        ("no id", None, remove("a b"), vec![(INVALID_ARGUMENT, "user_id")]),
        ("twice", None, remove("guy"), vec![(INVALID_STATE, "user_id")]),
        ("being added", Some("max"), remove("max"), vec![(INVALID_STATE, "user_id")]),
        ("changing", Some("eve"), remove("eve"), vec![(INVALID_STATE, "user_id")]),
        ("another", Some("bob"), remove("ann"), vec![ACTOR]),
        ("another who is not there", Some("bob"), remove("new"), vec![ACTOR]),
    ]);
}

#[test]
fn enable_accounting_is_rejected() {
    let (token, print) = ((INVALID_ARGUMENT, "sealed_token"), (INVALID_ARGUMENT, "fingerprint"));
    all_rejected(vec![
        ("unknown", None, enable("new", 64, PRINT), vec![(NOT_FOUND, "user_id")]),
        ("removed", None, enable("guy", 64, PRINT), vec![(INVALID_STATE, "user_id")]),
        ("being added", None, enable("max", 64, PRINT), vec![(INVALID_STATE, "user_id")]),
        ("changing", None, enable("eve", 64, PRINT), vec![(INVALID_STATE, "user_id")]),
        ("another", Some("bob"), enable("ann", 64, PRINT), vec![ACTOR]),
        ("nothing in the box", None, enable("ann", 63, PRINT), vec![token]),
        ("no box", None, enable("ann", 0, PRINT), vec![token]),
        ("a large box", None, enable("ann", 4_097, PRINT), vec![token]),
        ("a short print", None, enable("ann", 64, &PRINT[1..]), vec![print]),
        ("a long print", None, enable("ann", 64, &format!("{PRINT}a")), vec![print]),
        ("another alphabet", None, enable("ann", 64, &PRINT.replace('-', "+")), vec![print]),
        (
            "all at once",
            Some("bob"),
            enable("", 0, ""),
            vec![ACTOR, (INVALID_ARGUMENT, "user_id"), token, print],
        ),
    ]);
    let history = || people().into_iter().chain([enabled("ann", PRINT)]);
    given::<Identity>(history())
        .when(enable("ann", 64, PRINT))
        .then_rejected(&[(INVALID_STATE, "fingerprint")]);
    given::<Identity>(history())
        .when(enable("ann", 64, OTHER_PRINT))
        .then_events([enabled("ann", OTHER_PRINT)]);
}
