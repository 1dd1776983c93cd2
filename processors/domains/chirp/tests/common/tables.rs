//! Tables in memory, so naive that they are obviously right: everything ever written is
//! kept, and a read works out what counts.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_chirp::Chirp;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Page, PageQuery, Table, Value, Write};

pub struct Tables {
    tables: BTreeMap<String, Table>,
    writes: BTreeMap<&'static str, BTreeMap<Vec<Value>, Vec<Write>>>,
    ranges: BTreeMap<&'static str, Vec<Write>>,
}

impl Tables {
    pub fn new() -> Self {
        let tables = parse_tables(Chirp::SCHEMAS.views).unwrap();
        let tables = tables.into_iter().map(|table| (table.name.clone(), table)).collect();
        Self { tables, writes: BTreeMap::new(), ranges: BTreeMap::new() }
    }

    pub fn write(&mut self, write: &Write) {
        let table = &self.tables[write.table()];
        let key = match write {
            Write::Put(put) => {
                assert_eq!(put.values.len(), table.columns.len(), "{}", put.table);
                put.values[..table.key_columns()].to_vec()
            }
            Write::Delete(delete) if delete.range => {
                assert!(delete.key.len() >= table.partition_columns, "{}", delete.table);
                self.ranges.entry(delete.table).or_default().push(write.clone());
                return;
            }
            Write::Delete(delete) => {
                assert_eq!(delete.key.len(), table.key_columns(), "{}", delete.table);
                delete.key.clone()
            }
        };
        let slot = self.writes.entry(write.table()).or_default().entry(key).or_default();
        if !slot.contains(write) {
            slot.push(write.clone());
        }
    }

    /// How many rows and deletions of single rows a server walks in each partition: all that were written and are not within
    /// what was deleted as a range later.
    pub fn walked(&self, table: &str) -> BTreeMap<Vec<Value>, usize> {
        let declared = &self.tables[table];
        let mut walked = BTreeMap::new();
        for (key, writes) in self.writes.get(table).into_iter().flatten() {
            let newest = writes.iter().map(Write::timestamp).max().unwrap();
            if !self.is_swept(declared, key, newest) {
                *walked.entry(key[..declared.partition_columns].to_vec()).or_default() += 1;
            }
        }
        walked
    }

    /// Whether a key is within what was deleted as a range at `time` or later.
    fn is_swept(&self, table: &Table, key: &[Value], time: i64) -> bool {
        self.ranges.get(table.name.as_str()).into_iter().flatten().any(|range| {
            let Write::Delete(delete) = range else { return false };
            delete.timestamp >= time && is_after(table, key, &delete.key)
        })
    }

    /// The rows of a table in its order.
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        let declared = &self.tables[table];
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for (key, writes) in self.writes.get(table).into_iter().flatten() {
            let newest = writes.iter().map(Write::timestamp).max().unwrap();
            let winners: Vec<&Write> = writes.iter().filter(|w| w.timestamp() == newest).collect();
            assert_eq!(winners.len(), 1, "one row, one time, one write: {winners:?}");
            let Write::Put(put) = winners[0] else { continue };
            if !self.is_swept(declared, key, put.timestamp) {
                rows.push(put.values.clone());
            }
        }
        rows.sort_by(|a, b| order(declared, a, b, declared.key_columns()));
        rows
    }

    pub fn read(&self, query: &PageQuery) -> Page {
        assert!(query.limit > 0);
        let table = &self.tables[&query.table];
        assert!(query.key.len() >= table.partition_columns);
        let place: Vec<Value> = query.key.iter().chain(&query.after).cloned().collect();
        let rows = self
            .rows(&query.table)
            .into_iter()
            .filter(|row| row.starts_with(&query.key))
            .filter(|row| query.after.is_empty() || is_after(table, row, &place))
            .take(query.limit)
            .collect();
        Page { rows }
    }
}

/// Whether `row` is in the same partition and behind `place` in the table's order, by as many
/// clustering columns as `place` has.
fn is_after(table: &Table, row: &[Value], place: &[Value]) -> bool {
    row[..table.partition_columns] == place[..table.partition_columns]
        && (place.len() == table.partition_columns || order(table, row, place, place.len()).is_gt())
}

fn order(table: &Table, a: &[Value], b: &[Value], columns: usize) -> std::cmp::Ordering {
    let mut order = a[..table.partition_columns].cmp(&b[..table.partition_columns]);
    for column in table.partition_columns..columns {
        let next = a[column].cmp(&b[column]);
        let descends = table.clustering_descending[column - table.partition_columns];
        order = order.then(if descends { next.reverse() } else { next });
    }
    order
}

/// Fails when one event deletes and writes the same key, or writes a key twice.
pub fn check_stages(tables: &Tables, stages: &[Vec<Write>], recorded_at: i64) {
    let mut seen = BTreeSet::new();
    for write in stages.iter().flatten() {
        let is_range = matches!(write, Write::Delete(delete) if delete.range);
        let is_sweep = is_range && write.timestamp() == recorded_at - 1;
        assert!(is_sweep || write.timestamp() == recorded_at, "rows carry the time of their cause");
        let columns = tables.tables[write.table()].key_columns();
        let key = match write {
            Write::Put(put) => put.values[..columns].to_vec(),
            Write::Delete(delete) => delete.key.clone(),
        };
        assert!(is_range || seen.insert((write.table(), key)), "one key, one write an event: {write:?}");
    }
}
