//! A fixture of the log suite on any broker that speaks Kafka's protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kafka::{Admin, KafkaConfig, KafkaLog, KafkaProducer, Message, NewTopic};
use millrace_ports::{Log, TopicPartition};
use millrace_testkit::log::conformance::LogFixture;
use millrace_testkit::log::memory::Plain;

/// How long a record of the fixture may take to be acknowledged.
const SOON: Duration = Duration::from_secs(20);

/// The log at one address.
pub struct OnKafka {
    pub log: KafkaLog,
    pub admin: Admin,
    pub producer: KafkaProducer,
    prefix: String,
}

impl OnKafka {
    /// A fixture with names of its own.
    pub fn at(bootstrap: &str, prefix: String) -> Self {
        let log = KafkaLog::connect(KafkaConfig::new(bootstrap)).unwrap();
        let (admin, producer) = (log.admin().unwrap(), log.producer().unwrap());
        Self { log, admin, producer, prefix }
    }
}

impl LogFixture for OnKafka {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.log.clone())
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        // the suite's records carry times of long ago, which a broker soon deletes by default
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        self.admin.create(&NewTopic { name: name.to_owned(), partitions, replication: 1, configs }).unwrap();
    }

    fn produce(&self, at: &TopicPartition, record: Plain) -> i64 {
        let message = Message {
            topic: at.topic.to_string(),
            partition: at.partition,
            key: record.key,
            value: record.value,
            timestamp_ms: Some(record.timestamp_ms),
            headers: record.headers,
        };
        self.producer.send_and_wait(&message, SOON).unwrap().offset
    }

    fn session_timeout(&self) -> Duration {
        // the shortest that brokers accept unless told otherwise
        Duration::from_secs(6)
    }
}
