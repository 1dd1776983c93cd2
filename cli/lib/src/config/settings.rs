//! What an operator may set. The doc comments are the manual: `millrace config --explain`
//! and `docs/configuration.md` are rendered from them.

use std::collections::BTreeMap;
use std::fmt;

use millrace_runtime::{ProcessorSettings, ProjectorSettings};
use serde::{Deserialize, Serialize};

use super::layers::OPEN_SECTION;
use super::secrets;

/// Where everything is, and how this process presents itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Brokers of Kafka, as `host:port`, several separated by commas.
    pub kafka: String,
    /// URL of the schema registry: any with the Confluent REST API.
    pub registry: String,
    /// Hosts of ScyllaDB or Cassandra that hold the tables, as `host:port`, several separated
    /// by commas. Not together with `sqlite`.
    pub cql: String,
    /// Folder of the SQLite files that hold the tables, one file `<domain>.sqlite` for each
    /// domain. Not together with `cql`.
    pub sqlite: String,
    /// What the names of all topics, consumer groups and transactional ids begin with.
    pub topic_prefix: String,
    /// Keyspace of the tables on CQL, used as it stands. Empty: the name of the domain.
    pub keyspace: String,
    /// Port of the health endpoints `/live`, `/ready` and `/health`, and of `/metrics` for
    /// Prometheus; 0 is off, but `millrace up` then takes a free one of loopback for
    /// `millrace status --watch`. `/live` answers 503 when a restart would help, `/ready` until
    /// everything is at work, `/health` while anything is in the way; each says what, where, since
    /// when and what happens next.
    pub health_port: u16,
    /// Address on which the health endpoints listen. Loopback, unless others are to ask.
    pub health_host: String,
    /// What is logged, as a level (`error`, `warn`, `info`, `debug`, `trace`) or as a list of
    /// `module=level`. Empty: `info` for the roles, nothing for commands that end by themselves.
    pub log: String,
    /// How log lines look on standard error: `text` or `json`.
    pub log_format: LogFormat,
    /// File with the token that `send`, `query`, `feed` and `watch` show a gateway with `auth = "jwt"`. It is read anew for
    /// each request, so whoever renews tokens writes the next one there.
    pub http_token_file: String,
    /// How ScyllaDB or Cassandra is used.
    pub cql_client: CqlSettings,
    /// How the schema registry is reached.
    pub registry_client: RegistrySettings,
    /// Further properties of the Kafka client (librdkafka), such as TLS and SASL. What loads code or runs a program, such
    /// as `plugin.library.paths`, is not taken from a `millrace.toml` that is read because it is in the current folder,
    /// only from a file that `--config` names, the environment or `--set-kafka`.
    pub kafka_client: ClientProperties,
    /// Names and passwords.
    pub security: SecuritySettings,
    /// The command processor.
    pub processor: ProcessorSettings,
    /// The projectors.
    pub projector: ProjectorSettings,
    /// The gateway.
    pub gateway: GatewaySettings,
    /// Secrets of commands.
    pub seal: SealSettings,
    /// Where metrics and traces go.
    pub telemetry: TelemetrySettings,
    /// Everything in one process.
    pub up: UpSettings,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines, one object a line.
    Json,
}

/// Properties of librdkafka by their names.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientProperties(pub BTreeMap<String, String>);

/// How the schema registry is reached: `[registry_client]`. An `https` address is encrypted, and the registry's
/// certificate must be for the host in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistrySettings {
    /// PEM file of the authorities that may have signed the registry's certificate, and no others. Empty: the system's.
    pub tls_ca_file: String,
    /// PEM file of this client's certificate, with those between it and its authority, where the registry asks for one.
    pub tls_certificate_file: String,
    /// PEM file of this client's private key, not encrypted.
    pub tls_key_file: String,
}

