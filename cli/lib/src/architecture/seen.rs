//! What was seen at one moment, as values: whoever looked has put it in this form, and nothing here asks anybody.

use std::collections::BTreeMap;

use serde::Serialize;

/// A topic and one of its partitions.
pub type Place = (String, i32);

/// How much of a topic a group has still to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct BehindBy {
    /// How many records, as far as they can be counted without reading them all.
    pub lag_records: i64,
    /// For how long the first of them has waited.
    pub lag_seconds: f64,
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenGroup {
    /// Its id.
    pub id: String,
    /// Its members.
    pub members: Vec<SeenMember>,
    /// Its committed next offsets, of the system's topics.
    pub offsets: BTreeMap<Place, i64>,
    /// How far it is behind, by topic.
    pub behind: BTreeMap<String, BehindBy>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenMember {
    /// The name the broker has given it.
    pub name: String,
    /// What its client calls itself.
    pub client: String,
    /// Where it connects from.
    pub host: String,
    /// The partitions that it was dealt, by topic.
    pub assigned: BTreeMap<String, Vec<i32>>,
}

/// A gateway that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenGateway {
    /// Where it is asked, as it says itself.
    pub address: String,
    /// The machine that it runs on, or where its process was asked.
    pub host: String,
    /// Requests that it has answered since it started.
    pub requests: Option<u64>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Who was asked.
    pub brokers: String,
    /// When, in microseconds of any steady clock.
    pub at_micros: i64,
    /// The topics of the cluster, with their numbers of partitions.
    pub topics: BTreeMap<String, i32>,
    /// The ends of the partitions of the system's topics.
    pub ends: BTreeMap<Place, i64>,
    /// The groups of the cluster.
    pub groups: Vec<SeenGroup>,
    /// Groups that were not looked into, as there are so many.
    pub groups_not_seen: usize,
    /// The gateways that answer; none where nobody has said how to ask processes.
    pub gateways: Option<Vec<SeenGateway>>,
    /// What else there is to say.
    pub notes: Vec<String>,
}
