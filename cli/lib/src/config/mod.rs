//! Configuration: defaults < `millrace.toml` < `MILLRACE_*` environment < flags.
//!
//! The layers and where each value comes from are figment's; here is what they are made of
//! (`layers`), what may be set (`settings`, `ranges`), which names are refused (`unknown`), which
//! values are not shown (`secrets`), and the manual (`explain`).

pub mod explain;
pub mod layers;
pub mod ranges;
pub mod secrets;
pub mod settings;
mod unknown;

use std::fmt;
use std::path::PathBuf;

use figment::value::{Dict, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use serde::de::DeserializeOwned;

pub use layers::{Given, Inputs};
pub use ranges::LONGEST_SECONDS;
pub use settings::{
    CqlSettings, GatewayAuth, GatewaySettings, LogFormat, RegistrySettings, SealSettings, SecuritySettings,
    Settings, TelemetrySettings, UpSettings,
};

use crate::endpoints::Endpoints;
use crate::error::CliError;

/// The configuration in force, and where every value of it comes from.
#[derive(Clone)]
pub struct Config {
    /// What is the same for all domains.
    pub settings: Settings,
    /// What a running `millrace up` has written, when the addresses come from there.
    pub up: Option<Endpoints>,
    figment: Figment,
}

/// One value in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Its key, as in `millrace.toml`.
    pub key: String,
    /// The value.
    pub value: serde_json::Value,
    /// Where it comes from.
    pub origin: String,
}

impl Config {
    /// The settings of a section, such as a domain's.
    ///
    /// # Errors
    /// A value of the wrong type, with its key and origin.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, CliError> {
        self.figment.extract_inner(name).map_err(|error| layers::wrong(&error))
    }

    /// Every value in force, in the order of its key.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        let data = self.figment.data().unwrap_or_default();
        let mut found = Vec::new();
        if let Some(dict) = data.get(&Profile::Default) {
            self.flatten(dict, &mut Vec::new(), &mut found);
        }
        // sections behind the plain values, as in the file
        found.sort_by_key(|value| value.key.contains('.'));
        found
    }

    /// Where the value of `key` comes from.
    #[must_use]
    pub fn origin(&self, key: &str) -> String {
        match self.figment.find_metadata(key) {
            Some(metadata) => origin(metadata),
            None => "default".to_owned(),
        }
    }

    /// Whether somebody has set `key`.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.origin(key) != layers::DEFAULT
    }

    fn flatten<'a>(&self, dict: &'a Dict, path: &mut Vec<&'a str>, found: &mut Vec<Effective>) {
        for (name, value) in dict {
            path.push(name);
            match value {
                Value::Dict(_, inner) => self.flatten(inner, path, found),
                other => {
                    let origin = self.figment.get_metadata(other.tag()).map_or_else(String::new, origin);
                    let mut value = serde_json::to_value(other).unwrap_or_default();
                    if let serde_json::Value::String(text) = &mut value {
                        *text = secrets::shown(path, text);
                    }
                    let key = path.iter().map(|part| layers::quoted(part)).collect::<Vec<_>>().join(".");
                    found.push(Effective { key, value, origin });
                }
            }
            path.pop();
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the layers hold secrets as they were given
        f.debug_struct("Config")
            .field("settings", &self.settings)
            .field("up", &self.up)
            .finish_non_exhaustive()
    }
}

fn origin(metadata: &Metadata) -> String {
    match &metadata.source {
        Some(Source::File(path)) => shorten(path).display().to_string(),
        _ => metadata.name.to_string(),
    }
}

/// The path as seen from the current folder, when it lies below it.
fn shorten(path: &std::path::Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(PathBuf::from))
        .unwrap_or_else(|| path.to_path_buf())
}
