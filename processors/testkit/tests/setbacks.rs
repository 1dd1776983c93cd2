//! A lane that meets the same fault again and again, each time after steps that go well: it tries less and less often,
//! and shows what is in its way until it has got further.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use millrace_ports::{Group, GroupSpec};
use millrace_runtime::health::{Health, HealthReport, LaneReport, LaneState};
use millrace_runtime::processor::lane::Turn;
use millrace_runtime::supervise::{LaneWork, Moves, Stop, Supervision, Trouble};
use millrace_testkit::log::memory::MemoryLog;

const TOPIC: &str = "work";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a lane meets; shared with the test.
#[derive(Clone, Default)]
struct Course {
    /// Whether its third step fails, after two that restored.
    is_blocked: Arc<AtomicBool>,
    /// What it commits.
    done: Arc<AtomicU64>,
    /// Whether its input ends where it stands.
    is_at_end: Arc<AtomicBool>,
    faults: Arc<Mutex<Vec<Instant>>>,
}

/// Restores with two steps that go well, and meets what is in the way with the third.
struct Climber {
    course: Course,
    height: u32,
}

impl LaneWork for Climber {
    fn turn(&mut self, _: Duration) -> Result<Turn, Trouble> {
        sleep(Duration::from_millis(1));
        self.height += 1;
        if self.height < 3 {
            return Ok(Turn::Progress);
        }
        if !self.course.is_blocked.load(Ordering::Acquire) {
            return Ok(Turn::Idle);
        }
        self.height = 0;
        self.course.faults.lock().unwrap().push(Instant::now());
        Err(Trouble {
            message: "the way is blocked".to_owned(),
            position: "the third step".to_owned(),
            next: "it is tried again".to_owned(),
            is_fenced: false,
            kind: "log",
        })
    }

    fn reset(&mut self) {
        self.height = 0;
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn position(&self) -> String {
        self.height.to_string()
    }

    fn describe(&self) -> (LaneState, String) {
        match self.height {
            0..3 => (LaneState::Starting, "restoring".to_owned()),
            _ => (LaneState::Running, "deciding".to_owned()),
        }
    }

    fn done(&self) -> u64 {
        self.course.done.load(Ordering::Acquire)
    }

    fn has_caught_up(&self) -> bool {
        self.height >= 3 && self.course.is_at_end.load(Ordering::Acquire)
    }
}

/// A supervised role with one lane on a course.
struct Role {
    course: Course,
    health: Health,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Role {
    fn on(course: Course) -> Self {
        let log = MemoryLog::new();
        log.create_topic(TOPIC, 1);
        let (health, stop) = (Health::default(), Stop::new());
        let (of_lane, reported, until) = (course.clone(), health.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let spec = GroupSpec {
                group_id: "climbers".to_owned(),
                topic: TOPIC.into(),
                session_timeout: Duration::from_secs(5),
            };
            let make = |_: Arc<dyn Group>, _: i32| -> Box<dyn LaneWork> {
                Box::new(Climber { course: of_lane.clone(), height: 0 })
            };
            Supervision {
                role: "climber",
                log: &log,
                spec: &spec,
                moves: Moves::ByFence,
                health: &reported,
                stop: &until,
                make: &make,
                joined: &|_| {},
            }
            .run();
        });
        Self { course, health, stop, thread: Some(thread) }
    }

    fn faults(&self) -> usize {
        self.course.faults.lock().unwrap().len()
    }

    fn lane(&self) -> Option<LaneReport> {
        self.report().lanes.into_iter().find(|it| it.partition == 0)
    }

    fn report(&self) -> HealthReport {
        self.health.report()
    }

    /// Waits until it is so; what health says meanwhile goes to `looks`.
    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool, mut looks: impl FnMut(&HealthReport)) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "not in time: {what}; {:?}", self.report());
            looks(&self.report());
            sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.stop.request();
        self.thread.take().map(JoinHandle::join);
    }
}

fn blocked() -> Role {
    let course = Course::default();
    course.is_blocked.store(true, Ordering::Release);
    Role::on(course)
}

#[test]
fn a_fault_that_returns_after_steps_that_go_well_is_met_less_and_less_often() {
    let role = blocked();
    role.until("it has failed six times", || role.faults() >= 6, |_| {});
    let met = role.course.faults.lock().unwrap().clone();
    let pauses: Vec<_> = met.windows(2).map(|two| two[1] - two[0]).collect();
    let least = [50, 100, 200, 400, 800].map(Duration::from_millis);
    assert!(pauses.iter().zip(least).all(|(pause, least)| *pause >= least), "{pauses:?}");
}

#[test]
fn a_fault_that_returns_is_shown_until_the_lane_has_got_further() {
    let role = blocked();
    role.until("it has failed twice", || role.faults() >= 2, |_| {});
    let before = role.faults();
    role.until("health knows", || !role.report().healthy, |_| {});
    role.until(
        "it has failed three times more",
        || role.faults() >= before + 3,
        |report| assert!(!report.healthy && !report.ready, "{report:?}"),
    );
    let lane = role.lane().unwrap();
    assert_eq!(lane.state, LaneState::Faulted);
    assert!(lane.since_seconds >= 0.3, "since the fault is there, not since it came last: {lane:?}");
    assert!(lane.detail.contains("the way is blocked") && lane.next == "it is tried again", "{lane:?}");

    // nothing is in the way any more, and the first that it does for good says so
    role.course.is_blocked.store(false, Ordering::Release);
    role.until(
        "it stands where it met the fault",
        || role.lane().is_some_and(|it| it.detail.contains("deciding")),
        |report| assert!(!report.healthy, "{report:?}"),
    );
    assert!(!role.report().healthy, "to be where it was proves nothing");
    role.course.done.fetch_add(1, Ordering::AcqRel);
    role.until("it is well", || role.report().ready && role.report().healthy, |_| {});
    assert!(role.lane().unwrap().next.is_empty());
}

#[test]
fn who_has_nothing_left_to_do_is_well_again() {
    let role = blocked();
    role.until("it has failed three times", || role.faults() >= 3, |_| {});
    role.course.is_blocked.store(false, Ordering::Release);
    role.course.is_at_end.store(true, Ordering::Release);
    role.until("it is well", || role.report().ready, |_| {});
    // the next fault is a new one
    role.course.faults.lock().unwrap().clear();
    role.course.is_blocked.store(true, Ordering::Release);
    role.until("it has failed twice", || role.faults() >= 2, |_| {});
    let met = role.course.faults.lock().unwrap().clone();
    assert!(met[1] - met[0] < Duration::from_secs(1), "{met:?}");
}
