//! Why a broker cannot be started or stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::storage::fault::LogError;

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
    /// Stored data is damaged, or missing, in a way that a crash does not explain.
    #[error("{what}")]
    Damaged {
        /// Which file and where, and the way out.
        what: String,
    },
    /// A newer build has written what this one does not know.
    #[error("{what}")]
    NewerBuild {
        /// Which file and where, and the way out.
        what: String,
    },
    /// The broker has stopped: memory and disk may differ after a write or sync that failed.
    #[error(
        "the broker has stopped: {why}; mend the disk and start again, which goes on from what the disk holds"
    )]
    Halted {
        /// What failed.
        why: String,
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

impl From<LogError> for BrokerError {
    fn from(error: LogError) -> Self {
        let what = error.to_string();
        match error {
            LogError::Io { path, source } => Self::Storage { action: "opening stored data", path, source },
            LogError::Newer { .. } => Self::NewerBuild { what },
            LogError::Damaged { .. } | LogError::Missing { .. } | LogError::SameFolder { .. } => {
                Self::Damaged { what }
            }
        }
    }
}
