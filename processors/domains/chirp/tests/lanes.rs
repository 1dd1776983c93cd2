//! Lanes work side by side: one that stands still holds up nobody else, and while its batch is being
//! committed it decides the next one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use millrace_domain_chirp::messages::commands::{PostChirp, RegisterUser};
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::{Command, Metadata, partition};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::processor::batch::MOST_BYTES;
use millrace_testkit::log::memory::{Faults, NoFaults, Operation, Verdict};
use millrace_testkit::pipeline::Pipeline;

const PARTITIONS: i32 = 3;
const USERS: usize = 12;
/// Enough turns for every lane to do all it can.
const TURNS: usize = 400;

fn user(n: usize) -> String {
    format!("user-{n}")
}

fn partition_of(n: usize) -> i32 {
    partition::of_key(user(n).as_bytes(), PARTITIONS)
}

fn pipeline() -> Pipeline<Chirp> {
    let mut pipeline = Pipeline::new(PARTITIONS, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    for n in 0..USERS {
        let data = RegisterUser { user_id: user(n).into(), username: format!("name_{n}").into() };
        send(&pipeline, &format!("r-{n}"), CommandData::RegisterUser(data));
    }
    pipeline.settle();
    pipeline
}

fn send(pipeline: &Pipeline<Chirp>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

fn post(pipeline: &Pipeline<Chirp>, round: usize) {
    for n in 0..USERS {
        let id = format!("p-{round}-{n}");
        let data = PostChirp { chirp_id: id.clone().into(), author_id: user(n).into(), content: "x".into() };
        send(pipeline, &id, CommandData::PostChirp(data));
    }
}

fn work(pipeline: &mut Pipeline<Chirp>) {
    for turn in 0..TURNS {
        pipeline.turn(0, turn % PARTITIONS as usize);
    }
}

fn answered(pipeline: &Pipeline<Chirp>, round: usize) -> BTreeSet<usize> {
    let prefix = format!("p-{round}-");
    let of_round = |id: &str| id.strip_prefix(&prefix).and_then(|n| n.parse().ok());
    pipeline.outcomes().iter().filter_map(|outcome| of_round(&outcome.command_id)).collect()
}

/// The commits of one transactional id hang until they are let go; its batches are counted.
#[derive(Clone)]
struct Hanging {
    id: String,
    hangs: Arc<AtomicBool>,
    batches: Arc<AtomicUsize>,
    /// What the other lanes did while it hung.
    others: Arc<Mutex<BTreeSet<String>>>,
}

impl Faults for Hanging {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        match operation {
            Operation::Write { id, .. } if *id == self.id => {
                self.batches.fetch_add(1, Ordering::SeqCst);
            }
            Operation::Commit { id } if *id == self.id && self.hangs.load(Ordering::SeqCst) => {
                return Verdict::Later;
            }
            Operation::Commit { id } => {
                self.others.lock().unwrap().insert((*id).to_owned());
            }
            _ => {}
        }
        Verdict::Proceed
    }
}

#[test]
fn a_partition_that_stands_still_holds_up_no_other_and_goes_on_where_it_stood() {
    let mut pipeline = pipeline();
    let slow = partition_of(0);
    let fast: BTreeSet<usize> = (0..USERS).filter(|n| partition_of(*n) != slow).collect();
    assert!(!fast.is_empty() && fast.len() < USERS, "users in several partitions");
    let fault = Hanging {
        id: pipeline.names().transactional_id(slow),
        hangs: Arc::new(AtomicBool::new(true)),
        batches: Arc::default(),
        others: Arc::default(),
    };
    pipeline.log.inject(Box::new(fault.clone()));

    post(&pipeline, 1);
    work(&mut pipeline);
    assert_eq!(answered(&pipeline, 1), fast, "only the slow partition waits");
    for round in 2..6 {
        post(&pipeline, round);
        work(&mut pipeline);
        assert_eq!(answered(&pipeline, round), fast, "round {round}");
    }
    assert_eq!(fault.batches.load(Ordering::SeqCst), 1, "one batch at a time is being committed");
    assert_eq!(fault.others.lock().unwrap().len(), PARTITIONS as usize - 1);

    fault.hangs.store(false, Ordering::SeqCst);
    work(&mut pipeline);
    for round in 1..6 {
        assert_eq!(answered(&pipeline, round).len(), USERS, "round {round}");
    }
    // decided while the first one hung: all four rounds are one batch
    assert_eq!(fault.batches.load(Ordering::SeqCst), 2);
}

#[test]
fn a_batch_closes_when_the_input_is_drained_and_when_it_is_full() {
    let mut pipeline = pipeline();
    let lane = partition_of(0);
    let fault = Hanging {
        id: pipeline.names().transactional_id(lane),
        hangs: Arc::default(),
        batches: Arc::default(),
        others: Arc::default(),
    };
    pipeline.log.inject(Box::new(fault.clone()));
    let chirp = |n: usize| {
        let data =
            PostChirp { chirp_id: format!("c{n}").into(), author_id: user(0).into(), content: "x".into() };
        CommandData::PostChirp(data)
    };
    send(&pipeline, "alone", chirp(0));
    work(&mut pipeline);
    assert_eq!(fault.batches.load(Ordering::SeqCst), 1, "one command waits for no other");

    let most = ProcessorSettings::default().batch_max_records;
    for n in 1..=2 * most {
        send(&pipeline, &format!("many-{n}"), chirp(n));
    }
    work(&mut pipeline);
    pipeline.log.inject(Box::new(NoFaults));
    let batches = fault.batches.load(Ordering::SeqCst) - 1;
    assert!((2..=4).contains(&batches), "{batches} batches for twice as many commands as one holds");
    let answered = pipeline.outcomes().iter().filter(|it| it.command_id.starts_with("many-")).count();
    assert_eq!(answered, 2 * most);
}

#[test]
fn a_batch_of_long_texts_closes_before_it_takes_too_much_memory() {
    let engine = ProcessorSettings { batch_max_records: 1_000_000, ..ProcessorSettings::default() };
    let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), engine);
    pipeline.start_processor();
    let data = RegisterUser { user_id: user(0).into(), username: "name_0".into() };
    send(&pipeline, "r-0", CommandData::RegisterUser(data));
    pipeline.settle();
    let fault = Hanging {
        id: pipeline.names().transactional_id(0),
        hangs: Arc::default(),
        batches: Arc::default(),
        others: Arc::default(),
    };
    pipeline.log.inject(Box::new(fault.clone()));
    // 1,120 bytes, which stand in the event and in the state
    let content = "\u{1f426}".repeat(280);
    let count = 2 * MOST_BYTES / (2 * content.len());
    for n in 0..count {
        let data = PostChirp {
            chirp_id: format!("c{n}").into(),
            author_id: user(0).into(),
            content: content.clone().into(),
        };
        send(&pipeline, &format!("long-{n}"), CommandData::PostChirp(data));
    }
    pipeline.settle();
    let batches = fault.batches.load(Ordering::SeqCst);
    assert!((2..=4).contains(&batches), "{batches} batches for twice as many bytes as one holds");
    let answered = pipeline.outcomes().iter().filter(|it| it.command_id.starts_with("long-")).count();
    assert_eq!(answered, count);
}
