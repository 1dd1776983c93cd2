//! What an operator of everything in one process sees: a start, a registry that is away, dead commands.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Ran, Up};
use millrace_kafka::{KafkaConfig, KafkaLog, Message};
use millrace_ports::TopicPartition;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
/// Where no registry is.
const NOWHERE: &str = "http://127.0.0.1:1";

impl Up {
    /// Asks its registry.
    fn ask_registry(&self, method: &str, path: &str, body: &str) -> String {
        let at = self.registry.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(at).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    /// Runs a command here that knows another registry.
    fn run_with_registry(&self, registry: &str, arguments: &[&str]) -> Ran {
        let servers = ["--kafka", &self.kafka, "--sqlite", "data/tables", "--registry", registry];
        self.place.run(&[arguments, &servers].concat())
    }

    fn log(&self) -> KafkaLog {
        KafkaLog::connect(KafkaConfig::new(self.kafka.clone())).unwrap()
    }

    /// Sends bytes that are no command, under this key.
    fn junk(&self, partition: i32, key: &'static [u8]) {
        let junk = Message {
            topic: "accounting.commands".into(),
            partition,
            key: Some(Bytes::from_static(key)),
            value: Some(Bytes::from_static(b"\x01junk")),
            timestamp_ms: None,
            headers: Vec::new(),
        };
        self.log().producer().unwrap().send_and_wait(&junk, PATIENCE).unwrap();
    }

    /// Opens account a1 and parks its key behind what cannot be read; the partition.
    fn park(&self) -> i32 {
        let open = ["send", "OpenAccount", "account_id=a1", "owner_id=ann", "currency=EUR", "--id", "open-1"];
        let opened = self.place.run(&[&open[..], &["--wait", "--json"]].concat()).is(0, &["accepted"]);
        let outcome: Value = serde_json::from_str(opened.stdout.lines().last().unwrap()).unwrap();
        let partition = outcome["positions"][0]["partition"].as_i64().unwrap() as i32;
        self.junk(partition, b"a1");
        self.until_dead(1);
        partition
    }

    fn deposit(&self, id: &str, more: &[&str]) -> Ran {
        let deposit =
            ["send", "Deposit", "account_id=a1", "amount=5", "currency=EUR", "reference=", "--id", id];
        self.place.run(&[&deposit[..], more].concat())
    }

    /// Lists dead records of accounting until there are `count`.
    fn until_dead(&self, count: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let listed = self.place.run(&["dead", "list", "accounting", "--json"]).is(0, &[]);
            let found: Vec<Value> =
                listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if found.len() == count {
                return found;
            }
            assert!(Instant::now() < until, "{} dead records, not {count}: {found:?}", found.len());
        }
    }
}

