//! What became known of lines after they were sent, mostly that they were not, as the broker was away: each reason is said once, and
//! counted from then on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::output;

/// Lines with which something is wrong, by reason.
#[derive(Clone, Default)]
pub struct Faults {
    reasons: Arc<Mutex<BTreeMap<String, Lines>>>,
}

struct Lines {
    more: u64,
    last: u64,
}

impl Faults {
    /// Something is wrong with a line. Whether that is to be said: the first time that it is for this reason.
    #[must_use]
    pub fn add(&self, line: u64, fault: &str) -> bool {
        // what the client has heard last differs from one record to the next
        let reason = fault.split(" (last: ").next().unwrap_or(fault);
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        match reasons.get_mut(reason) {
            Some(lines) => {
                lines.more += 1;
                lines.last = line.max(lines.last);
                false
            }
            None => {
                reasons.insert(reason.to_owned(), Lines { more: 0, last: line });
                true
            }
        }
    }

    /// How many more there were for each reason, in words.
    #[must_use]
    pub fn rest(&self) -> Vec<String> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let said = |(reason, lines): (&String, &Lines)| {
            let more = output::number(lines.more);
            format!("and {more} more, the last in line {}: {reason}", lines.last)
        };
        reasons.iter().filter(|(_, lines)| lines.more > 0).map(said).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_said_once_and_the_others_are_counted() {
        let faults = Faults::default();
        let said: Vec<u64> = (1..=10_048)
            .filter(|line| faults.add(*line, &format!("not sent: timed out (last: broker {line})")))
            .collect();
        assert_eq!(said, [1]);
        assert!(faults.add(7, "too large"));
        assert_eq!(faults.rest(), ["and 10,047 more, the last in line 10048: not sent: timed out"]);
    }
}
