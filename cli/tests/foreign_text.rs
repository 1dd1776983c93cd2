//! What others have written reaches no terminal as it is: not in tables, sentences and errors, and not in JSON, which
//! says the same text all the same.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Ran, Up};
use millrace_kafka::{KafkaConfig, KafkaLog, Message};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
/// Writes the clipboard, in seven and in eight bits, turns the line around, and is not seen.
const HOSTILE: &str =
    "x\x1b]52;c;YQ==\x07\u{9d}52;c;YQ==\u{9c}\u{9b}31m\u{202e}\u{2066}\u{200b}\u{200d}\u{feff}\u{2028}y";
/// The same without control characters, which no text of a domain may hold.
const SLY: &str = "x\u{202e}\u{2066}\u{200b}\u{2060}\u{feff}\u{2028}\u{e0041}y";

/// Asserts that nothing that was printed is obeyed by a terminal or looks like something else.
fn harmless(ran: &Ran, what: &str) {
    for text in [&ran.stdout, &ran.stderr] {
        let bad = text.chars().find(|c| {
            let is_seen = !matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
            *c != '\n' && (c.is_control() || !is_seen)
        });
        assert_eq!(bad, None, "{what}: {text:?}");
    }
}

/// Asserts that no line is wider than a terminal could be.
fn narrow(ran: &Ran, what: &str) {
    let widest =
        ran.stdout.lines().chain(ran.stderr.lines()).map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest < 1_000, "{what}: a line of {widest} characters");
}

fn send(up: &Up, partition: i32, key: &str, value: &[u8], headers: Vec<(String, Bytes)>) {
    let producer = KafkaLog::connect(KafkaConfig::new(up.kafka.clone())).unwrap().producer().unwrap();
    let message = Message {
        topic: "accounting.commands".into(),
        partition,
        key: Some(Bytes::from(key.to_owned())),
        value: Some(Bytes::copy_from_slice(value)),
        timestamp_ms: None,
        headers,
    };
    producer.send_and_wait(&message, PATIENCE).unwrap();
}

