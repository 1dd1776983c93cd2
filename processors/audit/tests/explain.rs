//! A command explained in every state it can be in, and histories, on the pipeline in memory.

use crate::common;

use std::sync::Arc;

use bytes::Bytes;
use common::{command, network, post, register, scratch, settings};
use millrace_audit::explain::{Explanation, Question, Searched, Standing, explain};
use millrace_audit::history::{History, Until, history};
use millrace_audit::{Shelf, Silent};
use millrace_domain_chirp::Chirp;
use millrace_kernel::{AggregateId, Status};
use millrace_ports::{Record, TopicPartition};
use millrace_runtime::processor::intake::dead_headers;
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::Pipeline;
use serde_json::json;

fn ask(pipeline: &Pipeline<Chirp>, command_id: &str) -> Result<Explanation, Vec<Searched>> {
    let committed = |_: &str, partitions: &[TopicPartition]| {
        Ok(partitions.iter().filter_map(|at| Some((at.clone(), pipeline.committed(at)?))).collect())
    };
    let shelf = Shelf::new(&scratch, 2_000);
    let question = Question::<Chirp> {
        log: &pipeline.log,
        registry: pipeline.registry(),
        prefix: "",
        settings: &settings(),
        store: Some(&*pipeline.store),
        committed: &committed,
        since: None,
        most_rows: 5,
        shelf: &shelf,
        watcher: &Silent,
    };
    explain(&question, command_id).unwrap()
}

fn tell(pipeline: &Pipeline<Chirp>, id: &str, until: Until) -> History {
    let id = AggregateId::parse(id).unwrap();
    history::<Chirp>(&pipeline.log, pipeline.registry(), "", &id, until, &Silent).unwrap()
}

#[test]
fn a_process_is_followed_over_its_partitions() {
    let pipeline = network(60);
    let told = ask(&pipeline, "register-1").unwrap();
    let Standing::Answered { status: Status::Accepted, after_micros: Some(after) } = told.standing else {
        panic!("{:?}", told.standing)
    };
    assert!(after > 0);
    let kinds: Vec<(&str, &str)> = told.acts.iter().map(|act| (act.kind, act.events[0].kind)).collect();
    let expected = [
        ("RegisterUser", "RegistrationStarted"),
        ("ClaimUsername", "UsernameClaimed"),
        ("ConfirmRegistration", "UserRegistered"),
    ];
    assert_eq!(kinds, expected);
    let events: Vec<_> = told.acts.iter().flat_map(|act| &act.events).collect();
    assert!(events.windows(2).all(|two| two[0].recorded_at < two[1].recorded_at));
    assert_eq!((&*events[1].aggregate_id, &events[1].state), ("Username/name_u1", &json!({"user_id": "u1"})));
    let rows: Vec<_> = events[2].rows.iter().flat_map(|follows| &follows.writes).collect();
    assert_eq!(rows.iter().map(|row| row.table).collect::<Vec<_>>(), ["user_profiles", "users_by_username"]);
    assert!(events[2].rows.iter().all(|follows| follows.applied));
    assert_eq!(rows[0].timestamp, events[2].recorded_at);
}

#[test]
fn a_process_is_followed_though_its_steps_were_deleted_since() {
    let pipeline = network(60);
    let before = ask(&pipeline, "register-1").unwrap();
    let steps = &pipeline.names().steps;
    for partition in 0..common::PARTITIONS {
        let at = TopicPartition::new(Arc::clone(steps), partition);
        pipeline.log.forget_before(&at, pipeline.log.committed_end(&at)).unwrap();
    }
    let told = ask(&pipeline, "register-1").unwrap();
    assert_eq!(told.standing, before.standing);
    let events = |told: &Explanation| -> Vec<String> {
        told.acts.iter().flat_map(|act| &act.events).map(|event| event.id.clone()).collect()
    };
    assert_eq!(events(&told), events(&before), "what they caused is found");
    for act in told.acts.iter().filter(|act| act.is_step) {
        let begins = act.trimmed.as_ref().unwrap();
        assert!(act.place.is_none() && act.is_decided);
        assert_eq!((&*begins.topic, begins.offset > 0), (&**steps, true), "and where the topic begins now");
    }
    assert!(before.acts.iter().all(|act| act.trimmed.is_none()));
}

