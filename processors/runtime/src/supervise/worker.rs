//! The thread of one lane.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::setback::Setback;
use super::{LaneWork, Trouble};
use crate::advice::OF_A_PANIC;
use crate::health::{Health, LaneState};
use crate::processor::lane::Turn;

/// How long a lane waits for input before it looks whether it should stop.
const INPUT_WAIT: Duration = Duration::from_millis(100);
/// Pause after another instance has taken the partition: longer than the group needs to say
/// so. Beginning again at once would fence off the new owner.
const FENCED_PAUSE: Duration = Duration::from_secs(5);
/// How often a busy lane says what it does.
const DESCRIBE_EVERY: Duration = Duration::from_millis(100);
/// A lane that has retired and finds nothing to do for so long ends without waiting for a fence.
const IDLE_ENOUGH: Duration = Duration::from_millis(300);

/// What a lane is asked to do. Later ones never go back to earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Order {
    /// Work.
    Work,
    /// Work until the next owner has fenced it off; begin nothing anew.
    Linger,
    /// As `Linger`, and end when there is nothing to do.
    Retire,
    /// Finish what is under way.
    Finish,
    /// Drop everything.
    Drop,
}

impl Order {
    fn of(number: u8) -> Self {
        [Self::Work, Self::Linger, Self::Retire, Self::Finish][..]
            .get(usize::from(number))
            .copied()
            .unwrap_or(Self::Drop)
    }
}

/// A lane at work.
pub(super) struct Worker {
    order: Arc<AtomicU8>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread of a lane.
    pub(super) fn start(role: &str, partition: i32, mut lane: Box<dyn LaneWork>, health: &Health) -> Self {
        let order = Arc::new(AtomicU8::new(Order::Work as u8));
        let (given, role, health) = (Arc::clone(&order), role.to_owned(), health.clone());
        health.set(&role, partition, LaneState::Starting, "starting");
        let thread = std::thread::Builder::new()
            .name(format!("{role}.{partition}"))
            .spawn(move || {
                work(&role, partition, &mut *lane, &given, &health);
                if Order::of(given.load(Ordering::Acquire)) != Order::Drop
                    && let Err(trouble) = lane.finish()
                {
                    tracing::warn!(
                        role,
                        partition,
                        "ending the lane: {}; its next owner repeats what was not committed",
                        trouble.message
                    );
                }
            })
            .expect("the system has room for a thread");
        Self { order, thread }
    }

    /// Gives an order, unless a later one was given already.
    pub(super) fn order(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.thread.thread().unpark();
    }

    /// Whether the thread has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end.
    pub(super) fn join(self, role: &str, partition: i32) {
        if self.thread.join().is_err() {
            tracing::error!(
                role,
                partition,
                "a lane ended by a panic, which is a bug; its next owner restores the partition from the topics. \
                 Report it with the lines before this one"
            );
        }
    }
}

fn work(role: &str, partition: i32, lane: &mut dyn LaneWork, given: &AtomicU8, health: &Health) {
    let pulse = health.pulse(role, partition);
    let faults = health.metrics().role(role);
    let mut setback = Setback::none();
    let mut described = None;
    let mut looked_at = Instant::now();
    let mut busy_at = Instant::now();
    let mut measured_at = None;
    loop {
        pulse.beat();
        let order = Order::of(given.load(Ordering::Acquire));
        let is_leaving = order != Order::Work;
        let is_idle = order == Order::Retire && busy_at.elapsed() >= IDLE_ENOUGH;
        // a lane that leaves and is not deciding has nothing that somebody waits for
        if order >= Order::Finish || is_idle || (is_leaving && lane.describe().0 != LaneState::Running) {
            return;
        }
        match guarded_turn(lane) {
            Ok(turn) => {
                if setback.is_overcome(lane, turn) {
                    tracing::info!(role, partition, "what was in the way is gone");
                    described = None;
                }
                if turn == Turn::Progress {
                    busy_at = Instant::now();
                }
                if measured_at.is_none_or(|at: Instant| at.elapsed() >= DESCRIBE_EVERY) {
                    measured_at = Some(Instant::now());
                    lane.measure();
                }
                // looking at the whole lane costs more than a small step of it
                if turn == Turn::Idle || described.is_none() || looked_at.elapsed() >= DESCRIBE_EVERY {
                    looked_at = Instant::now();
                    let (state, mut detail) = lane.describe();
                    if is_leaving {
                        detail.insert_str(0, "handing over; ");
                    }
                    let now = (state, detail);
                    if described.as_ref() != Some(&now) {
                        match setback.lasting(&now.1) {
                            Some((fault, next)) => health.fault(role, partition, fault, next),
                            None => health.set(role, partition, now.0, now.1.clone()),
                        }
                        described = Some(now);
                    }
                }
            }
            // beginning again would take the partition back from its next owner
            Err(trouble) if is_leaving => {
                let how = if trouble.is_fenced { "handed over" } else { "given up" };
                tracing::info!(role, partition, "{how}: {}; the next owner goes on", trouble.message);
                return;
            }
            Err(trouble) => {
                described = None;
                lane.measure();
                faults.count(|counts| *counts.faults.entry(trouble.kind).or_default() += 1);
                let (pause, say) = setback.meet(lane, &trouble);
                let Trouble { message, position, next, .. } = &trouble;
                health.fault(role, partition, format!("{message}; it stands at {position}"), next.clone());
                if say && !trouble.is_fenced {
                    tracing::warn!(role, partition, position, "{message}. Next: {next}");
                }
                let until = Instant::now() + if trouble.is_fenced { FENCED_PAUSE } else { pause };
                while Instant::now() < until && given.load(Ordering::Acquire) == Order::Work as u8 {
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
        let position = catch_unwind(AssertUnwindSafe(|| lane.position())).unwrap_or_default();
        lane.reset();
        let message = "a panic, which is a bug; see the lines above it".to_owned();
        Err(Trouble { message, position, next: OF_A_PANIC.to_string(), is_fenced: false, kind: "panic" })
    })
}