/// A command of accounting in Avro, of schema `id`.
fn open_account(schema: u32, id: &str, account: &str) -> Vec<u8> {
    let mut bytes = [&[0][..], &schema.to_be_bytes()].concat();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        let mut length = (text.len() as u64) << 1;
        while length > 127 {
            bytes.push((length & 127) as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(text.as_bytes());
    };
    text(&mut bytes, id);
    // no metadata, and the first kind of command
    bytes.extend_from_slice(&[0; 7]);
    for field in [account, "ann", "EUR"] {
        text(&mut bytes, field);
    }
    bytes
}

#[test]
fn nothing_that_others_wrote_is_obeyed_by_a_terminal() {
    let up = Up::start();
    let schema = up.place.run(&["schemas", "check", "accounting", "--json"]).is(0, &[]);
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let schema =
        schema.stdout.lines().map(line).find(|it| it["subject"] == "accounting.commands-value").unwrap();
    let schema = schema["id"].as_u64().unwrap() as u32;
    let headers =
        vec![(format!("h{HOSTILE}"), Bytes::from(HOSTILE)), ("traceparent".into(), Bytes::from(HOSTILE))];
    // an id that breaks the rule, one of a megabyte less a bit, and bytes that are no message
    send(&up, 0, HOSTILE, &open_account(schema, HOSTILE, "a"), headers.clone());
    let long = format!("{HOSTILE}{}", "i".repeat(900_000));
    send(&up, 0, "long", &open_account(schema, &long, "a"), Vec::new());
    send(&up, 0, &long[..200_000], b"\x01junk", headers);

    let list = ["dead", "list", "accounting", "--json"];
    let until = Instant::now() + PATIENCE;
    let found = loop {
        let ran = up.place.run(&list).is(0, &[]);
        harmless(&ran, "dead list --json");
        let found: Vec<Value> = ran.stdout.lines().map(line).collect();
        if found.len() == 3 {
            break found;
        }
        assert!(Instant::now() < until, "{} dead records", found.len());
    };
    assert_eq!(found[0]["id"], HOSTILE, "JSON says the same text");
    assert_eq!(found[1]["id"], Value::from(long.as_str()));
    for call in [&["dead", "list"][..], &["status"], &["dead", "redrive", "--dry-run"]] {
        let ran = up.place.run(call);
        harmless(&ran, &call.join(" "));
        narrow(&ran, &call.join(" "));
    }
    let shown = up.place.run(&["dead", "list"]).is(0, &[r"x\u{1b}]52;c;YQ==\u{7}"]);
    assert_eq!(shown.stdout.lines().count(), 4, "a line for each record");
    for (at, offset) in found.iter().map(|record| record["offset"].to_string()).enumerate() {
        for flags in [&[][..], &["--json"]] {
            let call =
                [&["dead", "show", "accounting", "--partition", "0", "--offset", &offset], flags].concat();
            let ran = up.place.run(&call).is(0, &[]);
            harmless(&ran, &call.join(" "));
            let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
            if at == 0 {
                assert_eq!(shown["id"], HOSTILE);
            }
        }
    }
    for flags in [&[][..], &["--json"]] {
        let call = [&["explain", HOSTILE], flags].concat();
        let ran = up.place.run(&call).is(0, &[]);
        harmless(&ran, &format!("explain {flags:?}"));
        harmless(&up.place.run(&[&["verify"][..], flags].concat()), "verify");
        harmless(&up.place.run(&[&["status"][..], flags].concat()), "status");
    }
    up.place.run(&["explain", HOSTILE, "--json"]).is(0, &[r"\u009b31m\u202e"]);
}

#[test]
fn what_looks_like_something_else_is_written_out() {
    let up = Up::start();
    for (id, user) in [("r1", "ann"), ("r2", "bob")] {
        let (user_id, username) = (format!("user_id={user}"), format!("username={user}"));
        up.place.run(&["send", "RegisterUser", &user_id, &username, "--id", id, "--wait"]).is(0, &[]);
    }
    up.place.run(&["send", "FollowUser", "follower_id=bob", "followee_id=ann", "--wait"]).is(0, &[]);
    let content = format!("content={SLY}");
    let post =
        ["send", "PostChirp", "author_id=ann", "chirp_id=c1", &content, "--id", "p1", "--wait-for", "feed"];
    harmless(&up.place.run(&post).is(0, &[]), "send");
    let calls: [&[&str]; 9] = [
        &["feed", "bob"],
        &["feed", "bob", "--json"],
        &["query", "chirps", "author_id=ann", "chirp_id=c1"],
        &["query", "home_timelines", "--json"],
        &["history", "Chirp/ann/c1"],
        &["history", "Chirp/ann/c1", "--json"],
        &["explain", "p1"],
        &["explain", "p1", "--json"],
        &["verify", "chirp"],
    ];
    for call in calls {
        harmless(&up.place.run(call).is(0, &[]), &call.join(" "));
    }
    let row = up.place.run(&["query", "chirps", "author_id=ann", "chirp_id=c1"]);
    let row: Value = serde_json::from_str(&row.stdout).unwrap();
    assert_eq!(row["content"], SLY);
    // errors repeat what they are about
    for call in [
        &["query", SLY][..],
        &["send", SLY],
        &["history", &format!("Chirp/ann/{HOSTILE}")],
        &["explain", SLY],
        &["feed", HOSTILE],
        &["query", "chirps", SLY],
    ] {
        let ran = up.place.run(call);
        assert_ne!(ran.code, Some(0));
        harmless(&ran, call[0]);
    }
    let lines = [
        format!(r#"{{"type": "{SLY}", "data": {{}}}}"#),
        format!(r#"{{"type": "PostChirp", "data": {{"{SLY}": 1}}}}"#),
        format!(
            r#"{{"type": "PostChirp", "id": "{SLY}", "data": {{"author_id": "a", "chirp_id": "c", "content": "x"}}}}"#
        ),
        format!(r#"{{"{SLY}": "PostChirp"}}"#),
    ];
    std::fs::write(up.place.path().join("sly.jsonl"), lines.join("\n")).unwrap();
    let ran = up.place.run(&["load", "sly.jsonl"]).is(1, &["sly.jsonl:1:", "sly.jsonl:4:", "4 bad"]);
    harmless(&ran, "load");
}
