//! What every task on the store's runtime shares: the session, prepared statements and the
//! bound on requests under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use millrace_ports::StoreFault;
use scylla::client::session::Session;
use scylla::errors::ExecutionError;
use scylla::statement::Statement;
use scylla::statement::prepared::PreparedStatement;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ScyllaConfig;
use crate::{engine, fault};

/// What is in no hurry has one of so many parts of the requests under way.
const UNHURRIED_PART: usize = 2;
/// While others write or read, each of its requests takes the room of so many of them: two under
/// way, of 128, leave others the server, which is what they wait for.
const UNHURRIED_BESIDE_OTHERS: u32 = 32;
/// For how long others count as being there.
const JUST_NOW: Duration = Duration::from_millis(100);

/// How long a change of the schema may take at least: all nodes take it in, and a dropped table is written out before.
const SCHEMA_CHANGE: Duration = Duration::from_secs(60);

/// Whether somebody waits for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// As soon as there is room.
    Now,
    /// Beside what others need.
    Unhurried,
}

/// Leave for one request.
pub(crate) struct Permit {
    _request: OwnedSemaphorePermit,
    _unhurried: Option<OwnedSemaphorePermit>,
}

pub(crate) struct Link {
    pub(crate) session: Session,
    pub(crate) config: ScyllaConfig,
    /// Requests under way, of all callers together.
    permits: Arc<Semaphore>,
    /// Those of them that may be in no hurry.
    unhurried: Arc<Semaphore>,
    /// When something was in a hurry last, in milliseconds since `began`.
    hurried_at: AtomicU64,
    began: Instant,
    prepared: RwLock<HashMap<String, PreparedStatement>>,
    /// How wide a range of tokens may be read at once, of tables of which the server refuses more.
    spans: Mutex<HashMap<String, u64>>,
}

impl Link {
    pub(crate) fn new(session: Session, config: ScyllaConfig) -> Self {
        let permits = Arc::new(Semaphore::new(config.concurrency.max(1)));
        let unhurried = (config.concurrency / UNHURRIED_PART).max(UNHURRIED_BESIDE_OTHERS as usize);
        Self {
            session,
            config,
            permits,
            unhurried: Arc::new(Semaphore::new(unhurried)),
            hurried_at: AtomicU64::new(0),
            began: Instant::now(),
            prepared: RwLock::default(),
            spans: Mutex::default(),
        }
    }

    /// Leave for one request, held until it is answered.
    pub(crate) async fn permit(&self, step: &'static str, haste: Haste) -> Result<Permit, StoreFault> {
        let stopped = |e: tokio::sync::AcquireError| engine::stopped(step, &e.to_string());
        let now = self.began.elapsed().as_millis() as u64;
        let unhurried = match haste {
            Haste::Now => {
                self.hurried_at.store(now, Ordering::Relaxed);
                None
            }
            Haste::Unhurried => {
                let since = now.saturating_sub(self.hurried_at.load(Ordering::Relaxed));
                let has_company = u128::from(since) < JUST_NOW.as_millis();
                let room = if has_company { UNHURRIED_BESIDE_OTHERS } else { 1 };
                Some(self.unhurried.clone().acquire_many_owned(room).await.map_err(stopped)?)
            }
        };
        let request = self.permits.clone().acquire_owned().await.map_err(stopped)?;
        Ok(Permit { _request: request, _unhurried: unhurried })
    }

    /// The statement, prepared once. Everything this store says may be said twice, so the
    /// driver may repeat it on another node.
    pub(crate) async fn prepare(
        &self,
        step: &'static str,
        text: &str,
    ) -> Result<PreparedStatement, StoreFault> {
        let known = self.prepared.read().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let mut statement =
            self.session.prepare(text).await.map_err(|e| self.fault(step, &ExecutionError::from(e)))?;
        statement.set_is_idempotent(true);
        let mut prepared = self.prepared.write().unwrap_or_else(PoisonError::into_inner);
        prepared.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    /// How wide a range of tokens of a table may be read at once, if all of it may not.
    pub(crate) fn span(&self, table: &str) -> Option<u64> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).get(table).copied()
    }

    /// Remembers it.
    pub(crate) fn keep_span(&self, table: &str, span: u64) {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), span);
    }

    /// Changes the keyspace or a table.
    pub(crate) async fn alter(&self, step: &'static str, text: String) -> Result<(), StoreFault> {
        let mut statement = Statement::new(text);
        statement.set_request_timeout(Some(self.config.request_timeout.max(SCHEMA_CHANGE)));
        self.session.query_unpaged(statement, ()).await.map_err(|e| self.fault(step, &e))?;
        Ok(())
    }

    /// What an error of the driver means.
    pub(crate) fn fault(&self, step: &'static str, error: &ExecutionError) -> StoreFault {
        fault::of(step, &self.config, error)
    }
}
