//! What a process is doing, for its health endpoints: the truth, lane by lane.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::metrics::Metrics;

/// A lane that has begun a step this long ago and not ended it hangs. Longer than anything a step
/// does: questions to a server give up after seconds and a lane that pauses says so, but the rows
/// of an event with a very large audience take their time.
const HANGS_AFTER: Duration = Duration::from_secs(300);

/// How a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// Not at work yet: fencing, restoring, folding.
    Starting,
    /// At work.
    Running,
    /// Something is in the way; it tries again by itself.
    Faulted,
    /// Something is in the way of part of its work; the rest goes on, so nobody should be sent elsewhere.
    Impaired,
    /// A step of it has not ended for very long; only a restart of the process helps.
    Hanging,
}

/// One lane or connection as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneReport {
    /// `<domain>.processor`, `<domain>.processor.lookups`, `<domain>.projector.<family>`.
    pub role: String,
    /// The partition; −1 for the role as a whole.
    pub partition: i32,
    /// How it is.
    pub state: LaneState,
    /// For how long it has been so, in seconds.
    pub since_seconds: f64,
    /// In words.
    pub detail: String,
    /// What happens next, and what an operator can do, if something is in the way.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub next: String,
}

/// A process as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthReport {
    /// Whether every lane takes its steps: if not, a restart of the process helps, and nothing
    /// else does. A server that is away is no reason to restart its clients.
    pub live: bool,
    /// Whether every role has joined its group and every lane is at work, if only in part.
    pub ready: bool,
    /// Whether nothing is in the way of any lane.
    pub healthy: bool,
    /// The lanes.
    pub lanes: Vec<LaneReport>,
}

/// The health of a process, shared by all that runs in it.
#[derive(Clone)]
pub struct Health {
    lanes: Arc<Mutex<Lanes>>,
    hangs_after: Duration,
    metrics: Metrics,
}

impl Default for Health {
    fn default() -> Self {
        Self::hanging_after(HANGS_AFTER)
    }
}

/// By role and partition.
type Lanes = BTreeMap<(String, i32), Lane>;

struct Lane {
    state: LaneState,
    since: Instant,
    detail: String,
    next: String,
    pulse: Option<Pulse>,
}

/// The partition under which a role as a whole reports.
pub const ROLE_ITSELF: i32 = -1;

/// The heartbeat of a lane's thread. Cheap enough for every step.
#[derive(Clone)]
pub struct Pulse {
    started: Instant,
    beat_ms: Arc<AtomicU64>,
}

