//! The time of day, as a port: only the engine reads it, and a simulation sets it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Microseconds since the epoch.
    fn now_micros(&self) -> i64;

    /// Microseconds since some moment, which setting the clock does not change and which go on while the
    /// machine sleeps: the two together show that the clock was set. A clock that nobody can set has only one of
    /// them.
    fn monotonic_micros(&self) -> i64 {
        self.now_micros()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        // before 1970 the machine's clock is plainly wrong; 0 lets the skew check say so
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
    }

    fn monotonic_micros(&self) -> i64 {
        since_boot_micros()
    }
}

/// An `Instant` stands still while the machine sleeps; this does not.
#[cfg(target_os = "linux")]
fn since_boot_micros() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
}

#[cfg(not(target_os = "linux"))]
fn since_boot_micros() -> i64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static STARTED: OnceLock<Instant> = OnceLock::new();
    STARTED.get_or_init(Instant::now).elapsed().as_micros() as i64
}

/// A moment, to ask later how long ago it was. Neither setting the clock back nor a machine that
/// sleeps makes it younger than it is: of what the two clocks say, the longer time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    micros: i64,
    monotonic_micros: i64,
}

impl Moment {
    /// Now.
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        Self { micros: clock.now_micros(), monotonic_micros: clock.monotonic_micros() }
    }

    /// The moment that another process has noted as `micros` since the epoch.
    #[must_use]
    pub fn noted(clock: &dyn Clock, micros: i64) -> Self {
        let ago = clock.now_micros().saturating_sub(micros).max(0);
        Self { micros, monotonic_micros: clock.monotonic_micros().saturating_sub(ago) }
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.micros
    }

    /// How long ago it was, in microseconds; never less than 0.
    #[must_use]
    pub fn age_micros(self, clock: &dyn Clock) -> i64 {
        let by_day = clock.now_micros().saturating_sub(self.micros);
        let passed = clock.monotonic_micros().saturating_sub(self.monotonic_micros);
        by_day.max(passed).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Set {
        micros: i64,
        monotonic: i64,
    }

    impl Clock for Set {
        fn now_micros(&self) -> i64 {
            self.micros
        }

        fn monotonic_micros(&self) -> i64 {
            self.monotonic
        }
    }

    #[test]
    fn an_age_is_the_longer_of_what_both_clocks_say() {
        let moment = Moment::now(&Set { micros: 1_000, monotonic: 50 });
        for (micros, monotonic, age, case) in [
            (1_070, 120, 70, "both agree"),
            (200, 120, 70, "the clock was set back"),
            (9_000, 120, 8_000, "it was set ahead, or a sleep was not counted"),
            (200, 50, 0, "no time has passed"),
        ] {
            assert_eq!(moment.age_micros(&Set { micros, monotonic }), age, "{case}");
        }
        let noted = Moment::noted(&Set { micros: 1_000, monotonic: 50 }, 400);
        assert_eq!(noted.age_micros(&Set { micros: 100, monotonic: 60 }), 610, "of another process");
        let ahead = Moment::noted(&Set { micros: 1_000, monotonic: 50 }, 5_000);
        assert_eq!(ahead.age_micros(&Set { micros: 1_010, monotonic: 60 }), 10, "noted by a clock ahead");
    }

    #[test]
    fn the_machines_clock_goes_on() {
        let moment = Moment::now(&SystemClock);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while moment.age_micros(&SystemClock) < 1_000 {
            assert!(std::time::Instant::now() < deadline, "it stands still");
            std::thread::yield_now();
        }
    }
}
