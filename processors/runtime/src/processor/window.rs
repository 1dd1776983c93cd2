//! The de-duplication window of a partition: which command ids were answered, and how.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use millrace_ports::{LocalFault, LocalStore, Space};
use serde::{Deserialize, Serialize};

use super::filter::{Filter, hash_of};
use crate::planted::{self, Bug};

/// Into how many generations a full window is cut: what lies on disk is forgotten by generation,
/// so that much more than the window may lie there.
const GENERATIONS: u64 = 8;
/// Begins the keys under which a generation keeps the numbers of its ids; no command id does.
const CHUNK_MARK: u8 = 0;
/// Length of what stands before an outcome on disk: number and `recorded_at`.
const ANSWER_HEADER: usize = 16;

/// How a command was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Counts the answers of the partition.
    number: u64,
    recorded_at: i64,
    outcome: Bytes,
}

impl Answer {
    /// As it lies on disk: number, `recorded_at`, and the very bytes of the outcomes topic.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ANSWER_HEADER + self.outcome.len());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.recorded_at.to_le_bytes());
        bytes.extend(&self.outcome);
        bytes
    }

    fn parse(bytes: &Bytes) -> Option<Self> {
        let number = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
        let recorded_at = i64::from_le_bytes(bytes.get(8..ANSWER_HEADER)?.try_into().ok()?);
        Some(Self { number, recorded_at, outcome: bytes.slice(ANSWER_HEADER..) })
    }
}

/// Answers by command id.
pub(super) type Answers = HashMap<Arc<str>, Answer>;

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
}

/// A part of the window that is forgotten as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Generation {
    number: u64,
    /// How many lists of ids were written.
    chunks: u32,
    ids: u64,
    oldest_at: i64,
    newest_at: i64,
    newest_number: u64,
}

/// What a checkpoint writes of the window.
#[derive(Debug)]
pub(super) struct WindowPart {
    /// To which generation the answers go.
    pub(super) generation: u64,
    /// The answers since the last checkpoint.
    pub(super) answers: Answers,
    /// The list of their ids' numbers, for the filter: its key and its bytes.
    pub(super) chunk: Option<(Vec<u8>, Vec<u8>)>,
    /// Generations before this one are forgotten.
    pub(super) oldest: u64,
}

/// Remembers answered command ids: the newest `max_ids` of the last `span`, whichever is
/// less. Time is `recorded_at`, so a replay forgets what the first run forgot.
pub struct Window {
    /// All answers, or with a store those since the last checkpoint.
    recent: Answers,
    /// Their order, where they must be forgotten one by one: without a store.
    order: VecDeque<(u64, i64, Arc<str>)>,
    mark: WindowMark,
    stored: Option<Stored>,
}

