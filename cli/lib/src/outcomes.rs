//! Reads the outcomes topic from a place noted before the commands were sent.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Outcome;
use millrace_ports::{Log, Reader, Start, TopicPartition};
use millrace_runtime::Topology;
use millrace_wire::{Codec, Registry};

use crate::domain::{DomainEntry, unregistered};
use crate::error::CliError;

/// How many outcomes are taken at once.
const MOST: usize = 10_000;

/// The outcomes of one domain, from now on.
pub struct Outcomes {
    reader: Box<dyn Reader>,
    codec: Codec<Outcome>,
    topic: String,
}

impl Outcomes {
    /// What reads the outcomes of `entry`.
    ///
    /// # Errors
    /// A schema that nobody has registered, or a registry that does not answer.
    pub fn codec(
        registry: Arc<dyn Registry>,
        entry: &dyn DomainEntry,
        prefix: &str,
    ) -> Result<Codec<Outcome>, CliError> {
        let subject = Topology::subject(&Topology::new(prefix, entry.name()).outcomes);
        Codec::find(registry, &subject, entry.schemas().outcomes)?.ok_or_else(|| unregistered(&subject))
    }

    /// Notes the present end of `partitions` of the outcomes topic; what is answered after
    /// this is seen.
    ///
    /// # Errors
    /// A missing topic, or servers that do not answer.
    pub fn from_now(
        log: &dyn Log,
        codec: Codec<Outcome>,
        entry: &dyn DomainEntry,
        prefix: &str,
        partitions: &[i32],
    ) -> Result<Self, CliError> {
        let topic = Topology::new(prefix, entry.name()).outcomes;
        let mut from = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let at = TopicPartition::new(Arc::clone(&topic), *partition);
            let end = log.high_watermark(&at)?;
            from.push((at, Start::Offset(end)));
        }
        Ok(Self { reader: log.reader(&from)?, codec, topic: topic.to_string() })
    }

    /// The outcomes that have arrived; waits up to `wait` for the first.
    ///
    /// # Errors
    /// Records that are no outcomes, or servers that do not answer.
    pub fn poll(&mut self, wait: Duration) -> Result<Vec<Outcome>, CliError> {
        let mut outcomes = Vec::new();
        for record in self.reader.poll(MOST, wait)? {
            let value = record.value.unwrap_or_default();
            let outcome = self.codec.decode(&value).map_err(|error| {
                let text = crate::error::chain(&error);
                CliError::failed(format!("{}[{}] at {}: {text}", self.topic, record.partition, record.offset))
            })?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}
