//! What a broker is started with, and the settings of its topics.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::net::Limits;

/// When written data is brought to the disk itself (`fsync`). Acknowledged records survive the end
/// of the process, `kill -9` included, with either; the difference is the loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Acknowledge once the operating system has the data, and sync in the background this often: a
    /// power failure may cost the newest data. Apache Kafka on one node promises less.
    Every(Duration),
    /// Acknowledge only what is on the disk. Writes that arrive together share one sync.
    Always,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self::Every(Duration::from_secs(1))
    }
}

/// How to start a broker.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The folder that holds everything; created when absent, and locked while the broker runs.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes any free one. Loopback unless told otherwise.
    pub listen: SocketAddr,
    /// Host and port that clients are told to connect to, with port 0 the one the broker listens on. By default each is
    /// told the address by which it came: where the broker listens on every address nobody could connect to that.
    pub advertised: Option<(String, u16)>,
    /// When data is brought to the disk.
    pub sync: SyncPolicy,
    /// Create topics that clients ask for; off, so that a misspelt name is an error.
    pub auto_create_topics: bool,
    /// Partitions of a topic created without a number.
    pub default_partitions: i32,
    /// The largest request that is accepted, in bytes.
    pub max_request_bytes: usize,
    /// What all clients together, and each of them, may hold, and for how long.
    pub limits: Limits,
    /// Whether the broker also listens on a free port of loopback, for clients in its own process only. Their
    /// connections, bytes and files are counted apart, so that others cannot use them up.
    pub own_listener: bool,
    /// How long a new group waits for more members before its first assignment.
    pub initial_rebalance_delay: Duration,
    /// The shortest session timeout that a group member may ask for.
    pub min_session_timeout: Duration,
    /// The longest session timeout that a group member may ask for.
    pub max_session_timeout: Duration,
    /// The longest transaction timeout that a producer may ask for.
    pub max_transaction_timeout: Duration,
    /// Whether the members of groups outlive a restart of the broker: clients on other processes go
    /// on as if nothing had been. Off where they share the broker's process and ended with it, so
    /// that nobody waits for the session of a dead member to end.
    pub keep_members: bool,
    /// How long offsets are kept that nobody uses: since their group lost its last member, or since they were committed
    /// for a topic to which none subscribes (Kafka's `offsets.retention.minutes`). The group goes with the last of them.
    pub offsets_retention: Duration,
    /// How often it is looked for such offsets (Kafka's `offsets.retention.check.interval.ms`).
    pub offsets_check_interval: Duration,
    /// Says by its id of a group that it is kept for good, with its offsets.
    pub keeps_group: fn(&str) -> bool,
    /// How often compaction and retention look for work.
    pub cleanup_interval: Duration,
}

impl BrokerConfig {
    /// The usual settings for a data folder: loopback, Kafka's port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9092)),
            advertised: None,
            sync: SyncPolicy::default(),
            auto_create_topics: false,
            default_partitions: 1,
            max_request_bytes: 100 * 1024 * 1024,
            limits: Limits::default(),
            own_listener: false,
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_millis(100),
            max_session_timeout: Duration::from_secs(30 * 60),
            max_transaction_timeout: Duration::from_secs(15 * 60),
            keep_members: true,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            offsets_check_interval: Duration::from_secs(10 * 60),
            keeps_group: |_| false,
            cleanup_interval: Duration::from_secs(15),
        }
    }
}

/// What the values of a topic's setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Long {
        min: i64,
        max: i64,
    },
    Choice(&'static [&'static str]),
    List(&'static [&'static str]),
    Ratio,
    Flag,
    /// Only its default: what else it may be elsewhere is not done here, for this reason.
    Only(&'static str),
}

/// A setting of topics that the broker knows.
#[derive(Debug)]
pub(crate) struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: Kind,
}

const fn long(name: &'static str, default: &'static str, min: i64) -> Setting {
    Setting { name, default, kind: Kind::Long { min, max: i64::MAX } }
}

const fn int(name: &'static str, default: &'static str, min: i64) -> Setting {
    Setting { name, default, kind: Kind::Long { min, max: i32::MAX as i64 } }
}

const fn only(name: &'static str, default: &'static str, why: &'static str) -> Setting {
    Setting { name, default, kind: Kind::Only(why) }
}

/// The settings of topics, with the names and defaults of Apache Kafka. Segments are smaller by
/// default, so that a start after a crash has less to check.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting { name: "cleanup.policy", default: "delete", kind: Kind::List(&["delete", "compact"]) },
    only(
        "compression.type",
        "producer",
        "batches are kept as producers send them; set compression.type of the producers",
    ),
    long("delete.retention.ms", "86400000", 0),
    only("file.delete.delay.ms", "60000", "files go as soon as nobody reads them"),
    // Whether they are honoured depends on when the broker syncs.
    long(FLUSH_MESSAGES, "9223372036854775807", 1),
    long(FLUSH_MS, "9223372036854775807", 0),
    only("index.interval.bytes", "4096", "how dense an index is is not chosen"),
    long("max.compaction.lag.ms", "9223372036854775807", 1),
    int("max.message.bytes", "1048588", 0),
    // As since Kafka 4.0: a record of the far future would keep its segment for good.
    long("message.timestamp.after.max.ms", "3600000", 0),
    long("message.timestamp.before.max.ms", "9223372036854775807", 0),
    Setting {
        name: "message.timestamp.type",
        default: "CreateTime",
        kind: Kind::Choice(&["CreateTime", "LogAppendTime"]),
    },
    Setting { name: "min.cleanable.dirty.ratio", default: "0.5", kind: Kind::Ratio },
    long("min.compaction.lag.ms", "0", 0),
    only("min.insync.replicas", "1", "there is one broker"),
    only("preallocate", "false", "files grow with what is written"),
    long("retention.bytes", "-1", -1),
    long("retention.ms", "604800000", -1),
    int("segment.bytes", "134217728", 1024),
    only("segment.jitter.ms", "0", "segments are sealed when they are due"),
    long("segment.ms", "604800000", 1),
    // There is no election, so none is unclean, whatever this says.
    Setting { name: "unclean.leader.election.enable", default: "false", kind: Kind::Flag },
];

