//! A projector's lane, poll by poll: what it publishes, and where it stands still.

mod copies;
mod fan_outs;
mod kept;
mod stage;

use std::sync::atomic::Ordering;
use std::time::Duration;

use millrace_domain_chirp::Chirp;
use millrace_kernel::{Domain, Position};
use millrace_ports::{Log, ViewStore};
use millrace_runtime::progress::{PROGRESS, Progress, read_progress, wait_until};
use millrace_runtime::projector::{ProjectorFault, ProjectorLane};
use millrace_runtime::settings::ProjectorSettings;
use millrace_testkit::store::MemoryStore;
use millrace_wire::Registry;

use self::stage::{Cause, PROJECTION, Stage, assert_honest, empty_store, tables, written};

#[test]
fn a_command_counts_as_applied_only_with_all_its_events_however_polls_cut_them() {
    for batch in 1..=7 {
        let (stage, causes) = written();
        let mut lane = stage.lane(batch);
        for _ in 0..30 {
            lane.turn(Duration::ZERO).unwrap();
            assert_honest(&stage, &causes);
        }
        let end = stage.log.high_watermark(&stage.at()).unwrap();
        let progress = stage.progress();
        assert_eq!(
            (progress.commands_offset, progress.steps_offset, progress.events_offset),
            (9, 2, end),
            "in polls of {batch} all is published in the end"
        );
    }
}

#[test]
fn a_restart_amid_a_commands_events_publishes_it_no_sooner() {
    for taken in 1..=6 {
        let (stage, causes) = written();
        let mut lane = stage.lane(1);
        for _ in 0..=taken {
            lane.turn(Duration::ZERO).unwrap();
        }
        lane.finish().unwrap();
        let mut next = stage.lane(2);
        for _ in 0..30 {
            next.turn(Duration::ZERO).unwrap();
            assert_honest(&stage, &causes);
        }
        assert_eq!(stage.progress().commands_offset, 9);
        assert_eq!(stage.rows(), 6);
    }
}

#[test]
fn waiting_ends_when_the_last_row_is_there_and_not_before() {
    let (stage, _) = written();
    let mut lane = stage.lane(1);
    let position = Position { topic: "chirp.commands".into(), partition: 0, offset: 5, epoch: 0 };
    let reached =
        || wait_until(&*stage.store, PROJECTION, std::slice::from_ref(&position), Duration::ZERO).is_ok();
    while !reached() {
        assert!(stage.rows() < 6, "all rows are there, but nobody is told");
        lane.turn(Duration::ZERO).unwrap();
    }
    assert!(stage.rows() >= 3, "the command has three rows, of which {} are there", stage.rows());
}

#[test]
fn the_newest_progress_wins_in_whatever_order_it_arrives() {
    let mut published: Vec<Progress> = Vec::new();
    for batch in 1..=7 {
        let (stage, _) = written();
        let mut lane = stage.lane(batch);
        for _ in 0..30 {
            lane.turn(Duration::ZERO).unwrap();
            let progress = stage.progress();
            if progress.recorded_at > 0 && !published.contains(&progress) {
                published.push(progress);
            }
        }
    }
    assert!(published.len() >= 3, "the test has nothing to compare: {published:?}");
    for a in &published {
        for b in &published {
            let store = MemoryStore::new();
            store.create_tables(&tables()).and_then(|()| store.open_tables(&tables())).unwrap();
            store.apply(&[a.write()]).and_then(|()| store.apply(&[b.write()])).unwrap();
            let kept = read_progress(&store, PROJECTION).unwrap().remove(0);
            let newer = if a.events_offset >= b.events_offset { a } else { b };
            assert_eq!(&kept, newer, "of {a:?} and {b:?} in {PROGRESS}");
        }
    }
}

#[test]
fn events_copied_without_transactions_are_published_too() {
    let mut stage = Stage::new();
    let own = stage.codec.schema_id();
    stage.append(own);
    let mut lane = stage.lane(500);
    for _ in 0..5 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert_eq!((stage.progress().commands_offset, stage.progress().events_offset), (90, 1));
}

