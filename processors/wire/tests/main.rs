//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod codec;
mod find;
mod support;
