//! `millrace tables`: what `schemas/<d>/views.cql` declares against what the store has.

use std::collections::BTreeSet;

use millrace_kernel::{PageQuery, Put, Table, Value, Write};
use millrace_ports::{Clock, SystemClock, ViewStore};
use millrace_runtime::progress::{VIEWS, system_tables};
use serde_json::json;

use crate::connect::Servers;
use crate::domain::{self, DomainEntry, select};
use crate::error::CliError;
use crate::output;

/// Runs `tables plan` or `tables apply`.
///
/// # Errors
/// A store that does not answer, or tables that differ from their declaration.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    names: &[String],
    apply: bool,
    as_json: bool,
) -> Result<(), CliError> {
    let mut is_same = true;
    let mut made = BTreeSet::new();
    for entry in select(domains, names)? {
        let store = servers.store(entry)?;
        let changes = store.plan_tables(&all(entry)?)?;
        if apply {
            create(&*store, entry)?;
        }
        for change in changes {
            is_same = false;
            match as_json {
                true => output::json(&json!({
                    "domain": entry.name(), "table": change.table, "statement": change.statement, "done": apply,
                }))?,
                // a table and its documentation are several statements
                false if apply => {
                    let name = format!("{}.{}", entry.name(), change.table);
                    if made.insert(name.clone()) {
                        output::line(format!("made {name}"))?;
                    }
                }
                false => output::line(format!("{}\n", change.statement.trim_end()))?,
            }
        }
    }
    match is_same && !as_json {
        true => output::line("Nothing to do: every table is as declared."),
        false => Ok(()),
    }
}

/// Makes a domain's tables that are missing and names the live version of its views.
///
/// # Errors
/// As [`run`].
pub fn create(store: &dyn ViewStore, entry: &dyn DomainEntry) -> Result<(), CliError> {
    let tables = all(entry)?;
    store.create_tables(&tables)?;
    store.open_tables(&tables)?;
    let key = |view: &Table| vec![Value::from(view.name.as_str())];
    let views = domain::tables(entry)?;
    let query =
        |view: &Table| PageQuery { table: VIEWS.to_owned(), key: key(view), after: Vec::new(), limit: 1 };
    let present = store.read(&views.iter().map(query).collect::<Vec<_>>())?;
    let now = SystemClock.now_micros();
    let writes: Vec<Write> = views
        .iter()
        .zip(present)
        .filter(|(_, page)| page.rows.is_empty())
        .map(|(view, _)| {
            let name = Value::from(view.name.as_str());
            let values = vec![name.clone(), name, Value::Int(1), Value::BigInt(now)];
            Write::Put(Put { table: VIEWS, values, timestamp: now })
        })
        .collect();
    Ok(store.apply(&writes)?)
}

/// All tables of a domain's keyspace: its views and the engine's own.
///
/// # Errors
/// A `views.cql` that cannot be read, which is a bug in the domain.
pub fn all(entry: &dyn DomainEntry) -> Result<Vec<Table>, CliError> {
    let mut tables = domain::tables(entry)?;
    tables.extend(system_tables());
    Ok(tables)
}
