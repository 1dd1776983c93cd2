//! The transactional log for tests: in memory, and the suite that every log must pass.

pub mod conformance;
pub mod memory;
