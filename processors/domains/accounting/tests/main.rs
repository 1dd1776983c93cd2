//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod common;
mod decisions;
mod expired;
mod lost_topics;
mod money;
mod pipeline;
mod schemas;
mod steps;
mod strangers;
mod totals;
mod transfer;
mod views;
