//! What to do while something is in the way: try again, less and less often, and say so.

use std::time::{Duration, Instant};

use super::Stop;
use crate::advice::Advise;
use crate::health::{Health, LaneState, ROLE_ITSELF};

/// First and longest pause after a fault.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often a fault that stays is said again.
const REPEAT_WARNING: Duration = Duration::from_secs(10);

/// Pauses that grow while a fault stays, and warnings that do not flood the log.
pub(crate) struct Patience {
    pause: Duration,
    said_at: Option<Instant>,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { pause: PAUSE.0, said_at: None }
    }

    /// Begins with short pauses again. What was said a moment ago is not said again for that.
    pub(crate) fn rest(&mut self) {
        self.pause = PAUSE.0;
    }

    /// What comes next is another fault, and is said.
    pub(crate) fn forget_said(&mut self) {
        self.said_at = None;
    }

    /// The next pause, and whether the fault should be said (again).
    pub(crate) fn next(&mut self) -> (Duration, bool) {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE.1);
        (pause, self.is_due())
    }

    /// Whether the fault should be said (again).
    pub(crate) fn is_due(&mut self) -> bool {
        let say = self.said_at.is_none_or(|at| at.elapsed() >= REPEAT_WARNING);
        if say {
            self.said_at = Some(Instant::now());
        }
        say
    }
}

/// Tries `attempt` for a role until it succeeds, loudly and for all to see in its health; `None`
/// when asked to stop meanwhile.
///
/// # Errors
/// What `attempt` calls final.
pub fn persist<T, E: std::fmt::Display + Advise>(
    role: &str,
    health: &Health,
    stop: &Stop,
    mut attempt: impl FnMut() -> Result<T, E>,
    is_final: impl Fn(&E) -> bool,
) -> Result<Option<T>, E> {
    let mut patience = Patience::new();
    let mut has_failed = false;
    loop {
        match attempt() {
            Ok(value) => {
                if has_failed {
                    tracing::info!(role, "what was in the way is gone");
                    health.set(role, ROLE_ITSELF, LaneState::Starting, "starting");
                }
                return Ok(Some(value));
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                let (pause, say) = patience.next();
                let advice = error.advice();
                if say {
                    tracing::warn!(role, "{error}. Next: {advice}");
                }
                has_failed = true;
                health.fault(role, ROLE_ITSELF, error.to_string(), advice.to_string());
                if stop.wait(pause) {
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_comes_and_goes_is_said_once_in_ten_seconds() {
        let mut patience = Patience::new();
        assert_eq!(patience.next(), (PAUSE.0, true));
        assert_eq!(patience.next(), (PAUSE.0 * 2, false));
        patience.rest();
        assert_eq!(patience.next(), (PAUSE.0, false));
        for _ in 0..20 {
            patience.next();
        }
        assert_eq!(patience.next(), (PAUSE.1, false));
        patience.said_at = Instant::now().checked_sub(REPEAT_WARNING);
        assert_eq!(patience.next(), (PAUSE.1, true));
    }
}
