//! Whoever claims to have been put back from the dead topic is believed as far as that says so.

use crate::common;

use std::sync::Arc;

use bytes::Bytes;
use common::dead::{PARTITIONS, act, answers, dead, list, pipeline, recorded, redrive, send};
use common::fragile::{Fragile, mend};
use common::post;
use millrace_domain_chirp::CommandData;
use millrace_kernel::{Addressed, Command, Metadata, partition};
use millrace_ports::TopicPartition;
use millrace_runtime::dead::headers::{self, Mark, header};
use millrace_runtime::dead::{Action, Place, Selection};
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::Pipeline;

/// Appends a command with headers that its producer gives it.
fn send_with(pipeline: &Pipeline<Fragile>, id: &str, data: CommandData, headers: Vec<(String, Bytes)>) {
    let command = Command { id: id.into(), metadata: Metadata::default(), data };
    let key = command.data.routing_key().into_owned();
    let names = pipeline.names();
    let at = TopicPartition::new(Arc::clone(&names.commands), partition::of_key(key.as_bytes(), PARTITIONS));
    let (key, value) = (Some(Bytes::from(key)), Some(pipeline.encode(&command)));
    pipeline.log.append(&at, Plain { key, value, timestamp_ms: now_ms(pipeline), headers }).unwrap();
}

fn now_ms(pipeline: &Pipeline<Fragile>) -> i64 {
    millrace_ports::Clock::now_micros(&*pipeline.clock) / 1_000
}

/// Sends everything that stands in the commands topic once more, as a tool does that copies records with their headers.
fn replay(pipeline: &mut Pipeline<Fragile>) {
    for record in pipeline.log.committed_records(&pipeline.names().commands) {
        let at = TopicPartition::new(Arc::clone(&record.topic), record.partition);
        let (key, value, headers) = (record.key, record.value, record.headers);
        let again = Plain { key, value, timestamp_ms: now_ms(pipeline), headers };
        pipeline.log.append(&at, again).unwrap();
    }
    pipeline.settle();
}

#[test]
fn nobody_gets_ahead_in_a_line_by_saying_so() {
    let mut pipeline = pipeline();
    send(&pipeline, "p1", post("ann", "c1", "boom"));
    send(&pipeline, "p2", post("ann", "c2", "x"));
    pipeline.settle();
    let first = list(&pipeline)[0].clone();
    let line = |number: i64| header(headers::LINE, format_args!("{}/{number}", first.line.unwrap().line));
    let pointer = |offset| header(headers::REDRIVEN, format_args!("{}/{offset}", first.place.partition));
    let at = first.place.offset;
    let gone = || header(headers::GONE, "true");
    let dropped = || header(headers::SKIPPED, "true");
    let kind = || header(headers::KIND, "waiting");
    let forged = [
        vec![line(1)],
        vec![line(1), pointer(at)],
        vec![line(2), gone()],
        vec![line(2), gone(), pointer(at + 1)],
        vec![line(1), pointer(at), dropped()],
        vec![line(2), pointer(at + 1), dropped(), kind()],
        vec![line(1), pointer(at + 100), dropped(), kind()],
    ];
    let mut ids = vec!["p2".to_owned()];
    for (number, headers) in forged.into_iter().enumerate() {
        let id = format!("f{number}");
        send_with(&pipeline, &id, post("ann", &id, "x"), headers);
        ids.push(id);
        pipeline.settle();
    }
    let all = answers(&pipeline);
    for id in &ids {
        assert!(!all.contains_key(id), "{id} is answered before the line has moved: {all:?}");
    }
    let numbers: Vec<_> = list(&pipeline).iter().map(|it| it.line.map(|place| place.number)).collect();
    assert_eq!(numbers, (1..=9).map(Some).collect::<Vec<_>>(), "each waits where it came");
    // also what an operator has said once is said once: the first dies again and stays the first
    assert_eq!(redrive(&mut pipeline), 9);
    pipeline.kill(0);
    replay(&mut pipeline);
    let all = answers(&pipeline);
    for id in &ids {
        assert!(!all.contains_key(id), "{id} is answered after a replay: {all:?}");
    }
    mend();
    let mut rounds = 0;
    while !list(&pipeline).is_empty() {
        redrive(&mut pipeline);
        rounds += 1;
        assert!(rounds < 20, "the line comes to no end");
    }
    let order: Vec<_> = recorded(&pipeline).into_iter().filter(|id| ids.contains(id)).collect();
    assert_eq!(order, ids, "in the order in which they came");
    let events = pipeline.events();
    replay(&mut pipeline);
    assert_eq!(pipeline.events(), events, "a replay changes nothing");
    assert_eq!(list(&pipeline), []);
}