/// How ScyllaDB or Cassandra is used: `[cql_client]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CqlSettings {
    /// Datacentre whose nodes are asked, and of which a local quorum is meant. Empty: that of
    /// the node that answers.
    pub datacenter: String,
    /// Copies of every row in each datacentre when `tables apply` makes the keyspace, and says how many. 0:
    /// three. A datacentre that has fewer nodes gets as many as it has.
    pub replication_factor: u8,
    /// Requests under way at once.
    pub concurrency: usize,
    /// How long a request may take, in milliseconds.
    pub request_timeout_ms: u64,
    /// Whether connections are encrypted. A node's certificate must then be for the address that is connected to, for a
    /// host name in `cql`, or for a name in `cql_client.tls_names`.
    pub tls: bool,
    /// PEM file of the authorities that may have signed the nodes' certificates, and no others. Empty: the system's.
    pub tls_ca_file: String,
    /// Further names and addresses that a node's certificate may be for, several separated by commas. Nodes are found by
    /// their addresses, so names of nodes that are not in `cql` belong here; `.nodes.example.org` is every name
    /// that ends so.
    pub tls_names: String,
    /// PEM file of this client's certificate, with those between it and its authority, where the nodes ask for one.
    pub tls_certificate_file: String,
    /// PEM file of this client's private key, not encrypted.
    pub tls_key_file: String,
}

impl Default for CqlSettings {
    fn default() -> Self {
        Self {
            datacenter: String::new(),
            replication_factor: 0,
            concurrency: 128,
            request_timeout_ms: 10_000,
            tls: false,
            tls_ca_file: String::new(),
            tls_names: String::new(),
            tls_certificate_file: String::new(),
            tls_key_file: String::new(),
        }
    }
}

/// Names and passwords: `[security]`. They come from a file or the environment, never from a
/// flag, which every user of the machine can read.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecuritySettings {
    /// File that holds the password for Kafka (`sasl.password`), without a line end.
    pub kafka_password_file: String,
    /// User name for the schema registry; empty: that in its URL, if there is one. The registry is asked with both by
    /// basic authentication. The URL may hold the password as well, which is shown nowhere.
    pub registry_user: String,
    /// Password for the schema registry.
    pub registry_password: String,
    /// File that holds the password for the schema registry.
    pub registry_password_file: String,
    /// User name for ScyllaDB or Cassandra; empty: none.
    pub cql_user: String,
    /// Password for ScyllaDB or Cassandra.
    pub cql_password: String,
    /// File that holds the password for ScyllaDB or Cassandra.
    pub cql_password_file: String,
}

