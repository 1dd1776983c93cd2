//! How many messages a transaction takes: fewer where they cannot be committed in time.
//!
//! Under a quota or on a slow link a full batch may never be through before the time-out, and the same batch would be
//! tried for ever. So one that was not halves the next, down to a single message; and one that took a small part of the
//! time only lets the next be twice as large.

use std::time::Duration;

/// A batch that took less than this part of the time-out leaves room for twice as many messages.
const QUICK: u32 = 4;

/// The size of the next batch. It outlives a reset of its lane: beginning again makes no link faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    most: usize,
    ceiling: usize,
    timeout: Duration,
}

impl Pace {
    /// Full batches of up to `ceiling` messages, to be committed within `timeout`.
    pub(super) fn new(ceiling: usize, timeout: Duration) -> Self {
        let ceiling = ceiling.max(1);
        Self { most: ceiling, ceiling, timeout }
    }

    /// How many messages the next batch may take.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// A batch of `messages` was not committed in time.
    pub(super) fn failed(&mut self, messages: usize) {
        // one that was small all the same says as much of those that are not
        self.most = (messages.min(self.most) / 2).max(1);
    }

    /// A batch was committed, which took so long.
    pub(super) fn committed(&mut self, took: Duration) {
        if self.most < self.ceiling && took * QUICK <= self.timeout {
            self.most = (self.most * 2).min(self.ceiling);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_halves_down_to_one_message_and_grows_again_while_there_is_time() {
        let mut pace = Pace::new(5_000, Duration::from_secs(10));
        let mut seen = Vec::new();
        for _ in 0..14 {
            pace.failed(pace.most());
            seen.push(pace.most());
        }
        assert_eq!(seen, [2_500, 1_250, 625, 312, 156, 78, 39, 19, 9, 4, 2, 1, 1, 1]);
        pace.committed(Duration::from_secs(3));
        assert_eq!(pace.most(), 1, "twice as much might not be through in time");
        for _ in 0..20 {
            pace.committed(Duration::from_millis(2_500));
        }
        assert_eq!(pace.most(), 5_000);
        pace.failed(10);
        assert_eq!(pace.most(), 5, "what did not get through was small already");
    }
}
