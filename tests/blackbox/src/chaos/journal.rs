//! What was done when, and when nothing was answered: written by all tracks, printed as it happens.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Kind;
use super::pauses::{Gap, Injected};

/// The common record of a run; times are since its start.
#[derive(Debug)]
pub struct Journal {
    start: Instant,
    notes: Mutex<Notes>,
}

/// What has been noted so far.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Every fault that has healed, in the order of healing.
    pub faults: Vec<Injected>,
    /// Every pause in a partition's outcomes.
    pub gaps: Vec<Gap>,
    /// Every line that was said.
    pub lines: Vec<String>,
}

impl Journal {
    /// An empty one that starts now.
    pub fn start() -> Self {
        Self { start: Instant::now(), notes: Mutex::default() }
    }

    /// How long the run has taken.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Says something with the time before it, and keeps it.
    pub fn say(&self, text: &str) {
        let line = format!("{:7.1} s  {text}", self.now().as_secs_f64());
        println!("{line}");
        self.notes().lines.push(line);
    }

    /// Notes a fault that has healed just now.
    pub fn healed(&self, kind: Kind, target: &str, begin: Duration) {
        let fault = Injected { kind, target: target.to_owned(), begin, end: self.now() };
        self.notes().faults.push(fault);
    }

    /// Notes that a partition's outcomes have just come again after so long.
    pub fn gap(&self, partition: i64, length: Duration) {
        let end = self.now();
        self.notes().gaps.push(Gap { partition, begin: end.saturating_sub(length), end });
    }

    /// A copy of everything.
    pub fn snapshot(&self) -> Notes {
        self.notes().clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
