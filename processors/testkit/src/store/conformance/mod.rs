//! What every view store must do, whatever it is made of.
//!
//! A case is a function of a [`Fixture`], an empty store of its own;
//! [`view_store_conformance!`](crate::view_store_conformance) makes a test of each:
//!
//! ```ignore
//! millrace_testkit::view_store_conformance!(|| Fixture::new(MemoryStore::new()));
//! ```

mod deletes;
mod histories;
mod layout;
mod order;
mod reading;
mod refusals;
mod volume;

use std::any::Any;

pub use deletes::*;
pub use histories::*;
pub use layout::*;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Delete, PageQuery, Put, Table, Value, Write};
use millrace_ports::ViewStore;
pub use order::*;
pub use reading::*;
pub use refusals::*;
pub use volume::*;

/// An empty store, and whatever must outlive it.
pub struct Fixture {
    store: Box<dyn ViewStore>,
    _keep: Box<dyn Any>,
}

impl Fixture {
    /// A store that needs nothing else.
    pub fn new(store: impl ViewStore + 'static) -> Self {
        Self::keeping(store, ())
    }

    /// A store, and what it lies in.
    pub fn keeping(store: impl ViewStore + 'static, keep: impl Any) -> Self {
        Self { store: Box::new(store), _keep: Box::new(keep) }
    }
}

/// Makes a test of every case of the suite; the argument makes a [`Fixture`].
#[macro_export]
macro_rules! view_store_conformance {
    ($make:expr) => {
        $crate::view_store_conformance! { @ $make;
            plan_names_what_is_missing
            tables_are_made_once
            a_column_may_be_added
            another_key_or_type_is_a_schema_fault
            a_missing_table_is_a_schema_fault
            comments_are_readable
            a_dropped_table_is_gone
            a_row_is_read_as_it_was_written
            the_greatest_timestamp_stays
            a_late_write_loses
            a_rewrite_clears_what_it_leaves_out
            ties_compare_by_value
            applying_again_changes_nothing
            a_delete_removes_and_stays
            a_delete_wins_a_tie
            a_later_put_brings_a_row_back
            a_delete_spares_newer_rows
            a_range_deletes_what_lies_behind
            a_range_deletes_a_whole_partition
            a_range_follows_mixed_orders
            ranges_are_remembered
            deletes_in_any_order
            any_history_ends_as_in_memory
            pages_follow_one_another
            pages_follow_mixed_orders
            pages_of_a_clustering_prefix
            a_key_without_a_row_is_an_empty_page
            a_scan_finds_every_row
            a_scan_goes_through_a_whole_table
            several_queries_are_answered_in_order
            a_query_in_turn_sees_what_was_written_before
            odd_texts_and_numbers
            bad_writes_are_refused
            bad_queries_are_refused
            many_rows_in_one_call
            a_large_partition_is_paged
            threads_write_at_once
            of_several_who_insert_a_row_one_has
        }
    };
    (@ $make:expr; $($case:ident)+) => {
        $(
            #[test]
            fn $case() {
                $crate::store::conformance::$case(&($make)());
            }
        )+
    };
}

const TABLES: &str = "
CREATE TABLE notes (
  author text, -- Who wrote it.
  number bigint, -- Which of the author's notes.
  body text, -- Nullable: what it's about; \"quoted\".
  size int, -- Nullable: how long.
  done boolean, -- Nullable: whether it is done.
  seen_at bigint, -- Nullable: when it was seen.
  PRIMARY KEY ((author), number)
) WITH comment = 'Notes of an author, oldest first.';

CREATE TABLE feed (
  reader text, -- Whose feed.
  posted_at bigint, -- When.
  rank int, -- In which place.
  pinned boolean, -- Whether it is pinned.
  body text, -- What.
  PRIMARY KEY ((reader), posted_at, rank, pinned)
) WITH comment = 'A feed, newest first, in mixed order.'
  AND CLUSTERING ORDER BY (posted_at DESC, rank ASC, pinned DESC);

CREATE TABLE pairs (
  a text, -- One.
  b text, -- Other.
  body text, -- What.
  PRIMARY KEY ((a, b))
) WITH comment = 'One row a partition.';

CREATE TABLE members (
  team text, -- The team.
  member text, -- Its member.
  PRIMARY KEY ((team), member)
) WITH comment = 'Nothing but keys.'
  AND CLUSTERING ORDER BY (member DESC);
";

/// The tables of the suite.
#[must_use]
pub fn tables() -> Vec<Table> {
    parse_tables(TABLES).expect("a constant")
}

impl Fixture {
    /// The store with the suite's tables made and opened.
    fn ready(&self) -> &dyn ViewStore {
        self.store.create_tables(&tables()).expect("tables can be made");
        self.store.open_tables(&tables()).expect("tables that were made can be opened");
        &*self.store
    }
}

fn note(author: &str, number: i64, body: &str, timestamp: i64) -> Write {
    let values = vec![author.into(), number.into(), body.into(), Value::Null, Value::Null, Value::Null];
    Write::Put(Put { table: "notes", values, timestamp })
}

fn put(table: &'static str, values: Vec<Value>, timestamp: i64) -> Write {
    Write::Put(Put { table, values, timestamp })
}

fn delete(table: &'static str, key: Vec<Value>, timestamp: i64) -> Write {
    Write::Delete(Delete { table, key, range: false, timestamp })
}

fn cut(table: &'static str, key: Vec<Value>, timestamp: i64) -> Write {
    Write::Delete(Delete { table, key, range: true, timestamp })
}

fn apply(store: &dyn ViewStore, writes: &[Write]) {
    store.apply(writes).expect("the writes are applied");
}

fn query(table: &str, key: Vec<Value>) -> PageQuery {
    PageQuery { table: table.to_owned(), key, after: Vec::new(), limit: 1_000_000, in_turn: false }
}

fn rows(store: &dyn ViewStore, table: &str, key: Vec<Value>) -> Vec<Vec<Value>> {
    page(store, &query(table, key))
}

fn page(store: &dyn ViewStore, query: &PageQuery) -> Vec<Vec<Value>> {
    let mut pages = store.read(std::slice::from_ref(query)).expect("the query is answered");
    assert_eq!(pages.len(), 1, "one page for one query");
    pages.remove(0).rows
}

/// The bodies of an author's notes.
fn bodies(store: &dyn ViewStore, author: &str) -> Vec<String> {
    rows(store, "notes", vec![author.into()]).iter().map(|row| text(&row[2])).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => format!("{other:?}"),
    }
}

/// All orders of `items`.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in items.iter().enumerate() {
        let mut others = items.to_vec();
        others.remove(index);
        all.extend(orders(&others).into_iter().map(|mut rest| {
            rest.insert(0, first.clone());
            rest
        }));
    }
    all
}
