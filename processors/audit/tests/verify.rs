//! The audit finds every kind of damage and names it, and nothing else: also beside a system that
//! goes on.

use crate::common;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use common::{
    Hiding, Moving, Recording, audit, audit_committed, audit_through, command, empty, fill, network, post,
    register, tables,
};
use millrace_audit::{Check, Difference, Kind, Report};
use millrace_domain_chirp::messages::commands::RegisterUser;
use millrace_domain_chirp::{Chirp, State};
use millrace_kernel::bookkeeping::{Bookkeeping, OpenProcess, process};
use millrace_kernel::{AggregateId, Delete, Put, StateData, Value, Write, partition};
use millrace_ports::{Record, TopicPartition, ViewStore};
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::Pipeline;
use millrace_testkit::store::memory::MemoryStore;
use serde_json::json;

fn is_clean(report: &Report) {
    assert_eq!(report.differences, [], "{:?}", report.counts);
    assert_eq!(report.total(), 0);
}

/// The one difference of a report.
fn only(report: &Report) -> &Difference {
    assert_eq!(report.total(), 1, "{:#?}", report.differences);
    &report.differences[0]
}

fn records(pipeline: &Pipeline<Chirp>, topic: &str) -> Vec<Record> {
    pipeline.log.committed_records(topic)
}

fn write_again(pipeline: &Pipeline<Chirp>, record: &Record, value: Option<Bytes>) {
    let at = TopicPartition::new(Arc::clone(&record.topic), record.partition);
    let again = Plain {
        key: record.key.clone(),
        value,
        timestamp_ms: record.timestamp_ms,
        headers: record.headers.clone(),
    };
    pipeline.log.append(&at, again).unwrap();
}

/// The newest state records by id.
fn states(pipeline: &Pipeline<Chirp>) -> BTreeMap<String, Record> {
    let mut newest = BTreeMap::new();
    for record in records(pipeline, &pipeline.names().state) {
        let key = String::from_utf8(record.key.clone().unwrap().to_vec()).unwrap();
        match record.value {
            Some(_) => newest.insert(key, record),
            None => newest.remove(&key),
        };
    }
    newest
}

#[test]
fn an_undamaged_network_is_clean() {
    let report = audit(&network(400));
    is_clean(&report);
    let checked = report.checked;
    assert!(checked.events > 100 && checked.states > 30 && checked.lookups == 6, "{checked:?}");
    // one of the three strays cannot be read and is no command
    assert!(checked.commands == 409 && checked.outcomes == 409 && checked.rows > 80, "{checked:?}");
}

#[test]
fn a_state_that_was_changed() {
    let pipeline = network(60);
    let (id, record) = states(&pipeline).into_iter().find(|(id, _)| id.starts_with("Chirp/")).unwrap();
    let read = pipeline.codecs().state.decode(record.value.as_deref().unwrap()).unwrap();
    let (_, version, recorded_at, state) = State::from_record(read);
    let Some(State::Chirp(mut chirp)) = state else { panic!("{id} is a chirp") };
    chirp.content = "damaged".into();
    let damaged = State::to_record(
        &AggregateId::parse(&id).unwrap(),
        version,
        recorded_at,
        0,
        Some(&State::Chirp(chirp)),
    );
    write_again(&pipeline, &record, Some(pipeline.codecs().state.encode(&damaged)));
    let report = audit(&pipeline);
    let found = only(&report);
    assert_eq!((found.check, found.kind, &*found.place), (Check::States, Kind::Different, "chirp.state"));
    assert_eq!((&found.key, &*found.columns[0].column, found.columns.len()), (&id, "state", 1));
    assert_eq!(found.columns[0].found["content"], "damaged");
    let newest = pipeline.events().into_iter().filter(|(_, e)| e.aggregate_id == id).count() as i64;
    assert_eq!(newest, version);
    assert!(found.events.iter().any(|place| place.topic == "chirp.events"), "{found:?}");
}

