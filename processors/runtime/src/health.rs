//! What a process is doing, for its health endpoint: the truth, lane by lane.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

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
}

/// One lane or connection as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneReport {
    /// `<domain>.processor`, `<domain>.projector.<family>`.
    pub role: String,
    /// The partition; −1 for the role as a whole.
    pub partition: i32,
    /// How it is.
    pub state: LaneState,
    /// In words.
    pub detail: String,
}

/// A process as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// Whether every role has joined its group and every lane is at work.
    pub ready: bool,
    /// Whether nothing is in the way of any lane.
    pub healthy: bool,
    /// The lanes.
    pub lanes: Vec<LaneReport>,
}

/// The health of a process, shared by all that runs in it.
#[derive(Clone, Default)]
pub struct Health {
    lanes: Arc<Mutex<Lanes>>,
}

/// By role and partition.
type Lanes = BTreeMap<(String, i32), (LaneState, String)>;

/// The partition under which a role as a whole reports.
pub const ROLE_ITSELF: i32 = -1;

impl Health {
    /// Says how a lane is.
    pub fn set(&self, role: &str, partition: i32, state: LaneState, detail: impl Into<String>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.insert((role.to_owned(), partition), (state, detail.into()));
    }

    /// The lane is another instance's now.
    pub fn remove(&self, role: &str, partition: i32) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.remove(&(role.to_owned(), partition));
    }

    /// Everything as it is now.
    #[must_use]
    pub fn report(&self) -> HealthReport {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes: Vec<LaneReport> = lanes
            .iter()
            .map(|((role, partition), (state, detail))| LaneReport {
                role: role.clone(),
                partition: *partition,
                state: *state,
                detail: detail.clone(),
            })
            .collect();
        HealthReport {
            ready: !lanes.is_empty() && lanes.iter().all(|lane| lane.state == LaneState::Running),
            healthy: lanes.iter().all(|lane| lane.state != LaneState::Faulted),
            lanes,
        }
    }
}
