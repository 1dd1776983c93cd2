//! One record, committed or not: what an open transaction has written is delivered to nobody who reads what is committed.

use std::time::Instant;

use millrace_ports::{LogFault, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::KafkaConfig;
use crate::diary::{self, Diary};
use crate::fault::Step;
use crate::native::{ConsumerQueue, Seen};
use crate::reaper::reap;

/// What is being done, for faults.
const STEP: &str = "look at a record that is not committed";

/// The timestamp of the first record at or behind `offset`.
pub(crate) fn written_at(
    config: &KafkaConfig,
    at: &TopicPartition,
    offset: i64,
) -> Result<Option<i64>, LogFault> {
    let step = Step { step: STEP, bootstrap: &config.bootstrap, topic: Some(&at.topic) };
    let consumer: BaseConsumer<Diary> =
        config.prober().create_with_context(Diary::default()).map_err(|error| step.fault(&error, None))?;
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&at.topic, at.partition, Offset::Offset(offset))
        .and_then(|()| consumer.assign(&list))
        .map_err(|error| step.fault(&error, None))?;
    let found = ConsumerQueue::of(consumer.client().native_ptr())
        .ok_or_else(|| step.unavailable("the client has no queue", None))
        .and_then(|queue| first(&queue, config, at, offset));
    reap(consumer);
    found
}

fn first(
    queue: &ConsumerQueue,
    config: &KafkaConfig,
    at: &TopicPartition,
    offset: i64,
) -> Result<Option<i64>, LogFault> {
    let deadline = Instant::now() + config.request_timeout;
    let mut complaint = "no answer".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let message = format!("{at} offset {offset}: {complaint}");
            return Err(LogFault::Unavailable { step: STEP, message });
        }
        let Some(event) = queue.poll(left) else { continue };
        match event.seen() {
            Seen::Record(record) => return Ok(Some(record.timestamp_ms)),
            Seen::Error { code: Code::PartitionEOF | Code::OffsetOutOfRange, .. } => return Ok(None),
            Seen::Error { message, .. } => complaint = message,
            Seen::Log(level, facility, line) => diary::write(level, &facility, &line),
            Seen::Other => {}
        }
    }
}
