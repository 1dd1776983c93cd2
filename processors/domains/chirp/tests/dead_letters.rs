//! What becomes of dead records: order behind them is kept, and each is put back exactly once,
//! whatever crashes and whoever else is at it.

use crate::common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::dead::{PARTITIONS, act, answers, dead, kinds, list, pipeline, recorded, redrive, send};
use common::fragile::{Fragile, mend};
use common::{edit, post, register};
use millrace_domain_chirp::EventData;
use millrace_kernel::{Bookkeeping, StateData, codes, partition};
use millrace_ports::{Log, TopicPartition};
use millrace_runtime::dead::headers::{DeadKind, Mark};
use millrace_runtime::dead::{Action, DeadError, DeadRecord, Place, Selection, Shown};
use millrace_testkit::log::memory::{Faults, Operation, Plain, Verdict};
use millrace_testkit::pipeline::Pipeline;

#[test]
fn later_commands_of_a_key_wait_behind_a_dead_one_and_are_decided_in_order() {
    let mut pipeline = pipeline();
    send(&pipeline, "r2", register("bob", "Bob"));
    pipeline.settle();
    send(&pipeline, "p1", post("ann", "c1", "boom"));
    send(&pipeline, "p2", post("ann", "c2", "x"));
    send(&pipeline, "p3", edit("ann", "c1", "changed"));
    send(&pipeline, "b1", post("bob", "c1", "x"));
    pipeline.settle();
    // also after a crash
    pipeline.kill(0);
    send(&pipeline, "p4", edit("ann", "c2", "changed"));
    pipeline.settle();
    let all = answers(&pipeline);
    assert_eq!(all["p1"], [codes::POISONED]);
    assert_eq!(all["b1"], ["accepted"], "another key does not wait");
    for id in ["p2", "p3", "p4"] {
        assert!(!all.contains_key(id), "{id} is not answered while it waits");
    }
    use DeadKind::{Poisoned, Waiting};
    assert_eq!(
        kinds(&list(&pipeline)),
        [(Poisoned, Some(1)), (Waiting, Some(2)), (Waiting, Some(3)), (Waiting, Some(4))]
    );

    mend();
    assert_eq!(redrive(&mut pipeline), 4);
    let all = answers(&pipeline);
    for id in ["p2", "p3", "p4"] {
        assert_eq!(all[id], ["accepted"], "{id} is answered once, in its turn");
    }
    assert_eq!(all["p1"], [codes::POISONED], "what was answered is not answered again");
    let order = recorded(&pipeline);
    assert_eq!(order[1..], ["p2", "p3", "p4"], "{order:?}: in the order in which they were sent");
    assert_eq!(all[&order[0]], ["accepted"], "the poisoned one comes back under a new id");
    assert_eq!(list(&pipeline), []);

    // the key is free again, and nothing is left to put back
    assert_eq!(redrive(&mut pipeline), 0);
    send(&pipeline, "p5", post("ann", "c5", "x"));
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p5"], ["accepted"]);
}

#[test]
fn what_dies_again_keeps_its_place_and_new_commands_queue_behind_the_line() {
    let mut pipeline = pipeline();
    send(&pipeline, "p1", post("ann", "c1", "boom"));
    send(&pipeline, "p2", post("ann", "c2", "never"));
    send(&pipeline, "p3", post("ann", "c3", "x"));
    pipeline.settle();
    // sent while the line is under way: behind it, though it stands before it in the topic
    send(&pipeline, "p4", post("ann", "c4", "x"));
    mend();
    assert_eq!(redrive(&mut pipeline), 3);
    use DeadKind::{Poisoned, Waiting};
    let mut left = kinds(&list(&pipeline));
    left.sort_by_key(|(_, number)| *number);
    assert_eq!(left, [(Poisoned, Some(2)), (Waiting, Some(3)), (Waiting, Some(4))]);
    assert_eq!(recorded(&pipeline).len(), 1, "only what came before the dead one was decided");

    // out of order there is no way, in order there is
    let id = |id: &str| Selection { id: Some(id.into()), ..Selection::default() };
    let refused = act(&pipeline, &id("p3"), Action::Redrive).1.unwrap_err();
    assert!(matches!(refused, DeadError::OutOfOrder { .. }), "{refused}");
    act(&pipeline, &id("p2"), Action::Skip).1.unwrap();
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p2"], [codes::POISONED], "it was answered before");
    act(&pipeline, &id("p3"), Action::Skip).1.unwrap();
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p3"], [codes::SKIPPED], "what waited is answered when it is dropped");
    assert_eq!(redrive(&mut pipeline), 1);
    assert_eq!(answers(&pipeline)["p4"], ["accepted"]);
    send(&pipeline, "p5", post("ann", "c5", "x"));
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p5"], ["accepted"], "the key is free");
    let marks: Vec<_> = dead(&pipeline).list(&Selection::default()).unwrap();
    assert_eq!(marks.iter().filter(|r| r.done.is_some_and(|(mark, _)| mark == Mark::Skipped)).count(), 2);
}

