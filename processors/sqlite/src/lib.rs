//! The view store in SQLite files, for one machine.
//!
//! A domain's tables are one file, `DIR/<domain>.sqlite`, in WAL mode: analysts open it with
//! any SQL tool while it is being written. They see the declared columns under their plain
//! names, and beside them
//!
//! - `_written_at` in every table: when the event was recorded that caused the row,
//!   microseconds since the epoch. A write with a smaller one is late, and loses;
//! - `millrace_columns`: what every column means (the text of `CREATE TABLE` says it, too);
//! - `millrace_tables`: what every table answers;
//! - `millrace_deleted_rows` and `millrace_deleted_ranges`: what was deleted and when, so that
//!   a late or repeated write does not bring it back. Projectors let it forget those of more than ten days
//!   ([`ViewStore::forget_deletes`]), after which servers of CQL forget them, too.
//!
//! The last who closes the file leaves it without a WAL: one file that holds everything, for whoever copies it and for
//! whoever may read and not write there.
//!
//! **What survives what.** A transaction that was committed survives `kill -9` at either
//! [`Synchronous`] setting: what is written lies in the system's cache. Power loss is another
//! matter. A projector commits its offsets after its rows are acknowledged and never comes
//! back to them; if the last rows are lost and the offsets are not, they are lost for good.
//! So `Full`, which waits for the disk once a transaction, is the default.

mod apply;
mod connect;
mod fault;
mod layout;
mod order;
mod read;
mod sql;
mod tombstone;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use millrace_kernel::{Page, PageQuery, Put, Table, Value, Write};
use millrace_ports::tables::{Tables, columns_table};
use millrace_ports::{StoreFault, TableChange, ViewStore};
use rusqlite::Connection;

use crate::apply::Known;
use crate::connect::Readers;
use crate::fault::Failing;

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// When the disk has it: survives power loss.
    #[default]
    Full,
    /// When the system has it: survives `kill -9`, and power loss but for the newest rows.
    /// For data that can be loaded again, such as a demo.
    Normal,
}

/// How a file is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// When a commit counts as done.
    pub synchronous: Synchronous,
    /// Make the folder and the file when they are absent. Who only reads says no.
    pub create: bool,
    /// How long to wait for another program that holds the file's write lock before the
    /// store counts as unavailable.
    pub busy_timeout: Duration,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, create: true, busy_timeout: Duration::from_secs(5) }
    }
}

/// The tables of one domain in one file.
pub struct SqliteStore {
    path: PathBuf,
    /// One writer: SQLite has one write lock a file, and here nobody waits for it in vain.
    writer: Mutex<Connection>,
    readers: Readers,
    known: RwLock<Known>,
}

impl SqliteStore {
    /// Opens `dir/<database>.sqlite` and makes it when it is absent.
    ///
    /// # Errors
    /// [`StoreFault::Unavailable`] naming the file and what to check.
    pub fn open(dir: &Path, database: &str) -> Result<Self, StoreFault> {
        Self::open_with(dir, database, &SqliteOptions::default())
    }

    /// As [`SqliteStore::open`], with other options.
    ///
    /// # Errors
    /// [`StoreFault::Unavailable`] naming the file and what to check.
    pub fn open_with(dir: &Path, database: &str, options: &SqliteOptions) -> Result<Self, StoreFault> {
        let path = dir.join(format!("{database}.sqlite"));
        let writer = connect::open_writer(&path, options)?;
        let readers = Readers::new(path.clone(), options.busy_timeout);
        Ok(Self { path, writer: Mutex::new(writer), readers, known: RwLock::default() })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // a panic elsewhere rolled its transaction back when it was dropped
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.close();
        connect::leave(&self.writer());
    }
}

impl ViewStore for SqliteStore {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        layout::plan(&self.writer(), &self.path, tables)
    }

    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        layout::create(&mut self.writer(), &self.path, tables)
    }

    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        let writer = self.writer();
        layout::check(&writer, &self.path, tables)?;
        let ids = layout::table_ids(&writer).map_err(|e| e.while_doing("open tables", &self.path))?;
        drop(writer);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut opened: Tables = known.tables.as_ref().clone();
        for table in tables.iter().cloned().chain([columns_table()]) {
            opened.add(table);
        }
        *known = Known { tables: opened.into(), ids: ids.into() };
        Ok(())
    }

    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        layout::drop(&mut self.writer(), &self.path, names)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut left: Tables = known.tables.as_ref().clone();
        names.iter().for_each(|name| left.remove(name));
        known.tables = left.into();
        Ok(())
    }

    fn forget_deletes(&self, tables: &[String], timestamp: i64) -> Result<(), StoreFault> {
        // in pieces, so that nobody who writes waits for long
        while tombstone::forget(&self.writer(), tables, timestamp)
            .map_err(|error| error.while_doing("forget old deletes", &self.path))?
        {}
        Ok(())
    }

    fn show_as(&self, names: &[(String, String)]) -> Result<(), StoreFault> {
        layout::show_as(&mut self.writer(), &self.path, names)
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        let known = self.known();
        for write in writes {
            known.tables.check_write(write)?;
        }
        if writes.is_empty() {
            return Ok(());
        }
        apply::apply(&mut self.writer(), &known, writes).map_err(|e| e.while_doing("write rows", &self.path))
    }

    fn insert(&self, row: &Put) -> Result<bool, StoreFault> {
        let known = self.known();
        known.tables.check_write(&Write::Put(row.clone()))?;
        apply::insert(&mut self.writer(), &known, row).map_err(|e| e.while_doing("insert a row", &self.path))
    }

    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        let known = self.known();
        let mut checked = Vec::with_capacity(queries.len());
        for query in queries {
            checked.push((known.tables.check_query(query)?.clone(), query));
        }
        if checked.is_empty() {
            return Ok(Vec::new());
        }
        self.readers.with(|reader| read::read(reader, &self.path, &checked))
    }

    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        let known = self.known();
        let table = known.tables.check_scan(table, after)?;
        self.readers.with(|reader| read::scan(reader, &self.path, table, after, limit))
    }
}
