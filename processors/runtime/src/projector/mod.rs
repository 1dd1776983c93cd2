//! Projectors: committed events in, idempotent rows out, one lane a source partition.

mod background;
mod fault;
mod footing;
pub mod lane;
mod pace;
mod turns;
mod unapplied;

pub use fault::ProjectorFault;
pub use footing::Footing;
pub use lane::{MakeProjector, ProjectorLane, ProjectorPhase, ProjectorShared};
pub use pace::Pace;
