//! Which changes are repeats: a projector that begins again writes the last ones once more.

use std::collections::{BTreeMap, BTreeSet};

use millrace_kernel::Change;
use millrace_kernel::live::key_text;

use crate::planted::{self, Bug};

/// What one subscriber has seen of its sources, in one partition of the changes topic.
///
/// Of each source partition: that all changes of events before some offset have passed, and which of later ones. Those come in an
/// order of their own, as an event with many rows is written beside the events behind it; but the changes of one row come in the
/// order of their events, and whoever begins again writes all that were not settled, in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub(super) sources: BTreeMap<i32, OfSource>,
}

/// What was seen of one source partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OfSource {
    /// All changes of events before this offset have passed.
    pub(super) settled: i64,
    /// Of the others: the event's offset, and the row's key as a number.
    pub(super) beyond: BTreeSet<(i64, u64)>,
}

impl OfSource {
    fn settle(&mut self, end: i64) {
        if end > self.settled {
            self.settled = end;
            self.beyond = self.beyond.split_off(&(end, 0));
        }
    }
}

impl Seen {
    /// What rows show that were read when projections had come so far, given as (source partition, events offset).
    #[must_use]
    pub fn rows(progress: &[(i32, i64)]) -> Self {
        let of = |(partition, settled): &(i32, i64)| {
            (*partition, OfSource { settled: *settled, ..OfSource::default() })
        };
        Self { sources: progress.iter().map(of).collect() }
    }

    /// Up to which offset all changes have passed, by the source partition.
    pub(super) fn settled(&self) -> impl Iterator<Item = (i32, i64)> {
        self.sources.iter().map(|(partition, source)| (*partition, source.settled))
    }

    /// Changes of events before these offsets, given as (source partition, offset), have passed.
    pub(super) fn settle(&mut self, ends: Vec<(i32, i64)>) {
        for (partition, end) in ends {
            self.sources.entry(partition).or_default().settle(end);
        }
    }

    /// Whether `change` is none that has passed before; it has, from now on.
    pub fn is_new(&mut self, change: &Change) -> bool {
        let source = self.sources.entry(change.source_partition).or_default();
        let is_new = change.source_offset >= source.settled
            && source.beyond.insert((change.source_offset, row(change)));
        source.settle(change.settled);
        is_new || planted::is_on(Bug::ChangeGoesBack)
    }
}

/// A view and the key of a row, as a number: FNV-1a of 64 bits (Fowler, Noll, Vo). Only rows of one event are told apart by it.
fn row(change: &Change) -> u64 {
    let values: Vec<_> = change.key.iter().map(|(_, value)| value.clone()).collect();
    let texts = [&*change.view, "\n", &key_text(&values)];
    texts
        .iter()
        .flat_map(|text| text.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use millrace_kernel::Value;

    use super::*;

    fn change(source_partition: i32, source_offset: i64, settled: i64, key: &str) -> Change {
        Change {
            view: "v".into(),
            version: 1,
            source_partition,
            source_offset,
            settled,
            recorded_at: 0,
            key: vec![("id".into(), Value::from(key))],
            row: None,
            reread: false,
            more: false,
        }
    }

    #[test]
    fn what_comes_again_is_dropped_and_what_comes_late_is_not() {
        let mut seen = Seen::rows(&[(0, 5)]);
        let mut new = |partition, offset, settled, key| seen.is_new(&change(partition, offset, settled, key));
        assert!(!new(0, 4, 0, "a"), "the rows have shown it");
        assert!(new(0, 5, 5, "a") && new(0, 5, 5, "b"), "two rows of an event");
        assert!(new(0, 9, 5, "a"));
        assert!(!new(0, 5, 5, "a") && !new(0, 9, 5, "a"), "a projector has begun again");
        assert!(new(0, 7, 5, "c"), "an event with many rows ends behind later ones");
        assert!(new(0, 20, 10, "a"));
        assert!(!new(0, 7, 5, "c") && !new(0, 9, 5, "a"), "all of those were settled");
        assert!(new(1, 0, 0, "a"), "of another source");
    }

    #[test]
    fn what_is_settled_takes_no_memory() {
        let mut seen = Seen::default();
        for offset in 0..10_000 {
            assert!(seen.is_new(&change(0, offset, offset - 10, "a")));
        }
        assert!(seen.sources[&0].beyond.len() < 12, "{}", seen.sources[&0].beyond.len());
    }
}
