//! How long a transaction took, from the thread that commits it to the one that asks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use millrace_ports::CommitTiming;

/// Written by a committer, read by its writer.
#[derive(Clone, Default)]
pub(crate) struct Timing(Arc<Mutex<Option<CommitTiming>>>);

impl Timing {
    /// A transaction began, its records were acknowledged, and now it is committed.
    pub(crate) fn set(&self, began: Instant, written: Instant) {
        let timing = CommitTiming { write: written - began, commit: written.elapsed() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(timing);
    }

    /// That of the transaction committed last.
    pub(crate) fn get(&self) -> Option<CommitTiming> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
