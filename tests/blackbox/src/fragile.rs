//! A cluster on servers of its own, which a test may kill, freeze and restart.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use millrace_services::{CommitLog, OwnedCassandra, OwnedKafka, OwnedRegistry};
use tempfile::TempDir;

use crate::{Cli, Cluster, SMALL_THRESHOLDS, System};

/// A cluster on servers of its own. Cassandra syncs before it acknowledges here: otherwise it would lose rows that it
/// had acknowledged when it is killed, and the test would blame the wrong one.
#[derive(Debug)]
pub struct Fragile {
    /// The roles.
    pub cluster: Cluster,
    /// The broker.
    pub kafka: OwnedKafka,
    /// The schema registry.
    pub registry: OwnedRegistry,
    /// The CQL server.
    pub cql: OwnedCassandra,
    _temporary: Option<TempDir>,
    _turn: File,
}

impl Fragile {
    /// Servers with topics, schemas and tables, and no role running.
    pub fn new(test: &str) -> Self {
        Self::with(test, SMALL_THRESHOLDS)
    }

    /// The same with other settings for the roles.
    pub fn with(test: &str, settings: &str) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut fragile = Self::within(data.path(), test, settings);
        fragile._temporary = Some(data);
        fragile
    }

    /// The same with all data and logs in a folder that stays: whoever reads them removes it.
    pub fn within(dir: &Path, test: &str, settings: &str) -> Self {
        let turn = turn();
        let folder = |name: &str| -> PathBuf {
            let path = dir.join(name);
            fs::create_dir(&path).expect("a folder in its folder");
            path
        };
        let kafka = OwnedKafka::start(&folder("kafka")).unwrap_or_else(|error| panic!("{error}"));
        let registry = OwnedRegistry::start(&folder("registry")).unwrap_or_else(|error| panic!("{error}"));
        let cql =
            OwnedCassandra::start(&folder("cql"), CommitLog::Batch).unwrap_or_else(|error| panic!("{error}"));
        let cluster = Cluster::within(
            &folder("roles"),
            test,
            settings,
            &kafka.bootstrap(),
            &registry.url(),
            &cql.contact_point(),
        );
        cluster.set_up();
        Self { cluster, kafka, registry, cql, _temporary: None, _turn: turn }
    }
}

impl System for Fragile {
    fn cli(&self) -> Cli {
        self.cluster.cli()
    }
    fn kafka(&self) -> &str {
        self.cluster.kafka()
    }
    fn registry(&self) -> &str {
        self.cluster.registry()
    }
    fn prefix(&self) -> &str {
        self.cluster.prefix()
    }
    fn dir(&self) -> &Path {
        self.cluster.dir()
    }
    fn tables(&self) -> Vec<String> {
        self.cluster.tables()
    }
}

/// Three servers are as much as a small machine carries besides what is tested: one test after the other, also when
/// each runs in a process of its own.
fn turn() -> File {
    let lock = File::create(std::env::temp_dir().join("millrace-blackbox-outages.lock"));
    let lock = lock.expect("a file in the temporary folder");
    lock.lock().expect("a file can be locked");
    lock
}
