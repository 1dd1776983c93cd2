//! Messages, states and rows, generated from `schemas/projects` when this crate is built, and what is read of the events of
//! identity.

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

pub use commands::CommandData;
pub use events::EventData;
pub use state::State;
pub use steps::StepData;

/// What this domain reads of the events of identity.
pub mod identity_events {
    include!(concat!(env!("OUT_DIR"), "/identity_events.rs"));
}
