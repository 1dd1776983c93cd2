//! How to reach the cluster, and how hard to press it.

use std::fmt;
use std::time::Duration;

use millrace_tls::Files;

/// How many replicas must have answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// One replica: for tests and single nodes. Rows may be read before they are everywhere.
    One,
    /// Most replicas of the local datacentre, so that what was written is what is read.
    #[default]
    LocalQuorum,
    /// Most replicas of all datacentres.
    Quorum,
}

/// Encrypted connections. A node's certificate must be from an authority that is trusted, and for the address that is
/// connected to, a name in [`ScyllaConfig::hosts`], or one of `names`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Authorities, and the client's own certificate.
    pub files: Files,
    /// Further names and addresses that certificates may be for; a name that begins with a dot is every name that ends so.
    pub names: Vec<String>,
}

/// How to reach the cluster, and how hard to press it.
#[derive(Clone, PartialEq, Eq)]
pub struct ScyllaConfig {
    /// `host:port` of one or more nodes; the others are learned from them.
    pub hosts: Vec<String>,
    /// The keyspace, one a domain.
    pub keyspace: String,
    /// User to log in as, where the cluster asks for one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Encrypts connections when given.
    pub tls: Option<Tls>,
    /// The datacentre whose nodes are asked first, and of which a local quorum is meant. When
    /// not given, that of whichever node answers.
    pub datacenter: Option<String>,
    /// Copies of every row in each datacentre, when the keyspace is made: three when not given. A datacentre that has
    /// fewer nodes gets as many as it has.
    pub replication_factor: Option<u8>,
    /// The whole replication map in CQL, `{'class': …}`, in place of a number.
    pub replication: Option<String>,
    /// How many replicas must have answered a write or a read.
    pub consistency: Consistency,
    /// Requests under way at once, of all threads together.
    pub concurrency: usize,
    /// How long a request may take, with all that the driver tries meanwhile.
    pub request_timeout: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
}

impl ScyllaConfig {
    /// The defaults for a keyspace on some hosts.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>, keyspace: impl Into<String>) -> Self {
        Self {
            hosts: hosts.into_iter().map(Into::into).collect(),
            keyspace: keyspace.into(),
            username: None,
            password: None,
            tls: None,
            datacenter: None,
            replication_factor: None,
            replication: None,
            consistency: Consistency::default(),
            concurrency: 128,
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
        }
    }

    /// The hosts, for a message.
    pub(crate) fn hosts_text(&self) -> String {
        self.hosts.join(", ")
    }
}

impl fmt::Debug for ScyllaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // it is printed in logs, the password must not be
        f.debug_struct("ScyllaConfig")
            .field("hosts", &self.hosts)
            .field("keyspace", &self.keyspace)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("tls", &self.tls)
            .field("datacenter", &self.datacenter)
            .field("replication_factor", &self.replication_factor)
            .field("replication", &self.replication)
            .field("consistency", &self.consistency)
            .field("concurrency", &self.concurrency)
            .field("request_timeout", &self.request_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}
