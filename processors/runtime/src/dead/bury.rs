//! A record on its way into the dead topic.

use std::sync::Arc;

use millrace_ports::{Outgoing, Record};

use super::headers::{self, DeadKind, LinePlace, header};
use crate::topology::Topology;

/// How much of a record the dead topic has room for, in bytes, reason and place apart.
const MAX_BURIED_LENGTH: usize = 2_000_000;

/// Longest reason, in bytes: a panic may quote all of its input.
const MAX_REASON_LENGTH: usize = 2_048;

/// Why a record belongs into the dead topic, and what it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burial {
    /// What kind of dead record it is.
    pub kind: DeadKind,
    /// Why, for a person.
    pub reason: String,
    /// Its place among the commands of its key that wait for each other, if they do.
    pub line: Option<LinePlace>,
}

/// The record for the dead topic: as it came, with the reason and its place. What can only be
/// that long because it was compressed is cut: it must not block what comes behind it.
#[must_use]
pub fn bury(names: &Topology, record: &Record, burial: &Burial) -> Outgoing {
    let own = headers::foreign(&record.headers);
    let of_headers: usize = own.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fits = |length: usize| length <= MAX_BURIED_LENGTH;
    let key = record.key.clone().filter(|key| fits(key.len()));
    let key_length = key.as_ref().map_or(0, |key| key.len());
    let mut all = if fits(key_length + of_headers) { own } else { Vec::new() };
    all.push(header(headers::KIND, burial.kind.as_str()));
    all.push(header(headers::REASON, shortened(&burial.reason)));
    all.push(header(headers::TOPIC, &record.topic));
    all.push(header(headers::PARTITION, record.partition));
    all.push(header(headers::OFFSET, record.offset));
    all.extend(burial.line.map(|place| header(headers::LINE, place)));
    let mut value = record.value.clone();
    if let Some(whole) = &record.value
        && !fits(key_length + of_headers + whole.len())
    {
        all.push(header(headers::CUT, whole.len()));
        value = Some(whole.slice(..whole.len().min(MAX_BURIED_LENGTH / 2)));
    }
    Outgoing {
        topic: Arc::clone(&names.dead),
        partition: record.partition,
        key,
        value,
        timestamp_ms: record.timestamp_ms,
        headers: all,
    }
}

fn shortened(reason: &str) -> &str {
    let end = (0..=reason.len().min(MAX_REASON_LENGTH)).rev().find(|at| reason.is_char_boundary(*at));
    &reason[..end.unwrap_or(0)]
}
