//! Topics, transactions and groups: what stands behind the log's one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_ports::log::size_bytes;
use millrace_ports::{GroupSpec, LogFault, Record, TopicPartition, Transaction};
use millrace_runtime::planted::{self, Bug};

use super::members::{Claim, Members};
use super::partition::{Partition, TransactionNumber};
use super::{Plain, micros};

/// All state.
#[derive(Debug)]
pub(super) struct Broker {
    topics: BTreeMap<Arc<str>, Vec<Partition>>,
    compacted: BTreeMap<Arc<str>, Compaction>,
    pub(super) groups: BTreeMap<String, GroupState>,
    producers: BTreeMap<String, Producer>,
    last_transaction: TransactionNumber,
    /// Decided, but not written to the partitions yet.
    ending: Vec<(String, OpenTransaction, bool)>,
    /// Of topics that have none of their own.
    pub(super) max_record_bytes: usize,
    pub(super) max_topic_bytes: BTreeMap<Arc<str>, usize>,
    pub(super) transaction_timeout_micros: i64,
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            topics: BTreeMap::new(),
            compacted: BTreeMap::new(),
            groups: BTreeMap::new(),
            producers: BTreeMap::new(),
            last_transaction: 0,
            ending: Vec::new(),
            // as Kafka's max.message.bytes
            max_record_bytes: 1_048_588,
            max_topic_bytes: BTreeMap::new(),
            transaction_timeout_micros: 10_000_000,
        }
    }
}

/// How a topic is compacted.
#[derive(Debug)]
struct Compaction {
    /// How long tombstones stay.
    keep_micros: i64,
    next_at: i64,
}

/// How many times a topic is compacted while a tombstone lives.
const COMPACTIONS: i64 = 8;

/// A group: who is in it, and its offsets.
#[derive(Debug, Default)]
pub(super) struct GroupState {
    pub(super) members: Members,
    pub(super) offsets: BTreeMap<TopicPartition, i64>,
}

#[derive(Debug, Default)]
struct Producer {
    epoch: u64,
    open: Option<OpenTransaction>,
}

#[derive(Debug)]
struct OpenTransaction {
    number: TransactionNumber,
    touched: BTreeSet<TopicPartition>,
    group: String,
    offsets: BTreeMap<TopicPartition, i64>,
    since_micros: i64,
}

/// Who commits for whom.
pub(super) struct Committing<'a> {
    pub(super) id: &'a str,
    pub(super) epoch: u64,
    pub(super) group: &'a str,
    pub(super) member: u64,
    pub(super) claim: &'a Claim,
}

impl Broker {
    pub(super) fn create_topic(&mut self, name: &str, partitions: i32) {
        let fresh = || (0..partitions).map(|_| Partition::default()).collect();
        self.topics.entry(name.into()).or_insert_with(fresh);
    }

    pub(super) fn compact_topic(&mut self, name: &str, keep_micros: i64) {
        self.compacted.insert(name.into(), Compaction { keep_micros, next_at: 0 });
    }

    pub(super) fn partitions(&self, topic: &str) -> Result<i32, LogFault> {
        let found = self.topics.get(topic).map(|it| it.len() as i32);
        found.ok_or_else(|| LogFault::NoSuchTopic { topic: topic.to_owned() })
    }

    pub(super) fn partition(&self, at: &TopicPartition) -> Result<&Partition, LogFault> {
        let found = self.topics.get(&at.topic).and_then(|it| it.get(usize::try_from(at.partition).ok()?));
        found.ok_or_else(|| LogFault::NoSuchTopic { topic: at.to_string() })
    }

    pub(super) fn partition_mut(&mut self, at: &TopicPartition) -> Result<&mut Partition, LogFault> {
        let found =
            self.topics.get_mut(&at.topic).and_then(|it| it.get_mut(usize::try_from(at.partition).ok()?));
        found.ok_or_else(|| LogFault::NoSuchTopic { topic: at.to_string() })
    }

    pub(super) fn append(&mut self, at: &TopicPartition, record: Plain) -> Result<i64, LogFault> {
        self.check_size(&at.topic, &record)?;
        Ok(self.partition_mut(at)?.append(record, None))
    }

    pub(super) fn committed_records(&self, topic: &str) -> Vec<Record> {
        let mut records = Vec::new();
        if let Some((name, partitions)) = self.topics.get_key_value(topic) {
            for (number, partition) in partitions.iter().enumerate() {
                let at = TopicPartition::new(name.clone(), number as i32);
                records.extend(partition.read(&at, 0, usize::MAX).0);
            }
        }
        records
    }

    pub(super) fn forget_offsets(&mut self, group: &str) {
        if let Some(group) = self.groups.get_mut(group) {
            group.offsets.clear();
        }
    }

    fn compact(&mut self, now: i64) {
        for (topic, compaction) in self.compacted.iter_mut().filter(|(_, it)| it.next_at <= now) {
            compaction.next_at = now + compaction.keep_micros / COMPACTIONS;
            for partition in self.topics.get_mut(topic).into_iter().flatten() {
                partition.compact(now, compaction.keep_micros);
            }
        }
    }

    /// Ends what has been silent for too long, and compacts what is to be compacted.
    pub(super) fn pass_time(&mut self, now: i64) {
        self.compact(now);
        for group in self.groups.values_mut() {
            group.members.expire(now);
        }
        let limit = self.transaction_timeout_micros;
        let mut overdue = Vec::new();
        for (id, producer) in &mut self.producers {
            if producer.open.as_ref().is_some_and(|it| now - it.since_micros > limit) {
                // as in Kafka, the owner is fenced off so that it cannot go on with half a batch
                producer.epoch += 1;
                overdue.extend(producer.open.take().map(|it| (id.clone(), it, false)));
            }
        }
        self.ending.extend(overdue);
    }

