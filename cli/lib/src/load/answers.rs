//! The answers to what was sent: who still waits for one, and what they were.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_kernel::{Digest, Outcome, Position, Status};
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
    /// By id, what is still to be answered: one may have been sent several times.
    pending: HashMap<String, Waiting>,
    waiting: u64,
    /// Lines whose ids had been used for other content.
    others: Vec<u64>,
    accepted: u64,
    rejected: u64,
    /// Per topic and partition the farthest position.
    positions: HashMap<(String, i32), i64>,
    newest: Option<Instant>,
    trouble: Option<CliError>,
}

/// The first bytes of a digest: millions may wait.
type Content = [u8; Digest::SHORT_LENGTH];

/// A command that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    line: u64,
    content: Content,
}

/// All that was sent under one id and is not answered yet: one, and mostly no more. A file may also use one id a million
/// times, so nothing here is searched through.
struct Waiting {
    first: Sent,
    /// The lines of all others by content.
    more: BTreeMap<Content, VecDeque<u64>>,
}

impl Waiting {
    fn add(&mut self, sent: Sent) {
        self.more.entry(sent.content).or_default().push_back(sent.line);
    }

    /// Takes one of the others out, with this content or with any.
    fn take_other(&mut self, content: Option<Content>) -> Option<Sent> {
        let content = content.or_else(|| self.more.keys().next().copied())?;
        let lines = self.more.get_mut(&content)?;
        let line = lines.pop_front()?;
        if lines.is_empty() {
            self.more.remove(&content);
        }
        Some(Sent { line, content })
    }
}

fn content_of(digest: Digest) -> Option<Content> {
    digest.short().as_bytes().try_into().ok()
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

    /// An answer is expected to the command of this line, which has this id and digest.
    pub fn expect(&self, id: &str, line: u64, digest: Digest) {
        let mut book = self.book();
        let sent = Sent { line, content: content_of(digest).unwrap_or_default() };
        match book.pending.get_mut(id) {
            Some(waiting) => waiting.add(sent),
            None => {
                book.pending.insert(id.to_owned(), Waiting { first: sent, more: BTreeMap::new() });
            }
        }
        book.waiting += 1;
    }

    /// A command of this id and digest was not sent after all.
    pub fn forget(&self, id: &str, digest: Digest) {
        self.book().settle(id, content_of(digest));
    }

    /// The lines so far whose ids had been used for other content: what they ask for was not done. Each is told once.
    #[must_use]
    pub fn others(&self) -> Vec<u64> {
        std::mem::take(&mut self.book().others)
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
            topic: topic.clone().into(),
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
        let content = outcome.digest.and_then(content_of);
        let Some(answered) = self.settle(&outcome.command_id, content) else {
            return; // somebody else's
        };
        if content.is_some_and(|content| content != answered.content) {
            self.others.push(answered.line);
        }
        match outcome.status {
            Status::Accepted => self.accepted += 1,
            Status::Rejected => self.rejected += 1,
        }
        for position in &outcome.positions {
            let farthest =
                self.positions.entry((position.topic.to_string(), position.partition)).or_insert(-1);
            *farthest = position.offset.max(*farthest);
        }
        self.newest = Some(Instant::now());
    }

    /// One answer less is expected: of what was sent under the id, to one with this content, or else to any. `None` when
    /// none was expected.
    fn settle(&mut self, id: &str, content: Option<Content>) -> Option<Sent> {
        let waiting = self.pending.get_mut(id)?;
        self.waiting -= 1;
        if let Some(other) = content.filter(|content| *content != waiting.first.content)
            && let Some(settled) = waiting.take_other(Some(other))
        {
            return Some(settled);
        }
        match waiting.take_other(None) {
            Some(next) => Some(std::mem::replace(&mut waiting.first, next)),
            None => self.pending.remove(id).map(|waiting| waiting.first),
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain_guestbook::messages::commands::{CommandData, Sign};

    use super::*;

    fn digest(content: &str) -> Digest {
        Digest::of(&CommandData::from(Sign { guest_id: "g".into(), text: content.into() }))
    }

    fn outcome(id: &str, status: Status, offset: i64) -> Outcome {
        let position = Position { topic: "t".into(), partition: 0, offset, epoch: 0 };
        Outcome {
            command_id: id.into(),
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
        for (line, id) in (1..).zip(["a", "b", "a", "c"]) {
            answers.expect(id, line, digest(id));
        }
        answers.forget("c", digest("c"));
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
    fn who_uses_an_id_for_other_content_is_told_the_line() {
        let answers = Answers::default();
        // the same id thrice: as it was used before, for other content, and where no digest is known
        for (line, content) in [(1, "x"), (2, "y"), (3, "x"), (4, "z")] {
            answers.expect("a", line, digest(content));
        }
        for known in [Some("x"), Some("x"), Some("x"), None] {
            let digest = known.map(|content| digest(content).short());
            answers.book().take(&Outcome { digest, ..outcome("a", Status::Accepted, 7) });
        }
        assert_eq!(answers.counts().pending, 0);
        assert_eq!(answers.others(), [2], "two agree, of one nothing is known");
        assert_eq!(answers.others(), [0; 0], "each is told once");
    }

    #[test]
    fn waiting_ends_when_nothing_comes() {
        let answers = Answers::default();
        answers.expect("a", 1, digest("a"));
        assert!(!answers.wait(Duration::from_millis(10), |_| {}));
    }
}