/// Commands and queries over HTTP: `[gateway]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewaySettings {
    /// Address on which `millrace gateway` listens, as `address:port`. `millrace up` listens on loopback, at `up.http_port`.
    pub listen: String,
    /// How it is known who asks. `none`: nobody is asked, and what a command says of its user is believed, so it listens
    /// on loopback alone. `jwt`: by a JSON Web Token in `Authorization: Bearer`, and the acting user is the token's.
    pub auth: GatewayAuth,
    /// Who makes tokens that are taken: what they say in `iss`, several separated by commas.
    pub jwt_issuers: String,
    /// Where the public keys of each issuer are, in the same order, separated by commas: a file, or a URL with `https`. A
    /// JSON Web Key Set, or PEM. Files are read again every few seconds, what stands at a URL as
    /// `gateway.jwt_refresh_seconds` says and when a token names a key that is not known.
    pub jwt_keys: String,
    /// Those of `gateway.jwt_issuers` who name one's own users: their `sub` is the user where it is an id, and their roles
    /// count. Users of all others are a UUIDv5 of issuer and `sub`, without roles. Several separated by commas; empty: the
    /// first issuer alone.
    pub jwt_own_issuers: String,
    /// Whom a token must be for: one of these, separated by commas, must stand in `aud`.
    pub jwt_audience: String,
    /// How tokens may be signed, separated by commas: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA. What
    /// has one secret for both sides, such as HS256, cannot be allowed.
    pub jwt_algorithms: String,
    /// By how many seconds the clocks of issuers and gateways may differ; at most 300.
    pub jwt_leeway_seconds: u64,
    /// The claim that holds the roles of the user, as a list or as one text with spaces: a name, or the path to one with
    /// dots, such as `realm_access.roles`.
    pub jwt_roles_claim: String,
    /// How often keys at URLs are read again, in seconds. A key that the issuer has taken back is taken for so long.
    pub jwt_refresh_seconds: u64,
    /// PEM file of the authorities that may have signed the certificates of servers that publish keys, and no others.
    /// Empty: the system's.
    pub tls_ca_file: String,
    /// PEM file of the gateway's certificate, with those between it and its authority. With it and its key, everything is
    /// encrypted. Both files are read again every few seconds: a new pair is shown to new connections, and while the two do
    /// not fit each other the pair before is.
    pub tls_certificate_file: String,
    /// PEM file of the certificate's private key, not encrypted.
    pub tls_key_file: String,
    /// File with a secret of at least 32 bytes by which the tokens are signed that say where streams go on. Gateways that
    /// share it take each other's. Empty: each makes one of its own at its start, and who comes from another, or from before a
    /// restart, is given all rows anew; `millrace up` keeps one in its folder.
    pub resume_key_file: String,
    /// Names by which clients call the gateway, several separated by commas, beside addresses and `localhost`. Others are
    /// refused: a web page can be made to look as if it came from here.
    pub hosts: String,
    /// Origins whose web pages may ask, such as `https://app.example.org`, several separated by commas. Pages of others are
    /// refused, whatever their browser would show them. With `auth = "none"` only origins of this machine.
    pub origins: String,
    /// Commands that one user may send in a second at each route, counted over ten; 0: any number. With `auth = "none"`
    /// nobody is counted.
    pub commands_per_second: u32,
    /// Other requests that one user may make in a second at each route, counted over ten; 0: any number.
    pub reads_per_second: u32,
    /// Requests without a token that holds (401) that one address may make in a second, counted over ten; 0: any number.
    /// After that its tokens are not looked at for a while, but for those that were good lately. Of IPv6, networks of 64
    /// bits are counted; behind a load balancer all clients have one address.
    pub refusals_per_second: u32,
    /// Connections that it keeps at a time. When there are more, those that ask nothing are closed first.
    pub max_connections: usize,
    /// The longest head of a request, in bytes: its address and its headers.
    pub max_header_bytes: usize,
    /// The longest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How long the head of a request may take to arrive, and, of a new connection, to begin; in milliseconds.
    pub header_timeout_ms: u64,
    /// How long a body may take to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long it may take until an answer begins, in milliseconds: more than the minute that a client may wait for an
    /// outcome.
    pub answer_timeout_ms: u64,
}

/// How it is known who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayAuth {
    /// Nobody is asked.
    #[default]
    None,
    /// By a JSON Web Token.
    Jwt,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            auth: GatewayAuth::default(),
            jwt_issuers: String::new(),
            jwt_own_issuers: String::new(),
            jwt_keys: String::new(),
            jwt_audience: "millrace".to_owned(),
            jwt_algorithms: "RS256,ES256,EdDSA".to_owned(),
            jwt_leeway_seconds: 30,
            jwt_roles_claim: "roles".to_owned(),
            jwt_refresh_seconds: 300,
            tls_ca_file: String::new(),
            tls_certificate_file: String::new(),
            tls_key_file: String::new(),
            resume_key_file: String::new(),
            hosts: String::new(),
            origins: String::new(),
            commands_per_second: 100,
            reads_per_second: 200,
            refusals_per_second: 10,
            max_connections: 10_000,
            max_header_bytes: 32 << 10,
            max_body_bytes: 2 << 20,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            answer_timeout_ms: 90_000,
        }
    }
}

/// Secrets of commands, which are sealed before anything is sent: `[seal]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SealSettings {
    /// File with the public keys for which gateways, `send` and `load` seal secrets, newest first; `millrace seal-key` makes
    /// it. All processes have the same. Empty: a command with a secret that is not sealed yet is refused; `millrace up` makes a pair
    /// of keys in its folder (`secrets/seal.key`).
    pub public_key_file: String,
}

/// Where metrics and traces go: `[telemetry]`. Prometheus asks for metrics at `/metrics` on the
/// health port; docs/operations.md says what each means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TelemetrySettings {
    /// URL of a collector that takes OTLP by HTTP, such as `http://localhost:4318`. Traces go there:
    /// of commands whose producers ask for it by a sampled `traceparent` header. Empty: the URL in
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; without that nothing is sent.
    pub otlp_endpoint: String,
    /// Whether metrics are sent to that collector as well.
    pub otlp_metrics: bool,
    /// Health endpoints of all processes, as `host:port`, several separated by commas:
    /// `millrace status --watch` shows what they measure. Empty: that of a running `millrace up`.
    pub processes: String,
}

