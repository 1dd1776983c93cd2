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
    /// Asked only when the query before it in the same call has been answered, so that it sees
    /// whatever was written before something that one saw. Queries without it are asked side by
    /// side; each begins a turn, to which those in turn behind it belong.
    pub in_turn: bool,
}

impl PageQuery {
    /// The queries of a call by turns, each with how many stand before it: turns are asked side by
    /// side, what is in one is asked one after the other.
    pub fn turns(queries: &[Self]) -> impl Iterator<Item = (usize, &[Self])> {
        queries.chunk_by(|_, next| next.in_turn).scan(0, |before, turn| {
            let at = *before;
            *before += turn.len();
            Some((at, turn))
        })
    }
}

/// Rows in the table's order, every one with all columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows; values in the order of the table's columns.
    pub rows: Vec<Vec<Value>>,
}
