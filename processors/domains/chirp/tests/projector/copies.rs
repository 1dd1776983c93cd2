//! Copies of what a projector knows, on other instances: how far they follow, and what their heirs fold.

use std::sync::Arc;

use millrace_domain_chirp::Chirp;
use millrace_ports::Group;
use millrace_runtime::projector::{ProjectorLane, ProjectorShared};
use millrace_runtime::standby::Keeper;
use millrace_testkit::local::MemoryDisk;

use super::kept::{history, run};
use super::stage::{Cause, Stage};

type Shared = Arc<ProjectorShared<Chirp>>;

/// Another instance, with a disk of its own.
fn elsewhere(stage: &Stage) -> (Shared, Keeper<ProjectorShared<Chirp>>, MemoryDisk) {
    let disk = MemoryDisk::new();
    let shared = stage.shared_on(&disk, stage.counter(), "1", 1);
    (Arc::clone(&shared), Keeper::new(shared, 1), disk)
}

/// Lets the copy of the only partition follow until there is nothing more to be read; how many records it has read.
fn follow(keeper: &Keeper<ProjectorShared<Chirp>>, group: &dyn Group) -> u64 {
    let mut all = 0;
    let mut quiet = 0;
    while quiet < 5 {
        let Ok(Some((taken, records))) = keeper.follow(group, 0) else { return all };
        (all, quiet) = (records, if taken > 0 { 0 } else { quiet + 1 });
    }
    all
}

/// Ten events that their owner has applied and told the group of.
fn applied() -> Stage {
    let (stage, disk) = history();
    let mut owner = stage.counting_on(&disk);
    run(&mut owner);
    owner.finish().unwrap();
    stage.folded();
    stage
}

#[test]
fn an_heir_with_a_copy_folds_what_came_since_and_nothing_else() {
    let mut stage = applied();
    let (shared, keeper, _) = elsewhere(&stage);
    assert_eq!(follow(&keeper, &*stage.group), 10);
    assert_eq!(stage.folded(), 10);
    // the owner dies before it has written these
    stage.write(&[(Cause::Command(5), 3)]);
    follow(&keeper, &*stage.group);
    assert_eq!(stage.folded(), 0, "what has no rows yet is left to the heir");
    let mut heir = ProjectorLane::new(Arc::clone(&shared), Arc::clone(&stage.group), 0);
    run(&mut heir);
    assert_eq!(stage.folded(), 3);
    stage.is_right();
    assert_eq!(stage.progress().commands_offset, 5);
}

#[test]
fn while_a_lane_works_there_is_no_copy_and_afterwards_it_goes_on_from_the_lanes_disk() {
    let mut stage = applied();
    let (shared, keeper, _) = elsewhere(&stage);
    let group = Arc::clone(&stage.group);
    let mut lane = ProjectorLane::new(Arc::clone(&shared), Arc::clone(&group), 0);
    run(&mut lane);
    assert!(matches!(keeper.follow(&*group, 0), Ok(None)));
    lane.finish().unwrap();
    assert!(matches!(keeper.follow(&*group, 0), Ok(None)), "it may begin again");
    drop(lane);
    stage.folded();
    stage.write(&[(Cause::Command(5), 1)]);
    follow(&keeper, &*group);
    assert_eq!(stage.folded(), 0);
    assert_eq!(shared.copies.standing(), [0]);
}

#[test]
fn a_copy_on_a_damaged_disk_is_set_aside_and_begun_again() {
    let stage = applied();
    let (shared, keeper, disk) = elsewhere(&stage);
    follow(&keeper, &*stage.group);
    drop(shared.copies.take(0));
    shared.copies.vacate(0);
    stage.folded();
    disk.damage();
    follow(&keeper, &*stage.group);
    follow(&keeper, &*stage.group);
    assert_eq!((stage.folded(), disk.set_aside_count()), (10, 1));
    assert_eq!(shared.copies.standing(), [0]);
}

#[test]
fn a_copy_of_tables_that_rebuild_has_just_made_believes_no_group_of_the_tables_before() {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(0), 3)]);
    stage.group.commit(&[(stage.at(), 3)].into()).unwrap();
    let mut shared = stage.shared_on(&MemoryDisk::new(), stage.counter(), "1", 1);
    Arc::get_mut(&mut shared).unwrap().is_building = true;
    let keeper = Keeper::new(Arc::clone(&shared), 1);
    follow(&keeper, &*stage.group);
    assert_eq!(stage.folded(), 0);
    let mut lane = ProjectorLane::new(shared, Arc::clone(&stage.group), 0);
    run(&mut lane);
    stage.is_right();
}

#[test]
fn a_copy_of_tables_that_nobody_has_filled_waits() {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(0), 3)]);
    let (shared, keeper, _) = elsewhere(&stage);
    assert_eq!(follow(&keeper, &*stage.group), 0);
    assert!(stage.group.committed(&[stage.at()]).unwrap().is_empty(), "nothing is said for the owner");
    let mut lane = ProjectorLane::new(shared, Arc::clone(&stage.group), 0);
    run(&mut lane);
    stage.is_right();
}
