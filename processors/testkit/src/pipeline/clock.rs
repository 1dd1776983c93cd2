//! Clocks that only a test moves: one of the broker, and one a process that may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use millrace_ports::Clock;

/// The broker's clock, which never goes back.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl ManualClock {
    /// A clock that stands at `micros` since the epoch.
    #[must_use]
    pub fn at(micros: i64) -> Self {
        Self(AtomicI64::new(micros))
    }

    /// Lets `micros` pass.
    pub fn pass(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

/// The clock of one machine: the broker's, and by how much it differs.
#[derive(Debug)]
pub struct SkewedClock {
    of_broker: Arc<ManualClock>,
    ahead_micros: AtomicI64,
}

impl SkewedClock {
    /// A clock that agrees with `of_broker`.
    #[must_use]
    pub fn new(of_broker: Arc<ManualClock>) -> Self {
        Self { of_broker, ahead_micros: AtomicI64::new(0) }
    }

    /// Sets it ahead by `micros`, or behind when that is negative: it may go back by that.
    pub fn set_ahead(&self, micros: i64) {
        self.ahead_micros.store(micros, Ordering::SeqCst);
    }
}

impl Clock for SkewedClock {
    fn now_micros(&self) -> i64 {
        self.of_broker.now_micros() + self.ahead_micros.load(Ordering::SeqCst)
    }

    fn monotonic_micros(&self) -> i64 {
        self.of_broker.now_micros()
    }
}
