//! Commands at a steady rate, each timed from its producer to its outcome in a consumer, by one monotonic clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use millrace_kernel::{Addressed, partition};
use millrace_ports::{Clock, SystemClock};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use crate::error::{Failure, kafka};
use crate::keys::Distribution;
use crate::mix::{Mix, number_of};
use crate::servers::{PATIENCE, Servers};

/// Nothing arrives for so long: then something is broken.
const SILENCE: Duration = Duration::from_secs(30);

/// What is to be sent.
pub struct Load {
    /// Commands per second.
    pub rate: u32,
    /// For how long it counts.
    pub seconds: u32,
    /// How long before that it does not.
    pub warm_up: u32,
    /// How many accounts there are.
    pub accounts: u64,
    /// Where the draw begins.
    pub seed: u64,
}

/// Sends at that rate and gives percentiles of the time to the visible outcome, in milliseconds.
///
/// # Errors
/// Servers that do not answer, and commands that got no outcome.
pub fn measure(servers: &Servers, load: &Load) -> Result<serde_json::Value, Failure> {
    let topic = servers.topic("commands");
    let partitions = servers.partitions(&topic)?;
    let codec = servers.commands()?;
    let producer = servers.producer(0)?;
    let uncounted = load.rate as usize * load.warm_up as usize;
    let count = uncounted + load.rate as usize * load.seconds as usize;
    // another seed for every rate, or the second run would repeat the ids of the first
    let mut mix = Mix::new(load.seed + u64::from(load.rate), Distribution::Uniform, load.accounts);
    let mut prepared = Vec::with_capacity(count);
    let issued_at = SystemClock.now_micros();
    for _ in 0..count {
        let command = mix.next(issued_at);
        let key = command.data.routing_key().into_owned();
        let partition = partition::of_key(key.as_bytes(), partitions);
        prepared.push((command.id.clone(), key, partition, codec.encode(&command)));
    }

    let done = Arc::new(AtomicBool::new(false));
    let (seen, arrivals) = channel();
    let consumer = at_the_end(servers)?;
    let reading = thread::spawn({
        let done = Arc::clone(&done);
        move || read(&consumer, &seen, &done)
    });

    let mut sent = Vec::with_capacity(count);
    let mut late = Duration::ZERO;
    let begun = Instant::now();
    for (number, (_, key, partition, value)) in prepared.iter().enumerate() {
        let due = begun + Duration::from_secs(1) * number as u32 / load.rate;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if number >= uncounted {
            late = late.max(now.saturating_duration_since(due));
        }
        sent.push(now);
        let record = BaseRecord::to(&topic).partition(*partition).key(key).payload(&value[..]);
        producer.send(record).map_err(|(error, _)| kafka(format!("write to {topic}"))(error))?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).map_err(kafka(format!("write to {topic}")))?;

    let mut waiting: HashMap<&str, usize> =
        prepared.iter().enumerate().map(|(number, (id, ..))| (id.as_str(), number)).collect();
    let mut waits = Vec::with_capacity(count);
    while !waiting.is_empty() {
        let Ok((id, at)) = arrivals.recv_timeout(SILENCE) else { break };
        if let Some(number) = waiting.remove(id.as_str())
            && number >= uncounted
        {
            waits.push(at.saturating_duration_since(sent[number]));
        }
    }
    let missing = waiting.len();
    done.store(true, Ordering::Relaxed);
    let failed = reading.join().unwrap_or_else(|_| Some(KafkaError::Canceled));
    if let Some(error) = failed {
        return Err(kafka("read outcomes")(error));
    }
    if missing > 0 {
        return Err(Failure::Silence { missing, seconds: SILENCE.as_secs() });
    }
    waits.sort_unstable();
    let at = |share: f64| millis(waits[((waits.len() - 1) as f64 * share).round() as usize]);
    Ok(json!({
        "rate": load.rate, "commands": waits.len(), "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99),
        "p999_ms": at(0.999), "max_ms": at(1.0), "sent_late_ms": millis(late),
    }))
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// A consumer of all that is committed to the outcomes from now on.
fn at_the_end(servers: &Servers) -> Result<BaseConsumer, Failure> {
    let topic = servers.topic("outcomes");
    let partitions = servers.partitions(&topic)?;
    let consumer = servers.consumer()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        let asked = format!("ask where {topic} ends");
        let (_, end) = consumer.fetch_watermarks(&topic, partition, PATIENCE).map_err(kafka(asked))?;
        list.add_partition_offset(&topic, partition, Offset::Offset(end)).map_err(kafka("assign"))?;
    }
    consumer.assign(&list).map_err(kafka("assign"))?;
    // What is measured must not be the start of this consumer: every partition's end is seen once.
    let deadline = Instant::now() + PATIENCE;
    let mut ended = 0;
    while ended < partitions && Instant::now() < deadline {
        if let Some(Err(KafkaError::PartitionEOF(_))) = consumer.poll(Duration::from_millis(100)) {
            ended += 1;
        }
    }
    Ok(consumer)
}

/// Notes when each outcome can be read, until told to stop.
fn read(consumer: &BaseConsumer, seen: &Sender<(String, Instant)>, done: &AtomicBool) -> Option<KafkaError> {
    while !done.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let at = Instant::now();
                let id =
                    message.key().map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default();
                if number_of(&id).is_some() && seen.send((id, at)).is_err() {
                    return None;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => return Some(error),
        }
    }
    None
}
