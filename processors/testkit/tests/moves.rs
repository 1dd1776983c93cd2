//! How partitions pass between members under supervision: nothing stands still while the next owner
//! warms up, and nobody writes after it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_ports::{
    Group, GroupSpec, LogFault, Outgoing, TopicPartition, Transaction, TransactionalWriter,
};
use millrace_runtime::health::{Health, LaneState};
use millrace_runtime::processor::lane::Turn;
use millrace_runtime::supervise::{LaneWork, Moves, Stop, Supervision, Trouble};
use millrace_testkit::log::memory::MemoryLog;

const TOPIC: &str = "work";
const PATIENCE: Duration = Duration::from_secs(20);

/// What a lane may do; shared with the test.
#[derive(Clone, Default)]
struct Gate {
    may_start: Arc<AtomicBool>,
    has_input: Arc<AtomicBool>,
    started: Arc<Mutex<BTreeSet<i32>>>,
}

/// Warms up for as long as the gate is shut, fences, and then writes its name over and over.
struct Scribe {
    name: &'static str,
    gate: Gate,
    group: Arc<dyn Group>,
    at: TopicPartition,
    writer: Option<Box<dyn TransactionalWriter>>,
    written: i64,
}

impl Scribe {
    fn step(&mut self) -> Result<Turn, LogFault> {
        let Some(writer) = &mut self.writer else {
            if !self.gate.may_start.load(Ordering::Acquire) {
                sleep(Duration::from_millis(1));
                return Ok(Turn::Idle);
            }
            let mut writer = self.group.writer(&format!("scribe.{}", self.at.partition))?;
            writer.fence()?;
            self.written =
                self.group.committed(std::slice::from_ref(&self.at))?.get(&self.at).copied().unwrap_or(0);
            self.writer = Some(writer);
            return Ok(Turn::Progress);
        };
        if !self.gate.has_input.load(Ordering::Acquire) {
            sleep(Duration::from_millis(1));
            return Ok(Turn::Idle);
        }
        let record = Outgoing {
            topic: self.at.topic.clone(),
            partition: self.at.partition,
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from(self.name)),
            timestamp_ms: 1,
            headers: Vec::new(),
        };
        let offsets = [(self.at.clone(), self.written + 1)].into();
        writer.submit(Transaction { records: vec![record], offsets })?;
        while !writer.settle(Duration::from_millis(10))? {}
        self.written += 1;
        Ok(Turn::Progress)
    }
}

impl LaneWork for Scribe {
    fn turn(&mut self, _: Duration) -> Result<Turn, Trouble> {
        self.step().map_err(|fault| {
            self.writer = None;
            Trouble {
                message: fault.to_string(),
                position: self.at.to_string(),
                next: String::new(),
                is_fenced: matches!(fault, LogFault::Fenced { .. }),
                kind: "log",
            }
        })
    }

    fn reset(&mut self) {
        self.writer = None;
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn position(&self) -> String {
        self.at.to_string()
    }

    fn describe(&self) -> (LaneState, String) {
        let state = if self.writer.is_some() { LaneState::Running } else { LaneState::Starting };
        (state, String::new())
    }

    fn done(&self) -> u64 {
        self.written as u64
    }

    fn has_caught_up(&self) -> bool {
        self.writer.is_some()
    }
}

/// A member under supervision in a thread of its own.
struct Instance {
    gate: Gate,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Instance {
    fn start(log: &MemoryLog, name: &'static str) -> Self {
        let (gate, stop, log) = (Gate::default(), Stop::new(), log.clone());
        gate.has_input.store(true, Ordering::Release);
        let (in_thread, until) = (gate.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let spec = GroupSpec {
                group_id: "scribes".to_owned(),
                topic: TOPIC.into(),
                session_timeout: Duration::from_secs(5),
            };
            let make = |group: Arc<dyn Group>, partition: i32| -> Box<dyn LaneWork> {
                in_thread.started.lock().unwrap().insert(partition);
                let at = TopicPartition::new(TOPIC, partition);
                Box::new(Scribe { name, gate: in_thread.clone(), group, at, writer: None, written: 0 })
            };
            Supervision {
                role: name,
                log: &log,
                spec: &spec,
                moves: Moves::ByFence,
                health: &Health::default(),
                stop: &until,
                make: &make,
                joined: &|_| {},
            }
            .run();
        });
        Self { gate, stop, thread }
    }

    fn open(&self) {
        self.gate.may_start.store(true, Ordering::Release);
    }

    fn has_started(&self, count: usize) -> bool {
        self.gate.started.lock().unwrap().len() == count
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(2));
    }
}

fn log() -> MemoryLog {
    let log = MemoryLog::new();
    log.create_topic(TOPIC, 2);
    log
}

fn written(log: &MemoryLog) -> [usize; 2] {
    let records = log.committed_records(TOPIC);
    [0, 1].map(|partition| records.iter().filter(|it| it.partition == partition).count())
}

