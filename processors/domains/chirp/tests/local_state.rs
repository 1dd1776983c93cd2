//! Local state inside the engine: what a restart reads, what is not trusted, and what is right
//! all the same.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain_chirp::messages::commands::{PostChirp, RegisterUser};
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::{AggregateId, Command, Metadata};
use millrace_ports::TopicPartition;
use millrace_runtime::ProcessorSettings;
use millrace_runtime::processor::copy::PartitionCopy;
use millrace_runtime::processor::lane::Shared;
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::pipeline::Pipeline;

fn settings() -> ProcessorSettings {
    ProcessorSettings {
        batch_max_records: 10,
        checkpoint_interval_ms: 100,
        checkpoint_max_changes: 20,
        ..ProcessorSettings::default()
    }
}

fn chirps(pipeline: &Pipeline<Chirp>, author: &str, from: usize, count: usize) {
    for number in from..from + count {
        let data = CommandData::PostChirp(PostChirp {
            chirp_id: format!("chirp-{number}").into(),
            author_id: author.into(),
            content: format!("text {number}").into(),
        });
        pipeline.send(&Command { id: format!("post-{number}").into(), metadata: Metadata::default(), data });
    }
}

/// One partition with a user and `count` chirps, all decided by a processor with a disk.
fn history(count: usize) -> Pipeline<Chirp> {
    let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), settings());
    pipeline.give_disks();
    pipeline.start_processor();
    let data = CommandData::RegisterUser(RegisterUser { user_id: "ann".into(), username: "ann".into() });
    pipeline.send(&Command { id: "register".into(), metadata: Metadata::default(), data });
    pipeline.settle();
    chirps(&pipeline, "ann", 0, count);
    pipeline.settle();
    pipeline
}

/// Opens the partition on this disk and follows its topics to their end.
fn restored(shared: &Arc<Shared<Chirp>>) -> PartitionCopy<Chirp> {
    for _ in 0..2 {
        let mut copy = PartitionCopy::open(shared, 0).unwrap();
        loop {
            if copy.lag(shared, 0).unwrap() == 0 {
                return copy;
            }
            // a store that turns out to be another topic's is given up, and opened anew
            if copy.follow(shared, Duration::ZERO).is_err() {
                break;
            }
        }
    }
    panic!("the partition cannot be restored");
}

/// Everything that the topics say of the partition is what the copy says.
fn is_right(pipeline: &Pipeline<Chirp>, copy: &PartitionCopy<Chirp>) {
    let whole = restored(&Arc::new(pipeline.shared(None, settings())));
    let states = pipeline.log.committed_records(&pipeline.names().state);
    assert!(states.len() > 10);
    for record in states {
        let id = AggregateId::parse(std::str::from_utf8(&record.key.unwrap()).unwrap()).unwrap();
        let show = |copy: &PartitionCopy<Chirp>| {
            copy.state().get(&id).map(|it| (it.version, it.recorded_at, format!("{:?}", it.state)))
        };
        assert_eq!(show(copy), show(&whole), "{id}");
    }
    for outcome in pipeline.outcomes() {
        let id = &outcome.command_id;
        assert_eq!(copy.state().answer(id), whole.state().answer(id), "{id}");
        assert!(copy.state().answer(id).is_some(), "{id}");
    }
    assert_eq!(copy.state().answer("never-sent"), None);
    assert_eq!(copy.state().kept(), whole.state().kept());
    copy.state().check().unwrap();
}

fn end(pipeline: &mut Pipeline<Chirp>) -> MemoryDisk {
    pipeline.crash(0).unwrap();
    pipeline.left_disks()[0].clone()
}

#[test]
fn a_restart_after_kill_9_reads_only_the_tail() {
    let mut pipeline = history(400);
    let whole = restored(&Arc::new(pipeline.shared(None, settings()))).records();
    let disk = end(&mut pipeline);
    let shared = Arc::new(pipeline.shared(Some(disk), settings()));
    let copy = restored(&shared);
    // the tail, and the few records among which the one is that proves the topic
    assert!(copy.records() < 60, "{} of {whole} records were read again", copy.records());
    assert!(whole > 800, "{whole}");
    is_right(&pipeline, &copy);
    drop(copy);
    assert_eq!(restored(&shared).records() / 60, 0, "and so does the next");
}

#[test]
fn a_planned_end_leaves_nothing_to_read() {
    let mut pipeline = history(100);
    pipeline.leave(0);
    let disk = pipeline.left_disks()[0].clone();
    let copy = restored(&Arc::new(pipeline.shared(Some(disk), settings())));
    let proof = 30;
    assert!(copy.records() <= proof, "{}", copy.records());
    is_right(&pipeline, &copy);
}

