//! The transactional log: Kafka as the runtime sees it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::roster::RosterEntry;

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's full name, prefix included.
    pub topic: Arc<str>,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The topic it stands in.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The record's own timestamp, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Its key, if it has one.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers in order.
    pub headers: Vec<(String, Bytes)>,
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic's full name.
    pub topic: Arc<str>,
    /// The partition, chosen by the caller.
    pub partition: i32,
    /// The key, if it has one.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The record's timestamp, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Headers in order.
    pub headers: Vec<(String, Bytes)>,
}

/// Most bytes that a record may come to for every log to take it, as [`Outgoing::size_bytes`] counts. Kafka refuses
/// batches above `max.message.bytes` of their topic, 1,048,588 unless it is set, and a record may travel alone.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// What a batch of Kafka's has before its records, in bytes.
const BATCH_HEADER_BYTES: usize = 61;
/// What a record has beside key, value and headers at most: its length, attributes, distance in time and offset, the
/// lengths of key and value, and the number of headers.
const RECORD_FRAME_BYTES: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;
/// The length before each of a header's two parts, at most.
const LENGTH_BYTES: usize = 5;

/// What a record comes to, at most, when it is written alone and does not compress, in bytes.
#[must_use]
pub fn size_bytes(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(String, Bytes)]) -> usize {
    let of_headers: usize =
        headers.iter().map(|(name, value)| name.len() + value.len() + 2 * LENGTH_BYTES).sum();
    let (key, value) = (key.map_or(0, <[u8]>::len), value.map_or(0, <[u8]>::len));
    BATCH_HEADER_BYTES + RECORD_FRAME_BYTES + key + value + of_headers
}

impl Outgoing {
    /// What it comes to, at most, when it is written alone and does not compress, in bytes. Whether something can be
    /// written must not hang on how well it happens to compress, nor on what stands beside it in a batch.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_bytes(self.key.as_deref(), self.value.as_deref(), &self.headers)
    }
}

/// A batch that becomes visible as a whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Records, in order.
    pub records: Vec<Outgoing>,
    /// The next offset to read of every input that was consumed.
    pub offsets: BTreeMap<TopicPartition, i64>,
}

impl Transaction {
    /// Forgets all, and keeps the room.
    pub fn clear(&mut self) {
        self.records.clear();
        self.offsets.clear();
    }
}

/// How long the parts of a transaction took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitTiming {
    /// From its begin until all its records were acknowledged.
    pub write: Duration,
    /// From then on until it was committed.
    pub commit: Duration,
}

/// Configuration of a topic by its keys, as the broker names them.
pub type TopicConfig = BTreeMap<String, String>;

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record there is.
    Beginning,
    /// At this offset; if the log no longer holds it, [`LogFault::OutOfRange`].
    Offset(i64),
    /// Behind the newest record.
    End,
}

/// What went wrong with the log. A fault is never an answer to a command.
#[derive(Debug, Error)]
pub enum LogFault {
    /// Another instance owns the partition now; this one must let go.
    #[error("{step}: fenced, another instance owns the partition now")]
    Fenced {
        /// What was being done.
        step: &'static str,
    },
    /// The log cannot be reached or refuses for now; trying again may help.
    #[error("{step}: {message}")]
    Unavailable {
        /// What was being done.
        step: &'static str,
        /// What the client said.
        message: String,
    },
    /// The topic or partition does not exist.
    #[error("topic {topic} does not exist; create it with `millrace topics apply`")]
    NoSuchTopic {
        /// The topic.
        topic: String,
    },
    /// The log no longer (or not yet) holds the offset asked for.
    #[error("{partition} does not hold offset {offset}")]
    OutOfRange {
        /// Where.
        partition: TopicPartition,
        /// The offset asked for.
        offset: i64,
    },
    /// A batch that is there and that no client can take apart: its compression is broken, or it comes to more than
    /// a client takes.
    #[error("{partition} holds a batch at offset {offset} that cannot be decompressed: {message}")]
    Undecodable {
        /// Where.
        partition: TopicPartition,
        /// The offset of its first record, which may lie before the one asked for.
        offset: i64,
        /// What the client said.
        message: String,
    },
    /// A record is refused for good, for instance as too large.
    #[error("{step}: refused for good: {message}")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// What the client said.
        message: String,
    },
}