#[test]
fn a_start_refuses_none_of_its_own_connections_and_a_second_one_writes_no_schema() {
    let mut up = Up::start();
    let journal = up.place.path().join("data/registry/registry.jsonl");
    let first = std::fs::read_to_string(&journal).unwrap();
    up.restart();
    let second = std::fs::read_to_string(&journal).unwrap();
    assert_eq!(second.strip_prefix(&first), Some(""), "it was written anew");
    let logged = up.logged();
    // a machine that is busy enough is warned of, and rightly
    let is_refusal = |line: &&str| line.contains("WARN") && line.contains("refused a connection");
    let warnings: Vec<_> = logged.lines().filter(is_refusal).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn a_registry_that_takes_nothing_takes_what_a_start_needs() {
    let mut up = Up::start();
    up.ask_registry("DELETE", "/subjects/accounting.outcomes-value", "");
    up.ask_registry("DELETE", "/subjects/accounting.outcomes-value?permanent=true", "");
    up.ask_registry("PUT", "/mode", r#"{"mode": "READONLY"}"#);
    up.restart();
    assert!(up.ask_registry("GET", "/subjects", "").contains("accounting.outcomes-value"));
    assert!(up.ask_registry("GET", "/mode", "").contains("READONLY"), "it is the operator's to take back");
}

/// An operator looks at the status above all when something is away.
#[test]
fn without_the_registry_status_and_the_list_of_the_dead_show_what_kafka_knows() {
    let up = Up::start();
    up.park();
    let status = up.run_with_registry(NOWHERE, &["status"]);
    status.is(
        1,
        &["NOT healthy", "accounting.processor", "account_balances", "registry", "127.0.0.1:1", "key a1"],
    );
    let status = up.run_with_registry(NOWHERE, &["status", "--json"]).is(1, &[]);
    let report: Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(report["registry"].as_str().unwrap().contains("127.0.0.1:1"), "{report}");
    let role = report["roles"].as_array().unwrap().iter().find(|it| it["role"] == "accounting.processor");
    assert_eq!(role.unwrap()["dead_letters"], 1, "{report}");
    let listed = up.run_with_registry(NOWHERE, &["dead", "list"]);
    let listed = listed.is(0, &["unreadable", "a1"]);
    assert!(listed.stderr.contains("127.0.0.1:1"), "{}", listed.stderr);
    // one that hangs takes connections all the same
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", hangs.local_addr().unwrap());
    let listed = up.run_with_registry(&at, &["dead", "list", "accounting"]).is(0, &["unreadable", "a1"]);
    assert!(listed.stderr.contains("no answer within 5 s"), "{}", listed.stderr);
    // what must be read to be chosen or put back waits
    up.run_with_registry(NOWHERE, &["dead", "list", "--id", "d1"]).is(1, &["registry"]);
    up.run_with_registry(NOWHERE, &["dead", "redrive"]).is(1, &["registry"]);
}

#[test]
fn a_command_that_waits_among_the_dead_is_not_said_to_be_decided_soon() {
    let up = Up::start();
    up.park();
    let said = up.deposit("d1", &["--wait", "--timeout", "15"]).is(1, &["d1", "dead", "offset"]);
    assert!(!said.stderr.contains("will be decided"), "{}", said.stderr);
    assert!(said.stderr.contains("millrace dead redrive accounting --key a1"), "{}", said.stderr);
}

/// Retention takes dead records; the key that they parked stays parked.
#[test]
fn a_key_whose_dead_commands_are_gone_is_still_named() {
    let up = Up::start();
    let partition = up.park();
    let log = up.log();
    let dead = TopicPartition::new("accounting.commands.dead", partition);
    let end = millrace_ports::Log::high_watermark(&log, &dead).unwrap();
    log.admin().unwrap().delete_before(&BTreeMap::from([(dead, end)])).unwrap();
    up.place.run(&["dead", "list", "accounting"]).is(0, &["nothing is dead", "millrace dead keys"]);
    let keys = up.place.run(&["dead", "keys", "accounting"]).is(0, &["a1", "none is left"]);
    assert!(keys.stdout.contains("--key a1"), "{}", keys.stdout);
    // the way out that it names
    up.deposit("d1", &[]).is(0, &[]);
    up.until_dead(1);
    up.place.run(&["dead", "redrive", "accounting", "--key", "a1"]).is(0, &["Deposit d1 went back"]);
    up.deposit("d2", &["--wait"]).is(0, &["accepted"]);
    up.place.run(&["dead", "keys"]).is(0, &["no key waits"]);
}

#[test]
fn who_drops_the_head_of_a_line_is_told_that_the_others_wait() {
    let up = Up::start();
    let partition = up.park().to_string();
    up.deposit("d1", &[]).is(0, &[]);
    let head = up.until_dead(2)[0]["offset"].to_string();
    let skip = ["dead", "skip", "accounting", "--partition", &partition, "--offset", &head];
    up.place
        .run(&[&skip[..], &["--dry-run"]].concat())
        .is(0, &["would be dropped", "1 record(s) of key a1 wait"]);
    let skipped = up.place.run(&[&skip[..], &["--yes"]].concat());
    skipped
        .is(0, &["was dropped", "1 record(s) of key a1 wait", "millrace dead redrive accounting --key a1"]);
    up.until_dead(1);
    up.place.run(&["dead", "redrive", "accounting", "--key", "a1"]).is(0, &["Deposit d1 went back"]);
    up.until_dead(0);
}

#[test]
fn keys_that_are_no_text_are_named_as_they_are_shown() {
    let up = Up::start();
    up.junk(0, b"\xff\xfe");
    up.junk(0, b"a\nb");
    up.junk(0, b"");
    up.junk(0, b"0xfff0");
    up.until_dead(4);
    up.place.run(&["dead", "list", "accounting"]).is(0, &["0xfffe", "0x610a62", "(empty)"]);
    for (key, shown) in
        [("0xfffe", "0xfffe"), ("0x610a62", "0x610a62"), ("", "(empty)"), ("0xfff0", "0xfff0")]
    {
        let listed = up.place.run(&["dead", "list", "accounting", "--key", key, "--json"]).is(0, &[]);
        assert_eq!(listed.stdout.lines().count(), 1, "{key}: {}", listed.stdout);
        let listed = up.place.run(&["dead", "list", "accounting", "--key", key]).is(0, &[shown]);
        assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);
        up.place.run(&["dead", "skip", "accounting", "--key", key, "--dry-run"]).is(0, &["would be dropped"]);
    }
}

#[test]
fn a_command_that_died_again_is_explained_from_where_it_stands_now() {
    let up = Up::start();
    up.park();
    up.deposit("d1", &[]).is(0, &[]);
    up.until_dead(2);
    up.place.run(&["dead", "redrive", "accounting", "--key", "a1"]).is(0, &["went back"]);
    let dead = up.until_dead(2);
    let live = dead.iter().find(|it| it["id"] == "d1").unwrap();
    let explained = up.place.run(&["explain", "d1", "--json"]).is(0, &[]);
    let explained: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!(explained["standing"]["place"]["offset"], live["offset"], "{explained:#}");
    // what was dropped has an answer, and is not said to be dead
    up.place.run(&["dead", "skip", "accounting", "--key", "a1", "--yes"]).is(0, &["was dropped"]);
    up.until_dead(0);
}

#[test]
fn explain_counts_rows_it_does_not_show_and_asks_for_an_id() {
    let up = Up::start();
    up.park();
    let explained = up.place.run(&["explain", "open-1", "--rows", "0"]).is(0, &["more; --rows N"]);
    assert!(!explained.stdout.contains("rows        none"), "{}", explained.stdout);
    for nothing in ["", "chirp:"] {
        up.place.run(&["explain", nothing]).is(2, &["names no command"]);
    }
    up.place
        .run(&["query", "account_balances", "--sqlite", "missing/x"])
        .is(1, &["folder missing/x does not exist"]);
    assert!(!up.place.path().join("missing").exists(), "who only reads makes nothing");
}