#[test]
fn a_cache_of_next_to_nothing_makes_no_difference() {
    let mut pipeline = history(200);
    let disk = end(&mut pipeline);
    let tiny = ProcessorSettings { state_cache_bytes: 1, ..settings() };
    let shared = Arc::new(pipeline.shared(Some(disk), tiny));
    let mut copy = restored(&shared);
    is_right(&pipeline, &copy);
    // what no checkpoint has yet is in memory in any case
    pipeline.clock.pass(1_000_000);
    for _ in 0..3 {
        copy.follow(&shared, Duration::ZERO).unwrap();
    }
    is_right(&pipeline, &copy);
    assert_eq!(copy.state().aggregate_count(), 0, "nothing is kept beyond its bound");
}

/// The store is set aside once, and the copy is right all the same.
fn is_rebuilt(pipeline: &Pipeline<Chirp>, disk: &MemoryDisk, settings: ProcessorSettings) {
    let shared = Arc::new(pipeline.shared(Some(disk.clone()), settings));
    let copy = restored(&shared);
    assert_eq!(disk.set_aside_count(), 1);
    is_right(pipeline, &copy);
    drop(copy);
    drop(restored(&shared));
    assert_eq!(disk.set_aside_count(), 1, "the new one is trusted");
}

#[test]
fn a_store_that_is_too_old_is_rebuilt() {
    let mut pipeline = history(50);
    let disk = end(&mut pipeline);
    pipeline.clock.pass(72_001 * 1_000_000);
    is_rebuilt(&pipeline, &disk, settings());
}

#[test]
fn a_store_is_kept_young_while_nothing_happens() {
    let mut pipeline = history(50);
    for _ in 0..30 {
        pipeline.clock.pass(3_600 * 1_000_000);
        pipeline.settle();
    }
    let disk = end(&mut pipeline);
    let copy = restored(&Arc::new(pipeline.shared(Some(disk.clone()), settings())));
    assert_eq!(disk.set_aside_count(), 0);
    is_right(&pipeline, &copy);
}

#[test]
fn a_damaged_store_is_rebuilt() {
    let mut pipeline = history(50);
    let disk = end(&mut pipeline);
    disk.damage();
    is_rebuilt(&pipeline, &disk, settings());
}

#[test]
fn a_longer_window_is_read_from_the_topics() {
    let mut pipeline = history(50);
    let disk = end(&mut pipeline);
    is_rebuilt(&pipeline, &disk, ProcessorSettings { dedup_window_seconds: 7_200, ..settings() });
}

#[test]
fn a_store_of_another_number_of_partitions_is_rebuilt() {
    let mut pipeline = history(50);
    let disk = end(&mut pipeline);
    let grown = Shared { partitions: 2, ..pipeline.shared(Some(disk.clone()), settings()) };
    drop(restored(&Arc::new(grown)));
    assert_eq!(disk.set_aside_count(), 1);
}

#[test]
fn a_topic_whose_records_are_gone_since_is_not_guessed_at() {
    let mut pipeline = history(50);
    let disk = end(&mut pipeline);
    chirps(&pipeline, "ann", 50, 50);
    // one without the disk goes on, and retention takes what it wrote
    pipeline.take_disks();
    pipeline.start_processor();
    pipeline.settle();
    let outcomes = TopicPartition::new(Arc::clone(&pipeline.names().outcomes), 0);
    let shared = Arc::new(pipeline.shared(Some(disk.clone()), settings()));
    let newest = shared.log.high_watermark(&outcomes).unwrap();
    pipeline.log.forget_before(&outcomes, newest - 10).unwrap();
    drop(restored(&shared));
    assert_eq!(disk.set_aside_count(), 1);
}

/// The topics of a new pipeline: made anew under the same names, with other records in them.
#[test]
fn topics_that_were_made_anew_are_not_taken_for_the_old_ones() {
    // shorter than what the store has reached, and longer
    for count in [20, 300] {
        let mut old = history(100);
        let disk = end(&mut old);
        let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), settings());
        // not the same times: the topic was deleted and made anew later
        pipeline.clock.pass(60_000_000);
        pipeline.start_processor();
        let data = CommandData::RegisterUser(RegisterUser { user_id: "bob".into(), username: "bob".into() });
        pipeline.send(&Command { id: "other".into(), metadata: Metadata::default(), data });
        pipeline.settle();
        chirps(&pipeline, "bob", 1_000, count);
        pipeline.settle();
        is_rebuilt(&pipeline, &disk, settings());
        let id = AggregateId::new("User", &["ann"]);
        let copy = restored(&Arc::new(pipeline.shared(Some(disk), settings())));
        assert!(copy.state().get(&id).is_none(), "nothing is left of the old topic");
    }
}

