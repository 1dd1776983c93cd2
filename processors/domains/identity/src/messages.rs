//! Messages, states and rows, generated from `schemas/identity` when this crate is built.

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

pub use commands::CommandData;
pub use events::EventData;
pub use state::State;
pub use steps::StepData;
