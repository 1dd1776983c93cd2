//! The view store: tables that projections write and analysts read.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{Page, PageQuery, Put, Table, Value, Write};
use thiserror::Error;

/// What went wrong with the store.
#[derive(Debug, Error)]
pub enum StoreFault {
    /// It cannot be reached, is overloaded or timed out; the write may or may not have been
    /// applied, and is idempotent. Trying again helps sooner or later.
    #[error("{step}: {message}")]
    Unavailable {
        /// What was being done.
        step: &'static str,
        /// What the client said.
        message: String,
    },
    /// This write or read can never succeed as it stands.
    #[error("{step}: refused for good: {message}")]
    Refused {
        /// What was being done.
        step: &'static str,
        /// What the store said.
        message: String,
    },
    /// A table is missing or differs from its declaration.
    #[error("table {table}: {message}; `millrace tables plan` shows what is missing")]
    Schema {
        /// The table.
        table: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A change that would bring the store's tables to their declarations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChange {
    /// The table it concerns.
    pub table: String,
    /// The statement, in the store's own language.
    pub statement: String,
    /// What whoever has it done should know before, such as how many copies of the rows there will be.
    pub note: Option<String>,
}

/// What stands in the way of tables that are there, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreWarning {
    /// In words.
    pub text: String,
    /// Whether nothing can be written or read meanwhile.
    pub stops: bool,
}

/// A store of tables. Implementations are shared between threads.
pub trait ViewStore: Send + Sync {
    /// What [`ViewStore::create_tables`] would do; nothing when all is there. Only adds:
    /// a column that is there and not declared stays.
    ///
    /// # Errors
    /// [`StoreFault::Schema`] when a table is there with another key or column type.
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault>;

    /// What is wrong with where the tables are, though they are as declared; nothing where nothing can be.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn warnings(&self) -> Result<Vec<StoreWarning>, StoreFault> {
        Ok(Vec::new())
    }

    /// Makes the tables that are missing, with their documentation: every table and column
    /// comment can be read in the database (table `millrace_columns`).
    ///
    /// # Errors
    /// As [`ViewStore::plan_tables`].
    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault>;

    /// Makes the store ready to read and write `tables`, which must be there.
    ///
    /// # Errors
    /// [`StoreFault::Schema`] when one is missing or differs.
    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault>;

    /// Drops tables with their documentation. One that is not there is dropped already.
    ///
    /// # Errors
    /// [`StoreFault`]; some may be gone.
    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault>;

    /// Forgets what was deleted from `tables` before `timestamp` (microseconds since the epoch), in a store that remembers
    /// it for ever. An earlier write of such a row that arrives afterwards brings it back, until the delete is repeated;
    /// so the time in which late writes may still come is to be kept. Where the server forgets by itself there is nothing
    /// to do.
    ///
    /// # Errors
    /// [`StoreFault`]; some may be forgotten.
    fn forget_deletes(&self, _tables: &[String], _timestamp: i64) -> Result<(), StoreFault> {
        Ok(())
    }

    /// Shows the rows of tables under other names, given as (name, table), in a store whose analysts
    /// have views of the store's own; a name that is a table stays one. Elsewhere analysts look up
    /// the table's name, and there is nothing to do.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn show_as(&self, _names: &[(String, String)]) -> Result<(), StoreFault> {
        Ok(())
    }

    /// Applies `writes`, in any order, and returns when all are durable. Idempotent: of
    /// several writes to a row the one with the greatest timestamp stays, whatever the order
    /// of arrival; at equal timestamps a delete beats a row, and rows compare by value, column
    /// by column ([`crate::tables::compare_at_tie`]), as CQL does.
    ///
    /// # Errors
    /// [`StoreFault`]; some of the writes may have been applied.
    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault>;

    /// Writes a row unless there is one with its key, in one step that nobody gets between, and says whether it has: of
    /// several who try at once, one has. The store gives the row its time. What it costs is more than a write of
    /// [`ViewStore::apply`].
    ///
    /// # Errors
    /// [`StoreFault`]; the row may be there, or come to be. A store that is opened for reading refuses it.
    fn insert(&self, _row: &Put) -> Result<bool, StoreFault> {
        let message = "this store is opened for reading".to_owned();
        Err(StoreFault::Refused { step: "insert a row", message })
    }

    /// Begins to apply `writes`, which may be many and are in no hurry: where the store can, it
    /// writes them beside what others apply meanwhile, and leaves those the greater part of what it
    /// can do at once. A store that cannot has applied them when this returns.
    ///
    /// # Errors
    /// As [`ViewStore::apply`], here or from [`Submitted::settle`].
    fn submit(&self, writes: Arc<Vec<Write>>) -> Result<Box<dyn Submitted>, StoreFault> {
        self.apply(&writes)?;
        Ok(Box::new(Settled))
    }

    /// Reads several pages, one for each query and in their order: in parallel where the store can,
    /// but a query [in turn](PageQuery::in_turn) not before the one in front of it has been answered.
    /// A store that reads all of them at one moment has nothing to heed: what the one in front saw, and
    /// whatever was written before, is there for the other.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault>;

    /// Goes through a whole table: at most `limit` rows behind the row whose whole key is `after`;
    /// an empty `after` begins. Partitions come in an order of the store's own that never changes,
    /// the rows of one in the table's order. A page of fewer than `limit` rows is the last. A row
    /// that is there from the first page to the last comes exactly once; one that is written or
    /// deleted meanwhile may or may not.
    ///
    /// # Errors
    /// [`StoreFault`].
    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault>;
}

/// Writes under way, from [`ViewStore::submit`].
pub trait Submitted: Send {
    /// Waits for the acknowledgement, up to `wait`. Returns whether all are durable; after that,
    /// or after a fault, it is not asked again.
    ///
    /// # Errors
    /// As [`ViewStore::apply`]: some of the writes may have been applied.
    fn settle(&mut self, wait: Duration) -> Result<bool, StoreFault>;
}

/// Writes that are durable already.
struct Settled;

impl Submitted for Settled {
    fn settle(&mut self, _: Duration) -> Result<bool, StoreFault> {
        Ok(true)
    }
}
