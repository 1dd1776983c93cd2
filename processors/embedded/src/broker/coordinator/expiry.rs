//! Offsets that nobody needs any more, and groups that have none: when they go.
//!
//! The rules are Kafka's since KIP-211. An offset is as old as its group is without members, while the group has members
//! as its last commit, and then only where no member subscribes to the topic; so is that of a consumer that is in no
//! group and only keeps its offsets in one. Two things are more patient than Kafka: a commit makes an offset new in an
//! empty group, too, and the time in which nobody could commit counts for nobody (see [`Patience`]).

use std::time::{Duration, Instant};

use super::group::{Group, GroupState};
use super::groups::Groups;
use super::subscriptions::Subscriptions;
use crate::broker::storage::metastate::{CommittedOffset, Entry};
use crate::broker::util::lock;

/// How long after a start nothing expires, unless offsets are kept for less: what runs once a day has run again.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// By so much the clock may get ahead of the time that went by, before it says that the machine slept or was set.
const LARGEST_STEP_MS: i64 = 60 * 60 * 1000;

/// How long what nobody uses is kept.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    /// For so long.
    pub keep: Duration,
    /// Groups with these ids are kept for good.
    pub for_good: fn(&str) -> bool,
}

/// Nothing expires for a while after the broker was started, after its machine slept, and after somebody moved the clock
/// forward: nobody could show that a group is in use while nothing ran, and a clock that is wrong deletes nothing.
#[derive(Debug)]
pub(crate) struct Patience {
    grace: Duration,
    until: Instant,
    looked: (Instant, i64),
}

impl Patience {
    pub fn new(keep: Duration, now: Instant, now_ms: i64) -> Self {
        let grace = keep.min(LONGEST_GRACE);
        Self { grace, until: now + grace, looked: (now, now_ms) }
    }

    /// Whether it is over.
    pub fn is_over(&mut self, now: Instant, now_ms: i64) -> bool {
        let (before, before_ms) = std::mem::replace(&mut self.looked, (now, now_ms));
        let awake_ms = millis(now.saturating_duration_since(before));
        if now_ms.saturating_sub(before_ms).saturating_sub(awake_ms) > LARGEST_STEP_MS {
            self.until = now + self.grace;
        }
        now >= self.until
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Whose use of a group keeps an offset.
enum Use {
    /// Nobody's: since this time there are no members. Consumers that never were members have no such time.
    Nobody { since_ms: i64 },
    /// That of members, of these topics.
    Members { topics: std::collections::HashSet<String> },
    /// Nobody knows.
    Unknown,
}

impl Group {
    /// Remembers since when the group is without members, if it is and that is not known.
    pub fn note_empty(&mut self, now_ms: i64) {
        let is_empty = self.state == GroupState::Empty && self.members.is_empty();
        if is_empty && !self.protocol_type.is_empty() && self.empty_since_ms.is_none() {
            self.empty_since_ms = Some(now_ms);
            self.dirty = true;
        }
    }

    fn in_use(&self) -> Use {
        match self.subscriptions() {
            // Somebody is about to join.
            Subscriptions::None if !self.pending.is_empty() => Use::Unknown,
            Subscriptions::None => Use::Nobody { since_ms: self.empty_since_ms.unwrap_or(i64::MIN) },
            Subscriptions::Topics(topics) if self.state == GroupState::Stable => Use::Members { topics },
            Subscriptions::Topics(_) | Subscriptions::Any | Subscriptions::Foreign => Use::Unknown,
        }
    }

    /// The partitions whose offsets are out of date. What an open transaction may change is not.
    fn expired(&self, keep: Duration, now_ms: i64) -> Vec<(String, i32)> {
        let in_use = self.in_use();
        let is_old = |topic: &str, offset: &CommittedOffset| {
            let since_ms = match &in_use {
                Use::Unknown => return false,
                Use::Members { topics } if topics.contains(topic) => return false,
                Use::Members { .. } => offset.commit_ms,
                Use::Nobody { since_ms } => offset.commit_ms.max(*since_ms),
            };
            let until_ms = offset.expires_ms.unwrap_or_else(|| since_ms.saturating_add(millis(keep)));
            now_ms >= until_ms
        };
        let undecided = |topic: &str, partition: &i32| {
            let mut open = self.undecided.values().filter_map(|offsets| offsets.get(topic));
            open.any(|of_topic| of_topic.contains_key(partition))
        };
        let all = self.offsets.iter().flat_map(|(topic, of)| of.iter().map(move |it| (topic, it)));
        all.filter(|(topic, (partition, offset))| is_old(topic, offset) && !undecided(topic, partition))
            .map(|(topic, (partition, _))| (topic.clone(), *partition))
            .collect()
    }

    /// Whether there is nothing in the group, and nobody.
    fn is_void(&self) -> bool {
        self.is_unused() && self.undecided.is_empty() && self.offsets.values().all(|of| of.is_empty())
    }
}

impl Groups {
    /// Forgets offsets that are out of date, and groups without members and offsets.
    pub fn expire(&self, now_ms: i64) {
        for shared in self.all() {
            let mut group = lock(&shared);
            if group.deleted || self.is_kept_for_good(&group.id) {
                continue;
            }
            self.store(&mut group, now_ms);
            let gone = group.expired(self.retention().keep, now_ms);
            if !gone.is_empty() {
                let entry = Entry::OffsetsDeleted(group.id.clone(), gone.clone());
                if let Err(error) = self.metadata().append(&[entry]) {
                    tracing::error!(group = group.id, %error, "cannot delete offsets that are out of date");
                    return;
                }
                group.forget(&gone);
                tracing::info!(
                    group = group.id,
                    offsets = gone.len(),
                    "deleted offsets that nobody used for offsets.retention.minutes"
                );
            }
            let id = group.is_void().then(|| group.id.clone());
            drop(group);
            // Whoever came in between keeps it.
            if let Some(id) = id
                && self.delete_when(&id, Group::is_void).is_ok()
            {
                tracing::info!(group = id, "deleted a group without members and offsets");
            }
        }
    }
}

#[cfg(test)]
#[path = "expiry_tests.rs"]
mod tests;