#[test]
fn what_cannot_be_read_parks_its_key_and_repeated_ids_and_other_partitions_do_not_wait() {
    let mut pipeline = pipeline();
    let commands = Arc::clone(&pipeline.names().commands);
    let ann = || Some(Bytes::from_static(b"ann"));
    send(&pipeline, "p0", post("ann", "c0", "x"));
    // a tombstone asks for nothing, and what came the wrong way stands in no order
    pipeline.send_raw(&commands, ann(), None);
    let right = partition::of_key(b"ann", PARTITIONS);
    pipeline.send_to(&commands, (right + 1) % PARTITIONS, ann(), Some(Bytes::from_static(b"junk")));
    pipeline.send_to(&commands, right, None, Some(Bytes::from_static(b"junk")));
    send(&pipeline, "p1", post("ann", "c1", "x"));
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p1"], ["accepted"]);
    let keyless: Vec<_> = list(&pipeline).into_iter().filter(|record| record.key.is_none()).collect();
    assert_eq!(keyless.len(), 1, "what had no key has none in the dead topic");

    pipeline.send_raw(&commands, ann(), Some(Bytes::from_static(b"junk")));
    send(&pipeline, "p2", post("ann", "c2", "x"));
    send(&pipeline, "p0", post("ann", "c0", "again"));
    pipeline.settle();
    assert!(!answers(&pipeline).contains_key("p2"));
    assert_eq!(answers(&pipeline)["p0"], ["accepted", "accepted"], "a repetition changes nothing");
    // still unreadable: everything goes back
    redrive(&mut pipeline);
    assert!(!answers(&pipeline).contains_key("p2"));
    let key = Selection { key: Some(b"ann".to_vec()), partition: Some(right), ..Selection::default() };
    let junk: Vec<_> =
        list(&pipeline).into_iter().filter(|r| r.line.is_some_and(|l| l.number == 1)).collect();
    assert_eq!(junk.len(), 1, "one and the same place in the line");
    let one =
        Selection { offset: Some(junk[0].place.offset), partition: Some(right), ..Selection::default() };
    act(&pipeline, &one, Action::Skip).1.unwrap();
    act(&pipeline, &key, Action::Redrive).1.unwrap();
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p2"], ["accepted"]);
}

#[test]
fn a_step_delivered_twice_changes_nothing() {
    let mut pipeline = pipeline();
    send(&pipeline, "r2", register("bob", "Bob"));
    pipeline.settle();
    let (events, outcomes) = (pipeline.events(), pipeline.outcomes());
    for round in 0..2 {
        for step in pipeline.log.committed_records(&pipeline.names().steps) {
            let at = TopicPartition::new(Arc::clone(&step.topic), step.partition);
            let again = Plain {
                key: step.key.clone(),
                value: step.value.clone(),
                timestamp_ms: step.timestamp_ms,
                headers: step.headers.clone(),
            };
            pipeline.log.append(&at, again).unwrap();
        }
        if round == 1 {
            pipeline.kill(0);
        }
        pipeline.settle();
    }
    assert_eq!(pipeline.events(), events);
    assert_eq!(pipeline.outcomes(), outcomes);
    assert_eq!(list(&pipeline), []);
}

