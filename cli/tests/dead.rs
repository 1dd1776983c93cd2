//! `millrace dead` on everything in one process: list, show, redrive, skip, and what is said when
//! there is nothing to do.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::Up;
use millrace_kafka::{KafkaConfig, KafkaLog, Message};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

impl Up {
    /// The objects a command prints, one a line.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let ran = self.place.run(arguments);
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        ran.stdout.lines().map(parse).collect()
    }

    /// Lists dead records of accounting until there are `count`.
    fn list(&self, count: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = self.json(&["dead", "list", "accounting", "--json"]);
            if found.len() == count {
                return found;
            }
            assert!(Instant::now() < until, "{} dead records, not {count}: {found:?}", found.len());
        }
    }
}

/// What no record and no row could hold is answered, and neither its partition nor a projector stands still for it.
#[test]
fn what_is_too_large_is_answered_and_blocks_nothing() {
    let up = Up::start();
    // letters without any order, of which a compressor makes no less
    let mut word = 88_172_645_463_325_252_u64;
    let letter = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        char::from(b'0' + (word % 75) as u8)
    };
    let noise: String = std::iter::repeat_with(letter).filter(|c| *c != '\\').take(1_048_000).collect();
    let deposit = |id: &str, reference: &str| {
        let data =
            serde_json::json!({"account_id": "a1", "amount": 1, "currency": "EUR", "reference": reference});
        serde_json::json!({"type": "accounting.Deposit", "id": id, "data": data}).to_string()
    };
    let open =
        r#"{"type": "OpenAccount", "data": {"account_id": "a1", "owner_id": "ann", "currency": "EUR"}}"#;
    let (long, noisy) = (deposit("d1", &"a".repeat(10_485_600)), deposit("d2", &noise));
    let lines = [open, "", &deposit("d0", "x"), &long, &noisy, &deposit("d3", "y")].join("\n");
    std::fs::write(up.place.path().join("large.jsonl"), lines).unwrap();
    // what only compression lets in
    let load = ["load", "large.jsonl", "--wait", "--wait-for", "account_balances", "--json"];
    let ran = up.place.run(&[&load[..], &["--set-kafka", "compression.type=lz4"]].concat());
    let counts: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&counts["accepted"], &counts["rejected"]),
        (&3.into(), &2.into()),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(counts["unanswered"], 0, "{counts}");
    let rows = up.json(&["query", "account_balances", "account_id=a1", "--json"]);
    assert_eq!(rows[0]["balance"], 2, "{rows:?}");
    up.place.run(&["verify", "accounting"]).is(0, &[]);
    up.place.run(&["status"]).is(0, &[]);
}

