//! The view store: one kept in memory, and the suite that every implementation passes.

pub mod conformance;
pub mod memory;

pub use memory::MemoryStore;