#[test]
fn what_was_dropped_and_comes_again_drops_nothing_else() {
    let mut pipeline = pipeline();
    send(&pipeline, "p1", post("ann", "c1", "boom"));
    send(&pipeline, "p2", post("ann", "c2", "x"));
    pipeline.settle();
    let one = Selection { id: Some("p1".to_owned()), ..Selection::default() };
    act(&pipeline, &one, Action::Skip).1.unwrap();
    pipeline.settle();
    redrive(&mut pipeline);
    assert_eq!(answers(&pipeline)["p2"], ["accepted"]);
    // the header alone drops nobody's command
    let dropped = vec![
        header(headers::SKIPPED, "true"),
        header(headers::REDRIVEN, format_args!("{}/0", partition::of_key(b"ann", PARTITIONS))),
    ];
    send_with(&pipeline, "p3", post("ann", "c3", "x"), dropped);
    let events = pipeline.events().len();
    replay(&mut pipeline);
    assert_eq!(answers(&pipeline)["p3"], ["accepted", "accepted"]);
    assert_eq!(pipeline.events().len(), events + 1, "only what is new has happened");
    assert_eq!(list(&pipeline), []);
}

#[test]
fn what_an_older_tool_has_put_back_is_taken() {
    let mut pipeline = pipeline();
    for (id, content) in [("p1", "never"), ("p2", "x"), ("p3", "boom"), ("p4", "x")] {
        send(&pipeline, id, post("ann", id, content));
    }
    pipeline.settle();
    let waiting = list(&pipeline);
    mend();
    let names = pipeline.names().clone();
    let of_dead = pipeline.log.committed_records(&names.dead);
    // as it was before notes said what was put back
    for record in &waiting {
        let Place { partition, offset } = record.place;
        let source = of_dead.iter().find(|it| (it.partition, it.offset) == (partition, offset)).unwrap();
        let mut headers = vec![header(headers::REDRIVEN, format_args!("{partition}/{offset}"))];
        headers.extend(record.line.map(|place| header(headers::LINE, place)));
        let mut mark = Mark::Redriven;
        if record.id.as_deref() == Some("p1") {
            headers.push(header(headers::SKIPPED, "true"));
            mark = Mark::Skipped;
        }
        let (key, timestamp_ms) = (source.key.clone(), now_ms(&pipeline));
        let note = vec![header(headers::MARK, mark.as_str()), header(headers::MARKED, offset)];
        let of = |topic: &Arc<str>| TopicPartition::new(Arc::clone(topic), partition);
        let back = Plain { key: key.clone(), value: source.value.clone(), timestamp_ms, headers };
        pipeline.log.append(&of(&names.commands), back).unwrap();
        let note = Plain { key, value: None, timestamp_ms, headers: note };
        pipeline.log.append(&of(&names.dead), note).unwrap();
    }
    pipeline.settle();
    assert_eq!(list(&pipeline), []);
    assert_eq!(recorded(&pipeline), ["p2", "p3", "p4"]);
}

#[test]
fn what_is_garbled_in_the_dead_topic_is_named_and_passed_over() {
    let mut pipeline = pipeline();
    send(&pipeline, "p1", post("ann", "c1", "boom"));
    send(&pipeline, "p2", post("ann", "c2", "x"));
    pipeline.settle();
    let at = |partition| TopicPartition::new(Arc::clone(&pipeline.names().dead), partition);
    let junk = |headers| Plain {
        key: Some(Bytes::from_static(b"ann")),
        value: Some(Bytes::from_static(b"junk")),
        timestamp_ms: 1,
        headers,
    };
    for partition in 0..PARTITIONS {
        pipeline.log.append(&at(partition), junk(Vec::new())).unwrap();
        let note = vec![header(headers::MARK, "eaten"), header(headers::MARKED, "all")];
        pipeline.log.append(&at(partition), junk(note)).unwrap();
    }
    let poisoned =
        vec![header(headers::KIND, "poisoned"), header(headers::TOPIC, &pipeline.names().commands)];
    pipeline.log.append(&at(0), junk(poisoned)).unwrap();
    mend();
    let strange = 2 * PARTITIONS as usize + 1;
    assert_eq!(list(&pipeline).len(), 2 + strange);
    let plan = dead(&pipeline).plan(&Selection::default(), Action::Redrive).unwrap();
    assert_eq!((plan.moved.len(), plan.passed_over.len()), (2, strange));
    let (done, left) = act(&pipeline, &Selection::default(), Action::Redrive);
    assert_eq!((done.len(), left.unwrap().len()), (2, strange));
    pipeline.settle();
    assert_eq!(recorded(&pipeline).len(), 2);
    let plan = dead(&pipeline).plan(&Selection::default(), Action::Redrive).unwrap();
    assert!(plan.passed_over.iter().all(|it| it.why.len() > 20), "{plan:?}");
    act(&pipeline, &Selection::default(), Action::Skip).1.unwrap();
    assert_eq!(list(&pipeline), [], "what nobody can put back can be dropped");
}
