//! Connections: one that writes, and a few that read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use millrace_ports::StoreFault;
use rusqlite::{Connection, OpenFlags};

use crate::fault::Failing;
use crate::{SqliteOptions, Synchronous, sql};

/// Readers kept for the next query; more may be open at one moment.
const READERS_KEPT: usize = 4;

/// Statements a connection remembers: a handful for every table and shape of query.
const STATEMENTS_KEPT: usize = 256;

/// The layout of the file's own tables. Raised when they change.
const FORMAT: i64 = 1;

const OPENING: &str = "open the tables";

pub(crate) fn open_writer(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreFault> {
    let unavailable = |message: String| StoreFault::Unavailable { step: OPENING, message };
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if options.create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
        if let Some(dir) = path.parent() {
            millrace_disk::make_folder(dir)
                .map_err(|e| unavailable(format!("the folder {} cannot be made: {e}", dir.display())))?;
        }
    } else if let Some(dir) = path.parent().filter(|dir| !dir.is_dir()) {
        return Err(unavailable(format!("the folder {} does not exist", dir.display())));
    } else if !path.exists() {
        let text = "does not exist; `millrace up` makes it, or `millrace tables apply`";
        return Err(unavailable(format!("{} {text}", path.display())));
    }
    let is_new = !path.exists();
    let connection = Connection::open_with_flags(path, flags).map_err(|e| e.while_doing(OPENING, path))?;
    let format = prepare(&connection, options).map_err(|e| e.while_doing(OPENING, path))?;
    if is_new {
        // SQLite syncs what it writes, and not the name of a new file.
        millrace_disk::sync_name(path)
            .map_err(|e| unavailable(format!("the folder of {} cannot be synced: {e}", path.display())))?;
    }
    if format > FORMAT {
        return Err(unavailable(format!(
            "{} was written by a newer version (format {format}, this one knows {FORMAT}); use that version",
            path.display()
        )));
    }
    Ok(connection)
}

/// Settles the connection's ways and the file's own tables; returns the file's format.
fn prepare(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<i64> {
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    let format =
        |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        // the system lets nobody write here: what there is can be read all the same
        return format(connection);
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // 16 MiB of pages: the upper levels of every tree stay at hand in a large fan-out
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    // after a burst the log shrinks again instead of staying at its largest
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    let format = format(connection)?;
    if format == 0 {
        connection.execute_batch(&format!("{}PRAGMA user_version = {FORMAT};", sql::OWN_TABLES))?;
    }
    Ok(format)
}

/// Leaves the file to itself: all of it is in the one file then, which can be copied, and opened by who may not write
/// beside it. A file in WAL mode is more than one, and who opens it makes the others. As long as another program has the
/// file open, this is for that one to do.
pub(crate) fn leave(connection: &Connection) {
    let rests = connection
        .busy_timeout(Duration::ZERO)
        .and_then(|()| connection.pragma_update(None, "journal_mode", "DELETE"));
    if let Err(why) = rests {
        tracing::debug!(%why, "the tables' file stays in WAL mode");
    }
}

/// Connections that read beside the writer and never wait for it.
pub(crate) struct Readers {
    path: PathBuf,
    busy_timeout: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, busy_timeout: Duration) -> Self {
        Self { path, busy_timeout, idle: Mutex::default() }
    }

    /// Runs `ask` on a connection of its own.
    pub(crate) fn with<T>(
        &self,
        ask: impl FnOnce(&mut Connection) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = match kept {
            Some(reader) => reader,
            None => self.open().map_err(|e| e.while_doing("read rows", &self.path))?,
        };
        let answer = ask(&mut reader)?;
        // one that failed is not kept: it may be the reason
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS_KEPT {
            idle.push(reader);
        }
        Ok(answer)
    }

    /// Closes those that nobody uses.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = Connection::open_with_flags(&self.path, flags)?;
        reader.busy_timeout(self.busy_timeout)?;
        reader.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Ok(reader)
    }
}
