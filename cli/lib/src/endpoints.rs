//! Where a running `millrace up` is: the file it writes, and how the other commands find it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use serde::{Deserialize, Serialize};

use crate::config::Given;

/// The file's name, in the data folder and in the state folder.
const NAME: &str = "up.toml";
/// The data folder looked at first.
pub const DEFAULT_DATA: &str = "millrace-data";

/// The addresses of a running `millrace up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The broker, `host:port`.
    pub kafka: String,
    /// The registry's URL.
    pub registry: String,
    /// The folder of the tables.
    pub sqlite: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// The process.
    pub pid: u32,
    /// Its health endpoints, `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// The gateway's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// What the names in Kafka begin with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic_prefix: String,
    /// The file with the public keys for which secrets are sealed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seal_public_key_file: String,
    /// The file with the keys of pseudonyms.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pseudonym_keys_file: String,
    /// The file this was read from.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Endpoints {
    /// What the nearest `millrace up` has written, if any: in `./millrace-data`, else in the
    /// user's state folder.
    #[must_use]
    pub fn find() -> Option<Self> {
        let here = Path::new(DEFAULT_DATA).join(NAME);
        let here = std::path::absolute(&here).unwrap_or(here);
        [Some(here), state_file()].into_iter().flatten().find_map(|path| Self::read(&path))
    }

    /// What `file` says, if it is there and can be read.
    #[must_use]
    pub fn read(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        let found: Self = toml::from_str(&text).ok()?;
        Some(Self { file: file.to_path_buf(), ..found })
    }

    /// The values as settings.
    #[must_use]
    pub fn given(&self) -> Vec<Given> {
        let origin = format!("millrace up ({})", self.file.display());
        let mut given = vec![
            Given::new("kafka", self.kafka.as_str(), origin.as_str()),
            Given::new("registry", self.registry.as_str(), origin.as_str()),
            Given::new("sqlite", self.sqlite.display().to_string(), origin.as_str()),
        ];
        let more = [
            ("topic_prefix", &self.topic_prefix),
            ("seal.public_key_file", &self.seal_public_key_file),
            ("processor.pseudonym_keys_file", &self.pseudonym_keys_file),
        ];
        let set = more.into_iter().filter(|(_, value)| !value.is_empty());
        given.extend(set.map(|(key, value)| Given::new(key, value.as_str(), origin.as_str())));
        given
    }

    /// Writes them into the data folder, and for other folders into the user's state folder.
    ///
    /// # Errors
    /// The data folder cannot be written. That the state folder cannot is only logged.
    pub fn publish(&self) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        millrace_disk::replace(&self.data.join(NAME), text.as_bytes())?;
        if let Some(path) = state_file() {
            let made = path.parent().map_or(Ok(()), millrace_disk::make_folder);
            let written = made.and_then(|()| millrace_disk::replace(&path, text.as_bytes()));
            if let Err(error) = written {
                tracing::debug!("{} is not written: {error}", path.display());
            }
        }
        Ok(())
    }

    /// Takes back what this process has published, and nothing of another's.
    pub fn withdraw(&self) {
        for path in [Some(self.data.join(NAME)), state_file()].into_iter().flatten() {
            if Self::read(&path).is_some_and(|found| found.pid == self.pid && found.data == self.data) {
                let _ = millrace_disk::remove_file(&path);
            }
        }
    }
}

/// `$XDG_STATE_HOME/millrace/up.toml`, by default below `~/.local/state`.
fn state_file() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    Some(state.join("millrace").join(NAME))
}
