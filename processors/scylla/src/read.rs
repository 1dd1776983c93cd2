//! Reads: side by side but for those in turn, each fetching no more than was asked for.

use std::sync::Arc;

use millrace_kernel::{Page, PageQuery, Table, Value};
use millrace_ports::StoreFault;
use scylla::deserialize::row::ColumnIterator;
use scylla::response::PagingState;
use tokio::task::JoinSet;

use crate::cql;
use crate::link::{Haste, Link};
use crate::value::{Bound, values};
use crate::{engine, fault};

pub(crate) const STEP: &str = "read rows";

/// Most rows in one answer of a server; a longer page is fetched piece by piece.
const ROWS_PER_ANSWER: usize = 2_000;

/// One statement that gives rows in order, with its values up to the limit.
pub(crate) struct Part {
    pub(crate) text: String,
    pub(crate) values: Vec<Bound>,
}

/// Why an answer did not come.
pub(crate) struct Unread {
    pub(crate) fault: StoreFault,
    /// The server gave up, as it does before too many deleted rows.
    pub(crate) is_read_failure: bool,
}

impl From<StoreFault> for Unread {
    fn from(fault: StoreFault) -> Self {
        Self { fault, is_read_failure: false }
    }
}

/// The pages of `queries`, which were checked against their `tables`.
pub(crate) async fn pages(
    link: &Arc<Link>,
    tables: Vec<Arc<Table>>,
    queries: Vec<PageQuery>,
) -> Result<Vec<Page>, StoreFault> {
    let mut pages = vec![Page::default(); queries.len()];
    let mut under_way = JoinSet::new();
    for (before, turn) in PageQuery::turns(&queries) {
        let permit = link.permit(STEP, Haste::Now).await?;
        let link = link.clone();
        let turn: Vec<(Arc<Table>, PageQuery)> =
            tables[before..].iter().cloned().zip(turn.iter().cloned()).collect();
        under_way.spawn(async move {
            let mut answers = Vec::with_capacity(turn.len());
            for (table, query) in &turn {
                answers.push(page(&link, table, query).await?);
            }
            drop(permit);
            Ok::<_, StoreFault>((before, answers))
        });
    }
    while let Some(answer) = under_way.join_next().await {
        let (before, answers) = answer.map_err(|e| engine::stopped(STEP, &e.to_string()))??;
        for (page, answer) in pages[before..].iter_mut().zip(answers) {
            *page = answer;
        }
    }
    Ok(pages)
}

pub(crate) async fn page(link: &Link, table: &Table, query: &PageQuery) -> Result<Page, StoreFault> {
    let mut page = Page::default();
    for part in parts(&link.config.keyspace, table, query) {
        let left = query.limit - page.rows.len();
        if left == 0 {
            break;
        }
        fetch(link, part, left, &mut page.rows).await.map_err(|unread| unread.fault)?;
    }
    Ok(page)
}

/// The statements whose rows, one after the other, are the page.
///
/// Behind a place of several columns that all ascend or all descend, one statement compares
/// them as a whole. Otherwise there is one for each column, the last column first: what
/// shares all others, then what shares one fewer.
fn parts(keyspace: &str, table: &Table, query: &PageQuery) -> Vec<Part> {
    let (key, after) = (query.key.len(), query.after.len());
    let all: Vec<&Value> = query.key.iter().chain(&query.after).collect();
    let bound = |width: usize| all[..width].iter().map(|value| Bound::Value((*value).clone())).collect();
    if after == 0 {
        return vec![Part { text: cql::select(keyspace, table, key, false), values: bound(key) }];
    }
    let orders = table.clustering_descending.get(..after).unwrap_or_default();
    let alike = orders.windows(2).all(|pair| pair[0] == pair[1]);
    if after > 1 && key == table.partition_columns && alike {
        let text = cql::select_behind_place(keyspace, table, after);
        return vec![Part { text, values: bound(key + after) }];
    }
    (key + 1..=key + after)
        .rev()
        .map(|width| Part { text: cql::select(keyspace, table, width, true), values: bound(width) })
        .collect()
}

/// Adds at most `limit` rows to `rows`.
pub(crate) async fn fetch(
    link: &Link,
    part: Part,
    limit: usize,
    rows: &mut Vec<Vec<Value>>,
) -> Result<(), Unread> {
    let mut statement = link.prepare(STEP, &part.text).await?;
    statement.set_page_size(limit.min(ROWS_PER_ANSWER) as i32);
    let mut bound = part.values;
    bound.push(Bound::Value(i32::try_from(limit).unwrap_or(i32::MAX).into()));
    let unreadable = |message: String| StoreFault::Refused { step: STEP, message };
    let mut state = PagingState::start();
    loop {
        let (answer, next) =
            link.session.execute_single_page(&statement, &bound, state).await.map_err(|e| Unread {
                fault: link.fault(STEP, &e),
                is_read_failure: fault::is_read_failure(&e),
            })?;
        let answer = answer.into_rows_result().map_err(|e| unreadable(e.to_string()))?;
        for row in answer.rows::<ColumnIterator<'_, '_>>().map_err(|e| unreadable(e.to_string()))? {
            let row = row.map_err(|e| unreadable(e.to_string()))?;
            rows.push(values(row).map_err(unreadable)?);
        }
        match next.into_paging_control_flow() {
            std::ops::ControlFlow::Break(()) => return Ok(()),
            std::ops::ControlFlow::Continue(next) => state = next,
        }
    }
}
