//! Rows as values: what a projection asks a store to write.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::inline::Text;

/// One column's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    Null,
    /// UTF-8 text; shared, since a fan-out writes the same text to many rows.
    Text(Arc<str>),
    /// 64-bit signed integer.
    BigInt(i64),
    /// 32-bit signed integer.
    Int(i32),
    /// True or false.
    Boolean(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text.into())
    }
}
impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::BigInt(number)
    }
}
impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A whole row, in the order of its table's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The table.
    pub table: &'static str,
    /// One value a column, key columns first.
    pub values: Vec<Value>,
    /// `recorded_at` of the event that causes the write: a later write wins, whatever the
    /// order of arrival. Microseconds since the epoch.
    pub timestamp: i64,
}

/// A row to remove, or all rows of a partition at and below a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// The table.
    pub table: &'static str,
    /// The whole primary key; or the partition key and a *prefix* of the clustering key with
    /// `range` set.
    pub key: Vec<Value>,
    /// Remove every row of the partition that comes strictly after `key`'s clustering prefix
    /// in the table's own order (for a newest-first table: everything older).
    pub range: bool,
    /// As in [`Put`]; rows with a later timestamp stay.
    pub timestamp: i64,
}

/// Whole rows are written or deleted, never single columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Write this row.
    Put(Put),
    /// Remove this row or range.
    Delete(Delete),
}

impl Write {
    /// The table it goes to.
    #[must_use]
    pub fn table(&self) -> &'static str {
        match self {
            Self::Put(put) => put.table,
            Self::Delete(delete) => delete.table,
        }
    }

    /// The timestamp that decides between writes to the same row.
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        match self {
            Self::Put(put) => put.timestamp,
            Self::Delete(delete) => delete.timestamp,
        }
    }
}
