//! A group member and its lanes: a thread for each partition that is ours, for as long as
//! it is ours.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_ports::{Group, GroupEvent, GroupSpec, Log, LogFault};

use crate::health::{Health, LaneState, ROLE_ITSELF};
use crate::processor::lane::Turn;

/// How long a lane waits for input before it looks whether it should stop.
const INPUT_WAIT: Duration = Duration::from_millis(100);
/// How long membership waits for news before it looks whether it should stop.
const MEMBERSHIP_WAIT: Duration = Duration::from_millis(100);
/// First and longest pause after a fault.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Pause after another instance has taken the partition: longer than the group needs to say
/// so. Beginning again at once would fence off the new owner.
const FENCED_PAUSE: Duration = Duration::from_secs(5);
/// How often a busy lane says what it does.
const DESCRIBE_EVERY: Duration = Duration::from_millis(100);
/// How often a fault that stays is said again.
const REPEAT_WARNING: Duration = Duration::from_secs(10);

/// Asks everything that holds a clone of it to end.
#[derive(Clone, Default)]
pub struct Stop {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks.
    pub fn request(&self) {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.inner.1.notify_all();
    }

    /// Whether somebody has asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `time`, less if somebody asks; whether somebody has.
    pub fn wait(&self, time: Duration) -> bool {
        let stopped = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .inner
            .1
            .wait_timeout_while(stopped, time, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        *stopped
    }
}

/// What is in the way of a lane.
pub struct Trouble {
    /// What happened, with its causes.
    pub message: String,
    /// Whether another instance owns the partition now.
    pub is_fenced: bool,
}

/// A partition's work, one step at a time.
pub trait LaneWork: Send {
    /// One step; after trouble the next one goes on or begins again, as the work needs.
    ///
    /// # Errors
    /// What is in the way.
    fn turn(&mut self, wait: Duration) -> Result<Turn, Trouble>;

    /// Drops everything that is not committed; the next step begins again.
    fn reset(&mut self);

    /// Ends what is under way, for a planned move.
    ///
    /// # Errors
    /// What is in the way; then the next owner repeats some work.
    fn finish(&mut self) -> Result<(), Trouble>;

    /// How it is and what it does.
    fn describe(&self) -> (LaneState, String);
}

/// Pauses that grow while a fault stays, and warnings that do not flood the log.
struct Patience {
    pause: Duration,
    said_at: Option<Instant>,
}

impl Patience {
    fn new() -> Self {
        Self { pause: PAUSE.0, said_at: None }
    }

    /// The next pause, and whether the fault should be said (again).
    fn next(&mut self) -> (Duration, bool) {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE.1);
        let say = self.said_at.is_none_or(|at| at.elapsed() >= REPEAT_WARNING);
        if say {
            self.said_at = Some(Instant::now());
        }
        (pause, say)
    }
}

/// Tries `attempt` until it succeeds, loudly; `None` when asked to stop meanwhile.
///
/// # Errors
/// What `attempt` calls final.
pub fn persist<T, E: std::fmt::Display>(
    what: &str,
    stop: &Stop,
    mut attempt: impl FnMut() -> Result<T, E>,
    is_final: impl Fn(&E) -> bool,
) -> Result<Option<T>, E> {
    let mut patience = Patience::new();
    loop {
        match attempt() {
            Ok(value) => return Ok(Some(value)),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                let (pause, say) = patience.next();
                if say {
                    tracing::warn!("{what}: {error}; trying again until it works");
                }
                if stop.wait(pause) {
                    return Ok(None);
                }
            }
        }
    }
}

