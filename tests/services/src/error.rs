//! What can go wrong on the way to a server, each with what the reader can do about it.

use std::io;
use std::path::Path;
use std::time::Duration;

/// Why there is no server (or no Python) to hand out.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A program the machine has to bring is not there.
    #[error("{what} is missing; install it with: {install}")]
    Missing {
        /// The program and what it is needed for.
        what: String,
        /// The command that installs it.
        install: String,
    },
    /// The file system or the process table refused something.
    #[error("cannot {doing}")]
    Io {
        /// What was tried, as an infinitive.
        doing: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A helper program (Maven, pip, tar) failed.
    #[error("`{command}` failed ({status}):\n{output}")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// A server ended, or did not answer in time.
    #[error("{server} at {address} {what} after {waited:?}; its log is {log}:\n{tail}", log = log.display())]
    NotReady {
        /// Which server.
        server: &'static str,
        /// Where it should listen.
        address: String,
        /// "ended (status)" or "was not ready".
        what: String,
        /// How long it was given or took.
        waited: Duration,
        /// Where all of its output is.
        log: Box<Path>,
        /// The end of that.
        tail: String,
    },
    /// A server did not end on SIGTERM and was killed.
    #[error("{server} (pid {pid}) did not end within {waited:?} of SIGTERM and was killed")]
    DidNotStop {
        /// Which server.
        server: &'static str,
        /// Its process.
        pid: u32,
        /// How long it was given.
        waited: Duration,
    },
    /// No free port was found.
    #[error("no free port between {first} and {last} on 127.0.0.1")]
    NoPort {
        /// First port tried.
        first: u16,
        /// Last port tried.
        last: u16,
    },
}

impl ServiceError {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
