//! The de-duplication window of a partition: which command ids were answered, and how.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use millrace_ports::{Answered, LocalFault, LocalStore, Space};
use serde::{Deserialize, Serialize};

use super::answers::{Answer, Answers};
use super::hashed::Hash;
use crate::planted::{self, Bug};

/// Into how many generations a full window is cut: what is too old is forgotten by generation, so
/// that much more than the window may be kept.
const GENERATIONS: u64 = 8;

/// What a checkpoint says of the window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WindowMark {
    span_micros: i64,
    max_ids: u64,
    newest_at: i64,
    next_number: u64,
    /// The command id that was answered last: it tells the topic from another of its name.
    newest_id: Option<String>,
    generations: Vec<Generation>,
}

impl WindowMark {
    /// The answer remembered last: its command id and `recorded_at`.
    pub(super) fn newest(&self) -> Option<(&str, i64)> {
        self.newest_id.as_deref().map(|id| (id, self.newest_at))
    }

    /// Whether a window of these settings reaches no further back than this one did.
    pub(super) fn covers(&self, span_seconds: u64, max_ids: usize) -> bool {
        self.span_micros >= micros(span_seconds) && self.max_ids >= max_ids as u64
    }

    /// The generations that are needed, and the one that is written.
    fn answered(&self) -> Answered {
        let number = |generation: Option<&Generation>| generation.map_or(0, |generation| generation.number);
        Answered { oldest: number(self.generations.first()), newest: number(self.generations.last()) }
    }

    fn is_alive(&self, number: u64, recorded_at: i64) -> bool {
        recorded_at >= self.newest_at.saturating_sub(self.span_micros)
            && number.saturating_add(self.max_ids) >= self.next_number
    }

    /// Whether so many ids, or ids over so long a time, are as many as a generation takes.
    fn is_full(&self, ids: u64, oldest_at: i64, newest_at: i64) -> bool {
        ids >= (self.max_ids / GENERATIONS).max(1)
            || newest_at.saturating_sub(oldest_at) >= self.span_micros / GENERATIONS as i64
    }
}

/// A part of the window that is forgotten as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Generation {
    number: u64,
    ids: u64,
    oldest_at: i64,
    newest_at: i64,
    newest_number: u64,
}

/// What a checkpoint writes of the window.
#[derive(Debug)]
pub(super) struct WindowPart {
    /// The answers since the last checkpoint.
    pub(super) answers: Answers,
    /// Where they go, and what is forgotten.
    pub(super) answered: Answered,
}

/// Remembers answered command ids: the newest `max_ids` of the last `span`, whichever is
/// less. Time is `recorded_at`, so a replay forgets what the first run forgot.
pub struct Window {
    /// What is not below: with a store, the answers since the last checkpoint.
    recent: Answers,
    mark: WindowMark,
    below: Below,
}

/// Where older answers are.
enum Below {
    /// In memory, oldest first.
    Memory(VecDeque<Answers>),
    /// In a store, and room that was given back.
    Store(Arc<dyn LocalStore>, Option<Answers>),
}

impl Window {
    /// An empty window of `span_seconds` and at most `max_ids`, in memory.
    #[must_use]
    pub fn new(span_seconds: u64, max_ids: usize) -> Self {
        let max_ids = if planted::is_on(Bug::WindowForgetsTooEarly) { max_ids / 4 } else { max_ids };
        let mark = WindowMark {
            span_micros: micros(span_seconds),
            max_ids: max_ids as u64,
            newest_at: i64::MIN,
            ..WindowMark::default()
        };
        Self { recent: Answers::default(), mark, below: Below::Memory(VecDeque::new()) }
    }

    /// The window as a checkpoint left it in `store`, from now on of `span_seconds` and `max_ids`.
    pub(super) fn stored(
        store: Arc<dyn LocalStore>,
        mark: Option<WindowMark>,
        span_seconds: u64,
        max_ids: usize,
    ) -> Self {
        let mut window = Self::new(span_seconds, max_ids);
        if let Some(mark) = mark {
            let (span_micros, max_ids) = (window.mark.span_micros, window.mark.max_ids);
            window.mark = WindowMark { span_micros, max_ids, ..mark };
        }
        window.below = Below::Store(store, None);
        window
    }

    /// The encoded outcome of a command, if it was answered within the window. `writing` is what
    /// a checkpoint under way has taken over.
    ///
    /// # Errors
    /// [`LocalFault`].
    pub(super) fn answer(
        &self,
        hash: Hash,
        command_id: &[u8],
        writing: Option<&WindowPart>,
    ) -> Result<Option<Bytes>, LocalFault> {
        let mut found = self.recent.get(hash, command_id);
        found = found.or_else(|| writing.and_then(|part| part.answers.get(hash, command_id)));
        let alive = |answer: &Answer<'_>| self.mark.is_alive(answer.number, answer.recorded_at);
        let store = match &self.below {
            Below::Memory(older) => {
                found = found.or_else(|| older.iter().rev().find_map(|it| it.get(hash, command_id)));
                None
            }
            Below::Store(store, _) => Some(store),
        };
        if let Some(answer) = found {
            return Ok(alive(&answer).then(|| Bytes::copy_from_slice(answer.outcome)));
        }
        let Some(store) = store else { return Ok(None) };
        let Some(bytes) = store.get(Space::Answers, command_id)? else { return Ok(None) };
        let answer = Answer::parse(&bytes).ok_or_else(|| LocalFault::Damaged {
            path: store.path(),
            why: format!("the answer to {} is cut off", String::from_utf8_lossy(command_id)),
        })?;
        let begin = bytes.len() - answer.outcome.len();
        Ok(alive(&answer).then(|| bytes.slice(begin..)))
    }

