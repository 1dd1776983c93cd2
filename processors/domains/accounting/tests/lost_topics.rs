//! Topics that somebody has emptied, made anew or cut off: nothing is decided on what is left of them, and
//! everything goes on once they are back. And what the processors delete themselves.

use crate::common;

use std::sync::Arc;

use common::*;
use millrace_domain_accounting::{Accounting, CommandData};
use millrace_kernel::{Command, Metadata, NoSettings, Status};
use millrace_ports::{Log, TopicPartition};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

const HOUR: i64 = 3_600_000_000;
const KEEP_SECONDS: u64 = 600;

fn pipeline() -> Pipeline<Accounting> {
    let engine = ProcessorSettings {
        steps_keep_seconds: KEEP_SECONDS,
        checkpoint_interval_ms: 1,
        ..ProcessorSettings::default()
    };
    Pipeline::new(1, NoSettings::default(), engine)
}

fn send(pipeline: &Pipeline<Accounting>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

/// Two accounts with money, and a processor at work.
fn bank(mut pipeline: Pipeline<Accounting>) -> Pipeline<Accounting> {
    pipeline.start_processor();
    send(&pipeline, "a", open("account-a", "user", "EUR"));
    send(&pipeline, "b", open("account-b", "user", "EUR"));
    send(&pipeline, "d", deposit("account-a", 100, "EUR"));
    pipeline.settle();
    assert_eq!(answers(&pipeline), 3);
    pipeline
}

fn answers(pipeline: &Pipeline<Accounting>) -> usize {
    pipeline.outcomes().len()
}

fn place(topic: &Arc<str>) -> TopicPartition {
    TopicPartition::new(Arc::clone(topic), 0)
}

fn state(pipeline: &Pipeline<Accounting>) -> TopicPartition {
    place(&pipeline.names().state)
}

fn steps(pipeline: &Pipeline<Accounting>) -> TopicPartition {
    place(&pipeline.names().steps)
}

/// Nothing more is decided, and the lane says why, over and over again.
fn stands_still(pipeline: &mut Pipeline<Accounting>, why: &str) {
    let before = answers(pipeline);
    let id = format!("late-{}", pipeline.log.committed_end(&place(&pipeline.names().commands)));
    send(pipeline, &id, deposit("account-a", 1, "EUR"));
    // whoever was killed is missed
    pipeline.clock.pass(12_000_000);
    let mut said = 0;
    for _ in 0..200 {
        pipeline.membership(0);
        pipeline.follow(0);
        if let Some(trouble) = pipeline.lane(0, 0).trouble {
            assert!(trouble.contains(why), "{trouble}");
            said += 1;
        }
    }
    assert!(said > 2, "the lane says nothing of {why}");
    assert_eq!(answers(pipeline), before, "nothing is decided");
}

/// So much time passes while nobody loses touch with the group.
fn pass(pipeline: &mut Pipeline<Accounting>, micros: i64) {
    for _ in 0..=micros / 3_000_000 {
        pipeline.clock.pass(3_000_000);
        pipeline.membership(0);
    }
}

#[test]
fn a_state_topic_that_was_emptied_is_not_decided_from() {
    for has_disk in [false, true] {
        let mut pipeline = pipeline();
        if has_disk {
            pipeline.give_disks();
        }
        let mut pipeline = bank(pipeline);
        let state = state(&pipeline);
        assert!(pipeline.log.empty(&state).unwrap());
        pipeline.kill(0);
        stands_still(&mut pipeline, "accounting.state[0] knows version 0 of Account/account-a");
        pipeline.log.bring_back(&state).unwrap();
        pipeline.settle();
        assert_eq!(answers(&pipeline), 4, "disk: {has_disk}");
        let newest = pipeline.events().pop().unwrap().1;
        assert_eq!((newest.aggregate_id.as_str(), newest.version), ("Account/account-a", 3));
    }
}

#[test]
fn a_state_topic_that_was_made_anew_and_written_to_is_not_decided_from() {
    let mut pipeline = bank(pipeline());
    let state = state(&pipeline);
    assert!(pipeline.log.empty(&state).unwrap());
    // the one at work has all of it in memory, and writes until it looks again
    send(&pipeline, "e", deposit("account-b", 1, "EUR"));
    for _ in 0..50 {
        pipeline.turn(0, 0);
    }
    assert_eq!(answers(&pipeline), 4);
    pipeline.kill(0);
    stands_still(&mut pipeline, "accounting.state[0] knows version 0 of Account/account-a");
}

#[test]
fn who_is_at_work_notices_that_a_topic_is_gone() {
    for has_disk in [false, true] {
        let mut pipeline = pipeline();
        if has_disk {
            pipeline.give_disks();
        }
        let mut pipeline = bank(pipeline);
        let state = state(&pipeline);
        assert!(pipeline.log.empty(&state).unwrap());
        pass(&mut pipeline, 31_000_000);
        stands_still(&mut pipeline, "accounting.state[0]");
    }
}

#[test]
fn a_topic_in_which_nothing_may_be_deleted_begins_at_0() {
    for topic in ["state", "events"] {
        let mut pipeline = bank(pipeline());
        let at = place(&format!("accounting.{topic}").into());
        pipeline.log.forget_before(&at, 2).unwrap();
        pipeline.kill(0);
        stands_still(&mut pipeline, &format!("accounting.{topic}[0] begins at offset 2"));
    }
}

#[test]
fn events_that_are_gone_are_noticed() {
    let mut pipeline = bank(pipeline());
    let events = place(&pipeline.names().events);
    assert!(pipeline.log.empty(&events).unwrap());
    pipeline.kill(0);
    stands_still(&mut pipeline, "accounting.events[0] is empty");
}

/// A transfer whose first step is committed and not decided.
fn half_done() -> (Pipeline<Accounting>, TopicPartition) {
    let mut pipeline = bank(pipeline());
    let steps = steps(&pipeline);
    send(&pipeline, "t", transfer("t", "account-a", "account-b", 10, "EUR"));
    while pipeline.log.committed_end(&steps) == 0 {
        pipeline.turn(0, 0);
    }
    pipeline.crash(0);
    (pipeline, steps)
}

#[test]
fn a_step_that_was_deleted_undecided_is_waited_for() {
    let (mut pipeline, steps) = half_done();
    let end = pipeline.log.committed_end(&steps);
    pipeline.log.forget_before(&steps, end).unwrap();
    pipeline.start_processor();
    stands_still(&mut pipeline, "accounting.steps[0]:0-2: 2 records were deleted");
    pipeline.log.bring_back(&steps).unwrap();
    pipeline.settle();
    let outcomes = pipeline.outcomes();
    let transfer = outcomes.iter().find(|outcome| outcome.command_id == "t").unwrap();
    assert_eq!(transfer.status, Status::Accepted, "the process went on");
}

#[test]
fn steps_that_were_deleted_before_anyone_began_are_waited_for() {
    let (pipeline, steps) = half_done();
    let end = pipeline.log.committed_end(&steps);
    let mut fresh = self::pipeline();
    for record in pipeline.log.committed_records(&steps.topic) {
        fresh.send_to(&steps.topic, 0, record.key, record.value);
    }
    fresh.log.forget_before(&steps, end).unwrap();
    fresh.start_processor();
    stands_still(&mut fresh, "accounting.steps[0]:0-1: 1 records were deleted");
}

#[test]
fn a_gap_that_an_operator_gives_up_is_passed_over_and_no_other() {
    let (mut pipeline, steps) = half_done();
    let end = pipeline.log.committed_end(&steps);
    pipeline.log.forget_before(&steps, end).unwrap();
    pipeline.accept_gaps("accounting.steps[0]:0-1");
    pipeline.start_processor();
    stands_still(&mut pipeline, "accounting.steps[0]:0-2");
    pipeline.crash(0);
    pipeline.accept_gaps("accounting.steps[0]:0-2");
    pipeline.start_processor();
    pipeline.settle();
    let outcomes = pipeline.outcomes();
    assert!(outcomes.iter().any(|outcome| outcome.command_id.starts_with("late")), "the partition goes on");
    assert!(outcomes.iter().all(|outcome| outcome.command_id != "t"), "the process stays open");
}

#[test]
fn commands_that_were_deleted_undecided_are_told() {
    let mut pipeline = bank(pipeline());
    let commands = place(&pipeline.names().commands);
    pipeline.crash(0);
    send(&pipeline, "lost", deposit("account-a", 1, "EUR"));
    send(&pipeline, "kept", deposit("account-a", 2, "EUR"));
    pipeline.log.forget_before(&commands, 4).unwrap();
    pipeline.start_processor();
    stands_still(&mut pipeline, "accounting.commands[0]:3-4: 1 records were deleted");
    pipeline.log.bring_back(&commands).unwrap();
    pipeline.settle();
    assert_eq!(answers(&pipeline), 6);
}

#[test]
fn an_input_that_was_made_anew_is_told() {
    let mut pipeline = bank(pipeline());
    let commands = place(&pipeline.names().commands);
    assert!(pipeline.log.empty(&commands).unwrap());
    pipeline.kill(0);
    stands_still(&mut pipeline, "accounting.commands[0] ends at offset");
}

#[test]
fn a_lane_that_waits_for_an_operator_keeps_the_state_it_has_restored() {
    let mut pipeline = bank(pipeline());
    let commands = place(&pipeline.names().commands);
    assert!(pipeline.log.empty(&commands).unwrap());
    pipeline.kill(0);
    stands_still(&mut pipeline, "accounting.commands[0] ends at offset");
    let mut told = Vec::new();
    while told.len() < 5 {
        if pipeline.lane(0, 0).trouble.is_some() {
            told.push(pipeline.describe(0, 0).unwrap().1);
        }
    }
    // two accounts, the floor, three answers, by now read once and not five times
    assert!(told.iter().all(|it| *it == told[0] && it.ends_with("records read")), "{told:?}");
    assert_ne!(told[0], "restoring, 0 records read");
    assert!(pipeline.log.empty(&commands).unwrap());
    pipeline.log.bring_back(&commands).unwrap();
    pipeline.settle();
    assert_eq!(answers(&pipeline), 4, "and decides on top of it");
}

/// All three steps of a transfer are decided; how far the group is behind the end is a mark.
fn done() -> (Pipeline<Accounting>, TopicPartition) {
    let mut pipeline = bank(pipeline());
    let steps = steps(&pipeline);
    send(&pipeline, "t", transfer("t", "account-a", "account-b", 10, "EUR"));
    pipeline.settle();
    assert_eq!(answers(&pipeline), 4);
    (pipeline, steps)
}

#[test]
fn the_mark_behind_the_last_step_is_no_gap() {
    let mut pipeline = bank(pipeline());
    let steps = steps(&pipeline);
    send(&pipeline, "t", transfer("t", "account-a", "account-b", 10, "EUR"));
    // for less than the second after which an idle processor commits behind the mark
    while answers(&pipeline) < 4 {
        assert!(pipeline.turn(0, 0), "there is something to do");
    }
    while pipeline.turn(0, 0) {}
    let end = pipeline.log.committed_end(&steps);
    assert_eq!(pipeline.committed(&steps), Some(end - 1), "a mark has no record that could be decided");
    // as retention did before it was turned off for steps
    pipeline.log.forget_before(&steps, end).unwrap();
    pipeline.kill(0);
    send(&pipeline, "e", deposit("account-b", 1, "EUR"));
    pipeline.settle();
    assert_eq!(answers(&pipeline), 5);
}

#[test]
fn offsets_are_committed_again_when_nothing_comes() {
    let (mut pipeline, steps) = done();
    let end = pipeline.log.committed_end(&steps);
    pass(&mut pipeline, HOUR);
    pipeline.log.forget_offsets(&pipeline.names().processor_group());
    pipeline.settle();
    assert_eq!(pipeline.committed(&steps), Some(end), "behind the mark, too");
    assert!(pipeline.committed_commands(0).is_some());
}

#[test]
fn steps_are_deleted_once_they_are_decided_and_old() {
    let (mut pipeline, steps) = done();
    let begin = |pipeline: &Pipeline<Accounting>| pipeline.log.low_watermark(&steps).unwrap();
    assert!(!pipeline.trim(0).progress);
    assert_eq!(begin(&pipeline), 0, "somebody may ask what became of the transfer");
    pipeline.clock.pass(KEEP_SECONDS as i64 * 1_000_000 + 1_000_000);
    // one more that is young
    send(&pipeline, "u", transfer("u", "account-a", "account-b", 10, "EUR"));
    let decided = pipeline.log.committed_end(&steps);
    pipeline.settle();
    assert!(pipeline.trim(0).progress);
    assert_eq!(begin(&pipeline), decided, "the old ones and no other");
    pipeline.kill(0);
    send(&pipeline, "v", transfer("v", "account-a", "account-b", 10, "EUR"));
    pipeline.settle();
    assert_eq!(answers(&pipeline), 6, "and everything goes on");
}

#[test]
fn a_step_that_waits_to_be_decided_is_never_deleted() {
    let (mut pipeline, steps) = half_done();
    pipeline.clock.pass(30 * 24 * HOUR);
    // it is in the group, and has decided nothing yet
    pipeline.start_processor();
    assert!(!pipeline.trim(0).progress);
    assert_eq!(pipeline.log.low_watermark(&steps).unwrap(), 0);
    pipeline.settle();
    assert_eq!(answers(&pipeline), 4, "a month later the transfer goes on");
}