#[test]
fn a_store_damaged_while_it_is_used_is_rebuilt_and_everything_is_answered() {
    let mut pipeline = history(50);
    let disk = pipeline.disk(0).unwrap().clone();
    disk.damage();
    chirps(&pipeline, "ann", 50, 50);
    // an id that only the disk knows
    let data = CommandData::RegisterUser(RegisterUser { user_id: "ann".into(), username: "ann".into() });
    pipeline.send(&Command { id: "register".into(), metadata: Metadata::default(), data });
    pipeline.settle();
    assert!(disk.set_aside_count() >= 1);
    let outcomes = pipeline.outcomes();
    assert_eq!(outcomes.len(), 102);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.duplicate).count(), 1);
    assert!(outcomes.iter().all(|outcome| outcome.violations.is_empty()), "{outcomes:?}");
}

#[test]
fn a_full_disk_stops_no_decision() {
    let mut pipeline = history(50);
    let disk = pipeline.disk(0).unwrap().clone();
    disk.refuse_writes(true);
    chirps(&pipeline, "ann", 50, 100);
    pipeline.settle();
    assert_eq!(pipeline.outcomes().len(), 151);
    let before = disk.writes();
    disk.refuse_writes(false);
    pipeline.clock.pass(1_000_000);
    pipeline.settle();
    assert!(disk.writes() > before, "it is tried again");
    let disk = end(&mut pipeline);
    let copy = restored(&Arc::new(pipeline.shared(Some(disk), settings())));
    assert!(copy.records() < 60, "{}", copy.records());
    is_right(&pipeline, &copy);
}

/// A processor that was replaced without knowing it must not take its successor's records for its
/// own: its checkpoint would say that it knows them.
#[test]
fn who_was_replaced_writes_no_checkpoint_over_the_records_of_another() {
    for steps in 0..60 {
        let mut pipeline = history(40);
        chirps(&pipeline, "ann", 40, 15);
        for _ in 0..steps {
            pipeline.turn(0, 0);
        }
        // it stands still for longer than its session lasts; another takes over and goes on
        pipeline.start_processor();
        pipeline.clock.pass(20_000_000);
        for _ in 0..400 {
            pipeline.turn(1, 0);
        }
        chirps(&pipeline, "ann", 100, 30);
        for _ in 0..400 {
            pipeline.turn(1, 0);
        }
        // and it wakes up, looks after its lane before it looks after its group, and dies
        pipeline.clock.pass(1_000_000);
        for _ in 0..30 {
            pipeline.lane(0, 0);
        }
        let disk = pipeline.disk(0).unwrap().clone();
        pipeline.crash(0);
        pipeline.settle();
        let copy = restored(&Arc::new(pipeline.shared(Some(disk.clone()), settings())));
        assert_eq!(disk.set_aside_count(), 0);
        is_right(&pipeline, &copy);
    }
}

#[test]
fn a_copy_takes_checkpoints_of_its_own() {
    let mut pipeline = history(100);
    pipeline.crash(0);
    let disk = MemoryDisk::new();
    let shared = Arc::new(pipeline.shared(Some(disk.clone()), settings()));
    let mut copy = restored(&shared);
    pipeline.clock.pass(1_000_000);
    for _ in 0..3 {
        copy.follow(&shared, Duration::ZERO).unwrap();
    }
    drop(copy);
    let copy = restored(&shared);
    assert!(copy.records() < 30, "{}", copy.records());
    is_right(&pipeline, &copy);
}

#[test]
fn the_window_on_disk_forgets_as_the_one_in_memory() {
    let duplicates = |has_disks: bool| {
        let small = ProcessorSettings { dedup_window_ids: 20, ..settings() };
        let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), small);
        if has_disks {
            pipeline.give_disks();
        }
        pipeline.start_processor();
        for round in 0..8 {
            let (user_id, username) = ("ann".to_owned(), "ann".to_owned());
            let data = CommandData::RegisterUser(RegisterUser {
                user_id: user_id.into(),
                username: username.into(),
            });
            pipeline.send(&Command { id: "register".into(), metadata: Metadata::default(), data });
            chirps(&pipeline, "ann", round * 12, 12);
            pipeline.settle();
            if round % 2 == 1 && has_disks {
                pipeline.kill(0);
                pipeline.settle();
            }
        }
        let of_register = pipeline.outcomes().into_iter().filter(|it| it.command_id == "register");
        of_register.map(|outcome| outcome.duplicate).collect::<Vec<_>>()
    };
    let in_memory = duplicates(false);
    assert!(in_memory[1..].contains(&true) && in_memory[1..].contains(&false), "{in_memory:?}");
    assert_eq!(duplicates(true), in_memory);
}
