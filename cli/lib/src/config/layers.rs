//! The layers, from the weakest to the strongest, and the errors in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::settings::Settings;
use super::{Config, origin, ranges, secrets, unknown};
use crate::domain::DomainEntry;
use crate::endpoints::Endpoints;
use crate::error::CliError;

/// The origin of what nobody has set.
pub const DEFAULT: &str = "default";
/// The file that is read when it is there.
pub const FILE: &str = "millrace.toml";
/// What the names of environment variables begin with.
const ENV_PREFIX: &str = "MILLRACE_";
/// The one section whose keys are not fixed.
pub const OPEN_SECTION: &str = "kafka_client";
/// The flag that says where the registry is.
const FLAG_OF_REGISTRY: &str = "--registry";
/// The keys that say where the servers are.
const ADDRESSES: [&str; 4] = ["kafka", "registry", "cql", "sqlite"];

/// A value that a flag or a variable has set.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// The key, part by part: a part may itself hold dots.
    pub path: Vec<String>,
    /// The value as text.
    pub text: String,
    /// What to call its origin.
    pub origin: String,
}

impl Given {
    /// The value of `key`, set by `origin`.
    pub fn new(key: &str, text: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { path: key.split('.').map(str::to_owned).collect(), text: text.into(), origin: origin.into() }
    }
}

/// Everything that configures a process, so that a test can bring its own.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The file that `--config` names.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Flags, in the order given.
    pub flags: Vec<Given>,
    /// What a running `millrace up` has written.
    pub up: Option<Endpoints>,
}

impl Inputs {
    /// Reads all layers.
    ///
    /// # Errors
    /// Unknown keys, with the nearest known one; values of the wrong type; a file that
    /// cannot be read.
    pub fn load(self, domains: &[Box<dyn DomainEntry>]) -> Result<Config, CliError> {
        let mut defaults = Figment::new().merge(Named(Serialized::defaults(Settings::default())));
        for domain in domains {
            defaults = defaults.merge(Named(Serialized::default(domain.name(), domain.default_settings())));
        }
        let known =
            defaults.data().map_err(|error| wrong(&error))?.remove(&Profile::Default).unwrap_or_default();
        let file = file_layer(self.file, &known)?;
        let variables = from_environment(self.environment, &known)?;
        let mut given = variables;
        given.extend(self.flags);
        let is_given = |key: &str| {
            given.iter().any(|value| value.path == [key])
                || file
                    .as_ref()
                    .and_then(|(_, data)| data.get(&Profile::Default))
                    .is_some_and(|d| d.contains_key(key))
        };
        // all or nothing: half of one system and half of another helps nobody
        let up = self.up.filter(|_| !ADDRESSES.iter().any(|key| is_given(key)));
        let mut figment = defaults;
        for value in up.iter().flat_map(Endpoints::given) {
            figment = figment.merge(Layer::new(&value, &known)?);
        }
        if let Some((toml, _)) = file {
            figment = figment.merge(toml);
        }
        for value in &given {
            figment = figment.merge(Layer::new(value, &known)?);
        }
        let settings: Settings = figment.extract().map_err(|error| wrong(&error))?;
        if !settings.cql.is_empty() && !settings.sqlite.is_empty() {
            let from = |key: &str| figment.find_metadata(key).map(origin).unwrap_or_default();
            return Err(CliError::usage(format!(
                "tables are either on CQL or in SQLite: cql is set by {}, sqlite by {}",
                from("cql"),
                from("sqlite")
            )));
        }
        let login = secrets::login(&settings.registry);
        let mut config = Config { settings, up, figment };
        ranges::check(&config)?;
        let origin = config.origin("registry");
        if let Some(login) = login.map_err(|why| CliError::usage(format!("{origin}: registry: {why}")))? {
            log_in(&mut config, login)?;
        }
        Ok(config)
    }
}

/// Has the user and password of the registry's URL stand where they belong, and the URL without them: it is shown wherever
/// the registry is spoken of.
fn log_in(config: &mut Config, login: secrets::Login) -> Result<(), CliError> {
    let url = config.origin("registry");
    if login.password.is_some() && url == FLAG_OF_REGISTRY {
        return Err(CliError::usage(
            "--registry: a password on the command line is seen by every user of the machine",
        )
        .hint(format!(
            "Set {}, or security.registry_user and security.registry_password_file.",
            variable("registry")
        )));
    }
    let doubled = |key: &str| {
        let key = format!("security.{key}");
        config.is_set(&key).then(|| {
            let other = config.origin(&key);
            CliError::usage(format!(
                "the URL of the registry, from {url}, has what {key}, from {other}, sets as well"
            ))
            .hint("Keep one of the two.")
        })
    };
    let mut twice = vec!["registry_user"];
    if login.password.is_some() {
        twice.extend(["registry_password", "registry_password_file"]);
    }
    if let Some(error) = twice.into_iter().find_map(doubled) {
        return Err(error);
    }
    let settings = &mut config.settings;
    settings.registry = login.url;
    settings.security.registry_user = login.user;
    if let Some(password) = login.password {
        settings.security.registry_password = password;
    }
    Ok(())
}

type FileLayer = (figment::providers::Data<Toml>, Map<Profile, Dict>);

