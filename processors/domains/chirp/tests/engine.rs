//! What the engine answers before and around a decision, as a table: the order of checks, what
//! goes to the dead topic, and that nothing is left behind by what is refused.

use std::sync::Arc;

use bytes::Bytes;
use millrace_domain_chirp::messages::commands::{FollowUser, PostChirp, RegisterUser};
use millrace_domain_chirp::{Chirp, CommandData, EventData, Settings, State, StepData};
use millrace_kernel::{
    AggregateId, Command, Domain, FollowUp, Metadata, Outcome, Projection, Rejections, Schemas, Stamp,
    StateReader, Status, partition,
};
use millrace_ports::TopicPartition;
use millrace_runtime::ProcessorSettings;
use millrace_runtime::dead::headers as dead_headers;
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::Pipeline;

const PARTITIONS: i32 = 4;
const MINUTE: i64 = 60_000_000;

/// Chirp with a bug: it fails on one text, every time.
struct Fragile;

impl Domain for Fragile {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = Settings;
    const NAME: &'static str = Chirp::NAME;
    const SCHEMAS: Schemas = Chirp::SCHEMAS;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        if let CommandData::PostChirp(c) = &command.data {
            assert!(c.content != "boom", "a bug that shows on boom");
            if c.content == "elsewhere" {
                states.get(&AggregateId::new("User", &["somebody-else"]));
            }
        }
        Chirp::decide(states, command, stamp)
    }
    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        stamp: Stamp,
    ) -> Vec<EventData> {
        Chirp::decide_step(states, step, stamp)
    }
    fn evolve(state: Option<State>, event: &EventData, recorded_at: i64) -> Option<State> {
        Chirp::evolve(state, event, recorded_at)
    }
    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        Chirp::follow_up(event)
    }
    fn is_visible(state: Option<&State>) -> bool {
        Chirp::is_visible(state)
    }
    fn projections(settings: &Settings) -> Vec<Projection<EventData>> {
        Chirp::projections(settings)
    }
}

