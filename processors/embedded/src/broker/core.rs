//! What every request handler can reach.

use std::sync::Arc;

use super::config::BrokerConfig;
use super::coordinator::groups::Groups;
use super::coordinator::txns::Txns;
use super::storage::flusher::Flusher;
use super::storage::metalog::MetaLog;
use super::topics::Topics;

/// The id of the only broker.
pub(crate) const NODE_ID: i32 = 1;

/// The broker's parts.
#[derive(Debug)]
pub(crate) struct Core {
    pub config: BrokerConfig,
    pub cluster_id: String,
    /// Where clients are told to connect to.
    pub host: String,
    pub port: u16,
    pub metadata: Arc<MetaLog>,
    pub topics: Arc<Topics>,
    pub groups: Arc<Groups>,
    pub txns: Txns,
    pub flusher: Arc<Flusher>,
}

/// The client behind a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    pub id: String,
    pub host: String,
}
