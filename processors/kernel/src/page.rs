//! Reading rows: questions and answers as values, so that a domain can state how a view is
//! read (a feed, say) without knowing a store.

use crate::row::Value;

/// What to read: rows of one partition in the table's order, or of the whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// The table.
    pub table: String,
    /// Values of the first key columns: none (the whole table, in no particular order), or
    /// all partition columns and then any number of clustering columns.
    pub key: Vec<Value>,
    /// Only rows strictly behind this place in the table's order: values for the clustering
    /// columns that follow `key`, or the first few of them.
    pub after: Vec<Value>,
    /// At most so many rows.
    pub limit: usize,
}

/// Rows in the table's order, every one with all columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows; values in the order of the table's columns.
    pub rows: Vec<Vec<Value>>,
}
