//! What every task on the store's runtime shares: the session, prepared statements and the
//! bound on requests under way.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use millrace_ports::StoreFault;
use scylla::client::session::Session;
use scylla::errors::ExecutionError;
use scylla::statement::prepared::PreparedStatement;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ScyllaConfig;
use crate::{engine, fault};

pub(crate) struct Link {
    pub(crate) session: Session,
    pub(crate) config: ScyllaConfig,
    /// Requests under way, of all callers together.
    permits: Arc<Semaphore>,
    prepared: RwLock<HashMap<String, PreparedStatement>>,
}

impl Link {
    pub(crate) fn new(session: Session, config: ScyllaConfig) -> Self {
        let permits = Arc::new(Semaphore::new(config.concurrency.max(1)));
        Self { session, config, permits, prepared: RwLock::default() }
    }

    /// Leave for one request, held until it is answered.
    pub(crate) async fn permit(&self, step: &'static str) -> Result<OwnedSemaphorePermit, StoreFault> {
        self.permits.clone().acquire_owned().await.map_err(|e| engine::stopped(step, &e.to_string()))
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

    /// What an error of the driver means.
    pub(crate) fn fault(&self, step: &'static str, error: &ExecutionError) -> StoreFault {
        fault::of(step, &self.config, error)
    }
}
