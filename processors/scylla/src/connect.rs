//! Making the session.

use std::time::Duration;

use millrace_ports::StoreFault;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::config::{Consistency, ScyllaConfig};
use crate::tls::{self, Complaint};

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
    let complaint = Complaint::default();
    if let Some(tls) = &config.tls {
        let context = tls::context(tls, &config.hosts, complaint.clone());
        builder = builder.tls_context(Some(context.map_err(|message| refused(config, &message))?));
    }
    // the driver's own limits apply to each node and each try; this one to all of it
    let limit = config.connect_timeout * 3;
    let connected = tokio::time::timeout(limit, builder.build()).await;
    let reason = match connected {
        Ok(Ok(session)) => return Ok(session),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {limit:?}"),
    };
    // some of the driver's messages have several lines
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(refused(config, &tls::explained(config, &complaint, reason)))
}

fn refused(config: &ScyllaConfig, reason: &str) -> StoreFault {
    StoreFault::Unavailable {
        step: "connect",
        message: format!("no CQL server can be used at {}: {reason}", config.hosts_text()),
    }
}