struct Worker {
    stop: Arc<AtomicBool>,
    /// Whether to end in good order rather than drop everything.
    finish: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Joins the group of `spec` and works on the partitions it deals out until `stop`.
pub fn supervise(
    role: &str,
    log: &dyn Log,
    spec: &GroupSpec,
    health: &Health,
    stop: &Stop,
    make: &dyn Fn(Arc<dyn Group>, i32) -> Box<dyn LaneWork>,
) {
    health.set(role, ROLE_ITSELF, LaneState::Starting, "joining its group");
    let joined = persist(role, stop, || log.join(spec), |_: &LogFault| false);
    let Ok(Some(group)) = joined else { return };
    let group: Arc<dyn Group> = Arc::from(group);
    let mut workers: BTreeMap<i32, Worker> = BTreeMap::new();
    let mut patience = Patience::new();
    while !stop.is_requested() {
        let event = match group.poll(MEMBERSHIP_WAIT) {
            Ok(event) => {
                patience = Patience::new();
                event
            }
            Err(fault) => {
                let (pause, say) = patience.next();
                health.set(role, ROLE_ITSELF, LaneState::Faulted, fault.to_string());
                if say {
                    tracing::warn!(role, "group membership: {fault}; trying again until it works");
                }
                stop.wait(pause);
                continue;
            }
        };
        match event {
            None => {}
            Some(GroupEvent::Assigned(partitions)) => {
                tracing::info!(role, ?partitions, "partitions assigned");
                health.set(role, ROLE_ITSELF, LaneState::Running, "member of its group");
                for partition in partitions {
                    let lane = make(Arc::clone(&group), partition);
                    workers.insert(partition, start(role, partition, lane, health));
                }
            }
            Some(GroupEvent::Revoked(partitions)) => {
                tracing::info!(role, ?partitions, "partitions are moving to another instance");
                end(role, &mut workers, &partitions, true, health);
                if let Err(fault) = group.release(&partitions) {
                    tracing::warn!(role, ?partitions, "releasing partitions: {fault}");
                }
            }
            Some(GroupEvent::Lost(partitions)) => {
                tracing::warn!(
                    role,
                    ?partitions,
                    "partitions lost to another instance; what was not committed is dropped"
                );
                end(role, &mut workers, &partitions, false, health);
                if let Err(fault) = group.release(&partitions) {
                    tracing::warn!(role, ?partitions, "releasing partitions: {fault}");
                }
            }
        }
    }
    let all: Vec<i32> = workers.keys().copied().collect();
    end(role, &mut workers, &all, true, health);
    health.remove(role, ROLE_ITSELF);
    group.leave();
}

fn start(role: &str, partition: i32, mut lane: Box<dyn LaneWork>, health: &Health) -> Worker {
    let stop = Arc::new(AtomicBool::new(false));
    let finish = Arc::new(AtomicBool::new(true));
    let (stopped, in_order) = (Arc::clone(&stop), Arc::clone(&finish));
    let (role, health) = (role.to_owned(), health.clone());
    health.set(&role, partition, LaneState::Starting, "starting");
    let thread = std::thread::Builder::new()
        .name(format!("{role}.{partition}"))
        .spawn(move || {
            work(&role, partition, &mut *lane, &stopped, &health);
            if in_order.load(Ordering::Acquire)
                && let Err(trouble) = lane.finish()
            {
                tracing::warn!(role, partition, "ending the lane: {}", trouble.message);
            }
        })
        .expect("the system has room for a thread");
    Worker { stop, finish, thread }
}

fn work(role: &str, partition: i32, lane: &mut dyn LaneWork, stop: &AtomicBool, health: &Health) {
    let mut patience = Patience::new();
    let mut described = None;
    let mut looked_at = Instant::now();
    while !stop.load(Ordering::Acquire) {
        match guarded_turn(lane) {
            Ok(turn) => {
                patience = Patience::new();
                // looking at the whole lane costs more than a small step of it
                if turn == Turn::Idle || described.is_none() || looked_at.elapsed() >= DESCRIBE_EVERY {
                    looked_at = Instant::now();
                    let now = lane.describe();
                    if described.as_ref() != Some(&now) {
                        health.set(role, partition, now.0, now.1.clone());
                        described = Some(now);
                    }
                }
            }
            Err(trouble) => {
                described = None;
                let (pause, say) = patience.next();
                health.set(role, partition, LaneState::Faulted, trouble.message.clone());
                if say && !trouble.is_fenced {
                    tracing::warn!(role, partition, "{}; trying again until it works", trouble.message);
                }
                let until = Instant::now() + if trouble.is_fenced { FENCED_PAUSE } else { pause };
                while Instant::now() < until && !stop.load(Ordering::Acquire) {
                    std::thread::park_timeout(
                        until.saturating_duration_since(Instant::now()).min(INPUT_WAIT),
                    );
                }
            }
        }
    }
}

/// One step; a panic is a bug, and a fault like any other to those who wait for the partition.
fn guarded_turn(lane: &mut dyn LaneWork) -> Result<Turn, Trouble> {
    catch_unwind(AssertUnwindSafe(|| lane.turn(INPUT_WAIT))).unwrap_or_else(|_| {
        lane.reset();
        let message = "a panic, which is a bug; see the lines above it".to_owned();
        Err(Trouble { message, is_fenced: false })
    })
}

fn end(role: &str, workers: &mut BTreeMap<i32, Worker>, partitions: &[i32], in_order: bool, health: &Health) {
    let leaving: Vec<(i32, Worker)> =
        partitions.iter().filter_map(|partition| workers.remove_entry(partition)).collect();
    for (_, worker) in &leaving {
        worker.finish.store(in_order, Ordering::Release);
        worker.stop.store(true, Ordering::Release);
        worker.thread.thread().unpark();
    }
    for (partition, worker) in leaving {
        if worker.thread.join().is_err() {
            tracing::error!(
                role,
                partition,
                "a lane ended by a panic, which is a bug; its partition is restored from the topics"
            );
        }
        health.remove(role, partition);
    }
}
