//! Names of topics and the clients' settings: the same for both ways to call the client.

use std::time::Duration;

use rdkafka::ClientConfig;

/// How long a question to the broker, or a commit, may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long an empty queue is waited on before looking around.
pub const LOOK: Duration = Duration::from_millis(100);

/// What all partitions share.
pub struct Settings {
    kafka: String,
    prefix: String,
    linger_ms: u32,
    compression: String,
    /// Most commands in one transaction.
    pub batch: usize,
    /// Where commands come from.
    pub commands: String,
    /// Where the copies go: events, state, outcomes.
    pub copies: [String; 3],
}

impl Settings {
    /// Settings for accounting's topics behind `prefix`.
    pub fn new(kafka: String, prefix: &str, linger_ms: u32, compression: String, batch: usize) -> Self {
        let topic = |suffix: &str| format!("{prefix}accounting.{suffix}");
        Self {
            kafka,
            prefix: prefix.to_owned(),
            linger_ms,
            compression,
            batch,
            commands: topic("commands"),
            copies: [topic("events"), topic("state"), topic("outcomes")],
        }
    }

    /// The consumer group whose offsets are part of the transactions.
    pub fn group(&self) -> String {
        format!("{}accounting.raw-copy", self.prefix)
    }

    /// Reads all partitions; tuned so that there is always a batch waiting.
    pub fn consumer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.kafka)
            .set("group.id", self.group())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "100")
            .set("fetch.queue.backoff.ms", "2")
            .set("fetch.message.max.bytes", "4194304")
            .set("fetch.max.bytes", "67108864")
            .set("queued.min.messages", "50000")
            .set("queued.max.messages.kbytes", "65536");
        config
    }

    /// Writes transactions of one partition; `turn` tells producers apart that take turns.
    pub fn producer(&self, partition: i32, turn: usize) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.kafka)
            .set("transactional.id", format!("{}accounting.raw-copy.{partition}.{turn}", self.prefix))
            .set("transaction.timeout.ms", "60000")
            .set("message.timeout.ms", "60000")
            .set("linger.ms", self.linger_ms.to_string())
            .set("compression.type", &self.compression)
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "1048576")
            .set("batch.num.messages", "10000")
            .set("batch.size", "1000000")
            .set("retry.backoff.ms", "2")
            .set("delivery.report.only.error", "true");
        config
    }
}