/// Reads committed records of some partitions in their order.
pub trait Reader: Send {
    /// Up to `max` records; waits up to `wait` for the first, never longer once there is
    /// one. Records of one partition come in order.
    ///
    /// # Errors
    /// [`LogFault`]; the reader may be polled again after `Unavailable`. `Undecodable` comes again until the reader is
    /// elsewhere; what stands before it has been given.
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Record>, LogFault>;

    /// The offset up to which (exclusive) `partition` has been read, markers of transactions
    /// and aborted records included: at the end of the partition it is its high watermark,
    /// unless a transaction is still open.
    fn position(&self, partition: &TopicPartition) -> i64;

    /// Begins again at `offset`.
    ///
    /// # Errors
    /// [`LogFault::Unavailable`].
    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogFault>;

    /// Stops (`true`) or goes on delivering records of `partition`.
    ///
    /// # Errors
    /// [`LogFault::Unavailable`].
    fn pause(&mut self, partition: &TopicPartition, paused: bool) -> Result<(), LogFault>;
}

/// Writes batches all or nothing, under one transactional id.
///
/// One batch at a time: `submit` starts it and `settle` waits for its end, so that the
/// caller can decide the next batch meanwhile.
pub trait TransactionalWriter: Send {
    /// Ends what a predecessor of the same transactional id left open, and fences it off.
    /// Call it before the first batch, and again after a fault.
    ///
    /// # Errors
    /// [`LogFault::Unavailable`].
    fn fence(&mut self) -> Result<(), LogFault>;

    /// Starts writing and committing `batch`.
    ///
    /// # Errors
    /// [`LogFault`]; then nothing of the batch will be visible.
    fn submit(&mut self, batch: Transaction) -> Result<(), LogFault>;

    /// Waits up to `wait` for the batch submitted last. `true` when it is committed, or
    /// when there is none; `false` when it still runs.
    ///
    /// # Errors
    /// [`LogFault`]; the batch was aborted, or its fate is known only after `fence`: see
    /// [`TransactionalWriter::is_clean`].
    fn settle(&mut self, wait: Duration) -> Result<bool, LogFault>;

    /// Whether it is certain, after a fault, that nothing of the batch will ever be visible, and that another
    /// may be submitted without a fence. Only `true` while no other writer has fenced this one off, as far as
    /// the log has said: whoever has finds out with the next batch.
    fn is_clean(&self) -> bool {
        false
    }

    /// The batch that was settled last, so that its room can be used again; once, and where the
    /// adapter still has it.
    fn give_back(&mut self) -> Option<Transaction> {
        None
    }

    /// How long the batch took that was settled last, where the adapter knows.
    fn timing(&self) -> Option<CommitTiming> {
        None
    }
}

/// Writes records outside transactions. Implementations are shared between threads.
pub trait Appender: Send + Sync {
    /// Writes `records`, those of a partition in their order, and returns when all of them are there to be read.
    ///
    /// # Errors
    /// [`LogFault`]; some of them may be there, of each partition the first ones. Whoever tries again may leave records twice.
    fn append(&self, records: Vec<Outgoing>) -> Result<(), LogFault>;
}

/// A change in what this member of a group may work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// These partitions of the group's topic are this member's now.
    Assigned(Vec<i32>),
    /// These are to be given up: finish or drop what is under way, then call
    /// [`Group::release`]; another member gets them after that.
    Revoked(Vec<i32>),
    /// These are lost already; drop what is under way.
    Lost(Vec<i32>),
}

/// How to join a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// The group's id, prefix included.
    pub group_id: String,
    /// The topic whose partitions are dealt out.
    pub topic: Arc<str>,
    /// How long a silent member is taken for alive.
    pub session_timeout: Duration,
}

/// Membership in a consumer group that deals out the partitions of one topic.
///
/// The group only says who owns what and keeps offsets, of any topic; records are read
/// through [`Log::reader`] from the offsets it keeps. What a member leaves behind is dealt out as
/// [`crate::roster::heirs`] says.
pub trait Group: Send + Sync {
    /// The next change of ownership, waiting up to `wait`. Must be called often: a member
    /// that is not heard of for the session timeout loses its partitions.
    ///
    /// # Errors
    /// [`LogFault`].
    fn poll(&self, wait: Duration) -> Result<Option<GroupEvent>, LogFault>;

    /// Lets go of revoked partitions.
    ///
    /// # Errors
    /// [`LogFault`].
    fn release(&self, partitions: &[i32]) -> Result<(), LogFault>;