#[test]
fn a_state_of_a_version_that_never_was_and_one_that_is_gone() {
    let pipeline = network(60);
    let all = states(&pipeline);
    let mut users = all.iter().filter(|(id, _)| id.starts_with("User/u"));
    let ((ahead, record), (gone, tombstoned)) = (users.next().unwrap(), users.next().unwrap());
    let read = pipeline.codecs().state.decode(record.value.as_deref().unwrap()).unwrap();
    let (_, version, recorded_at, state) = State::from_record(read);
    let damaged =
        State::to_record(&AggregateId::parse(ahead).unwrap(), version + 7, recorded_at, 0, state.as_ref());
    write_again(&pipeline, record, Some(pipeline.codecs().state.encode(&damaged)));
    write_again(&pipeline, tombstoned, None);
    let report = audit(&pipeline);
    assert_eq!(report.total(), 2, "{:#?}", report.differences);
    let of = |key: &String| report.differences.iter().find(|found| found.key == *key).unwrap();
    let versions = &of(ahead).columns[0];
    assert_eq!((&versions.expected, &versions.found), (&json!(version), &json!(version + 7)));
    assert_eq!(of(gone).kind, Kind::Missing);
}

#[test]
fn an_event_with_a_gap() {
    let pipeline = network(60);
    let all = records(&pipeline, &pipeline.names().events);
    let record = all.last().unwrap();
    let mut event = pipeline.codecs().events.decode(record.value.as_deref().unwrap()).unwrap();
    event.version += 2;
    event.recorded_at += 1_000_000;
    event.id = millrace_kernel::id::event_id("forged", 0);
    event.metadata.causation_id = Some("forged".into());
    write_again(&pipeline, record, Some(pipeline.codecs().events.encode(&event)));
    let report = audit(&pipeline);
    let gap = report.differences.iter().find(|found| found.check == Check::Events).unwrap();
    assert_eq!((&*gap.key, &*gap.columns[0].column), (&*event.aggregate_id, "version"));
    assert_eq!(gap.columns[0].expected, json!(event.version - 1));
    assert_eq!(gap.events.len(), 2, "the event and the one before it");
    // the state has not seen it
    assert!(
        report
            .differences
            .iter()
            .any(|found| found.check == Check::States && found.key == event.aggregate_id)
    );
}

#[test]
fn an_event_that_comes_twice() {
    let pipeline = network(60);
    let record = records(&pipeline, &pipeline.names().events).remove(0);
    write_again(&pipeline, &record, record.value.clone());
    let report = audit(&pipeline);
    let columns: Vec<&str> = report
        .differences
        .iter()
        .filter(|found| found.check == Check::Events)
        .map(|found| found.columns[0].column.as_str())
        .collect();
    assert_eq!(columns, ["version", "recorded_at", "id"], "{:#?}", report.differences);
}

#[test]
fn an_outcome_that_is_gone_and_one_too_many() {
    let pipeline = network(60);
    let answered = records(&pipeline, &pipeline.names().outcomes);
    let hidden = answered.iter().find(|record| record.key.as_deref() == Some(b"register-3")).unwrap().clone();
    let place = (Arc::clone(&hidden.topic), hidden.partition, hidden.offset);
    let hide = Arc::new(move |record: &Record| {
        (Arc::clone(&record.topic), record.partition, record.offset) == place
    });
    let log = Hiding { inner: pipeline.log.clone(), hide };
    let report = audit_through(&pipeline, &log, &*pipeline.store, 100);
    let found = only(&report);
    assert_eq!((found.check, found.kind, &*found.key), (Check::Outcomes, Kind::Missing, "register-3"));
    assert_eq!(found.events[0].topic, "chirp.commands");

    write_again(&pipeline, &hidden, hidden.value.clone());
    let report = audit(&pipeline);
    let found = only(&report);
    assert_eq!((found.check, found.kind, &*found.key), (Check::Outcomes, Kind::Surplus, "register-3"));
    let outcome = pipeline.codecs().outcomes.decode(hidden.value.as_deref().unwrap()).unwrap();
    let invented = millrace_kernel::Outcome { command_id: "nobodys".into(), ..outcome };
    let value = pipeline.codecs().outcomes.encode(&invented);
    pipeline.send_to(&pipeline.names().outcomes, 0, Some(Bytes::from("nobodys")), Some(value));
    let report = audit(&pipeline);
    assert!(report.differences.iter().any(|found| found.key == "nobodys"), "{:#?}", report.differences);
}

