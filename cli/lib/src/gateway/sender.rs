//! Commands on their way to Kafka.

use millrace_gateway::ports::{Acknowledged, CommandRecord, CommandSender};
use millrace_kafka::{KafkaProducer, Message};
use millrace_ports::LogFault;

/// Sends as `millrace send` does.
pub struct Sender(pub KafkaProducer);

impl CommandSender for Sender {
    fn send(&self, record: CommandRecord, done: Acknowledged) -> Result<(), LogFault> {
        let CommandRecord { topic, partition, key, value, headers } = record;
        let message = Message {
            topic: topic.to_string(),
            partition,
            key: Some(key.into()),
            value: Some(value.into()),
            timestamp_ms: None,
            headers: headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
        };
        self.0.send(&message, move |result| done(result.map(|delivered| delivered.offset)))
    }
}
