//! Reading the rows of a logical partition page by page, also where the table is [bucketed](crate::buckets).
//!
//! A bucketed table is read as if `bucket` were its first clustering column, newest first: bucket after bucket, as the
//! directory names them. Whoever reads asks for the page that [`Walk::needs`] names, of whatever store, and gives it to
//! [`Walk::take_in`].

use std::collections::VecDeque;

use crate::page::{Page, PageQuery};
use crate::row::Value;
use crate::table::{Table, directory_of};

/// Buckets asked for at once: a row of the directory is small.
const BUCKETS_AT_ONCE: usize = 32;

/// A place in a logical partition, and what is to be asked next.
#[derive(Clone, Debug)]
pub struct Walk {
    /// At most so many rows a page; may change from page to page.
    pub limit: usize,
    table: String,
    /// How many columns stand before those of the order.
    key_columns: usize,
    whole_key: usize,
    key: Vec<Value>,
    /// Where the directory goes on, unless all of it was read.
    buckets_after: Option<Vec<Value>>,
    /// Read there, and not opened yet.
    buckets: VecDeque<Value>,
    /// The bucket that is read, or, where there are none, nothing; and the place in it.
    open: Option<(Option<Value>, Vec<Value>)>,
    /// Where the next bucket begins to be read.
    begins_after: Vec<Value>,
}

impl Walk {
    /// All rows under `key`: of a bucketed table the partition key without the bucket, of others also some clustering columns.
    #[must_use]
    pub fn new(table: &Table, key: Vec<Value>, limit: usize) -> Self {
        if table.directory().is_some() && key.len() + 1 == table.partition_columns {
            return Self::bucketed(&table.name, key, table.clustering_descending.len(), limit);
        }
        Self {
            limit,
            table: table.name.clone(),
            key_columns: key.len(),
            whole_key: table.key_columns(),
            key,
            buckets_after: None,
            buckets: VecDeque::new(),
            open: Some((None, Vec::new())),
            begins_after: Vec::new(),
        }
    }

    /// All rows of a bucketed table under `key`, the partition key without the bucket. Its rows follow `order_columns` columns.
    #[must_use]
    pub fn bucketed(table: &str, key: Vec<Value>, order_columns: usize, limit: usize) -> Self {
        Self {
            limit,
            table: table.to_owned(),
            key_columns: key.len() + 1,
            whole_key: key.len() + 1 + order_columns,
            key,
            buckets_after: Some(Vec::new()),
            buckets: VecDeque::new(),
            open: None,
            begins_after: Vec::new(),
        }
    }

    /// Only rows behind a place: values for the first of the columns that follow `key`, but for the bucket.
    /// Of a bucketed table the first of them must be the time by which its buckets are numbered.
    #[must_use]
    pub fn behind(mut self, place: Vec<Value>) -> Self {
        match &mut self.open {
            Some((_, after)) => *after = place,
            None => {
                // a bucket of that very time may have rows of it that are behind the place
                self.buckets_after = place.first().map(|time| vec![following(time)]);
                self.begins_after = place;
            }
        }
        self
    }

    /// Only what is behind `row`, which an earlier walk of this key has given, whatever has become of it since.
    #[must_use]
    pub fn behind_row(mut self, row: &[Value]) -> Self {
        let place = row.get(self.key_columns..self.whole_key).unwrap_or_default().to_vec();
        let bucket = match &self.buckets_after {
            None => None,
            Some(_) => row.get(self.key_columns - 1).cloned(),
        };
        self.buckets_after = bucket.clone().map(|bucket| vec![bucket]);
        // behind a row with the whole key there is none
        self.open = (!place.is_empty()).then_some((bucket, place));
        self
    }

    /// Whether all rows were read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open.is_none() && self.buckets_after.is_none() && self.buckets.is_empty()
    }

    /// The next question; none when all rows were read.
    #[must_use]
    pub fn needs(&self) -> Option<PageQuery> {
        let query = |table, key, after: &Vec<Value>, limit| {
            let after = after.clone();
            PageQuery { table, key, after, limit, in_turn: false }
        };
        if let Some((bucket, after)) = &self.open {
            let key = self.key.iter().chain(bucket).cloned().collect();
            return Some(query(self.table.clone(), key, after, self.limit));
        }
        let after = self.buckets_after.as_ref()?;
        Some(query(directory_of(&self.table), self.key.clone(), after, BUCKETS_AT_ONCE))
    }

    /// Takes in the page that [`Walk::needs`] asked for; the rows of the table in it.
    pub fn take_in(&mut self, page: Page) -> Vec<Vec<Value>> {
        let Some((_, after)) = &mut self.open else {
            self.buckets.extend(page.rows.iter().filter_map(|row| row.last().cloned()));
            let is_last = page.rows.len() < BUCKETS_AT_ONCE;
            self.buckets_after = self.buckets.back().filter(|_| !is_last).map(|last| vec![last.clone()]);
            self.open_next();
            return Vec::new();
        };
        match page.rows.last().filter(|_| page.rows.len() >= self.limit && self.key_columns < self.whole_key)
        {
            Some(row) => *after = row.get(self.key_columns..self.whole_key).unwrap_or_default().to_vec(),
            None => {
                self.open = None;
                self.open_next();
            }
        }
        page.rows
    }

    /// Opens the next bucket; only in the first one there is something in front of the place where the walk begins.
    fn open_next(&mut self) {
        if let Some(bucket) = self.buckets.pop_front() {
            self.open = Some((Some(bucket), std::mem::take(&mut self.begins_after)));
        }
    }
}

