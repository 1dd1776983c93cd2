//! Making the session.

use std::time::Duration;

use millrace_ports::StoreFault;
use openssl::ssl::{SslContext, SslContextBuilder, SslFiletype, SslMethod, SslVerifyMode};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::config::{Consistency, ScyllaConfig, Tls};

/// How often the driver looks for nodes that came or went without a word. Short, so that a
/// cluster of one node is found again soon after it was away.
const LOOK_FOR_NODES_EVERY: Duration = Duration::from_secs(10);

pub(crate) async fn session(config: &ScyllaConfig) -> Result<Session, StoreFault> {
    let consistency = match config.consistency {
        Consistency::One => scylla::statement::Consistency::One,
        Consistency::LocalQuorum => scylla::statement::Consistency::LocalQuorum,
        Consistency::Quorum => scylla::statement::Consistency::Quorum,
    };
    let profile = ExecutionProfile::builder()
        .consistency(consistency)
        .request_timeout(Some(config.request_timeout))
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.hosts)
        .default_execution_profile_handle(profile.into_handle())
        .connection_timeout(config.connect_timeout)
        .cluster_metadata_refresh_interval(LOOK_FOR_NODES_EVERY)
        // the tables are compared by hand, so their columns are not asked for; where a row's replicas
        // are the driver only knows with the keyspace's replication
        .keyspaces_to_fetch([config.keyspace.clone()])
        .fetch_full_schema_metadata(false);
    if let Some(datacenter) = &config.datacenter {
        builder = builder.prefer_datacenter(datacenter.clone());
    }
    if let Some(username) = &config.username {
        builder = builder.user(username, config.password.as_deref().unwrap_or_default());
    }
    if let Some(tls) = &config.tls {
        builder = builder.tls_context(Some(tls_context(tls)?));
    }
    // the driver's own limits apply to each node and each try; this one to all of it
    let limit = config.connect_timeout * 3;
    let connected = tokio::time::timeout(limit, builder.build()).await;
    let reason = match connected {
        Ok(Ok(session)) => return Ok(session),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {limit:?}"),
    };
    Err(StoreFault::Unavailable {
        step: "connect",
        message: format!(
            "no CQL server answers at {}: {reason}; check that it runs, that host and port are those \
             of its native transport, and user, password and TLS if it asks for them",
            config.hosts_text()
        ),
    })
}

fn tls_context(tls: &Tls) -> Result<SslContext, StoreFault> {
    let failed = |what: String, error: openssl::error::ErrorStack| StoreFault::Unavailable {
        step: "connect",
        message: format!("{what} cannot be used for TLS: {error}"),
    };
    let plain = |error| failed("the settings".to_owned(), error);
    let mut context = SslContextBuilder::new(SslMethod::tls_client()).map_err(plain)?;
    context.set_verify(SslVerifyMode::PEER);
    match &tls.ca_file {
        Some(file) => context.set_ca_file(file).map_err(|e| failed(file.display().to_string(), e))?,
        None => context.set_default_verify_paths().map_err(plain)?,
    }
    if let Some(file) = &tls.certificate_file {
        context.set_certificate_chain_file(file).map_err(|e| failed(file.display().to_string(), e))?;
    }
    if let Some(file) = &tls.key_file {
        context
            .set_private_key_file(file, SslFiletype::PEM)
            .map_err(|e| failed(file.display().to_string(), e))?;
    }
    Ok(context.build())
}
