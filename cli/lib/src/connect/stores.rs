//! The view store of a configuration: CQL or SQLite.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{StoreFault, ViewStore};
use millrace_scylla::{ScyllaConfig, ScyllaStore};
use millrace_sqlite::{SqliteOptions, SqliteStore};

use super::{reach, security};
use crate::config::{Config, CqlSettings};
use crate::error::CliError;

/// The tables of `domain`. Who is not to `create` gets them only where they are: a folder in SQLite is made by who fills it.
///
/// # Errors
/// Nobody has said where they are, or what the store says.
pub fn open(config: &Config, domain: &str, create: bool) -> Result<Arc<dyn ViewStore>, StoreFault> {
    let refused = |message: String| StoreFault::Refused { step: "open the tables", message };
    let settings = &config.settings;
    if !settings.cql.is_empty() {
        let config = cql(config, domain).map_err(|error| refused(error.text()))?;
        return Ok(Arc::new(ScyllaStore::connect(config)?));
    }
    if settings.sqlite.is_empty() {
        return Err(refused("nobody has said where they are; give --cql HOSTS or --sqlite DIR".to_owned()));
    }
    let options = SqliteOptions { create, ..SqliteOptions::default() };
    Ok(Arc::new(SqliteStore::open_with(Path::new(&settings.sqlite), domain, &options)?))
}

fn cql(config: &Config, domain: &str) -> Result<ScyllaConfig, CliError> {
    let settings = &config.settings;
    let keyspace = if settings.keyspace.is_empty() { domain } else { &settings.keyspace };
    let CqlSettings { datacenter, replication_factor, concurrency, request_timeout_ms, .. } =
        &settings.cql_client;
    let mut scylla = ScyllaConfig::new(reach::hosts(&settings.cql, 9042), keyspace);
    (scylla.username, scylla.password) = security::cql(config)?;
    scylla.tls = security::cql_tls(&settings.cql_client)?;
    scylla.datacenter = (!datacenter.is_empty()).then(|| datacenter.clone());
    scylla.replication_factor = (*replication_factor > 0).then_some(*replication_factor);
    scylla.concurrency = *concurrency;
    scylla.request_timeout = Duration::from_millis(*request_timeout_ms);
    Ok(scylla)
}
