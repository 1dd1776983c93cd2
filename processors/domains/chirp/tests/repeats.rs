//! A command sent again, and again, while its process runs: each gets its answer when that ends, a bounded number with
//! each transaction, and none is forgotten or given twice whatever crashes in between.

use crate::common;

use std::sync::{Arc, Mutex};

use common::register;
use millrace_domain_chirp::{Chirp, Settings};
use millrace_kernel::{Command, Metadata, Outcome, Status, partition};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::log::memory::{Faults, NoFaults, Operation, Verdict};
use millrace_testkit::pipeline::Pipeline;

/// Remembers how large batches were, and loses the answer of every `loses`-th commit.
#[derive(Clone)]
struct Watching {
    largest: Arc<Mutex<usize>>,
    commits: usize,
    loses: usize,
}

impl Faults for Watching {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        match operation {
            Operation::Write { records, .. } => {
                let mut largest = self.largest.lock().unwrap();
                *largest = (*largest).max(*records);
            }
            Operation::Commit { .. } => {
                self.commits += 1;
                if self.commits.is_multiple_of(self.loses) {
                    return Verdict::LoseAnswer;
                }
            }
            _ => {}
        }
        Verdict::Proceed
    }
}

fn pipeline(batch_max_records: usize) -> Pipeline<Chirp> {
    let settings = ProcessorSettings { batch_max_records, ..ProcessorSettings::default() };
    let mut pipeline = Pipeline::new(2, Settings::default(), settings);
    pipeline.start_processor();
    pipeline.settle();
    pipeline
}

fn send(pipeline: &Pipeline<Chirp>, id: &str, user_id: &str, username: &str) {
    let data = register(user_id, username);
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

/// A name whose claim lies in the partition that is not Ann's.
fn name_elsewhere() -> String {
    let of = |key: &str| partition::of_key(key.as_bytes(), 2);
    (0..).map(|n| format!("name_{n}")).find(|name| of(name) != of("ann")).expect("there are two partitions")
}

/// Ann's registration, sent so often again; all of it is read before the partition of the name does anything.
fn register_again_and_again(pipeline: &mut Pipeline<Chirp>, repeats: usize) {
    let username = name_elsewhere();
    for _ in 0..=repeats {
        send(pipeline, "r", "ann", &username);
    }
    let here = partition::of_key(b"ann", 2);
    let all = 1 + repeats as i64;
    for _ in 0..10 * repeats {
        if pipeline.committed_commands(here).is_some_and(|next| next >= all) {
            return;
        }
        for instance in 0..pipeline.instances() {
            if let Some(lane) = pipeline.lanes(instance).iter().position(|it| *it == here) {
                pipeline.membership(instance);
                pipeline.lane(instance, lane);
            }
        }
    }
    panic!("they are never read");
}

/// The answers to `id`, of which the first is no repetition, and all others are the same again.
fn answers(pipeline: &Pipeline<Chirp>, id: &str) -> Vec<Outcome> {
    let all: Vec<_> = pipeline.outcomes().into_iter().filter(|it| it.command_id == id).collect();
    assert!(all.first().is_none_or(|first| !first.duplicate), "{all:?}");
    for one in all.iter().skip(1) {
        assert!(one.is_again(&all[0]), "{one:?}");
    }
    all
}

#[test]
fn many_repeats_are_answered_over_several_transactions() {
    const REPEATS: usize = 6_000;
    let mut pipeline = pipeline(5_000);
    let largest: Arc<Mutex<usize>> = Arc::default();
    pipeline.log.inject(Box::new(Watching { largest: Arc::clone(&largest), commits: 0, loses: usize::MAX }));
    send(&pipeline, "taken", "bob", "Ann");
    pipeline.settle();
    for _ in 0..=REPEATS {
        send(&pipeline, "r", "ann", "Ann");
    }
    pipeline.settle();
    let all = answers(&pipeline, "r");
    assert_eq!((all.len(), all[0].status), (1 + REPEATS, Status::Rejected));
    let largest = *largest.lock().unwrap();
    assert!(largest <= 1_100, "{largest} records in one transaction");
    // and one that comes later is answered at once
    send(&pipeline, "r", "ann", "Ann");
    pipeline.settle();
    assert_eq!(answers(&pipeline, "r").len(), 2 + REPEATS);
}

#[test]
fn no_crash_forgets_an_answer_or_gives_it_twice() {
    const REPEATS: usize = 60;
    let mut is_between = false;
    for dies_after in (0..160).step_by(3) {
        let mut pipeline = pipeline(6);
        pipeline.start_processor();
        pipeline.settle();
        let largest = Arc::default();
        let loses = 2 + dies_after % 5;
        register_again_and_again(&mut pipeline, REPEATS);
        pipeline.log.inject(Box::new(Watching { largest, commits: 0, loses }));
        // others get on meanwhile
        send(&pipeline, "other", "cleo", "Cleo");
        for turn in 0..dies_after {
            pipeline.turn(turn, turn / 2);
        }
        let so_far = answers(&pipeline, "r").len();
        is_between |= (1..REPEATS).contains(&so_far);
        pipeline.kill(dies_after % 2);
        for turn in 0..40 {
            pipeline.turn(turn, turn / 2);
        }
        pipeline.log.inject(Box::new(NoFaults));
        pipeline.settle();
        let all = answers(&pipeline, "r");
        assert_eq!((all.len(), all[0].status), (1 + REPEATS, Status::Accepted), "killed after {dies_after}");
        assert_eq!(answers(&pipeline, "other").len(), 1);
    }
    assert!(is_between, "some died while answers were due");
}

#[test]
fn others_get_on_while_repeats_are_answered() {
    others_get_on(8);
}

#[test]
fn others_get_on_also_where_a_batch_has_room_for_one_message() {
    others_get_on(1);
}

fn others_get_on(batch_max_records: usize) {
    const REPEATS: usize = 800;
    let mut pipeline = pipeline(batch_max_records);
    register_again_and_again(&mut pipeline, REPEATS);
    let mut turns = 0;
    while answers(&pipeline, "r").is_empty() {
        pipeline.turn(0, turns);
        turns += 1;
        assert!(turns < 20_000, "it is never answered");
    }
    for n in 0..5 {
        // of both partitions
        send(&pipeline, &format!("o{n}"), &format!("user{n}"), &format!("name_{n}"));
    }
    while (0..5).any(|n| answers(&pipeline, &format!("o{n}")).is_empty()) {
        pipeline.turn(0, turns);
        turns += 1;
        assert!(turns < 40_000, "they are never answered");
    }
    assert!(answers(&pipeline, "r").len() <= REPEATS, "repeats are still due");
    pipeline.settle();
    assert_eq!(answers(&pipeline, "r").len(), 1 + REPEATS);
}
