//! What a projector knows by key, on a disk: where it begins again, and what becomes of a disk that cannot be trusted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_domain_chirp::{Chirp, EventData};
use millrace_kernel::{
    Event, FanOut, Keeps, KeyedProjector, Known, Put, Rows, StagedProjector, Value, Write, Writes, keyed,
    stateless,
};
use millrace_ports::{Log, ViewStore};
use millrace_runtime::progress::Progress;
use millrace_runtime::projector::{MakeProjector, ProjectorLane};
use millrace_testkit::local::MemoryDisk;

use super::stage::{Cause, PROJECTION, Stage, empty_store};

/// Counts the events of each aggregate; a row says which event it is of, and how many were counted.
struct Counter(Arc<AtomicUsize>);

impl KeyedProjector<EventData> for Counter {
    type State = i64;

    fn key<'e>(&self, event: &'e Event<EventData>) -> Option<&'e str> {
        Some(&event.aggregate_id)
    }

    fn evolve(&self, count: Option<i64>, _: &Event<EventData>) -> Option<i64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Some(count.unwrap_or(0) + 1)
    }

    fn apply(&self, count: &i64, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let row = format!("{}:{count}", event.version);
        let values = vec![Value::from("all"), Value::from(row.as_str())];
        rows.push(Write::Put(Put { table: "seen", values, timestamp: event.recorded_at }));
    }
}

impl Stage {
    pub(super) fn counter(&self) -> MakeProjector<EventData> {
        let folds = Arc::clone(&self.folds);
        Box::new(move |_| keyed(Counter(Arc::clone(&folds))))
    }

    pub(super) fn counting_on(&self, disk: &MemoryDisk) -> ProjectorLane<Chirp> {
        self.lane_on(disk, self.counter(), "1")
    }

    /// How many events were folded since the last call.
    pub(super) fn folded(&self) -> usize {
        self.folds.swap(0, Ordering::SeqCst)
    }

    /// Every event has one row, which counts all events before it.
    pub(super) fn is_right(&self) {
        let mut counts: Vec<(i64, i64)> = Vec::new();
        for row in self.store.rows("seen") {
            let Value::Text(row) = &row[1] else { panic!("{row:?}") };
            let (version, count) = row.split_once(':').unwrap();
            counts.push((version.parse().unwrap(), count.parse().unwrap()));
        }
        counts.sort_unstable();
        let expected: Vec<(i64, i64)> = (1..=self.sent).map(|n| (n, n)).collect();
        assert_eq!(counts, expected);
    }
}

pub(super) fn run(lane: &mut ProjectorLane<Chirp>) {
    for _ in 0..30 {
        // a store that is given up is opened anew with the next turn
        drop(lane.turn(Duration::ZERO));
    }
    assert!(lane.has_caught_up());
}

/// Ten events applied and kept, by a lane that then died.
pub(super) fn history() -> (Stage, MemoryDisk) {
    let (mut stage, disk) = (Stage::new(), MemoryDisk::new());
    for cause in 0..5 {
        stage.write(&[(Cause::Command(cause), 2)]);
    }
    let mut lane = stage.counting_on(&disk);
    run(&mut lane);
    assert_eq!(stage.folded(), 10);
    stage.is_right();
    drop(lane);
    (stage, disk)
}

#[test]
fn a_restart_folds_nothing_again() {
    let (mut stage, disk) = history();
    stage.write(&[(Cause::Command(5), 3)]);
    let mut lane = stage.counting_on(&disk);
    run(&mut lane);
    assert_eq!(stage.folded(), 3, "what came since");
    stage.is_right();
    lane.finish().unwrap();
    run(&mut stage.counting_on(&disk));
    assert_eq!(stage.folded(), 0);
    assert_eq!((stage.progress().commands_offset, disk.set_aside_count()), (5, 0));
}

#[test]
fn the_last_command_counts_as_applied_though_its_end_is_read_after_a_restart() {
    let (mut stage, disk) = (Stage::new(), MemoryDisk::new());
    stage.write(&[(Cause::Command(7), 2)]);
    let mut lane = stage.counting_on(&disk);
    // to the first time that something is kept, wherever that is
    while disk.writes() == 0 {
        lane.turn(Duration::ZERO).unwrap();
    }
    drop(lane);
    run(&mut stage.counting_on(&disk));
    assert_eq!(stage.progress().commands_offset, 7);
    stage.is_right();
}

#[test]
fn what_a_loss_of_power_took_is_folded_without_writing() {
    for lost in 1..=3 {
        let (mut stage, disk) = history();
        disk.lose_power(lost);
        stage.write(&[(Cause::Command(5), 1)]);
        run(&mut stage.counting_on(&disk));
        let folded = stage.folded();
        assert!((2..=10).contains(&folded), "{lost} writes lost: {folded} events folded");
        stage.is_right();
    }
}

#[test]
fn what_cannot_be_trusted_is_set_aside_and_folded_again() {
    type Fate = (&'static str, fn(&MemoryDisk), &'static str, usize);
    let fates: [Fate; 3] = [
        ("damaged", |disk| disk.damage(), "1", 1),
        ("lost", |disk| disk.wipe(), "1", 0),
        ("of another revision", |_| {}, "2", 1),
    ];
    for (fate, befall, revision, set_aside) in fates {
        let (mut stage, disk) = history();
        befall(&disk);
        stage.write(&[(Cause::Command(5), 1)]);
        run(&mut stage.lane_on(&disk, stage.counter(), revision));
        assert_eq!((stage.folded(), disk.set_aside_count()), (11, set_aside), "{fate}");
        stage.is_right();
        run(&mut stage.lane_on(&disk, stage.counter(), revision));
        assert_eq!(stage.folded(), 0, "{fate}: and is kept again");
    }
}

