//! Copies of partitions that stand by: how old they may be, and how long they are kept.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain_chirp::messages::commands::RegisterUser;
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::{Command, Metadata};
use millrace_ports::{Group, GroupSpec, Log};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::processor::lane::{Lane, LanePhase};
use millrace_runtime::standby::Keeper;
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::pipeline::Pipeline;

/// How long tombstones live, and how old a copy may be.
const TOMBSTONES: Duration = Duration::from_secs(1_000);
const MOST_SECONDS: u64 = 800;

fn pipeline() -> Pipeline<Chirp> {
    let settings = ProcessorSettings {
        batch_max_records: 1,
        state_max_age_seconds: MOST_SECONDS,
        checkpoint_max_changes: 1,
        ..ProcessorSettings::default()
    };
    let mut pipeline = Pipeline::new(1, Settings::default(), settings);
    pipeline.compact(TOMBSTONES);
    pipeline.keep_copies();
    pipeline
}

fn register(pipeline: &Pipeline<Chirp>, n: usize) {
    let data = RegisterUser { user_id: format!("user-{n}").into(), username: format!("name{n}").into() };
    let data = CommandData::RegisterUser(data);
    pipeline.send(&Command { id: format!("command-{n}").into(), metadata: Metadata::default(), data });
}

fn says(pipeline: &Pipeline<Chirp>, what: &str) -> bool {
    pipeline.describe(0, 0).is_some_and(|(_, said)| said.contains(what))
}

/// Everybody stays in touch with the group; nothing else happens.
fn pass(pipeline: &mut Pipeline<Chirp>, seconds: u64) {
    for _ in 0..seconds / 4 {
        pipeline.clock.pass(4_000_000);
        for instance in 0..pipeline.instances() {
            pipeline.membership(instance);
        }
    }
}

/// The first process decides and has a process open when the second, which stands by, sees it last.
fn with_a_copy_that_saw_an_open_process(has_disks: bool) -> Pipeline<Chirp> {
    let mut pipeline = pipeline();
    if has_disks {
        pipeline.give_disks();
    }
    pipeline.start_processor();
    register(&pipeline, 0);
    pipeline.settle();
    pipeline.start_processor();
    register(&pipeline, 1);
    for _ in 0..1_000 {
        if says(&pipeline, ", 1 open processes") {
            break;
        }
        pipeline.turn(0, 0);
    }
    assert!(says(&pipeline, ", 1 open processes"));
    pipeline.membership(1);
    let mut quiet = 0;
    while quiet < 20 {
        quiet = if pipeline.stand_by(1, 0).progress { 0 } else { quiet + 1 };
    }
    assert_eq!(pipeline.copies(1), [0]);
    pipeline.settle();
    assert!(says(&pipeline, ", 0 open processes"), "it has ended");
    pipeline
}

#[test]
fn a_copy_that_was_left_alone_for_longer_than_tombstones_live_is_not_believed() {
    for has_disks in [false, true] {
        let mut pipeline = with_a_copy_that_saw_an_open_process(has_disks);
        // the tombstone of the process is gone when the copy is wanted
        pass(&mut pipeline, 400);
        pass(&mut pipeline, 2_000);
        pipeline.crash(0);
        pipeline.settle();
        assert!(says(&pipeline, "deciding"), "it took over");
        assert!(says(&pipeline, ", 0 open processes"), "{:?}", pipeline.describe(0, 0));
        register(&pipeline, 1);
        pipeline.settle();
        assert_eq!(pipeline.outcomes().len(), 3, "who asks again is answered");
    }
}

#[test]
fn a_copy_that_is_followed_stays_young_though_nothing_happens() {
    let mut pipeline = with_a_copy_that_saw_an_open_process(false);
    for _ in 0..100 {
        pass(&mut pipeline, 40);
        let stepped = pipeline.stand_by(1, 0);
        assert_eq!(stepped.trouble, None);
    }
    pipeline.crash(0);
    pipeline.settle();
    assert!(says(&pipeline, ", 0 open processes"));
}

#[test]
fn what_a_lane_leaves_is_let_go_when_nobody_is_to_have_it() {
    let pipeline = pipeline();
    let shared = Arc::new(pipeline.shared(Some(MemoryDisk::new()), ProcessorSettings::default()));
    let spec = GroupSpec {
        group_id: "group".to_owned(),
        topic: Arc::clone(&pipeline.names().commands),
        session_timeout: Duration::from_secs(10),
    };
    let group: Arc<dyn Group> = Arc::from(pipeline.log.join(&spec).unwrap());
    group.poll(Duration::ZERO).unwrap();
    let mut lane = Lane::new(Arc::clone(&shared), Arc::clone(&group), 0);
    lane.turn(Duration::ZERO).unwrap();
    assert!(matches!(lane.phase(), LanePhase::Warming(_)));
    lane.finish(Duration::ZERO).unwrap();
    drop(lane);
    assert_eq!(shared.copies.standing(), [0]);
    // it owns the partition by itself, so it is to have no copy of it
    let mut keeper = Keeper::new(Arc::clone(&shared), 1);
    keeper.look(&*group).unwrap();
    assert_eq!(shared.copies.standing(), [0_i32; 0]);
}
