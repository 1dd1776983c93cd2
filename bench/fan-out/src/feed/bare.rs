//! The bare clients asking the same queries: nothing is merged, nothing comes of the answers but how many
//! rows they have.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use millrace_kernel::{PageQuery, Table, Value};
use rusqlite::OpenFlags;
use rusqlite::types::ToSqlOutput;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Failure;

/// Asks the calls of a feed one after the other; gives how many rows came.
pub trait Bare {
    fn ask(&mut self, calls: &[Vec<PageQuery>]) -> Result<usize, Failure>;
}

/// What selects the rows of a query, with marks for the key, the place and the limit.
fn select(table: &Table, query: &PageQuery, has_order: bool) -> String {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let (key, rest) = names.split_at(query.key.len());
    let mut conditions: Vec<String> = key.iter().map(|name| format!("{name} = ?")).collect();
    let behind = &rest[..query.after.len()];
    if !behind.is_empty() {
        let sign = if table.clustering_descending[0] { '<' } else { '>' };
        let marks = vec!["?"; behind.len()].join(", ");
        conditions.push(format!("({}) {sign} ({marks})", behind.join(", ")));
    }
    let order: Vec<String> = rest
        .iter()
        .zip(&table.clustering_descending)
        .map(|(name, descends)| format!("{name}{}", if *descends { " DESC" } else { "" }))
        .collect();
    let order = if order.is_empty() || !has_order {
        String::new()
    } else {
        format!(" ORDER BY {}", order.join(", "))
    };
    format!(
        "SELECT {} FROM {} WHERE {}{order} LIMIT ?",
        names.join(", "),
        table.name,
        conditions.join(" AND ")
    )
}

/// The driver for CQL, with every turn of a call in a task of its own.
pub struct BareCql {
    runtime: Runtime,
    session: Arc<Session>,
    tables: HashMap<String, Table>,
    prepared: HashMap<String, PreparedStatement>,
}

impl BareCql {
    pub fn connect(cql: &str, keyspace: &str, tables: Vec<Table>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let session = runtime.block_on(async {
            let session = SessionBuilder::new().known_node(cql).build().await?;
            session.use_keyspace(keyspace, false).await?;
            Ok::<_, Failure>(session)
        })?;
        let tables = tables.into_iter().map(|table| (table.name.clone(), table)).collect();
        Ok(Self { runtime, session: Arc::new(session), tables, prepared: HashMap::new() })
    }

    fn statement(&mut self, query: &PageQuery) -> Result<PreparedStatement, Failure> {
        let text = select(&self.tables[&query.table], query, false);
        if let Some(known) = self.prepared.get(&text) {
            return Ok(known.clone());
        }
        let mut statement = self.runtime.block_on(self.session.prepare(text.as_str()))?;
        statement.set_is_idempotent(true);
        self.prepared.insert(text, statement.clone());
        Ok(statement)
    }
}

impl Bare for BareCql {
    fn ask(&mut self, calls: &[Vec<PageQuery>]) -> Result<usize, Failure> {
        let mut rows = 0;
        for call in calls {
            let mut turns: Vec<Vec<(PreparedStatement, Vec<CqlValue>)>> = Vec::new();
            for (_, turn) in PageQuery::turns(call) {
                let turn = turn.iter().map(|query| Ok((self.statement(query)?, bound(query))));
                turns.push(turn.collect::<Result<_, Failure>>()?);
            }
            let session = &self.session;
            rows += self.runtime.block_on(async {
                let mut under_way = JoinSet::new();
                for turn in turns {
                    let session = Arc::clone(session);
                    under_way.spawn(async move {
                        let mut rows = 0;
                        for (statement, values) in turn {
                            let answer =
                                session.execute_unpaged(&statement, values).await?.into_rows_result()?;
                            rows += answer.rows::<Row>()?.filter_map(Result::ok).count();
                        }
                        Ok::<_, Failure>(rows)
                    });
                }
                let mut rows = 0;
                while let Some(answer) = under_way.join_next().await {
                    rows += answer??;
                }
                Ok::<_, Failure>(rows)
            })?;
        }
        Ok(rows)
    }
}

fn bound(query: &PageQuery) -> Vec<CqlValue> {
    let value = |value: &Value| match value {
        Value::Text(text) => CqlValue::Text(text.to_string()),
        Value::BigInt(number) => CqlValue::BigInt(*number),
        Value::Int(number) => CqlValue::Int(*number),
        Value::Boolean(truth) => CqlValue::Boolean(*truth),
        Value::Null => CqlValue::Empty,
    };
    let limit = CqlValue::Int(i32::try_from(query.limit).unwrap_or(i32::MAX));
    query.key.iter().chain(&query.after).map(value).chain([limit]).collect()
}

/// SQLite, one transaction a call.
pub struct BareSqlite {
    connection: rusqlite::Connection,
    tables: HashMap<String, Table>,
}

impl BareSqlite {
    pub fn open(file: &Path, tables: Vec<Table>) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(file, flags)?;
        let tables = tables.into_iter().map(|table| (table.name.clone(), table)).collect();
        Ok(Self { connection, tables })
    }
}

impl Bare for BareSqlite {
    fn ask(&mut self, calls: &[Vec<PageQuery>]) -> Result<usize, Failure> {
        let mut count = 0;
        for call in calls {
            let moment = self.connection.transaction()?;
            for query in call {
                let table = &self.tables[&query.table];
                let mut statement = moment.prepare_cached(&select(table, query, true))?;
                let limit = Value::BigInt(query.limit as i64);
                let values = query.key.iter().chain(&query.after).chain([&limit]).map(Bound);
                let mut rows = statement.query(rusqlite::params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    for column in 0..table.columns.len() {
                        std::hint::black_box(row.get::<_, rusqlite::types::Value>(column)?);
                    }
                    count += 1;
                }
            }
            moment.finish()?;
        }
        Ok(count)
    }
}

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => rusqlite::types::Null.into(),
            Value::Text(text) => ToSqlOutput::from(&**text),
            Value::BigInt(number) => (*number).into(),
            Value::Int(number) => (*number).into(),
            Value::Boolean(truth) => (*truth).into(),
        })
    }
}
