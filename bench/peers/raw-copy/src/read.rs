//! Reads topics to their ends and does nothing with the records: the least that a restart from them takes.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::Fault;
use crate::native::Queue;
use crate::settings::{LOOK, PATIENCE, Settings};

/// Most records taken at once.
const TAKEN: usize = 1_000;

/// What reading came to.
pub struct ReadAll {
    /// How many records there were.
    pub records: usize,
    /// From the start of the client to the last record, in seconds.
    pub seconds: f64,
}

/// Reads all that is in `topics`, each partition on a thread of its own.
///
/// # Errors
/// [`Fault`].
pub fn read_all(settings: &Settings, topics: &[String]) -> Result<ReadAll, Fault> {
    let began = Instant::now();
    let consumer: Arc<BaseConsumer> =
        Arc::new(settings.consumer().set("enable.partition.eof", "true").create()?);
    let mut list = TopicPartitionList::new();
    let mut queues = Vec::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        for partition in 0..partitions as i32 {
            queues.push(Queue::of(&consumer, topic, partition, TAKEN)?);
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
    }
    consumer.assign(&list)?;
    let readers: Vec<_> = queues.into_iter().map(|queue| thread::spawn(move || read(queue))).collect();
    let mut records = 0;
    for reader in readers {
        records += reader.join().unwrap_or_else(|_| {
            Err(Fault::Native { doing: "read", message: "its thread panicked".to_owned() })
        })?;
    }
    Ok(ReadAll { records, seconds: began.elapsed().as_secs_f64() })
}

fn read(mut queue: Queue) -> Result<usize, Fault> {
    let mut records = 0;
    while !queue.is_at_end() {
        records += queue.take(LOOK, |_, _, _| Ok(()))?;
    }
    Ok(records)
}
