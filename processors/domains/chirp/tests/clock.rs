//! A machine whose clock is wrong: noticed, said, and nothing decided until it is right.

use millrace_domain_chirp::messages::commands::RegisterUser;
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::{Command, Metadata};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::health::LaneState;
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
    let data = RegisterUser { user_id: format!("user-{n}"), username: format!("name{n}") };
    let data = CommandData::RegisterUser(data);
    pipeline.send(&Command { id: format!("command-{n}"), metadata: Metadata::default(), data });
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