/// Everything in one process: `[up]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpSettings {
    /// Folder that holds all data: records, schemas and tables.
    pub data: String,
    /// Address on which broker and registry listen. There is no password: other than loopback
    /// only in a network you trust, and only with `insecure`.
    pub host: String,
    /// Name or address, with or without `:port`, that the broker tells clients to connect to, where that is not the
    /// address by which they come: behind a port that is forwarded. Empty: the address by which they come.
    pub advertised: String,
    /// Whether whoever reaches the ports may read, write and delete everything: `host` is no loopback address, and
    /// there is no password.
    pub insecure: bool,
    /// Names by which clients call the registry, several separated by commas, beside `localhost`, addresses, `advertised`
    /// and the machine's own name. Others are refused: a web page can be made to look as if it came from here.
    pub registry_hosts: String,
    /// Port of the embedded broker; 0 takes a free one and keeps it for the next start.
    pub kafka_port: u16,
    /// Port of the embedded registry; 0 takes a free one and keeps it for the next start.
    pub registry_port: u16,
    /// Port of the gateway, on loopback; 0 takes a free one and keeps it for the next start.
    pub http_port: u16,
    /// How often written records are brought to the disk, in milliseconds; 0: before they are
    /// acknowledged. They survive the end of the process either way; this is about power loss.
    pub sync_interval_ms: u64,
    /// Connections that broker and registry each keep at a time. When there are more, those that ask nothing are closed
    /// first. The roles of `up` have connections of their own beside these.
    pub max_connections: usize,
    /// Bytes of requests and answers that the broker holds at a time for all clients together.
    pub max_in_flight_bytes: usize,
    /// How long the broker keeps the offsets of a group after its last member has left, in minutes, and the group with
    /// them. Those of processors and projectors are kept for good.
    pub offsets_retention_minutes: u32,
    /// Who may enter the folder of the SQLite tables, as the octal mode of the folder: by default the user who runs
    /// `up` and, to read, that user's group. Records, schemas and states are for the user alone (0700).
    pub tables_mode: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kafka: "localhost:9092".to_owned(),
            registry: "http://localhost:8081".to_owned(),
            cql: String::new(),
            sqlite: String::new(),
            topic_prefix: String::new(),
            keyspace: String::new(),
            health_port: 0,
            health_host: "127.0.0.1".to_owned(),
            log: String::new(),
            log_format: LogFormat::Text,
            http_token_file: String::new(),
            cql_client: CqlSettings::default(),
            registry_client: RegistrySettings::default(),
            kafka_client: ClientProperties::default(),
            security: SecuritySettings::default(),
            processor: ProcessorSettings::default(),
            projector: ProjectorSettings::default(),
            gateway: GatewaySettings::default(),
            seal: SealSettings::default(),
            telemetry: TelemetrySettings::default(),
            up: UpSettings::default(),
        }
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str, value: &str| secrets::shown(&[OPEN_SECTION, name], value);
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, shown(name, value)))).finish()
    }
}

impl fmt::Debug for SecuritySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // whoever prints it to find a fault wants to know who logs in, and nobody the passwords
        f.debug_struct("SecuritySettings")
            .field("registry_user", &self.registry_user)
            .field("cql_user", &self.cql_user)
            .finish_non_exhaustive()
    }
}

impl Default for UpSettings {
    fn default() -> Self {
        Self {
            data: "millrace-data".to_owned(),
            host: "127.0.0.1".to_owned(),
            advertised: String::new(),
            insecure: false,
            registry_hosts: String::new(),
            kafka_port: 9092,
            registry_port: 8081,
            http_port: 8080,
            sync_interval_ms: 1_000,
            max_connections: 1_000,
            max_in_flight_bytes: 256 << 20,
            offsets_retention_minutes: 7 * 24 * 60,
            tables_mode: "0750".to_owned(),
        }
    }
}
