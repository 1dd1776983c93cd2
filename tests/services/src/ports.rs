//! Ports that stay free for their owner, also while its server is down.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;

use crate::ServiceError;

/// Below the range from which Linux takes the ports of outgoing connections: one of those could hold the port just
/// when a killed server wants it back.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// A port of 127.0.0.1, promised to one owner by a lock file until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Finds a port nobody listens on and no other test has been promised.
pub fn free_port() -> Result<Port, ServiceError> {
    let dir = promises();
    fs::create_dir_all(&dir).map_err(ServiceError::io(format!("create {}", dir.display())))?;
    let count = LAST - FIRST + 1;
    // A random start: processes that look at the same time do not queue behind each other.
    let start = (RandomState::new().build_hasher().finish() % u64::from(count)) as u16;
    for step in 0..count {
        let number = FIRST + (start + step) % count;
        let path = dir.join(number.to_string());
        let Ok(lock) = File::options().create(true).truncate(false).write(true).open(&path) else {
            continue; // promised by another user of the machine
        };
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
            return Ok(Port { number, _lock: lock });
        }
    }
    Err(ServiceError::NoPort { first: FIRST, last: LAST })
}

/// The folder of lock files; one for the machine, as ports are.
fn promises() -> PathBuf {
    std::env::temp_dir().join("millrace-test-ports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promised_ports_differ() {
        let ports: Vec<Port> = (0..50).map(|_| free_port().unwrap()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
    }
}
