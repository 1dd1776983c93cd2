//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod common;
mod crashes;
mod decisions;
mod keys;
mod leaks;
mod processes;
mod schemas;
mod steps;
mod strangers;
mod views;
