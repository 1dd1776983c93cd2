//! One server of each kind for all tests of a process: given in the environment, else started when first asked for.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::{CommitLog, OwnedCassandra, OwnedKafka, OwnedRegistry, ServiceError, cache_dir, unique};

/// Names the Kafka to use instead of starting one: `host:port`.
pub const KAFKA_VARIABLE: &str = "MILLRACE_TEST_KAFKA";
/// Names the CQL server to use instead of starting one: `host:port`.
pub const CQL_VARIABLE: &str = "MILLRACE_TEST_CQL";
/// Names the registry to use instead of starting one: its URL.
pub const REGISTRY_VARIABLE: &str = "MILLRACE_TEST_REGISTRY";

/// A Kafka that tests share.
#[derive(Debug)]
pub struct KafkaServer {
    /// `host:port` for `bootstrap.servers`.
    pub bootstrap: String,
    _own: Option<(OwnedKafka, RunDir)>,
}

/// A CQL server that tests share.
#[derive(Debug)]
pub struct CqlServer {
    /// `host:port` for a CQL driver.
    pub contact_point: String,
    _own: Option<(OwnedCassandra, RunDir)>,
}

/// A registry that tests share.
#[derive(Debug)]
pub struct RegistryServer {
    /// The base URL of the Confluent REST API.
    pub url: String,
    _own: Option<(OwnedRegistry, RunDir)>,
}

impl KafkaServer {
    /// The one named in the environment, else a new one with data that are thrown away.
    pub fn open() -> Result<Self, ServiceError> {
        if let Some(bootstrap) = given(KAFKA_VARIABLE) {
            return Ok(Self { bootstrap, _own: None });
        }
        let dir = RunDir::create("kafka")?;
        let own = OwnedKafka::start(&dir.path)?;
        Ok(Self { bootstrap: own.bootstrap(), _own: Some((own, dir)) })
    }
}

impl CqlServer {
    /// The one named in the environment, else a new one with data that are thrown away.
    pub fn open() -> Result<Self, ServiceError> {
        if let Some(contact_point) = given(CQL_VARIABLE) {
            return Ok(Self { contact_point, _own: None });
        }
        let dir = RunDir::create("cassandra")?;
        // Nobody kills a shared server, so the fast commit log will do.
        let own = OwnedCassandra::start(&dir.path, CommitLog::Periodic)?;
        Ok(Self { contact_point: own.contact_point(), _own: Some((own, dir)) })
    }
}

impl RegistryServer {
    /// The one named in the environment, else a new one with data that are thrown away.
    pub fn open() -> Result<Self, ServiceError> {
        if let Some(url) = given(REGISTRY_VARIABLE) {
            return Ok(Self { url, _own: None });
        }
        let dir = RunDir::create("registry")?;
        let own = OwnedRegistry::start(&dir.path)?;
        Ok(Self { url: own.url(), _own: Some((own, dir)) })
    }
}

/// The servers of this process.
#[derive(Debug)]
pub struct Services;

impl Services {
    /// The Kafka of this process.
    pub fn kafka() -> Result<&'static KafkaServer, &'static ServiceError> {
        static SERVER: OnceLock<Result<KafkaServer, ServiceError>> = OnceLock::new();
        SERVER.get_or_init(KafkaServer::open).as_ref()
    }

    /// The CQL server of this process.
    pub fn cql() -> Result<&'static CqlServer, &'static ServiceError> {
        static SERVER: OnceLock<Result<CqlServer, ServiceError>> = OnceLock::new();
        SERVER.get_or_init(CqlServer::open).as_ref()
    }

    /// The registry of this process.
    pub fn registry() -> Result<&'static RegistryServer, &'static ServiceError> {
        static SERVER: OnceLock<Result<RegistryServer, ServiceError>> = OnceLock::new();
        SERVER.get_or_init(RegistryServer::open).as_ref()
    }
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// A data folder in `<cache>/run`, removed with its owner, or by a later process if the owner could not: the servers
/// of a test process live in statics, which are never dropped.
#[derive(Debug)]
struct RunDir {
    path: PathBuf,
    _lock: File,
}

impl RunDir {
    fn create(name: &str) -> Result<Self, ServiceError> {
        let run = cache_dir().join("run");
        let doing = || format!("create a data folder in {}", run.display());
        fs::create_dir_all(&run).map_err(ServiceError::io(doing()))?;
        sweep(&run);
        let path = run.join(unique(name));
        // The lock lies beside the folder and is held before the folder exists, so a sweep never sees it unowned.
        let lock = File::create(path.with_extension("lock")).map_err(ServiceError::io(doing()))?;
        lock.try_lock().map_err(|error| ServiceError::io(doing())(error.into()))?;
        fs::create_dir(&path).map_err(ServiceError::io(doing()))?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(self.path.with_extension("lock"));
    }
}

/// Removes what processes left that are no more. Best effort: another process may be sweeping, too.
fn sweep(run: &std::path::Path) {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        let lock = path.with_extension("lock");
        let abandoned = match File::options().write(true).open(&lock) {
            Ok(file) => file.try_lock().is_ok(),
            Err(_) => true,
        };
        if abandoned {
            let _ = fs::remove_dir_all(&path);
            let _ = fs::remove_file(&lock);
        }
    }
}