fn file_layer(named: Option<PathBuf>, known: &Dict) -> Result<Option<FileLayer>, CliError> {
    let is_named = named.is_some();
    let path = named.unwrap_or_else(|| PathBuf::from(FILE));
    let path = std::path::absolute(&path).unwrap_or(path);
    if !path.is_file() {
        return match is_named {
            true => Err(CliError::usage(format!("there is no configuration file {}", path.display()))),
            false => Ok(None),
        };
    }
    let shown = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|error| CliError::usage(format!("{shown}: {error}")))?;
    // said without the line itself, which may hold a secret
    if let Err(error) = toml::from_str::<toml::Table>(&text) {
        let at = error.span().map_or_else(String::new, |span| place(&text, span.start));
        return Err(CliError::usage(format!("{shown}:{at} {}", error.message())));
    }
    let toml = Toml::file_exact(&path);
    let data = toml.data().map_err(|error| {
        // its further lines are the file's
        let what = error.to_string().lines().next().unwrap_or_default().to_owned();
        CliError::usage(format!("{shown}: {what}"))
    })?;
    if let Some(dict) = data.get(&Profile::Default) {
        unknown::refuse(dict, known, &shown)?;
        if !is_named {
            secrets::refuse_code(dict, &shown)?;
        }
    }
    Ok(Some((toml, data)))
}

/// Line and column of a byte in a text.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(" line {line}, column {column}:")
}

/// `MILLRACE_PROCESSOR_BATCH_MAX_RECORDS` sets `processor.batch_max_records`.
fn from_environment(environment: Vec<(String, String)>, known: &Dict) -> Result<Vec<Given>, CliError> {
    let names: BTreeMap<String, Vec<String>> =
        leaves(known).into_iter().map(|path| (variable(&path.join(".")), path)).collect();
    let open = format!("{}_", variable(OPEN_SECTION));
    let mut given = Vec::new();
    for (name, text) in environment {
        let path = if let Some(path) = names.get(&name) {
            path.clone()
        } else if let Some(property) = name.strip_prefix(&open) {
            vec![OPEN_SECTION.to_owned(), property.to_lowercase().replace('_', ".")]
        } else {
            unknown::look_at_variable(&name, names.keys().map(String::as_str))?;
            continue;
        };
        given.push(Given { path, text, origin: format!("environment {name}") });
    }
    given.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(given)
}

/// The environment variable that sets `key`.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_uppercase().replace('.', "_"))
}

/// The paths of all values.
pub fn leaves(dict: &Dict) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (name, value) in dict {
        match value {
            Value::Dict(_, inner) => {
                for mut path in leaves(inner) {
                    path.insert(0, name.clone());
                    paths.push(path);
                }
            }
            _ => paths.push(vec![name.clone()]),
        }
    }
    paths
}

/// A part of a key as it stands in TOML.
#[must_use]
pub fn quoted(name: &str) -> String {
    if name.contains('.') { format!("{name:?}") } else { name.to_owned() }
}

/// Defaults under one plain name.
struct Named<P>(P);

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(DEFAULT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        self.0.data()
    }
}

/// One value as a layer of its own, so that its origin is its own, too.
struct Layer {
    origin: String,
    data: Dict,
}

impl Layer {
    fn new(given: &Given, known: &Dict) -> Result<Self, CliError> {
        let expected = given.path.iter().try_fold(None, |found: Option<&Value>, part| match found {
            None => known.get(part).map(Some),
            Some(Value::Dict(_, inner)) => Some(inner.get(part)),
            Some(_) => None,
        });
        let shown = || match secrets::is_secret(&given.path) {
            true => "its value".to_owned(),
            false => format!("{:?}", secrets::without_passwords(&given.text)),
        };
        let value = match expected.flatten() {
            // with no tag but the layer's: that of the default would say that nobody has set it
            Some(Value::Num(..)) => match given.text.trim().parse::<u64>() {
                Ok(number) => Value::from(number),
                Err(_) => {
                    return Err(CliError::usage(format!(
                        "{}: {} is not a whole number",
                        given.origin,
                        shown()
                    )));
                }
            },
            Some(Value::Bool(..)) => match given.text.trim().parse::<bool>() {
                Ok(truth) => Value::from(truth),
                Err(_) => {
                    return Err(CliError::usage(format!(
                        "{}: {} is not true or false",
                        given.origin,
                        shown()
                    )));
                }
            },
            _ => Value::from(given.text.clone()),
        };
        let mut value = value;
        let mut path = given.path.clone();
        let first = path.remove(0);
        for part in path.into_iter().rev() {
            value = Value::from(Dict::from([(part, value)]));
        }
        Ok(Self { origin: given.origin.clone(), data: Dict::from([(first, value)]) })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Map::from([(Profile::Default, self.data.clone())]))
    }
}

/// A value that cannot be used, with its key and origin.
pub fn wrong(error: &Error) -> CliError {
    let path: Vec<&str> = error.path.iter().map(String::as_str).filter(|part| *part != "default").collect();
    let from = error.metadata.as_ref().map(origin).unwrap_or_default();
    let mut text = String::new();
    if !from.is_empty() {
        text.push_str(&from);
        text.push_str(": ");
    }
    if !path.is_empty() {
        text.push_str(&path.join("."));
        text.push_str(": ");
    }
    // it names the value that it found
    match secrets::is_secret(&path) {
        true => text.push_str("this is no text in quotation marks"),
        false => text.push_str(&secrets::without_passwords(&error.kind.to_string())),
    }
    CliError::usage(text).hint("`millrace config --explain` describes every setting.")
}