#[test]
fn an_event_that_cannot_be_read_holds_back_only_what_comes_after_it() {
    let (mut stage, _) = written();
    let mut lane = stage.lane(500);
    for _ in 0..5 {
        lane.turn(Duration::ZERO).unwrap();
    }
    // in one poll: a good event, a bad one, and a good one behind it
    stage.write(&[(Cause::Command(10), 1)]);
    let unknown_id = 77;
    let bad = stage.append(unknown_id);
    stage.write(&[(Cause::Command(91), 1)]);
    let mut faults = Vec::new();
    for _ in 0..10 {
        if let Err(fault) = lane.turn(Duration::ZERO) {
            faults.push(fault);
        }
    }
    assert_eq!(stage.rows(), 7, "what came before it is in the tables");
    assert!(faults.len() > 5, "it is said again and again");
    for fault in &faults {
        assert!(
            matches!(fault, ProjectorFault::Unreadable { at, offset, .. } if *at == stage.at() && *offset == bad),
            "{fault}"
        );
    }
    let progress = stage.progress();
    assert!(progress.commands_offset >= 9 && progress.events_offset <= bad, "{progress:?}");
    // the registry learns of the schema: an id may be given out later
    for n in 0.. {
        let other = format!("{}{}", Chirp::SCHEMAS.events, " ".repeat(n));
        if stage.registry.register("chirp.events-value", &other).unwrap() == unknown_id {
            break;
        }
    }
    for _ in 0..5 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert_eq!(stage.rows(), 9, "it goes on by itself");
    assert_eq!(stage.progress().commands_offset, 91);
    assert_eq!(stage.folds.load(Ordering::SeqCst), 9, "no event is folded twice");
}

#[test]
fn a_registry_that_is_away_holds_back_only_the_event_that_needs_it() {
    let (mut stage, _) = written();
    let other = format!("{} ", Chirp::SCHEMAS.events);
    let id = stage.registry.register("chirp.events-value", &other).unwrap();
    let waiting = stage.append(id);
    let mut lane = stage.lane(500);
    stage.registry.is_away.store(true, Ordering::SeqCst);
    let mut last = None;
    for _ in 0..5 {
        last = lane.turn(Duration::ZERO).err();
    }
    let fault = last.expect("the registry is away");
    assert!(matches!(fault, ProjectorFault::Schema { offset, .. } if offset == waiting), "{fault}");
    assert_eq!(stage.rows(), 6);
    stage.registry.is_away.store(false, Ordering::SeqCst);
    lane.turn(Duration::ZERO).unwrap();
    assert_eq!((stage.rows(), stage.folds.load(Ordering::SeqCst)), (7, 7));
}

#[test]
fn a_log_that_is_away_costs_no_fold() {
    use millrace_testkit::log::memory::{Faults, NoFaults, Operation, Verdict};
    struct Away;
    impl Faults for Away {
        fn before(&mut self, operation: &Operation<'_>) -> Verdict {
            if matches!(operation, Operation::PollReader) { Verdict::Refuse } else { Verdict::Proceed }
        }
    }
    let (mut stage, _) = written();
    let mut lane: Box<dyn millrace_runtime::supervise::LaneWork> = Box::new(stage.lane(500));
    for _ in 0..5 {
        assert!(lane.turn(Duration::ZERO).is_ok());
    }
    stage.log.inject(Box::new(Away));
    assert!(lane.turn(Duration::ZERO).is_err());
    stage.log.inject(Box::new(NoFaults));
    stage.write(&[(Cause::Command(91), 1)]);
    for _ in 0..5 {
        assert!(lane.turn(Duration::ZERO).is_ok());
    }
    assert_eq!((stage.rows(), stage.folds.load(Ordering::SeqCst)), (7, 7));
}

#[test]
fn a_group_that_lost_its_offset_applies_nothing_a_second_time() {
    let (stage, causes) = written();
    let mut lane = stage.lane(100);
    for _ in 0..6 {
        lane.turn(Duration::ZERO).unwrap();
    }
    lane.finish().unwrap();
    let (rows, progress) = (stage.rows(), stage.progress());
    assert_eq!(rows, causes.iter().map(|(_, count)| count).sum::<usize>());

    stage.log.forget_offsets("seen");
    let folds = stage.folds.load(Ordering::SeqCst);
    let mut lane = stage.lane(100);
    for _ in 0..6 {
        lane.turn(Duration::ZERO).unwrap();
    }
    let known = stage.group.committed(&[stage.at()]).unwrap();
    assert_eq!(known[&stage.at()], progress.events_offset, "the tables say where they stand");
    assert_eq!(stage.folds.load(Ordering::SeqCst) - folds, rows, "all is folded again, and nothing written");
    assert_eq!((stage.rows(), stage.progress()), (rows, progress));
}

