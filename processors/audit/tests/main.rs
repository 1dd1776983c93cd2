//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod bounded;
mod common;
mod explain;
mod policies;
mod verify;
mod versions;
