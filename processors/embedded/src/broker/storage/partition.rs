//! A partition: a log behind one lock, and those who wait for it to grow.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::Notify;

use super::batch::{self, BatchHeader};
use super::fault::WriteFailed;
use super::flusher::Flusher;
use super::halt::Halt;
use super::log::Log;
use super::producers::{AbortedTxn, Admission};
use super::read::read_batches;
use super::room::Room;
use crate::broker::config::TopicSettings;
use crate::broker::util::{lock, now_ms};

/// One partition of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    pub topic: String,
    pub index: i32,
    log: Mutex<Log>,
    waiters: Mutex<Vec<Arc<Notify>>>,
    flusher: Arc<Flusher>,
    /// Set when the topic is deleted: those who still hold the partition must not write to it.
    pub deleted: AtomicBool,
}

/// The answer to a produced batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Produced {
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start: i64,
}

/// What a fetch finds in a partition.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub records: Bytes,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start: i64,
    pub aborted: Vec<AbortedTxn>,
}

impl Partition {
    pub fn new(topic: &str, index: i32, log: Log, flusher: Arc<Flusher>) -> Self {
        Self {
            topic: topic.to_owned(),
            index,
            log: Mutex::new(log),
            waiters: Mutex::new(Vec::new()),
            flusher,
            deleted: AtomicBool::new(false),
        }
    }

    /// Ends all acceptance, of every partition.
    pub fn halt(&self) -> &Halt {
        self.flusher.halt()
    }

    /// Whether the disk takes writes, of every partition.
    pub fn room(&self) -> &Room {
        self.flusher.room()
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    /// Has `waiter` notified at the next append.
    pub fn wait(&self, waiter: &Arc<Notify>) {
        lock(&self.waiters).push(Arc::clone(waiter));
    }

    /// Takes a waiter back whose fetch was answered without this partition.
    pub fn forget_waiter(&self, waiter: &Arc<Notify>) {
        lock(&self.waiters).retain(|known| !Arc::ptr_eq(known, waiter));
    }

    pub fn wake(&self) {
        for waiter in lock(&self.waiters).drain(..) {
            waiter.notify_one();
        }
    }

    /// Appends a batch that a client sent, or finds that it is there already.
    pub fn produce(
        &self,
        bytes: &[u8],
        header: &BatchHeader,
        settings: &TopicSettings,
    ) -> Result<Produced, ResponseError> {
        let now = now_ms();
        self.halt().check().map_err(|error| self.storage_failed("append to", &error))?;
        let mut log = self.log();
        if self.deleted.load(Ordering::Acquire) {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        match log.producers.admit(header)? {
            Admission::Duplicate { base_offset, timestamp_ms } => {
                return Ok(Produced {
                    base_offset,
                    log_append_time_ms: timestamp_ms,
                    log_start: log.log_start,
                });
            }
            Admission::Append => {}
        }
        let appended = log
            .append(bytes, header, settings, now)
            .map_err(|error| self.write_failed("append to", bytes.len(), error))?;
        let log_start = log.log_start;
        self.flusher.dirty(&log.active().file);
        drop(log);
        self.wake();
        Ok(Produced {
            base_offset: appended.base_offset,
            log_append_time_ms: if settings.log_append_time { now } else { -1 },
            log_start,
        })
    }

    /// Ends a producer's transaction here. Does nothing when none is open, so that it can be repeated
    /// after a crash.
    pub fn end_transaction(
        &self,
        producer_id: i64,
        epoch: i16,
        commit: bool,
        settings: &TopicSettings,
    ) -> Result<(), ResponseError> {
        let now = now_ms();
        self.halt().check().map_err(|error| self.storage_failed("append a marker to", &error))?;
        let mut log = self.log();
        if self.deleted.load(Ordering::Acquire) {
            return Ok(());
        }
        // Nothing of the producer is undecided here. A late write of an older epoch cannot open
        // anything either: every transactional batch is checked against the coordinator.
        if log.producers.open_since(producer_id).is_none() {
            return Ok(());
        }
        let bytes = batch::control_batch(producer_id, epoch, commit, now);
        let Some(header) = BatchHeader::parse(&bytes) else {
            return Err(ResponseError::UnknownServerError);
        };
        log.append(&bytes, &header, settings, now)
            .map_err(|error| self.write_failed("append a marker to", bytes.len(), error))?;
        self.flusher.dirty(&log.active().file);
        drop(log);
        self.wake();
        Ok(())
    }

    /// Notes that a write of so many bytes failed, and halts when its effect is unknown.
    pub fn write_failed(&self, action: &str, bytes: usize, error: WriteFailed) -> ResponseError {
        match error {
            WriteFailed::TakenBack(error) => {
                self.room().refused(format_args!("{action} {}/{}", self.topic, self.index), bytes, &error);
                ResponseError::KafkaStorageError
            }
            WriteFailed::Unknown(error) => {
                self.halt().now(format!("a write to {}/{} that failed", self.topic, self.index), error);
                ResponseError::KafkaStorageError
            }
        }
    }

    fn storage_failed(&self, action: &str, error: &io::Error) -> ResponseError {
        tracing::error!(topic = self.topic, partition = self.index, %error, "cannot {action} the log");
        ResponseError::KafkaStorageError
    }

    /// Reads for a fetch.
    pub fn fetch(
        &self,
        offset: i64,
        max_bytes: usize,
        committed: bool,
        at_least_one: bool,
    ) -> Result<Fetched, ResponseError> {
        let (mut plan, mut fetched, limit) = {
            let log = self.log();
            let next = log.next_offset();
            if offset < log.log_start || offset > next {
                return Err(ResponseError::OffsetOutOfRange);
            }
            let stable = log.last_stable_offset();
            let limit = if committed { stable } else { next };
            let fetched = Fetched {
                records: Bytes::new(),
                high_watermark: next,
                last_stable_offset: stable,
                log_start: log.log_start,
                aborted: Vec::new(),
            };
            let plan = if offset < limit { log.plan_read(offset) } else { None };
            (plan, fetched, limit)
        };
        while let Some(current) = plan {
            fetched.records = read_batches(&current, offset, limit, max_bytes, at_least_one)
                .map_err(|error| self.storage_failed("read", &error))?;
            if !fetched.records.is_empty() {
                break;
            }
            plan = match current.next_segment {
                Some(next) if next < limit => self.log().plan_read(next),
                _ => None,
            };
        }
        if committed && !fetched.records.is_empty() {
            let to = next_offset_after(&fetched.records).unwrap_or(limit);
            fetched.aborted = self.log().producers.aborted_between(offset, to);
        }
        Ok(fetched)
    }
}

fn next_offset_after(records: &[u8]) -> Option<i64> {
    let mut rest = records;
    let mut next = None;
    while let Some(header) = BatchHeader::parse(rest) {
        next = Some(header.last_offset().saturating_add(1));
        rest = rest.get(header.total_len()..)?;
    }
    next
}
