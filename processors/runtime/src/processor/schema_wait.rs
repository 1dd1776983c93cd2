//! Waiting for schemas that the registry does not know yet.
//!
//! A command may be quicker than its schema: a replica of the registry lags behind a registration. So an unknown id is
//! final only some seconds after the record was appended. Garbage has unknown ids, too, and must not hold a partition
//! up for ever: a partition waits only so long a minute, and after that an unknown id is final at once.

use std::collections::HashMap;

/// How long after it was appended a record waits for its schema.
const WAIT_MILLIS: i64 = 10_000;
/// How long a partition waits in a minute, all its records together.
const BUDGET_MICROS: i64 = 10_000_000;
/// The minute.
const MINUTE_MICROS: i64 = 60_000_000;
/// How often the registry is asked for the same id.
const ASK_EVERY_MICROS: i64 = 500_000;
/// Most ids that are asked for together, and that it is remembered of.
pub(super) const MOST_ASKED: usize = 256;

/// What becomes of a record whose schema is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The registry must be asked first.
    Ask,
    /// It waits; nothing is decided meanwhile.
    Wait,
    /// It will not become readable.
    Final,
}

/// How long a partition has waited, and when it asked.
#[derive(Debug, Default)]
pub(super) struct SchemaWait {
    minute_began: Option<i64>,
    spent: i64,
    /// Up to when the wait under way is counted in `spent`.
    waiting: Option<i64>,
    asked: HashMap<u32, i64>,
}

impl SchemaWait {
    /// What becomes of a record of schema `id` that was appended so long ago; `now` is of the clock that is never
    /// set, microseconds.
    pub(super) fn look(&mut self, id: u32, age_millis: i64, now: i64) -> Look {
        if self.minute_began.is_none_or(|began| now - began >= MINUTE_MICROS) {
            self.minute_began = Some(now);
            self.spent = 0;
        }
        self.count(now);
        if self.asked.get(&id).is_none_or(|at| now - at >= ASK_EVERY_MICROS) {
            return Look::Ask;
        }
        match age_millis < WAIT_MILLIS && self.spent < BUDGET_MICROS {
            true => {
                self.waiting = Some(now);
                Look::Wait
            }
            false => Look::Final,
        }
    }

    /// Notes that the registry was asked for these.
    pub(super) fn asked(&mut self, ids: &[u32], now: i64) {
        if self.asked.len() + ids.len() > 2 * MOST_ASKED {
            self.asked.clear();
        }
        self.asked.extend(ids.iter().map(|id| (*id, now)));
    }

    /// The record is decided: the wait is over.
    pub(super) fn end(&mut self, now: i64) {
        self.count(now);
        self.waiting = None;
    }

    /// Whether a record waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    fn count(&mut self, now: i64) {
        if let Some(since) = &mut self.waiting {
            self.spent += now - *since;
            *since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits with records that have just been appended, as long as it is told to; how long that was.
    fn wait_out(wait: &mut SchemaWait, id: u32, from: i64) -> i64 {
        let mut now = from;
        loop {
            match wait.look(id, (now - from) / 1_000, now) {
                Look::Ask => wait.asked(&[id], now),
                Look::Wait => now += 100_000,
                Look::Final => {
                    wait.end(now);
                    return now - from;
                }
            }
        }
    }

    #[test]
    fn a_partition_waits_ten_seconds_a_minute_and_no_more() {
        let mut wait = SchemaWait::default();
        assert_eq!(wait_out(&mut wait, 1, 0), 10_000_000);
        for id in 2..100 {
            assert_eq!(wait_out(&mut wait, id, 10_000_000), 0, "the minute's time is used up");
        }
        assert_eq!(wait_out(&mut wait, 100, 60_000_000), 10_000_000);
    }

    #[test]
    fn a_record_that_is_old_enough_is_asked_for_once_more_and_then_final() {
        let mut wait = SchemaWait::default();
        assert_eq!(wait.look(7, 3_600_000, 0), Look::Ask);
        wait.asked(&[7], 0);
        assert_eq!(wait.look(7, 3_600_000, 0), Look::Final);
        assert_eq!(wait.look(7, 3_600_000, 499_999), Look::Final);
        assert_eq!(wait.look(7, 3_600_000, 500_000), Look::Ask);
        assert!(!wait.is_waiting());
    }

    #[test]
    fn a_wait_that_was_worth_it_leaves_the_rest_for_others() {
        let mut wait = SchemaWait::default();
        wait.asked(&[1], 0);
        assert_eq!(wait.look(1, 0, 0), Look::Wait);
        wait.end(400_000);
        assert!(!wait.is_waiting());
        // time without a wait costs nothing
        assert_eq!(wait_out(&mut wait, 2, 20_000_000), 9_600_000);
    }
}
