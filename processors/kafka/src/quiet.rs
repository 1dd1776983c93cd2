//! Keeps clients from saying one thing a hundred times.
//!
//! A process has several clients for each partition, and each reports by itself that a broker is
//! away, again and again. Whoever waits for the broker says so in its own words, with the
//! partition; of what the clients say, one line for each broker and kind of trouble is enough.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a line stands for all that are like it.
const FOR: Duration = Duration::from_secs(30);
/// More kinds of lines than anybody tells apart; beyond that they count as one.
const MOST_KINDS: usize = 200;

/// What was said lately.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    said: Mutex<BTreeMap<String, Said>>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    left_out: u64,
}

impl Quiet {
    /// Nothing was said yet.
    pub(crate) const fn new() -> Self {
        Self { said: Mutex::new(BTreeMap::new()) }
    }

    /// Whether a line is to be said `now`: then how many like it were left out since the last one.
    pub(crate) fn admit(&self, facility: &str, line: &str, now: Instant) -> Option<u64> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MOST_KINDS {
            said.retain(|_, it| now.duration_since(it.at) < FOR);
        }
        let mut kind = kind(facility, line);
        if said.len() >= MOST_KINDS && !said.contains_key(&kind) {
            kind.clear();
        }
        match said.get_mut(&kind) {
            Some(before) if now.duration_since(before.at) < FOR => {
                before.left_out += 1;
                None
            }
            Some(before) => {
                before.at = now;
                Some(std::mem::take(&mut before.left_out))
            }
            None => {
                said.insert(kind, Said { at: now, left_out: 0 });
                Some(0)
            }
        }
    }
}

/// The line without what differs from one client to the next: its thread, the broker's name in
/// that client, and numbers, such as how long it took.
fn kind(facility: &str, line: &str) -> String {
    let text = line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(line, |it| it.1);
    let broker = text.split(['/', ' ']).next().filter(|it| it.contains(':')).unwrap_or_default();
    let what = text.split_once(": ").map_or(text, |it| it.1);
    let what = what.split(" (").next().unwrap_or(what);
    let without_numbers: String = what.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    format!("{facility} {broker} {without_numbers}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What librdkafka says when a broker is killed, from several clients.
    const OUTAGE: [(&str, &str); 5] = [
        (
            "FAIL",
            "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        ),
        (
            "FAIL",
            "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 1ms in state CONNECT, 4 identical error(s) suppressed)",
        ),
        (
            "FAIL",
            "[thrd:GroupCoordinator]: 127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        ),
        (
            "FAIL",
            "[thrd:TxnCoordinator]: 127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        ),
        (
            "FAIL",
            "[thrd:127.0.0.1:9093/2]: 127.0.0.1:9093/2: Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT)",
        ),
    ];

    #[test]
    fn an_outage_is_one_line_a_broker_and_the_next_says_how_many_were_left_out() {
        let (quiet, begin) = (Quiet::new(), Instant::now());
        let mut said = 0;
        // twenty clients, ten times a second, for twenty seconds
        for tick in 0..200 {
            for _ in 0..20 {
                for (facility, line) in OUTAGE {
                    let now = begin + Duration::from_millis(tick * 100);
                    said += u32::from(quiet.admit(facility, line, now).is_some());
                }
            }
        }
        assert_eq!(said, 2, "one line for each broker");
        let later = begin + Duration::from_secs(31);
        assert_eq!(quiet.admit("FAIL", OUTAGE[0].1, later), Some(200 * 20 * 4 - 1));
        assert_eq!(quiet.admit("FAIL", OUTAGE[0].1, later), None);
    }

    #[test]
    fn other_trouble_is_not_hidden_by_it() {
        let (quiet, now) = (Quiet::new(), Instant::now());
        assert!(quiet.admit("FAIL", OUTAGE[0].1, now).is_some());
        let refused = "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: SASL authentication error: wrong password";
        assert!(quiet.admit("FAIL", refused, now).is_some());
        assert!(quiet.admit("CERTVERIFY", refused, now).is_some());
        assert!(quiet.admit("CONFWARN", "[thrd:app]: Configuration property x is deprecated", now).is_some());
    }

    #[test]
    fn ever_new_lines_do_not_fill_the_memory() {
        let (quiet, now) = (Quiet::new(), Instant::now());
        for n in 0..5_000_u32 {
            let word: String =
                n.to_string().chars().map(|digit| (b'a' + digit as u8 - b'0') as char).collect();
            quiet.admit("X", &word, now);
        }
        assert!(quiet.said.lock().unwrap().len() <= MOST_KINDS + 1);
    }
}
