//! What a system has answered, as numbers: two that did the same work give the same ones.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use millrace_kernel::Datum;
use millrace_kernel::{Event, Metadata, Outcome, Position, Status};
use millrace_wire::{Codec, DecodeFailure};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use crate::error::{Failure, kafka};
use crate::servers::Servers;

/// Longest silence in a topic that has not ended.
const SILENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Digest {
    records: u64,
    bytes: u64,
    sum: u64,
}

impl Digest {
    /// Takes in what a record says; the order does not matter.
    fn take(&mut self, text: &str, bytes: usize) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.records += 1;
        self.bytes += bytes as u64;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    fn report(&self) -> serde_json::Value {
        let mean = self.bytes as f64 / self.records.max(1) as f64;
        json!({ "records": self.records, "mean_bytes": mean.round(), "digest": format!("{:016x}", self.sum) })
    }
}

/// Reads all committed outcomes and events. Times, and names that hold the prefix, are left out.
///
/// # Errors
/// Servers that do not answer, and records that cannot be read.
pub fn condense(servers: &Servers) -> Result<serde_json::Value, Failure> {
    let (mut accepted, mut rejected) = (0_u64, 0_u64);
    let mut outcomes = Digest::default();
    let codec = servers.outcomes()?;
    read(servers, "outcomes", &codec, |outcome: Outcome, bytes| {
        match outcome.status {
            Status::Accepted => accepted += 1,
            Status::Rejected => rejected += 1,
        }
        let positions: Vec<Position> =
            outcome.positions.into_iter().map(|at| Position { topic: String::new().into(), ..at }).collect();
        // who has it whole in a repeated answer knows no less
        let digest = outcome.digest.map(millrace_kernel::Digest::short);
        outcomes.take(&format!("{:?}", Outcome { positions, recorded_at: 0, digest, ..outcome }), bytes);
    })?;
    let mut events = Digest::default();
    let codec = servers.events()?;
    read(servers, "events", &codec, |event: Event<_>, bytes| {
        let metadata = Metadata { issued_at: event.metadata.issued_at.map(|_| 0), ..event.metadata };
        events.take(&format!("{:?}", Event { recorded_at: 0, metadata, ..event }), bytes);
    })?;
    Ok(json!({
        "accepted": accepted, "rejected": rejected, "outcomes": outcomes.report(), "events": events.report(),
    }))
}

fn read<T: Datum>(
    servers: &Servers,
    suffix: &str,
    codec: &Codec<T>,
    mut take: impl FnMut(T, usize),
) -> Result<(), Failure> {
    let topic = servers.topic(suffix);
    let consumer = servers.consumer()?;
    let mut open: HashSet<i32> = (0..servers.partitions(&topic)?).collect();
    let mut list = TopicPartitionList::new();
    for partition in &open {
        list.add_partition_offset(&topic, *partition, Offset::Beginning).map_err(kafka("assign"))?;
    }
    consumer.assign(&list).map_err(kafka("assign"))?;
    while !open.is_empty() {
        match consumer.poll(SILENCE) {
            Some(Ok(message)) => {
                let value = message.payload().unwrap_or_default();
                take(codec.decode(value).map_err(|source| unreadable(&message, source))?, value.len());
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => return Err(kafka(format!("read {topic}"))(error)),
            None => {
                let why = format!("nothing came for {} s, and it has not ended", SILENCE.as_secs());
                return Err(Failure::Topic { topic, why });
            }
        }
    }
    Ok(())
}

fn unreadable(message: &BorrowedMessage<'_>, source: DecodeFailure) -> Failure {
    let (partition, offset) = (message.partition(), message.offset());
    Failure::Decode { topic: message.topic().to_owned(), partition, offset, source }
}