#[test]
fn a_process_that_was_refused_says_why_and_at_which_step() {
    let told = ask(&network(20), "register-late").unwrap();
    assert!(
        matches!(told.standing, Standing::Answered { status: Status::Rejected, .. }),
        "{:?}",
        told.standing
    );
    assert_eq!(told.outcomes[0].outcome.violations[0].code, "AlreadyExists");
    let last: Vec<&str> = told.acts.iter().flat_map(|act| &act.events).map(|event| event.kind).collect();
    assert_eq!(last, ["RegistrationStarted", "UsernameClaimRefused", "RegistrationRefused"]);
}

/// Goes on until a process has written a step that nobody has decided yet.
fn until_a_step_waits(pipeline: &mut Pipeline<Chirp>) -> Record {
    let steps = pipeline.names().steps.to_string();
    let before = pipeline.log.committed_records(&steps);
    loop {
        for lane in 0..common::PARTITIONS as usize {
            pipeline.turn(0, lane);
        }
        let now = pipeline.log.committed_records(&steps);
        if let Some(step) = now.into_iter().find(|step| !before.contains(step)) {
            return step;
        }
    }
}

#[test]
fn a_dead_step_that_was_deleted_since_is_said_to_be_that() {
    let mut pipeline = network(20);
    pipeline.send(&command("open", register("open")));
    let step = until_a_step_waits(&mut pipeline);
    // as a processor buries it, and long afterwards trims the steps
    let headers = [
        (dead_headers::REASON, "no decision".to_owned()),
        (dead_headers::TOPIC, step.topic.to_string()),
        (dead_headers::PARTITION, step.partition.to_string()),
        (dead_headers::OFFSET, step.offset.to_string()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), Bytes::from(value))).to_vec();
    let dead = TopicPartition::new(Arc::clone(&pipeline.names().dead), step.partition);
    let (key, value) = (step.key.clone(), step.value.clone());
    pipeline.log.append(&dead, Plain { key, value, timestamp_ms: step.timestamp_ms, headers }).unwrap();
    let at = TopicPartition::new(Arc::clone(&step.topic), step.partition);
    pipeline.log.forget_before(&at, pipeline.log.committed_end(&at)).unwrap();

    let told = ask(&pipeline, "open").unwrap();
    let act = told.acts.last().unwrap();
    let begins = act.trimmed.as_ref().expect("it was trimmed, and where");
    assert_eq!((act.kind, &*begins.topic, begins.partition), ("ClaimUsername", &*at.topic, at.partition));
    assert!(begins.offset > step.offset && act.place.is_none() && act.is_decided, "{act:?}");
    let Standing::Open { step: Some("ClaimUsername"), place: None, dead: Some(found) } = &told.standing
    else {
        panic!("{:?}", told.standing)
    };
    assert_eq!((&*found.reason, &*found.place.topic), ("no decision", &*pipeline.names().dead));
}

#[test]
fn an_open_process_says_which_step_is_awaited() {
    let mut pipeline = network(20);
    pipeline.send(&command("open", register("open")));
    let steps = pipeline.names().steps.to_string();
    assert!(matches!(ask(&pipeline, "open").unwrap().standing, Standing::Waiting { records: 1 }));
    until_a_step_waits(&mut pipeline);
    let told = ask(&pipeline, "open").unwrap();
    let Standing::Open { step: Some("ClaimUsername"), place: Some(place), dead: None } = &told.standing
    else {
        panic!("{:?}", told.standing)
    };
    assert_eq!(place.topic, steps);
    pipeline.settle();
    assert!(matches!(ask(&pipeline, "open").unwrap().standing, Standing::Answered { .. }));
}

#[test]
fn what_came_the_wrong_way_or_in_an_unknown_shape() {
    let mut pipeline = network(20);
    let told = ask(&pipeline, "stray").unwrap();
    assert_eq!((told.asked.len(), told.outcomes.len()), (2, 2));
    assert!(told.outcomes.iter().all(|answered| answered.outcome.violations[0].code == "Misrouted"));

    // a command that its decision lets down every time is not to be had here; a dead one whose id
    // can be read is: its id breaks the rule
    let value = pipeline.encode(&command("no/id", post("u0", "x", "y")));
    let topic = pipeline.names().commands.to_string();
    pipeline.send_raw(&topic, Some(Bytes::from("u0")), Some(value));
    pipeline.settle();
    let told = ask(&pipeline, "no/id").unwrap();
    let Standing::Dead(dead) = &told.standing else { panic!("{:?}", told.standing) };
    assert!(dead.reason.contains("no/id") && dead.place.topic == "chirp.commands.dead", "{dead:?}");
}

