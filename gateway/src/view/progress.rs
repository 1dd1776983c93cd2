//! Waiting until views show what a client has seen: one look at the progress of a projection serves all who wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Position;
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::progress::{Progress, first_missing, read_fan_outs, read_progress};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

/// How often the progress is looked at while somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What was seen of the projections of a domain last.
#[derive(Default)]
pub(crate) struct Watch {
    seen: Mutex<HashMap<String, Arc<Mutex<Option<Seen>>>>>,
}

#[derive(Clone)]
struct Seen {
    /// Of this store: another may answer from another version of the tables.
    store: Arc<dyn ViewStore>,
    at: Instant,
    progress: Arc<Vec<Progress>>,
}

/// What came of waiting.
#[derive(Debug)]
pub(crate) enum Awaited {
    /// All is there.
    There,
    /// The first that is not, at the deadline.
    Missing(Position),
}

impl Watch {
    /// Waits until `projection`, whose tables `store` has, shows what follows from `positions`, until `deadline`.
    pub(crate) async fn until(
        &self,
        store: &Arc<dyn ViewStore>,
        projection: &str,
        positions: &[Position],
        deadline: Instant,
    ) -> Result<Awaited, StoreFault> {
        let mut not_before = None;
        while !positions.is_empty() {
            let seen = self.look(store, projection, not_before).await?;
            let missing = match first_missing(&seen.progress, positions) {
                Some(missing) => Some(missing.clone()),
                // asked after the progress was read, as it must be
                None => fan_outs(store, &seen.progress, positions).await?,
            };
            let Some(missing) = missing else { break };
            let next = seen.at.max(not_before.unwrap_or(seen.at)) + LOOK_EVERY;
            if next >= deadline {
                return Ok(Awaited::Missing(missing));
            }
            sleep_until(next).await;
            not_before = Some(next);
        }
        Ok(Awaited::There)
    }

    /// How far `projection` has come, given as (source partition, offset of the events), as somebody saw it who has begun to look
    /// after this was asked.
    pub(crate) async fn applied(
        &self,
        store: &Arc<dyn ViewStore>,
        projection: &str,
    ) -> Result<Vec<(i32, i64)>, StoreFault> {
        let seen = self.look(store, projection, Some(Instant::now())).await?;
        Ok(seen.progress.iter().map(|it| (it.partition, it.events_offset)).collect())
    }

    /// The progress as somebody saw it, not before that moment.
    async fn look(
        &self,
        store: &Arc<dyn ViewStore>,
        projection: &str,
        not_before: Option<Instant>,
    ) -> Result<Seen, StoreFault> {
        let of_projection = {
            let mut seen = self.seen.lock().await;
            Arc::clone(seen.entry(projection.to_owned()).or_default())
        };
        // who comes while another looks waits for what that one sees
        let mut last = of_projection.lock().await;
        let is_of_use = |seen: &&Seen| {
            Arc::ptr_eq(&seen.store, store) && not_before.is_none_or(|moment| seen.at >= moment)
        };
        if let Some(seen) = last.as_ref().filter(is_of_use) {
            return Ok(seen.clone());
        }
        let at = Instant::now();
        let (asked, name) = (Arc::clone(store), projection.to_owned());
        let progress = blocking(move || read_progress(&*asked, &name)).await?;
        let seen = Seen { store: Arc::clone(store), at, progress: Arc::new(progress) };
        *last = Some(seen.clone());
        Ok(seen)
    }
}

async fn fan_outs(
    store: &Arc<dyn ViewStore>,
    progress: &Arc<Vec<Progress>>,
    positions: &[Position],
) -> Result<Option<Position>, StoreFault> {
    let (store, progress, positions) = (Arc::clone(store), Arc::clone(progress), positions.to_vec());
    blocking(move || Ok(read_fan_outs(&*store, &progress, &positions)?.pop())).await
}

/// What `ask` says, asked where it may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, StoreFault> {
    spawn_blocking(ask).await.unwrap_or_else(|error| {
        Err(StoreFault::Unavailable { step: "ask the tables", message: error.to_string() })
    })
}

#[cfg(test)]
mod tests {
    use millrace_kernel::Write;
    use millrace_runtime::progress::{Cause, system_tables};
    use millrace_testkit::store::memory::MemoryStore;

    use super::*;

    fn position(partition: i32, offset: i64) -> Position {
        Position { topic: "d.commands".into(), partition, offset, epoch: 0 }
    }

    fn progress(partition: i32, commands_offset: i64) -> Progress {
        Progress {
            commands_offset,
            events_offset: 10,
            recorded_at: commands_offset,
            ..Progress::none("d.rows", partition)
        }
    }

    fn store(writes: &[Write]) -> Arc<dyn ViewStore> {
        let store = MemoryStore::new();
        store.create_tables(&system_tables()).unwrap();
        store.open_tables(&system_tables()).unwrap();
        store.apply(writes).unwrap();
        Arc::new(store)
    }

    async fn wait(
        watch: &Watch,
        store: &Arc<dyn ViewStore>,
        positions: &[Position],
        ms: u64,
    ) -> Option<Position> {
        let deadline = Instant::now() + Duration::from_millis(ms);
        match watch.until(store, "d.rows", positions, deadline).await.unwrap() {
            Awaited::There => None,
            Awaited::Missing(position) => Some(position),
        }
    }

    #[tokio::test]
    async fn what_is_there_is_not_waited_for_and_what_comes_is() {
        let store = store(&[progress(0, 7).write()]);
        let watch = Watch::default();
        assert_eq!(wait(&watch, &store, &[], 0).await, None);
        assert_eq!(wait(&watch, &store, &[position(0, 7)], 0).await, None);
        let missing = wait(&watch, &store, &[position(0, 7), position(1, 0)], 20).await;
        assert_eq!(missing, Some(position(1, 0)));
        let written = Arc::clone(&store);
        let later = [position(0, 8)];
        let comes = async move { written.apply(&[progress(0, 8).write()]).unwrap() };
        let (waited, ()) = tokio::join!(wait(&watch, &store, &later, 30_000), comes);
        assert_eq!(waited, None);
    }

    #[tokio::test]
    async fn what_is_still_being_written_is_waited_for() {
        let cause = Cause { is_step: false, offset: 6 };
        let store = store(&[progress(0, 7).write(), cause.begun("d.rows", 0, 10, 7)]);
        let watch = Watch::default();
        assert_eq!(wait(&watch, &store, &[position(0, 6)], 20).await, Some(position(0, 6)));
        assert_eq!(wait(&watch, &store, &[position(0, 5)], 20).await, None);
        store.apply(&[cause.ended("d.rows", 0, 7)]).unwrap();
        assert_eq!(wait(&watch, &store, &[position(0, 6)], 20).await, None);
    }
}
