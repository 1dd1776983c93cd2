//! Given/when/then, conformance suites, the in-memory adapters and oracles, for tests only.

pub mod given;
pub mod local;
pub mod log;
pub mod messages;
pub mod neighbours;
pub mod pipeline;
pub mod reaction;
pub mod schema;
pub mod store;
pub mod tables;
pub mod texts;
pub mod world;
