//! Ports that were picked once and are picked again, so that producers need not be told anew.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::CliError;

/// The file in the data folder.
const NAME: &str = "ports.toml";

/// The ports of the last start with port 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The broker's.
    pub kafka: u16,
    /// The registry's.
    pub registry: u16,
    /// The gateway's.
    pub http: u16,
}

impl Kept {
    /// What the data folder remembers.
    #[must_use]
    pub fn read(data: &Path) -> Self {
        let text = fs::read_to_string(data.join(NAME)).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }

    /// Remembers it for the next start; that it cannot is no reason not to start.
    pub fn write(&self, data: &Path) {
        if let Ok(text) = toml::to_string(self) {
            let _ = millrace_disk::replace(&data.join(NAME), text.as_bytes());
        }
    }

    /// Opens a server on `wanted`, or with 0 on the port kept, or on a free one when that is taken
    /// (an error of `None`), and keeps the port it got.
    ///
    /// # Errors
    /// What `open` says.
    pub fn open<T>(
        &mut self,
        wanted: u16,
        slot: impl Fn(&mut Self) -> &mut u16,
        mut open: impl FnMut(u16) -> Result<(u16, T), Option<CliError>>,
    ) -> Result<T, CliError> {
        let kept = *slot(self);
        let first = if wanted == 0 { kept } else { wanted };
        let opened = match open(first) {
            Err(None) => open(wanted),
            other => other,
        };
        let failed = || CliError::failed(format!("port {wanted} cannot be listened on"));
        let (port, server) = opened.map_err(|error| error.unwrap_or_else(failed))?;
        if wanted == 0 {
            *slot(self) = port;
        }
        Ok(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picked_port_is_picked_again_unless_it_is_taken() {
        let mut kept = Kept::default();
        let open = |taken: u16| {
            move |port: u16| match port {
                0 => Ok((40_000, ())),
                port if port == taken => Err(None),
                port => Ok((port, ())),
            }
        };
        kept.open(0, |k| &mut k.kafka, open(1)).unwrap();
        assert_eq!(kept.kafka, 40_000);
        kept.kafka = 41_000;
        kept.open(0, |k| &mut k.kafka, open(1)).unwrap();
        assert_eq!(kept.kafka, 41_000);
        kept.open(0, |k| &mut k.kafka, open(41_000)).unwrap();
        assert_eq!(kept.kafka, 40_000);
        kept.open(9092, |k| &mut k.kafka, open(1)).unwrap();
        assert_eq!(kept.kafka, 40_000, "a port that was asked for is not kept");
    }
}