    /// Writes the markers that `now_for` lets pass, each of which makes visible there what it ends. The
    /// partitions of a transaction get theirs at different times, and so do its offsets.
    pub(super) fn write_markers(&mut self, mut now_for: impl FnMut(&str, Option<&TopicPartition>) -> bool) {
        for (id, mut transaction, committed) in std::mem::take(&mut self.ending) {
            for at in std::mem::take(&mut transaction.touched) {
                if !now_for(&id, Some(&at)) {
                    transaction.touched.insert(at);
                } else if let Ok(partition) = self.partition_mut(&at) {
                    partition.finish(transaction.number, committed);
                }
            }
            if !transaction.offsets.is_empty() && now_for(&id, None) {
                let offsets = std::mem::take(&mut transaction.offsets);
                if committed && let Some(group) = self.groups.get_mut(&transaction.group) {
                    group.offsets.extend(offsets);
                }
            }
            if !(transaction.touched.is_empty() && transaction.offsets.is_empty()) {
                self.ending.push((id, transaction, committed));
            }
        }
    }

    fn write_markers_of(&mut self, id: &str) {
        self.write_markers(|it, _| it == id);
    }

    /// A new epoch for `id`; what the old one left open is aborted.
    pub(super) fn fence(&mut self, id: &str) -> u64 {
        let producer = self.producers.entry(id.to_owned()).or_default();
        if producer.epoch > 0 && planted::is_on(Bug::FencingSkipped) {
            return producer.epoch;
        }
        producer.epoch += 1;
        let (epoch, open) = (producer.epoch, producer.open.take());
        self.ending.extend(open.map(|open| (id.to_owned(), open, false)));
        // a commit that was answered before is completed first
        self.write_markers_of(id);
        epoch
    }

    /// Writes a batch, not yet committed.
    pub(super) fn write(
        &mut self,
        id: &str,
        epoch: u64,
        group: &str,
        batch: Transaction,
        now: i64,
    ) -> Result<(), LogFault> {
        self.check_epoch(id, epoch, "write")?;
        for record in &batch.records {
            self.check_size(&record.topic, &record.into())?;
            self.partition(&TopicPartition::new(record.topic.clone(), record.partition))?;
        }
        // the same id's markers come before its next transaction
        self.write_markers_of(id);
        self.last_transaction += 1;
        let number = self.last_transaction;
        let mut touched = BTreeSet::new();
        for record in &batch.records {
            let at = TopicPartition::new(record.topic.clone(), record.partition);
            self.partition_mut(&at)?.append(record.into(), Some(number));
            touched.insert(at);
        }
        let open = OpenTransaction {
            number,
            touched,
            group: group.to_owned(),
            offsets: batch.offsets,
            since_micros: now,
        };
        if let Some(producer) = self.producers.get_mut(id) {
            producer.open = Some(open);
        }
        Ok(())
    }

    /// Commits what was written, or aborts it when that is not allowed any more.
    pub(super) fn commit(&mut self, by: &Committing<'_>) -> Result<(), LogFault> {
        self.check_epoch(by.id, by.epoch, "commit")?;
        let Some(open) = self.producers.get_mut(by.id).and_then(|it| it.open.take()) else { return Ok(()) };
        let holds = self.groups.get(by.group).is_some_and(|it| it.members.holds(by.member, by.claim));
        let allowed = open.offsets.is_empty() || holds;
        self.ending.push((by.id.to_owned(), open, allowed));
        if allowed { Ok(()) } else { Err(LogFault::Fenced { step: "commit offsets" }) }
    }

    /// Aborts what was written; whether `epoch` is still the one that may write.
    pub(super) fn abort(&mut self, id: &str, epoch: u64) -> bool {
        if self.check_epoch(id, epoch, "abort").is_err() {
            return false;
        }
        if let Some(open) = self.producers.get_mut(id).and_then(|it| it.open.take()) {
            self.ending.push((id.to_owned(), open, false));
        }
        true
    }

    /// Whether a transaction on one of these offsets is not over.
    pub(super) fn is_unstable(&self, group: &str, partitions: &[TopicPartition]) -> bool {
        let concerns = |it: &OpenTransaction| {
            it.group == group && partitions.iter().any(|at| it.offsets.contains_key(at))
        };
        self.ending.iter().any(|(_, it, _)| concerns(it))
            || self.producers.values().filter_map(|it| it.open.as_ref()).any(concerns)
    }

    pub(super) fn join(&mut self, spec: &GroupSpec, now: i64) -> Result<u64, LogFault> {
        let partitions = self.partitions(&spec.topic)?;
        let group = self.groups.entry(spec.group_id.clone()).or_default();
        Ok(group.members.join(partitions, micros(spec.session_timeout), now))
    }

    fn check_epoch(&self, id: &str, epoch: u64, step: &'static str) -> Result<(), LogFault> {
        match self.producers.get(id) {
            Some(producer) if producer.epoch == epoch => Ok(()),
            _ => Err(LogFault::Fenced { step }),
        }
    }

    fn check_size(&self, topic: &str, record: &Plain) -> Result<(), LogFault> {
        let size = size_bytes(record.key.as_deref(), record.value.as_deref(), &record.headers);
        let most = self.max_topic_bytes.get(topic).copied().unwrap_or(self.max_record_bytes);
        if size > most {
            let message = format!("topic {topic}: a record of {size} bytes, {most} are allowed");
            return Err(LogFault::Refused { step: "write", message });
        }
        Ok(())
    }
}
