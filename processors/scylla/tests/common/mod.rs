//! A store in a keyspace of its own, on the server of this test process.

use millrace_scylla::{ScyllaConfig, ScyllaStore};
use millrace_services::{Services, keyspace};

/// Where the server is, and a keyspace nobody else uses.
pub fn config() -> ScyllaConfig {
    let server = Services::cql().unwrap_or_else(|error| panic!("no CQL server: {error}"));
    ScyllaConfig::new([server.contact_point.clone()], keyspace("store"))
}

/// A store that has no keyspace yet.
pub fn store() -> ScyllaStore {
    ScyllaStore::connect(config()).unwrap()
}