#[test]
fn a_dead_record_that_nobody_buried() {
    let pipeline = network(20);
    let log = Hiding {
        inner: pipeline.log.clone(),
        hide: Arc::new(|record: &Record| &*record.topic == "chirp.commands.dead"),
    };
    let report = audit_through(&pipeline, &log, &*pipeline.store, 100);
    let found = only(&report);
    assert_eq!((found.check, found.kind), (Check::Outcomes, Kind::Missing));
    assert!(found.message.contains("dead topic"), "{}", found.message);
}

#[test]
fn a_batch_that_was_passed_over_is_no_difference_and_one_that_nobody_buried_is() {
    let mut pipeline = network(30);
    let (partition, lost) = pipeline.send(&command("lost", post("u0", "lost", "?")));
    pipeline.send(&command("behind", post("u0", "behind", "?")));
    let at = TopicPartition::new(Arc::clone(&pipeline.names().commands), partition);
    pipeline.log.spoil(&at, lost..lost + 1).unwrap();
    pipeline.settle();
    is_clean(&audit(&pipeline));
    let hide = |record: &Record| record.headers.iter().any(|(name, _)| name == "millrace-last");
    let log = Hiding { inner: pipeline.log.clone(), hide: Arc::new(hide) };
    let report = audit_through(&pipeline, &log, &*pipeline.store, 100);
    let difference = only(&report);
    assert_eq!((difference.check, difference.kind), (Check::Outcomes, Kind::Missing));
    assert_eq!(difference.events[0].offset, lost);
}

#[test]
fn a_process_that_is_remembered_as_open_and_one_that_is_forgotten() {
    let pipeline = network(20);
    let open =
        OpenProcess { command_type: "RegisterUser".into(), started_at: 1, duplicates: 0, digest: None };
    let id = process("register-2");
    let state = State::from_bookkeeping(Bookkeeping::Process(open));
    let value = pipeline.codecs().state.encode(&State::to_record(&id, 1, 1, 0, Some(&state)));
    let home = partition::of_key(b"u2", common::PARTITIONS);
    let key = Some(Bytes::from(id.as_str().to_owned()));
    pipeline.send_to(&pipeline.names().state, home, key, Some(value));
    let report = audit(&pipeline);
    let found = only(&report);
    assert_eq!((found.check, found.kind, &*found.key), (Check::States, Kind::Surplus, "Process/register-2"));

    // one whose next step nobody takes is open, and that is no difference
    let mut pipeline = network(20);
    let steps = pipeline.names().steps.to_string();
    let before = records(&pipeline, &steps).len();
    pipeline.send(&command("open", register("open")));
    while records(&pipeline, &steps).len() == before {
        for lane in 0..common::PARTITIONS as usize {
            pipeline.turn(0, lane);
        }
    }
    is_clean(&audit(&pipeline));
    let hide = Arc::new(|record: &Record| record.key.as_deref() == Some(b"Process/open"));
    let log = Hiding { inner: pipeline.log.clone(), hide };
    let report = audit_through(&pipeline, &log, &*pipeline.store, 100);
    let found = only(&report);
    assert_eq!((found.check, found.kind, &*found.key), (Check::States, Kind::Missing, "Process/open"));
}

#[test]
fn a_lookup_that_disagrees() {
    let pipeline = network(20);
    let topic = pipeline.names().lookup("User").to_string();
    let all = records(&pipeline, &topic);
    write_again(&pipeline, &all[0], None);
    let invented = Some(Bytes::from("User/nobody"));
    pipeline.send_to(&topic, 0, invented, all[1].value.clone());
    let report = audit(&pipeline);
    let found: Vec<(Check, Kind)> =
        report.differences.iter().map(|found| (found.check, found.kind)).collect();
    assert_eq!(found.len(), 2, "{:#?}", report.differences);
    assert!(
        found.contains(&(Check::Lookups, Kind::Missing)) && found.contains(&(Check::Lookups, Kind::Surplus))
    );
}

