//! Writes: grouped by partition, sent side by side.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::{Delete, Put, Table, Value, Write};
use millrace_ports::StoreFault;
use millrace_ports::tables::Tables;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use tokio::task::JoinSet;

use crate::cql;
use crate::engine;
use crate::link::{Haste, Link};
use crate::value::Bound;

/// What is being done, for errors.
pub(crate) const STEP: &str = "write rows";

/// A batch of one partition is a single mutation to the server: large ones make it stall.
const BATCH_STATEMENTS: usize = 100;
const BATCH_BYTES: usize = 64 << 10;

/// One statement with its values.
type Statement = (Arc<str>, Vec<Bound>);

/// Statements of one partition of one table, sent as one request.
#[derive(Default)]
pub(crate) struct Unit {
    statements: Vec<Statement>,
    bytes: usize,
}

/// Checks all writes, then groups them into requests.
pub(crate) fn units(tables: &Tables, keyspace: &str, writes: &[Write]) -> Result<Vec<Unit>, StoreFault> {
    let mut targets = Vec::with_capacity(writes.len());
    for write in writes {
        targets.push(tables.check_write(write)?);
    }
    let mut texts = Texts { keyspace, known: HashMap::new() };
    let mut units: Vec<Unit> = Vec::new();
    let mut filling: HashMap<(&str, &[Value]), usize> = HashMap::new();
    for (write, table) in writes.iter().zip(targets) {
        let (key, statements) = match write {
            Write::Put(put) => (&put.values, texts.put(table, put)),
            Write::Delete(delete) => (&delete.key, texts.delete(table, delete)),
        };
        let bytes = statements.iter().flat_map(|(_, values)| values).map(size).sum();
        let partition = (write.table(), &key[..table.partition_columns]);
        let at = match filling.get(&partition) {
            Some(at) if units[*at].has_room(statements.len(), bytes) => *at,
            _ => {
                units.push(Unit::default());
                filling.insert(partition, units.len() - 1);
                units.len() - 1
            }
        };
        units[at].statements.extend(statements);
        units[at].bytes += bytes;
    }
    Ok(units)
}

impl Unit {
    fn has_room(&self, statements: usize, bytes: usize) -> bool {
        self.statements.len() + statements <= BATCH_STATEMENTS && self.bytes + bytes <= BATCH_BYTES
    }
}

fn size(value: &Bound) -> usize {
    match value {
        Bound::Value(Value::Text(text)) => text.len() + 4,
        _ => 12,
    }
}

/// The texts of statements, each made once in a call.
struct Texts<'a> {
    keyspace: &'a str,
    known: HashMap<(&'a str, usize, bool), Arc<str>>,
}

impl<'a> Texts<'a> {
    fn put(&mut self, table: &'a Table, put: &Put) -> Vec<Statement> {
        // no delete has a width of 0, so that stands for the put
        let keyspace = self.keyspace;
        let text =
            self.known.entry((&table.name, 0, false)).or_insert_with(|| cql::put(keyspace, table).into());
        let columns = table.columns.iter().zip(&put.values);
        let mut values: Vec<Bound> = columns
            .map(|(column, value)| match value {
                Value::Null if column.is_set_for_good() => Bound::Unset,
                value => Bound::Value(value.clone()),
            })
            .collect();
        values.push(Bound::Value(put.timestamp.into()));
        vec![(text.clone(), values)]
    }

    /// A row, or a range. Behind a place of several columns lies what shares all of them but
    /// the last and is behind that, then what shares one column fewer, and so on: a statement
    /// for each, with a bound on one column, which columns that ascend and descend in turns
    /// need and every server knows.
    fn delete(&mut self, table: &'a Table, delete: &Delete) -> Vec<Statement> {
        let whole = delete.key.len();
        if !delete.range || whole == table.partition_columns {
            return vec![self.one_delete(table, delete, whole, false)];
        }
        let widths = table.partition_columns + 1..=whole;
        widths.map(|width| self.one_delete(table, delete, width, true)).collect()
    }

    fn one_delete(&mut self, table: &'a Table, delete: &Delete, width: usize, behind: bool) -> Statement {
        let keyspace = self.keyspace;
        let text = self
            .known
            .entry((&table.name, width, behind))
            .or_insert_with(|| cql::delete(keyspace, table, width, behind).into());
        let mut values = vec![Bound::Value(delete.timestamp.into())];
        values.extend(delete.key[..width].iter().cloned().map(Bound::Value));
        (text.clone(), values)
    }
}

/// Sends all units and waits for their acknowledgement. After a failure no further one is
/// sent; what is under way may still arrive, which does no harm: writes are idempotent.
pub(crate) async fn send(link: &Arc<Link>, units: Vec<Unit>, haste: Haste) -> Result<(), StoreFault> {
    let mut prepared: HashMap<Arc<str>, PreparedStatement> = HashMap::new();
    for (text, _) in units.iter().flat_map(|unit| &unit.statements) {
        if !prepared.contains_key(text) {
            prepared.insert(text.clone(), link.prepare(STEP, text).await?);
        }
    }
    let prepared = Arc::new(prepared);
    let mut under_way = JoinSet::new();
    for unit in units {
        let permit = link.permit(STEP, haste).await?;
        let (link, prepared) = (link.clone(), prepared.clone());
        under_way.spawn(async move {
            let answer = send_unit(&link, &prepared, unit).await;
            drop(permit);
            answer
        });
        while let Some(answer) = under_way.try_join_next() {
            answer.map_err(|e| engine::stopped(STEP, &e.to_string()))??;
        }
    }
    while let Some(answer) = under_way.join_next().await {
        answer.map_err(|e| engine::stopped(STEP, &e.to_string()))??;
    }
    Ok(())
}

async fn send_unit(
    link: &Link,
    prepared: &HashMap<Arc<str>, PreparedStatement>,
    mut unit: Unit,
) -> Result<(), StoreFault> {
    let unprepared = || engine::stopped(STEP, "a statement was not prepared");
    let sent = if unit.statements.len() == 1 {
        let Some((text, values)) = unit.statements.pop() else { return Ok(()) };
        let statement = prepared.get(&text).ok_or_else(unprepared)?;
        link.session.execute_unpaged(statement, values).await.map(drop)
    } else {
        let mut batch = Batch::new(BatchType::Unlogged);
        let mut values = Vec::with_capacity(unit.statements.len());
        for (text, bound) in unit.statements {
            batch.append_statement(prepared.get(&text).ok_or_else(unprepared)?.clone());
            values.push(bound);
        }
        batch.set_is_idempotent(true);
        link.session.batch(&batch, values).await.map(drop)
    };
    sent.map_err(|e| link.fault(STEP, &e))
}
