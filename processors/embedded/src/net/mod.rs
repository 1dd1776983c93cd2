//! What a server gives to those who connect, and no more: places for connections, bytes in flight, time. Nobody is asked
//! for a name, so what is bounded is what one address and one connection may hold, and what is taken back first when
//! another needs it.
//!
//! | to find out | open |
//! |---|---|
//! | who gets a place, whose is taken back | `places.rs` |
//! | how long a client may take to send and to receive | `paced.rs` |
//! | HTTP and HTTPS within these bounds | `http.rs` |
//! | how many files may be open, and how many are | `files.rs` |
//! | whether a connection comes from this process | `own.rs` |

pub mod files;
pub mod http;
pub(crate) mod own;
pub(crate) mod paced;
pub(crate) mod places;

use std::time::Duration;

pub use places::{Taken, TurnedAway};

/// What a server gives to all its clients together, and to each.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time. When all are taken, a newcomer gets the place of the one that is missed least.
    pub connections: usize,
    /// Bytes of requests and answers that are held at a time. Small requests are not counted.
    pub bytes_in_flight: usize,
    /// How long a connection may be open before its first request.
    pub silent: Duration,
    /// How long a connection may be open without a request under way.
    pub idle: Duration,
    /// How long a client may neither send nor take a byte in the middle of a request or an answer. Ten times
    /// that is the longest that one request may take to arrive.
    pub stalled: Duration,
    /// The longest head of a request of HTTP, in bytes, at least 8192; `None`: as the library has it.
    pub head_bytes: Option<usize>,
    /// Whether the last open files of the process are left to others.
    pub leave_files: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1000,
            bytes_in_flight: 256 << 20,
            silent: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            stalled: Duration::from_secs(30),
            head_bytes: None,
            leave_files: true,
        }
    }
}

impl Limits {
    /// For connections of the process itself, which nobody else may use up: no time-outs while nothing is asked.
    pub(crate) fn own(&self) -> Self {
        let ever = Duration::from_secs(365 * 24 * 3600);
        Self { connections: 4096, silent: ever, idle: ever, leave_files: false, ..self.clone() }
    }
}
