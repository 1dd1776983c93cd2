//! The bare driver: the same rows, each a statement of its own, as many under way as in the adapter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use millrace_kernel::{Table, Value, Write};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::CqlValue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Failure;

/// Requests under way at once: what the adapter has.
const CONCURRENCY: usize = 128;

/// Rows a second into `keyspace`.
pub fn write(cql: &str, keyspace: &str, tables: &[Table], writes: &[Write]) -> Result<f64, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let session = SessionBuilder::new().known_node(cql).fetch_schema_metadata(false).build().await?;
        let prepared = prepare(&session, keyspace, tables).await?;
        let session = Arc::new(session);
        let room = Arc::new(Semaphore::new(CONCURRENCY));
        let mut under_way = JoinSet::new();
        let began = Instant::now();
        for write in writes {
            let Write::Put(put) = write else { return Err("only rows are written".into()) };
            let statement = prepared[put.table].clone();
            let mut values: Vec<Option<CqlValue>> = put.values.iter().map(value).collect();
            values.push(Some(CqlValue::BigInt(put.timestamp)));
            let (session, leave) = (Arc::clone(&session), Arc::clone(&room).acquire_owned().await?);
            under_way.spawn(async move {
                let answer = session.execute_unpaged(&statement, values).await.map(drop);
                drop(leave);
                answer
            });
            while let Some(answer) = under_way.try_join_next() {
                answer??;
            }
        }
        while let Some(answer) = under_way.join_next().await {
            answer??;
        }
        Ok(writes.len() as f64 / began.elapsed().as_secs_f64())
    })
}

async fn prepare(
    session: &Session,
    keyspace: &str,
    tables: &[Table],
) -> Result<HashMap<String, PreparedStatement>, Failure> {
    let mut prepared = HashMap::new();
    for table in tables {
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let text = format!(
            "INSERT INTO {keyspace}.{} ({}) VALUES ({marks}) USING TIMESTAMP ?",
            table.name,
            columns.join(", ")
        );
        prepared.insert(table.name.clone(), session.prepare(text).await?);
    }
    Ok(prepared)
}

fn value(value: &Value) -> Option<CqlValue> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(CqlValue::Text(text.to_string())),
        Value::Int(number) => Some(CqlValue::Int(*number)),
        Value::BigInt(number) => Some(CqlValue::BigInt(*number)),
        Value::Boolean(truth) => Some(CqlValue::Boolean(*truth)),
    }
}
