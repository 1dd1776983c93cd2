//! Reads: all queries of a call see one moment, so those in turn see what the ones before them saw.

use std::path::Path;
use std::sync::Arc;

use millrace_kernel::table::{Column, ColumnType};
use millrace_kernel::{Page, PageQuery, Table, Value};
use millrace_ports::StoreFault;
use millrace_ports::tables::rest_of_partition;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row};

use crate::apply::bind;
use crate::fault::Failing;
use crate::sql;

/// Reads the pages of checked queries.
pub(crate) fn read(
    connection: &mut Connection,
    path: &Path,
    queries: &[(Arc<Table>, &PageQuery)],
) -> Result<Vec<Page>, StoreFault> {
    let mut run = || -> rusqlite::Result<Vec<Page>> {
        let moment = connection.transaction()?;
        let pages = queries.iter().map(|(table, query)| page(&moment, table, query)).collect();
        moment.finish()?;
        pages
    };
    run().map_err(|e| e.while_doing("read rows", path))
}

/// Goes through `table` behind the whole key `after`, which was checked.
pub(crate) fn scan(
    connection: &mut Connection,
    path: &Path,
    table: &Table,
    after: &[Value],
    limit: usize,
) -> Result<Page, StoreFault> {
    let mut run = || -> rusqlite::Result<Page> {
        let moment = connection.transaction()?;
        let mut found = match rest_of_partition(table, after, limit) {
            Some(rest) => page(&moment, table, &rest)?,
            None => Page::default(),
        };
        let left = limit - found.rows.len();
        if left > 0 {
            let behind = &after[..after.len().min(table.partition_columns)];
            let mut statement = moment.prepare_cached(&sql::scan(table, !behind.is_empty()))?;
            bind(&mut statement, behind)?;
            statement.raw_bind_parameter(behind.len() + 1, i64::try_from(left).unwrap_or(i64::MAX))?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                found.rows.push(values(row, &table.columns)?);
            }
        }
        moment.finish()?;
        Ok(found)
    };
    run().map_err(|e| e.while_doing("go through a table", path))
}

fn page(connection: &Connection, table: &Table, query: &PageQuery) -> rusqlite::Result<Page> {
    let (fixed, behind) = (query.key.len(), query.after.len());
    let mut statement = connection.prepare_cached(&sql::select(table, fixed, behind))?;
    let all: Vec<Value> = query.key.iter().chain(&query.after).cloned().collect();
    bind(&mut statement, &all)?;
    statement.raw_bind_parameter(all.len() + 1, i64::try_from(query.limit).unwrap_or(i64::MAX))?;
    let mut rows = statement.raw_query();
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        page.rows.push(values(row, &table.columns)?);
    }
    Ok(page)
}

/// The values of a row whose columns are `columns`.
pub(crate) fn values(row: &Row<'_>, columns: &[Column]) -> rusqlite::Result<Vec<Value>> {
    columns.iter().enumerate().map(|(index, column)| value(row, index, column)).collect()
}

fn value(row: &Row<'_>, index: usize, column: &Column) -> rusqlite::Result<Value> {
    let foreign = |kind: Type| rusqlite::Error::InvalidColumnType(index, column.name.clone(), kind);
    Ok(match (row.get_ref(index)?, column.kind) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Text(text), ColumnType::Text) => {
            Value::from(std::str::from_utf8(text).map_err(|_| foreign(Type::Text))?)
        }
        (ValueRef::Integer(number), ColumnType::BigInt) => Value::BigInt(number),
        (ValueRef::Integer(number), ColumnType::Int) => {
            Value::Int(i32::try_from(number).map_err(|_| foreign(Type::Integer))?)
        }
        (ValueRef::Integer(number), ColumnType::Boolean) => Value::Boolean(number != 0),
        // somebody else wrote into the table
        (other, _) => return Err(foreign(other.data_type())),
    })
}
