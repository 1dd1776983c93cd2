//! Messages, states and rows, generated from `schemas/estimation` when this crate is built, and what is read of the events of
//! projects.

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

pub use commands::CommandData;
pub use events::EventData;
pub use state::State;
pub use steps::StepData;

/// What this domain reads of the events of projects.
pub mod projects_events {
    include!(concat!(env!("OUT_DIR"), "/projects_events.rs"));
}
