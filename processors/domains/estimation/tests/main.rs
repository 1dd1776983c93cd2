//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod blind;
mod common;
mod crashes;
mod decisions;
mod histories;
mod processes;
mod schemas;
mod steps;
mod strangers;
mod views;
