//! What every view store does alike: which writes and queries it refuses, how a table is
//! compared with its declaration, how ties are broken, and where comments can be read.
//!
//! It stands here, not in the adapters, so that a mistake gets the same answer — and the
//! same words — in memory, on SQLite and on a cluster.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::table::{Column, ColumnType, Storage};
use millrace_kernel::{Delete, PageQuery, Put, Table, Value, Write};

use crate::log::MAX_RECORD_BYTES;
use crate::store::StoreFault;

/// The table in which every store keeps the comments of all columns.
pub const COLUMNS: &str = "millrace_columns";

/// Most bytes that the texts of a key may have together; CQL allows 65,535 with its framing.
pub const MAX_KEY_BYTES: usize = 65_000;

/// Most bytes that the texts of a row may have together. A CQL server refuses requests of
/// 16 MiB by closing the connection, which would look like an outage and be tried for ever.
///
/// No event is larger than [`MAX_RECORD_BYTES`], so a projector that keeps the texts of up to eight events in a row
/// makes none that is refused.
pub const MAX_ROW_BYTES: usize = 8 << 20;

const _: () = assert!(MAX_ROW_BYTES >= 8 * MAX_RECORD_BYTES);

/// The tables a store has opened, by name.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    by_name: HashMap<String, Arc<Table>>,
}

impl Tables {
    /// Adds a table, or replaces the one of that name.
    pub fn add(&mut self, table: Table) {
        self.by_name.insert(table.name.clone(), Arc::new(table));
    }

