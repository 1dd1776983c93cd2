//! One producer a partition, one call a record, each commit waited for: the plain way to use `rdkafka`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::settings::{LOOK, PATIENCE, Settings};
use crate::sizes::Sizes;
use crate::{Fault, copy, native};

/// One partition's work.
pub struct Lane {
    settings: Arc<Settings>,
    consumer: Arc<BaseConsumer>,
    queue: PartitionQueue<DefaultConsumerContext>,
    producer: BaseProducer,
    sizes: Sizes,
    partition: i32,
    buffer: Vec<u8>,
    committed_at: Option<Instant>,
}

/// How long the markers of a commit may take.
const MARKERS: Duration = Duration::from_millis(15);

impl Lane {
    /// Takes over the partition's queue, and begins to write for it.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn open(
        settings: &Arc<Settings>,
        consumer: &Arc<BaseConsumer>,
        sizes: Sizes,
        partition: i32,
    ) -> Result<Self, Fault> {
        let Some(queue) = consumer.split_partition_queue(&settings.commands, partition) else {
            return Err(Fault::Native { doing: "read a partition", message: "it has no queue".to_owned() });
        };
        let producer: BaseProducer = settings.producer(partition, 0).create()?;
        producer.init_transactions(PATIENCE)?;
        let (settings, consumer) = (Arc::clone(settings), Arc::clone(consumer));
        Ok(Self {
            settings,
            consumer,
            queue,
            producer,
            sizes,
            partition,
            buffer: Vec::new(),
            committed_at: None,
        })
    }

    /// Copies until something fails.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn run(mut self) -> Result<(), Fault> {
        loop {
            self.batch()?;
        }
    }

    fn batch(&mut self) -> Result<(), Fault> {
        let Some(first) = self.queue.poll(LOOK) else { return Ok(()) };
        let mut commands = vec![first?];
        while commands.len() < self.settings.batch
            && let Some(next) = self.queue.poll(Duration::ZERO)
        {
            commands.push(next?);
        }
        let next = commands.last().map_or(0, |last| last.offset() + 1);
        self.producer.begin_transaction()?;
        // Until the markers of the commit before are written, the broker puts off what begins the next transaction:
        // partitions for a flat 20 ms, offsets as `retry.backoff.ms` says. So then the offset goes ahead.
        let is_close = self.committed_at.is_some_and(|at| at.elapsed() < MARKERS);
        if is_close {
            self.send_offset(next)?;
        }
        for command in &commands {
            copy(&self.settings, &self.producer, &mut self.buffer, self.sizes, command)?;
        }
        if !is_close {
            self.send_offset(next)?;
        }
        drop(commands);
        native::flush(&self.producer, PATIENCE);
        self.producer.commit_transaction(PATIENCE)?;
        self.committed_at = Some(Instant::now());
        Ok(())
    }

    fn send_offset(&self, next: i64) -> Result<(), Fault> {
        let mut offsets = TopicPartitionList::with_capacity(1);
        offsets.add_partition_offset(&self.settings.commands, self.partition, Offset::Offset(next))?;
        let Some(group) = self.consumer.group_metadata() else {
            return Err(Fault::Native { doing: "commit", message: "the consumer has no group".to_owned() });
        };
        self.producer.send_offsets_to_transaction(&offsets, &group, PATIENCE)?;
        Ok(())
    }
}

/// Writes the copies of a command.
fn copy(
    settings: &Settings,
    producer: &BaseProducer,
    buffer: &mut Vec<u8>,
    sizes: Sizes,
    command: &BorrowedMessage<'_>,
) -> Result<(), Fault> {
    let (key, value) = (command.key().unwrap_or_default(), command.payload().unwrap_or_default());
    let (partition, offset) = (command.partition(), command.offset());
    buffer.clear();
    let Some(places) = copy::append(buffer, sizes, key, value) else {
        return Err(Fault::Command { partition, offset, why: "not a command" });
    };
    for (topic, (key, value)) in settings.copies.iter().zip(places) {
        let record = BaseRecord::to(topic)
            .partition(partition)
            .key(&buffer[key.0..key.0 + key.1])
            .payload(&buffer[value.0..value.0 + value.1]);
        send(producer, record)?;
    }
    Ok(())
}

fn send(producer: &BaseProducer, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), Fault> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                producer.poll(Duration::from_millis(1));
                record = back;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}
