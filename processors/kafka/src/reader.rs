//! Reads committed records of assigned partitions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use millrace_ports::{LogFault, Reader, Record, TopicPartition};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::KafkaConfig;
use crate::diary::{self, Diary};
use crate::fault::Step;
use crate::native::{self, ConsumerQueue, RawRecord, Seen};
use crate::reaper::reap;

/// How many bytes of keys and values lie in one piece of memory: what a record that is kept for long keeps with it.
const ROOM: usize = 64 << 10;

/// A poll ends early when its records have so many bytes.
const POLLED_BYTES: usize = 8 << 20;

/// A reader of some partitions.
pub(crate) struct KafkaReader {
    /// Taken when dropped; the queue goes first.
    client: Option<(ConsumerQueue, BaseConsumer<Diary>)>,
    bootstrap: String,
    topics: Vec<Arc<str>>,
    /// How far each partition has been read, as records and ends of partitions tell it.
    reached: Vec<(TopicPartition, i64)>,
    /// Where keys and values are copied to. When it is full another takes its place, and it is freed with the
    /// last record that lies in it.
    room: BytesMut,
    /// How many records the last poll came to: the next one probably needs as much room.
    polled: usize,
    /// Found behind records that had to be delivered first.
    pending: Option<LogFault>,
    seek_wait: Duration,
}

/// What an event was.
enum Taken {
    /// There was none.
    Nothing,
    /// The broker has answered: a record, or the end of a partition.
    News,
    /// Something the client says by itself.
    Other,
    /// No broker can be reached.
    Outage(LogFault),
}

impl KafkaReader {
    /// A reader of `partitions` from these offsets.
    pub(crate) fn open(config: &KafkaConfig, partitions: &[(TopicPartition, i64)]) -> Result<Self, LogFault> {
        let step = Step { step: "open a reader", bootstrap: &config.bootstrap, topic: None };
        let consumer: BaseConsumer<Diary> = config
            .reader()
            .create_with_context(Diary::default())
            .map_err(|error| step.fault(&error, None))?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for (at, offset) in partitions {
            list.add_partition_offset(&at.topic, at.partition, Offset::Offset(*offset))
                .map_err(|error| step.fault(&error, None))?;
        }
        consumer.assign(&list).map_err(|error| step.fault(&error, None))?;
        let queue = ConsumerQueue::of(consumer.client().native_ptr())
            .ok_or_else(|| step.unavailable("the client has no queue", None))?;
        let mut topics: Vec<Arc<str>> = Vec::new();
        for (at, _) in partitions {
            if !topics.contains(&at.topic) {
                topics.push(at.topic.clone());
            }
        }
        Ok(Self {
            client: Some((queue, consumer)),
            bootstrap: config.bootstrap.clone(),
            topics,
            reached: partitions.to_vec(),
            room: BytesMut::with_capacity(ROOM),
            polled: 0,
            pending: None,
            seek_wait: config.request_timeout,
        })
    }

