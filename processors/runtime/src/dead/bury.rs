//! A record on its way into the dead topic.

use std::sync::Arc;

use millrace_ports::{Outgoing, Record};

use super::headers::{self, DeadKind, LinePlace, header};
use crate::topology::Topology;

/// Most bytes that a dead record may come to, as [`Outgoing::size_bytes`] counts: somewhat less than `max.message.bytes`
/// of the dead topic, 2 MiB as `topics/<domain>.toml` declares it. More than any command that did not need
/// compression to get in, with its reason and its place.
const MAX_BURIED_BYTES: usize = 2_000_000;
/// The longest key that is kept, in bytes.
const MAX_KEY_BYTES: usize = 900_000;
/// How much is kept of a value that is too long, in bytes.
const CUT_BYTES: usize = 1_000_000;

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
    /// Where it stands for a whole batch: the offset of the batch's first record. The record at hand is its last.
    pub first: Option<i64>,
}

/// The record for the dead topic: as it came, with the reason and its place. What can only be
/// that long because it was compressed is cut, as it must not block what comes behind it: first its headers go, since
/// without them it can still be put back, then a part of its value. Where it stood is always said.
#[must_use]
pub fn bury(names: &Topology, record: &Record, burial: &Burial) -> Outgoing {
    let mut engine = vec![
        header(headers::KIND, burial.kind.as_str()),
        header(headers::REASON, shortened(&burial.reason)),
        header(headers::TOPIC, &record.topic),
        header(headers::PARTITION, record.partition),
        header(headers::OFFSET, burial.first.unwrap_or(record.offset)),
    ];
    engine.extend(burial.first.map(|_| header(headers::LAST, record.offset)));
    engine.extend(burial.line.map(|place| header(headers::LINE, place)));
    let own = headers::foreign(&record.headers);
    let count = own.len();
    let mut dead = Outgoing {
        topic: Arc::clone(&names.dead),
        partition: record.partition,
        key: record.key.clone().filter(|key| key.len() <= MAX_KEY_BYTES),
        value: record.value.clone(),
        timestamp_ms: record.timestamp_ms,
        headers: own.into_iter().chain(engine.iter().cloned()).collect(),
    };
    if dead.size_bytes() > MAX_BURIED_BYTES {
        engine.push(header(headers::HEADERS_CUT, count));
        dead.headers = engine;
    }
    if dead.size_bytes() > MAX_BURIED_BYTES
        && let Some(whole) = dead.value.take()
    {
        dead.headers.push(header(headers::CUT, whole.len()));
        dead.value = Some(whole.slice(..whole.len().min(CUT_BYTES)));
    }
    dead
}

fn shortened(reason: &str) -> &str {
    let end = (0..=reason.len().min(MAX_REASON_LENGTH)).rev().find(|at| reason.is_char_boundary(*at));
    &reason[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn record(key: usize, value: usize, headers: usize) -> Record {
        let own = |n: usize| (format!("h{n}"), Bytes::new());
        Record {
            topic: "d.commands".into(),
            partition: 3,
            offset: 17,
            timestamp_ms: 5,
            key: Some(Bytes::from(vec![b'k'; key])),
            value: Some(Bytes::from(vec![b'v'; value])),
            headers: (0..headers).map(own).collect(),
        }
    }

    fn buried(record: &Record) -> Outgoing {
        let burial = Burial {
            kind: DeadKind::Unreadable,
            reason: "r".repeat(100_000),
            line: Some(LinePlace { line: i64::MAX, number: i64::MAX }),
            first: None,
        };
        bury(&Topology::new("", "d"), record, &burial)
    }

    #[test]
    fn whatever_comes_can_be_buried_and_says_where_it_stood() {
        let sizes = [0, 1, 999_999, 1_048_588, 1_999_000, 30_000_000];
        for (key, value) in sizes.iter().flat_map(|key| sizes.map(|value| (*key, value))) {
            // a header without a value is a few letters, and several times that when it is written
            for headers in [0, 1, 400_000] {
                let record = record(key, value, headers);
                let dead = buried(&record);
                let size = dead.size_bytes();
                assert!(size <= MAX_BURIED_BYTES, "{key}, {value}, {headers}: {size}");
                for (name, text) in
                    [(headers::TOPIC, "d.commands"), (headers::PARTITION, "3"), (headers::OFFSET, "17")]
                {
                    assert_eq!(headers::text(&dead.headers, name), Some(text));
                }
                let cut = headers::text(&dead.headers, headers::CUT);
                assert_eq!(cut.is_some(), dead.value != record.value, "{key}, {value}, {headers}");
                assert_eq!(cut.map(str::to_owned), cut.map(|_| value.to_string()));
                if key <= 1 && value <= 1_048_588 {
                    assert_eq!(cut, None, "a command that fits without compression is kept whole");
                    assert_eq!(dead.key, record.key);
                }
            }
        }
    }

    #[test]
    fn headers_go_before_a_part_of_the_value_does() {
        let dead = buried(&record(1, 1_000_000, 400_000));
        assert_eq!(dead.value.map(|it| it.len()), Some(1_000_000));
        assert_eq!(headers::text(&dead.headers, headers::HEADERS_CUT), Some("400000"));
        let dead = buried(&record(1, 1_000_000, 10));
        assert_eq!(headers::text(&dead.headers, headers::HEADERS_CUT), None);
        assert_eq!(headers::text(&dead.headers, "h9"), Some(""));
    }
}
