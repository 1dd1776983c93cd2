//! Rows of which only the first stays: a lightweight transaction, agreed on by the replicas.

use millrace_kernel::{Put, Table};
use millrace_ports::StoreFault;
use scylla::value::{CqlValue, Row};

use crate::cql;
use crate::engine;
use crate::link::{Haste, Link};
use crate::value::Bound;

pub(crate) const STEP: &str = "insert a row";

/// Writes `row` unless there is one with its key; whether it has.
pub(crate) async fn insert(link: &Link, table: &Table, row: Put) -> Result<bool, StoreFault> {
    let _permit = link.permit(STEP, Haste::Now).await?;
    let statement = link.prepare(STEP, &cql::insert(&link.config.keyspace, table)).await?;
    let values: Vec<Bound> = row.values.into_iter().map(Bound::Value).collect();
    let answer = link.session.execute_unpaged(&statement, values).await.map_err(|e| link.fault(STEP, &e))?;
    // the first column of the answer says whether it was applied; those of the row that was there follow
    let told = answer.into_rows_result().ok().and_then(|rows| rows.first_row::<Row>().ok());
    match told.and_then(|row| row.columns.into_iter().next().flatten()) {
        Some(CqlValue::Boolean(applied)) => Ok(applied),
        other => Err(engine::stopped(STEP, &format!("it was answered with {other:?}"))),
    }
}