#[test]
fn a_dead_step_leaves_its_process_open_and_a_redrive_continues_it_once() {
    let mut pipeline = pipeline();
    send(&pipeline, "r2", register("bob", "boom"));
    send(&pipeline, "r2", register("bob", "boom"));
    pipeline.settle();
    // steps of the same source go on
    send(&pipeline, "r3", register("bob2", "free"));
    pipeline.settle();
    assert!(!answers(&pipeline).contains_key("r2"), "the process is open");
    assert_eq!(answers(&pipeline)["r3"], ["accepted"]);
    let waiting = list(&pipeline);
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].process.as_deref(), Some("r2"), "it names the process that waits");
    assert_eq!(waiting[0].message_type.as_deref(), Some("ClaimUsername"));

    // not mended yet: it dies again, and can come again
    assert_eq!(redrive(&mut pipeline), 1);
    assert_eq!(list(&pipeline).len(), 1);
    mend();
    pipeline.kill(0);
    assert_eq!(redrive(&mut pipeline), 1);
    assert_eq!(answers(&pipeline)["r2"], ["accepted", "accepted"], "one answer for every sending");
    let events = pipeline.events();

    // whatever copies come of it now, of the first or of the redriven, it was taken
    for step in pipeline.log.committed_records(&pipeline.names().steps) {
        let at = TopicPartition::new(Arc::clone(&step.topic), step.partition);
        let again = Plain {
            key: step.key,
            value: step.value,
            timestamp_ms: step.timestamp_ms,
            headers: step.headers,
        };
        pipeline.log.append(&at, again).unwrap();
    }
    pipeline.settle();
    assert_eq!(pipeline.events(), events);
    assert_eq!(list(&pipeline), []);
    assert_eq!(redrive(&mut pipeline), 0, "nothing is put back twice");
}

/// A generator whose only virtue is that it repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Refuses, or loses the answer of, a commit now and then.
struct Shaky(Dice);

impl Faults for Shaky {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        match (operation, self.0.roll(12)) {
            (Operation::Commit { .. } | Operation::Write { .. }, 0) => Verdict::Refuse,
            (Operation::Commit { .. }, 1) => Verdict::LoseAnswer,
            _ => Verdict::Proceed,
        }
    }
}

#[test]
fn redrives_that_crash_anywhere_lose_nothing_and_do_nothing_twice() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let mut pipeline = pipeline();
        let mut sent = Vec::new();
        for n in 0..12 {
            let id = format!("p{n}");
            let content = if dice.roll(4) == 0 { "boom" } else { "x" };
            send(&pipeline, &id, post("ann", &format!("c{n}"), content));
            sent.push(id);
            if dice.roll(3) == 0 {
                for _ in 0..dice.roll(12) {
                    pipeline.turn(0, dice.roll(4) as usize);
                }
            }
        }
        pipeline.settle();
        mend();
        pipeline.log.inject(Box::new(Shaky(Dice(seed ^ 0xdead))));
        let mut rounds = 0;
        // nothing waits at first in histories without a poisoned command
        while list_or_fault(&pipeline).is_none_or(|left| !left.is_empty()) {
            drop(act(&pipeline, &Selection::default(), Action::Redrive));
            for _ in 0..20 + dice.roll(200) {
                pipeline.turn(0, dice.roll(4) as usize);
                if dice.roll(100) == 0 {
                    pipeline.log.inject(Box::new(millrace_testkit::log::memory::NoFaults));
                    pipeline.kill(0);
                    pipeline.log.inject(Box::new(Shaky(Dice(seed ^ rounds))));
                }
            }
            rounds += 1;
            assert!(rounds < 400, "seed {seed}: it comes to no end");
        }
        pipeline.log.inject(Box::new(millrace_testkit::log::memory::NoFaults));
        pipeline.settle();
        assert_eq!(list(&pipeline), [], "seed {seed}");
        let all = answers(&pipeline);
        for id in &sent {
            assert_eq!(all[id].len(), 1, "seed {seed}: {id} has one answer: {:?}", all[id]);
        }
        // every chirp was posted once, in the order in which the commands were sent
        let posted: Vec<i64> = pipeline
            .events()
            .iter()
            .filter_map(|(_, event)| match &event.data {
                EventData::ChirpPosted(e) => e.chirp_id.strip_prefix('c').and_then(|n| n.parse().ok()),
                _ => None,
            })
            .collect();
        assert_eq!(posted, (0..12).collect::<Vec<i64>>(), "seed {seed}");
        common::fragile::break_again();
    }
}

fn list_or_fault(pipeline: &Pipeline<Fragile>) -> Option<Vec<DeadRecord>> {
    let mut all = dead(pipeline).list(&Selection::default()).ok()?;
    all.retain(|record| record.done.is_none());
    Some(all)
}

#[test]
fn a_line_whose_head_was_deleted_goes_on_from_what_is_left() {
    let mut pipeline = pipeline();
    for (id, content) in [("p1", "boom"), ("p2", "x"), ("p3", "x")] {
        send(&pipeline, id, post("ann", id, content));
    }
    pipeline.settle();
    let place = list(&pipeline)[1].place;
    let at = TopicPartition::new(Arc::clone(&pipeline.names().dead), place.partition);
    pipeline.log.forget_before(&at, place.offset).unwrap();
    assert_eq!(redrive(&mut pipeline), 2);
    assert_eq!(recorded(&pipeline), ["p2", "p3"]);
    send(&pipeline, "p4", post("ann", "p4", "x"));
    pipeline.settle();
    assert_eq!(answers(&pipeline)["p4"], ["accepted"], "the key is free");
}

