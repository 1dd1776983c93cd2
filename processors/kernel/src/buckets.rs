//! Buckets: how a table whose partitions would grow without a bound is cut into partitions of a few hundred rows.
//!
//! A *bucketed* table has a column `bucket` at the end of its partition key. A bucket takes rows in the order of their
//! times until it is full; its number is the time of the first one. Which buckets there are is said by the table's
//! directory, `<table>_buckets`, a row for each, newest first. An empty bucket is left for good, with all that was deleted in it,
//! so nobody reads that again.

use crate::known::Known;
use crate::sorted::Sorted;

/// Rows of a bucket, for a projection that has no reason for another number: a page of anybody's reads one or two, and what is
/// deleted in one stays well below what servers refuse to pass over.
pub const BUCKET_ROWS: u32 = 500;

/// The buckets of one logical partition, as its projection knows them.
#[derive(Clone, Debug)]
pub struct Buckets {
    list: Sorted,
    most: u32,
}

/// Where a new row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Its bucket.
    pub bucket: i64,
    /// Whether it is the first in it: then the directory gets a row.
    pub is_new: bool,
    /// A bucket that has become full and empty before, and that the directory is to forget.
    pub left: Option<i64>,
}

/// Where a row was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Its bucket.
    pub bucket: i64,
    /// Whether nothing is left in it and nothing will come: then the directory is to forget it.
    pub is_left: bool,
}

/// What is known of a bucket: rows in it, rows that were ever put there, and the time of the last one.
#[derive(Clone, Copy)]
struct Fill {
    rows: u32,
    ever: u32,
    last: i64,
}

impl Fill {
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (rows, rest) = bytes.split_first_chunk()?;
        let (ever, rest) = rest.split_first_chunk()?;
        let last = i64::from_be_bytes(rest.try_into().ok()?);
        Some(Self { rows: u32::from_be_bytes(*rows), ever: u32::from_be_bytes(*ever), last })
    }

    fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16);
        bytes.extend(self.rows.to_be_bytes());
        bytes.extend(self.ever.to_be_bytes());
        bytes.extend(self.last.to_be_bytes());
        bytes
    }
}

impl Buckets {
    /// Those of this name, which is not the beginning of any other name or key; each takes `most` rows.
    #[must_use]
    pub fn named(name: Vec<u8>, most: u32) -> Self {
        Self { list: Sorted::named(name), most: most.max(1) }
    }

    /// Puts a row of `time` into a bucket: the newest, a new one when that is full.
    pub fn enter(&self, known: &mut dyn Known, time: i64) -> Entered {
        let newest = self.list.len(known).checked_sub(1);
        let Some((bucket, mut fill)) = self.at_or_before(known, time) else {
            return self.begin(known, time, None);
        };
        // times are those of events, which never go back; two of one time stay together
        let is_newest = newest.and_then(|place| self.list.at(known, place)).map(|(key, _)| key);
        if is_newest.as_deref() == Some(&key_of(bucket)[..]) && fill.ever >= self.most && time > fill.last {
            let is_left = fill.rows == 0;
            if is_left {
                self.list.remove(known, &key_of(bucket));
            }
            return self.begin(known, time, is_left.then_some(bucket));
        }
        fill = Fill { rows: fill.rows + 1, ever: fill.ever.saturating_add(1), last: fill.last.max(time) };
        self.list.put(known, &key_of(bucket), &fill.bytes());
        Entered { bucket, is_new: false, left: None }
    }

    fn begin(&self, known: &mut dyn Known, time: i64, left: Option<i64>) -> Entered {
        self.list.put(known, &key_of(time), &Fill { rows: 1, ever: 1, last: time }.bytes());
        Entered { bucket: time, is_new: true, left }
    }

    /// The bucket of a row of `time` that is there.
    pub fn of(&self, known: &mut dyn Known, time: i64) -> Option<i64> {
        self.at_or_before(known, time).map(|(bucket, _)| bucket)
    }

    /// Takes a row of `time` out of its bucket. The newest bucket is kept also when it is empty, as rows come there.
    pub fn leave(&self, known: &mut dyn Known, time: i64) -> Option<Gone> {
        let (bucket, mut fill) = self.at_or_before(known, time)?;
        fill.rows = fill.rows.saturating_sub(1);
        let place = self.list.rank(known, &key_of(bucket));
        let is_left = fill.rows == 0 && place + 1 < self.list.len(known);
        match is_left {
            true => {
                self.list.remove(known, &key_of(bucket));
            }
            false => self.list.put(known, &key_of(bucket), &fill.bytes()),
        }
        Some(Gone { bucket, is_left })
    }

    /// The newest bucket that does not begin after `time`.
    fn at_or_before(&self, known: &mut dyn Known, time: i64) -> Option<(i64, Fill)> {
        let behind = match time.checked_add(1) {
            Some(next) => self.list.rank(known, &key_of(next)),
            None => self.list.len(known),
        };
        let (key, value) = self.list.at(known, behind.checked_sub(1)?)?;
        let bucket = time_of(&key);
        let fill = Fill::of_bytes(&value);
        if fill.is_none() {
            known.distrust(&key, "it is not how full a bucket is".to_owned());
        }
        Some((bucket, fill?))
    }
}