fn pipeline() -> Pipeline<Fragile> {
    let mut pipeline = Pipeline::new(PARTITIONS, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    send(&pipeline, "r1", Metadata::default(), register("ann", "Ann"));
    pipeline.settle();
    pipeline
}

fn register(user_id: &str, username: &str) -> CommandData {
    CommandData::RegisterUser(RegisterUser { user_id: user_id.into(), username: username.into() })
}

fn post(chirp_id: &str, content: &str) -> CommandData {
    let author_id = "ann".into();
    CommandData::PostChirp(PostChirp { chirp_id: chirp_id.into(), author_id, content: content.into() })
}

fn send(pipeline: &Pipeline<Fragile>, id: &str, metadata: Metadata, data: CommandData) -> (i32, i64) {
    pipeline.send(&Command { id: id.into(), metadata, data })
}

fn outcomes_of(pipeline: &Pipeline<Fragile>, id: &str) -> Vec<Outcome> {
    pipeline.outcomes().into_iter().filter(|outcome| outcome.command_id == id).collect()
}

fn violations(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.violations.iter().map(|v| (v.code.as_str(), v.field.as_deref().unwrap_or(""))).collect()
}

#[test]
fn the_engines_own_rules_come_in_their_order() {
    let mut pipeline = pipeline();
    let now = pipeline.clock.as_ref();
    let at = |ahead: i64| {
        use millrace_ports::Clock;
        Metadata { issued_at: Some(now.now_micros() + ahead), ..Metadata::default() }
    };
    let expecting = |version: i64| Metadata { expected_version: Some(version), ..Metadata::default() };
    let acting = |metadata: Metadata, user: &str| Metadata { user_id: Some(user.into()), ..metadata };
    let traced = Metadata { trace_id: Some("x".repeat(2_000).into()), ..Metadata::default() };
    type Row = (&'static str, Metadata, CommandData, &'static [(&'static str, &'static str)]);
    let rows: Vec<Row> = vec![
        ("a version that is the aggregate's", expecting(0), post("v0", "x"), &[]),
        (
            "0 for what exists",
            expecting(0),
            register("ann", "Other"),
            &[("VersionConflict", "metadata.expected_version")],
        ),
        (
            "a conflict comes alone",
            expecting(7),
            post("v7", " "),
            &[("VersionConflict", "metadata.expected_version")],
        ),
        (
            "a negative version",
            expecting(-1),
            post("v8", "x"),
            &[("VersionConflict", "metadata.expected_version")],
        ),
        ("a little ahead", at(4 * MINUTE), post("i4", "x"), &[]),
        ("from the future", at(6 * MINUTE), post("i6", "x"), &[("InvalidArgument", "metadata.issued_at")]),
        (
            "not permitted first, then metadata, then data",
            acting(at(6 * MINUTE), "bob"),
            post("i7", " "),
            &[
                ("NotPermitted", "metadata.user_id"),
                ("InvalidArgument", "metadata.issued_at"),
                ("InvalidArgument", "content"),
            ],
        ),
        ("metadata without measure", traced, post("t1", "x"), &[("InvalidArgument", "metadata.trace_id")]),
        (
            "a trace that a terminal obeys",
            Metadata { trace_id: Some("\u{1b}[2J".into()), ..Metadata::default() },
            post("t2", "x"),
            &[("InvalidArgument", "metadata.trace_id")],
        ),
        (
            "a user with a zero",
            acting(Metadata::default(), "ann\0"),
            post("t3", "x"),
            &[("NotPermitted", "metadata.user_id"), ("InvalidArgument", "metadata.user_id")],
        ),
        (
            "a conversation over two lines",
            Metadata { correlation_id: Some("a\nb".into()), ..Metadata::default() },
            post("t4", "x"),
            &[("InvalidArgument", "metadata.correlation_id")],
        ),
        (
            "a cause with a tab",
            Metadata { causation_id: Some("a\tb".into()), ..Metadata::default() },
            post("t5", "x"),
            &[("InvalidArgument", "metadata.causation_id")],
        ),
        (
            "every text of metadata, in the schema's order",
            Metadata {
                trace_id: Some("\u{7f}".into()),
                correlation_id: Some("\u{9b}".into()),
                causation_id: Some("\r".into()),
                ..at(6 * MINUTE)
            },
            post("t6", " "),
            &[
                ("InvalidArgument", "metadata.trace_id"),
                ("InvalidArgument", "metadata.correlation_id"),
                ("InvalidArgument", "metadata.causation_id"),
                ("InvalidArgument", "metadata.issued_at"),
                ("InvalidArgument", "content"),
            ],
        ),
        (
            "other letters than English ones",
            Metadata { correlation_id: Some("Straße 🐦\u{200b}".into()), ..Metadata::default() },
            post("t7", "x"),
            &[],
        ),
        ("a bug of the domain", Metadata::default(), post("b1", "boom"), &[("Poisoned", "")]),
        (
            "a look at another key's state is a bug",
            Metadata::default(),
            post("b2", "elsewhere"),
            &[("Poisoned", "")],
        ),
    ];
    for (index, (_, metadata, data, _)) in rows.iter().enumerate() {
        send(&pipeline, &format!("row-{index}"), metadata.clone(), data.clone());
    }
    pipeline.settle();
    for (index, (name, _, _, expected)) in rows.iter().enumerate() {
        let answers = outcomes_of(&pipeline, &format!("row-{index}"));
        assert_eq!(answers.len(), 1, "{name}");
        assert_eq!(violations(&answers[0]), *expected, "{name}");
        let left = pipeline.events().iter().filter(|(_, e)| e.command_id == format!("row-{index}")).count();
        assert_eq!(left > 0, expected.is_empty(), "{name}: what is refused leaves no event");
    }
    let poisoned = pipeline.log.committed_records(&pipeline.names().dead);
    assert_eq!(poisoned.len(), 2, "a poisoned command is kept for a person to look at");
}

#[test]
fn a_misrouted_command_is_answered_and_nothing_else() {
    let mut pipeline = pipeline();
    let topic = Arc::clone(&pipeline.names().commands);
    let command = |id: &str| Command { id: id.into(), metadata: Metadata::default(), data: post(id, " ") };
    let encoded = |id: &str| Some(pipeline.encode(&command(id)));
    pipeline.send_raw(&topic, None, encoded("m1"));
    pipeline.send_raw(&topic, Some(Bytes::from_static(b"somebody")), encoded("m2"));
    let right = millrace_kernel::partition::of_key(b"ann", PARTITIONS);
    pipeline.send_to(&topic, (right + 1) % PARTITIONS, Some(Bytes::from_static(b"ann")), encoded("m3"));
    pipeline.settle();
    for id in ["m1", "m2", "m3"] {
        let answers = outcomes_of(&pipeline, id);
        assert_eq!(answers.len(), 1, "{id}");
        assert_eq!(violations(&answers[0]), [("Misrouted", "")], "{id}: it comes alone");
        assert!(
            answers[0].violations[0].message.contains("murmur2 of the key, masked to 31 bits"),
            "{id}: the message names the setting"
        );
    }
}

#[test]
fn what_cannot_be_read_goes_to_the_dead_topic_and_blocks_nothing() {
    let mut pipeline = pipeline();
    let names = pipeline.names().clone();
    let key = || Some(Bytes::from_static(b"ann"));
    let with_id = |id: &str| {
        pipeline.encode(&Command { id: id.into(), metadata: Metadata::default(), data: post("x", "x") })
    };
    let events = pipeline.log.committed_records(&names.events);
    let rows = [
        (None, "tombstone"),
        (Some(Bytes::from_static(b"hello")), "wire format"),
        (Some(Bytes::from_static(b"\0\0\0\x03\xe7abc")), "999"),
        (events[0].value.clone(), "millrace.chirp.events.Event"),
        (Some(with_id("")), "1 to 64"),
        (Some(with_id(&"x".repeat(500_000))), "500000 bytes"),
        (Some(with_id("not an id")), "1 to 64"),
        (Some(with_id("a\u{1b}[2Jb")), "1 to 64"),
    ];
    let before = pipeline.outcomes().len();
    for (value, _) in &rows {
        pipeline.send_raw(&names.commands, key(), value.clone());
    }
    send(&pipeline, "good", Metadata::default(), post("good", "x"));
    pipeline.settle();
    let dead = pipeline.log.committed_records(&names.dead);
    assert_eq!(dead.len(), rows.len());
    for (record, (value, word)) in dead.iter().zip(&rows) {
        let header = |name: &str| {
            let found = record.headers.iter().find(|(n, _)| n == name);
            String::from_utf8(found.expect("the header is there").1.to_vec()).unwrap()
        };
        assert!(header(dead_headers::REASON).contains(word), "{} ({word})", header(dead_headers::REASON));
        assert_eq!(header(dead_headers::TOPIC), &*names.commands);
        assert_eq!(record.value, *value, "the record is kept as it came");
    }
    assert_eq!(pipeline.outcomes().len(), before + 1, "no outcome for what has no good id");
    assert_eq!(outcomes_of(&pipeline, "good")[0].status, Status::Accepted);
}

/// What Confluent's `HeaderSchemaIdSerializer` sends: plain Avro, and in a header a one and the schema's GUID.
#[test]
fn a_command_whose_schema_is_named_in_a_header_is_dead_and_says_what_its_producer_sets() {
    let mut pipeline = pipeline();
    let names = pipeline.names().clone();
    let whole =
        pipeline.encode(&Command { id: "h1".into(), metadata: Metadata::default(), data: post("h", "x") });
    let guid = Bytes::from_static(&[1; 17]);
    let rows = [
        ("plain Avro", whole.slice(5..), Some("__value_schema_id"), true),
        (
            "a schema that the registry does not know",
            Bytes::from_static(b"\0\0\0\x03\xe7abc"),
            Some("__value_schema_id"),
            true,
        ),
        ("the key's schema alone", whole.slice(5..), Some("__key_schema_id"), false),
        ("nobody names it", whole.slice(5..), None, false),
    ];
    let at = TopicPartition::new(Arc::clone(&names.commands), partition::of_key(b"ann", PARTITIONS));
    let before = pipeline.outcomes().len();
    for (_, value, header, _) in &rows {
        let headers = header.iter().map(|name| ((*name).to_owned(), guid.clone())).collect();
        let (key, value) = (Some(Bytes::from_static(b"ann")), Some(value.clone()));
        let timestamp_ms = millrace_ports::Clock::now_micros(&*pipeline.clock) / 1_000;
        pipeline.log.append(&at, Plain { key, value, timestamp_ms, headers }).unwrap();
    }
    pipeline.settle();
    let dead = pipeline.log.committed_records(&names.dead);
    assert_eq!(dead.len(), rows.len());
    for (record, (what, value, _, says_so)) in dead.iter().zip(&rows) {
        let reason = dead_headers::text(&record.headers, dead_headers::REASON).unwrap();
        assert_eq!(reason.contains("PrefixSchemaIdSerializer"), *says_so, "{what}: {reason}");
        assert_eq!(reason.contains("in the header __value_schema_id"), *says_so, "{what}: {reason}");
        assert_eq!(record.value.as_ref(), Some(value), "{what}");
    }
    assert_eq!(pipeline.outcomes().len(), before, "nobody knows whom to answer");
}

#[test]
fn a_repeated_id_is_answered_as_the_first_was_and_changes_nothing() {
    let mut pipeline = pipeline();
    send(&pipeline, "p1", Metadata::default(), post("c1", "first"));
    // in the same batch, and with other content
    send(&pipeline, "p1", Metadata::default(), post("c2", "second"));
    send(&pipeline, "no", Metadata::default(), post("c1", " "));
    pipeline.settle();
    send(&pipeline, "p1", Metadata { expected_version: Some(9), ..Metadata::default() }, post("c1", "third"));
    send(&pipeline, "no", Metadata::default(), post("c3", "fine now"));
    pipeline.settle();
    // and after a crash
    pipeline.kill(0);
    send(&pipeline, "p1", Metadata::default(), post("c4", "fourth"));
    pipeline.settle();
    for (id, times) in [("p1", 4), ("no", 2)] {
        let answers = outcomes_of(&pipeline, id);
        assert_eq!(
            answers.iter().map(|a| a.duplicate).collect::<Vec<_>>(),
            [&[false][..], &vec![true; times - 1]].concat()
        );
        for again in &answers[1..] {
            assert!(again.is_again(&answers[0]), "{id}: the first one's answer, not {again:?}");
        }
    }
    assert_eq!(pipeline.events().iter().filter(|(_, e)| e.command_id == "p1").count(), 1);
}

#[test]
fn a_command_repeated_while_its_process_runs_is_answered_when_that_ends() {
    let mut pipeline = pipeline();
    // taken by ann: the registration is refused only by the step in the name's partition
    for (id, user, name) in [("ok", "bob", "Bob"), ("taken", "eve", "ANN")] {
        for _ in 0..3 {
            send(&pipeline, id, Metadata::default(), register(user, name));
        }
    }
    pipeline.settle();
    for (id, expected) in [("ok", &[][..]), ("taken", &[("AlreadyExists", "username")])] {
        let answers = outcomes_of(&pipeline, id);
        assert_eq!(answers.len(), 3, "{id}: one answer a sending");
        assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1, "{id}");
        assert!(answers.iter().all(|answer| violations(answer) == expected), "{id}: {answers:?}");
    }
    let accepted = &outcomes_of(&pipeline, "ok")[0];
    let places: Vec<_> = accepted.positions.iter().map(|p| (p.topic.as_str(), p.partition)).collect();
    let of = |key: &[u8]| millrace_kernel::partition::of_key(key, PARTITIONS);
    assert!(places.contains(&("chirp.steps", of(b"bob"))), "where it ended: {places:?}");
    assert!(accepted.versions.iter().any(|v| v.aggregate_id == "Username/bob"), "{accepted:?}");
    assert!(accepted.versions.iter().any(|v| v.aggregate_id == "User/bob" && v.version == 2), "{accepted:?}");
}

