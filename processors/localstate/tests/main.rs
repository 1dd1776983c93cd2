//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod conformance;
mod damage;
mod forged;
mod processes;
mod readers;
mod refused;
