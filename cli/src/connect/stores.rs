//! The view store of a configuration: CQL or SQLite.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{StoreFault, ViewStore};
use millrace_scylla::{ScyllaConfig, ScyllaStore, Tls};
use millrace_sqlite::{SqliteOptions, SqliteStore};

use super::{reach, read_secret};
use crate::config::{CqlSettings, Settings};

/// The tables of `domain`. Who is not to `create` gets them only where they are: a folder in SQLite is made by who fills it.
///
/// # Errors
/// Nobody has said where they are, or what the store says.
pub fn open(settings: &Settings, domain: &str, create: bool) -> Result<Arc<dyn ViewStore>, StoreFault> {
    let refused = |message: String| StoreFault::Refused { step: "open the tables", message };
    if !settings.cql.is_empty() {
        let config = cql(settings, domain)
            .map_err(|error| refused(format!("{}: {error}", settings.security.cql_password_file)))?;
        return Ok(Arc::new(ScyllaStore::connect(config)?));
    }
    if settings.sqlite.is_empty() {
        return Err(refused("nobody has said where they are; give --cql HOSTS or --sqlite DIR".to_owned()));
    }
    let options = SqliteOptions { create, ..SqliteOptions::default() };
    Ok(Arc::new(SqliteStore::open_with(Path::new(&settings.sqlite), domain, &options)?))
}

fn cql(settings: &Settings, domain: &str) -> io::Result<ScyllaConfig> {
    let keyspace = if settings.keyspace.is_empty() { domain } else { &settings.keyspace };
    let security = &settings.security;
    let password = match read_secret(&security.cql_password_file)? {
        None => some(&security.cql_password),
        given => given,
    };
    let CqlSettings { datacenter, replication_factor, concurrency, request_timeout_ms, .. } =
        &settings.cql_client;
    let mut config = ScyllaConfig::new(reach::hosts(&settings.cql, 9042), keyspace);
    config.username = some(&security.cql_user);
    config.password = password;
    config.tls = tls(&settings.cql_client);
    config.datacenter = some(datacenter);
    config.replication_factor = (*replication_factor > 0).then_some(*replication_factor);
    config.concurrency = *concurrency;
    config.request_timeout = Duration::from_millis(*request_timeout_ms);
    Ok(config)
}

fn tls(client: &CqlSettings) -> Option<Tls> {
    let file = |path: &str| some(path).map(PathBuf::from);
    client.tls.then(|| Tls {
        ca_file: file(&client.tls_ca_file),
        certificate_file: file(&client.tls_certificate_file),
        key_file: file(&client.tls_key_file),
    })
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