/// After so many records they are brought to the disk before they are acknowledged.
pub(crate) const FLUSH_MESSAGES: &str = "flush.messages";
/// After so long records are brought to the disk.
pub(crate) const FLUSH_MS: &str = "flush.ms";

/// Says which of the settings together are not honoured by a broker that syncs by this policy.
pub(crate) fn check_together(overrides: &BTreeMap<String, String>, sync: SyncPolicy) -> Result<(), String> {
    let settings = TopicSettings::from_overrides(overrides);
    let (min, max) = (settings.min_compaction_lag_ms, settings.max_compaction_lag_ms);
    if min > max {
        return Err(format!("min.compaction.lag.ms={min} is more than max.compaction.lag.ms={max}"));
    }
    let SyncPolicy::Every(interval) = sync else { return Ok(()) };
    let number =
        |name: &str| overrides.get(name).and_then(|value| value.parse::<i64>().ok()).unwrap_or(i64::MAX);
    let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    if number(FLUSH_MESSAGES) < i64::MAX || number(FLUSH_MS) < interval_ms {
        return Err(format!(
            "flush.messages and a flush.ms below {interval_ms} are not possible here: the broker brings records to the \
             disk every {interval_ms} ms (up.sync_interval_ms; with 0 before it acknowledges them)"
        ));
    }
    Ok(())
}

/// The setting of this name.
pub(crate) fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// Says what is wrong with a value.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let name = self.name;
        match self.kind {
            Kind::Long { min, max } => match value.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(()),
                Ok(_) => Err(format!("{name}={value}: must be between {min} and {max}")),
                Err(_) => Err(format!("{name}={value}: must be a whole number")),
            },
            Kind::Choice(choices) if choices.contains(&value) => Ok(()),
            Kind::Choice(choices) => Err(format!("{name}={value}: must be one of {choices:?}")),
            Kind::List(choices) => {
                let unknown = value.split(',').find(|item| !choices.contains(&item.trim()));
                match unknown {
                    None => Ok(()),
                    Some(item) => Err(format!("{name}: {item} is not one of {choices:?}")),
                }
            }
            Kind::Ratio => match value.parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(()),
                _ => Err(format!("{name}={value}: must be between 0 and 1")),
            },
            Kind::Only(_) if value == self.default => Ok(()),
            Kind::Only(why) => Err(format!("{name}={value}: only {} is possible here: {why}", self.default)),
            Kind::Flag if matches!(value, "true" | "false") => Ok(()),
            Kind::Flag => Err(format!("{name}={value}: must be true or false")),
        }
    }
}

/// The settings that the broker acts on, read once per change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicSettings {
    pub compact: bool,
    pub delete: bool,
    pub retention_ms: i64,
    pub retention_bytes: i64,
    pub segment_bytes: u64,
    pub segment_ms: i64,
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    /// After so long a record that was superseded is gone, however little there is to compact.
    pub max_compaction_lag_ms: i64,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
    pub max_message_bytes: usize,
    pub log_append_time: bool,
}

/// How many times as large as `max.message.bytes` the records of a compressed batch may be. Producers fill batches up to
/// the size they have before, or by their guess of the size they have after compression; those that guess cut a batch
/// in two when they are told that it is too large.
const MAX_EXPANSION: usize = 16;
/// What the records of a batch may come to at most, whatever is allowed on the wire.
const MAX_RECORDS_BYTES: usize = 128 << 20;

impl TopicSettings {
    /// Bytes that the records of one batch may come to when they are decompressed.
    pub fn max_records_bytes(&self) -> usize {
        self.max_message_bytes
            .saturating_mul(MAX_EXPANSION)
            .min(MAX_RECORDS_BYTES.max(self.max_message_bytes))
    }

    /// How old a segment becomes before it is sealed. Only sealed ones are compacted.
    pub fn seal_after_ms(&self) -> i64 {
        if self.compact { self.segment_ms.min(self.max_compaction_lag_ms) } else { self.segment_ms }
    }

    /// The settings with these overrides, which were checked when they were made.
    pub fn from_overrides(overrides: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| {
            overrides
                .get(name)
                .map_or_else(|| setting(name).map_or("", |setting| setting.default), String::as_str)
        };
        let number = |name: &str| value(name).parse::<i64>().unwrap_or(i64::MAX);
        let policies: Vec<&str> = value("cleanup.policy").split(',').map(str::trim).collect();
        Self {
            compact: policies.contains(&"compact"),
            delete: policies.contains(&"delete"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            segment_bytes: number("segment.bytes").unsigned_abs(),
            segment_ms: number("segment.ms"),
            delete_retention_ms: number("delete.retention.ms"),
            min_compaction_lag_ms: number("min.compaction.lag.ms"),
            max_compaction_lag_ms: number("max.compaction.lag.ms"),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_cleanable_dirty_ratio: value("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(usize::MAX),
            log_append_time: value("message.timestamp.type") == "LogAppendTime",
        }
    }
}
