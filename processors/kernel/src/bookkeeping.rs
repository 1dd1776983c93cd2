//! What the engine itself remembers among the states: no aggregates, and no domain sees them.

use serde::{Deserialize, Serialize};

use crate::aggregate::AggregateId;
use crate::avro_record;
use crate::digest::Digest;
use crate::id;
use crate::inline::Text;
use crate::message::StepSource;
use crate::outcome::Outcome;

/// A process that has not ended, kept as `Process/<command id>` so that a restart knows which
/// commands still wait for their outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenProcess {
    /// The message name of the command that started it.
    pub command_type: Text,
    /// When it started: `recorded_at` of its first event, microseconds since the epoch.
    pub started_at: i64,
    /// How many times the command's id has been sent again meanwhile; each is answered.
    pub duplicates: i64,
    /// Of the command, for its outcome. Unknown of a process that an earlier build has begun.
    #[serde(default)]
    pub digest: Option<Digest>,
}

/// How far the steps of one source partition have been taken, kept as
/// `Inbox/<source partition>`, of another domain `Inbox/<domain>/<source partition>`: a step at or below it was taken
/// before and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// The newest [`StepSource::sequence`](crate::StepSource) that was taken.
    pub sequence: i64,
}

/// A step in the dead topic, kept as `DeadStep/<offset>`: its offset in the steps topic. It
/// may come once more, redriven, though its sequence has been passed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadStep {
    /// The command whose process waits for it; unknown when the step cannot be read.
    pub command_id: Option<Text>,
    /// The step's message name, if it can be read.
    pub step_type: Option<Text>,
    /// When it was found dead, microseconds since the epoch.
    pub since: i64,
}

/// A key whose later commands wait in the dead topic behind a dead one, kept as
/// `ParkedKey/<key>` (see [`parked_key`]). The dead one and all behind it stand in one line
/// and have numbers from 1; the key is free once the last of them has been taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedKey {
    /// The line's name: the offset of the first dead command in the commands topic.
    pub line: i64,
    /// The number that is to be taken next.
    pub next: i64,
    /// The newest number that was given out.
    pub newest: i64,
    /// Since when the key is parked, microseconds since the epoch.
    pub since: i64,
}

/// Up to when a partition has forgotten which commands it answered, kept as `Floor/commands` in a
/// domain that [refuses what is expired](crate::Domain::REFUSES_EXPIRED). A restart restores by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// A command issued at or before this time is `Expired`: it may be one that was forgotten.
    /// Microseconds since the epoch; 0 before anything was forgotten.
    pub issued_at: i64,
    /// Answers recorded at or before this time are not known any more. Microseconds since the
    /// epoch; 0 before anything was forgotten.
    pub recorded_at: i64,
    /// The answers that are known, but for the newest, oldest first.
    pub spans: Vec<FloorSpan>,
}

/// Answers that a partition forgets together: those recorded after the span before this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloorSpan {
    /// The newest `recorded_at` of these answers, microseconds since the epoch.
    pub recorded_at: i64,
    /// No later than this were their commands appended, microseconds since the epoch.
    pub appended_at: i64,
    /// No later than this were they issued, microseconds since the epoch.
    pub issued_at: i64,
}

/// Answers that are still due, kept as `Repeats/<command id>`: the id was sent again so often while its process
/// ran that not all of them are answered in the transaction that ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// How many are still to be given.
    pub left: i64,
    /// What each of them says.
    pub outcome: Outcome,
}

/// Which secret a key of pseudonyms has, kept as `PseudonymKey/<key id>`: whoever has another one under this id would not
/// find what was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PseudonymCheck {
    /// [`PseudonymKey::check`](crate::PseudonymKey::check), in hexadecimal digits.
    pub check: Text,
}

/// Anything the engine remembers among the states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bookkeeping {
    /// A process that has not ended.
    Process(OpenProcess),
    /// How far the steps of a source partition have been taken.
    Inbox(Inbox),
    /// A step in the dead topic.
    DeadStep(DeadStep),
    /// A key whose commands wait behind a dead one.
    ParkedKey(ParkedKey),
    /// Up to when answered commands are forgotten.
    Floor(Floor),
    /// Answers that are still due.
    Repeats(Repeats),
    /// Which secret a key of pseudonyms has.
    PseudonymKey(PseudonymCheck),
}

/// The kind of an open process.
pub const PROCESS_KIND: &str = "Process";
/// The kind of an inbox.
pub const INBOX_KIND: &str = "Inbox";
/// The kind of a dead step.
pub const DEAD_STEP_KIND: &str = "DeadStep";
/// The kind of a parked key.
pub const PARKED_KEY_KIND: &str = "ParkedKey";
/// The kind of the floor.
pub const FLOOR_KIND: &str = "Floor";
/// The kind of answers that are still due.
pub const REPEATS_KIND: &str = "Repeats";
/// The kind of what is known of a key of pseudonyms.
pub const PSEUDONYM_KEY_KIND: &str = "PseudonymKey";

impl Bookkeeping {
    /// The kinds under which the engine keeps its own; no domain may use them.
    pub const KINDS: [&str; 7] = [
        PROCESS_KIND,
        INBOX_KIND,
        DEAD_STEP_KIND,
        PARKED_KEY_KIND,
        FLOOR_KIND,
        REPEATS_KIND,
        PSEUDONYM_KEY_KIND,
    ];

