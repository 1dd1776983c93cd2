//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod common;
mod decisions;
mod overlaps;
mod pipeline;
mod schemas;
mod sizes;
mod strangers;
mod views;
