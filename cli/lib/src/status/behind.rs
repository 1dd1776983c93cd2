//! What is still to be read, and for how long it has waited.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kafka::KafkaLog;
use millrace_ports::{Clock, Log as _, LogFault, Start, SystemClock, TopicPartition};

/// How long to look for the first record that is still to be read.
const LOOK: Duration = Duration::from_secs(4);

/// What is still to be read of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behind {
    /// How many offsets.
    pub records: i64,
    /// For how long the first of them has waited.
    pub seconds: f64,
}

impl Behind {
    /// All records of several partitions, and the longest wait.
    #[must_use]
    pub fn total(of: &BTreeMap<TopicPartition, Self>) -> Self {
        let add = |sum: Self, it: &Self| Self {
            records: sum.records + it.records,
            seconds: sum.seconds.max(it.seconds),
        };
        of.values().fold(Self::default(), add)
    }
}

/// What is behind `next` in each of `places`; where nothing is committed, from the beginning.
///
/// The distance to the end alone would not do: the markers of transactions count as offsets, and
/// nobody reads them. So the first record that is still to be read is looked for.
///
/// # Errors
/// [`LogFault`].
pub fn behind(
    log: &KafkaLog,
    places: &[TopicPartition],
    next: &BTreeMap<TopicPartition, i64>,
) -> Result<BTreeMap<TopicPartition, Behind>, LogFault> {
    let mut ends = BTreeMap::new();
    let mut starts = Vec::new();
    for place in places {
        let end = log.high_watermark(place)?;
        let from = match next.get(place) {
            Some(offset) => (*offset).max(log.low_watermark(place)?),
            None => log.low_watermark(place)?,
        };
        if from < end {
            ends.insert(place.clone(), end);
            starts.push((place.clone(), Start::Offset(from)));
        }
    }
    let mut found = BTreeMap::new();
    if starts.is_empty() {
        return Ok(found);
    }
    let mut reader = log.reader(&starts)?;
    let until = Instant::now() + LOOK;
    let now_ms = SystemClock.now_micros() / 1_000;
    while !ends.is_empty() && Instant::now() < until {
        for record in reader.poll(1_000, Duration::from_millis(100))? {
            let place = TopicPartition::new(Arc::clone(&record.topic), record.partition);
            if let Some(end) = ends.remove(&place) {
                let seconds = (now_ms - record.timestamp_ms).max(0) as f64 / 1_000.0;
                found.insert(place.clone(), Behind { records: end - record.offset, seconds });
                reader.pause(&place, true)?;
            }
        }
        ends.retain(|place, end| reader.position(place) < *end);
    }
    // not looked through in time: behind by all that is left, and at least for as long as it took
    for (place, end) in ends {
        let records = end - reader.position(&place);
        found.insert(place, Behind { records, seconds: LOOK.as_secs_f64() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_partitions_wait_for_is_added_up_and_the_longest_wait_counts() {
        let at = |partition| TopicPartition::new("chirp.commands", partition);
        let of = BTreeMap::from([
            (at(0), Behind { records: 3, seconds: 7.0 }),
            (at(1), Behind { records: 4, seconds: 2.0 }),
        ]);
        assert_eq!(Behind::total(&of), Behind { records: 7, seconds: 7.0 });
    }
}
