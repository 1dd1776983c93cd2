//! Writes: all of a call in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::{Delete, Put, Table, Value, Write};
use millrace_ports::tables::{Tables, compare_at_tie};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, Transaction, TransactionBehavior, params_from_iter};

use crate::order::Key;
use crate::{read, sql, tombstone};

/// The opened tables, and their numbers in the tables of deletes.
#[derive(Clone, Default)]
pub(crate) struct Known {
    pub(crate) tables: Arc<Tables>,
    pub(crate) ids: Arc<HashMap<String, i64>>,
}

/// A value as SQLite binds it.
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::BigInt(number) => ValueRef::Integer(*number),
            Value::Int(number) => ValueRef::Integer(i64::from(*number)),
            Value::Boolean(truth) => ValueRef::Integer(i64::from(*truth)),
        }))
    }
}

/// Applies checked `writes`.
pub(crate) fn apply(connection: &mut Connection, known: &Known, writes: &[Write]) -> rusqlite::Result<()> {
    // the write lock at once: a reader that becomes a writer later could be refused it
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batch = Batch { transaction: &transaction, puts: HashMap::new(), key: Key::default() };
    for write in writes {
        let (Ok(table), Some(id)) =
            (known.tables.get("write rows", write.table()), known.ids.get(write.table()))
        else {
            continue; // both were there when the writes were checked and the tables opened
        };
        match write {
            Write::Put(put) => batch.put(table, *id, put)?,
            Write::Delete(delete) => batch.delete(table, *id, delete)?,
        }
    }
    drop(batch);
    transaction.commit()
}

/// Writes a checked row unless there is one with its key; whether it has.
pub(crate) fn insert(connection: &mut Connection, known: &Known, row: &Put) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (Ok(table), Some(id)) = (known.tables.get("insert a row", row.table), known.ids.get(row.table))
    else {
        return Ok(false); // as above
    };
    let key = &row.values[..table.key_columns()];
    if transaction.prepare_cached(&sql::exists(table))?.exists(params_from_iter(key.iter().map(Bound)))? {
        return Ok(false);
    }
    let mut batch = Batch { transaction: &transaction, puts: HashMap::new(), key: Key::default() };
    batch.put(table, *id, row)?;
    drop(batch);
    transaction.commit()?;
    Ok(true)
}

struct Batch<'t> {
    transaction: &'t Transaction<'t>,
    /// Kept over the batch: looking a long statement up for every row costs more than running it.
    puts: HashMap<&'static str, CachedStatement<'t>>,
    key: Key,
}

impl Batch<'_> {
    fn put(&mut self, table: &Table, id: i64, put: &Put) -> rusqlite::Result<()> {
        self.key.set(table, &put.values[..table.key_columns()]);
        let statement = match self.puts.get_mut(put.table) {
            Some(statement) => statement,
            None => {
                let prepared = self.transaction.prepare_cached(&sql::put(table))?;
                self.puts.entry(put.table).or_insert(prepared)
            }
        };
        let width = put.values.len();
        for (index, value) in put.values.iter().enumerate() {
            statement.raw_bind_parameter(index + 1, Bound(value))?;
        }
        statement.raw_bind_parameter(width + 1, put.timestamp)?;
        statement.raw_bind_parameter(width + 2, id)?;
        statement.raw_bind_parameter(width + 3, self.key.whole())?;
        statement.raw_bind_parameter(width + 4, self.key.partition())?;
        statement.raw_bind_parameter(width + 5, self.key.place())?;
        if statement.raw_execute()? == 0 {
            self.break_tie(table, put)?;
        }
        Ok(())
    }

    /// The row was not written: if one of the same time is there, both are merged.
    fn break_tie(&self, table: &Table, put: &Put) -> rusqlite::Result<()> {
        let (key, rest) = put.values.split_at(table.key_columns());
        if rest.is_empty() {
            return Ok(());
        }
        let mut select = self.transaction.prepare_cached(&sql::tied(table))?;
        bind(&mut select, key)?;
        select.raw_bind_parameter(key.len() + 1, put.timestamp)?;
        let mut rows = select.raw_query();
        let Some(row) = rows.next()? else { return Ok(()) };
        let there = read::values(row, &table.columns[table.key_columns()..])?;
        let merged: Vec<Value> = there
            .iter()
            .zip(rest)
            .map(|(old, new)| if compare_at_tie(old, new).is_lt() { new } else { old }.clone())
            .collect();
        drop(rows);
        if merged != there {
            let mut update = self.transaction.prepare_cached(&sql::settle_tie(table))?;
            bind(&mut update, key)?;
            for (index, value) in merged.iter().enumerate() {
                update.raw_bind_parameter(key.len() + index + 1, Bound(value))?;
            }
            update.raw_execute()?;
        }
        Ok(())
    }

    fn delete(&mut self, table: &Table, id: i64, delete: &Delete) -> rusqlite::Result<()> {
        self.key.set(table, &delete.key);
        let fixed = if delete.range { table.partition_columns } else { delete.key.len() };
        let statement = sql::delete(table, fixed, delete.key.len() - fixed);
        let mut statement = self.transaction.prepare_cached(&statement)?;
        bind(&mut statement, &delete.key)?;
        statement.raw_bind_parameter(delete.key.len() + 1, delete.timestamp)?;
        let gone = statement.raw_execute()?;
        if delete.range {
            return tombstone::remember_range(self.transaction, id, &self.key, delete.timestamp);
        }
        let newer = gone == 0 && self.is_there(table, &delete.key)?;
        tombstone::remember_row(self.transaction, id, &self.key, newer, delete.timestamp)
    }

    fn is_there(&self, table: &Table, key: &[Value]) -> rusqlite::Result<bool> {
        let mut select = self.transaction.prepare_cached(&sql::select(table, key.len(), 0))?;
        bind(&mut select, key)?;
        select.raw_bind_parameter(key.len() + 1, 1)?;
        Ok(select.raw_query().next()?.is_some())
    }
}

/// Binds `values` to the first parameters.
pub(crate) fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> rusqlite::Result<()> {
    for (index, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, Bound(value))?;
    }
    Ok(())
}
