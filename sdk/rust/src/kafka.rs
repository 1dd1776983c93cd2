//! A client on Kafka, by librdkafka: commands with their outcomes, and events.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
pub use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::envelope::Outcome;
use crate::{
    Command, Event, Messages, Read, Reading, Registry, RegistryFailure, Versions, encode_command, frame,
    partition_of,
};

const CALL: Duration = Duration::from_secs(10);
/// How soon a thread that reads outcomes sees that it is not needed any more.
const POLL: Duration = Duration::from_millis(100);

/// Why it is not known what became of a command, or what comes next.
#[derive(Clone, Debug)]
pub enum KafkaFailure {
    /// Nobody has said in time what became of a command. Send the very same command again.
    NoAnswer(String),
    /// The brokers.
    Kafka(KafkaError),
    /// The registry, or what cannot be read.
    Registry(RegistryFailure),
}

impl fmt::Display for KafkaFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(id) => write!(f, "nobody has said in time what became of command {id}"),
            Self::Kafka(error) => error.fmt(f),
            Self::Registry(failure) => failure.fmt(f),
        }
    }
}

impl Error for KafkaFailure {}

impl From<KafkaError> for KafkaFailure {
    fn from(error: KafkaError) -> Self {
        Self::Kafka(error)
    }
}

impl From<RegistryFailure> for KafkaFailure {
    fn from(failure: RegistryFailure) -> Self {
        Self::Registry(failure)
    }
}

/// What librdkafka says of a record that was to be sent.
struct Deliveries;

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sender<Result<(), KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, told: Self::DeliveryOpaque) {
        // whoever has given up does not listen any more
        let _ = told.send(result.as_ref().map(drop).map_err(|(error, _)| error.clone()));
    }
}

/// Commands and their outcomes, and events, on Kafka. It blocks, and may be used by several threads.
///
/// A command goes to the partition that its routing key belongs to, whatever partitioner the settings name.
pub struct KafkaClient {
    settings: ClientConfig,
    registry: Registry,
    prefix: String,
    producer: ThreadedProducer<Deliveries>,
    domains: Mutex<HashMap<&'static str, Arc<Domain>>>,
}

impl fmt::Debug for KafkaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaClient").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl KafkaClient {
    /// A client with librdkafka's settings, `bootstrap.servers` among them; `prefix` is what the names of topics begin with.
    ///
    /// # Errors
    /// Settings that librdkafka does not take.
    pub fn new(settings: &ClientConfig, registry: Registry, prefix: &str) -> Result<Self, KafkaFailure> {
        let mut own = settings.clone();
        own.set("enable.idempotence", "true").set("linger.ms", "0");
        let producer = own.create_with_context(Deliveries)?;
        let (settings, prefix) = (settings.clone(), prefix.to_owned());
        Ok(Self { settings, registry, prefix, producer, domains: Mutex::default() })
    }

    /// Sends a command and waits for what becomes of it.
    ///
    /// # Errors
    /// [`KafkaFailure`]: then send the very same command again.
    pub fn send<D: Messages>(
        &self,
        command: &Command<D>,
        patience: Duration,
    ) -> Result<Outcome, KafkaFailure> {
        let until = Instant::now() + patience;
        let no_answer = || KafkaFailure::NoAnswer(command.id.clone());
        let domain = self.domain::<D>()?;
        let answer = domain.ask(&command.id);
        let key = command.data.routing_key();
        let (topic, value) =
            (format!("{}{}", self.prefix, D::TOPIC.name), frame(domain.schema_id, &encode_command(command)));
        let (told, delivered) = channel();
        let record = BaseRecord::with_opaque_to(&topic, Box::new(told))
            .key(key.as_bytes())
            .payload(&value)
            .partition(partition_of(&key, domain.partitions));
        self.producer.send(record).map_err(|(error, _)| error)?;
        let left = |until: Instant| until.saturating_duration_since(Instant::now());
        delivered.recv_timeout(left(until)).map_err(|_| no_answer())??;
        match answer.recv_timeout(left(until)) {
            Ok(framed) => {
                let mut versions = domain.versions.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(self.registry.outcome(&mut versions, &framed)?)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                domain.forget(&command.id);
                Err(no_answer())
            }
        }
    }

    /// The events of a domain from the first one on, partition by partition in their order.
    ///
    /// # Errors
    /// [`KafkaFailure`].
    pub fn events<D: Messages>(&self) -> Result<Events<D>, KafkaFailure> {
        let topic = format!("{}{}", self.prefix, D::TOPIC.name);
        let consumer = follow(&self.settings, &topic, |_, _| Ok(Offset::Beginning))?.0;
        Ok(Events { consumer, registry: self.registry.clone(), reading: Reading::default() })
    }

    /// What became of the commands of a domain, whoever sent them, from the oldest outcome that is kept on.
    ///
    /// # Errors
    /// [`KafkaFailure`].
    pub fn outcomes<D: Messages>(&self) -> Result<Outcomes, KafkaFailure> {
        let topic = format!("{}{}", self.prefix, D::OUTCOMES.name);
        let consumer = follow(&self.settings, &topic, |_, _| Ok(Offset::Beginning))?.0;
        Ok(Outcomes { consumer, registry: self.registry.clone(), versions: Versions::new(D::OUTCOMES) })
    }

    /// What is known of a domain, whose outcomes are read from the first time on.
    fn domain<D: Messages>(&self) -> Result<Arc<Domain>, KafkaFailure> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = domains.get(D::TOPIC.domain) {
            return Ok(Arc::clone(known));
        }
        let schema_id = self.registry.id_of(&self.prefix, D::TOPIC)?;
        let topic = format!("{}{}", self.prefix, D::OUTCOMES.name);
        // asked for before anything is sent: no outcome is missed
        let end = |consumer: &BaseConsumer, partition| {
            let (_, end) = consumer.fetch_watermarks(&topic, partition, CALL)?;
            Ok(Offset::Offset(end))
        };
        let (consumer, partitions) = follow(&self.settings, &topic, end)?;
        let waiting: Waiting = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let reader = {
            let (waiting, is_over) = (Arc::clone(&waiting), Arc::clone(&is_over));
            std::thread::spawn(move || tell(&consumer, &waiting, &is_over))
        };
        let versions = Mutex::new(Versions::new(D::OUTCOMES));
        let domain = Domain { schema_id, partitions, versions, waiting, is_over, reader: Some(reader) };
        Ok(Arc::clone(domains.entry(D::TOPIC.domain).or_insert(Arc::new(domain))))
    }
}

