//! Whether the disk takes what is written to it. A full disk refuses every write of every client, many times a second: here
//! that is one condition with a beginning and an end, which is said when it begins, now and then while it stays, and when it
//! is over.
//!
//! A write that is refused is taken back and answered with an error, so nothing is lost and clients try again. What is never
//! known for certain is another matter: see `halt.rs`.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::broker::util::lock;

/// How often it is tried whether the disk takes writes again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How often it is said that it still does not.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// A disk that takes a little and then nothing again says so no oftener than that.
const SAY_ANEW: Duration = Duration::from_secs(10);
/// What is written to try it, at least.
const LEAST_BYTES: usize = 64 << 10;
/// And at most: more than a record may come to.
const MOST_BYTES: usize = 2 << 20;

/// A disk that takes no more, as others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusing {
    /// Since when.
    pub since: Instant,
    /// Why, in words: which folder, and how much is free.
    pub why: String,
}

#[derive(Debug)]
struct State {
    since: Instant,
    /// Writes that were refused since then.
    refused: u64,
    /// The bytes of the largest of them.
    largest: usize,
    /// Whether that it began was said: then its end is, too.
    is_said: bool,
    tried: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    state: Option<State>,
    said: Option<Instant>,
}

/// Shared by everything that writes below one folder.
#[derive(Debug)]
pub(crate) struct Room {
    folder: PathBuf,
    inner: Mutex<Inner>,
    told: watch::Sender<Option<Refusing>>,
}

impl Room {
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), inner: Mutex::default(), told: watch::Sender::new(None) }
    }

    /// Notes that a write of so many bytes was refused and taken back.
    pub fn refused(&self, doing: impl Display, bytes: usize, error: &io::Error) {
        self.refused_at(Instant::now(), doing, bytes, error);
    }

    fn refused_at(&self, now: Instant, doing: impl Display, bytes: usize, error: &io::Error) {
        let why = millrace_disk::told(&self.folder, error);
        let mut inner = lock(&self.inner);
        let Inner { state, said } = &mut *inner;
        let pause = if state.is_none() { SAY_ANEW } else { SAY_AGAIN };
        let known =
            state.get_or_insert(State { since: now, refused: 0, largest: 0, is_said: false, tried: now });
        known.refused += 1;
        known.largest = known.largest.max(bytes);
        if said.is_none_or(|said| now.saturating_duration_since(said) >= pause) {
            (*said, known.is_said) = (Some(now), true);
            tracing::error!(
                refused = known.refused,
                "{doing}: {why}. Next: what cannot be written is refused, clients try again, and nothing is lost; it is \
                 tried every second whether there is room. What you can do: make room on that disk"
            );
        }
        // with each refusal: how much is free may differ by now
        self.told.send_replace(Some(Refusing { since: known.since, why }));
    }

    /// Whether writes are refused for now. Who has time does not try before this is over.
    pub fn is_refusing(&self) -> bool {
        self.told.borrow().is_some()
    }

    /// Why writes are refused, if they are.
    pub fn why(&self) -> Option<String> {
        self.told.borrow().as_ref().map(|refusing| refusing.why.clone())
    }

    /// For who wants to know when it begins and ends.
    pub fn watch(&self) -> watch::Receiver<Option<Refusing>> {
        self.told.subscribe()
    }

    /// Tries whether the disk takes writes again, when that is due.
    pub fn try_again(&self) {
        self.try_again_at(Instant::now());
    }

    fn try_again_at(&self, now: Instant) {
        if !self.is_refusing() {
            return;
        }
        let bytes = {
            let mut inner = lock(&self.inner);
            let Some(known) = inner.state.as_mut() else { return };
            if now.saturating_duration_since(known.tried) < TRY_AGAIN {
                return;
            }
            known.tried = now;
            known.largest.clamp(LEAST_BYTES, MOST_BYTES)
        };
        if millrace_disk::takes(&self.folder, bytes).is_err() {
            return;
        }
        let mut inner = lock(&self.inner);
        let Some(State { since, refused, is_said, .. }) = inner.state.take() else { return };
        self.told.send_replace(None);
        if !is_said {
            return;
        }
        tracing::info!(
            refused,
            "the disk of {} takes writes again after {} s; all goes on by itself",
            self.folder.display(),
            now.saturating_duration_since(since).as_secs()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Error {
        io::ErrorKind::StorageFull.into()
    }

    #[test]
    fn a_full_disk_is_one_condition_that_begins_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (room, begin) = (Room::of(dir.path()), Instant::now());
        let at = |millis| begin + Duration::from_millis(millis);
        assert!(!room.is_refusing() && room.why().is_none());
        for millis in (0..2_000).step_by(50) {
            room.refused_at(at(millis), "append to t/0", 100, &full());
        }
        let why = room.why().unwrap();
        assert!(why.contains("is full") && why.contains(dir.path().to_str().unwrap()), "{why}");
        assert_eq!(room.watch().borrow().as_ref().unwrap().since, begin, "it is the same all the time");
        assert_eq!(lock(&room.inner).state.as_ref().unwrap().refused, 40);
        room.try_again_at(at(500));
        assert!(room.is_refusing(), "it is not tried so soon");
        room.try_again_at(at(2_500));
        assert!(!room.is_refusing(), "there is room");
        assert_eq!(lock(&room.inner).said, Some(begin), "it was said once");
        room.refused_at(at(3_000), "append to t/0", 100, &full());
        assert!(room.is_refusing() && lock(&room.inner).said == Some(begin), "and not again at once");
        room.try_again_at(at(4_000));
        room.refused_at(at(20_000), "append to t/0", 100, &full());
        assert_eq!(lock(&room.inner).said, Some(at(20_000)), "but later, as another");
        room.try_again_at(at(30_000));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "and nothing is left of the try");
    }

    #[test]
    fn as_long_as_nothing_can_be_written_it_stays() {
        let gone = tempfile::tempdir().unwrap().path().join("gone");
        let (room, begin) = (Room::of(&gone), Instant::now());
        room.refused_at(begin, "append to t/0", 100, &full());
        for second in 1..10 {
            room.try_again_at(begin + Duration::from_secs(second));
            assert!(room.is_refusing());
        }
    }
}
