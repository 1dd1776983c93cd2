//! Records that no decent producer sends: each gets its answer or its place in the dead topic, with a reason that says
//! what was wrong, and whatever comes after it in the same partition is answered as ever.
//!
//! Every case runs on the embedded servers and on real ones. The cases share one system of each kind: that they do
//! not disturb each other is part of what they show.

use std::time::{SystemTime, UNIX_EPOCH};

use millrace_blackbox::{Foreign, System, shared_cluster, shared_embedded};
use serde_json::{Value, json};

/// Makes a test of each case on both kinds of servers.
macro_rules! cases {
    ($($case:ident)*) => {
        mod embedded {
            $(#[test] fn $case() { super::$case(super::shared_embedded()) })*
        }
        mod real_servers {
            $(#[test] fn $case() { super::$case(super::shared_cluster()) })*
        }
    };
}

cases! {
    bytes_that_are_not_avro
    an_unknown_schema_id
    a_schema_of_another_topic
    a_record_without_a_key
    a_wrong_partition
    a_key_that_is_not_the_routing_key
    an_id_that_breaks_the_rule
    an_id_of_a_megabyte
    a_record_so_big_that_no_header_fits
    text_that_is_not_valid
    a_text_of_a_megabyte
    a_tombstone
    a_newer_schema_version
    a_time_from_the_future
}

/// A case's client, and a user of the case's own whose partition the bad records go to.
struct Case {
    foreign: Foreign,
    user: String,
    partition: i64,
    posts: usize,
}

impl Case {
    fn new(system: &dyn System, name: &str) -> Self {
        let mut foreign = Foreign::of(system);
        let user = format!("{name}-user");
        foreign.register(&user);
        let mut case = Self { foreign, user, partition: 0, posts: 0 };
        case.partition = case.post().0;
        case
    }

    /// A good command behind whatever was sent before: it must be accepted. Gives its place.
    fn post(&mut self) -> (i64, i64) {
        self.posts += 1;
        let id = format!("{}-good-{}", self.user, self.posts);
        let place = self.foreign.send(&id, "PostChirp", self.chirp(&id));
        let outcome = self.foreign.outcome(&id);
        assert_eq!(outcome["status"], "accepted", "{outcome}");
        place
    }

    fn chirp(&self, chirp_id: &str) -> Value {
        json!({"chirp_id": chirp_id, "author_id": self.user, "content": "hello"})
    }

    /// Sends bytes to the user's partition and asserts that they end in the dead topic with a reason, and no more.
    fn dies(&mut self, hex: Option<&str>) -> String {
        let place = self.foreign.raw(Some(&self.user.clone()), None, hex);
        self.is_dead(place)
    }

    /// Asserts that the record at `place` is dead, that its headers say from where and why, and that life goes on.
    fn is_dead(&mut self, place: (i64, i64)) -> String {
        let dead = self.foreign.dead(place);
        let topic = dead.headers["millrace-topic"].as_str().unwrap_or_default();
        assert!(topic.ends_with("chirp.commands"), "{dead:?}");
        let reason = dead.reason().to_owned();
        assert!(reason.len() > 10, "the reason says little: {reason}");
        assert_eq!(self.post().0, place.0, "the good command goes to the partition of the bad one");
        reason
    }

    /// Asserts that nobody ever answered this id.
    fn is_unanswered(&mut self, id: &str) {
        assert!(!self.foreign.outcome_ids().iter().any(|answered| answered == id), "{id} has an outcome");
    }

    /// Asserts that a command is rejected with exactly these codes and fields; gives the first message.
    fn is_rejected(&mut self, id: &str, violations: &[(&str, Option<&str>)]) -> String {
        let outcome = self.foreign.outcome(id);
        assert_eq!(outcome["status"], "rejected", "{outcome}");
        let got: Vec<(&str, Option<&str>)> = outcome["violations"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|violation| (violation["code"].as_str().unwrap_or_default(), violation["field"].as_str()))
            .collect();
        assert_eq!(got, violations, "{outcome}");
        assert_eq!(outcome["positions"], json!([]), "it wrote nothing");
        self.post();
        outcome["violations"][0]["message"].as_str().unwrap_or_default().to_owned()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_that_are_not_avro(system: &dyn System) {
    let mut case = Case::new(system, "not-avro");
    let good = case.foreign.encode("not-avro-id", "PostChirp", case.chirp("c"));
    let header = &good[..10];
    let broken = [
        String::new(),
        hex(b"hello, is this the right topic?"),
        hex(br#"{"id":"c1","type":"PostChirp"}"#),
        "00".to_owned(),
        header.to_owned(),
        // The body ends in the middle of a text, and in the middle of the union.
        good[..good.len() - 6].to_owned(),
        good[..good.len() / 4 * 2].to_owned(),
        // A length of a text that is negative, and one that is larger than any record.
        format!("{header}01"),
        format!("{header}feffffffffffffffff01"),
        // The magic byte of another format.
        format!("01{}", &good[2..]),
    ];
    for bytes in broken {
        println!("sending {bytes}");
        case.dies(Some(&bytes));
    }
    case.is_unanswered("not-avro-id");
}

fn an_unknown_schema_id(system: &dyn System) {
    let mut case = Case::new(system, "unknown-schema");
    let good = case.foreign.encode("unknown-schema-id", "PostChirp", case.chirp("c"));
    let reason = case.dies(Some(&format!("007fffffff{}", &good[10..])));
    assert!(reason.contains(&i32::MAX.to_string()), "which schema? {reason}");
    case.is_unanswered("unknown-schema-id");
}

fn a_schema_of_another_topic(system: &dyn System) {
    let mut case = Case::new(system, "other-schema");
    let answer = case.foreign.ask(&json!({"op": "schema_id", "topic": "outcomes"}));
    let other = answer["schema_id"].as_u64().expect("a number");
    let good = case.foreign.encode("other-schema-id", "PostChirp", case.chirp("c"));
    case.dies(Some(&format!("00{other:08x}{}", &good[10..])));
    case.is_unanswered("other-schema-id");
}

fn says_the_rule(message: &str) {
    for words in
        ["murmur2 of the key, masked to 31 bits, modulo the number of partitions", "docs/producers.md"]
    {
        assert!(message.contains(words), "it does not say '{words}': {message}");
    }
}

fn a_record_without_a_key(system: &dyn System) {
    let mut case = Case::new(system, "no-key");
    let (chirp, partition) = (case.chirp("c"), case.partition);
    let command =
        json!({"id": "no-key-id", "type": "PostChirp", "data": chirp, "key": null, "partition": partition});
    case.foreign.send_with(command);
    let message = case.is_rejected("no-key-id", &[("Misrouted", None)]);
    says_the_rule(&message);
}

fn a_wrong_partition(system: &dyn System) {
    let mut case = Case::new(system, "wrong-partition");
    let wrong = (case.partition + 1) % 4;
    let command =
        json!({"id": "wrong-partition-id", "type": "PostChirp", "data": case.chirp("c"), "partition": wrong});
    let (partition, _) = case.foreign.send_with(command);
    assert_eq!(partition, wrong);
    let message = case.is_rejected("wrong-partition-id", &[("Misrouted", None)]);
    says_the_rule(&message);
}

fn a_key_that_is_not_the_routing_key(system: &dyn System) {
    let mut case = Case::new(system, "wrong-key");
    let command =
        json!({"id": "wrong-key-id", "type": "PostChirp", "data": case.chirp("c"), "key": "someone-else"});
    case.foreign.send_with(command);
    case.is_rejected("wrong-key-id", &[("Misrouted", None)]);
    // A key of bytes that are no text cannot be the routing key either.
    let good = case.foreign.encode("binary-key-id", "PostChirp", case.chirp("c"));
    case.foreign.ask(&json!({"op": "raw", "key_hex": "fffe00", "partition": case.partition, "hex": good}));
    case.is_rejected("binary-key-id", &[("Misrouted", None)]);
}

fn an_id_that_breaks_the_rule(system: &dyn System) {
    let mut case = Case::new(system, "bad-id");
    for id in ["", "two words", "a/b", "Zoë", &"x".repeat(65)] {
        let place = case.foreign.send(id, "PostChirp", case.chirp("c"));
        case.is_dead(place);
        case.is_unanswered(id);
    }
}

fn an_id_of_a_megabyte(system: &dyn System) {
    let mut case = Case::new(system, "huge-id");
    let id = "x".repeat(1_000_000);
    let place = case.foreign.send(&id, "PostChirp", case.chirp("c"));
    let reason = case.is_dead(place);
    assert!(reason.len() < 10_000, "the reason repeats the id");
    case.is_unanswered(&id);
}

fn a_record_so_big_that_no_header_fits(system: &dyn System) {
    let mut case = Case::new(system, "full-record");
    // A broker takes batches of 1,048,588 bytes; the reason's headers make this record larger than that.
    let id = "x".repeat(1_048_400);
    let place = case.foreign.send(&id, "PostChirp", case.chirp("c"));
    case.is_dead(place);
}

fn text_that_is_not_valid(system: &dyn System) {
    let mut case = Case::new(system, "not-utf8");
    let mut chirp = case.chirp("c");
    chirp["content"] = json!("ABCDEFGH");
    let good = case.foreign.encode("not-utf8-id", "PostChirp", chirp);
    let bad = good.replace(&hex(b"ABCDEFGH"), "c3284142fffe4344");
    assert_ne!(good, bad);
    case.dies(Some(&bad));
    case.is_unanswered("not-utf8-id");
}

fn a_text_of_a_megabyte(system: &dyn System) {
    let mut case = Case::new(system, "huge-text");
    let mut chirp = case.chirp("c");
    chirp["content"] = json!("x".repeat(1_000_000));
    case.foreign.send("huge-text-id", "PostChirp", chirp);
    let message = case.is_rejected("huge-text-id", &[("InvalidArgument", Some("content"))]);
    assert!(message.len() < 10_000, "the message repeats the text");
}

fn a_tombstone(system: &dyn System) {
    let mut case = Case::new(system, "tombstone");
    let place = case.foreign.raw(Some("tombstone-user"), None, None);
    assert_eq!(case.foreign.dead(place).length, None, "a tombstone is kept as it came");
    case.is_dead(place);
}

fn a_newer_schema_version(system: &dyn System) {
    let mut case = Case::new(system, "newer-schema");
    case.foreign.evolve("field");
    let chirp = case.chirp("c");
    case.foreign.send_with(json!({
        "id": "newer-field-id", "type": "PostChirp", "data": chirp, "extra": {"mood": "sunny"}
    }));
    let outcome = case.foreign.outcome("newer-field-id");
    assert_eq!(outcome["status"], "accepted", "a field with a default is no reason to refuse: {outcome}");

    // Cut off within the field that only the newer version has.
    let chirp = case.chirp("d");
    let whole = case.foreign.encode("newer-cut-id", "PostChirp", chirp);
    case.dies(Some(&whole[..whole.len() - 4]));
    case.is_unanswered("newer-cut-id");

    case.foreign.evolve("branch");
    let user = case.user.clone();
    case.foreign.send_with(
        json!({"id": "newer-branch-id", "type": "PinChirp", "data": {"chirp_id": "c"}, "key": user}),
    );
    case.is_rejected("newer-branch-id", &[("InvalidArgument", Some("data"))]);
}

fn a_time_from_the_future(system: &dyn System) {
    let mut case = Case::new(system, "future");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_micros();
    for (id, minutes, accepted) in
        [("future-4", 4, true), ("future-6", 6, false), ("future-far", 500_000_000, false)]
    {
        let metadata = json!({"issued_at": now as i64 + minutes * 60_000_000});
        let command = json!({"id": id, "type": "PostChirp", "data": case.chirp(id), "metadata": metadata});
        case.foreign.send_with(command);
        if accepted {
            let outcome = case.foreign.outcome(id);
            assert_eq!(outcome["status"], "accepted", "{outcome}");
        } else {
            case.is_rejected(id, &[("InvalidArgument", Some("metadata.issued_at"))]);
        }
    }
}
