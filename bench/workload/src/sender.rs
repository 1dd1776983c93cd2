//! Writes records in bulk, each to the partition that its caller names.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::error::{Failure, kafka};
use crate::servers::Servers;

/// Records are handed over in thousands; in between the client's reports are read.
const POLL_EVERY: u64 = 1_000;
/// How long the last records may take.
const FLUSH: Duration = Duration::from_secs(120);

/// A record to be written.
pub struct Outgoing<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: &'a str,
    /// Its value.
    pub value: &'a [u8],
    /// Its own time, milliseconds since the epoch; none is the client's.
    pub timestamp_ms: Option<i64>,
}

/// A producer for one topic.
pub struct Sender {
    producer: BaseProducer,
    topic: String,
    sent: u64,
    begun: Instant,
}

impl Sender {
    /// Writes to `topic`.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, which is a bug.
    pub fn new(servers: &Servers, topic: String) -> Result<Self, Failure> {
        Ok(Self { producer: servers.producer(50)?, topic, sent: 0, begun: Instant::now() })
    }

    /// Hands a record over, waiting where the queue is full.
    ///
    /// # Errors
    /// A client that takes nothing any more.
    pub fn send(&mut self, record: &Outgoing<'_>) -> Result<(), Failure> {
        let mut next =
            BaseRecord::to(&self.topic).partition(record.partition).key(record.key).payload(record.value);
        next.timestamp = record.timestamp_ms;
        loop {
            match self.producer.send(next) {
                Ok(()) => break,
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(Duration::from_millis(5));
                    next = back;
                }
                Err((error, _)) => return Err(kafka(format!("write to {}", self.topic))(error)),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits until all is written; how many records, and in how many seconds.
    ///
    /// # Errors
    /// A broker that does not take them in time.
    pub fn finish(self) -> Result<(u64, f64), Failure> {
        self.producer.flush(FLUSH).map_err(kafka(format!("write to {}", self.topic)))?;
        Ok((self.sent, self.begun.elapsed().as_secs_f64()))
    }
}