#[test]
fn a_user_registered_before_a_command_was_sent_is_never_unknown() {
    // every follower lives in another partition than ann, known there by the lookup only
    for seed in 0..20 {
        let mut pipeline = pipeline();
        let follower = format!("follower-{seed}");
        send(&pipeline, "reg", Metadata::default(), register(&follower, &format!("f_{seed}")));
        let mut lane = 0;
        while outcomes_of(&pipeline, "reg").is_empty() {
            lane += 1;
            pipeline.turn(0, lane);
        }
        let follow = FollowUser { follower_id: follower.clone().into(), followee_id: "ann".into() };
        send(&pipeline, "follow", Metadata::default(), CommandData::FollowUser(follow));
        let unknown = FollowUser { follower_id: "nobody".into(), followee_id: "ann".into() };
        send(&pipeline, "unknown", Metadata::default(), CommandData::FollowUser(unknown));
        pipeline.settle();
        assert_eq!(violations(&outcomes_of(&pipeline, "follow")[0]), [], "{follower}");
        assert_eq!(violations(&outcomes_of(&pipeline, "unknown")[0]), [("NotFound", "follower_id")]);
    }
}

#[test]
fn a_command_that_came_the_wrong_way_can_be_sent_again_the_right_way() {
    let mut pipeline = pipeline();
    let topic = Arc::clone(&pipeline.names().commands);
    let right = millrace_kernel::partition::of_key(b"ann", PARTITIONS);
    let command = Command { id: "again".into(), metadata: Metadata::default(), data: post("again", "x") };
    let key = || Some(Bytes::from_static(b"ann"));
    // without a key, but into the very partition: wrong, right, wrong, right
    pipeline.send_to(&topic, right, None, Some(pipeline.encode(&command)));
    pipeline.send_to(&topic, right, key(), Some(pipeline.encode(&command)));
    pipeline.send_to(&topic, right, None, Some(pipeline.encode(&command)));
    pipeline.settle();
    pipeline.kill(0);
    pipeline.send_to(&topic, right, key(), Some(pipeline.encode(&command)));
    pipeline.settle();
    let answers = outcomes_of(&pipeline, "again");
    let seen: Vec<_> = answers.iter().map(|answer| (answer.status, answer.duplicate)).collect();
    let (no, yes) = (Status::Rejected, Status::Accepted);
    assert_eq!(seen, [(no, false), (yes, false), (no, false), (yes, true)]);
}

