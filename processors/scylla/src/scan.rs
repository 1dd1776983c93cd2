//! Going through a whole table.
//!
//! A server refuses to pass over too many deleted rows in one answer (`tombstone_failure_threshold`). Where it does, the
//! table is read by smaller and smaller ranges of tokens: what is deleted in one partition is bounded by the
//! projections, what is deleted between two rows of a table is not.

use std::sync::Arc;

use millrace_kernel::{Page, Table, Value};
use millrace_ports::StoreFault;
use millrace_ports::tables::rest_of_partition;

use crate::cql;
use crate::link::{Haste, Link};
use crate::read::{Part, STEP, fetch, page};
use crate::value::Bound;

/// Goes through `table` in the order of its partitions' tokens, behind the whole key `after`.
pub(crate) async fn scan(
    link: &Arc<Link>,
    table: &Table,
    after: &[Value],
    limit: usize,
) -> Result<Page, StoreFault> {
    let _permit = link.permit(STEP, Haste::Now).await?;
    let mut found = match rest_of_partition(table, after, limit) {
        Some(rest) => page(link, table, &rest).await?,
        None => Page::default(),
    };
    let left = limit - found.rows.len();
    if left == 0 {
        return Ok(found);
    }
    let behind = &after[..after.len().min(table.partition_columns)];
    // who was refused once begins with what was not
    if link.span(&table.name).is_none() {
        let text = cql::scan(&link.config.keyspace, table, !behind.is_empty());
        let values = behind.iter().cloned().map(Bound::Value).collect();
        let mut rows = Vec::new();
        match fetch(link, Part { text, values }, left, &mut rows).await {
            Ok(()) => {
                found.rows.append(&mut rows);
                return Ok(found);
            }
            Err(unread) if unread.is_read_failure => {}
            Err(unread) => return Err(unread.fault),
        }
    }
    let from = token_of(link, table, behind).await?;
    by_ranges(link, table, from, limit, &mut found.rows).await?;
    Ok(found)
}

/// The token of a partition; that of none is before all.
async fn token_of(link: &Link, table: &Table, partition: &[Value]) -> Result<i64, StoreFault> {
    if partition.is_empty() {
        return Ok(i64::MIN);
    }
    let text = cql::select(&link.config.keyspace, table, partition.len(), false);
    let statement = link.prepare(STEP, &text).await?;
    let mut values: Vec<Bound> = partition.iter().cloned().map(Bound::Value).collect();
    values.push(Bound::Value(1_i32.into()));
    let refused = |message: String| StoreFault::Refused { step: STEP, message };
    let token = statement.calculate_token(&values).map_err(|e| refused(e.to_string()))?;
    token.map(|token| token.value()).ok_or_else(|| refused(format!("{} has no tokens", table.name)))
}

/// Reads on behind a token until there are `limit` rows, by ranges that are small enough for the server.
async fn by_ranges(
    link: &Link,
    table: &Table,
    from: i64,
    limit: usize,
    rows: &mut Vec<Vec<Value>>,
) -> Result<(), StoreFault> {
    let text = cql::scan_range(&link.config.keyspace, table);
    let (mut reached, mut span) = (from, link.span(&table.name).unwrap_or(u64::MAX / 2));
    while rows.len() < limit && reached < i64::MAX {
        let until = reached.saturating_add_unsigned(span);
        let values = vec![Bound::Value(reached.into()), Bound::Value(until.into())];
        let (left, mut more) = (limit - rows.len(), Vec::new());
        match fetch(link, Part { text: text.clone(), values }, left, &mut more).await {
            Ok(()) => {
                rows.append(&mut more);
                reached = until;
                link.keep_span(&table.name, span);
                span = span.saturating_mul(2);
            }
            // fewer than two partitions are not to be parted
            Err(unread) if unread.is_read_failure && span > 1 => span /= 8,
            Err(unread) => return Err(unread.fault),
        }
        span = span.max(1);
    }
    Ok(())
}
