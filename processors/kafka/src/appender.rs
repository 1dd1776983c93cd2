//! Records outside transactions, waited for: changes of rows.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use millrace_ports::{Appender, LogFault, Outgoing};

use crate::config::KafkaConfig;
use crate::producer::{KafkaProducer, Message};

/// How long all of one call may take. Above the client's own limit for a record, so that the client says what is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// Appends records. Its client numbers them, so that the broker keeps none twice or in another order while a connection comes
/// and goes; a client that has failed is replaced.
pub(crate) struct KafkaAppender {
    config: KafkaConfig,
    producer: Mutex<Option<Arc<KafkaProducer>>>,
}

impl KafkaAppender {
    pub(crate) fn new(config: &KafkaConfig) -> Self {
        Self { config: config.clone(), producer: Mutex::default() }
    }

    /// Opens the client before it is needed: it gets the number by which it counts half a second after it was made, which the
    /// first rows would wait for. What is in the way is said when something is appended.
    pub(crate) fn warm_up(&self) {
        drop(self.producer());
    }

    fn producer(&self) -> Result<Arc<KafkaProducer>, LogFault> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        match &*producer {
            Some(producer) => Ok(Arc::clone(producer)),
            None => {
                let opened = Arc::new(KafkaProducer::open_numbering(&self.config)?);
                Ok(Arc::clone(producer.insert(opened)))
            }
        }
    }

    /// Uses `failed` no more: what it still has in hand would come behind what is written next.
    fn replace(&self, failed: &Arc<KafkaProducer>) {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if producer.as_ref().is_some_and(|it| Arc::ptr_eq(it, failed)) {
            *producer = None;
        }
        failed.purge();
    }

    fn append_with(producer: &KafkaProducer, records: Vec<Outgoing>) -> Result<(), LogFault> {
        let (sender, answers) = mpsc::channel();
        let sent = records.len();
        for Outgoing { topic, partition, key, value, timestamp_ms, headers } in records {
            let timestamp_ms = Some(timestamp_ms);
            let message = Message { topic: topic.to_string(), partition, key, value, timestamp_ms, headers };
            let sender = sender.clone();
            // who waited may have given up
            producer.send(&message, move |answer| drop(sender.send(answer)))?;
        }
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..sent {
            let left = deadline.saturating_duration_since(Instant::now());
            answers.recv_timeout(left).map_err(|_| LogFault::Unavailable {
                step: "append records",
                message: "not acknowledged in time".to_owned(),
            })??;
        }
        Ok(())
    }
}

impl Appender for KafkaAppender {
    fn append(&self, records: Vec<Outgoing>) -> Result<(), LogFault> {
        if records.is_empty() {
            return Ok(());
        }
        let producer = self.producer()?;
        Self::append_with(&producer, records).inspect_err(|_| self.replace(&producer))
    }
}