    /// Lends revoked partitions to whoever gets them next: other members are dealt them at once, and
    /// batches of this member go on being committed for them until the next owner has fenced off
    /// their transactional id. So a partition moves without standing still while its new owner
    /// warms up. Offsets outside a transaction are refused from now on.
    ///
    /// # Errors
    /// [`LogFault`].
    fn hand_over(&self, partitions: &[i32]) -> Result<(), LogFault>;

    /// Leaves the group at once and lends all that this member owns, as [`Group::hand_over`]: batches
    /// are committed until their transactional ids are fenced off by the next owners. There must be
    /// other members; nobody else ends what this one goes on doing.
    fn retire(&self);

    /// All members of the group and what they own, as the broker knows it now. While partitions are
    /// being dealt out, members may be shown without any.
    ///
    /// # Errors
    /// [`LogFault`].
    fn roster(&self) -> Result<Vec<RosterEntry>, LogFault>;

    /// The committed next offsets of `partitions`, once no transaction on them is open;
    /// those without one are left out.
    ///
    /// # Errors
    /// [`LogFault`].
    fn committed(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogFault>;

    /// Commits next offsets outside a transaction.
    ///
    /// # Errors
    /// [`LogFault::Fenced`] when this member does not own the partitions any more.
    fn commit(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault>;

    /// A writer whose transactions carry this group's offsets and are refused when this
    /// member has been replaced.
    ///
    /// # Errors
    /// [`LogFault`].
    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault>;

    /// Leaves the group at once, so that others need not wait for a timeout.
    fn leave(&self);
}

/// A connection to the log.
pub trait Log: Send + Sync {
    /// Joins a consumer group.
    ///
    /// # Errors
    /// [`LogFault`].
    fn join(&self, spec: &GroupSpec) -> Result<Box<dyn Group>, LogFault>;

    /// A writer that belongs to no group: its batches carry no offsets, so the transactional id
    /// alone says who may write.
    ///
    /// # Errors
    /// [`LogFault`].
    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault>;

    /// Reads committed records of `partitions`, each from its start.
    ///
    /// # Errors
    /// [`LogFault`].
    fn reader(&self, partitions: &[(TopicPartition, Start)]) -> Result<Box<dyn Reader>, LogFault>;

    /// A writer of records outside transactions.
    ///
    /// # Errors
    /// [`LogFault`].
    fn appender(&self) -> Result<Arc<dyn Appender>, LogFault>;

    /// The high watermark of a partition as a read-uncommitted query sees it.
    ///
    /// # Errors
    /// [`LogFault`].
    fn high_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault>;

    /// Up to where (exclusive) committed reads of a partition come: its high watermark, or the first
    /// offset of the oldest transaction that is still open. A log on which nobody leaves a
    /// transaction open need not tell them apart.
    ///
    /// # Errors
    /// [`LogFault`].
    fn last_stable_offset(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.high_watermark(partition)
    }

    /// The oldest offset the partition still holds.
    ///
    /// # Errors
    /// [`LogFault`].
    fn low_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault>;

    /// Deletes for good what each of some partitions holds before an offset. An offset that a partition
    /// does not hold any more deletes nothing there.
    ///
    /// # Errors
    /// Of the first partition that is in trouble; in others it may be done all the same.
    /// [`LogFault::Refused`] without the right to delete, or where nothing but compaction may delete;
    /// [`LogFault::OutOfRange`] for an offset behind the end.
    fn delete_before(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault>;

    /// The first offset whose record's timestamp is at or after `timestamp_ms`, or the end.
    ///
    /// # Errors
    /// [`LogFault`].
    fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<i64, LogFault>;

    /// The offset behind the batch that begins at `offset` and cannot be decompressed: where reading can go on.
    ///
    /// # Errors
    /// [`LogFault::Unavailable`], also where it cannot be found out.
    fn batch_end(&self, partition: &TopicPartition, offset: i64) -> Result<i64, LogFault> {
        let message =
            format!("this log cannot tell how far the batch of {partition} at offset {offset} reaches");
        Err(LogFault::Unavailable { step: "look behind a batch", message })
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// [`LogFault::NoSuchTopic`] and others.
    fn partitions(&self, topic: &str) -> Result<i32, LogFault>;

    /// The configuration of topics, as the broker names it, defaults included; nothing of a topic of
    /// which there is nothing to configure.
    ///
    /// # Errors
    /// [`LogFault::Refused`] without the right to ask, and others.
    fn topic_configs(&self, topics: &[Arc<str>]) -> Result<BTreeMap<Arc<str>, TopicConfig>, LogFault> {
        let _ = topics;
        Ok(BTreeMap::new())
    }
}
