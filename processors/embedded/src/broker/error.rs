//! Why a broker cannot be started or stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a broker cannot be started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// Another process uses the data folder.
    #[error(
        "the data folder {} is in use by another process; stop that one or choose another folder with --data",
        path.display()
    )]
    DataDirInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder cannot be written to.
    #[error("the data folder {} cannot be written to; check its owner and permissions", path.display())]
    DataDirNotWritable {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Another program listens on the port.
    #[error(
        "port {} of {} is taken by another program; stop that one or choose another port with --kafka-port",
        addr.port(),
        addr.ip()
    )]
    PortTaken {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Stored data is damaged in a way that a crash does not explain.
    #[error("stored data is damaged: {what}")]
    Damaged {
        /// Which file and where.
        what: String,
    },
    /// A file operation failed.
    #[error("{action} failed for {}", path.display())]
    Storage {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}