struct Stored {
    store: Arc<dyn LocalStore>,
    /// One for each generation, in the same order.
    filters: Vec<Filter>,
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
        Self { recent: Answers::new(), order: VecDeque::new(), mark, stored: None }
    }

    /// The window as a checkpoint left it in `store`, from now on of `span_seconds` and `max_ids`.
    ///
    /// # Errors
    /// [`LocalFault`].
    pub(super) fn stored(
        store: Arc<dyn LocalStore>,
        mark: Option<WindowMark>,
        span_seconds: u64,
        max_ids: usize,
    ) -> Result<Self, LocalFault> {
        let mut window = Self::new(span_seconds, max_ids);
        if let Some(mark) = mark {
            let (span_micros, max_ids) = (window.mark.span_micros, window.mark.max_ids);
            window.mark = WindowMark { span_micros, max_ids, ..mark };
        }
        let generations = &window.mark.generations;
        let mut filters = Vec::with_capacity(generations.len());
        for (index, generation) in generations.iter().enumerate() {
            let mut filter = load_filter(&*store, generation)?;
            if index + 1 < generations.len() {
                filter.seal();
            }
            filters.push(filter);
        }
        store.forget_answers_before(window.oldest())?;
        window.stored = Some(Stored { store, filters });
        Ok(window)
    }

    fn oldest(&self) -> u64 {
        self.mark.generations.first().map_or(0, |oldest| oldest.number)
    }

    fn is_alive(&self, number: u64, recorded_at: i64) -> bool {
        recorded_at >= self.mark.newest_at.saturating_sub(self.mark.span_micros)
            && number.saturating_add(self.mark.max_ids) >= self.mark.next_number
    }

    /// The encoded outcome of a command, if it was answered within the window. `writing` is what
    /// a checkpoint under way has taken over.
    ///
    /// # Errors
    /// [`LocalFault`].
    pub(super) fn answer(
        &self,
        command_id: &str,
        writing: Option<&WindowPart>,
    ) -> Result<Option<Bytes>, LocalFault> {
        let found = match self.recent.get(command_id) {
            Some(answer) => Some(answer.clone()),
            None => match writing.and_then(|part| part.answers.get(command_id)) {
                Some(answer) => Some(answer.clone()),
                None => self.below(command_id)?,
            },
        };
        let alive = found.filter(|answer| self.is_alive(answer.number, answer.recorded_at));
        Ok(alive.map(|answer| answer.outcome))
    }

    fn below(&self, command_id: &str) -> Result<Option<Answer>, LocalFault> {
        let Some(stored) = &self.stored else { return Ok(None) };
        let hash = hash_of(command_id);
        for (generation, filter) in self.mark.generations.iter().zip(&stored.filters).rev() {
            if !filter.may_hold(hash) {
                continue;
            }
            let space = Space::Answers(generation.number);
            if let Some(bytes) = stored.store.get(space, command_id.as_bytes())? {
                return Answer::parse(&bytes).map(Some).ok_or_else(|| {
                    damaged(&*stored.store, format!("the answer to {command_id} is cut off"))
                });
            }
        }
        Ok(None)
    }

    /// Remembers an answer; `recorded_at` never goes back.
    pub fn remember(&mut self, command_id: Arc<str>, recorded_at: i64, outcome: Bytes) {
        let number = self.mark.next_number;
        self.mark.next_number += 1;
        self.mark.newest_at = self.mark.newest_at.max(recorded_at);
        if self.stored.is_some() {
            self.mark.newest_id = Some(command_id.as_ref().to_owned());
        } else {
            self.order.push_back((number, recorded_at, Arc::clone(&command_id)));
        }
        self.recent.insert(command_id, Answer { number, recorded_at, outcome });
        while let Some((number, at, _)) = self.order.front()
            && !self.is_alive(*number, *at)
        {
            let Some((number, _, id)) = self.order.pop_front() else { break };
            if self.recent.get(&id).is_some_and(|answer| answer.number == number) {
                self.recent.remove(&id);
            }
        }
    }

    /// How many ids are held in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether no id is held in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// Hands over what was remembered since the last checkpoint, and what the checkpoint says.
    pub(super) fn freeze(&mut self) -> (WindowPart, WindowMark) {
        let mut answers = std::mem::take(&mut self.recent);
        answers.retain(|_, answer| self.is_alive(answer.number, answer.recorded_at));
        self.forget_generations();
        let mut chunk = None;
        if !answers.is_empty() {
            let generation = self.open_generation();
            let hashes: Vec<u64> = answers.keys().map(|id| hash_of(id)).collect();
            for answer in answers.values() {
                generation.oldest_at = generation.oldest_at.min(answer.recorded_at);
                generation.newest_at = generation.newest_at.max(answer.recorded_at);
                generation.newest_number = generation.newest_number.max(answer.number);
            }
            generation.ids += answers.len() as u64;
            let mut key = vec![CHUNK_MARK];
            key.extend(generation.chunks.to_be_bytes());
            generation.chunks += 1;
            chunk = Some((key, hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect()));
            if let Some(filter) = self.stored.as_mut().and_then(|stored| stored.filters.last_mut()) {
                filter.extend(hashes);
            }
        }
        let generation = self.mark.generations.last().map_or(0, |newest| newest.number);
        let part = WindowPart { generation, answers, chunk, oldest: self.oldest() };
        (part, self.mark.clone())
    }

    fn forget_generations(&mut self) {
        // the newest stays, so that numbers go on
        let dead = |generation: &Generation| !self.is_alive(generation.newest_number, generation.newest_at);
        let keep_from = self.mark.generations.len().saturating_sub(1);
        let count = self.mark.generations[..keep_from].iter().take_while(|it| dead(it)).count();
        self.mark.generations.drain(..count);
        if let Some(stored) = &mut self.stored {
            stored.filters.drain(..count);
        }
    }

    /// The generation that takes more: the newest, or one after it once that is full or old.
    fn open_generation(&mut self) -> &mut Generation {
        let is_full = |it: &Generation| {
            it.ids >= (self.mark.max_ids / GENERATIONS).max(1)
                || it.newest_at - it.oldest_at >= self.mark.span_micros / GENERATIONS as i64
        };
        let newest = self.mark.generations.last();
        if newest.is_none_or(is_full) {
            let number = newest.map_or(0, |newest| newest.number + 1);
            let fresh = Generation {
                number,
                chunks: 0,
                ids: 0,
                oldest_at: i64::MAX,
                newest_at: i64::MIN,
                newest_number: 0,
            };
            self.mark.generations.push(fresh);
            if let Some(stored) = &mut self.stored {
                stored.filters.last_mut().into_iter().for_each(Filter::seal);
                stored.filters.push(Filter::new());
            }
        }
        let last = self.mark.generations.len() - 1;
        &mut self.mark.generations[last]
    }
}

