//! Real Kafka, CQL and registry servers for tests: from the environment, else from Maven Central.
//!
//! Three ways to a server, in the order in which a test should think of them:
//!
//! 1. [`Services`] hands out one server of each kind per process, started when first asked for; addresses in
//!    `MILLRACE_TEST_KAFKA`, `MILLRACE_TEST_CQL` and `MILLRACE_TEST_REGISTRY` come first. A test takes a
//!    [`topic_prefix`] and a [`keyspace`] of its own on it.
//! 2. The binary of this package starts the servers once for a whole test run, sets those variables and runs a
//!    command: `cargo run -p millrace-services -- exec -- cargo test --workspace`.
//! 3. [`OwnedKafka`], [`OwnedCassandra`] and [`OwnedRegistry`] belong to one test, which may kill, stop, freeze and
//!    restart them.
//!
//! Everything listens on the loopback interface only and dies with the process that started it.

mod cache;
mod error;
mod fetch;
mod java;
mod names;
mod owned;
mod ports;
mod python;
mod secured;
mod servers;
mod shared;
mod spawn;
mod structurizr;
mod wait;

pub use cache::cache_dir;
pub use error::ServiceError;
pub use fetch::{Package, fetch};
pub use names::{keyspace, topic_prefix, unique};
pub use owned::{Owned, Recipe};
pub use ports::{Port, free_port};
pub use python::{api_node_env, api_python_env, browser_node_env, python_env, web_node_env};
pub use secured::Secured;
pub use servers::{Cassandra, CommitLog, Kafka, OwnedCassandra, OwnedKafka, OwnedRegistry, Registry};
pub use shared::{
    CQL_VARIABLE, CqlServer, KAFKA_VARIABLE, KafkaServer, REGISTRY_VARIABLE, RegistryServer, Services,
};
pub use spawn::die_with_parent;
pub use structurizr::structurizr;
pub use wait::{Overdue, wait_for, wait_until};
