//! Where topics end, asked once for all who want to know at the same time.

use std::sync::Arc;

use millrace_ports::{Log, LogFault, TopicPartition};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// The ends of a topic as they were seen last.
#[derive(Default)]
pub(crate) struct Ends {
    seen: Mutex<Option<(Instant, Arc<Vec<i64>>)>>,
}

impl Ends {
    /// Up to where committed reads of each partition of `topic` come, as somebody saw it who has begun to look after this was
    /// asked.
    ///
    /// # Errors
    /// What the log says.
    pub(crate) async fn of(
        &self,
        log: &Arc<dyn Log>,
        topic: &Arc<str>,
        partitions: i32,
    ) -> Result<Arc<Vec<i64>>, LogFault> {
        let asked_at = Instant::now();
        // who comes while another looks waits, and then looks for all who came meanwhile
        let mut seen = self.seen.lock().await;
        if let Some((at, ends)) = seen.as_ref().filter(|(at, _)| *at >= asked_at) {
            let _ = at;
            return Ok(Arc::clone(ends));
        }
        let at = Instant::now();
        let (log, topic) = (Arc::clone(log), Arc::clone(topic));
        let ends = off_thread(move || {
            let end = |partition| log.last_stable_offset(&TopicPartition::new(Arc::clone(&topic), partition));
            (0..partitions).map(end).collect::<Result<Vec<_>, _>>()
        });
        let ends = Arc::new(ends.await?);
        *seen = Some((at, Arc::clone(&ends)));
        Ok(ends)
    }
}

/// What `ask` says, asked where it may wait.
pub(super) async fn off_thread<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, LogFault> + Send + 'static,
) -> Result<T, LogFault> {
    spawn_blocking(ask).await.unwrap_or_else(|error| {
        Err(LogFault::Unavailable { step: "ask the log", message: error.to_string() })
    })
}