fn load_filter(store: &dyn LocalStore, generation: &Generation) -> Result<Filter, LocalFault> {
    let mut filter = Filter::new();
    let (mut chunks, mut ids, mut is_whole) = (0, 0, true);
    store.scan(Space::Answers(generation.number), &[CHUNK_MARK], &mut |_, value| {
        let hashes = value.chunks_exact(8);
        is_whole &= hashes.remainder().is_empty();
        chunks += 1;
        ids += hashes.len() as u64;
        filter.extend(hashes.filter_map(|hash| hash.try_into().ok().map(u64::from_le_bytes)));
    })?;
    if is_whole && chunks == generation.chunks && ids == generation.ids {
        return Ok(filter);
    }
    let why = format!(
        "generation {} of the de-duplication window lists {ids} ids in {chunks} parts where the checkpoint has {} in {}",
        generation.number, generation.ids, generation.chunks
    );
    Err(damaged(store, why))
}

fn damaged(store: &dyn LocalStore, why: String) -> LocalFault {
    LocalFault::Damaged { path: store.path(), why }
}

fn micros(seconds: u64) -> i64 {
    seconds.saturating_mul(1_000_000).min(i64::MAX as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_by_age_and_by_number() {
        let mut window = Window::new(1, 2);
        let answer = |window: &Window, id: &str| window.answer(id, None).unwrap();
        for (id, at) in [("a", 0), ("b", 500_000), ("c", 900_000)] {
            window.remember(id.into(), at, Bytes::from_static(b"x"));
        }
        assert!(answer(&window, "a").is_none(), "two ids at most");
        assert!(answer(&window, "b").is_some() && answer(&window, "c").is_some());
        window.remember("d".into(), 1_600_000, Bytes::new());
        assert!(answer(&window, "b").is_none(), "older than a second");
        assert_eq!(window.len(), 2);
    }

    #[test]
    fn an_answer_keeps_its_bytes_on_disk() {
        let answer = Answer { number: 7, recorded_at: 1_700_000, outcome: Bytes::from_static(b"outcome") };
        assert_eq!(Answer::parse(&answer.to_bytes().into()), Some(answer));
        assert_eq!(Answer::parse(&Bytes::from_static(b"short")), None);
    }
}