    /// Whether what is kept under `id` is the engine's and no aggregate: it has no events and its
    /// version says nothing.
    #[must_use]
    pub fn is_kept_under(id: &AggregateId) -> bool {
        // asked for every aggregate at every step, so without a look for the end of the kind
        let is_of = |kind: &&str| id.as_str().strip_prefix(kind).is_some_and(|rest| rest.starts_with('/'));
        Self::KINDS.iter().any(is_of)
    }
}

/// Where an open process is kept.
#[must_use]
pub fn process(command_id: &str) -> AggregateId {
    AggregateId::new(PROCESS_KIND, &[command_id])
}

/// Where the answers are kept that are still due to those who have sent a command again.
#[must_use]
pub fn repeats(command_id: &str) -> AggregateId {
    AggregateId::new(REPEATS_KIND, &[command_id])
}

/// Where the inbox of a source partition is kept: each domain's apart.
#[must_use]
pub fn inbox(source: &StepSource) -> AggregateId {
    let partition = source.partition.to_string();
    match &source.domain {
        None => AggregateId::new(INBOX_KIND, &[&partition]),
        Some(domain) => AggregateId::new(INBOX_KIND, &[domain, &partition]),
    }
}

/// Where the step that stood at `offset` of the steps topic is kept while it is dead.
#[must_use]
pub fn dead_step(offset: i64) -> AggregateId {
    AggregateId::new(DEAD_STEP_KIND, &[&offset.to_string()])
}

/// Where the floor of a partition is kept.
#[must_use]
pub fn floor() -> AggregateId {
    AggregateId::new(FLOOR_KIND, &["commands"])
}

/// Where it is kept which secret the key of pseudonyms has that is called `id`.
#[must_use]
pub fn pseudonym_key(id: &str) -> AggregateId {
    AggregateId::new(PSEUDONYM_KEY_KIND, &[id])
}

/// Longest record key that is spelled out, in bytes; no valid id is that long.
const MAX_SPELLED_KEY: usize = 4 * id::MAX_ID_LENGTH;

/// Where a parked record key is kept. Keys are any bytes: those an id may not have stand as
/// `%` and two hexadecimal digits, the empty key as `%`, and what no id could be for its length as
/// `%%` and a UUIDv5 of it.
#[must_use]
pub fn parked_key(key: &[u8]) -> AggregateId {
    let mut text = String::with_capacity(key.len());
    if key.is_empty() {
        text.push('%');
    } else if key.len() > MAX_SPELLED_KEY {
        text = format!("%%{}", id::of_bytes(key));
    } else {
        for byte in key {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b':' | b'-' => {
                    text.push(char::from(*byte));
                }
                other => text.push_str(&format!("%{other:02x}")),
            }
        }
    }
    AggregateId::new(PARKED_KEY_KIND, &[&text])
}

/// The record key that is parked under `id`, as [`parked_key`] spells it; `None` where it is no parked key, or where only
/// the name of a long one is kept.
#[must_use]
pub fn key_parked_under(id: &str) -> Option<Vec<u8>> {
    let spelled = id.strip_prefix(PARKED_KEY_KIND)?.strip_prefix('/')?;
    if spelled == "%" {
        return Some(Vec::new());
    }
    let mut parts = spelled.split('%');
    let mut key = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        key.push(u8::from_str_radix(digits, 16).ok()?);
        key.extend_from_slice(rest.as_bytes());
    }
    Some(key)
}

avro_record!(OpenProcess { command_type, started_at, duplicates, digest });
avro_record!(Inbox { sequence });
avro_record!(DeadStep { command_id, step_type, since });
avro_record!(ParkedKey { line, next, newest, since });
avro_record!(Floor { issued_at, recorded_at, spans });
avro_record!(FloorSpan { recorded_at, appended_at, issued_at });
avro_record!(Repeats { left, outcome });
avro_record!(PseudonymCheck { check });

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_partition_of_two_domains_has_two_inboxes() {
        let of = |domain: Option<&str>| {
            let id = inbox(&StepSource { domain: domain.map(Into::into), partition: 3, sequence: 9 });
            assert!(Bookkeeping::is_kept_under(&id), "{id}");
            assert_eq!(AggregateId::parse(id.as_str()).as_ref(), Some(&id));
            id.as_str().to_owned()
        };
        assert_eq!((of(None), of(Some("identity"))), ("Inbox/3".to_owned(), "Inbox/identity/3".to_owned()));
    }

    #[test]
    fn every_key_has_a_place_of_its_own() {
        let long = [b'x'; 300];
        let other = [b'y'; 300];
        let keys: [&[u8]; 10] =
            [b"", b"ann", b"ANN", b"a/b", b"a%2fb", b"%", b"\x00\xff", "ü".as_bytes(), &long, &other];
        let mut seen = BTreeSet::new();
        for key in keys {
            let id = parked_key(key);
            assert_eq!(AggregateId::parse(id.as_str()).as_ref(), Some(&id), "{key:?}");
            assert_eq!(id.as_str().matches('/').count(), 1, "{id}");
            assert!(Bookkeeping::is_kept_under(&id), "{id}");
            assert!(seen.insert(id.clone()), "{id} is taken");
            let spelled = (key.len() <= MAX_SPELLED_KEY).then(|| key.to_vec());
            assert_eq!(key_parked_under(id.as_str()), spelled, "{id}");
        }
        assert_eq!(parked_key(b"ann").as_str(), "ParkedKey/ann", "an id stands as it is");
        assert!(!Bookkeeping::is_kept_under(&AggregateId::new("User", &["ann"])));
        for other in ["ParkedKey", "User/ann", "ParkedKey/%a", "ParkedKey/%zz", "ParkedKey/%é"] {
            assert_eq!(key_parked_under(other), None, "{other}");
        }
    }
}
