//! The transactional log on Apache Kafka, through rdkafka.
//!
//! This is the only crate that names `rdkafka`. It knows bytes, topics and offsets; it knows
//! no schema, no domain and no view.
//!
//! | to do | open |
//! |---|---|
//! | which settings a client gets, and why | `config.rs` |
//! | which properties are secrets, and which load code | `properties.rs` |
//! | how an error of the client becomes a fault of the port | `fault.rs`, `security.rs` |
//! | read records and know the position past transaction markers | `reader.rs` |
//! | look at a record that is not committed, and who has the transaction open | `probe.rs`, `holder.rs` |
//! | find the end of a batch that cannot be decompressed | `batches.rs` |
//! | membership in a group, and who may still commit | `group.rs`, `membership.rs` |
//! | one transaction from records to commit | `writer.rs`, `committer.rs` |
//! | send records outside transactions, look after topics | `producer.rs`, `admin.rs` |
//! | what rdkafka has no safe call for | `native.rs`, the only file with `unsafe` |

mod admin;
mod appender;
mod assignment;
mod batches;
mod block_on;
mod committer;
mod config;
mod diary;
mod fault;
mod group;
mod holder;
mod log;
mod membership;
#[allow(unsafe_code)]
mod native;
mod probe;
mod producer;
pub mod properties;
mod quiet;
mod reader;
mod reaper;
mod security;
mod timing;
mod writer;

pub use admin::{
    Admin, Broker, Cluster, GroupDescription, GroupLag, MemberDescription, NewTopic, TopicDescription,
};
pub use config::KafkaConfig;
pub use holder::Holder;
pub use log::KafkaLog;
pub use producer::{Delivered, KafkaProducer, Message};
