//! What a partition knows of its producers: epochs, the last sequences, open and aborted
//! transactions. A fold of the partition's batches, with snapshots so that a start is quick.

use std::collections::{BTreeMap, HashMap, VecDeque};

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};

use super::batch::{BatchHeader, add_sequence};

/// Batches remembered per producer to recognise repeats; clients keep at most five in flight.
const REMEMBERED_BATCHES: usize = 5;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SequencedBatch {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    timestamp_ms: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    batches: VecDeque<SequencedBatch>,
    open_since: Option<i64>,
    last_timestamp_ms: i64,
}

/// A transaction that was aborted: readers of committed data skip the producer's records from
/// `first_offset` up to the marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AbortedTxn {
    pub producer_id: i64,
    pub first_offset: i64,
    pub marker_offset: i64,
}

/// What is to be done with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// New: append it.
    Append,
    /// Seen before: answer with the place it has.
    Duplicate {
        /// Where the first copy begins.
        base_offset: i64,
        /// The time the first copy was given.
        timestamp_ms: i64,
    },
}

/// What `DescribeProducers` tells of a producer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProducerSummary {
    pub producer_id: i64,
    pub epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp_ms: i64,
    pub open_since: Option<i64>,
}

/// The producers of one partition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Producers {
    producers: HashMap<i64, Producer>,
    aborted: Vec<AbortedTxn>,
    #[serde(skip)]
    open: BTreeMap<i64, i64>,
}

impl Producers {
    /// Restores what serialisation leaves out.
    pub fn relinked(mut self) -> Self {
        self.open = self
            .producers
            .iter()
            .filter_map(|(id, producer)| producer.open_since.map(|offset| (offset, *id)))
            .collect();
        self
    }

    /// Decides about a client's batch without changing anything.
    pub fn admit(&self, header: &BatchHeader) -> Result<Admission, ResponseError> {
        if header.producer_id < 0 {
            return Ok(Admission::Append);
        }
        let Some(producer) = self.producers.get(&header.producer_id) else {
            // Nothing is known, perhaps because it was long ago: any sequence may start.
            return Ok(Admission::Append);
        };
        if header.producer_epoch < producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 {
                Ok(Admission::Append)
            } else {
                Err(ResponseError::OutOfOrderSequenceNumber)
            };
        }
        let repeated = producer.batches.iter().find(|batch| {
            batch.first_sequence == header.base_sequence && batch.last_sequence == header.last_sequence()
        });
        if let Some(batch) = repeated {
            return Ok(Admission::Duplicate {
                base_offset: batch.base_offset,
                timestamp_ms: batch.timestamp_ms,
            });
        }
        let expected = producer.batches.back().map_or(0, |b| add_sequence(b.last_sequence, 1));
        if header.base_sequence != expected {
            return Err(ResponseError::OutOfOrderSequenceNumber);
        }
        if producer.open_since.is_some() && !header.is_transactional() {
            return Err(ResponseError::InvalidTxnState);
        }
        Ok(Admission::Append)
    }

    /// Takes note of an appended batch; `commit` says what a control batch decided.
    pub fn appended(&mut self, header: &BatchHeader, commit: Option<bool>) {
        if header.producer_id < 0 {
            return;
        }
        let producer = self.producers.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            batches: VecDeque::new(),
            open_since: None,
            last_timestamp_ms: header.max_timestamp,
        });
        if header.producer_epoch != producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer.last_timestamp_ms = header.max_timestamp;
        if header.is_control() {
            let Some(commit) = commit else { return };
            let Some(first_offset) = producer.open_since.take() else { return };
            self.open.remove(&first_offset);
            if !commit {
                self.aborted.push(AbortedTxn {
                    producer_id: header.producer_id,
                    first_offset,
                    marker_offset: header.base_offset,
                });
            }
            return;
        }
        producer.batches.push_back(SequencedBatch {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp_ms: if header.is_log_append_time() { header.max_timestamp } else { -1 },
        });
        while producer.batches.len() > REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        if header.is_transactional() && producer.open_since.is_none() {
            producer.open_since = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
    }

    /// The offset of the oldest open transaction's first record.
    pub fn first_unstable(&self) -> Option<i64> {
        self.open.first_key_value().map(|(offset, _)| *offset)
    }

    /// Where the producer's open transaction began.
    pub fn open_since(&self, producer_id: i64) -> Option<i64> {
        self.producers.get(&producer_id)?.open_since
    }

    /// Producers with an open transaction.
    pub fn open_producers(&self) -> impl Iterator<Item = i64> {
        self.open.values().copied()
    }

    /// The newest epoch seen of a producer.
    pub fn epoch(&self, producer_id: i64) -> Option<i16> {
        self.producers.get(&producer_id).map(|producer| producer.epoch)
    }

    /// Aborted transactions that reach into `from..to`.
    pub fn aborted_between(&self, from: i64, to: i64) -> Vec<AbortedTxn> {
        let start = self.aborted.partition_point(|txn| txn.marker_offset < from);
        self.aborted[start..].iter().filter(|txn| txn.first_offset < to).copied().collect()
    }

    /// All aborted transactions, oldest marker first.
    pub fn aborted(&self) -> &[AbortedTxn] {
        &self.aborted
    }

    /// Forgets aborted transactions whose markers are gone from the log.
    pub fn forget_aborted(&mut self, gone: impl Fn(&AbortedTxn) -> bool) {
        self.aborted.retain(|txn| !gone(txn));
    }

    /// Forgets producers that have been silent since `before_ms` and have nothing open.
    pub fn forget_silent(&mut self, before_ms: i64) {
        self.producers.retain(|_, p| p.open_since.is_some() || p.last_timestamp_ms >= before_ms);
    }

    /// The producers, for `DescribeProducers`.
    pub fn summaries(&self) -> impl Iterator<Item = ProducerSummary> {
        self.producers.iter().map(|(id, producer)| ProducerSummary {
            producer_id: *id,
            epoch: producer.epoch,
            last_sequence: producer.batches.back().map_or(-1, |batch| batch.last_sequence),
            last_timestamp_ms: producer.last_timestamp_ms,
            open_since: producer.open_since,
        })
    }
}