impl Pulse {
    /// The thread is about to take a step.
    pub fn beat(&self) {
        self.beat_ms.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn silent_for(&self) -> Duration {
        let beat = Duration::from_millis(self.beat_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(beat)
    }
}

impl Health {
    /// Takes a lane whose step has not ended for `bound` for one that hangs.
    #[must_use]
    pub fn hanging_after(bound: Duration) -> Self {
        Self { lanes: Arc::default(), hangs_after: bound, metrics: Metrics::default() }
    }

    /// The same, with `metrics` beside it.
    #[must_use]
    pub fn measured(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// What the process measures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how a lane is.
    pub fn set(&self, role: &str, partition: i32, state: LaneState, detail: impl Into<String>) {
        self.put(role, partition, state, detail.into(), String::new());
    }

    /// Says what is in the way of a lane, and what happens `next`.
    pub fn fault(&self, role: &str, partition: i32, detail: impl Into<String>, next: impl Into<String>) {
        self.put(role, partition, LaneState::Faulted, detail.into(), next.into());
    }

    /// Says what is in the way of part of what a lane does, and what happens `next`; the rest goes on.
    pub fn impair(&self, role: &str, partition: i32, detail: impl Into<String>, next: impl Into<String>) {
        self.put(role, partition, LaneState::Impaired, detail.into(), next.into());
    }

    fn put(&self, role: &str, partition: i32, state: LaneState, detail: String, next: String) {
        let mut lanes = self.lock();
        let known = lanes.remove(&(role.to_owned(), partition));
        let since = known.as_ref().filter(|lane| lane.state == state).map_or_else(Instant::now, |l| l.since);
        let pulse = known.and_then(|lane| lane.pulse);
        lanes.insert((role.to_owned(), partition), Lane { state, since, detail, next, pulse });
    }

    /// The heartbeat of a lane that is known already; one that stops beating hangs.
    #[must_use]
    pub fn pulse(&self, role: &str, partition: i32) -> Pulse {
        let pulse = Pulse { started: Instant::now(), beat_ms: Arc::default() };
        if let Some(lane) = self.lock().get_mut(&(role.to_owned(), partition)) {
            lane.pulse = Some(pulse.clone());
        }
        pulse
    }

    /// The lane is another instance's now.
    pub fn remove(&self, role: &str, partition: i32) {
        self.lock().remove(&(role.to_owned(), partition));
        self.metrics.left(role, partition);
    }

    /// Everything as it is now.
    #[must_use]
    pub fn report(&self) -> HealthReport {
        let lanes = self.lock();
        let lanes: Vec<LaneReport> =
            lanes.iter().map(|((role, partition), lane)| self.look(role, *partition, lane)).collect();
        let all = |is: fn(LaneState) -> bool| lanes.iter().all(|lane| is(lane.state));
        HealthReport {
            live: all(|state| state != LaneState::Hanging),
            ready: !lanes.is_empty()
                && all(|state| matches!(state, LaneState::Running | LaneState::Impaired)),
            healthy: all(|state| matches!(state, LaneState::Starting | LaneState::Running)),
            lanes,
        }
    }

    fn look(&self, role: &str, partition: i32, lane: &Lane) -> LaneReport {
        let report = LaneReport {
            role: role.to_owned(),
            partition,
            state: lane.state,
            since_seconds: lane.since.elapsed().as_secs_f64(),
            detail: lane.detail.clone(),
            next: lane.next.clone(),
        };
        match lane.pulse.as_ref().map(Pulse::silent_for).filter(|silent| *silent > self.hangs_after) {
            None => report,
            Some(silent) => LaneReport {
                state: LaneState::Hanging,
                since_seconds: silent.as_secs_f64(),
                detail: format!(
                    "its thread has begun a step {} s ago and not ended it; before that: {}",
                    silent.as_secs(),
                    lane.detail
                ),
                next: "if it does not come back, restart the process: others take over what it holds when \
                       its session times out; then report a bug with this text"
                    .to_owned(),
                ..report
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(health: &Health) -> LaneReport {
        health.report().lanes.into_iter().next().expect("a lane reports")
    }

    #[test]
    fn a_process_that_reports_nothing_is_not_ready() {
        let report = Health::default().report();
        assert!(report.live && report.healthy && !report.ready);
    }

    #[test]
    fn a_fault_says_since_when_and_what_next_until_it_is_gone() {
        let health = Health::default();
        health.set("r", 3, LaneState::Running, "well");
        assert!(health.report().ready);
        health.fault("r", 3, "the store is away", "tries again");
        let first = only(&health);
        assert_eq!((first.state, first.partition), (LaneState::Faulted, 3));
        assert_eq!((first.detail.as_str(), first.next.as_str()), ("the store is away", "tries again"));
        health.fault("r", 3, "still away", "tries again");
        assert!(only(&health).since_seconds >= first.since_seconds, "it is the same fault");
        let report = health.report();
        assert!(report.live && !report.ready && !report.healthy);
        health.set("r", 3, LaneState::Running, "well");
        assert!(health.report().ready && only(&health).next.is_empty());
    }

    #[test]
    fn a_thread_without_a_pulse_hangs_and_one_that_beats_again_does_not() {
        let health = Health::hanging_after(Duration::ZERO);
        health.set("r", 0, LaneState::Running, "deciding");
        let pulse = health.pulse("r", 0);
        let deadline = Instant::now() + Duration::from_secs(10);
        while health.report().live {
            assert!(Instant::now() < deadline, "it is never noticed");
        }
        let report = only(&health);
        assert_eq!(report.state, LaneState::Hanging);
        assert!(
            report.detail.contains("before that: deciding") && report.next.contains("restart"),
            "{report:?}"
        );
        assert!(!health.report().ready && !health.report().healthy);
        let patient = Health { hangs_after: Duration::from_secs(3_600), ..health.clone() };
        pulse.beat();
        assert!(patient.report().live);
    }
}
