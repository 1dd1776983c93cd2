//! The tests of this crate, one binary: each of its own would be linked with everything below.

mod compaction;
mod elsewhere;
mod generated;
mod local_memory;
mod lookup;
mod memory_log;
mod moves;
mod policies;
mod setbacks;
mod store_memory;
mod versions;
