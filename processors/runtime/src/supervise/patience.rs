//! What to do while something is in the way: try again, less and less often, and say so.

use std::time::{Duration, Instant};

use super::Stop;

/// First and longest pause after a fault.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often a fault that stays is said again.
const REPEAT_WARNING: Duration = Duration::from_secs(10);

/// Pauses that grow while a fault stays, and warnings that do not flood the log.
pub(super) struct Patience {
    pause: Duration,
    said_at: Option<Instant>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { pause: PAUSE.0, said_at: None }
    }

    /// The next pause, and whether the fault should be said (again).
    pub(super) fn next(&mut self) -> (Duration, bool) {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE.1);
        let say = self.said_at.is_none_or(|at| at.elapsed() >= REPEAT_WARNING);
        if say {
            self.said_at = Some(Instant::now());
        }
        (pause, say)
    }
}

/// Tries `attempt` until it succeeds, loudly; `None` when asked to stop meanwhile.
///
/// # Errors
/// What `attempt` calls final.
pub fn persist<T, E: std::fmt::Display>(
    what: &str,
    stop: &Stop,
    mut attempt: impl FnMut() -> Result<T, E>,
    is_final: impl Fn(&E) -> bool,
) -> Result<Option<T>, E> {
    let mut patience = Patience::new();
    loop {
        match attempt() {
            Ok(value) => return Ok(Some(value)),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                let (pause, say) = patience.next();
                if say {
                    tracing::warn!("{what}: {error}; trying again until it works");
                }
                if stop.wait(pause) {
                    return Ok(None);
                }
            }
        }
    }
}
