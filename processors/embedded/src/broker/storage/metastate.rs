//! Everything the broker must remember beside the records: topics, groups, offsets, transactional
//! ids. A fold of the entries of the metadata log.
//!
//! An entry or a field that this build does not know was written by a newer one. It is refused and not
//! passed over: what is forgotten here would be gone with the next rewrite of the log.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommittedOffset {
    pub offset: i64,
    pub leader_epoch: i32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    pub commit_ms: i64,
    /// When the offset expires, where its consumer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

/// Offsets by topic and partition.
pub(crate) type Offsets = BTreeMap<String, BTreeMap<i32, CommittedOffset>>;

/// A topic as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredTopic {
    pub id: Uuid,
    pub partitions: i32,
    pub configs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub log_starts: BTreeMap<i32, i64>,
}

/// A member of a group as it is stored, so that a restart of the broker disturbs nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocols: Vec<(String, Vec<u8>)>,
    pub assignment: Vec<u8>,
}

/// A group's assignment as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredGroup {
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub members: Vec<StoredMember>,
    /// Since when a group that had members has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_since_ms: Option<i64>,
}

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum TxnStatus {
    /// Nothing since the producer was initialised.
    #[default]
    Empty,
    /// Open.
    Ongoing,
    /// Committed: markers may still be missing after a crash.
    Committed,
    /// Aborted: markers may still be missing after a crash.
    Aborted,
}

/// A transactional id as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredTxn {
    pub producer_id: i64,
    pub epoch: i16,
    pub timeout_ms: i32,
    pub status: TxnStatus,
    pub started_ms: i64,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub partitions: BTreeSet<(String, i32)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub offsets: BTreeMap<String, Offsets>,
    pub updated_ms: i64,
}

/// One entry of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The cluster's id, once.
    Cluster(String),
    /// Producer ids below this one may be in use.
    ProducerIds(i64),
    /// A topic was created or changed.
    Topic(String, StoredTopic),
    /// A topic was deleted.
    TopicDeleted(String),
    /// Records before this offset were deleted.
    LogStart(String, i32, i64),
    /// A group has a new assignment.
    Group(String, StoredGroup),
    /// Offsets were committed outside a transaction.
    Offsets(String, Offsets),
    /// Offsets were deleted.
    OffsetsDeleted(String, Vec<(String, i32)>),
    /// A group was deleted.
    GroupDeleted(String),
    /// A transactional id changed. `Committed` makes its offsets those of the groups.
    Txn(String, StoredTxn),
    /// A transactional id was not used for long.
    TxnExpired(String),
}

/// What the entries add up to.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetaState {
    pub cluster_id: Option<String>,
    pub next_producer_id: i64,
    pub topics: BTreeMap<String, StoredTopic>,
    pub groups: BTreeMap<String, StoredGroup>,
    pub offsets: BTreeMap<String, Offsets>,
    pub txns: BTreeMap<String, StoredTxn>,
}

/// Puts newer offsets over older ones.
pub(crate) fn merge_offsets(into: &mut Offsets, from: &Offsets) {
    for (topic, partitions) in from {
        let known = into.entry(topic.clone()).or_default();
        known.extend(partitions.iter().map(|(partition, offset)| (*partition, offset.clone())));
    }
}

/// Takes offsets away, and topics without any.
pub(crate) fn remove_offsets(from: &mut Offsets, gone: &[(String, i32)]) {
    for (topic, partition) in gone {
        let Some(partitions) = from.get_mut(topic) else { continue };
        partitions.remove(partition);
        if partitions.is_empty() {
            from.remove(topic);
        }
    }
}

impl MetaState {
    /// Takes an entry into account.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Cluster(id) => self.cluster_id = Some(id.clone()),
            Entry::ProducerIds(next) => self.next_producer_id = *next,
            Entry::Topic(name, topic) => {
                self.topics.insert(name.clone(), topic.clone());
            }
            Entry::TopicDeleted(name) => {
                self.topics.remove(name);
                for offsets in self.offsets.values_mut() {
                    offsets.remove(name);
                }
            }
            Entry::LogStart(name, partition, offset) => {
                if let Some(topic) = self.topics.get_mut(name) {
                    topic.log_starts.insert(*partition, *offset);
                }
            }
            Entry::Group(id, group) => {
                self.groups.insert(id.clone(), group.clone());
            }
            Entry::Offsets(id, offsets) => {
                merge_offsets(self.offsets.entry(id.clone()).or_default(), offsets);
            }
            Entry::OffsetsDeleted(id, gone) => {
                if let Some(offsets) = self.offsets.get_mut(id) {
                    remove_offsets(offsets, gone);
                }
            }
            Entry::GroupDeleted(id) => {
                self.groups.remove(id);
                self.offsets.remove(id);
            }
            Entry::Txn(id, txn) => {
                if txn.status == TxnStatus::Committed {
                    for (group, offsets) in &txn.offsets {
                        merge_offsets(self.offsets.entry(group.clone()).or_default(), offsets);
                    }
                }
                self.txns.insert(id.clone(), txn.clone());
            }
            Entry::TxnExpired(id) => {
                self.txns.remove(id);
            }
        }
    }

    /// The fewest entries that add up to the same.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        entries.extend(self.cluster_id.clone().map(Entry::Cluster));
        entries.push(Entry::ProducerIds(self.next_producer_id));
        entries.extend(self.topics.iter().map(|(name, t)| Entry::Topic(name.clone(), t.clone())));
        entries.extend(self.groups.iter().map(|(id, g)| Entry::Group(id.clone(), g.clone())));
        // Before the offsets: a decided transaction would put its old offsets over newer ones.
        entries.extend(self.txns.iter().map(|(id, txn)| Entry::Txn(id.clone(), txn.clone())));
        entries.extend(self.offsets.iter().map(|(id, o)| Entry::Offsets(id.clone(), o.clone())));
        entries
    }
}