#[test]
fn a_conflict_tells_no_user_which_version_there_is() {
    let mut pipeline = pipeline();
    for (id, user, message) in [
        ("nobody", None, "User/ann has version 2, not 7"),
        (
            "a-stranger",
            Some("bob"),
            "User/ann does not have version 7; look at it again before you change it",
        ),
        ("herself", Some("ann"), "User/ann does not have version 7; look at it again before you change it"),
    ] {
        let user_id = user.map(Into::into);
        let metadata = Metadata { user_id, expected_version: Some(7), ..Metadata::default() };
        send(&pipeline, id, metadata, register("ann", "Other"));
        pipeline.settle();
        let outcome = &outcomes_of(&pipeline, id)[0];
        assert_eq!(violations(outcome), [("VersionConflict", "metadata.expected_version")]);
        assert_eq!((outcome.violations[0].message.as_str(), outcome.versions.len()), (message, 0));
    }
}

#[test]
fn a_backlog_is_no_wrong_clock_and_what_is_long_blocks_nothing() {
    let mut pipeline = pipeline();
    // two hours pass while commands wait, and a new processor finds nothing at its first look
    let names = pipeline.names().clone();
    let key = || Some(Bytes::from_static(b"ann"));
    send(&pipeline, "waiting", Metadata::default(), post("waiting", "x"));
    pipeline.clock.pass(120 * MINUTE);
    let long = FollowUser { follower_id: "f".repeat(900_000).into(), followee_id: "ann".into() };
    let metadata = Metadata { expected_version: Some(5), ..Metadata::default() };
    send(&pipeline, "long", metadata, CommandData::FollowUser(long));
    // only compression lets this one in; here the log's limit is lifted for it
    pipeline.log.limit_record_bytes(40_000_000);
    pipeline.send_raw(&names.commands, key(), Some(Bytes::from(vec![7; 30_000_000])));
    pipeline.log.limit_record_bytes(2_097_152);
    send(&pipeline, "after", Metadata::default(), post("after", "x"));
    pipeline.settle();
    assert_eq!(outcomes_of(&pipeline, "waiting")[0].status, Status::Accepted);
    assert_eq!(
        violations(&outcomes_of(&pipeline, "long")[0]),
        [("VersionConflict", "metadata.expected_version")]
    );
    assert_eq!(outcomes_of(&pipeline, "after")[0].status, Status::Accepted);
    let dead = pipeline.log.committed_records(&names.dead);
    assert!(dead[0].headers.iter().any(|(name, value)| name == dead_headers::CUT && *value == "30000000"));
}

