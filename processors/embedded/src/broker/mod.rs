//! A single-node Kafka broker inside the process: the Kafka protocol over TCP, records on disk.
//!
//! [`Broker::start`] takes a [`BrokerConfig`] and returns a [`BrokerHandle`]. Clients of Kafka work
//! with it unchanged, transactions and consumer groups included. There is one broker, so nothing is
//! replicated; what is acknowledged survives the end of the process, and with
//! [`SyncPolicy::Always`] the loss of power as well.
//!
//! ```text
//! server ──► dispatch ──► api ──► coordinator ──► storage
//! ```
//!
//! `storage` knows files and batches, `coordinator` groups and transactions, `api` translates
//! requests, `server` moves frames. Arrows are the only direction in which one names another.

mod api;
mod config;
mod coordinator;
mod core;
mod dispatch;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guard;
mod server;
mod start;
mod storage;
mod topics;
mod util;
mod versions;

pub use config::{BrokerConfig, SyncPolicy};
pub use error::BrokerError;
pub use start::{Broker, BrokerHandle};
pub use storage::room::Refusing;