#[test]
fn a_command_that_died_unread_is_known_by_its_id() {
    let mut pipeline = network(20);
    let whole = pipeline.encode(&command("unread", post("u0", "x", "y")));
    // of a schema that nobody has registered
    let value = [&[0, 0, 0, 3, 231][..], &whole[5..]].concat();
    let topic = pipeline.names().commands.to_string();
    pipeline.send_raw(&topic, Some(Bytes::from("u0")), Some(Bytes::from(value)));
    pipeline.settle();
    let told = ask(&pipeline, "unread").unwrap();
    let Standing::Dead(dead) = &told.standing else { panic!("{:?}", told.standing) };
    assert!(dead.reason.contains("999"), "{dead:?}");
    assert_eq!((told.asked.len(), told.asked[0].kind), (1, None));
    assert_eq!(told.asked[0].place.topic, topic);
    assert!(ask(&pipeline, "unrea").is_err(), "a part of an id is none");
}

#[test]
fn what_nobody_knows_is_said_to_have_been_looked_for() {
    let searched = ask(&network(20), "nobody").unwrap_err();
    let topics: Vec<&str> = searched.iter().map(|searched| searched.topic.as_str()).collect();
    assert_eq!(topics, ["chirp.outcomes", "chirp.commands", "chirp.commands.dead"]);
    assert!(searched[..2].iter().all(|searched| searched.records > 20 && searched.back_to.is_some()));
}

#[test]
fn a_history_leads_to_the_state_of_any_version() {
    let pipeline = network(200);
    let events = pipeline.events();
    let of_chirp =
        |id: &str| events.iter().filter(|(_, e)| e.aggregate_id == id).map(|(_, e)| e).collect::<Vec<_>>();
    let (_, edited) =
        events.iter().find(|(_, e)| e.version == 2 && e.aggregate_id.starts_with("Chirp/")).unwrap();
    let id = edited.aggregate_id.as_str();
    let all = of_chirp(id);
    let now = tell(&pipeline, id, Until::Now);
    assert_eq!(now.events.len(), all.len());
    assert_eq!(now.version, all.len() as i64);
    for event in &all {
        let by_version = tell(&pipeline, id, Until::Version(event.version));
        let by_time = tell(&pipeline, id, Until::Time(event.recorded_at));
        assert_eq!((by_version.version, &by_version.state), (event.version, &by_time.state));
        assert_eq!(by_version.events, by_time.events);
        let before = tell(&pipeline, id, Until::Time(event.recorded_at - 1));
        assert_eq!(before.version, event.version - 1);
    }
    assert_eq!(tell(&pipeline, id, Until::Time(0)).state, json!(null));
    let stranger = tell(&pipeline, &format!("{id}x"), Until::Now);
    assert!(stranger.events.is_empty() && stranger.searched.neighbours.iter().any(|other| other == id));
}

/// Whoever sends an id again and again fills no memory: what is kept is the first of all, and the rest is counted.
#[test]
fn of_a_command_that_was_sent_thousands_of_times_the_first_is_told() {
    let mut pipeline = network(0);
    let again = command("again", post("u1", "again", "x"));
    for _ in 0..2_500 {
        pipeline.send(&again);
    }
    pipeline.settle();
    let explained = ask(&pipeline, "again").unwrap();
    assert!(explained.outcomes.len() <= 1_000 && explained.asked.len() <= 1_000);
    assert_eq!(explained.unlisted, 2 * 2_500 - (explained.outcomes.len() + explained.asked.len()) as u64);
    let answered = explained.outcomes.iter().filter(|it| !it.outcome.duplicate).count();
    assert_eq!(answered, 1);
    assert!(matches!(
        explained.standing,
        Standing::Answered { status: Status::Accepted, after_micros: Some(_) }
    ));
    assert_eq!(explained.acts[0].events.len(), 1, "{:#?}", explained.acts);
}
