//! The loops: command processor, projector and process manager, on the ports.
//!
//! `runtime` knows no broker, no database and no domain by name. A decided batch is data
//! until the log's adapter makes it a transaction; a projected event is data until the
//! store's adapter writes it.

pub mod progress;
pub mod settings;
pub mod topology;

pub use settings::{ProcessorSettings, ProjectorSettings};
pub use topology::Topology;