#[test]
fn rows_that_are_gone_changed_or_invented() {
    let pipeline = network(200);
    let row = |table: &str| pipeline.store.rows(table).remove(0);
    let late = i64::MAX / 2;
    let apply = |write: Write| pipeline.store.apply(&[write]).unwrap();

    let gone = row("followers_by_user");
    apply(Write::Delete(Delete {
        table: "followers_by_user",
        key: gone[..3].to_vec(),
        range: false,
        timestamp: late,
    }));
    let mut changed = row("home_timelines");
    changed[5] = Value::from("damaged");
    apply(Write::Put(Put { table: "home_timelines", values: changed.clone(), timestamp: late }));
    let invented: Vec<Value> = vec!["ghost".into(), "ghost".into(), 1_i64.into()];
    apply(Write::Put(Put { table: "user_profiles", values: invented, timestamp: late }));

    let report = audit(&pipeline);
    assert_eq!(report.total(), 3, "{:#?}", report.differences);
    let of = |place: &str| report.differences.iter().find(|found| found.place == place).unwrap();
    let found = of("followers_by_user");
    assert_eq!((found.check, found.kind), (Check::Views, Kind::Missing));
    let Value::Text(followee) = &gone[0] else { panic!("{gone:?}") };
    assert!(found.key.contains(&format!("followee_id={followee}")), "{}", found.key);
    assert_eq!((found.columns[0].column.as_str(), &found.columns[0].found), ("since", &json!(null)));
    // the event that has written it
    let place = &found.events[0];
    let at_place: Vec<Record> = records(&pipeline, "chirp.events")
        .into_iter()
        .filter(|record| (record.partition, record.offset) == (place.partition, place.offset))
        .collect();
    let event = pipeline.codecs().events.decode(at_place[0].value.as_deref().unwrap()).unwrap();
    assert!(event.aggregate_id.starts_with("FollowRelationship/"), "{}", event.aggregate_id);

    let found = of("home_timelines");
    assert_eq!((found.kind, found.columns.len()), (Kind::Different, 1));
    assert_eq!((&*found.columns[0].column, &found.columns[0].found), ("content", &json!("damaged")));
    let found = of("user_profiles");
    assert_eq!((found.kind, found.key.as_str(), found.events.len()), (Kind::Surplus, "user_id=ghost", 0));
}

#[test]
fn much_damage_is_counted_and_the_list_stays_short() {
    let pipeline = network(200);
    for row in pipeline.store.rows("chirps_by_author") {
        let delete = Delete {
            table: "chirps_by_author",
            key: row[..4].to_vec(),
            range: false,
            timestamp: i64::MAX / 2,
        };
        pipeline.store.apply(&[Write::Delete(delete)]).unwrap();
    }
    let report = audit_through(&pipeline, &pipeline.log, &*pipeline.store, 3);
    assert_eq!(report.differences.len(), 3);
    assert!(report.total() > 3, "{:?}", report.counts);
}

/// Tables that are empty are clean for a projector that has not begun, and only for it.
#[test]
fn tables_that_were_deleted() {
    let pipeline = network(60);
    let empty = MemoryStore::new();
    empty.create_tables(&tables()).unwrap();
    empty.open_tables(&tables()).unwrap();
    is_clean(&audit_through(&pipeline, &pipeline.log, &empty, 100));

    let all = |group: &str, at: &TopicPartition| match group.contains(".projector.") {
        true => Some(pipeline.log.committed_end(at)),
        false => pipeline.committed(at),
    };
    is_clean(&audit_committed(&pipeline, &pipeline.log, &*pipeline.store, 100, &all));
    let report = audit_committed(&pipeline, &pipeline.log, &empty, 100, &all);
    assert!(report.total() > 1, "{:?}", report.counts);
    for difference in &report.differences {
        assert_eq!((difference.check, difference.kind), (Check::Views, Kind::Missing));
        assert!(difference.message.contains("hold them up to offset 0 only"), "{difference:?}");
    }
}

