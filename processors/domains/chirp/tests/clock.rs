//! A machine whose clock is wrong: noticed, said, and nothing decided until it is right.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_domain_chirp::messages::commands::{FollowUser, RegisterUser};
use millrace_domain_chirp::{Chirp, CommandData, EventData, Settings};
use millrace_kernel::{Command, Metadata, Status, codes, partition};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::health::LaneState;
use millrace_testkit::log::memory::{Faults, NoFaults, Operation, Verdict};
use millrace_testkit::pipeline::Pipeline;

const HOUR: i64 = 3_600_000_000;
const TURNS: usize = 500;

fn pipeline() -> Pipeline<Chirp> {
    let mut pipeline = Pipeline::new(1, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    register(&pipeline, 0);
    pipeline.settle();
    pipeline
}

fn register(pipeline: &Pipeline<Chirp>, n: usize) {
    let data = RegisterUser { user_id: format!("user-{n}").into(), username: format!("name{n}").into() };
    let data = CommandData::RegisterUser(data);
    pipeline.send(&Command { id: format!("command-{n}").into(), metadata: Metadata::default(), data });
}

fn turns(pipeline: &mut Pipeline<Chirp>) {
    (0..TURNS).for_each(|_| {
        pipeline.turn(0, 0);
    });
}

fn assert_halted(pipeline: &Pipeline<Chirp>) {
    let (state, detail) = pipeline.describe(0, 0).expect("the processor has the partition");
    assert_eq!(state, LaneState::Faulted, "{detail}");
    assert!(detail.contains("clock is 7200 s ahead"), "{detail}");
}

fn assert_well(pipeline: &Pipeline<Chirp>) {
    let (state, detail) = pipeline.describe(0, 0).expect("the processor has the partition");
    assert_eq!(state, LaneState::Running, "{detail}");
    assert!(!detail.contains("clock"), "{detail}");
}

#[test]
fn a_clock_two_hours_ahead_decides_nothing_until_it_is_right() {
    let mut pipeline = pipeline();
    pipeline.set_ahead(0, 2 * HOUR);
    for n in 1..4 {
        register(&pipeline, n);
        turns(&mut pipeline);
        assert_eq!(pipeline.outcomes().len(), 1, "nothing is decided after command {n}");
        assert_halted(&pipeline);
    }
    pipeline.set_ahead(0, 0);
    pipeline.settle();
    assert_eq!(pipeline.outcomes().len(), 4, "all is decided once the clock is right");
    assert_well(&pipeline);
    let now = millrace_ports::Clock::now_micros(&*pipeline.clock);
    for (_, event) in pipeline.events() {
        assert!(event.recorded_at < now, "no time comes from the wrong clock: {event:?}");
    }
}

#[test]
fn a_clock_that_jumps_under_load_is_noticed_without_a_silence() {
    let mut pipeline = pipeline();
    let mut sent = 1;
    let mut load = |pipeline: &mut Pipeline<Chirp>, count: usize| {
        for _ in 0..count {
            // three at a time, so that there is always something left to read
            for _ in 0..3 {
                register(pipeline, sent);
                sent += 1;
            }
            pipeline.turn(0, 0);
        }
    };
    load(&mut pipeline, 50);
    pipeline.set_ahead(0, 2 * HOUR);
    let decided = pipeline.events().len();
    load(&mut pipeline, 50);
    let more = pipeline.events().len() - decided;
    assert!(more <= 40, "only what was under way when it jumped is committed, not {more} events");
    assert_halted(&pipeline);
    pipeline.set_ahead(0, 0);
    pipeline.settle();
    assert_eq!(pipeline.outcomes().len(), 301);
    assert_well(&pipeline);
}

#[test]
fn a_clock_that_is_wrong_from_the_start_is_noticed_by_the_first_record_after_a_silence() {
    let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    pipeline.set_ahead(0, 2 * HOUR);
    pipeline.settle();
    register(&pipeline, 0);
    turns(&mut pipeline);
    assert_eq!(pipeline.outcomes().len(), 0);
    assert_halted(&pipeline);
    pipeline.set_ahead(0, 0);
    pipeline.settle();
    assert_eq!(pipeline.outcomes().len(), 1);
}

/// The broker writes no markers of transactions to the topics of look-ups.
struct HoldLookups(Arc<AtomicBool>);

impl Faults for HoldLookups {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        match operation {
            Operation::WriteMarkers { at: Some(at), .. }
                if at.topic.ends_with(".lookup") && self.0.load(Ordering::SeqCst) =>
            {
                Verdict::Later
            }
            _ => Verdict::Proceed,
        }
    }
}

