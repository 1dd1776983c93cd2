//! The loops: command processor, projector and process manager, on the ports.
//!
//! `runtime` knows no broker, no database and no domain by name. A decided batch is data
//! until the log's adapter makes it a transaction; a projected event is data until the
//! store's adapter writes it.

pub mod advice;
pub mod changes;
pub mod copies;
pub mod dead;
mod follow;
pub mod health;
pub mod local;
pub mod metrics;
pub mod planted;
pub mod policy;
pub mod processor;
pub mod progress;
pub mod projector;
pub mod role;
pub mod settings;
pub mod standby;
pub mod supervise;
pub mod topic_rules;
pub mod topology;
pub mod versions;

pub use health::Health;
pub use local::LocalState;
pub use metrics::Metrics;
pub use role::{FamilyRole, Ports, RoleError, run_policy, run_processor};
pub use settings::{ProcessorSettings, ProjectorSettings};
pub use supervise::Stop;
pub use topology::Topology;