    fn step(&self, step: &'static str) -> Step<'_> {
        Step { step, bootstrap: &self.bootstrap, topic: None }
    }

    fn consumer(&self, step: &'static str) -> Result<&BaseConsumer<Diary>, LogFault> {
        // it is there until the reader is dropped
        self.client.as_ref().map(|it| &it.1).ok_or_else(|| self.step(step).unavailable("closed", None))
    }

    /// What one event means; a record is added to `records`.
    fn take(&mut self, wait: Duration, records: &mut Vec<Record>) -> Result<Taken, LogFault> {
        let Some(event) = self.client.as_ref().and_then(|(queue, _)| queue.poll(wait)) else {
            return Ok(Taken::Nothing);
        };
        match event.seen() {
            Seen::Record(raw) => {
                let record = self.copy(&raw);
                self.advance(&record.topic, record.partition, record.offset + 1);
                records.push(record);
                return Ok(Taken::News);
            }
            Seen::Error { code: Code::PartitionEOF, place: Some((topic, partition, offset)), .. } => {
                self.advance(&self.shared(topic.as_bytes()), partition, offset);
                return Ok(Taken::News);
            }
            Seen::Error { code, message, place: None } => return Ok(self.complaint(code, message)),
            Seen::Error { code, message, place: Some(place) } => self.error(code, message, place)?,
            Seen::Log(level, facility, line) => diary::write(level, &facility, &line),
            Seen::Other => {}
        }
        Ok(Taken::Other)
    }

    /// What the client complains about as a whole. One connection may fail while others work; it says
    /// when all are down.
    fn complaint(&self, code: Code, message: String) -> Taken {
        self.note(&message);
        match code {
            Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut => Taken::Other,
            code => Taken::Outage(self.step("read").of_code(code, message, None)),
        }
    }

    /// What is wrong with one partition: never forgotten for the records of another.
    fn error(&self, code: Code, message: String, place: (String, i32, i64)) -> Result<(), LogFault> {
        self.note(&message);
        let (topic, partition, offset) = place;
        match code {
            Code::BadCompression | Code::NotImplemented => {
                let partition = TopicPartition::new(self.shared(topic.as_bytes()), partition);
                Err(LogFault::Undecodable { partition, offset, message })
            }
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                let partition = TopicPartition::new(self.shared(topic.as_bytes()), partition);
                let offset = self.position(&partition);
                Err(LogFault::OutOfRange { partition, offset })
            }
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
                Err(LogFault::NoSuchTopic { topic })
            }
            code => Err(self.step("read").of_code(code, message, None)),
        }
    }

    fn note(&self, message: &str) {
        if let Some((_, consumer)) = &self.client {
            consumer.client().context().complain(message);
        }
    }

    /// The one copy of a record's bytes. It could be spared by making each `Bytes` own the event,
    /// at the price of an allocation for each, and of keeping a whole fetched message set alive.
    fn copy(&mut self, raw: &RawRecord<'_>) -> Record {
        let mut headers = Vec::new();
        raw.for_headers(|name, value| headers.push((name.to_owned(), Bytes::copy_from_slice(value))));
        Record {
            topic: self.shared(raw.topic),
            partition: raw.partition,
            offset: raw.offset,
            timestamp_ms: raw.timestamp_ms,
            key: raw.key.map(|key| self.keep(key)),
            value: raw.value.map(|value| self.keep(value)),
            headers,
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> Bytes {
        self.room.extend_from_slice(bytes);
        self.room.split().freeze()
    }

    /// The topic's name without a copy of its own in every record.
    fn shared(&self, topic: &[u8]) -> Arc<str> {
        match self.topics.iter().find(|it| it.as_bytes() == topic) {
            Some(known) => known.clone(),
            None => String::from_utf8_lossy(topic).into(),
        }
    }

    fn advance(&mut self, topic: &Arc<str>, partition: i32, offset: i64) {
        // a handful at most, so a map would only cost more
        let known = self.reached.iter_mut().find(|(at, _)| at.partition == partition && at.topic == *topic);
        if let Some((_, reached)) = known {
            *reached = offset.max(*reached);
        }
    }

    fn reached(&self, partition: &TopicPartition) -> i64 {
        self.reached.iter().find(|(at, _)| at == partition).map_or(0, |(_, reached)| *reached)
    }
}

impl Reader for KafkaReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Record>, LogFault> {
        if let Some(fault) = self.pending.take() {
            return Err(fault);
        }
        let deadline = Instant::now() + wait;
        let mut records = Vec::with_capacity(self.polled.min(max));
        // An outage queues an error for every attempt to connect. Whoever pauses after a fault would take
        // minutes to come to the records behind them, so a fault is told only when nothing better comes.
        let (mut told, mut bytes) = (None, 0);
        while records.len() < max && bytes < POLLED_BYTES {
            let left = match records.is_empty() {
                true => deadline.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match self.take(left, &mut records) {
                Ok(Taken::News) => {
                    told = None;
                    bytes += records.last().map_or(0, |last| last.value.as_ref().map_or(0, Bytes::len));
                }
                Ok(Taken::Other) => {}
                Ok(Taken::Outage(fault)) => told = Some(fault),
                Ok(Taken::Nothing) if records.is_empty() && Instant::now() < deadline => {}
                Ok(Taken::Nothing) => break,
                Err(fault) if records.is_empty() => return Err(fault),
                Err(fault) => {
                    self.pending = Some(fault);
                    break;
                }
            }
        }
        self.polled = records.len();
        told.filter(|_| records.is_empty()).map_or(Ok(records), Err)
    }

    fn position(&self, partition: &TopicPartition) -> i64 {
        let reached = self.reached(partition);
        // the client also counts the markers of transactions, which it never delivers
        let client = self.client.as_ref().and_then(|(_, consumer)| {
            native::position(consumer.client().native_ptr(), &partition.topic, partition.partition)
        });
        client.map_or(reached, |it| it.max(reached))
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogFault> {
        let step = Step { topic: Some(&partition.topic), ..self.step("seek") };
        let consumer = self.consumer("seek")?;
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset))
            .map_err(|error| step.fault(&error, None))?;
        let sought = consumer
            .seek_partitions(list.clone(), self.seek_wait)
            .and_then(|answer| answer.elements().iter().try_for_each(|it| it.error()));
        if sought.is_err() {
            // A partition that is not being fetched, after an error for instance, cannot seek; taking
            // it out and in again puts it there from any state.
            consumer
                .incremental_unassign(&list)
                .and_then(|()| consumer.incremental_assign(&list))
                .map_err(|error| step.fault(&error, None))?;
        }
        if let Some((_, reached)) = self.reached.iter_mut().find(|(at, _)| at == partition) {
            *reached = offset;
        }
        if let Some(LogFault::OutOfRange { partition: at, .. } | LogFault::Undecodable { partition: at, .. }) =
            &self.pending
            && at == partition
        {
            self.pending = None;
        }
        Ok(())
    }

    fn pause(&mut self, partition: &TopicPartition, paused: bool) -> Result<(), LogFault> {
        let step = Step { topic: Some(&partition.topic), ..self.step("pause") };
        let consumer = self.consumer("pause")?;
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&partition.topic, partition.partition);
        let done = if paused { consumer.pause(&list) } else { consumer.resume(&list) };
        done.map_err(|error| step.fault(&error, None))
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        if let Some((queue, consumer)) = self.client.take() {
            drop(queue);
            reap(consumer);
        }
    }
}