    /// Forgets a table that was dropped.
    pub fn remove(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    /// A table by name.
    ///
    /// # Errors
    /// [`StoreFault::Refused`] when it was not opened.
    pub fn get(&self, step: &'static str, name: &str) -> Result<&Arc<Table>, StoreFault> {
        self.by_name.get(name).ok_or_else(|| {
            refuse(step, format!("table {name} is not known here; it is neither declared nor opened"))
        })
    }

    /// The table a write goes to, when the write fits it.
    ///
    /// # Errors
    /// [`StoreFault::Refused`] with what is wrong.
    pub fn check_write(&self, write: &Write) -> Result<&Arc<Table>, StoreFault> {
        let table = self.get("write rows", write.table())?;
        if write.timestamp() < 0 {
            return Err(refuse(
                "write rows",
                format!("a write to {} is dated before 1970: {}", table.name, write.timestamp()),
            ));
        }
        match write {
            Write::Put(put) => check_put(table, put),
            Write::Delete(delete) => check_delete(table, delete),
        }
        .map_err(|message| refuse("write rows", message))?;
        Ok(table)
    }

    /// The table a query reads, when the query fits it.
    ///
    /// # Errors
    /// [`StoreFault::Refused`] with what is wrong.
    pub fn check_query(&self, query: &PageQuery) -> Result<&Arc<Table>, StoreFault> {
        let table = self.get("read rows", &query.table)?;
        check_read(table, query).map_err(|message| refuse("read rows", message))?;
        Ok(table)
    }

    /// The table a scan goes through, when it goes on behind nothing or behind a whole key.
    ///
    /// # Errors
    /// [`StoreFault::Refused`] with what is wrong.
    pub fn check_scan(&self, table: &str, after: &[Value]) -> Result<&Arc<Table>, StoreFault> {
        let step = "go through a table";
        let table = self.get(step, table)?;
        let (given, whole) = (after.len(), table.key_columns());
        if given != 0 && given != whole {
            return Err(refuse(
                step,
                format!(
                    "a scan of {} goes on behind a whole key of {whole} columns, not {given}",
                    table.name
                ),
            ));
        }
        check_key(table, after).map_err(|message| refuse(step, message))?;
        Ok(table)
    }
}

/// What a scan reads first when it goes on behind the whole key `after`: the rest of that key's
/// partition. Nothing where a partition is one row.
#[must_use]
pub fn rest_of_partition(table: &Table, after: &[Value], limit: usize) -> Option<PageQuery> {
    let (key, place) = after.split_at_checked(table.partition_columns)?;
    (!place.is_empty()).then(|| PageQuery {
        table: table.name.clone(),
        key: key.to_vec(),
        after: place.to_vec(),
        limit,
        in_turn: false,
    })
}

fn refuse(step: &'static str, message: String) -> StoreFault {
    StoreFault::Refused { step, message }
}

fn check_put(table: &Table, put: &Put) -> Result<(), String> {
    let (name, width) = (&table.name, table.columns.len());
    if put.values.len() != width {
        return Err(format!("a row of {name} has {width} values, not {}", put.values.len()));
    }
    let (key, rest) = put.values.split_at(table.key_columns());
    check_key(table, key)?;
    for (value, column) in rest.iter().zip(&table.columns[table.key_columns()..]) {
        if *value != Value::Null {
            check_type(table, value, column)?;
        }
    }
    let bytes = text_bytes(&put.values);
    if bytes > MAX_ROW_BYTES {
        return Err(format!("a row of {name} has {bytes} bytes of text; {MAX_ROW_BYTES} are allowed"));
    }
    Ok(())
}

fn check_delete(table: &Table, delete: &Delete) -> Result<(), String> {
    let (name, given, whole) = (&table.name, delete.key.len(), table.key_columns());
    if delete.range && !(table.partition_columns..=whole).contains(&given) {
        return Err(format!(
            "a range delete of {name} names the {} partition columns and up to {} more, not {given} values",
            table.partition_columns,
            whole - table.partition_columns
        ));
    }
    if !delete.range && given != whole {
        return Err(format!("a delete of a row of {name} names its {whole} key columns, not {given}"));
    }
    check_key(table, &delete.key)
}

fn check_read(table: &Table, query: &PageQuery) -> Result<(), String> {
    let (name, key, after) = (&table.name, query.key.len(), query.after.len());
    if key == 0 && after > 0 {
        return Err(format!(
            "a scan of all of {name} has no order; reading on after a place needs a partition"
        ));
    }
    if key > 0 && key < table.partition_columns {
        return Err(format!(
            "a query of {name} names all {} partition columns or none, not {key}",
            table.partition_columns
        ));
    }
    if key + after > table.key_columns() {
        return Err(format!(
            "a query of {name} names at most its {} key columns, not {}",
            table.key_columns(),
            key + after
        ));
    }
    let all: Vec<Value> = query.key.iter().chain(&query.after).cloned().collect();
    check_key(table, &all)
}

/// `key` holds values for the first so many key columns.
fn check_key(table: &Table, key: &[Value]) -> Result<(), String> {
    for (value, column) in key.iter().zip(&table.columns) {
        if *value == Value::Null {
            return Err(format!("key column {} of {} is null", column.name, table.name));
        }
        check_type(table, value, column)?;
    }
    // CQL has no empty partition key; one of several columns may well be empty
    if table.partition_columns == 1 && key.first() == Some(&Value::Text("".into())) {
        return Err(format!("the partition key {} of {} is empty", table.columns[0].name, table.name));
    }
    let bytes = text_bytes(key);
    if bytes > MAX_KEY_BYTES {
        return Err(format!("a key of {} has {bytes} bytes; {MAX_KEY_BYTES} are allowed", table.name));
    }
    Ok(())
}

fn check_type(table: &Table, value: &Value, column: &Column) -> Result<(), String> {
    let fits = matches!(
        (value, column.kind),
        (Value::Text(_), ColumnType::Text)
            | (Value::BigInt(_), ColumnType::BigInt)
            | (Value::Int(_), ColumnType::Int)
            | (Value::Boolean(_), ColumnType::Boolean)
    );
    if fits {
        return Ok(());
    }
    Err(format!("column {} of {} holds {}, not {value:?}", column.name, table.name, column.kind.cql()))
}

fn text_bytes(values: &[Value]) -> usize {
    values.iter().map(|value| if let Value::Text(text) = value { text.len() } else { 0 }).sum()
}

/// Which of two values of a column outside the key stays when both were written at the same
/// time: the greater one here. CQL's rule, column by column: no value beats any, else the
/// greater in bytes — so a negative number beats a positive one.
#[must_use]
pub fn compare_at_tie(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::BigInt(a), Value::BigInt(b)) => (*a as u64).cmp(&(*b as u64)),
        (Value::Int(a), Value::Int(b)) => (*a as u32).cmp(&(*b as u32)),
        _ => a.cmp(b),
    }
}

