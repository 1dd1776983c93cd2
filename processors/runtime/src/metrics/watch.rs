//! Looks where the inputs of a role's partitions end, and whether committed reads get there.
//!
//! The lanes know how far they have read; that there is more is known to the log alone. An
//! adapter's reader delivers nothing behind the first open transaction, so a transaction that nobody
//! ends looks like a partition to which nothing comes. Here the two can be told apart.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_ports::{Log, LogFault, TopicPartition};

use super::Metrics;
use super::lane::Input;
use super::role::RoleMeter;
use crate::supervise::Stop;

/// How often the ends are asked for, while somebody looks at the numbers.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks are remembered of a partition that does not come to where it ended.
const MOST_LOOKS: usize = 4_096;

/// An input topic, and who may have transactions open in its partitions.
pub(crate) struct Watched {
    pub(crate) topic: Arc<str>,
    /// The transactional id that writes to a partition, by our own naming.
    pub(crate) holder: Box<dyn Fn(i32) -> String + Send>,
}

/// Keeps the ends of `inputs` up to date for a role, in a thread of its own, until `stop`. It may
/// outlive the role by a question to a log that does not answer, so it is not waited for.
pub(crate) fn watch(metrics: Metrics, role: &str, log: Arc<dyn Log>, inputs: Vec<Watched>, stop: Stop) {
    let mut watcher =
        Watcher { meter: metrics.role(role), log, inputs, seen: BTreeMap::new(), is_told: false };
    std::thread::Builder::new()
        .name(format!("{role}.watch"))
        .spawn(move || {
            while !stop.wait(LOOK_EVERY) {
                if metrics.is_asked() {
                    watcher.look();
                }
            }
        })
        .expect("the system has room for a thread");
}

struct Watcher {
    meter: Arc<RoleMeter>,
    log: Arc<dyn Log>,
    inputs: Vec<Watched>,
    seen: BTreeMap<TopicPartition, Seen>,
    is_told: bool,
}

/// What was seen of one partition.
#[derive(Default)]
struct Seen {
    /// Ends, and when each was seen, that lie behind what was read at the last look.
    ends: VecDeque<(Instant, i64)>,
    /// Where committed reads came to, and since when.
    stable: Option<(i64, Instant)>,
}

impl Watcher {
    fn look(&mut self) {
        let held = self.meter.held();
        let is_held = |at: &TopicPartition| held.iter().any(|(partition, _)| *partition == at.partition);
        self.seen.retain(|at, _| is_held(at));
        for (partition, numbers) in &held {
            for input in &self.inputs {
                let at = TopicPartition::new(Arc::clone(&input.topic), *partition);
                let (stable, end) = match self.ask(&at) {
                    Ok(found) => found,
                    Err(fault) => return self.tell(&fault),
                };
                self.is_told = false;
                let seen = self.seen.entry(at).or_default();
                numbers.update(|numbers| {
                    let known = numbers.inputs.iter_mut().find(|known| known.topic == input.topic);
                    let Some(known) = known else { return };
                    seen.note(Instant::now(), stable, end, known);
                    if known.holder.is_empty() {
                        known.holder = (input.holder)(*partition);
                    }
                });
            }
        }
    }

    /// Where committed reads come to, and where the partition ends. In this order, so that a
    /// transaction that begins in between is not taken for one that was open.
    fn ask(&self, at: &TopicPartition) -> Result<(i64, i64), LogFault> {
        let stable = self.log.last_stable_offset(at)?;
        Ok((stable, self.log.high_watermark(at)?))
    }

    /// The lanes say loudly enough that a log is away.
    fn tell(&mut self, fault: &LogFault) {
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::debug!(%fault, "the ends of partitions are not known for now");
        }
    }
}

impl Seen {
    fn note(&mut self, now: Instant, stable: i64, end: i64, input: &mut Input) {
        (input.end, input.stable) = (Some(end), Some(stable));
        if self.ends.back().is_none_or(|(_, last)| *last < end) {
            self.ends.push_back((now, end));
        }
        while self.ends.front().is_some_and(|(_, end)| *end <= input.position) {
            self.ends.pop_front();
        }
        if self.ends.len() > MOST_LOOKS {
            // what is known of the oldest must stay, the rest is only for later
            let mut number = 0;
            self.ends.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
        input.behind_since = self.ends.front().map(|(at, _)| *at);
        let since = match self.stable {
            Some((before, since)) if before == stable => since,
            _ => now,
        };
        self.stable = Some((stable, since));
        input.stuck_since = (stable < end).then_some(since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(position: i64) -> Input {
        Input::new("d.commands".into(), position)
    }

    #[test]
    fn lag_counts_from_when_the_first_unread_record_was_seen() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut seen, mut input) = (Seen::default(), input(0));
        seen.note(at(0), 0, 0, &mut input);
        assert_eq!(input.behind_since, None);
        seen.note(at(1), 10, 10, &mut input);
        seen.note(at(2), 20, 20, &mut input);
        assert_eq!(input.behind_since, Some(at(1)));
        input.position = 10;
        seen.note(at(3), 20, 20, &mut input);
        assert_eq!(input.behind_since, Some(at(2)), "the first ten are read");
        input.position = 20;
        seen.note(at(4), 20, 20, &mut input);
        assert_eq!(input.behind_since, None);
    }

    #[test]
    fn an_open_transaction_is_stuck_since_committed_reads_stopped() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut seen, mut input) = (Seen::default(), input(5));
        seen.note(at(0), 5, 5, &mut input);
        assert_eq!(input.stuck_since, None, "all of it can be read");
        seen.note(at(1), 6, 9, &mut input);
        assert_eq!(input.stuck_since, Some(at(1)));
        seen.note(at(2), 6, 12, &mut input);
        assert_eq!(input.stuck_since, Some(at(1)));
        seen.note(at(3), 8, 12, &mut input);
        assert_eq!(input.stuck_since, Some(at(3)), "it has moved on");
        seen.note(at(4), 12, 12, &mut input);
        assert_eq!(input.stuck_since, None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_stays() {
        let start = Instant::now();
        let (mut seen, mut input) = (Seen::default(), input(0));
        for second in 0..20_000 {
            seen.note(start + Duration::from_secs(second), 1, second as i64 + 1, &mut input);
        }
        assert!(seen.ends.len() <= MOST_LOOKS);
        assert_eq!(input.behind_since, Some(start));
    }
}
