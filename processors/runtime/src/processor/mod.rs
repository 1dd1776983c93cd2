//! The command processor: one lane a partition, each a state machine of its own.

mod aggregates;
mod answers;
mod arena;
mod asked;
pub mod batch;
mod cache;
mod changes;
mod checkpoint;
mod claims;
pub mod clock_watch;
pub mod codecs;
pub mod copy;
pub mod decide;
mod effects;
pub mod fault;
mod floor;
#[cfg(test)]
mod floor_model;
mod footing;
pub mod gap;
mod hashed;
pub mod intake;
mod keeping;
mod known;
pub mod lane;
mod line;
pub mod local;
pub mod looked_up;
pub mod lookup;
mod metadata;
mod overlay;
mod pace;
mod reading;
mod repeats;
mod running;
mod schema_wait;
pub mod state;
mod steps;
pub mod trim;
pub mod window;
#[cfg(test)]
mod window_model;
