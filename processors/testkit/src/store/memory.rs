//! A view store in memory: so naive that it is obviously right.
//!
//! It keeps every row with its timestamp and every delete for ever, and asks them all
//! whenever a row is wanted.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_kernel::table::Column;
use millrace_kernel::{Delete, Page, PageQuery, Put, Table, Value, Write};
use millrace_ports::tables::{
    COLUMNS, FoundTable, Tables, columns_table, compare_at_tie, compare_in_order, describe,
};
use millrace_ports::{StoreFault, TableChange, ViewStore};

/// Tables in memory. It can be told to be out of reach.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    made: BTreeMap<String, Made>,
    opened: Tables,
    unreachable: bool,
}

/// A table that was made, with all it holds.
#[derive(Debug)]
struct Made {
    table: Table,
    partitions: BTreeMap<Vec<Value>, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// By clustering key.
    rows: BTreeMap<Vec<Value>, Row>,
    /// Deletes of single rows, by clustering key.
    deleted: BTreeMap<Vec<Value>, i64>,
    /// Deletes of all that comes after a clustering prefix.
    cut: Vec<(Vec<Value>, i64)>,
}

#[derive(Debug)]
struct Row {
    /// Columns outside the key, and when each was written: a null that is [until a value is set](Column::is_set_for_good)
    /// is not written, as on CQL servers.
    cells: Vec<(Value, i64)>,
    timestamp: i64,
}

impl MemoryStore {
    /// A store without tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every call fails as if nobody listened, or works again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.lock().unreachable = unreachable;
    }

    /// Every row of a table that is made, in the order of partitions and then of the table;
    /// none when it is not made.
    #[must_use]
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        self.lock().made.get(table).map(Made::all_rows).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // a test that panicked elsewhere must not hide behind a second panic here
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, step: &'static str) -> Result<MutexGuard<'_, Inner>, StoreFault> {
        let inner = self.lock();
        if inner.unreachable {
            return Err(StoreFault::Unavailable { step, message: "told to be out of reach".to_owned() });
        }
        Ok(inner)
    }
}

