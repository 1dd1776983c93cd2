//! What `send` and `load` say of a command that is taken and then waited for in vain.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use common::Up;
use serde_json::Value;

const OPEN: [&str; 5] = ["send", "OpenAccount", "account_id=a1", "owner_id=ann", "currency=EUR"];

/// Whoever is not told that a command was taken, and under which id, sends it again, and deposits twice.
#[test]
fn a_command_whose_rows_do_not_come_in_time_is_told_with_its_outcome_and_id() {
    let up = Up::start();
    // tables that nobody fills
    up.place.run(&["tables", "apply", "--sqlite", "elsewhere"]).is(0, &[]);
    let servers = ["--kafka", &up.kafka, "--registry", &up.registry, "--sqlite", "elsewhere"];
    let elsewhere = [&servers[..], &["--wait-for", "account_balances", "--timeout", "5"]].concat();

    let ran = up.place.run(&[&OPEN[..], &elsewhere, &["--id", "open-1", "--json"]].concat());
    let ran = ran.is(1, &["accounting.accounts", "status"]);
    let outcome: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{:?}", ran.stdout));
    assert_eq!((&outcome["command_id"], &outcome["status"]), (&"open-1".into(), &"accepted".into()));
    // a projector that is not there applies nothing
    assert!(!ran.stderr.contains("being applied"), "{}", ran.stderr);
    assert!(ran.stderr.contains("open-1") && ran.stderr.contains("accepted"), "{}", ran.stderr);

    let deposit =
        ["send", "Deposit", "account_id=a1", "amount=5", "currency=EUR", "reference=", "--id", "d1"];
    let ran = up.place.run(&[&deposit[..], &elsewhere].concat()).is(1, &["accepted", "d1"]);
    assert!(ran.stdout.contains("accepted Deposit d1"), "{:?}", ran.stdout);
}

/// What a view never shows cannot be waited for, so nothing is sent.
#[test]
fn a_view_of_another_domain_is_not_waited_for() {
    let up = Up::start();
    let wrong = ["--wait-for", "chirps", "--timeout", "3"];
    up.place
        .run(&[&OPEN[..], &wrong, &["--id", "open-1"]].concat())
        .is(2, &["chirps", "chirp", "OpenAccount", "accounting", "account_balances"]);
    let opened =
        r#"{"type": "OpenAccount", "data": {"account_id": "a1", "owner_id": "ann", "currency": "EUR"}}"#;
    std::fs::write(up.place.path().join("open.jsonl"), opened).unwrap();
    let loaded = up.place.run(&[&["load", "open.jsonl"], &wrong[..]].concat());
    loaded.is(2, &["open.jsonl:1", "chirps", "accounting", "sent 0 commands"]);
    let rows = up.place.run(&["query", "account_balances", "account_id=a1"]).is(0, &[]);
    assert_eq!(rows.stdout.trim(), "", "it was sent");
}
