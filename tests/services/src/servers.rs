//! The three servers: how each is started, and the one question that shows it serves.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::recipe_file;
use crate::secured::{self, Secured, SecuredListener};
use crate::{Owned, Package, Port, Recipe, ServiceError, fetch, free_port, java};

/// Apache Kafka, one node, for one test.
pub type OwnedKafka = Owned<Kafka>;
/// Apache Cassandra, one node, for one test.
pub type OwnedCassandra = Owned<Cassandra>;
/// Apicurio Registry for one test.
pub type OwnedRegistry = Owned<Registry>;

/// How Kafka is run.
#[derive(Debug)]
pub struct Kafka {
    dir: PathBuf,
    lib: PathBuf,
    java: PathBuf,
    port: Port,
    controller: Port,
    properties: String,
    secured: Option<SecuredListener>,
}

impl OwnedKafka {
    /// Starts a broker that keeps its data in `dir`.
    pub fn start(dir: &Path) -> Result<Self, ServiceError> {
        Self::start_with(dir, &[])
    }

    /// The same with further lines for `server.properties`, which win over the recipe's.
    pub fn start_with(dir: &Path, properties: &[(&str, &str)]) -> Result<Self, ServiceError> {
        let properties = properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        Self::launch(Kafka::new(dir, properties, None)?, dir)
    }

    /// Starts a broker that beside the plain port has one for which a client needs a certificate and a password.
    pub fn start_secured(dir: &Path, secured: &Secured) -> Result<Self, ServiceError> {
        let listener = SecuredListener::new(secured)?;
        Self::launch(Kafka::new(dir, listener.properties(), Some(listener))?, dir)
    }

    /// `localhost:port` of the secured port; panics when there is none.
    pub fn secured_bootstrap(&self) -> String {
        self.recipe.secured.as_ref().expect("a broker that was started with a secured port").address()
    }

    /// `host:port` for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.recipe.address()
    }
}

impl Kafka {
    fn new(dir: &Path, properties: String, secured: Option<SecuredListener>) -> Result<Self, ServiceError> {
        Ok(Self {
            dir: dir.to_path_buf(),
            lib: fetch(Package::Kafka)?,
            java: java::for_servers()?,
            port: free_port()?,
            controller: free_port()?,
            properties,
            secured,
        })
    }
}

impl Recipe for Kafka {
    const NAME: &'static str = "kafka";

    fn address(&self) -> String {
        local(&self.port)
    }

    fn command(&self) -> Result<Command, ServiceError> {
        let mut command = script("kafka/run-kafka.sh", &self.lib, &self.java, &self.dir);
        command
            .args([self.port.number().to_string(), self.controller.number().to_string()])
            .env("KAFKA_PROPERTIES", &self.properties)
            .envs(self.secured.iter().flat_map(SecuredListener::variables));
        Ok(command)
    }

    fn is_ready(&self) -> bool {
        // ApiVersions, version 0, correlation id 1, no client id; the answer repeats the id, then an error code.
        const ASK: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255];
        let mut answer = [0; 10];
        ask(&self.port, &ASK, &mut answer).is_ok() && answer[4..] == [0, 0, 0, 1, 0, 0]
    }
}

/// What Cassandra promises of an acknowledged write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitLog {
    /// Synced from time to time: fast, but `kill -9` loses the last acknowledged writes.
    #[default]
    Periodic,
    /// Synced before the acknowledgement: for tests that kill it.
    Batch,
}

/// How Cassandra is run.
#[derive(Debug)]
pub struct Cassandra {
    dir: PathBuf,
    lib: PathBuf,
    java: PathBuf,
    port: Port,
    storage: Port,
    commit_log: CommitLog,
    settings: String,
    /// The configuration of one that encrypts, in place of the usual.
    secured: Option<PathBuf>,
}

impl OwnedCassandra {
    /// Starts a node that keeps its data in `dir`.
    pub fn start(dir: &Path, commit_log: CommitLog) -> Result<Self, ServiceError> {
        Self::start_with(dir, commit_log, &[])
    }

    /// The same with further settings of `cassandra.yaml`, which win over the recipe's.
    pub fn start_with(
        dir: &Path,
        commit_log: CommitLog,
        settings: &[(&str, &str)],
    ) -> Result<Self, ServiceError> {
        let settings =
            settings.iter().map(|(key, value)| format!(" -Dcassandra.settings.{key}={value}")).collect();
        Self::launch(Cassandra::new(dir, commit_log, settings, None)?, dir)
    }

