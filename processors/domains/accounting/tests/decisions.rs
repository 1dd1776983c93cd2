//! Every command and every rejection, one row each, with the order of violations.

use crate::common;

use common::*;
use millrace_domain_accounting::codes::{INSUFFICIENT_FUNDS, OVERFLOW};
use millrace_domain_accounting::messages::events;
use millrace_domain_accounting::{Accounting, CommandData, EventData, MOST_FOR_ANOTHER};
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_testkit::given::given;
use millrace_testkit::texts::no_text_may_hold_control_characters;

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");

/// What most rows begin with: accounts of Ann with 100 EUR cents, 30 of them reserved; of Bob,
/// full; an empty one; and a closed one.
fn bank() -> Vec<EventData> {
    vec![
        opened("ann", "user-ann", "EUR"),
        deposited("ann", 100, "EUR"),
        moving("under-way", "ann", "bob", 30).reserved(),
        opened("bob", "user-bob", "EUR"),
        deposited("bob", i64::MAX, "EUR"),
        opened("empty", "user-ann", "EUR"),
        opened("gone", "user-ann", "EUR"),
        closed("gone"),
        moving("t-done", "ann", "bob", 1).requested(None),
        moving("t-done", "ann", "bob", 1).completed(),
        moving("t-failed", "ann", "bob", 1).requested(None),
        moving("t-failed", "ann", "bob", 1).failed(reason()),
    ]
}

type Row<'a> = (&'a str, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

fn all_rejected(rows: Vec<Row<'_>>) {
    for (what, actor, command, expected) in rows {
        println!("{what}");
        let mut given = given::<Accounting>(bank());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_rejected(&expected);
    }
}

#[test]
fn accepted() {
    let id64 = "i".repeat(64);
    let asked = moving("t1", "ann", "bob", i64::MAX);
    let rows: Vec<(Option<&str>, CommandData, EventData)> = vec![
        (None, open("new", "user-ann", "EUR"), opened("new", "user-ann", "EUR")),
        (Some("user-ann"), open("new", "user-ann", "JPY"), opened("new", "user-ann", "JPY")),
        (None, open(&id64, &id64, "XAU"), opened(&id64, &id64, "XAU")),
        (None, deposit("ann", 1, "EUR"), deposited("ann", 1, "EUR")),
        // anybody may pay in
        (Some("user-bob"), deposit("ann", 1, "EUR"), deposited("ann", 1, "EUR")),
        // up to the very last cent
        (None, deposit("empty", i64::MAX, "EUR"), deposited("empty", i64::MAX, "EUR")),
        (None, deposit("ann", i64::MAX - 100, "EUR"), deposited("ann", i64::MAX - 100, "EUR")),
        (Some("user-ann"), withdraw("ann", 70, "EUR"), withdrawn("ann", 70, "EUR")),
        (None, withdraw("bob", i64::MAX, "EUR"), withdrawn("bob", i64::MAX, "EUR")),
        // what its accounts say to it is found out by the steps
        (None, transfer("t1", "ann", "bob", i64::MAX, "EUR"), asked.requested(None)),
        (
            Some("user-bob"),
            transfer("t1", "ann", "bob", MOST_FOR_ANOTHER, "EUR"),
            moving("t1", "ann", "bob", MOST_FOR_ANOTHER).requested(Some("user-bob")),
        ),
        // a transfer and an account may have the same id
        (None, transfer("ann", "ann", "bob", 1, "EUR"), moving("ann", "ann", "bob", 1).requested(None)),
        (Some("user-ann"), close("empty"), closed("empty")),
        (None, close("empty"), closed("empty")),
    ];
    for (actor, command, event) in rows {
        let mut given = given::<Accounting>(bank());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_events([event]);
    }
}

#[test]
fn no_text_holds_control_characters() {
    assert_eq!(no_text_may_hold_control_characters::<Accounting>(), 14);
}

#[test]
fn open_account_is_rejected() {
    let long = "i".repeat(65);
    all_rejected(vec![
        ("taken", None, open("ann", "user-ann", "EUR"), vec![(ALREADY_EXISTS, "account_id")]),
        ("taken by a closed one", None, open("gone", "u", "EUR"), vec![(ALREADY_EXISTS, "account_id")]),
        ("empty id", None, open("", "u", "EUR"), vec![(INVALID_ARGUMENT, "account_id")]),
        ("odd id", None, open("a/b", "u", "EUR"), vec![(INVALID_ARGUMENT, "account_id")]),
        ("long id", None, open(&long, "u", "EUR"), vec![(INVALID_ARGUMENT, "account_id")]),
        ("odd owner", None, open("new", "u v", "EUR"), vec![(INVALID_ARGUMENT, "owner_id")]),
        ("no currency", None, open("new", "u", ""), vec![(INVALID_ARGUMENT, "currency")]),
        ("small letters", None, open("new", "u", "eur"), vec![(INVALID_ARGUMENT, "currency")]),
        ("not of ISO", None, open("new", "u", "BTC"), vec![(INVALID_ARGUMENT, "currency")]),
        ("withdrawn", None, open("new", "u", "DEM"), vec![(INVALID_ARGUMENT, "currency")]),
        ("for another", Some("user-bob"), open("new", "user-ann", "EUR"), vec![ACTOR]),
        (
            "all at once",
            None,
            open("ann", "", "?"),
            vec![
                (ALREADY_EXISTS, "account_id"),
                (INVALID_ARGUMENT, "owner_id"),
                (INVALID_ARGUMENT, "currency"),
            ],
        ),
        (
            "for another and all else: whether the id is taken is not said",
            Some("user-bob"),
            open("ann", "", "?"),
            vec![ACTOR, (INVALID_ARGUMENT, "owner_id"), (INVALID_ARGUMENT, "currency")],
        ),
    ]);
}

