//! Projectors: committed events in, idempotent rows out, one lane a source partition.

pub mod lane;

pub use lane::{ProjectorFault, ProjectorLane, ProjectorPhase, ProjectorShared};
