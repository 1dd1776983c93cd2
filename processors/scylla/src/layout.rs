//! Keyspace and tables: what is there, what is missing, and making it.

use std::collections::{HashMap, HashSet};

use millrace_kernel::Table;
use millrace_ports::tables::{COLUMNS, FoundTable, columns_table, describe};
use millrace_ports::{StoreFault, StoreWarning, TableChange};
use scylla::deserialize::row::DeserializeRow;
use scylla::serialize::row::SerializeRow;

use crate::link::Link;
use crate::{copies, cql};

const COMPARING: &str = "compare tables";

/// What is missing, as statements.
pub(crate) async fn plan(link: &Link, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
    let keyspace = link.config.keyspace.as_str();
    let mut changes = Vec::new();
    if replication_of(link).await?.is_none() {
        let statement = cql::create_keyspace(keyspace, &replication(link));
        let note = match link.config.replication {
            None => copies::words(&nodes(link), link.config.replication_factor),
            Some(_) => None,
        };
        changes.push(TableChange { table: keyspace.to_owned(), statement: format!("{statement};"), note });
    }
    let mut change = |table: &str, statement: String| {
        changes.push(TableChange { table: table.to_owned(), statement: format!("{statement};"), note: None });
    };
    let columns = columns_table();
    for table in tables.iter().chain([&columns]) {
        let Some(found) = found(link, table).await? else {
            change(&table.name, cql::create_table(keyspace, table));
            continue;
        };
        for column in found.table.missing_columns(table)? {
            change(&table.name, cql::add_column(keyspace, table, column));
        }
        if found.comment != table.comment {
            change(&table.name, cql::set_comment(keyspace, table));
        }
    }
    for table in tables {
        let there = documented(link, table).await?;
        let missing: Vec<_> = describe(table).into_iter().filter(|row| !there.contains(row)).collect();
        if !missing.is_empty() {
            change(COLUMNS, cql::insert_constants(keyspace, &columns, &missing));
        }
    }
    Ok(changes)
}

/// Makes what is missing. Two who do it at the same moment may disturb each other, as
/// changes of the schema do on these servers; doing it again ends well.
pub(crate) async fn create(link: &Link, tables: &[Table]) -> Result<(), StoreFault> {
    for change in plan(link, tables).await? {
        // the driver waits until all nodes agree on the new schema
        link.alter("create tables", change.statement.trim_end_matches(';').to_owned()).await?;
    }
    Ok(())
}

/// Drops tables and their documentation.
pub(crate) async fn drop(link: &Link, names: &[String]) -> Result<(), StoreFault> {
    let keyspace = &link.config.keyspace;
    for name in names {
        for statement in [cql::drop_table(keyspace, name), cql::forget_columns(keyspace, COLUMNS, name)] {
            link.alter("drop tables", statement).await?;
        }
    }
    Ok(())
}

/// Whether all tables are there as declared.
pub(crate) async fn check(link: &Link, tables: &[Table]) -> Result<(), StoreFault> {
    for table in tables.iter().chain([&columns_table()]) {
        let keyspace = &link.config.keyspace;
        let schema = |message: String| StoreFault::Schema { table: table.name.clone(), message };
        let found =
            found(link, table).await?.ok_or_else(|| schema(format!("keyspace {keyspace} lacks it")))?;
        if let Some(column) = found.table.missing_columns(table)?.first() {
            return Err(schema(format!("in keyspace {keyspace} it lacks column {}", column.name)));
        }
    }
    Ok(())
}

/// What stands in the way of the keyspace, as the nodes are.
pub(crate) async fn warnings(link: &Link) -> Result<Vec<StoreWarning>, StoreFault> {
    let Some(replication) = replication_of(link).await? else { return Ok(Vec::new()) };
    let local = link.config.datacenter.as_deref();
    Ok(copies::warnings(&link.config.keyspace, &replication, &nodes(link), local))
}

/// How the keyspace is copied when it is made.
fn replication(link: &Link) -> String {
    let asked = link.config.replication_factor;
    match &link.config.replication {
        Some(clause) => clause.clone(),
        None => copies::clause(&copies::of_each(&nodes(link), asked), asked),
    }
}

/// How many nodes each data centre has; without those that hold no rows, and with those that are down.
pub(crate) fn nodes(link: &Link) -> copies::Nodes {
    let cluster = link.session.get_cluster_state();
    let locator = cluster.replica_locator();
    let count = |name: &String| locator.unique_nodes_in_datacenter_ring(name).map_or(0, <[_]>::len);
    locator.datacenter_names().iter().map(|name| (name.clone(), count(name))).collect()
}

async fn ask<R>(link: &Link, text: &str, values: impl SerializeRow) -> Result<Vec<R>, StoreFault>
where
    R: for<'f, 'm> DeserializeRow<'f, 'm> + 'static,
{
    let strange = |message: String| StoreFault::Refused { step: COMPARING, message };
    let answer = link.session.query_unpaged(text, values).await.map_err(|e| link.fault(COMPARING, &e))?;
    let answer = answer.into_rows_result().map_err(|e| strange(e.to_string()))?;
    let rows = answer.rows::<R>().map_err(|e| strange(e.to_string()))?;
    rows.collect::<Result<_, _>>().map_err(|e| strange(e.to_string()))
}

/// How the keyspace is copied, if it is there.
async fn replication_of(link: &Link) -> Result<Option<HashMap<String, String>>, StoreFault> {
    let text = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let found = ask::<(HashMap<String, String>,)>(link, text, (&link.config.keyspace,)).await?;
    Ok(found.into_iter().next().map(|(replication,)| replication))
}

struct Found {
    table: FoundTable,
    comment: String,
}

async fn found(link: &Link, table: &Table) -> Result<Option<Found>, StoreFault> {
    let place = (&link.config.keyspace, &table.name);
    let text = "SELECT comment FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let Some((comment,)) = ask::<(Option<String>,)>(link, text, place).await?.pop() else {
        return Ok(None);
    };
    let text = "SELECT kind, position, column_name, type, clustering_order FROM system_schema.columns \
                WHERE keyspace_name = ? AND table_name = ?";
    let mut columns: Vec<(String, i32, String, String, String)> = ask(link, text, place).await?;
    columns.sort();
    let mut table = FoundTable::default();
    for (kind, _, name, type_name, order) in columns {
        match kind.as_str() {
            "partition_key" => table.partition.push(name.clone()),
            "clustering" => table.clustering.push((name.clone(), order.eq_ignore_ascii_case("desc"))),
            _ => {}
        }
        table.columns.push((name, type_name));
    }
    Ok(Some(Found { table, comment: comment.unwrap_or_default() }))
}

/// The comments of `table` that are there.
async fn documented(link: &Link, table: &Table) -> Result<HashSet<[String; 5]>, StoreFault> {
    if found(link, &columns_table()).await?.is_none() {
        return Ok(HashSet::new());
    }
    let text = format!(
        "SELECT table_name, column_name, type, key_part, comment FROM {} WHERE table_name = ?",
        cql::full_name(&link.config.keyspace, COLUMNS)
    );
    type Comments = (String, String, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Comments> = ask(link, &text, (&table.name,)).await?;
    Ok(rows
        .into_iter()
        .map(|(table, column, kind, part, comment)| {
            [table, column, kind.unwrap_or_default(), part.unwrap_or_default(), comment.unwrap_or_default()]
        })
        .collect())
}
