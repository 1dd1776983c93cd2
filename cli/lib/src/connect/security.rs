//! Who this process is to the servers, and how it knows them: users, passwords, certificates.

use std::collections::BTreeMap;
use std::path::PathBuf;

use millrace_scylla::Tls;
use millrace_tls::Files;
use millrace_wire::RegistryAccess;

use crate::config::{Config, CqlSettings};
use crate::error::CliError;

/// librdkafka's name for the password.
const KAFKA_PASSWORD: &str = "sasl.password";

/// Properties of the Kafka client with the password that stands elsewhere.
///
/// # Errors
/// A password that is there twice, or cannot be read.
pub fn kafka(config: &Config) -> Result<BTreeMap<String, String>, CliError> {
    let mut properties = config.settings.kafka_client.0.clone();
    let file = &config.settings.security.kafka_password_file;
    if let Some(password) = read(config, "security.kafka_password_file", file)?
        && properties.insert(KAFKA_PASSWORD.to_owned(), password).is_some()
    {
        return Err(CliError::usage(format!(
            "the password for Kafka is there twice: as security.kafka_password_file, from {}, and as {KAFKA_PASSWORD} in \
             [kafka_client]",
            config.origin("security.kafka_password_file")
        ))
        .hint("Keep one of the two."));
    }
    Ok(properties)
}

/// How the registry is asked.
///
/// # Errors
/// As [`kafka`]; or a password without a user.
pub fn registry(config: &Config) -> Result<RegistryAccess, CliError> {
    let security = &config.settings.security;
    let [user, password, file] = ["registry_user", "registry_password", "registry_password_file"];
    let given = [&security.registry_user, &security.registry_password, &security.registry_password_file];
    let (user, password) = login(config, [user, password, file], given)?;
    let client = &config.settings.registry_client;
    let files = Files {
        section: "registry_client",
        ca_file: path(&client.tls_ca_file),
        certificate_file: path(&client.tls_certificate_file),
        key_file: path(&client.tls_key_file),
    };
    Ok(RegistryAccess { user, password, files })
}

/// User and password for CQL.
///
/// # Errors
/// As [`registry`].
pub fn cql(config: &Config) -> Result<(Option<String>, Option<String>), CliError> {
    let security = &config.settings.security;
    let given = [&security.cql_user, &security.cql_password, &security.cql_password_file];
    login(config, ["cql_user", "cql_password", "cql_password_file"], given)
}

/// How connections to CQL are encrypted, if they are.
///
/// # Errors
/// Certificates are named, and nothing would be encrypted.
pub fn cql_tls(client: &CqlSettings) -> Result<Option<Tls>, CliError> {
    let files = Files {
        section: "cql_client",
        ca_file: path(&client.tls_ca_file),
        certificate_file: path(&client.tls_certificate_file),
        key_file: path(&client.tls_key_file),
    };
    if client.tls {
        let names = client.tls_names.split(',').map(str::trim).filter(|name| !name.is_empty());
        return Ok(Some(Tls { files, names: names.map(str::to_owned).collect() }));
    }
    match files.is_empty() && client.tls_names.is_empty() {
        true => Ok(None),
        // whoever names certificates believes that nobody can listen
        false => Err(CliError::usage(
            "cql_client.tls_… is set, but cql_client.tls is false: nothing would be encrypted",
        )
        .hint("Set cql_client.tls = true.")),
    }
}

/// User and password, of which the latter stands in a setting or in a file.
fn login(
    config: &Config,
    keys: [&str; 3],
    [user, password, file]: [&String; 3],
) -> Result<(Option<String>, Option<String>), CliError> {
    let [user_key, password_key, file_key] = keys.map(|key| format!("security.{key}"));
    if !password.is_empty() && !file.is_empty() {
        return Err(CliError::usage(format!(
            "{password_key}, from {}, and {file_key}, from {}, are both set",
            config.origin(&password_key),
            config.origin(&file_key)
        ))
        .hint("Keep one of the two."));
    }
    let is_lonely = user.is_empty() && !(password.is_empty() && file.is_empty());
    if is_lonely {
        return Err(CliError::usage(format!("there is a password, but no user: {user_key} is not set")));
    }
    let password = match read(config, &file_key, file)? {
        None => some(password),
        read => read,
    };
    Ok((some(user), password))
}

/// The password in the file that the setting `key` names, if it names one.
fn read(config: &Config, key: &str, file: &str) -> Result<Option<String>, CliError> {
    if file.is_empty() {
        return Ok(None);
    }
    let failed =
        |what: String| CliError::failed(format!("{key}, from {}: {file}: {what}", config.origin(key)));
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(failed("the file is empty".to_owned())),
        password => Ok(Some(password.to_owned())),
    }
}

fn path(text: &str) -> Option<PathBuf> {
    some(text).map(PathBuf::from)
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
