//! Commands and events of Millrace, apart from the engine: types, Avro and JSON, partitions and ids.
//!
//! The types are made from the same schemas as those that domains use, and vectors hold their bytes equal.
//!
//! | feature | brings |
//! |---|---|
//! | `http` | `http::HttpClient`: commands, rows, and rows as they change, from a gateway; `Registry` |
//! | `kafka` | `kafka::KafkaClient`: commands with their outcomes, and events, by librdkafka |
//! | `seal` | `seal::seal`: secrets of commands |

mod avro;
mod bad;
mod framing;
mod generated;
#[cfg(feature = "http")]
pub mod http;
mod ids;
mod json;
#[cfg(feature = "kafka")]
pub mod kafka;
mod messages;
mod partition;
mod reading;
mod record;
#[cfg(feature = "http")]
mod registry;
mod resolve;
mod schema;
#[cfg(feature = "seal")]
pub mod seal;

pub use crate::avro::{Input, Output};
pub use crate::bad::BadMessage;
pub use crate::framing::{frame, unframe};
pub use crate::generated::*;
pub use crate::ids::{event_id, is_id, new_id, step_id};
pub use crate::json::{messages_from_json, record_from_json, record_to_json};
pub use crate::messages::{
    Command, Event, command_to_json, decode_command, decode_event, decode_outcome, encode_command,
    encode_event, encode_outcome, outcome_from_json,
};
pub use crate::partition::{murmur2, partition_of};
pub use crate::reading::{Failure, Read, Reading, UnknownMessage, Versions, is_same};
pub use crate::record::{Message, Messages, Record, Sink, Source, Symbols, Topic, View};
#[cfg(feature = "http")]
pub use crate::registry::{Registry, RegistryFailure};

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
