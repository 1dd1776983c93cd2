//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod common;
mod crashes;
mod decisions;
mod histories;
mod processes;
mod schedules;
mod schemas;
mod steps;
mod strangers;
mod views;