impl Drop for KafkaClient {
    fn drop(&mut self) {
        // what was sent is not thrown away because somebody does not wait for its outcome
        let _ = self.producer.flush(CALL);
    }
}

type Waiting = Arc<Mutex<HashMap<String, Sender<Vec<u8>>>>>;

/// What a client has of a domain: where its commands go, and who waits for outcomes.
struct Domain {
    schema_id: u32,
    partitions: i32,
    versions: Mutex<Versions>,
    waiting: Waiting,
    is_over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Domain {
    fn ask(&self, id: &str) -> Receiver<Vec<u8>> {
        let (told, answer) = channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), told);
        answer
    }

    fn forget(&self, id: &str) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // a panic there has been printed
            let _ = reader.join();
        }
    }
}

/// Tells those who wait for outcomes.
fn tell(consumer: &BaseConsumer, waiting: &Mutex<HashMap<String, Sender<Vec<u8>>>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        // what is wrong passes, or those who wait give up
        let Some(Ok(message)) = consumer.poll(POLL) else { continue };
        let id = message.key().map(String::from_utf8_lossy).unwrap_or_default();
        let asked = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&*id);
        if let Some(told) = asked {
            let _ = told.send(message.payload().unwrap_or_default().to_vec());
        }
    }
}

/// A consumer of all partitions of a topic, each from where `from` says, and how many they are.
fn follow(
    settings: &ClientConfig,
    topic: &str,
    from: impl Fn(&BaseConsumer, i32) -> Result<Offset, KafkaError>,
) -> Result<(BaseConsumer, i32), KafkaFailure> {
    let mut own = settings.clone();
    // partitions are assigned by hand: the group is never joined
    own.set("group.id", "unused").set("isolation.level", "read_committed").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = own.create()?;
    let metadata = consumer.fetch_metadata(Some(topic), CALL)?;
    let found = metadata.topics().iter().find(|it| it.name() == topic);
    let partitions = match found.map(|it| (it.error(), it.partitions().len())) {
        Some((None, count @ 1..)) => count as i32,
        found => {
            let code = found.and_then(|(error, _)| error).map(rdkafka::types::RDKafkaErrorCode::from);
            let code = code.unwrap_or(rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition);
            return Err(KafkaError::MetadataFetch(code).into());
        }
    };
    let mut assigned = TopicPartitionList::new();
    for partition in 0..partitions {
        assigned.add_partition_offset(topic, partition, from(&consumer, partition)?)?;
    }
    consumer.assign(&assigned)?;
    Ok((consumer, partitions))
}

/// The events of a domain.
pub struct Events<D> {
    consumer: BaseConsumer,
    registry: Registry,
    reading: Reading<D>,
}

impl<D: Messages> Events<D> {
    /// The next event; `None` where there is none within `patience`.
    ///
    /// # Errors
    /// [`KafkaFailure`]. Whoever asks again gets the one behind it.
    pub fn next_within(&mut self, patience: Duration) -> Result<Option<Read<Event<D>>>, KafkaFailure> {
        match self.consumer.poll(patience) {
            None => Ok(None),
            Some(message) => {
                let message = message?;
                let framed = message.payload().unwrap_or_default();
                Ok(Some(self.registry.event(&mut self.reading, framed)?))
            }
        }
    }
}

/// What became of the commands of a domain.
pub struct Outcomes {
    consumer: BaseConsumer,
    registry: Registry,
    versions: Versions,
}

impl Outcomes {
    /// The next outcome; `None` where there is none within `patience`.
    ///
    /// # Errors
    /// [`KafkaFailure`]. Whoever asks again gets the one behind it.
    pub fn next_within(&mut self, patience: Duration) -> Result<Option<Outcome>, KafkaFailure> {
        match self.consumer.poll(patience) {
            None => Ok(None),
            Some(message) => {
                let message = message?;
                let framed = message.payload().unwrap_or_default();
                Ok(Some(self.registry.outcome(&mut self.versions, framed)?))
            }
        }
    }
}