/// A name whose partition is this one, of two.
fn name_in(number: i32, base: &str) -> String {
    let names = (0..).map(|n| format!("{base}{n}"));
    names.into_iter().find(|name| partition::of_key(name.as_bytes(), 2) == number).expect("one of many")
}

/// What was read while the clock was wrong came after the barrier that was asked for before: who is registered
/// in between is no stranger to it.
#[test]
fn what_is_read_while_the_clock_is_wrong_is_not_covered_by_an_older_barrier() {
    let mut pipeline = Pipeline::<Chirp>::new(2, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    pipeline.start_processor();
    let register = |pipeline: &Pipeline<Chirp>, user_id: &str, username: &str| {
        let data = RegisterUser { user_id: user_id.into(), username: username.into() };
        let (id, data) = (format!("register-{user_id}"), CommandData::RegisterUser(data));
        pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
    };
    // decided where the followee is, who is here; the follower is looked up
    let follow = |pipeline: &Pipeline<Chirp>, follower: &str, followee: &str| {
        let data = FollowUser { follower_id: follower.into(), followee_id: followee.into() };
        let (id, data) = (format!("follow-{follower}"), CommandData::FollowUser(data));
        pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
    };
    let author = name_in(0, "author");
    register(&pipeline, &author, &name_in(0, "anna"));
    pipeline.settle();
    let here = (0..2).find(|at| pipeline.describe(*at, 0).is_some()).expect("somebody has the partition");
    let there = 1 - here;
    assert!(pipeline.describe(there, 1).is_some(), "each has one");
    let lanes = |pipeline: &mut Pipeline<Chirp>, at: usize| {
        for _ in 0..100 {
            pipeline.membership(at);
            pipeline.lane(at, 0);
        }
    };
    let is_registered = |pipeline: &Pipeline<Chirp>, user_id: &str| {
        let is_it = |data: &EventData| matches!(data, EventData::UserRegistered(e) if e.user_id == user_id);
        pipeline.events().iter().any(|(_, event)| is_it(&event.data))
    };
    // somebody is registered there, of whom nobody here has heard: so the barrier has something to wait for
    let (early, late, ghost) = (name_in(1, "early"), name_in(1, "late"), name_in(1, "ghost"));
    register(&pipeline, &early, &name_in(1, "eva"));
    lanes(&mut pipeline, there);
    assert!(is_registered(&pipeline, &early));
    follow(&pipeline, &ghost, &author);
    lanes(&mut pipeline, here);
    let is_held = Arc::new(AtomicBool::new(true));
    pipeline.log.inject(Box::new(HoldLookups(Arc::clone(&is_held))));
    pipeline.set_ahead(here, 2 * HOUR);
    register(&pipeline, &late, &name_in(1, "lara"));
    lanes(&mut pipeline, there);
    assert!(is_registered(&pipeline, &late));
    follow(&pipeline, &late, &author);
    lanes(&mut pipeline, here);
    let (_, detail) = pipeline.describe(here, 0).expect("it has the partition");
    assert!(detail.contains("clock is"), "{detail}");
    // the table here comes to where the barrier was, and no further
    for _ in 0..10 {
        pipeline.follow(here);
    }
    pipeline.set_ahead(here, 0);
    lanes(&mut pipeline, here);
    is_held.store(false, Ordering::SeqCst);
    pipeline.log.inject(Box::new(NoFaults));
    pipeline.settle();
    let outcomes = pipeline.outcomes();
    let of = |follower: &str| {
        let id = format!("follow-{follower}");
        outcomes.iter().find(|outcome| outcome.command_id == id).expect("it is answered")
    };
    assert_eq!(of(&ghost).violations[0].code, codes::NOT_FOUND);
    assert_eq!(of(&late).status, Status::Accepted, "{:?}", of(&late));
}
