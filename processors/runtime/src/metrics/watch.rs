//! Looks where the inputs of a role's partitions end, and whether committed reads get there.
//!
//! The lanes know how far they have read; that there is more is known to the log alone. An
//! adapter's reader delivers nothing behind the first open transaction, so a transaction that nobody
//! ends looks like a partition to which nothing comes. Here the two can be told apart.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_ports::{Log, LogFault, TopicPartition};

use super::lane::Input;
use super::role::RoleMeter;
use crate::advice::OPEN_TRANSACTION;
use crate::health::Health;
use crate::supervise::Stop;

/// How often the ends are asked for, while somebody looks at the numbers …
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// … and while nobody does: a transaction that is left open must show at `/health` all the same.
const LOOK_UNASKED_EVERY: Duration = Duration::from_secs(10);
/// How much later than its time-out a broker may end a transaction: it looks that often.
const BROKER_LOOKS_EVERY: Duration = Duration::from_secs(10);
/// How many looks are remembered of a partition that does not come to where it ended.
const MOST_LOOKS: usize = 4_096;

/// An input topic, and who may have transactions open in its partitions.
pub(crate) struct Watched {
    pub(crate) topic: Arc<str>,
    /// The transactional id that writes to a partition, by our own naming.
    pub(crate) holder: Box<dyn Fn(i32) -> String + Send>,
}

/// Keeps the ends of `inputs` up to date for a role, in a thread of its own, until `stop`, and says at `/health` when a
/// transaction is open for longer than `transactions_end`. It may outlive the role by a question to a log that does not
/// answer, so it is not waited for.
pub(crate) fn watch(
    health: &Health,
    role: &str,
    log: Arc<dyn Log>,
    inputs: Vec<Watched>,
    transactions_end: Duration,
    stop: Stop,
) {
    let metrics = health.metrics().clone();
    let mut watcher = Watcher {
        meter: metrics.role(role),
        health: health.clone(),
        role: format!("{role}.inputs"),
        log,
        inputs,
        // those of this system end by themselves until then
        stuck_after: transactions_end + BROKER_LOOKS_EVERY,
        seen: BTreeMap::new(),
        said: BTreeSet::new(),
        is_told: false,
    };
    std::thread::Builder::new()
        .name(format!("{role}.watch"))
        .spawn(move || {
            let mut looked: Option<Instant> = None;
            while !stop.wait(LOOK_EVERY) {
                if metrics.is_asked() || looked.is_none_or(|at| at.elapsed() >= LOOK_UNASKED_EVERY) {
                    looked = Some(Instant::now());
                    watcher.look();
                }
            }
        })
        .expect("the system has room for a thread");
}

struct Watcher {
    meter: Arc<RoleMeter>,
    health: Health,
    /// The role under which open transactions are reported.
    role: String,
    log: Arc<dyn Log>,
    inputs: Vec<Watched>,
    stuck_after: Duration,
    seen: BTreeMap<TopicPartition, Seen>,
    /// Partitions whose inputs are reported as stuck.
    said: BTreeSet<i32>,
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
        let mut stuck: BTreeMap<i32, String> = BTreeMap::new();
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
                    if let Some(text) = open_transaction(known, *partition, self.stuck_after) {
                        stuck.insert(*partition, text);
                    }
                });
            }
        }
        self.say(&stuck);
    }

    /// Reports partitions whose inputs cannot be read on, and takes back what was reported of others.
    fn say(&mut self, stuck: &BTreeMap<i32, String>) {
        for (partition, text) in stuck {
            if self.said.insert(*partition) {
                tracing::warn!(role = self.role, partition, "{text}. Next: {OPEN_TRANSACTION}");
            }
            self.health.fault(&self.role, *partition, text.as_str(), OPEN_TRANSACTION.to_string());
        }
        let (health, role) = (&self.health, &self.role);
        self.said.retain(|partition| {
            let stays = stuck.contains_key(partition);
            if !stays {
                health.remove(role, *partition);
            }
            stays
        });
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

/// What there is to say of an input whose committed reads have stood still for too long.
fn open_transaction(input: &Input, partition: i32, stuck_after: Duration) -> Option<String> {
    let since = input.stuck_since?.elapsed();
    let (stable, end) = (input.stable?, input.end?);
    (since >= stuck_after).then(|| {
        format!(
            "{}[{partition}]: a transaction has been open at offset {stable} for {} s, and the {} offsets from there on \
             cannot be read; by this system's own names {} writes there",
            input.topic,
            since.as_secs(),
            end - stable,
            input.holder
        )
    })
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
    fn an_open_transaction_is_said_once_it_is_open_for_too_long() {
        let mut input = input(5);
        (input.stable, input.end, input.holder) = (Some(6), Some(9), "d.processor.3".to_owned());
        assert_eq!(open_transaction(&input, 3, Duration::ZERO), None);
        input.stuck_since = Some(Instant::now());
        assert_eq!(open_transaction(&input, 3, Duration::from_secs(20)), None, "it may end by itself");
        let text = open_transaction(&input, 3, Duration::ZERO).unwrap();
        for word in ["d.commands[3]", "offset 6", "3 offsets", "d.processor.3"] {
            assert!(text.contains(word), "{text}");
        }
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