    /// Brings near where [`Window::answer`] will look first.
    pub(super) fn glance(&self, hash: Hash, writing: Option<&WindowPart>) -> u32 {
        self.recent.glance(hash) ^ writing.map_or(0, |part| part.answers.glance(hash))
    }

    /// Remembers an answer; `recorded_at` never goes back.
    pub(super) fn remember(&mut self, hash: Hash, command_id: &[u8], recorded_at: i64, outcome: &[u8]) {
        let number = self.mark.next_number;
        self.mark.next_number += 1;
        self.mark.newest_at = self.mark.newest_at.max(recorded_at);
        if let Below::Memory(older) = &mut self.below {
            let recent = &mut self.recent;
            if !recent.is_empty() && self.mark.is_full(recent.len() as u64, recent.oldest_at(), recorded_at) {
                older.push_back(std::mem::take(recent));
            }
            let is_dead = |oldest: &Answers| {
                let (number, at) = oldest.newest();
                !self.mark.is_alive(number, at)
            };
            while older.front().is_some_and(is_dead) {
                older.pop_front();
            }
        }
        self.recent.put(hash, command_id, Answer { number, recorded_at, outcome });
    }

    /// How many ids are held in memory.
    pub(super) fn len(&self) -> usize {
        match &self.below {
            Below::Memory(older) => older.iter().map(Answers::len).sum::<usize>() + self.recent.len(),
            Below::Store(..) => self.recent.len(),
        }
    }

    /// How much memory the answers take that are not in a store, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match &self.below {
            Below::Memory(older) => older.iter().map(Answers::bytes).sum::<usize>() + self.recent.bytes(),
            Below::Store(..) => self.recent.bytes(),
        }
    }

    /// Hands over what was remembered since the last checkpoint, and what the checkpoint says.
    pub(super) fn freeze(&mut self) -> (WindowPart, WindowMark) {
        let room = match &mut self.below {
            Below::Memory(_) => None,
            Below::Store(_, room) => room.take(),
        };
        let answers = std::mem::replace(&mut self.recent, room.unwrap_or_default());
        self.forget_generations();
        if let Some(last) = answers.last_id() {
            self.mark.newest_id = Some(String::from_utf8_lossy(last).into_owned());
            let (newest_number, newest_at) = answers.newest();
            let generation = self.open_generation();
            generation.oldest_at = generation.oldest_at.min(answers.oldest_at());
            generation.newest_at = generation.newest_at.max(newest_at);
            generation.newest_number = generation.newest_number.max(newest_number);
            generation.ids += answers.len() as u64;
        }
        (WindowPart { answers, answered: self.mark.answered() }, self.mark.clone())
    }

    /// Gives back what was frozen and has been written: its room is used again.
    pub(super) fn reuse(&mut self, mut written: WindowPart) {
        if let Below::Store(_, room) = &mut self.below {
            written.answers.clear();
            *room = Some(written.answers);
        }
    }

    fn forget_generations(&mut self) {
        let mark = &mut self.mark;
        let dead = |it: &Generation| !mark.is_alive(it.newest_number, it.newest_at);
        // the newest stays, so that numbers go on
        let keep_from = mark.generations.len().saturating_sub(1);
        let count = mark.generations[..keep_from].iter().take_while(|it| dead(it)).count();
        mark.generations.drain(..count);
    }

    /// The generation that takes more: the newest, or one after it once that is full or old.
    fn open_generation(&mut self) -> &mut Generation {
        let mark = &mut self.mark;
        let newest = mark.generations.last();
        if newest.is_none_or(|it| mark.is_full(it.ids, it.oldest_at, it.newest_at)) {
            let number = newest.map_or(0, |newest| newest.number + 1);
            let (oldest_at, newest_at) = (i64::MAX, i64::MIN);
            mark.generations.push(Generation { number, ids: 0, oldest_at, newest_at, newest_number: 0 });
        }
        let last = mark.generations.len() - 1;
        &mut mark.generations[last]
    }
}

fn micros(seconds: u64) -> i64 {
    seconds.saturating_mul(1_000_000).min(i64::MAX as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(window: &Window, id: &str) -> Option<Bytes> {
        window.answer(Hash::of(id), id.as_bytes(), None).unwrap()
    }

    #[test]
    fn forgets_by_age_and_by_number() {
        let mut window = Window::new(1, 2);
        for (id, at) in [("a", 0), ("b", 500_000), ("c", 900_000)] {
            window.remember(Hash::of(id), id.as_bytes(), at, b"x");
        }
        assert!(answer(&window, "a").is_none(), "two ids at most");
        assert!(answer(&window, "b").is_some() && answer(&window, "c").is_some());
        window.remember(Hash::of("d"), b"d", 1_600_000, b"");
        assert!(answer(&window, "b").is_none(), "older than a second");
        assert_eq!(window.len(), 2, "and nothing of what was forgotten stays in memory");
    }

    #[test]
    fn little_more_than_the_window_is_kept() {
        let mut window = Window::new(1_000, 800);
        for number in 0..10_000 {
            let id = format!("c{number}");
            window.remember(Hash::of(&id), id.as_bytes(), number, b"x");
        }
        assert!((800..=900).contains(&window.len()), "{}", window.len());
    }
}
