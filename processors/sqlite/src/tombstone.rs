//! Deletes that are remembered, as few as will do.
//!
//! Ranges reach to the end of their partition, so of two the one with the later bound and
//! the smaller time says nothing new, and is dropped. What stays rises in time with the
//! bound: the range with the greatest bound at or before a row is the newest that covers it,
//! and one step in the tree finds it.

use rusqlite::{Connection, params};

use crate::order::Key;

/// Remembers that the row `key` was deleted, unless a range says so already or the row is
/// there from later (then an earlier write loses to the row itself).
pub(crate) fn remember_row(
    connection: &Connection,
    table_id: i64,
    key: &Key,
    newer_row_is_there: bool,
    timestamp: i64,
) -> rusqlite::Result<()> {
    if newer_row_is_there || covered_until(connection, table_id, key, key.place())? >= timestamp {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO millrace_deleted_rows (table_id, key, deleted_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO UPDATE SET deleted_at = excluded.deleted_at \
             WHERE excluded.deleted_at > deleted_at",
        )?
        .execute(params![table_id, key.whole(), timestamp])?;
    Ok(())
}

/// Remembers that all behind `prefix` was deleted.
pub(crate) fn remember_range(
    connection: &Connection,
    table_id: i64,
    prefix: &Key,
    timestamp: i64,
) -> rusqlite::Result<()> {
    let bound = prefix.bound();
    if covered_until(connection, table_id, prefix, &bound)? >= timestamp {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM millrace_deleted_ranges \
             WHERE table_id = ?1 AND partition = ?2 AND bound >= ?3 AND deleted_at <= ?4",
        )?
        .execute(params![table_id, prefix.partition(), bound, timestamp])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO millrace_deleted_ranges (table_id, partition, bound, deleted_at) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![table_id, prefix.partition(), bound, timestamp])?;
    let mut first = prefix.partition().to_vec();
    first.extend(&bound);
    connection
        .prepare_cached(
            "DELETE FROM millrace_deleted_rows \
             WHERE table_id = ?1 AND key >= ?2 AND key < ?3 AND deleted_at <= ?4",
        )?
        .execute(params![table_id, first, prefix.end_of_partition(), timestamp])?;
    Ok(())
}

/// The time of the newest range delete that covers `place`, or -1.
fn covered_until(connection: &Connection, table_id: i64, key: &Key, place: &[u8]) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce((SELECT deleted_at FROM millrace_deleted_ranges \
         WHERE table_id = ?1 AND partition = ?2 AND bound <= ?3 ORDER BY bound DESC LIMIT 1), -1)",
    )?;
    statement.query_row(params![table_id, key.partition(), place], |row| row.get(0))
}

/// How many deletes are forgotten at a time.
const FORGOTTEN_AT_ONCE: usize = 5_000;

/// Forgets some of what was deleted from these tables before `timestamp`; whether there may be more.
pub(crate) fn forget(connection: &Connection, tables: &[String], timestamp: i64) -> rusqlite::Result<bool> {
    let mut has_more = false;
    for table in tables {
        for (from, key) in [("millrace_deleted_rows", "key"), ("millrace_deleted_ranges", "partition, bound")]
        {
            let forgotten = connection
                .prepare_cached(&format!(
                    "DELETE FROM {from} WHERE (table_id, {key}) IN (SELECT table_id, {key} FROM {from} \
                     WHERE table_id = (SELECT table_id FROM millrace_tables WHERE table_name = ?1) \
                     AND deleted_at < ?2 LIMIT {FORGOTTEN_AT_ONCE})"
                ))?
                .execute(params![table, timestamp])?;
            has_more |= forgotten == FORGOTTEN_AT_ONCE;
        }
    }
    Ok(has_more)
}
