//! Waiting for a condition with a deadline: what tests do instead of sleeping.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

/// A condition did not come true in time.
#[derive(Debug)]
pub struct Overdue {
    what: String,
    waited: Duration,
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waited {:?} in vain for: {}", self.waited, self.what)
    }
}

impl std::error::Error for Overdue {}

/// Asks `condition` until it holds, at most for `deadline`; `what` is named when it never does.
pub fn wait_until(
    deadline: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> Result<(), Overdue> {
    wait_for(deadline, what, || condition().then_some(()))
}

/// Asks `probe` until it gives a value, at most for `deadline`; `what` is named when it never does.
pub fn wait_for<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl FnMut() -> Option<T>,
) -> Result<T, Overdue> {
    let start = Instant::now();
    // Short pauses at first, for what is nearly there; long ones later, to leave the processor to what is awaited.
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if start.elapsed() >= deadline {
            return Err(Overdue { what: what.to_owned(), waited: start.elapsed() });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_never_came() {
        let error = wait_until(Duration::from_millis(5), "the moon", || false).unwrap_err();
        assert!(error.to_string().ends_with("for: the moon"), "{error}");
        let mut left = 3;
        let value = wait_for(Duration::from_secs(5), "zero", || {
            left -= 1;
            (left == 0).then_some("there")
        });
        assert_eq!(value.unwrap(), "there");
    }
}
