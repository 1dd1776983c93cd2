//! What every request handler can reach.

use std::sync::Arc;

use super::config::BrokerConfig;
use super::coordinator::groups::Groups;
use super::coordinator::txns::Txns;
use super::storage::flusher::Flusher;
use super::storage::metalog::MetaLog;
use super::topics::Topics;
use crate::net::places::Place;

/// The id of the only broker.
pub(crate) const NODE_ID: i32 = 1;

/// The broker's parts.
#[derive(Debug)]
pub(crate) struct Core {
    pub config: BrokerConfig,
    pub cluster_id: String,
    pub metadata: Arc<MetaLog>,
    pub topics: Arc<Topics>,
    pub groups: Arc<Groups>,
    pub txns: Txns,
    pub flusher: Arc<Flusher>,
}

/// Where clients are told to connect to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Advertised {
    pub host: String,
    pub port: u16,
}

impl std::fmt::Display for Advertised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The client behind a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    pub id: String,
    pub host: String,
    /// Where it is told to connect to: the address by which it came, as others know it.
    pub advertised: Arc<Advertised>,
    /// The place of its connection, if it came by one.
    pub place: Option<Arc<Place>>,
}

impl Client {
    /// How many more bytes an answer may have, as things stand.
    pub fn room(&self) -> usize {
        self.place.as_ref().map_or(usize::MAX, |place| place.room())
    }
}
