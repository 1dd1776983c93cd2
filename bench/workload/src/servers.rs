//! Where everything is: names of topics, clients, codecs.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain_accounting::messages::SCHEMAS;
use millrace_domain_accounting::{CommandData, EventData, State};
use millrace_kernel::Datum;
use millrace_kernel::{Command, Event, Outcome, StateData};
use millrace_wire::{Codec, ConfluentRegistry, Registry, RegistryAccess};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::BaseProducer;

use crate::error::{Failure, kafka};

/// How long a question to a broker may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The servers, and the prefix of the topics.
pub struct Servers {
    /// Brokers, as host:port.
    pub kafka: String,
    registry: String,
    prefix: String,
}

impl Servers {
    /// Knows the servers; connects to nothing yet.
    pub fn new(kafka: String, registry: String, prefix: String) -> Self {
        Self { kafka, registry, prefix }
    }

    /// The full name of one of accounting's topics.
    pub fn topic(&self, suffix: &str) -> String {
        format!("{}accounting.{suffix}", self.prefix)
    }

    /// The codec of commands.
    ///
    /// # Errors
    /// A registry that does not answer.
    pub fn commands(&self) -> Result<Codec<Command<CommandData>>, Failure> {
        self.codec("commands", SCHEMAS.commands)
    }

    /// The codec of events.
    ///
    /// # Errors
    /// A registry that does not answer.
    pub fn events(&self) -> Result<Codec<Event<EventData>>, Failure> {
        self.codec("events", SCHEMAS.events)
    }

    /// The codec of states.
    ///
    /// # Errors
    /// A registry that does not answer.
    pub fn states(&self) -> Result<Codec<<State as StateData>::Record>, Failure> {
        self.codec("state", SCHEMAS.state)
    }

    /// The codec of outcomes.
    ///
    /// # Errors
    /// A registry that does not answer.
    pub fn outcomes(&self) -> Result<Codec<Outcome>, Failure> {
        self.codec("outcomes", SCHEMAS.outcomes)
    }

    fn codec<T: Datum>(&self, suffix: &str, schema: &str) -> Result<Codec<T>, Failure> {
        let registry: Arc<dyn Registry> =
            Arc::new(ConfluentRegistry::new(&self.registry, &RegistryAccess::default())?);
        Ok(Codec::register(registry, &format!("{}-value", self.topic(suffix)), schema)?)
    }

    /// A client's settings that all of them share.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka);
        config
    }

    /// A producer that keeps the order; for bulk with a long `linger_ms`.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, which is a bug.
    pub fn producer(&self, linger_ms: u32) -> Result<BaseProducer, Failure> {
        self.client()
            .set("enable.idempotence", "true")
            .set("linger.ms", linger_ms.to_string())
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "262144")
            // what is written in bulk is only counted; a record that failed is reported
            .set("delivery.report.only.error", "true")
            .create()
            .map_err(kafka("make a producer"))
    }

    /// A consumer of committed records that joins no group.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, which is a bug.
    pub fn consumer(&self) -> Result<BaseConsumer, Failure> {
        self.client()
            .set("group.id", "workload-reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "2")
            .create()
            .map_err(kafka("make a consumer"))
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// A topic that is not there.
    pub fn partitions(&self, topic: &str) -> Result<i32, Failure> {
        let consumer = self.consumer()?;
        let metadata =
            consumer.fetch_metadata(Some(topic), PATIENCE).map_err(kafka(format!("ask about {topic}")))?;
        let found = metadata.topics().first().map_or(0, |found| found.partitions().len());
        if found == 0 {
            let why = "it is not there; make it with `millrace-workload topics`".to_owned();
            return Err(Failure::Topic { topic: topic.to_owned(), why });
        }
        Ok(i32::try_from(found).unwrap_or(i32::MAX))
    }
}
