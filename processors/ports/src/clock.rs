//! The time of day, as a port: only the engine reads it, and a simulation sets it.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Microseconds since the epoch.
    fn now_micros(&self) -> i64;

    /// Microseconds since some moment of this process, which setting the clock does not change:
    /// the two together show that it was set. A clock that nobody can set has only one of them.
    fn monotonic_micros(&self) -> i64 {
        self.now_micros()
    }
}

static STARTED: OnceLock<Instant> = OnceLock::new();

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        // before 1970 the machine's clock is plainly wrong; 0 lets the skew check say so
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }

    fn monotonic_micros(&self) -> i64 {
        STARTED.get_or_init(Instant::now).elapsed().as_micros() as i64
    }
}