impl ViewStore for MemoryStore {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        plan(&*self.reach("compare tables")?, tables)
    }

    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        let mut inner = self.reach("create tables")?;
        plan(&inner, tables)?;
        for table in tables.iter().chain([&columns_table()]) {
            let made = inner
                .made
                .entry(table.name.clone())
                .or_insert_with(|| Made { table: table.clone(), partitions: BTreeMap::new() });
            let missing = table.columns.iter().filter(|column| made.table.column(&column.name).is_none());
            let missing: Vec<_> = missing.cloned().collect();
            made.table.columns.extend(missing);
        }
        let Some(columns) = inner.made.get_mut(COLUMNS) else { return Ok(()) };
        for row in tables.iter().flat_map(describe) {
            let [table, column, rest @ ..] = row.map(Value::from);
            let row = Row { cells: rest.iter().map(|value| (value.clone(), 0)).collect(), timestamp: 0 };
            columns.partitions.entry(vec![table]).or_default().rows.insert(vec![column], row);
        }
        Ok(())
    }

    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        let mut inner = self.reach("open tables")?;
        for table in tables.iter().chain([&columns_table()]) {
            let schema =
                |message: &str| StoreFault::Schema { table: table.name.clone(), message: message.to_owned() };
            let made = inner.made.get(&table.name).ok_or_else(|| schema("it does not exist"))?;
            if let Some(column) = FoundTable::from(&made.table).missing_columns(table)?.first() {
                return Err(schema(&format!("it has no column {}", column.name)));
            }
        }
        for table in tables.iter().chain([&columns_table()]) {
            inner.opened.add(table.clone());
        }
        Ok(())
    }

    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        let mut inner = self.reach("drop tables")?;
        for name in names {
            inner.made.remove(name);
            inner.opened.remove(name);
            if let Some(columns) = inner.made.get_mut(COLUMNS) {
                columns.partitions.remove(&vec![Value::from(name.as_str())]);
            }
        }
        Ok(())
    }

    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        let mut inner = self.reach("write rows")?;
        for write in writes {
            inner.opened.check_write(write)?;
        }
        for write in writes {
            let opened = inner.opened.check_write(write)?.clone();
            let Some(made) = inner.made.get_mut(&opened.name) else { continue };
            match write {
                Write::Put(put) => made.put(&opened, put),
                Write::Delete(delete) => made.delete(delete),
            }
        }
        Ok(())
    }

    fn insert(&self, row: &Put) -> Result<bool, StoreFault> {
        let mut inner = self.reach("insert a row")?;
        let opened = inner.opened.check_write(&Write::Put(row.clone()))?.clone();
        let Some(made) = inner.made.get_mut(&opened.name) else { return Ok(false) };
        let (partition, rest) = row.values.split_at(opened.partition_columns);
        let key = &rest[..opened.key_columns() - opened.partition_columns];
        if made.partitions.get(partition).is_some_and(|it| it.rows.contains_key(key)) {
            return Ok(false);
        }
        made.put(&opened, row);
        Ok(true)
    }

    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        let inner = self.reach("read rows")?;
        queries
            .iter()
            .map(|query| {
                let opened = inner.opened.check_query(query)?;
                let Some(made) = inner.made.get(&opened.name) else { return Ok(Page::default()) };
                let order = opened.columns.iter().map(|column| made.table.column(&column.name));
                let order: Vec<_> = order.collect();
                let rows = match query.key.get(..opened.partition_columns) {
                    Some(key) => made.partitions.get(key).map(|found| made.rows_of(key, found)),
                    None => Some(made.all_rows()),
                };
                let rows = rows
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|row| row.starts_with(&query.key))
                    .filter(|row| {
                        let first = query.key.len();
                        query.after.is_empty()
                            || compare_in_order(opened, first, &row[first..], &query.after).is_gt()
                    })
                    .take(query.limit)
                    .map(|row| order.iter().map(|at| at.map_or(Value::Null, |at| row[at].clone())).collect());
                Ok(Page { rows: rows.collect() })
            })
            .collect()
    }

    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        let inner = self.reach("go through a table")?;
        let opened = inner.opened.check_scan(table, after)?;
        let Some(made) = inner.made.get(&opened.name) else { return Ok(Page::default()) };
        let order: Vec<_> = opened.columns.iter().map(|column| made.table.column(&column.name)).collect();
        let width = opened.partition_columns;
        let place = after.get(width..).unwrap_or_default();
        let from = match after.get(..width) {
            Some(key) => Bound::Included(key.to_vec()),
            None => Bound::Unbounded,
        };
        let rows = made
            .partitions
            .range((from, Bound::Unbounded))
            .flat_map(|(key, partition)| made.rows_of(key, partition))
            .filter(|row| {
                after.get(..width) != Some(&row[..width])
                    || compare_in_order(opened, width, &row[width..], place).is_gt()
            })
            .take(limit)
            .map(|row| order.iter().map(|at| at.map_or(Value::Null, |at| row[at].clone())).collect());
        Ok(Page { rows: rows.collect() })
    }
}

fn plan(inner: &Inner, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
    let mut changes = Vec::new();
    for table in tables.iter().chain([&columns_table()]) {
        let mut change = |statement: String| {
            changes.push(TableChange { table: table.name.clone(), statement, note: None })
        };
        match inner.made.get(&table.name) {
            None => change(format!("make {}", table.name)),
            Some(made) => {
                for column in FoundTable::from(&made.table).missing_columns(table)? {
                    change(format!("add column {} to {}", column.name, table.name));
                }
            }
        }
    }
    let documented = inner.made.get(COLUMNS).map(Made::all_rows).unwrap_or_default();
    for table in tables {
        let wanted = describe(table).into_iter().map(|row| row.map(Value::from).to_vec());
        if wanted.into_iter().any(|row| !documented.contains(&row)) {
            let statement = format!("write the comments of {}", table.name);
            changes.push(TableChange { table: COLUMNS.to_owned(), statement, note: None });
        }
    }
    Ok(changes)
}

