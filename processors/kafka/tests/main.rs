//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod absent;
mod admin;
mod apache;
mod common;
mod embedded;
mod latency;
mod outage;
mod producer;
mod undecodable;
