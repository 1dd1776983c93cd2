//! Transactions that are open: committed reads of a partition cannot pass them, whoever has begun them.

use std::time::Duration;

use millrace_kafka::KafkaLog;
use millrace_ports::{Clock as _, Log as _, LogFault, SystemClock, TopicPartition};
use serde::Serialize;

use crate::{foreign, output};

/// A transaction that stands in the way of all who read a partition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Open {
    topic: String,
    partition: i32,
    /// Where it begins: nobody reads from there on.
    offset: i64,
    /// How many offsets stand there.
    records: i64,
    /// When its first record was written, as that says.
    since: String,
    /// For how long that has been.
    seconds: f64,
    /// Whose it is, by the id that the broker gave; left out where it cannot be found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    producer_id: Option<i64>,
    /// The id by which the producer calls itself, where the broker knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    transactional_id: Option<String>,
}

impl Open {
    /// Whether it has been open for longer than anything should wait.
    #[must_use]
    pub fn is_stuck(&self, after_seconds: f64) -> bool {
        self.seconds > after_seconds
    }

    /// For how long, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Where it is.
    #[must_use]
    pub fn at(&self) -> String {
        format!("{}[{}]", self.topic, self.partition)
    }

    /// All of it in words.
    #[must_use]
    pub fn line(&self) -> String {
        let (what, way_out) = self.parts();
        format!("{}: {what}. {way_out}", self.at())
    }

    /// What is in the way, and what ends it.
    #[must_use]
    pub fn parts(&self) -> (String, String) {
        let Self { topic, partition, offset, records, since, seconds, .. } = self;
        let what = format!(
            "a transaction has been open since {since} ({seconds:.0} s), and the {records} offsets from {offset} on cannot be read"
        );
        let more = "docs/operations.md (MillraceStableOffsetStuck) has the rest";
        match (self.producer_id, &self.transactional_id) {
            (Some(producer), Some(id)) => (
                format!("{what}; it is of producer {producer}, {id:?}"),
                format!(
                    "If that does not end it, `kafka-transactions.sh --bootstrap-server … forceTerminateTransaction {}` does; {more}",
                    foreign::flag("transactionalId", id)
                ),
            ),
            (Some(producer), None) => (
                format!("{what}; it is of producer {producer}, whom no coordinator knows"),
                format!(
                    "`kafka-transactions.sh --bootstrap-server … abort --topic {topic} --partition {partition} --start-offset \
                     {offset}` ends it; {more}"
                ),
            ),
            (None, _) => (
                what,
                format!(
                    "`kafka-transactions.sh --bootstrap-server … describe-producers --topic {topic} --partition {partition}` \
                     names the producer; {more}"
                ),
            ),
        }
    }
}

/// Transactions in `places` that have been open for longer than `timeout`, the oldest of each partition.
///
/// # Errors
/// [`LogFault`].
pub fn open(log: &KafkaLog, places: &[TopicPartition], timeout: Duration) -> Result<Vec<Open>, LogFault> {
    let mut found = Vec::new();
    for at in places {
        // in this order, so that a transaction that begins in between is not taken for one that was open
        let stable = log.last_stable_offset(at)?;
        let end = log.high_watermark(at)?;
        if stable >= end {
            continue;
        }
        let Some(written_ms) = log.written_at(at, stable)? else { continue };
        let seconds = (SystemClock.now_micros() / 1_000 - written_ms).max(0) as f64 / 1_000.0;
        if seconds > timeout.as_secs_f64() {
            let holder = log.holder(at, stable);
            let (topic, since) = (at.topic.to_string(), output::time(written_ms * 1_000));
            found.push(Open {
                topic,
                partition: at.partition,
                offset: stable,
                records: end - stable,
                since,
                seconds,
                producer_id: holder.as_ref().map(|it| it.producer_id),
                transactional_id: holder.and_then(|it| it.transactional_id),
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_it_is_and_what_ends_it_is_said_as_far_as_it_is_known() {
        let open = |producer_id, transactional_id: Option<&str>| Open {
            topic: "d.commands".to_owned(),
            partition: 3,
            offset: 41,
            records: 2,
            since: "2026-01-02T03:04:05.000000Z".to_owned(),
            seconds: 31.0,
            producer_id,
            transactional_id: transactional_id.map(str::to_owned),
        };
        let rows = [
            (open(Some(7), Some("somebody")), "forceTerminateTransaction --transactionalId somebody"),
            (open(Some(7), Some("$(reboot)'s")), "--transactionalId='$(reboot)'\\''s'"),
            (open(Some(7), None), "abort --topic d.commands --partition 3 --start-offset 41"),
            (open(None, None), "describe-producers --topic d.commands --partition 3"),
        ];
        for (open, way_out) in rows {
            let line = open.line();
            assert!(
                line.contains("d.commands[3]: a transaction has been open since 2026")
                    && line.contains(way_out),
                "{line}"
            );
        }
        assert!(open(None, None).is_stuck(30.0) && !open(None, None).is_stuck(32.0));
    }
}
