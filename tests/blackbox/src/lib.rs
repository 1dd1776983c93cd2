//! Black-box tests of the whole system against real and embedded servers.
//!
//! The system is known by its binary, its topics and its tables only. What talks to it is foreign: Python with
//! `confluent-kafka`, `fastavro`, `cassandra-driver` and `sqlite3` (`python/`). This crate starts processes, kills
//! them, and waits with deadlines; it never sleeps to give something time.
//!
//! A failing test prints the ends of the logs of all processes it had started.

mod binary;
pub mod chaos;
mod cli;
mod collector;
mod crowd;
mod foreign;
mod fragile;
mod front;
mod gateway;
mod http;
mod load;
mod metrics;
mod pki;
mod process;
mod proxy;
mod publisher;
mod python;
mod spawn;
mod system;
mod witness;

pub use binary::millrace;
pub use cli::{Cli, Ran};
pub use collector::{Collector, Span};
pub use crowd::Crowd;
pub use foreign::{Dead, Foreign};
pub use fragile::Fragile;
pub use front::Front;
pub use gateway::Gateway;
pub use http::{Answer, Http};
pub use load::{Act, Load, run_load, verify};
pub use metrics::{Metrics, http_get};
pub use pki::Authority;
pub use process::Process;
pub use proxy::{Proxy, Way};
pub use publisher::{Published, Publisher};
pub use python::{python, script};
pub use system::{Cluster, Embedded, SMALL_THRESHOLDS, System, shared_cluster, shared_embedded, workdir};
pub use witness::{Needle, Witness};

use std::time::Duration;

/// For what should be there at once, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(60);
/// For what takes servers, sessions and recoveries their time.
pub const LATER: Duration = Duration::from_secs(180);
