//! What an operator may set, one struct a role; the doc comments are the manual.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Shortest and longest time-out of transactions: what the client knows, and what brokers allow unless they are told
/// otherwise, in milliseconds.
const TRANSACTION_TIMEOUT_MS: std::ops::RangeInclusive<u64> = 1_000..=900_000;

/// Settings of the command processor: `[processor]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessorSettings {
    /// Most commands and steps in one transaction. A batch is closed earlier when the input
    /// is drained.
    pub batch_max_records: usize,
    /// How far back a repeated command id is recognised, in seconds of `recorded_at`.
    pub dedup_window_seconds: u64,
    /// How many command ids a partition remembers at most. In a domain that refuses expired commands
    /// (accounting) it knows of at most as many more, or a million, that they were answered.
    pub dedup_window_ids: usize,
    /// How long a silent processor keeps its partitions, in milliseconds.
    pub session_timeout_ms: u64,
    /// How long writing and committing a batch may take, in milliseconds; after it the broker ends a transaction whose
    /// owner is silent, too. From 1,000 up to the broker's `transaction.max.timeout.ms` (15 minutes unless it is
    /// set). A batch that takes longer is decided again in halves. Raise it under a quota or on a slow link; what a
    /// processor that dies has left open is ended by its successor and does not wait for it.
    #[serde(deserialize_with = "transaction_timeout_ms")]
    pub transaction_timeout_ms: u64,
    /// How far ahead of its record a command's `issued_at` may be, in seconds. In a domain that refuses
    /// expired commands (accounting) also how far behind it always may be.
    pub issued_at_ahead_seconds: u64,
    /// Folder for local state, so that a restart reads only what is new. Each process needs one
    /// of its own. Empty: everything is kept in memory and read from the topics at each start.
    pub state_dir: String,
    /// File with the keys by which personal texts are named in keys (pseudonyms), a line `ID SECRET` each, newest first, and a line
    /// `retired ID` for each that was given up; `millrace pseudonym-key ID` prints a line with a new one. Only its owner may
    /// read it. All processors of a domain that has pseudonyms need the same. Empty: there is none; `millrace up` makes one in its folder
    /// (`secrets/pseudonym-keys`).
    pub pseudonym_keys_file: String,
    /// How much memory the states of aggregates may take in a process, in bytes, with
    /// `state_dir`; what has changed since the last checkpoint comes on top. Without `state_dir`
    /// all of them are in memory.
    pub state_cache_bytes: usize,
    /// How many other instances keep a copy of each partition, as far as there are others. A
    /// partition whose owner dies goes to where its copy is; without one, its next owner reads
    /// the topics first.
    pub standby_copies: usize,
    /// Longest time between two checkpoints of local state, in milliseconds. A restart reads
    /// what was written since.
    pub checkpoint_interval_ms: u64,
    /// After how many changes a checkpoint is taken earlier than that.
    pub checkpoint_max_changes: usize,
    /// How old local state may be, in seconds, before it is rebuilt from the topics. Less than
    /// `delete.retention.ms` of the state topic: after that time the topic may not say any more
    /// what was deleted.
    pub state_max_age_seconds: u64,
    /// How long a step is kept after it was written, in seconds, if it has been decided: `explain` reads
    /// them. One that has not been decided is kept for as long as it takes.
    pub steps_keep_seconds: u64,
    /// Gaps that an operator has looked at and given up, several separated by commas, each as the
    /// fault names it: `accounting.commands[2]:17-40`. Records that were deleted before anyone decided them
    /// stop their partition until their gap stands here. So does an input that ends before what was decided
    /// of it: `accounting.commands[2]:41-0` says that it was decided up to 41 and goes on at 0. And
    /// `accounting.commands[2]:lost-41` says where the commands go on whose offset the group has lost.
    #[serde(deserialize_with = "gaps")]
    pub accepted_gaps: String,
}

impl Default for ProcessorSettings {
    fn default() -> Self {
        Self {
            batch_max_records: 5_000,
            dedup_window_seconds: 3_600,
            dedup_window_ids: 5_000_000,
            session_timeout_ms: 10_000,
            transaction_timeout_ms: 10_000,
            issued_at_ahead_seconds: 300,
            state_dir: String::new(),
            pseudonym_keys_file: String::new(),
            state_cache_bytes: 256 << 20,
            standby_copies: 1,
            checkpoint_interval_ms: 5_000,
            checkpoint_max_changes: 50_000,
            // 20 of the 24 hours that topics/<domain>.toml declares
            state_max_age_seconds: 72_000,
            steps_keep_seconds: 604_800,
            accepted_gaps: String::new(),
        }
    }
}