    /// Starts a node for which a client needs a certificate and a password. It begins with the user `cassandra`, whose
    /// password is the same, some time after it serves.
    pub fn start_secured(dir: &Path, secured: &Secured) -> Result<Self, ServiceError> {
        let yaml = secured::cassandra_yaml(dir, secured)?;
        Self::launch(Cassandra::new(dir, CommitLog::Periodic, String::new(), Some(yaml))?, dir)
    }

    /// `host:port` for a CQL driver.
    pub fn contact_point(&self) -> String {
        self.recipe.address()
    }
}

impl Cassandra {
    fn new(
        dir: &Path,
        commit_log: CommitLog,
        settings: String,
        secured: Option<PathBuf>,
    ) -> Result<Self, ServiceError> {
        Ok(Self {
            dir: dir.to_path_buf(),
            lib: fetch(Package::Cassandra)?,
            java: java::for_servers()?,
            port: free_port()?,
            storage: free_port()?,
            commit_log,
            settings,
            secured,
        })
    }
}

impl Recipe for Cassandra {
    const NAME: &'static str = "cassandra";

    fn address(&self) -> String {
        local(&self.port)
    }

    fn command(&self) -> Result<Command, ServiceError> {
        let conf = match self.commit_log {
            CommitLog::Periodic => "cassandra/conf/cassandra.yaml",
            CommitLog::Batch => "cassandra/conf/cassandra-batch.yaml",
        };
        let mut command = script("cassandra/run-cassandra.sh", &self.lib, &self.java, &self.dir);
        command
            .args([self.port.number().to_string(), self.storage.number().to_string()])
            .env("CASS_CONF", self.secured.clone().unwrap_or_else(|| recipe_file(conf)))
            .env("CASS_SETTINGS", &self.settings);
        Ok(command)
    }

    fn is_ready(&self) -> bool {
        if self.secured.is_some() {
            // it listens only when it serves, and answers nothing to whoever has no certificate
            return connect(&self.port).is_ok();
        }
        // OPTIONS in version 4 of the native protocol; the answer is a SUPPORTED (6) of the same version.
        const ASK: [u8; 9] = [4, 0, 0, 0, 5, 0, 0, 0, 0];
        let mut answer = [0; 9];
        ask(&self.port, &ASK, &mut answer).is_ok() && answer[0] == 0x84 && answer[4] == 6
    }
}

/// How the registry is run.
#[derive(Debug)]
pub struct Registry {
    dir: PathBuf,
    lib: PathBuf,
    java: PathBuf,
    port: Port,
    management: Port,
}

impl OwnedRegistry {
    /// Starts a registry that keeps its data in `dir`.
    pub fn start(dir: &Path) -> Result<Self, ServiceError> {
        let recipe = Registry {
            dir: dir.to_path_buf(),
            lib: fetch(Package::Registry)?,
            java: java::for_registry()?,
            port: free_port()?,
            management: free_port()?,
        };
        Self::launch(recipe, dir)
    }

    /// The base URL of the Confluent REST API.
    pub fn url(&self) -> String {
        self.recipe.address()
    }
}

/// Where Apicurio serves the Confluent API.
const REGISTRY_PATH: &str = "/apis/ccompat/v7";

impl Recipe for Registry {
    const NAME: &'static str = "registry";

    fn address(&self) -> String {
        format!("http://{}{REGISTRY_PATH}", local(&self.port))
    }

    fn command(&self) -> Result<Command, ServiceError> {
        let mut command = script("registry/run-registry.sh", &self.lib, &self.java, &self.dir);
        command.args([self.port.number().to_string(), self.management.number().to_string()]);
        Ok(command)
    }

    fn is_ready(&self) -> bool {
        let request = format!(
            "GET {REGISTRY_PATH}/subjects HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            local(&self.port)
        );
        let mut answer = [0; 12];
        ask(&self.port, request.as_bytes(), &mut answer).is_ok() && answer == *b"HTTP/1.1 200"
    }
}

fn local(port: &Port) -> String {
    format!("127.0.0.1:{}", port.number())
}

/// A run script of this package with what all of them take.
fn script(file: &str, lib: &Path, java: &Path, dir: &Path) -> Command {
    let mut command = Command::new(recipe_file(file));
    command.env("LIB", lib).env("JAVA", java).arg(dir);
    command
}

/// One request and the beginning of its answer. A server that accepts but does not answer is not ready.
fn ask(port: &Port, request: &[u8], answer: &mut [u8]) -> io::Result<()> {
    let mut stream = connect(port)?;
    stream.set_read_timeout(Some(ASK_TIMEOUT))?;
    stream.set_write_timeout(Some(ASK_TIMEOUT))?;
    stream.write_all(request)?;
    stream.read_exact(answer)
}

/// How long one step of a question may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

fn connect(port: &Port) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port.number())), ASK_TIMEOUT)
}
