//! Who waits for which outcome. Nothing is kept for anybody who does not wait: whoever comes later looks in the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_kernel::{Outcome, Text};
use tokio::sync::oneshot;

/// So many may wait at a gateway, for one domain. Each takes some hundred bytes, and its command as much as it has until
/// it is acknowledged.
pub(super) const MOST: usize = 50_000;

/// Everybody who waits for an outcome of one domain.
#[derive(Clone, Default)]
pub(crate) struct Waiting {
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    /// By command id: one, and mostly no more.
    waiters: HashMap<Text, Vec<Entry>>,
    count: usize,
    next: u64,
}

struct Entry {
    number: u64,
    partition: i32,
    tell: oneshot::Sender<Arc<Outcome>>,
}

/// A place among those who wait, until it is dropped.
pub(crate) struct Waiter {
    waiting: Waiting,
    id: Text,
    number: u64,
    told: oneshot::Receiver<Arc<Outcome>>,
}

impl Waiting {
    /// Waits for the outcome of the command `id` in `partition` from now on; `None` when too many do already. To be called
    /// before the command is sent: its outcome may be quicker than whoever sends it. One id in two partitions is two
    /// commands: ids are compared within a partition.
    pub(crate) fn register(&self, partition: i32, id: &Text) -> Option<Waiter> {
        let mut book = self.book();
        if book.count >= MOST {
            return None;
        }
        let (tell, told) = oneshot::channel();
        let number = book.next;
        book.next += 1;
        book.count += 1;
        book.waiters.entry(id.clone()).or_default().push(Entry { number, partition, tell });
        Some(Waiter { waiting: self.clone(), id: id.clone(), number, told })
    }

    /// Whether anybody waits for one of these, each given as partition and id, in their order. One look for many records.
    pub(crate) fn wanted<'i>(&self, ids: impl Iterator<Item = (i32, &'i [u8])>) -> Vec<bool> {
        let book = self.book();
        let is_wanted = |(partition, id): (i32, &[u8])| {
            let waiters = std::str::from_utf8(id).ok().and_then(|id| book.waiters.get(id));
            waiters.is_some_and(|waiters| waiters.iter().any(|entry| entry.partition == partition))
        };
        ids.map(is_wanted).collect()
    }

    /// Tells all who wait for this outcome, which stands in `partition`.
    pub(crate) fn tell(&self, partition: i32, outcome: Outcome) {
        let told: Vec<Entry> = {
            let mut book = self.book();
            let Some(entries) = book.waiters.get_mut(&*outcome.command_id) else { return };
            let told: Vec<Entry> = entries.extract_if(.., |entry| entry.partition == partition).collect();
            let is_empty = entries.is_empty();
            book.count -= told.len();
            if is_empty {
                book.waiters.remove(&*outcome.command_id);
            }
            told
        };
        let outcome = Arc::new(outcome);
        for entry in told {
            // whoever has gone meanwhile needs no answer
            let _ = entry.tell.send(Arc::clone(&outcome));
        }
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.book().count
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The outcome, when it comes.
    pub(crate) async fn told(&mut self) -> Arc<Outcome> {
        match (&mut self.told).await {
            Ok(outcome) => outcome,
            // it is told or stays in the book as long as this is there
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut book = self.waiting.book();
        let Some(entries) = book.waiters.get_mut(&*self.id) else { return };
        let before = entries.len();
        entries.retain(|entry| entry.number != self.number);
        let (gone, is_empty) = (before - entries.len(), entries.is_empty());
        book.count -= gone;
        if is_empty {
            book.waiters.remove(&*self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::Status;

    use super::*;

    fn outcome(id: &str) -> Outcome {
        Outcome {
            command_id: id.into(),
            status: Status::Accepted,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: Vec::new(),
            recorded_at: 7,
            command_type: None,
            failure: None,
            digest: None,
        }
    }

    #[tokio::test]
    async fn all_who_wait_for_an_id_are_told_and_nobody_else() {
        let waiting = Waiting::default();
        let register = |id: &str| waiting.register(0, &id.into()).unwrap();
        let (mut one, mut other, stranger, gone) =
            (register("a"), register("a"), register("b"), register("c"));
        let elsewhere = waiting.register(1, &"a".into()).unwrap();
        drop(gone);
        assert_eq!(waiting.count(), 4);
        let asked = [(0, &b"a"[..]), (0, b"c"), (0, b"\xff"), (1, b"a"), (1, b"b")];
        assert_eq!(waiting.wanted(asked.into_iter()), [true, false, false, true, false]);
        waiting.tell(0, outcome("a"));
        waiting.tell(0, outcome("c"));
        assert_eq!((one.told().await.recorded_at, other.told().await.recorded_at), (7, 7));
        assert_eq!(waiting.count(), 2, "who was told does not wait any more");
        drop((one, other, stranger, elsewhere));
        assert_eq!(waiting.count(), 0);
        assert!(waiting.book().waiters.is_empty(), "nothing is left of them");
    }

    #[test]
    fn no_more_may_wait_than_there_is_room_for() {
        let waiting = Waiting::default();
        let all: Vec<Waiter> =
            (0..MOST).map(|n| waiting.register(0, &n.to_string().into()).unwrap()).collect();
        assert!(waiting.register(0, &"one more".into()).is_none());
        drop(all);
        assert!(waiting.register(0, &"one more".into()).is_some());
    }
}