/// As a key of a list, in the order of times.
fn key_of(time: i64) -> [u8; 8] {
    // the sign comes first, so that the order of bytes is that of numbers
    ((time as u64) ^ (1 << 63)).to_be_bytes()
}

fn time_of(key: &[u8]) -> i64 {
    let time = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    (time ^ (1 << 63)) as i64
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::known::InMemory;

    /// What the table and its directory hold, from what was said of each row.
    #[derive(Default)]
    struct Tables {
        rows: BTreeMap<i64, Vec<i64>>,
        directory: BTreeSet<i64>,
        deleted: BTreeMap<i64, u32>,
    }

    impl Tables {
        fn put(&mut self, entered: Entered, time: i64) {
            self.rows.entry(entered.bucket).or_default().push(time);
            assert_eq!(self.directory.contains(&entered.bucket), !entered.is_new, "{entered:?}");
            self.directory.insert(entered.bucket);
            self.forget(entered.left);
        }

        fn forget(&mut self, bucket: Option<i64>) {
            let Some(bucket) = bucket else { return };
            assert!(self.directory.remove(&bucket), "{bucket} is forgotten once");
            assert_eq!(self.rows.remove(&bucket), Some(Vec::new()), "and is empty");
            self.deleted.remove(&bucket);
        }
    }

    #[test]
    fn a_bucket_takes_so_many_rows_and_the_next_begins_behind_it() {
        let (buckets, mut known) = (Buckets::named(vec![1], 3), InMemory::default());
        let at: Vec<i64> = (10..17).map(|time| buckets.enter(&mut known, time).bucket).collect();
        assert_eq!(at, [10, 10, 10, 13, 13, 13, 16]);
        assert_eq!(buckets.of(&mut known, 15), Some(13));
        assert_eq!(buckets.of(&mut known, 9), None);
        assert_eq!(buckets.leave(&mut known, 11), Some(Gone { bucket: 10, is_left: false }));
        assert_eq!(buckets.leave(&mut known, 10), Some(Gone { bucket: 10, is_left: false }));
        assert_eq!(buckets.leave(&mut known, 12), Some(Gone { bucket: 10, is_left: true }));
        assert_eq!(buckets.of(&mut known, 12), None);
    }

    #[test]
    fn rows_of_one_time_stay_together() {
        let (buckets, mut known) = (Buckets::named(vec![1], 2), InMemory::default());
        let at: Vec<i64> = [1, 2, 2, 2, 3].map(|time| buckets.enter(&mut known, time).bucket).to_vec();
        assert_eq!(at, [1, 1, 1, 1, 3]);
    }

    #[test]
    fn posting_and_deleting_without_end_leaves_one_bucket() {
        let (buckets, mut known, mut tables) =
            (Buckets::named(vec![1], 4), InMemory::default(), Tables::default());
        for time in 0..1_000 {
            tables.put(buckets.enter(&mut known, time), time);
            let gone = buckets.leave(&mut known, time).unwrap();
            tables.rows.get_mut(&gone.bucket).unwrap().clear();
            tables.forget(gone.is_left.then_some(gone.bucket));
            assert_eq!(tables.directory.len(), 1);
        }
    }

    #[test]
    fn whatever_comes_and_goes_every_row_is_found_and_no_bucket_is_too_full() {
        let mut seed = 7_u64;
        let mut dice = |sides: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % sides
        };
        for most in [1, 2, 5] {
            let (buckets, mut known, mut tables) =
                (Buckets::named(vec![1], most), InMemory::default(), Tables::default());
            let (mut alive, mut time) = (Vec::new(), 0);
            for _ in 0..3_000 {
                if alive.is_empty() || dice(100) < 52 {
                    time += 1 + dice(3) as i64;
                    let entered = buckets.enter(&mut known, time);
                    tables.put(entered, time);
                    alive.push(time);
                } else {
                    let time = alive.swap_remove(dice(alive.len() as u64) as usize);
                    let gone = buckets.leave(&mut known, time).unwrap();
                    let rows = tables.rows.get_mut(&gone.bucket).unwrap();
                    rows.remove(rows.iter().position(|it| *it == time).expect("it was there"));
                    *tables.deleted.entry(gone.bucket).or_default() += 1;
                    tables.forget(gone.is_left.then_some(gone.bucket));
                }
                for (bucket, rows) in &tables.rows {
                    let deleted = tables.deleted.get(bucket).copied().unwrap_or(0);
                    assert!(rows.len() as u32 + deleted <= most, "{bucket}: {rows:?}");
                }
            }
            let mut found: Vec<i64> = tables.rows.values().flatten().copied().collect();
            found.sort_unstable();
            alive.sort_unstable();
            assert_eq!(found, alive);
            for time in alive {
                assert!(tables.rows[&buckets.of(&mut known, time).unwrap()].contains(&time));
            }
        }
    }
}