/// The log with everything, and tables that come to it only while they are compared.
fn moving(pace: usize) -> (Pipeline<Chirp>, Moving) {
    let recording = Arc::new(Recording::default());
    recording.create_tables(&tables()).unwrap();
    recording.open_tables(&tables()).unwrap();
    let mut pipeline = empty();
    pipeline.write_through(Arc::clone(&recording) as Arc<dyn ViewStore>);
    fill(&mut pipeline, 400);
    let calls = std::mem::take(&mut *recording.calls.lock().unwrap());
    let moving = Moving { inner: MemoryStore::new(), calls: calls.into(), pace };
    moving.create_tables(&tables()).unwrap();
    moving.open_tables(&tables()).unwrap();
    (pipeline, moving)
}

#[test]
fn tables_that_move_are_clean_at_any_pace() {
    for pace in [1, 2, 3, 7, 20, 100] {
        let (pipeline, moving) = moving(pace);
        let all = moving.calls.lock().unwrap().len();
        is_clean(&audit_through(&pipeline, &pipeline.log, &moving, 100));
        let left = moving.calls.lock().unwrap().len();
        assert!(left < all, "pace {pace}: nothing moved during the audit");
    }
}

#[test]
fn damage_to_tables_that_move_is_found() {
    let (pipeline, moving) = moving(2);
    let ghost: Vec<Value> = vec!["ghost".into(), "ghost".into(), 1_i64.into()];
    moving.inner.apply(&[Write::Put(Put { table: "user_profiles", values: ghost, timestamp: 1 })]).unwrap();
    let report = audit_through(&pipeline, &pipeline.log, &moving, 100);
    assert_eq!(only(&report).key, "user_id=ghost");
}

#[test]
fn commands_that_wait_to_be_decided_are_no_difference() {
    let pipeline = network(20);
    pipeline.send(&command("waits", post("u0", "later", "not yet")));
    is_clean(&audit(&pipeline));
}

#[test]
fn answers_that_are_still_due_are_not_missing() {
    const REPEATS: usize = 60;
    let mut pipeline = empty();
    pipeline.start_processor();
    pipeline.start_projectors();
    pipeline.settle();
    // a name whose claim lies in another partition, so that all is read before the process ends
    let of = |key: &str| partition::of_key(key.as_bytes(), common::PARTITIONS);
    let here = of("ann");
    let username = (0..).map(|n| format!("name_{n}")).find(|name| of(name) != here).unwrap();
    let data = RegisterUser { user_id: "ann".into(), username: username.into() };
    for _ in 0..=REPEATS {
        pipeline.send(&command("r", data.clone()));
    }
    let lane = pipeline.lanes(0).iter().position(|it| *it == here).unwrap();
    while pipeline.committed_commands(here).is_none_or(|next| next <= REPEATS as i64) {
        pipeline.membership(0);
        pipeline.lane(0, lane);
    }
    let mut were_due = 0;
    for turn in 0.. {
        let log = Hiding { inner: pipeline.log.clone(), hide: Arc::new(|_| false) };
        is_clean(&audit_through(&pipeline, &log, &*pipeline.store, 100));
        let answers = pipeline.outcomes().iter().filter(|outcome| outcome.command_id == "r").count();
        were_due += usize::from((1..=REPEATS).contains(&answers));
        if answers > REPEATS {
            break;
        }
        pipeline.turn(0, turn);
    }
    assert!(were_due > 1, "it was looked at while answers were due");
    // one that is forgotten is missing all the same
    let due = records(&pipeline, &pipeline.names().outcomes);
    let last = due.iter().filter(|record| record.key.as_deref() == Some(b"r")).map(|it| it.offset).max();
    let hide = move |record: &Record| Some(record.offset) == last && record.key.as_deref() == Some(b"r");
    let hiding = Hiding { inner: pipeline.log.clone(), hide: Arc::new(hide) };
    let report = audit_through(&pipeline, &hiding, &*pipeline.store, 100);
    assert_eq!((only(&report).kind, only(&report).check), (Kind::Missing, Check::Outcomes));
}