#[test]
fn state_without_an_offset_is_not_decided_again() {
    let mut pipeline = pipeline();
    let at = millrace_kernel::partition::of_key(b"ann", PARTITIONS);
    let committed = pipeline.committed_commands(at);
    assert!(committed.is_some(), "every batch commits where both inputs go on");
    // a partition that only ever saw steps has an offset for its commands, too
    for n in 0..8 {
        send(
            &pipeline,
            &format!("r-{n}"),
            Metadata::default(),
            register(&format!("u{n}"), &format!("name_{n}")),
        );
    }
    pipeline.settle();
    for (partition, event) in pipeline.events() {
        assert!(pipeline.committed_commands(partition).is_some(), "{event:?}");
    }
}

#[test]
fn a_lookup_topic_that_was_emptied_is_noticed() {
    let mut pipeline = pipeline();
    let at = millrace_kernel::partition::of_key(b"ann", PARTITIONS);
    let lookup = millrace_ports::TopicPartition::new(pipeline.names().lookup("User"), at);
    assert!(pipeline.log.empty(&lookup).unwrap());
    pipeline.kill(0);
    send(&pipeline, "p1", Metadata::default(), post("c1", "who am I?"));
    pipeline.clock.pass(12 * 1_000_000);
    let mut told = Vec::new();
    for lane in 0..800 {
        pipeline.membership(0);
        pipeline.follow(0);
        told.extend(pipeline.lane(0, lane).trouble);
    }
    assert!(outcomes_of(&pipeline, "p1").is_empty(), "nobody may be told that ann is unknown");
    let names = |text: &String| text.contains(&format!("{lookup} is empty, and User/ann should stand in it"));
    assert!(told.iter().any(names), "{told:?}");
    pipeline.log.bring_back(&lookup).unwrap();
    pipeline.settle();
    assert_eq!(outcomes_of(&pipeline, "p1").len(), 1);
}
