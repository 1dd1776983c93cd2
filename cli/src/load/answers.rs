//! The answers to what was sent: who still waits for one, and what they were.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_kernel::{Outcome, Position, Status};
use millrace_ports::Log;
use millrace_wire::Codec;

use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::foreign;
use crate::outcomes::Outcomes;

/// How long the reader of outcomes waits before it looks whether anybody still cares.
const LOOK: Duration = Duration::from_millis(100);

/// Follows the outcomes and matches them with what was sent.
#[derive(Clone, Default)]
pub struct Answers {
    inner: Arc<(Mutex<Book>, Condvar)>,
}

#[derive(Default)]
struct Book {
    /// How many answers each id still gets: one may have been sent several times.
    pending: HashMap<String, u32>,
    waiting: u64,
    accepted: u64,
    rejected: u64,
    /// Per topic and partition the farthest position.
    positions: HashMap<(String, i32), i64>,
    newest: Option<Instant>,
    trouble: Option<CliError>,
}

/// What has been answered so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted commands.
    pub accepted: u64,
    /// Rejected commands.
    pub rejected: u64,
    /// Commands without an answer.
    pub pending: u64,
    /// The farthest positions of all answers.
    pub positions: Vec<Position>,
}

impl Answers {
    /// Follows the outcomes of a domain from now on, on a thread of its own that ends with the
    /// process.
    ///
    /// # Errors
    /// A missing topic, or servers that do not answer.
    pub fn follow(
        &self,
        log: &dyn Log,
        codec: Codec<Outcome>,
        entry: &dyn DomainEntry,
        prefix: &str,
        partitions: i32,
    ) -> Result<(), CliError> {
        let all: Vec<i32> = (0..partitions).collect();
        let mut outcomes = Outcomes::from_now(log, codec, entry, prefix, &all)?;
        let book = Arc::downgrade(&self.inner);
        std::thread::Builder::new().name(format!("{}.outcomes", entry.name())).spawn(move || {
            loop {
                let found = outcomes.poll(LOOK);
                let Some(inner) = book.upgrade() else { return };
                let mut book = inner.0.lock().unwrap_or_else(PoisonError::into_inner);
                match found {
                    Ok(found) => found.iter().for_each(|outcome| book.take(outcome)),
                    // the log may come back; whoever waits says in the end what was in the way
                    Err(error) => book.trouble = Some(error),
                }
                inner.1.notify_all();
            }
        })?;
        Ok(())
    }

    /// An answer to this id is expected.
    pub fn expect(&self, id: &str) {
        let mut book = self.book();
        *book.pending.entry(id.to_owned()).or_default() += 1;
        book.waiting += 1;
    }

    /// The command was not sent after all.
    pub fn forget(&self, id: &str) {
        self.book().settle(id);
    }

    /// How many answers have come.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let book = self.book();
        book.accepted + book.rejected
    }

    /// Waits until nothing is pending; `false` when no answer has come for `timeout`.
    pub fn wait(&self, timeout: Duration, progress: impl Fn(u64)) -> bool {
        let began = Instant::now();
        let mut book = self.book();
        loop {
            progress(book.accepted + book.rejected);
            if book.waiting == 0 {
                return true;
            }
            let since = book.newest.map_or(began, |newest| newest.max(began));
            if since.elapsed() >= timeout {
                if let Some(trouble) = book.trouble.take() {
                    foreign::say(trouble.to_string());
                }
                return false;
            }
            let woken = self.inner.1.wait_timeout(book, LOOK);
            book = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What has been answered so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let book = self.book();
        let position = |((topic, partition), offset): (&(String, i32), &i64)| Position {
            topic: topic.clone(),
            partition: *partition,
            offset: *offset,
            epoch: 0,
        };
        Counts {
            accepted: book.accepted,
            rejected: book.rejected,
            pending: book.waiting,
            positions: book.positions.iter().map(position).collect(),
        }
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn take(&mut self, outcome: &millrace_kernel::Outcome) {
        if !self.settle(&outcome.command_id) {
            return; // somebody else's
        }
        match outcome.status {
            Status::Accepted => self.accepted += 1,
            Status::Rejected => self.rejected += 1,
        }
        for position in &outcome.positions {
            let farthest = self.positions.entry((position.topic.clone(), position.partition)).or_insert(-1);
            *farthest = position.offset.max(*farthest);
        }
        self.newest = Some(Instant::now());
    }

    /// One answer less is expected; `false` when none was.
    fn settle(&mut self, id: &str) -> bool {
        let Some(left) = self.pending.get_mut(id) else { return false };
        *left -= 1;
        if *left == 0 {
            self.pending.remove(id);
        }
        self.waiting -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: &str, status: Status, offset: i64) -> Outcome {
        let position = Position { topic: "t".to_owned(), partition: 0, offset, epoch: 0 };
        Outcome {
            command_id: id.to_owned(),
            status,
            duplicate: false,
            positions: vec![position],
            versions: Vec::new(),
            violations: Vec::new(),
            recorded_at: 0,
            command_type: None,
            failure: None,
            digest: None,
        }
    }

    #[test]
    fn every_sending_of_an_id_is_answered_for_itself() {
        let answers = Answers::default();
        for id in ["a", "b", "a", "c"] {
            answers.expect(id);
        }
        answers.forget("c");
        for (id, status, offset) in [
            ("a", Status::Accepted, 7),
            ("x", Status::Accepted, 99),
            ("a", Status::Accepted, 7),
            ("b", Status::Rejected, 3),
        ] {
            answers.book().take(&outcome(id, status, offset));
        }
        let counts = answers.counts();
        assert_eq!((counts.accepted, counts.rejected, counts.pending), (2, 1, 0));
        assert_eq!(counts.positions[0].offset, 7);
        assert!(answers.wait(Duration::ZERO, |_| {}));
    }

    #[test]
    fn waiting_ends_when_nothing_comes() {
        let answers = Answers::default();
        answers.expect("a");
        assert!(!answers.wait(Duration::from_millis(10), |_| {}));
    }
}
