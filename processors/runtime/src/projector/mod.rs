//! Projectors: committed events in, idempotent rows out, one lane a source partition.

mod background;
pub(crate) mod begin;
mod copy;
mod fault;
mod footing;
mod keeping;
mod kept;
pub mod lane;
mod pace;
mod parked;
mod places;
mod running;
mod turns;
mod unapplied;

pub use copy::ProjectorCopy;
pub use fault::ProjectorFault;
pub use footing::Footing;
pub use kept::Kept;
pub use lane::{MakeProjector, ProjectorLane, ProjectorPhase, ProjectorShared};
pub use pace::Pace;
