//! Projectors: committed events in, idempotent rows out, one lane a source partition.

mod background;
pub mod lane;
mod pace;
mod turns;
mod unapplied;

pub use lane::{MakeProjector, ProjectorFault, ProjectorLane, ProjectorPhase, ProjectorShared};
pub use pace::Pace;
