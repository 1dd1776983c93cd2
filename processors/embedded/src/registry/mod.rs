//! The embedded schema registry: Confluent's REST interface for Avro, in one process, durable on disk.
//!
//! It knows what producers and consumers of Avro need: subjects, versions, ids, compatibility, soft and permanent
//! deletes, references. It knows no contexts, import mode, data contracts, JSON Schema or Protobuf, and is no cluster.

mod by;
mod compat;
#[cfg(test)]
mod compat_tests;
mod core;
mod defaults;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod gate;
mod graph;
mod history;
mod http;
mod journal;
mod pairs;
mod references;
mod refusal;
mod schema;
mod whole;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::by::By;
pub use self::compat::{Level, TooComplex, unreadable};
use self::core::Core;
use self::journal::Journal;
pub use self::schema::AvroSchema;
use crate::net::http::serve_in;
use crate::net::places::Places;
use crate::net::{Limits, Taken};

/// How long requests in flight may take after a shutdown began.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Where the registry listens and keeps its data.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// The folder of its data, made if need be; `None` keeps everything in memory.
    pub data_dir: Option<PathBuf>,
    /// The address it listens on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What all clients together, and each of them, may hold, and for how long.
    pub limits: Limits,
    /// Whether it also listens on a free port of loopback, for clients in its own process only, which others cannot
    /// take connections from.
    pub own_listener: bool,
    /// Names by which clients may call it, beside `localhost` and addresses: a web page that a browser was led to believe
    /// comes from here has another.
    pub hosts: Vec<String>,
}

/// A schema as text is turned into several times its size.
const BYTES_IN_FLIGHT: usize = 64 << 20;
/// How long an idle connection is kept; clients open another without a word.
const IDLE: Duration = Duration::from_secs(30);

impl Default for RegistryConfig {
    /// In memory, on the loopback interface, on the port registries have.
    fn default() -> Self {
        Self {
            data_dir: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081),
            limits: Limits {
                bytes_in_flight: BYTES_IN_FLIGHT,
                silent: IDLE,
                idle: IDLE,
                ..Limits::default()
            },
            own_listener: false,
            hosts: Vec::new(),
        }
    }
}

/// Why the registry does not start.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Another program listens there.
    #[error(
        "the registry cannot listen on {address}: the port is taken; choose another or stop who holds it"
    )]
    PortTaken {
        /// The address.
        address: SocketAddr,
    },
    /// The address is not to be had for another reason.
    #[error("the registry cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The folder cannot be made, read or written.
    #[error("the registry cannot use the folder {dir}", dir = dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another registry has the folder open.
    #[error("another process uses the registry's folder {dir}", dir = dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// A newer build has written what this one does not know.
    #[error(
        "{path} was made by a newer build of this program: line {line} is unknown ({what}). Nothing was changed. \
         Start that build again, or give this one another data folder",
        path = path.display()
    )]
    NewerBuild {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is unknown.
        what: String,
    },
    /// The file holds what was never written by a registry.
    #[error(
        "{path} is damaged: line {line} {what}. Nothing was changed. Restore the file from a copy; records carry \
         the ids it gave, so it cannot be begun anew",
        path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// The embedded schema registry.
#[derive(Debug)]
pub struct Registry;

impl Registry {
    /// Loads what the folder holds, listens and serves until the handle is shut down or dropped.
    pub async fn start(config: RegistryConfig) -> Result<RegistryHandle, RegistryError> {
        let core = match config.data_dir {
            None => Core::default(),
            Some(dir) => {
                let (journal, changes) = Journal::open(&dir)?;
                Core::restore(journal, changes)
            }
        };
        let (listener, bound) = listen(config.listen).await?;
        let (stop, stopped) = watch::channel(false);
        let core = Arc::new(Mutex::new(core));
        let router = http::router(Arc::clone(&core), &config.hosts);
        let places = |limits| Places::new("registry", limits);
        let of_others = places(config.limits.clone());
        let serving = serve_in(Arc::clone(&of_others), listener, router.clone(), false, stopped.clone());
        let mut tasks = vec![tokio::spawn(serving)];
        let mut own = None;
        if config.own_listener {
            let (listener, bound) = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
            let limits = Limits { silent: config.limits.silent, ..config.limits.own() };
            tasks.push(tokio::spawn(serve_in(
                places(limits),
                listener,
                router.layer(Extension(By::Own)),
                true,
                stopped,
            )));
            own = Some(bound);
        }
        tracing::info!(address = %bound, "schema registry listens");
        Ok(RegistryHandle { bound, own, places: of_others, stop, tasks, core })
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RegistryError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => RegistryError::PortTaken { address },
        _ => RegistryError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// A running registry; it ends when this is dropped.
pub struct RegistryHandle {
    bound: SocketAddr,
    own: Option<SocketAddr>,
    places: Arc<Places>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    core: http::Shared,
}

impl RegistryHandle {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.bound
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        let ip = match self.bound.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.bound.port()))
    }

    /// The URL for clients in this process; the same as for others when there is no listener of their own.
    pub fn own_url(&self) -> String {
        self.own.map_or_else(|| self.url(), |own| format!("http://{own}"))
    }

    /// How many connections of others there are, and who was turned away; for as long as it is asked.
    pub fn connections(&self) -> impl Fn() -> Taken + Clone + Send + Sync + use<> {
        let places = Arc::clone(&self.places);
        move || places.taken()
    }

    /// Lets requests in flight finish and frees the port and the folder.
    pub async fn shutdown(self) {
        let Self { stop, tasks, core, .. } = self;
        stop.send_replace(true);
        let until = tokio::time::Instant::now() + SHUTDOWN_GRACE;
        for mut task in tasks {
            if tokio::time::timeout_at(until, &mut task).await.is_err() {
                // A client that sends its request byte by byte does not get to keep the port.
                task.abort();
                let _ = task.await;
            }
        }
        core.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}