#[test]
fn deposit_is_rejected() {
    all_rejected(vec![
        ("unknown", None, deposit("zoe", 1, "EUR"), vec![(NOT_FOUND, "account_id")]),
        ("odd id", None, deposit("z o e", 1, "EUR"), vec![(INVALID_ARGUMENT, "account_id")]),
        ("closed", None, deposit("gone", 1, "EUR"), vec![(INVALID_STATE, "account_id")]),
        ("nothing", None, deposit("ann", 0, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("less than nothing", None, deposit("ann", -1, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("the least", None, deposit("ann", i64::MIN, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("another currency", None, deposit("ann", 1, "USD"), vec![(INVALID_ARGUMENT, "currency")]),
        ("no currency", None, deposit("ann", 1, "EURO"), vec![(INVALID_ARGUMENT, "currency")]),
        ("one too many", None, deposit("bob", 1, "EUR"), vec![(OVERFLOW, "amount")]),
        // what is reserved takes room, too
        ("one too many", None, deposit("ann", i64::MAX - 99, "EUR"), vec![(OVERFLOW, "amount")]),
        (
            "closed and all else",
            None,
            deposit("gone", 0, "USD"),
            vec![(INVALID_STATE, "account_id"), (INVALID_ARGUMENT, "amount"), (INVALID_ARGUMENT, "currency")],
        ),
        // dollars cannot be added to euros, so nobody asks whether they would fit
        (
            "too much of another currency",
            None,
            deposit("bob", 1, "USD"),
            vec![(INVALID_ARGUMENT, "currency")],
        ),
        (
            "so much that the answer would tell what is in it",
            Some("user-bob"),
            deposit("ann", MOST_FOR_ANOTHER + 1, "EUR"),
            vec![(OVERFLOW, "amount")],
        ),
        (
            "unknown and all else",
            None,
            deposit("zoe", 0, "?"),
            vec![(NOT_FOUND, "account_id"), (INVALID_ARGUMENT, "amount"), (INVALID_ARGUMENT, "currency")],
        ),
    ]);
}

#[test]
fn withdraw_is_rejected() {
    let short = (INSUFFICIENT_FUNDS, "amount");
    all_rejected(vec![
        ("unknown", Some("user-ann"), withdraw("zoe", 1, "EUR"), vec![(NOT_FOUND, "account_id")]),
        ("odd id", None, withdraw("", 1, "EUR"), vec![(INVALID_ARGUMENT, "account_id")]),
        ("another's", Some("user-bob"), withdraw("ann", 1, "EUR"), vec![ACTOR]),
        ("nothing", None, withdraw("ann", 0, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("less than nothing", None, withdraw("ann", i64::MIN, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("another currency", None, withdraw("ann", 1, "USD"), vec![(INVALID_ARGUMENT, "currency")]),
        ("from an empty one", None, withdraw("empty", 1, "EUR"), vec![short]),
        ("more than there is", None, withdraw("ann", 101, "EUR"), vec![short]),
        ("what is reserved", None, withdraw("ann", 71, "EUR"), vec![short]),
        // a closed account is empty as well
        ("closed", None, withdraw("gone", 1, "EUR"), vec![(INVALID_STATE, "account_id"), short]),
        (
            "closed and all else",
            Some("user-ann"),
            withdraw("gone", 1, "USD"),
            vec![(INVALID_STATE, "account_id"), short, (INVALID_ARGUMENT, "currency")],
        ),
        // what is another's is as if it were not there: what is said is wrong with any account
        ("another's and more than there is", Some("user-bob"), withdraw("ann", 101, "EUR"), vec![ACTOR]),
        ("another's and closed", Some("user-bob"), withdraw("gone", 1, "USD"), vec![ACTOR]),
        (
            "another's and malformed",
            Some("user-bob"),
            withdraw("gone", 0, "?"),
            vec![ACTOR, (INVALID_ARGUMENT, "amount"), (INVALID_ARGUMENT, "currency")],
        ),
        (
            "unknown and all else",
            Some("user-bob"),
            withdraw("zoe", 0, "?"),
            vec![(NOT_FOUND, "account_id"), (INVALID_ARGUMENT, "amount"), (INVALID_ARGUMENT, "currency")],
        ),
    ]);
}

#[test]
fn a_reference_is_one_line_of_up_to_140_characters() {
    let longest = "🐦".repeat(140);
    for reference in ["", "Miete März, Wohnung 3", &longest] {
        let reference = reference.to_owned();
        let (account_id, currency) = ("ann".to_owned(), "EUR".to_owned());
        given::<Accounting>(bank()).when(deposit_for("ann", 1, &reference)).then_events([
            events::MoneyDeposited {
                account_id: account_id.into(),
                amount: 1,
                currency: currency.into(),
                reference: reference.into(),
            }
            .into(),
        ]);
    }
    let rule = (INVALID_ARGUMENT, "reference");
    for reference in ["a".repeat(141), "a".repeat(10_485_600), "two\nlines".into(), "\u{1b}[31m".into()] {
        all_rejected(vec![
            ("paid in", None, deposit_for("ann", 1, &reference), vec![rule]),
            ("paid out", None, withdraw_for("ann", 1, &reference), vec![rule]),
            (
                "last of all",
                None,
                deposit_for("zoe", 0, &reference),
                vec![(NOT_FOUND, "account_id"), (INVALID_ARGUMENT, "amount"), rule],
            ),
        ]);
    }
}

#[test]
fn transfer_is_rejected_at_once() {
    let (exists, same) = ((ALREADY_EXISTS, "transfer_id"), (INVALID_ARGUMENT, "to"));
    all_rejected(vec![
        ("done already", None, transfer("t-done", "ann", "bob", 1, "EUR"), vec![exists]),
        ("failed before", None, transfer("t-failed", "ann", "bob", 1, "EUR"), vec![exists]),
        ("to itself", None, transfer("t1", "ann", "ann", 1, "EUR"), vec![same]),
        ("odd id", None, transfer("t/1", "ann", "bob", 1, "EUR"), vec![(INVALID_ARGUMENT, "transfer_id")]),
        ("odd from", None, transfer("t1", "", "bob", 1, "EUR"), vec![(INVALID_ARGUMENT, "from")]),
        ("odd to", None, transfer("t1", "ann", "b b", 1, "EUR"), vec![same]),
        ("nothing", None, transfer("t1", "ann", "bob", 0, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("back", None, transfer("t1", "ann", "bob", -1, "EUR"), vec![(INVALID_ARGUMENT, "amount")]),
        ("no currency", None, transfer("t1", "ann", "bob", 1, "EURO"), vec![(INVALID_ARGUMENT, "currency")]),
        (
            "so much that the answer would tell what is in to",
            Some("user-ann"),
            transfer("t1", "ann", "bob", MOST_FOR_ANOTHER + 1, "EUR"),
            vec![(OVERFLOW, "amount")],
        ),
        (
            "all at once",
            Some("user-bob"),
            transfer("t-done", "zoe", "zoe", i64::MIN, ""),
            vec![exists, same, (INVALID_ARGUMENT, "amount"), (INVALID_ARGUMENT, "currency")],
        ),
        (
            "all malformed",
            None,
            transfer("", "", "", 0, ""),
            vec![
                (INVALID_ARGUMENT, "transfer_id"),
                (INVALID_ARGUMENT, "from"),
                (INVALID_ARGUMENT, "to"),
                (INVALID_ARGUMENT, "amount"),
                (INVALID_ARGUMENT, "currency"),
            ],
        ),
    ]);
}

#[test]
fn close_account_is_rejected() {
    let state = (INVALID_STATE, "account_id");
    all_rejected(vec![
        ("unknown", Some("user-ann"), close("zoe"), vec![(NOT_FOUND, "account_id")]),
        ("odd id", None, close("a/b"), vec![(INVALID_ARGUMENT, "account_id")]),
        ("closed", None, close("gone"), vec![state]),
        ("something in it", None, close("bob"), vec![state]),
        ("something reserved", None, close("ann"), vec![state]),
        ("another's", Some("user-bob"), close("empty"), vec![ACTOR]),
        ("another's with something in it", Some("user-bob"), close("ann"), vec![ACTOR]),
        ("another's and closed", Some("user-bob"), close("gone"), vec![ACTOR]),
    ]);
}

#[test]
fn all_that_is_left_being_reserved_keeps_an_account_open() {
    let t = moving("t1", "ann", "bob", 100);
    let given = given::<Accounting>([opened("ann", "u", "EUR"), deposited("ann", 100, "EUR"), t.reserved()]);
    let given = given.when(close("ann")).then_rejected(&[(INVALID_STATE, "account_id")]);
    let given = given.when_step(t.settle()).then_events([t.settled()]);
    given.when(close("ann")).then_events([closed("ann")]);
}
