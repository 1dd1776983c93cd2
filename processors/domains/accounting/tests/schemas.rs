//! What is generated from `schemas/accounting`: every message through its schema and back, and where each belongs.

use crate::common;

use common::{moving, opened};
use millrace_domain_accounting::messages::{CommandData, commands};
use millrace_domain_accounting::{Accounting, account, transfer};
use millrace_kernel::{Addressed, Domain};
use millrace_testkit::messages::all_round_trip;

#[test]
fn every_message_round_trips() {
    assert_eq!(all_round_trip::<Accounting>(), 5 + 6 + 13 + 2, "commands, steps, events and kinds of states");
}

#[test]
fn messages_belong_to_the_aggregates_that_decisions_read() {
    let t = moving("t1", "ann", "bob", 5);
    let (ann, bob, moved) = (account::id("ann"), account::id("bob"), transfer::id("t1"));
    for (step, id) in
        [(t.reserve(None), &ann), (t.credit(), &bob), (t.settle(), &ann), (t.complete(), &moved)]
    {
        assert_eq!((&step.aggregate_id(), &*step.routing_key()), (id, id.routing_key()), "{step:?}");
    }
    for (event, id) in [
        (opened("ann", "user", "EUR"), &ann),
        (t.requested(None), &moved),
        (t.reserved(), &ann),
        (t.credited(), &bob),
        (t.completed(), &moved),
    ] {
        assert_eq!((&event.aggregate_id(), &*event.routing_key()), (id, id.routing_key()), "{event:?}");
    }
    let close: CommandData = commands::CloseAccount { account_id: "a/b".into() }.into();
    assert_eq!((close.aggregate_id(), &*close.routing_key()), (account::id("a/b"), "a/b"));
    assert!(Accounting::LOOKUPS.is_empty() && Accounting::SCHEMAS.lookup.is_none(), "nothing is looked up");
}

#[test]
fn an_amount_is_a_whole_number() {
    let rows = [
        (r#"{"Deposit": {"account_id": "a", "amount": 1.5, "currency": "EUR", "reference": ""}}"#, "1.5"),
        (r#"{"Deposit": {"account_id": "a", "amount": "1", "currency": "EUR", "reference": ""}}"#, "i64"),
        (
            r#"{"Deposit": {"account_id": "a", "amount": 9223372036854775808, "currency": "EUR", "reference": ""}}"#,
            "i64",
        ),
        (r#"{"CloseAccount": {}}"#, "account_id"),
    ];
    for (json, word) in rows {
        let error = serde_json::from_str::<CommandData>(json).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