#[test]
fn a_disk_that_is_damaged_while_it_is_used_stops_nothing() {
    let (mut stage, disk) = history();
    let mut lane = stage.counting_on(&disk);
    run(&mut lane);
    disk.damage();
    stage.write(&[(Cause::Command(5), 2)]);
    run(&mut lane);
    stage.is_right();
    assert_eq!(disk.set_aside_count(), 1);
}

/// Counts all events by key, and has each written in turns.
struct InTurns;

impl StagedProjector<EventData> for InTurns {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let count = known.get(b"count").map_or(0, |bytes| i64::from_be_bytes(bytes.try_into().unwrap())) + 1;
        known.put(b"count", count.to_be_bytes().to_vec());
        let row = format!("{}:{count}", event.version);
        let values = vec![Value::from("all"), Value::from(row.as_str())];
        writes.push(Write::Put(Put { table: "seen", values, timestamp: event.recorded_at }));
        writes.fan_out(FanOut(event.version as u64));
    }
}

#[test]
fn no_row_is_made_of_what_could_not_be_read() {
    let (mut stage, disk) = (Stage::new(), MemoryDisk::new());
    stage.write(&[(Cause::Command(0), 4)]);
    let lane = |changes| stage.lane_keeping(&disk, Box::new(|_| Box::new(InTurns)), "1", changes);
    run(&mut lane(1));
    stage.is_right();
    // nothing is due to be kept, so nothing but the fault holds rows back
    let mut lane = lane(1_000);
    run(&mut lane);
    disk.damage();
    stage.write(&[(Cause::Command(1), 3)]);
    run(&mut lane);
    assert_eq!(disk.set_aside_count(), 1);
    stage.is_right();
}

#[test]
fn a_full_disk_delays_a_restart_and_nothing_else() {
    let (mut stage, disk) = history();
    disk.refuse_writes(true);
    let mut lane = stage.counting_on(&disk);
    for cause in 5..8 {
        stage.write(&[(Cause::Command(cause), 2)]);
        run(&mut lane);
        stage.is_right();
    }
    assert_eq!(stage.folded(), 6);
    drop(lane);
    run(&mut stage.counting_on(&disk));
    assert_eq!(stage.folded(), 6, "what was not kept is folded once more");
    disk.refuse_writes(false);
    run(&mut stage.counting_on(&disk));
    stage.folded();
    run(&mut stage.counting_on(&disk));
    assert_eq!(stage.folded(), 0, "and kept once there is room");
}

#[test]
fn what_is_ahead_of_the_tables_is_not_believed() {
    let (mut stage, disk) = history();
    // other tables, and a group that is told nothing of them
    stage.store = empty_store();
    stage.log.forget_offsets("seen");
    run(&mut stage.counting_on(&disk));
    assert_eq!((stage.folded(), disk.set_aside_count()), (10, 1));
    stage.is_right();
}

#[test]
fn what_is_of_another_topic_of_that_name_is_not_believed() {
    let (old, disk) = history();
    let mut stage = Stage::new();
    stage.sent = 100;
    for cause in 0..9 {
        stage.write(&[(Cause::Step(cause), 1), (Cause::Command(cause), 1)]);
    }
    stage.store = Arc::clone(&old.store);
    run(&mut stage.counting_on(&disk));
    assert_eq!(disk.set_aside_count(), 1);
}

/// An event that nobody can read stands before what the group has applied.
#[test]
fn who_keeps_nothing_reads_nothing_again() {
    struct Seen;
    impl millrace_kernel::Projector<EventData> for Seen {
        fn apply(&self, event: &Event<EventData>, rows: &mut Rows<'_>) {
            let row = format!("{0}:{0}", event.version);
            let values = vec![Value::from("all"), Value::from(row.as_str())];
            rows.push(Write::Put(Put { table: "seen", values, timestamp: event.recorded_at }));
        }
    }
    let mut stage = Stage::new();
    stage.append(4_711);
    stage.sent = 0;
    stage.group.commit(&[(stage.at(), 1)].into()).unwrap();
    let progress = Progress { events_offset: 1, recorded_at: 1, ..Progress::none(PROJECTION, 0) };
    stage.store.apply(&[progress.write()]).unwrap();
    stage.write(&[(Cause::Command(3), 2)]);
    let mut folding = stage.lane(100);
    assert!((0..3).any(|_| folding.turn(Duration::ZERO).is_err()), "who folds all cannot");
    drop(folding);
    let settings = millrace_runtime::ProjectorSettings::default();
    let mut lane = stage.lane_of(settings, Box::new(|_| stateless(Seen)));
    run(&mut lane);
    stage.is_right();
    assert_eq!(stage.progress().commands_offset, 3);
    lane.finish().unwrap();
    // and goes on where it was, also for those who wait
    let end = stage.log.high_watermark(&stage.at()).unwrap();
    stage.write(&[(Cause::Command(4), 1)]);
    let mut lane =
        stage.lane_of(millrace_runtime::ProjectorSettings::default(), Box::new(|_| stateless(Seen)));
    run(&mut lane);
    stage.is_right();
    assert!(stage.progress().commands_offset == 4 && stage.progress().events_offset > end);
}