/// Both partitions grow by a few records from now on.
fn both_grow(log: &MemoryLog) {
    let before = written(log);
    eventually("both partitions move on", || {
        written(log).iter().zip(before).all(|(now, before)| *now >= before + 5)
    });
}

/// In each partition nobody writes after somebody else has come.
fn assert_one_after_the_other(log: &MemoryLog, order: [&str; 2]) {
    for partition in 0..2 {
        let records = log.committed_records(TOPIC);
        let of = records.iter().filter(|it| it.partition == partition);
        let names: Vec<_> =
            of.map(|it| String::from_utf8_lossy(it.value.as_ref().unwrap()).into_owned()).collect();
        let first_of_second = names.iter().position(|it| it == order[1]).unwrap_or(names.len());
        assert!(names[..first_of_second].iter().all(|it| it == order[0]), "partition {partition}");
        assert!(names[first_of_second..].iter().all(|it| it == order[1]), "partition {partition}");
    }
}

#[test]
fn a_partition_is_worked_on_while_its_next_owner_warms_up() {
    let log = log();
    let first = Instance::start(&log, "first");
    first.open();
    both_grow(&log);
    let second = Instance::start(&log, "second");
    eventually("the second is dealt a partition", || second.has_started(1));
    both_grow(&log);
    second.open();
    let moved = *second.gate.started.lock().unwrap().first().unwrap();
    eventually("the second writes", || {
        log.committed_records(TOPIC).iter().any(|it| it.value.as_deref() == Some(b"second"))
    });
    both_grow(&log);
    assert_one_after_the_other(&log, ["first", "second"]);
    let kept: Vec<_> = log.committed_records(TOPIC).into_iter().filter(|it| it.partition != moved).collect();
    assert!(kept.iter().all(|it| it.value.as_deref() == Some(b"first")), "the other one stays");
    for instance in [second, first] {
        instance.stop.request();
        instance.thread.join().unwrap();
    }
}

#[test]
fn who_is_asked_to_stop_lets_the_others_in_first() {
    let log = log();
    let first = Instance::start(&log, "first");
    first.open();
    both_grow(&log);
    let second = Instance::start(&log, "second");
    eventually("the second is dealt a partition", || second.has_started(1));
    first.stop.request();
    eventually("the second is dealt both", || second.has_started(2));
    both_grow(&log);
    assert!(!first.thread.is_finished(), "it works until it is fenced off");
    second.open();
    eventually("the first has ended", || first.thread.is_finished());
    both_grow(&log);
    assert_one_after_the_other(&log, ["first", "second"]);
    second.stop.request();
    second.thread.join().unwrap();
}

#[test]
fn who_has_nothing_to_do_and_nobody_to_wait_for_ends_at_once() {
    let log = log();
    let first = Instance::start(&log, "first");
    first.open();
    both_grow(&log);
    let second = Instance::start(&log, "second");
    second.open();
    eventually("both have one", || second.has_started(1));
    both_grow(&log);
    for instance in [&first, &second] {
        instance.gate.has_input.store(false, Ordering::Release);
    }
    // neither the idle one with an heir nor the last one waits for its time to run out
    for instance in [first, second] {
        let asked = Instant::now();
        instance.stop.request();
        instance.thread.join().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(4), "it took {:?}", asked.elapsed());
    }
}

/// Never comes back from its first step, as from a database that is away.
struct Hanging;

impl LaneWork for Hanging {
    fn turn(&mut self, _: Duration) -> Result<Turn, Trouble> {
        sleep(3 * PATIENCE);
        Ok(Turn::Idle)
    }

    fn reset(&mut self) {}

    fn finish(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn describe(&self) -> (LaneState, String) {
        (LaneState::Running, String::new())
    }

    fn position(&self) -> String {
        String::new()
    }

    fn done(&self) -> u64 {
        0
    }

    fn has_caught_up(&self) -> bool {
        false
    }
}

#[test]
fn a_lane_that_hangs_does_not_keep_a_process_from_stopping() {
    let log = log();
    let (stop, has_lane) = (Stop::new(), Arc::new(AtomicBool::new(false)));
    let (until, given) = (stop.clone(), Arc::clone(&has_lane));
    let thread = std::thread::spawn(move || {
        let spec = GroupSpec {
            group_id: "hanging".to_owned(),
            topic: TOPIC.into(),
            session_timeout: Duration::from_secs(5),
        };
        let make = |_: Arc<dyn Group>, _: i32| -> Box<dyn LaneWork> {
            given.store(true, Ordering::Release);
            Box::new(Hanging)
        };
        Supervision {
            role: "hanging",
            log: &log,
            spec: &spec,
            moves: Moves::ByRelease,
            health: &Health::default(),
            stop: &until,
            make: &make,
            joined: &|_| {},
        }
        .run();
    });
    eventually("the lanes are at it", || has_lane.load(Ordering::Acquire));
    let asked = Instant::now();
    stop.request();
    eventually("it has stopped", || thread.is_finished());
    assert!(asked.elapsed() < Duration::from_secs(15));
}
