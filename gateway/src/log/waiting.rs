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
    /// Waits for the outcome of the command `id` from now on; `None` when too many do already. To be called before the
    /// command is sent: its outcome may be quicker than whoever sends it.
    pub(crate) fn register(&self, id: &Text) -> Option<Waiter> {
        let mut book = self.book();
        if book.count >= MOST {
            return None;
        }
        let (tell, told) = oneshot::channel();
        let number = book.next;
        book.next += 1;
        book.count += 1;
        book.waiters.entry(id.clone()).or_default().push(Entry { number, tell });
        Some(Waiter { waiting: self.clone(), id: id.clone(), number, told })
    }

    /// Whether anybody waits for one of `ids`, in their order. One look for many records.
    pub(crate) fn wanted<'i>(&self, ids: impl Iterator<Item = &'i [u8]>) -> Vec<bool> {
        let book = self.book();
        let is_wanted = |id: &[u8]| {
            !book.waiters.is_empty()
                && std::str::from_utf8(id).is_ok_and(|id| book.waiters.contains_key(id))
        };
        ids.map(is_wanted).collect()
    }

    /// Tells all who wait for this outcome.
    pub(crate) fn tell(&self, outcome: Outcome) {
        let told = {
            let mut book = self.book();
            let told = book.waiters.remove(&*outcome.command_id).unwrap_or_default();
            book.count -= told.len();
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
        let register = |id: &str| waiting.register(&id.into()).unwrap();
        let (mut one, mut other, stranger, gone) = (register("a"), register("a"), register("b"), register("c"));
        drop(gone);
        assert_eq!(waiting.count(), 3);
        assert_eq!(waiting.wanted([&b"a"[..], b"c", b"\xff"].into_iter()), [true, false, false]);
        waiting.tell(outcome("a"));
        waiting.tell(outcome("c"));
        assert_eq!((one.told().await.recorded_at, other.told().await.recorded_at), (7, 7));
        assert_eq!(waiting.count(), 1, "who was told does not wait any more");
        drop((one, other, stranger));
        assert_eq!(waiting.count(), 0);
        assert!(waiting.book().waiters.is_empty(), "nothing is left of them");
    }

    #[test]
    fn no_more_may_wait_than_there_is_room_for() {
        let waiting = Waiting::default();
        let all: Vec<Waiter> =
            (0..MOST).map(|n| waiting.register(&n.to_string().into()).unwrap()).collect();
        assert!(waiting.register(&"one more".into()).is_none());
        drop(all);
        assert!(waiting.register(&"one more".into()).is_some());
    }
}