#[test]
fn what_is_dead_is_listed_shown_dropped_and_put_back() {
    let up = Up::start();
    let open = ["send", "OpenAccount", "account_id=a1", "owner_id=ann", "currency=EUR", "--wait"];
    let opened = up.place.run(&[&open[..], &["--json"]].concat()).is(0, &["accepted"]);
    let outcome: Value = serde_json::from_str(opened.stdout.lines().last().unwrap()).unwrap();
    let partition = outcome["positions"][0]["partition"].as_i64().unwrap() as i32;
    up.place.run(&["dead", "list"]).is(0, &["nothing is dead"]);
    up.place.run(&["dead", "redrive"]).is(1, &["nothing to put back"]);

    // a record that cannot be read parks the account, and a deposit waits behind it
    let producer = KafkaLog::connect(KafkaConfig::new(up.kafka.clone())).unwrap().producer().unwrap();
    let junk = Message {
        topic: "accounting.commands".into(),
        partition,
        key: Some(Bytes::from_static(b"a1")),
        value: Some(Bytes::from_static(b"\x01junk")),
        timestamp_ms: None,
        headers: Vec::new(),
    };
    producer.send_and_wait(&junk, PATIENCE).unwrap();
    up.list(1);
    up.place
        .run(&["send", "Deposit", "account_id=a1", "amount=5", "currency=EUR", "reference=", "--id", "d1"])
        .is(0, &["d1"]);
    let dead = up.list(2);
    assert_eq!(dead[0]["kind"], "unreadable", "{dead:?}");
    assert_eq!(dead[1]["kind"], "waiting", "{dead:?}");
    assert_eq!((&dead[1]["id"], &dead[1]["type"]), (&"d1".into(), &"Deposit".into()), "{dead:?}");
    assert_eq!((&dead[0]["key"], &dead[0]["line"]["number"]), (&"a1".into(), &1.into()), "{dead:?}");
    up.place.run(&["dead", "list"]).is(0, &["unreadable", "waiting", "Deposit d1"]);
    up.place.run(&["status"]).is(0, &["1 key(s) wait behind a dead command, the longest: key a1"]);

    let at = |record: &Value| [record["partition"].to_string(), record["offset"].to_string()];
    let [partition, offset] = at(&dead[0]);
    let here = ["accounting", "--partition", &partition, "--offset", &offset];
    let shown = &up.json(&[&["dead", "show"], &here[..], &["--json"]].concat())[0];
    assert_eq!((&shown["value_hex"], &shown["value_bytes"]), (&"016a756e6b".into(), &5.into()), "{shown}");
    assert_eq!(shown["headers"]["millrace-topic"], "accounting.commands", "{shown}");
    let [_, second] = at(&dead[1]);
    let there = ["accounting", "--partition", &partition, "--offset", &second];
    let shown = &up.json(&[&["dead", "show"], &there[..], &["--json"]].concat())[0];
    assert_eq!(shown["message"]["id"], "d1", "{shown}");
    up.place.run(&["dead", "show", "accounting", "--partition", "0", "--offset", "999"]).is(1, &["999"]);

    // what waits cannot overtake; a plan changes nothing; what is dropped must be confirmed
    up.place.run(&["dead", "redrive", "accounting", "--id", "d1"]).is(1, &["--key"]);
    let plan = up.json(&["dead", "redrive", "accounting", "--key", "a1", "--dry-run", "--json"]);
    assert_eq!(plan.len(), 2, "{plan:?}");
    assert!(plan.iter().all(|one| one["dry_run"] == true), "{plan:?}");
    up.list(2);
    up.place.run(&["dead", "skip", "accounting", "--yes"]).is(2, &["--key"]);
    up.place.run(&[&["dead", "skip"], &here[..]].concat()).is(2, &["--yes"]);
    up.place.run(&[&["dead", "skip"], &here[..], &["--yes"]].concat()).is(0, &["was dropped"]);
    up.list(1);
    up.place.run(&["dead", "redrive", "accounting", "--key", "a1"]).is(0, &["Deposit d1 went back"]);
    up.list(0);
    up.place.run(&["dead", "redrive", "accounting", "--key", "a1"]).is(1, &["nothing to put back"]);

    // the deposit has its one outcome, and the account is free
    let withdraw = ["send", "Withdraw", "account_id=a1", "amount=5", "currency=EUR", "reference=", "--wait"];
    up.place.run(&withdraw).is(0, &["accepted"]);
    let all = up.json(&["dead", "list", "accounting", "--all", "--json"]);
    let done: Vec<_> = all.iter().map(|one| one["done"].as_str().unwrap_or("-")).collect();
    assert_eq!(done, ["skipped", "redriven"], "{all:?}");
    up.place.run(&["verify", "accounting"]).is(0, &[]);

    // what somebody else has written into the dead topic is named, and stops nothing else
    let strange = Message { topic: "accounting.commands.dead".into(), ..junk.clone() };
    producer.send_and_wait(&strange, PATIENCE).unwrap();
    producer.send_and_wait(&junk, PATIENCE).unwrap();
    let dead = up.list(2);
    let redriven = up.place.run(&["dead", "redrive", "accounting"]);
    redriven.is(1, &["went back", "was passed over", "no input of this domain", "1 record(s)"]);
    let [partition, offset] = at(&dead[0]);
    let here = ["accounting", "--partition", &partition, "--offset", &offset];
    up.place.run(&[&["dead", "skip"], &here[..], &["--yes"]].concat()).is(0, &["was dropped"]);
}
