//! Whether this machine's clock is right, as far as the broker's stamps on records tell.
//!
//! A record that ends a silence has just been appended, so its stamp is the broker's time. From
//! then on jumps of the clock against the time that has passed are followed, so a clock that is
//! set wrong under load is noticed at once, and one that is set right is trusted again at once.

use millrace_ports::Clock;

/// How far the clock may differ from the broker's before health says so, milliseconds.
const WARN_MS: i64 = 60_000;
/// How far it may be ahead before nothing is decided any more, milliseconds.
const STOP_MS: i64 = 3_600_000;

/// What is known of the clock. Nothing, before the first record that ended a silence: an old
/// record's stamp may be a backlog's as well as a wrong clock's.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockWatch {
    learnt: Option<Learnt>,
}

#[derive(Clone, Copy, Debug)]
struct Learnt {
    ahead_micros: i64,
    /// Time of day less time passed, when it was learnt: what a jump changes.
    base_micros: i64,
}

impl ClockWatch {
    /// Compares the clock with the stamp of a record that has just been appended.
    pub fn learn(&mut self, clock: &dyn Clock, appended_ms: i64) {
        let now = clock.now_micros();
        let base_micros = now - clock.monotonic_micros();
        self.learnt = Some(Learnt { ahead_micros: now - appended_ms * 1_000, base_micros });
    }

    /// How far the clock is ahead of the broker's now, milliseconds; negative when it is behind.
    #[must_use]
    pub fn ahead_ms(&self, clock: &dyn Clock) -> Option<i64> {
        let learnt = self.learnt?;
        let jumped = clock.now_micros() - clock.monotonic_micros() - learnt.base_micros;
        Some((learnt.ahead_micros + jumped) / 1_000)
    }

    /// As [`ClockWatch::ahead_ms`], if it is worth saying.
    #[must_use]
    pub fn worth_saying(&self, clock: &dyn Clock) -> Option<i64> {
        self.ahead_ms(clock).filter(|ahead| ahead.abs() > WARN_MS)
    }

    /// As [`ClockWatch::ahead_ms`], if it is so far that nothing may be decided: the database
    /// would refuse the times of the rows.
    #[must_use]
    pub fn too_far_ahead(&self, clock: &dyn Clock) -> Option<i64> {
        self.ahead_ms(clock).filter(|ahead| *ahead > STOP_MS)
    }
}
