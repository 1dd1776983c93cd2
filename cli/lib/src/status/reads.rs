//! Whether the tables can be read: rows that are written and cannot be read help nobody.

use millrace_kernel::table::Column;
use millrace_kernel::{ColumnType, PageQuery, Table, Value};
use millrace_ports::ViewStore;
use serde::Serialize;

use crate::error::CliError;

/// Tables, or a table, that something is wrong with.
#[derive(Debug, Serialize)]
pub struct Unwell {
    domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    /// What, and what can be done.
    what: String,
    /// Whether nobody can read, or write, meanwhile.
    pub stops: bool,
}

impl Unwell {
    /// The tables of a domain cannot be reached, or not be looked at.
    #[must_use]
    pub fn all(domain: &str, error: &CliError) -> Self {
        Self { domain: domain.to_owned(), table: None, what: error.text(), stops: true }
    }

    /// What the store says of where the tables are.
    #[must_use]
    pub fn warning(domain: &str, what: String, stops: bool) -> Self {
        Self { domain: domain.to_owned(), table: None, what, stops }
    }

    /// Where it is.
    #[must_use]
    pub fn at(&self) -> String {
        match &self.table {
            Some(table) => format!("{}.{table}", self.domain),
            None => format!("tables of {}", self.domain),
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// All of it in words.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.table {
            Some(table) => format!("{}.{table} cannot be read: {}", self.domain, self.what),
            None => format!("tables of {}: {}", self.domain, self.what),
        }
    }
}

/// The tables of `tables` that cannot be read, each tried with a key that no row has.
#[must_use]
pub fn unreadable(store: &dyn ViewStore, domain: &str, tables: &[Table]) -> Vec<Unwell> {
    let mut found = Vec::new();
    for table in tables {
        let tried = store.open_tables(std::slice::from_ref(table)).and_then(|()| {
            store.read(&[PageQuery {
                table: table.name.clone(),
                key: table.columns[..table.partition_columns].iter().map(nobody).collect(),
                after: Vec::new(),
                limit: 1,
                in_turn: false,
            }])
        });
        if let Err(fault) = tried {
            found.push(Unwell {
                domain: domain.to_owned(),
                table: Some(table.name.clone()),
                what: crate::error::chain(&fault),
                stops: true,
            });
        }
    }
    found
}

/// A value of a key.
fn nobody(column: &Column) -> Value {
    match column.kind {
        // an empty text is no key on CQL
        ColumnType::Text => Value::from("-"),
        ColumnType::BigInt => Value::BigInt(0),
        ColumnType::Int => Value::Int(0),
        ColumnType::Boolean => Value::Boolean(false),
    }
}