#[test]
fn who_dies_right_after_its_first_rows_has_lost_no_offset() {
    let (stage, _) = written();
    let mut lane = stage.lane(100);
    for _ in 0..3 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert!(stage.progress().events_offset > 0, "it has published, and not committed behind that");
    drop(lane);
    let mut lane = stage.lane(100);
    for _ in 0..6 {
        lane.turn(Duration::ZERO).unwrap();
    }
}

/// As often as a lane needs to come to the end, or to a fault.
fn run(lane: &mut ProjectorLane<Chirp>) -> Result<(), ProjectorFault> {
    for _ in 0..12 {
        lane.turn(Duration::ZERO)?;
    }
    lane.finish()
}

#[test]
fn tables_that_lack_what_the_group_has_applied_get_nothing_until_the_right_ones_are_there() {
    let (mut stage, _) = written();
    let older = empty_store();
    run(&mut stage.lane_into(older.clone(), ProjectorSettings::default(), stage.seer())).unwrap();
    let held = read_progress(&*older, PROJECTION).unwrap().remove(0).events_offset;
    stage.log.forget_offsets("seen");
    stage.write(&[(Cause::Command(10), 2)]);
    stage.write(&[(Cause::Command(11), 1)]);
    run(&mut stage.lane(100)).unwrap();
    let end = stage.log.high_watermark(&stage.at()).unwrap();

    for (what, store, applied) in [("deleted", empty_store(), 0), ("an older copy", older, held)] {
        let before = store.rows("seen").len();
        for batch_max_events in [1, 2, 3, 100] {
            let settings = ProjectorSettings { batch_max_events, ..ProjectorSettings::default() };
            let mut lane = stage.lane_into(store.clone(), settings, stage.seer());
            for _ in 0..2 {
                let fault = (0..20).find_map(|_| lane.turn(Duration::ZERO).err()).expect(what);
                let ProjectorFault::TablesBehind { at, applied: found, committed, .. } = &fault else {
                    panic!("{what}: {fault}")
                };
                assert_eq!((at, *found, *committed), (&stage.at(), applied, end), "{what}");
            }
            assert!(lane.finish().is_ok());
            assert_eq!(store.rows("seen").len(), before, "{what}");
        }
        assert_eq!(stage.group.committed(&[stage.at()]).unwrap()[&stage.at()], end, "{what}");
    }
    stage.write(&[(Cause::Command(12), 1)]);
    run(&mut stage.lane(100)).unwrap();
    assert_eq!(stage.progress().commands_offset, 12);
}

#[test]
fn tables_of_events_that_the_log_does_not_have_get_nothing() {
    let (stage, _) = written();
    run(&mut stage.lane(100)).unwrap();
    let end = stage.log.high_watermark(&stage.at()).unwrap();
    let store = empty_store();
    store.apply(&[Progress { events_offset: 1_000, recorded_at: 1, ..stage.progress() }.write()]).unwrap();
    let mut lane = stage.lane_into(store.clone(), ProjectorSettings::default(), stage.seer());
    let fault = lane.turn(Duration::ZERO).unwrap_err();
    let ProjectorFault::EventsGone { applied, end: found, .. } = &fault else { panic!("{fault}") };
    assert_eq!((*applied, *found), (1_000, end));
    assert!(store.rows("seen").is_empty());
}

#[test]
fn what_rebuild_has_just_made_is_filled_from_the_first_event_whatever_a_group_of_that_name_has_applied() {
    let (stage, causes) = written();
    run(&mut stage.lane(100)).unwrap();
    let store = empty_store();
    run(&mut stage.lane_building(store.clone())).unwrap();
    assert_eq!(store.rows("seen").len(), causes.iter().map(|(_, count)| count).sum::<usize>());
    // another that helps goes on, and does not begin again
    let folded = stage.folds.load(Ordering::SeqCst);
    run(&mut stage.lane_building(store)).unwrap();
    assert_eq!(stage.folds.load(Ordering::SeqCst) - folded, 6);
}