impl Made {
    fn put(&mut self, opened: &Table, put: &Put) {
        let (key, _) = put.values.split_at(opened.key_columns());
        let (partition, clustering) = key.split_at(opened.partition_columns);
        // a column that was added later stands at the end here, wherever it is declared
        let columns = &self.table.columns[self.table.key_columns()..];
        let value =
            |column: &Column| opened.column(&column.name).map_or(Value::Null, |at| put.values[at].clone());
        let rows = &mut self.partitions.entry(partition.to_vec()).or_default().rows;
        let row = rows.entry(clustering.to_vec()).or_insert_with(|| Row {
            cells: vec![(Value::Null, i64::MIN); columns.len()],
            timestamp: put.timestamp,
        });
        row.timestamp = row.timestamp.max(put.timestamp);
        row.cells.resize(columns.len(), (Value::Null, i64::MIN));
        for (column, (old, written_at)) in columns.iter().zip(&mut row.cells) {
            let new = value(column);
            let is_written = new != Value::Null || !column.is_set_for_good();
            let is_newer = match put.timestamp.cmp(written_at) {
                Ordering::Less => false,
                Ordering::Equal => compare_at_tie(old, &new).is_lt(),
                Ordering::Greater => true,
            };
            if is_written && is_newer {
                (*old, *written_at) = (new, put.timestamp);
            }
        }
    }

    fn delete(&mut self, delete: &Delete) {
        let (partition, clustering) = delete.key.split_at(self.table.partition_columns);
        let partition = self.partitions.entry(partition.to_vec()).or_default();
        if delete.range {
            partition.cut.push((clustering.to_vec(), delete.timestamp));
        } else {
            let timestamp = partition.deleted.entry(clustering.to_vec()).or_insert(delete.timestamp);
            *timestamp = (*timestamp).max(delete.timestamp);
        }
    }

    /// Every row that is not deleted.
    fn all_rows(&self) -> Vec<Vec<Value>> {
        self.partitions.iter().flat_map(|(key, partition)| self.rows_of(key, partition)).collect()
    }

    fn rows_of(&self, key: &[Value], partition: &Partition) -> Vec<Vec<Value>> {
        let mut live: Vec<_> = partition
            .rows
            .iter()
            .filter(|(clustering, row)| !self.is_deleted(partition, clustering, row.timestamp))
            .collect();
        live.sort_by(|(a, _), (b, _)| compare_in_order(&self.table, self.table.partition_columns, a, b));
        let whole = |(clustering, row): (&Vec<Value>, &Row)| {
            let cells = row.cells.iter().map(|(value, written_at)| {
                // written before a delete, and not since
                let is_gone =
                    *written_at < row.timestamp && self.is_deleted(partition, clustering, *written_at);
                if is_gone { &Value::Null } else { value }
            });
            let mut values: Vec<Value> = key.iter().chain(clustering).chain(cells).cloned().collect();
            values.resize(self.table.columns.len(), Value::Null);
            values
        };
        live.into_iter().map(whole).collect()
    }

    fn is_deleted(&self, partition: &Partition, clustering: &[Value], timestamp: i64) -> bool {
        let by_key = partition.deleted.get(clustering).is_some_and(|deleted| *deleted >= timestamp);
        let by_range = partition.cut.iter().any(|(prefix, deleted)| {
            // strictly after the prefix; an empty prefix means all of the partition
            let after = prefix.is_empty()
                || compare_in_order(&self.table, self.table.partition_columns, clustering, prefix).is_gt();
            *deleted >= timestamp && after
        });
        by_key || by_range
    }
}