/// The bucket numbers below which the directory is asked for, to have that of `time`, too.
fn following(time: &Value) -> Value {
    match time {
        Value::BigInt(time) => Value::BigInt(time.saturating_add(1)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::parse_tables;

    const NOTES: &str = "CREATE TABLE notes (\n  author text, -- Who.\n  bucket bigint, -- Bucket.\n  at bigint, -- When.\n  id text, -- Which.\n  PRIMARY KEY ((author, bucket), at, id)\n) WITH comment = 'Notes.' AND CLUSTERING ORDER BY (at DESC, id DESC);";

    /// Rows by bucket: three of each ten times, newest first.
    struct Store(Vec<i64>);

    impl Store {
        fn answer(&self, query: &PageQuery) -> Page {
            let is_before = |row: &[Value]| {
                query.after.is_empty() || row[..query.after.len().min(row.len())] < query.after[..]
            };
            let rows: Vec<Vec<Value>> = match query.table.as_str() {
                "notes_buckets" => {
                    let mut buckets: Vec<i64> = self.0.iter().map(|at| at - at % 3).collect();
                    buckets.dedup();
                    let rows = buckets.into_iter().map(|bucket| vec![Value::from("ann"), bucket.into()]);
                    rows.filter(|row| is_before(&row[1..])).collect()
                }
                _ => {
                    let [_, Value::BigInt(bucket)] = query.key[..] else { panic!("{query:?}") };
                    let times = self.0.iter().filter(|at| **at - **at % 3 == bucket);
                    let rows = times
                        .map(|at| vec![Value::from("ann"), bucket.into(), (*at).into(), Value::from("n")]);
                    rows.filter(|row| is_before(&row[2..])).collect()
                }
            };
            Page { rows: rows.into_iter().take(query.limit).collect() }
        }

        fn read(&self, mut walk: Walk) -> (Vec<i64>, usize) {
            let (mut found, mut questions) = (Vec::new(), 0);
            while let Some(query) = walk.needs() {
                questions += 1;
                for row in walk.take_in(self.answer(&query)) {
                    let Value::BigInt(at) = row[2] else { panic!("{row:?}") };
                    found.push(at);
                }
            }
            assert!(walk.is_done());
            (found, questions)
        }
    }

    fn notes() -> Table {
        parse_tables(NOTES).unwrap().remove(0)
    }

    #[test]
    fn rows_come_bucket_by_bucket_whatever_the_page() {
        let store = Store((0..200).rev().collect());
        for limit in [1, 2, 3, 7, 1_000] {
            let (found, _) = store.read(Walk::new(&notes(), vec!["ann".into()], limit));
            assert_eq!(found, store.0, "{limit}");
        }
        assert_eq!(Store(Vec::new()).read(Walk::new(&notes(), vec!["ann".into()], 5)), (Vec::new(), 1));
    }

    #[test]
    fn a_walk_begins_behind_a_place_without_reading_what_is_in_front() {
        let store = Store((0..200).rev().collect());
        for until in [0, 1, 2, 3, 50, 199, 200, i64::MAX] {
            let walk = Walk::new(&notes(), vec!["ann".into()], 10).behind(vec![until.into()]);
            let wanted: Vec<i64> = store.0.iter().copied().filter(|at| *at < until).collect();
            let (found, questions) = store.read(walk);
            assert_eq!(found, wanted, "{until}");
            assert!(questions <= wanted.len() / 3 + wanted.len() / 90 + 4, "{until}: {questions}");
        }
        // within a time, also where a bucket begins with it
        for time in [50_i64, 51] {
            let place = vec![time.into(), Value::from("z")];
            let walk = Walk::new(&notes(), vec!["ann".into()], 10).behind(place);
            assert_eq!(store.read(walk).0[0], time);
        }
    }

    #[test]
    fn a_walk_goes_on_behind_a_row_that_was_given() {
        let store = Store((0..40).rev().collect());
        for (index, at) in store.0.iter().enumerate() {
            let row = vec!["ann".into(), (*at - *at % 3).into(), (*at).into(), "n".into()];
            let walk = Walk::new(&notes(), vec!["ann".into()], 4).behind_row(&row);
            assert_eq!(store.read(walk).0, store.0[index + 1..], "{at}");
        }
        // what is in one bucket alone
        let row = vec!["ann".into(), 3_i64.into(), 5_i64.into(), "n".into()];
        let walk = Walk::new(&notes(), vec!["ann".into(), 3_i64.into()], 4).behind_row(&row);
        assert_eq!(store.read(walk).0, [4, 3]);
        let whole = vec!["ann".into(), 3_i64.into(), 5_i64.into(), "n".into()];
        assert!(Walk::new(&notes(), whole, 4).behind_row(&row).is_done());
    }

    #[test]
    fn a_whole_key_is_one_page() {
        let store = Store((0..9).rev().collect());
        let key = vec!["ann".into(), 3_i64.into(), 4_i64.into(), "n".into()];
        let walk = Walk::new(&notes(), key.clone(), 1);
        let query = walk.needs().unwrap();
        assert_eq!((query.key.clone(), query.limit), (key, 1));
        let mut walk = walk;
        walk.take_in(Page { rows: vec![vec!["ann".into(), 3_i64.into(), 4_i64.into(), "n".into()]] });
        assert!(walk.is_done());
        assert_eq!(store.0.len(), 9);
    }
}
