//! One partition: records, markers, and what a committed read may see.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use millrace_ports::{Record, TopicPartition};

use super::Plain;

/// Names one transaction.
pub(super) type TransactionNumber = u64;

#[derive(Debug)]
struct Entry {
    /// `None` is the marker of a transaction's end, or what compaction has taken.
    record: Option<Plain>,
    transaction: Option<TransactionNumber>,
    /// Of a tombstone: when it may go, known since what it deletes is gone.
    expires_at: Option<i64>,
}

/// One partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// What lies before it cannot be read any more. It is kept all the same, for oracles, and for an
    /// operator who brings it back.
    start: i64,
    /// All that was ever written, from offset 0.
    entries: Vec<Entry>,
    /// The first offset of each transaction that is still open.
    open: BTreeMap<TransactionNumber, i64>,
    aborted: BTreeSet<TransactionNumber>,
    /// Batches that cannot be decompressed: first offset, and the one behind the last.
    spoiled: Vec<(i64, i64)>,
    /// What was in it before somebody emptied it.
    aside: Vec<Entry>,
}

impl Partition {
    /// The oldest offset.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// The offset behind the newest entry.
    pub(super) fn end(&self) -> i64 {
        self.entries.len() as i64
    }

    /// Up to here everything is decided: committed or aborted.
    pub(super) fn stable_end(&self) -> i64 {
        self.open.values().copied().min().unwrap_or_else(|| self.end())
    }

    /// Appends a record and gives its offset.
    pub(super) fn append(&mut self, record: Plain, transaction: Option<TransactionNumber>) -> i64 {
        let offset = self.end();
        if let Some(number) = transaction {
            self.open.entry(number).or_insert(offset);
        }
        self.entries.push(Entry { record: Some(record), transaction, expires_at: None });
        offset
    }

    /// Appends the marker of a transaction's end.
    pub(super) fn finish(&mut self, number: TransactionNumber, committed: bool) {
        if self.open.remove(&number).is_none() {
            return;
        }
        if !committed {
            self.aborted.insert(number);
        }
        self.entries.push(Entry { record: None, transaction: Some(number), expires_at: None });
    }

    /// Forgets what lies before `offset`.
    pub(super) fn forget_before(&mut self, offset: i64) {
        self.start = self.start.max(offset.min(self.end()));
    }

    /// Is made anew: offsets begin at 0 again. Not while a transaction is open; whether it was done.
    pub(super) fn empty(&mut self) -> bool {
        if !self.open.is_empty() {
            return false;
        }
        self.start = 0;
        self.aside.append(&mut self.entries);
        true
    }

    /// Everything is there again: what was forgotten, or what was emptied and behind it what was written
    /// since. The latter not while a transaction is open; whether it was done.
    pub(super) fn bring_back(&mut self) -> bool {
        if self.aside.is_empty() {
            self.start = 0;
            return true;
        }
        if !self.open.is_empty() {
            return false;
        }
        self.start = 0;
        let since = std::mem::take(&mut self.entries);
        self.entries = std::mem::take(&mut self.aside);
        self.entries.extend(since);
        true
    }

    /// Of every key only the newest committed record stays, and a tombstone for no longer than `keep_micros`
    /// after what it deletes has gone. Offsets stay as they are.
    pub(super) fn compact(&mut self, now: i64, keep_micros: i64) {
        let stable = self.stable_end() as usize;
        let Self { entries, aborted, .. } = self;
        let is_aborted = |entry: &Entry| entry.transaction.is_some_and(|it| aborted.contains(&it));
        let mut newest = HashMap::new();
        for (index, entry) in entries[..stable].iter().enumerate() {
            if let Some(key) = entry.record.as_ref().and_then(|record| record.key.clone())
                && !is_aborted(entry)
            {
                newest.insert(key, index);
            }
        }
        for (index, entry) in entries[..stable].iter_mut().enumerate() {
            let Some(record) = &entry.record else { continue };
            let is_newest = record.key.as_ref().is_none_or(|key| newest.get(key) == Some(&index));
            let is_over = record.value.is_none() && *entry.expires_at.get_or_insert(now + keep_micros) <= now;
            if !is_newest || is_over {
                entry.record = None;
            }
        }
    }

    /// Makes a batch of the entries at these offsets that cannot be decompressed.
    pub(super) fn spoil(&mut self, first: i64, next: i64) {
        self.spoiled.push((first, next));
    }

    /// The batch at `offset`, if it is one that cannot be decompressed.
    pub(super) fn spoiled_at(&self, offset: i64) -> Option<(i64, i64)> {
        self.spoiled.iter().copied().find(|(first, next)| (*first..*next).contains(&offset))
    }

    /// Whether a read may begin at `offset`.
    pub(super) fn holds(&self, offset: i64) -> bool {
        (self.start..=self.end()).contains(&offset)
    }

    /// Up to `max` committed records from `offset` on, and the offset up to which that was read.
    pub(super) fn read(&self, at: &TopicPartition, offset: i64, max: usize) -> (Vec<Record>, i64) {
        let mut records = Vec::new();
        let mut next = offset;
        while next < self.stable_end() && self.spoiled_at(next).is_none() {
            let entry = &self.entries[next as usize];
            let aborted = entry.transaction.is_some_and(|it| self.aborted.contains(&it));
            if let (Some(record), false) = (&entry.record, aborted) {
                if records.len() == max {
                    break;
                }
                records.push(record_at(at, next, record));
            }
            next += 1;
        }
        (records, next)
    }

    /// The first offset of a record at or after this time, or the end.
    pub(super) fn offset_at(&self, timestamp_ms: i64) -> i64 {
        let mut entries = self.entries.iter().enumerate().skip(self.start as usize);
        let is_it = |it: &Entry| it.record.as_ref().is_some_and(|it| it.timestamp_ms >= timestamp_ms);
        entries.find(|(_, it)| is_it(it)).map_or_else(|| self.end(), |(index, _)| index as i64)
    }
}

fn record_at(at: &TopicPartition, offset: i64, record: &Plain) -> Record {
    Record {
        topic: Arc::clone(&at.topic),
        partition: at.partition,
        offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    }
}
