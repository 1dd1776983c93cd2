//! What stands at one offset, committed or not: a look by a client of its own, to which nothing comes of any other look.

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

/// Reads at `offset` until `judge` has its answer; `step` says in faults what for.
///
/// # Errors
/// No answer within the time of a request, with the last complaint of the client.
pub(crate) fn at<T>(
    config: &KafkaConfig,
    step: &'static str,
    at: &TopicPartition,
    offset: i64,
    judge: impl Fn(&Seen<'_>) -> Option<T>,
) -> Result<T, LogFault> {
    let of_look = Step { step, bootstrap: &config.bootstrap, topic: Some(&at.topic) };
    let consumer: BaseConsumer<Diary> =
        config.prober().create_with_context(Diary::default()).map_err(|error| of_look.fault(&error, None))?;
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&at.topic, at.partition, Offset::Offset(offset))
        .and_then(|()| consumer.assign(&list))
        .map_err(|error| of_look.fault(&error, None))?;
    let found = ConsumerQueue::of(consumer.client().native_ptr())
        .ok_or_else(|| of_look.unavailable("the client has no queue", None))
        .and_then(|queue| {
            wait(&queue, Instant::now() + config.request_timeout, judge).map_err(|complaint| {
                LogFault::Unavailable { step, message: format!("{at} offset {offset}: {complaint}") }
            })
        });
    reap(consumer);
    found
}

/// Waits for what `judge` takes for an answer; the last complaint of the client when none comes.
fn wait<T>(
    queue: &ConsumerQueue,
    deadline: Instant,
    judge: impl Fn(&Seen<'_>) -> Option<T>,
) -> Result<T, String> {
    let mut complaint = "no answer".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(complaint);
        }
        let Some(event) = queue.poll(left) else { continue };
        let seen = event.seen();
        if let Some(found) = judge(&seen) {
            return Ok(found);
        }
        match seen {
            Seen::Error { message, .. } => complaint = message,
            Seen::Log(level, facility, line) => diary::write(level, &facility, &line),
            Seen::Record(_) | Seen::Other => {}
        }
    }
}

/// The timestamp of the first record at or behind `offset`, committed or not: what an open transaction has written is
/// delivered to nobody who reads what is committed. `None` where there is none.
///
/// # Errors
/// As [`at`].
pub(crate) fn written_at(
    config: &KafkaConfig,
    place: &TopicPartition,
    offset: i64,
) -> Result<Option<i64>, LogFault> {
    at(config, "look at a record that is not committed", place, offset, |seen| match seen {
        Seen::Record(record) => Some(Some(record.timestamp_ms)),
        Seen::Error { code: Code::PartitionEOF | Code::OffsetOutOfRange, .. } => Some(None),
        _ => None,
    })
}