#[test]
fn a_step_that_has_nothing_to_do_is_taken_once_and_leaves_no_event() {
    let mut pipeline = pipeline();
    let steps = pipeline.log.committed_records(&pipeline.names().steps);
    let confirm = |record: &&millrace_ports::Record| {
        let step =
            pipeline.codecs().steps.as_ref().unwrap().decode(record.value.as_deref().unwrap()).unwrap();
        matches!(step.data, millrace_domain_chirp::StepData::ConfirmRegistration(_))
    };
    let record = steps.iter().find(confirm).unwrap();
    let mut step =
        pipeline.codecs().steps.as_ref().unwrap().decode(record.value.as_deref().unwrap()).unwrap();
    // asked for again, by a later event of its source
    step.id = format!("{}-again", step.id).into();
    step.source.sequence += 1_000_000;
    let (events, outcomes) = (pipeline.events(), pipeline.outcomes());
    for _ in 0..2 {
        let value = pipeline.codecs().steps.as_ref().unwrap().encode(&step);
        let (partition, key) = (record.partition, record.key.clone());
        pipeline.send_to(&pipeline.names().steps.clone(), partition, key, Some(value));
        pipeline.settle();
        pipeline.kill(0);
        pipeline.settle();
    }
    assert_eq!(list(&pipeline), []);
    assert_eq!((pipeline.events(), pipeline.outcomes()), (events, outcomes));
    let inbox = format!("Inbox/{}", step.source.partition);
    let states = pipeline.log.committed_records(&pipeline.names().state);
    let is_inbox = |it: &&millrace_ports::Record| {
        it.partition == record.partition && it.key.as_deref() == Some(inbox.as_bytes())
    };
    let kept = states.iter().rev().find(is_inbox).unwrap();
    let decoded = pipeline.codecs().state.decode(kept.value.as_deref().unwrap()).unwrap();
    let (.., state) = millrace_domain_chirp::State::from_record(decoded);
    let kept = state.unwrap();
    let Some(Bookkeeping::Inbox(inbox)) = kept.as_bookkeeping() else { panic!("{kept:?}") };
    assert_eq!(inbox.sequence, step.source.sequence, "it is remembered as taken");
}

#[test]
fn who_comes_second_is_fenced_off_or_finds_nothing_left() {
    let mut pipeline = pipeline();
    for n in 0..3 {
        send(&pipeline, &format!("p{n}"), post("ann", &format!("c{n}"), "boom"));
    }
    pipeline.settle();
    mend();
    let at = partition::of_key(b"ann", PARTITIONS);
    let mut early = pipeline.log.writer(&pipeline.names().dead_transactional_id(at)).unwrap();
    early.fence().unwrap();
    assert_eq!(redrive(&mut pipeline), 3);
    let late = early
        .submit(millrace_ports::Transaction::default())
        .and_then(|()| early.settle(Duration::from_secs(1)).map(drop));
    assert!(late.is_err(), "whoever was at it before can commit nothing any more");
    assert_eq!(redrive(&mut pipeline), 0);
}

#[test]
fn what_is_asked_for_wrongly_is_named() {
    let mut pipeline = pipeline();
    send(&pipeline, "p1", post("ann", "c1", "boom"));
    pipeline.settle();
    let topic = dead(&pipeline);
    let missing = topic.show(Place { partition: 0, offset: 99 }).unwrap_err();
    assert!(missing.to_string().contains("chirp.commands.dead[0]"), "{missing}");
    let place = list(&pipeline)[0].place;
    let Shown { record, content, .. } = topic.show(place).unwrap();
    assert_eq!(record.id.as_deref(), Some("p1"));
    assert!(format!("{content:?}").contains("boom"), "{content:?}");
    let plan = topic.plan(&Selection::default(), Action::Redrive).unwrap();
    assert_eq!((plan.moved.len(), plan.passed_over.len()), (1, 0));
    assert_ne!(plan.moved[0].id.as_deref(), Some("p1"), "a poisoned command comes back under a new id");
    assert_eq!(list(&pipeline).len(), 1, "a plan changes nothing");
}