/// Where `a` and `b`, values of clustering columns from column `first` of the key on, stand
/// to each other in the table's own order; as many as both have are compared.
#[must_use]
pub fn compare_in_order(table: &Table, first: usize, a: &[Value], b: &[Value]) -> Ordering {
    let descending = table.clustering_descending.iter().skip(first.saturating_sub(table.partition_columns));
    for ((a, b), descends) in a.iter().zip(b).zip(descending) {
        let order = if *descends { b.cmp(a) } else { a.cmp(b) };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// A table as it was found in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundTable {
    /// Names and types of its columns, the types by their CQL names.
    pub columns: Vec<(String, String)>,
    /// Its partition columns in key order.
    pub partition: Vec<String>,
    /// Its clustering columns in key order, and whether each descends.
    pub clustering: Vec<(String, bool)>,
}

impl FoundTable {
    /// The declared columns that are not there yet. Columns that nobody declares may stay.
    ///
    /// # Errors
    /// [`StoreFault::Schema`] when the key, its order or a column's type is another one.
    pub fn missing_columns<'t>(&self, declared: &'t Table) -> Result<Vec<&'t Column>, StoreFault> {
        let differs = |message: String| StoreFault::Schema { table: declared.name.clone(), message };
        let wanted = key_text(
            declared.columns[..declared.partition_columns].iter().map(|c| c.name.as_str()),
            clustering(declared).map(|(column, descends)| (column.name.as_str(), descends)),
        );
        let there = key_text(
            self.partition.iter().map(String::as_str),
            self.clustering.iter().map(|(name, descends)| (name.as_str(), *descends)),
        );
        if wanted != there {
            return Err(differs(format!(
                "its key is {there} but is declared as {wanted}; \
                 a key cannot be changed, but `millrace rebuild` of the view's family fills the next version of its tables"
            )));
        }
        let mut missing = Vec::new();
        for column in &declared.columns {
            match self.columns.iter().find(|(name, _)| *name == column.name) {
                None => missing.push(column),
                Some((_, kind)) if kind == column.kind.cql() => {}
                Some((_, kind)) => {
                    return Err(differs(format!(
                        "column {} is {kind} but is declared as {}",
                        column.name,
                        column.kind.cql()
                    )));
                }
            }
        }
        Ok(missing)
    }
}

impl From<&Table> for FoundTable {
    fn from(table: &Table) -> Self {
        let named = |column: &Column| column.name.clone();
        Self {
            columns: table.columns.iter().map(|c| (named(c), c.kind.cql().to_owned())).collect(),
            partition: table.columns[..table.partition_columns].iter().map(named).collect(),
            clustering: clustering(table).map(|(column, descends)| (named(column), descends)).collect(),
        }
    }
}

/// The clustering columns of a table in key order, and whether each descends.
pub fn clustering(table: &Table) -> impl Iterator<Item = (&Column, bool)> {
    table.columns[table.partition_columns..].iter().zip(table.clustering_descending.iter().copied())
}

fn key_text<'a>(
    partition: impl Iterator<Item = &'a str>,
    clustering: impl Iterator<Item = (&'a str, bool)>,
) -> String {
    let mut text = format!("(({})", partition.collect::<Vec<_>>().join(", "));
    for (name, descends) in clustering {
        text.push_str(", ");
        text.push_str(name);
        text.push_str(if descends { " DESC" } else { " ASC" });
    }
    text.push(')');
    text
}

/// The declaration of [`COLUMNS`], which every store makes beside the declared tables.
#[must_use]
pub fn columns_table() -> Table {
    let column = |name: &str, comment: &str| Column {
        name: name.to_owned(),
        kind: ColumnType::Text,
        comment: comment.to_owned(),
    };
    Table {
        name: COLUMNS.to_owned(),
        comment: "What every column of every table means.".to_owned(),
        columns: vec![
            column("table_name", "The table."),
            column("column_name", "Its column."),
            column("type", "The column's type: text, bigint, int or boolean."),
            column("key_part", "Its part in the key: partition or clustering, with its place; else empty."),
            column("comment", "What the column holds."),
        ],
        partition_columns: 1,
        clustering_descending: vec![false],
        storage: Storage::default(),
        readers: Vec::new(),
        live: None,
    }
}

/// The rows of [`COLUMNS`] that document `table`.
#[must_use]
pub fn describe(table: &Table) -> Vec<[String; 5]> {
    let key_part = |index: usize| match index.checked_sub(table.partition_columns) {
        None => format!("partition {}", index + 1),
        Some(place) => match table.clustering_descending.get(place) {
            Some(true) => format!("clustering {}, descending", place + 1),
            Some(false) => format!("clustering {}", place + 1),
            None => String::new(),
        },
    };
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, column)| {
            let kind = column.kind.cql().to_owned();
            [table.name.clone(), column.name.clone(), kind, key_part(index), column.comment.clone()]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_broken_as_cql_does() {
        let rising = [Value::from(0_i64), Value::from(1_i64), Value::from(-2_i64), Value::from(-1_i64)];
        for pair in rising.windows(2) {
            assert_eq!(compare_at_tie(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare_at_tie(&Value::Null, &Value::from("x")), Ordering::Greater);
        assert_eq!(compare_at_tie(&Value::from("a"), &Value::from("b")), Ordering::Less);
    }

    #[test]
    fn a_table_that_is_there_is_compared_with_its_declaration() {
        let declared = columns_table();
        let mut found = FoundTable::from(&declared);
        assert_eq!(found.missing_columns(&declared).unwrap(), Vec::<&Column>::new());
        found.columns.pop();
        assert_eq!(found.missing_columns(&declared).unwrap()[0].name, "comment");
        found.clustering[0].1 = true;
        let text = found.missing_columns(&declared).unwrap_err().to_string();
        assert!(text.contains("((table_name), column_name DESC)"), "{text}");
    }
}
