//! What a client of TLS reads from PEM files, and what a failed handshake means in words.
//!
//! Clients of Kafka, of the registry and of CQL come with libraries of their own, which all stand on OpenSSL and report in
//! its words: numbers, names of functions, and somewhere a reason. An operator needs the setting.

mod files;
mod words;

pub use files::{Files, FilesFault, Identity, Material};
pub use words::{Settings, explain};