/// Settings of the projectors: `[projector]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectorSettings {
    /// Most events whose rows are written together.
    pub batch_max_events: usize,
    /// Most rows of large fan-outs that are written between two batches of events: more of them
    /// write a giant's fan-out sooner and let everybody else wait longer.
    pub fan_out_max_rows: usize,
    /// Longest time between two commits of the consumer group's offsets, in milliseconds.
    /// After a crash the events since then are applied again, which changes nothing.
    pub commit_interval_ms: u64,
    /// How long a silent projector keeps its partitions, in milliseconds.
    pub session_timeout_ms: u64,
    /// Folder for what projections know of earlier events, so that a restart reads only what is new. Each process needs
    /// one of its own. Empty: everything is kept in memory and read from the events at each start.
    pub state_dir: String,
    /// How much memory that may take for each version of a view family in a process, in bytes, with `state_dir`; what has
    /// changed since the last checkpoint comes on top.
    pub state_cache_bytes: usize,
    /// Longest time between two checkpoints of it, in milliseconds. A restart reads what was written since.
    pub checkpoint_interval_ms: u64,
    /// After how many changes a checkpoint is taken earlier than that.
    pub checkpoint_max_changes: usize,
    /// How many other instances keep a copy of what is known of each partition, with `state_dir`: the one it goes to when its
    /// owner dies folds the tail only. A copy reads all events once more and has a disk of the same size; all copies of a view
    /// family share a quarter of `state_cache_bytes` on top.
    pub standby_copies: usize,
}

impl Default for ProjectorSettings {
    fn default() -> Self {
        Self {
            batch_max_events: 500,
            fan_out_max_rows: 2_000,
            commit_interval_ms: 500,
            session_timeout_ms: 10_000,
            state_dir: String::new(),
            state_cache_bytes: 64 << 20,
            checkpoint_interval_ms: 5_000,
            checkpoint_max_changes: 50_000,
            standby_copies: 1,
        }
    }
}

impl ProcessorSettings {
    /// The time-out of transactions as a duration.
    #[must_use]
    pub fn transaction_timeout(&self) -> Duration {
        Duration::from_millis(self.transaction_timeout_ms)
    }

    /// How far ahead of its record a command's `issued_at` may be, in microseconds.
    #[must_use]
    pub fn issued_at_ahead_micros(&self) -> i64 {
        i64::try_from(self.issued_at_ahead_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
    }

    /// The session timeout as a duration.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms)
    }
}

impl ProjectorSettings {
    /// The session timeout as a duration.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms)
    }
}

fn transaction_timeout_ms<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let value = u64::deserialize(from)?;
    if TRANSACTION_TIMEOUT_MS.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (TRANSACTION_TIMEOUT_MS.start(), TRANSACTION_TIMEOUT_MS.end());
    Err(D::Error::custom(format!("{value} is not between {least} and {most} milliseconds")))
}

/// Whoever mistypes a gap would wait for a partition that waits for the right name.
fn gaps<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = String::deserialize(from)?;
    match value.split(',').map(str::trim).find(|gap| !gap.is_empty() && !is_name_of_gap(gap)) {
        None => Ok(value),
        Some(gap) => Err(D::Error::custom(format!(
            "{gap:?} is no gap; write each as the fault names it: accounting.commands[2]:17-40"
        ))),
    }
}

/// Whether it looks like `<topic>[<partition>]:<from>-<to>`.
fn is_name_of_gap(text: &str) -> bool {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let parts = text.rsplit_once("]:").and_then(|(place, offsets)| {
        let (topic, partition) = place.rsplit_once('[')?;
        let (from, to) = offsets.split_once('-')?;
        Some((topic, [partition, if from == "lost" { to } else { from }, to]))
    });
    parts.is_some_and(|(topic, numbers)| !topic.is_empty() && numbers.into_iter().all(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_written_as_the_fault_names_it() {
        for gap in ["accounting.commands[2]:17-40", "t.accounting.steps[0]:41-0", "a[1]:lost-3"] {
            assert!(is_name_of_gap(gap), "{gap}");
        }
        for other in ["foo", "a[1]", "a[1]:2", "a[1]:2-", "a[x]:2-3", "[1]:2-3", "a[1]:2-3-4", "a[1]:-2-3"] {
            assert!(!is_name_of_gap(other), "{other}");
        }
    }
}
