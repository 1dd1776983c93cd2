//! What all reads have in common: how long they may take, what they must not be older than, and what is said when the
//! tables are away.

use std::future::Future;
use std::sync::Arc;

use axum::http::HeaderMap;
use millrace_kernel::Position;
use millrace_ports::{StoreFault, ViewStore};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::problem::{BAD_PARAMETER, BUSY, NOT_YET, Problem, TABLES_AWAY};
use crate::gateway::Gateway;
use crate::log::Channel;
use crate::token::{Prefer, position};
use crate::view::{Awaited, blocking};

/// A read under way.
pub(super) struct Reading {
    /// The tables, in the versions that answer now.
    pub(super) tables: Arc<dyn ViewStore>,
    deadline: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Reading {
    /// Opens the tables of a domain, and waits until its `projections` show what the client has seen.
    pub(super) async fn begin(
        gateway: &Gateway,
        channel: &Arc<Channel>,
        projections: &[String],
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let positions = positions(channel, headers)?;
        // the tables get their time, however short the client wants to wait for positions
        let (now, wait) = (Instant::now(), Prefer::read(headers).wait);
        let (patience, deadline) = (now + wait, now + wait.max(LEAST));
        let Ok(permit) = timeout_at(deadline, gateway.readers()).await else {
            return Err(Problem::new(BUSY, "So much is being read already.").retry_after(1));
        };
        let link = Arc::clone(&channel.link);
        let tables = in_time(deadline, blocking(move || link.tables())).await?;
        let mut ending = gateway.ending();
        for projection in projections {
            let waits = channel.watch.until(&tables, projection, &positions, patience);
            let awaited = tokio::select! {
                awaited = in_time(deadline + LEAST, waits) => awaited?,
                // another gateway answers at once
                _ = ending.wait_for(|ending| *ending), if !positions.is_empty() => {
                    return Err(Problem::new(NOT_YET, "This gateway is ending; ask again.").retry_after(1));
                }
            };
            if let Awaited::Missing(Position { topic, partition, offset, .. }) = awaited {
                let detail = format!(
                    "{projection} has not come to offset {offset} of {topic}[{partition}] in time. What was accepted stays \
                     accepted; ask again."
                );
                return Err(Problem::new(NOT_YET, detail).retry_after(1));
            }
        }
        Ok(Self { tables, deadline, _permit: permit })
    }

    /// What `ask` says of the tables, in time.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn ViewStore) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, Problem> {
        let tables = Arc::clone(&self.tables);
        in_time(self.deadline + LEAST, blocking(move || ask(&*tables))).await
    }
}

/// What a read gets at least, however short the client wants to wait for positions.
const LEAST: std::time::Duration = std::time::Duration::from_secs(5);

fn positions(channel: &Channel, headers: &HeaderMap) -> Result<Vec<Position>, Problem> {
    let mut found = Vec::new();
    for value in headers.get_all(position::AFTER) {
        let read = value.to_str().map_err(drop).and_then(|tokens| {
            position::of_domain(tokens, channel.description.name, &channel.description.topology)
        });
        found.extend(read.map_err(|()| {
            let detail = "Millrace-After: give the Millrace-Position of an answer as it stands, or several of them, \
                          separated by commas.";
            Problem::new(BAD_PARAMETER, detail).with("header", "Millrace-After")
        })?);
    }
    Ok(found)
}

async fn in_time<T>(
    deadline: Instant,
    asked: impl Future<Output = Result<T, StoreFault>>,
) -> Result<T, Problem> {
    let away = |why: &str| {
        tracing::debug!("a read is not answered: {why}");
        Problem::new(TABLES_AWAY, "The tables cannot be read now; ask again.").retry_after(1)
    };
    match timeout_at(deadline, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => Err(away(&fault.to_string())),
        Err(_) => Err(away("no answer in time")),
    }
}

/// How many items are wanted, within bounds.
pub(super) fn limit(text: &str, most: usize) -> Result<usize, Problem> {
    text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        Problem::new(
            BAD_PARAMETER,
            format!("limit: a page has 1 to {most} items; for more, go on with cursor."),
        )
        .with("parameter", "limit")
    })
}
