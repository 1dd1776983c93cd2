//! What can go wrong: servers, mostly.

use millrace_wire::codec::{CodecError, DecodeFailure};
use millrace_wire::registry::RegistryFault;
use rdkafka::error::KafkaError;
use thiserror::Error;

/// Why nothing can be measured.
#[derive(Debug, Error)]
pub enum Failure {
    /// Kafka did not do as asked.
    #[error("{doing}: {source}")]
    Kafka {
        /// What was tried.
        doing: String,
        /// What the client said.
        source: KafkaError,
    },
    /// A topic is not as it should be.
    #[error("topic {topic}: {why}")]
    Topic {
        /// Its full name.
        topic: String,
        /// What is wrong, and the way out.
        why: String,
    },
    /// The declaration of the topics cannot be read.
    #[error("topics/accounting.toml: {0}")]
    Declaration(String),
    /// A schema cannot be used.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The registry did not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// A record is not of its topic's schema.
    #[error("{topic}, partition {partition}, offset {offset}: {source}")]
    Decode {
        /// Where it stands.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        source: DecodeFailure,
    },
    /// Outcomes are missing.
    #[error("{missing} commands had no outcome after {seconds} s; is a processor running on this prefix?")]
    Silence {
        /// How many are missing.
        missing: usize,
        /// How long was waited for the next.
        seconds: u64,
    },
}

/// Says what was tried when Kafka refuses.
pub fn kafka(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> Failure {
    let doing = doing.into();
    move |source| Failure::Kafka { doing, source }
}
