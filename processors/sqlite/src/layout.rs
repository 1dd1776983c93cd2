//! Tables: what is there, what is missing, and making it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use millrace_kernel::Table;
use millrace_ports::tables::{COLUMNS, FoundTable, columns_table, describe};
use millrace_ports::{StoreFault, TableChange};
use rusqlite::{Connection, TransactionBehavior};

use crate::fault::Failing;
use crate::sql;

/// What is missing, as statements.
pub(crate) fn plan(
    connection: &Connection,
    path: &Path,
    tables: &[Table],
) -> Result<Vec<TableChange>, StoreFault> {
    let mut changes = Vec::new();
    for table in tables.iter().chain([&columns_table()]) {
        let change = |statement: String| TableChange {
            table: table.name.clone(),
            statement: format!("{statement};"),
            note: None,
        };
        if table.column(sql::WRITTEN_AT).is_some() {
            return Err(StoreFault::Schema {
                table: table.name.clone(),
                message: format!("{} is the store's own column, choose another name", sql::WRITTEN_AT),
            });
        }
        match found(connection, table).map_err(|e| e.while_doing("compare tables", path))? {
            None => changes.push(change(sql::create_table(table))),
            Some(found) => {
                let missing = found.missing_columns(table)?;
                changes.extend(missing.into_iter().map(|column| change(sql::add_column(table, column))));
            }
        }
    }
    for table in tables {
        let statements =
            documentation(connection, table).map_err(|e| e.while_doing("compare tables", path))?;
        changes.extend(statements.into_iter().map(|(table, statement)| TableChange {
            table: table.to_owned(),
            statement,
            note: None,
        }));
    }
    Ok(changes)
}

/// Makes what is missing, all or nothing.
pub(crate) fn create(connection: &mut Connection, path: &Path, tables: &[Table]) -> Result<(), StoreFault> {
    let failed = |e: rusqlite::Error| e.while_doing("create tables", path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for change in plan(&transaction, path, tables)? {
        transaction.execute_batch(&change.statement).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// Drops tables with their documentation and their remembered deletes, all or nothing.
pub(crate) fn drop(connection: &mut Connection, path: &Path, names: &[String]) -> Result<(), StoreFault> {
    let mut run = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for name in names {
            transaction.execute_batch(&sql::drop_table(name))?;
            for statement in sql::FORGET_TABLE {
                transaction.execute(statement, [name])?;
            }
        }
        transaction.commit()
    };
    run().map_err(|e| e.while_doing("drop tables", path))
}

/// Makes views of the store's own, (name, table), where no table has the name.
pub(crate) fn show_as(
    connection: &mut Connection,
    path: &Path,
    names: &[(String, String)],
) -> Result<(), StoreFault> {
    let mut run = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (name, table) in names {
            let is_table: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
                [name],
                |row| row.get(0),
            )?;
            if !is_table {
                transaction.execute_batch(&sql::show_as(name, table))?;
            }
        }
        transaction.commit()
    };
    run().map_err(|e| e.while_doing("make views", path))
}

/// Whether all tables are there as declared.
pub(crate) fn check(connection: &Connection, path: &Path, tables: &[Table]) -> Result<(), StoreFault> {
    for table in tables.iter().chain([&columns_table()]) {
        let schema = |message: String| StoreFault::Schema { table: table.name.clone(), message };
        let found = found(connection, table)
            .map_err(|e| e.while_doing("open tables", path))?
            .ok_or_else(|| schema(format!("{} lacks it", path.display())))?;
        if let Some(column) = found.missing_columns(table)?.first() {
            return Err(schema(format!("{} lacks its column {}", path.display(), column.name)));
        }
    }
    Ok(())
}

/// The numbers of all tables, by name.
pub(crate) fn table_ids(connection: &Connection) -> rusqlite::Result<HashMap<String, i64>> {
    let mut statement = connection.prepare("SELECT table_name, table_id FROM millrace_tables")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The table as the file has it.
fn found(connection: &Connection, table: &Table) -> rusqlite::Result<Option<FoundTable>> {
    let mut info = connection.prepare_cached("SELECT name, lower(type) FROM pragma_table_info(?1)")?;
    let columns: Vec<(String, String)> =
        info.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut key = connection.prepare_cached(
        "SELECT x.name, x.\"desc\" FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x \
         WHERE l.origin = 'pk' AND x.key = 1 ORDER BY x.seqno",
    )?;
    let mut key: Vec<(String, bool)> =
        key.query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    // SQLite knows no partitions; how many columns make one stands among the comments
    let mut partition = connection.prepare_cached(
        "SELECT count(*) FROM pragma_table_info(?1) AS i JOIN millrace_columns AS c \
         ON c.table_name = ?1 AND c.column_name = i.name AND c.key_part LIKE 'partition %'",
    );
    let documented = match &mut partition {
        Ok(statement) => statement.query_row([&table.name], |row| row.get::<_, i64>(0))?,
        Err(_) => 0, // the table of comments is not there yet
    };
    let partition_columns =
        usize::try_from(documented).ok().filter(|n| *n > 0).unwrap_or(table.partition_columns);
    let clustering = key.split_off(partition_columns.min(key.len()));
    Ok(Some(FoundTable { columns, partition: key.into_iter().map(|(name, _)| name).collect(), clustering }))
}

/// Statements that bring the comments of `table` to their declaration, with the tables they
/// change.
fn documentation(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<(&'static str, String)>> {
    let mut statements = Vec::new();
    let there: HashSet<[String; 5]> = match connection.prepare_cached(
        "SELECT table_name, column_name, type, key_part, comment FROM millrace_columns WHERE table_name = ?1",
    ) {
        Ok(mut statement) => statement
            .query_map([&table.name], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])
            })?
            .collect::<Result<_, _>>()?,
        Err(_) => HashSet::new(), // the table of comments is not there yet
    };
    let missing: Vec<String> = describe(table)
        .into_iter()
        .filter(|row| !there.contains(row))
        .map(|row| format!("({}, 0)", row.map(|text: String| sql::text(&text)).join(", ")))
        .collect();
    if !missing.is_empty() {
        let columns = "table_name, column_name, type, key_part, comment, _written_at";
        statements.push((COLUMNS, format!("{};", sql::document(COLUMNS, columns, &missing))));
    }
    let mut comment =
        connection.prepare_cached("SELECT comment FROM millrace_tables WHERE table_name = ?1")?;
    let mut rows = comment.query([&table.name])?;
    let comment: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
    if comment.as_ref() != Some(&table.comment) {
        statements.push((
            "millrace_tables",
            // an update keeps the number under which the table's deletes are remembered
            format!(
                "INSERT INTO millrace_tables (table_name, comment) VALUES ({}, {}) \
                 ON CONFLICT (table_name) DO UPDATE SET comment = excluded.comment;",
                sql::text(&table.name),
                sql::text(&table.comment)
            ),
        ));
    }
    Ok(statements)
}
