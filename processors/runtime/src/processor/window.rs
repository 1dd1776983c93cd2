//! The de-duplication window of a partition: which command ids were answered, and how.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use millrace_ports::{Answered, LocalFault, LocalStore, Space};
use serde::{Deserialize, Serialize};

use super::answers::{Answer, Answers};
use super::floor::{Bounds, Floor, FloorMark, Most, Seen};
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
    /// The floor, in domains that have one; a build that knew none has left none.
    #[serde(default)]
    floor: Option<FloorMark>,
}

/// What is known of a command id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// How it was answered: its encoded outcome.
    Answer(Bytes),
    /// That it was answered, longer ago than the window reaches.
    Past,
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

    /// Whether it says what a domain with a floor must know.
    pub(super) fn has_floor(&self) -> bool {
        self.floor.is_some()
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
}

/// Whether so many ids, or ids over so long a time, are as many as a generation takes.
fn is_full(most: Most, ids: u64, oldest_at: i64, newest_at: i64) -> bool {
    ids >= (most.ids / GENERATIONS).max(1)
        || newest_at.saturating_sub(oldest_at) >= most.micros / GENERATIONS as i64
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
    /// The answers since the last checkpoint; of those that had to wait for it the newest.
    pub(super) answers: Answers,
    /// Those before them, oldest first.
    pub(super) older: VecDeque<Answers>,
    /// Where they go, and what is forgotten.
    pub(super) answered: Answered,
}

impl WindowPart {
    /// All answers, in the order of their coming.
    pub(super) fn all(&self) -> impl Iterator<Item = &Answers> + Clone {
        self.older.iter().chain(std::iter::once(&self.answers))
    }
}

/// Remembers answered command ids: the newest `max_ids` of the last `span`, whichever is
/// less. Time is `recorded_at`, so a replay forgets what the first run forgot. With a [`Floor`] it knows of older
/// ones for a while that they were answered.
pub struct Window {
    /// The newest answers that are in no store.
    recent: Answers,
    /// Those before them, oldest first: all, or what waits for a checkpoint. What the window forgets goes from here
    /// as well, as a disk may be full for long.
    older: VecDeque<Answers>,
    mark: WindowMark,
    below: Below,
    floor: Option<Floor>,
}

/// Where the answers are that are older still.
enum Below {
    /// Nowhere: all are in memory.
    Memory,
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
        let (recent, older) = Default::default();
        Self { recent, older, mark, below: Below::Memory, floor: None }
    }

    /// The same with a floor, where the clocks of producers may be wrong by so many seconds.
    #[must_use]
    pub fn with_floor(mut self, margin_seconds: u64) -> Self {
        let bounds = self.bounds(micros(margin_seconds));
        let floor = match self.mark.floor.take() {
            Some(mark) if !planted::is_on(Bug::FloorLostAtRestart) => Floor::stored(bounds, mark),
            _ => Floor::new(bounds),
        };
        self.floor = Some(floor);
        self
    }

    fn bounds(&self, margin_micros: i64) -> Bounds {
        Bounds { span_micros: self.mark.span_micros, max_ids: self.mark.max_ids, margin_micros }
    }

    fn most(&self) -> Most {
        match &self.floor {
            None => Most { ids: self.mark.max_ids, micros: self.mark.span_micros },
            Some(floor) => floor.most(),
        }
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

    /// What is known of a command id: its answer, if that was given within the window. `writing` is what a
    /// checkpoint under way has taken over.
    ///
    /// # Errors
    /// [`LocalFault`].
    pub(super) fn answer(
        &self,
        hash: Hash,
        command_id: &[u8],
        writing: Option<&WindowPart>,
    ) -> Result<Option<Known>, LocalFault> {
        let found =
            self.recent.get(hash, command_id).or_else(|| newest_in(&self.older, hash, command_id)).or_else(
                || {
                    let part = writing?;
                    part.answers.get(hash, command_id).or_else(|| newest_in(&part.older, hash, command_id))
                },
            );
        if let Some(answer) = found {
            return Ok(self.known(&answer, || Bytes::copy_from_slice(answer.outcome)));
        }
        let Below::Store(store, _) = &self.below else { return Ok(None) };
        let Some(bytes) = store.get(Space::Answers, command_id)? else { return Ok(None) };
        let answer = Answer::parse(&bytes).ok_or_else(|| LocalFault::Damaged {
            path: store.path(),
            why: format!("the answer to {} is cut off", String::from_utf8_lossy(command_id)),
        })?;
        let begin = bytes.len() - answer.outcome.len();
        Ok(self.known(&answer, || bytes.slice(begin..)))
    }

    fn known(&self, answer: &Answer<'_>, outcome: impl FnOnce() -> Bytes) -> Option<Known> {
        if self.mark.is_alive(answer.number, answer.recorded_at) {
            return Some(Known::Answer(outcome()));
        }
        let is_past = |floor: &Floor| answer.recorded_at > floor.record().recorded_at;
        self.floor.as_ref().is_some_and(is_past).then_some(Known::Past)
    }

    /// The floor, in domains that have one.
    pub(super) fn floor(&self) -> Option<&Floor> {
        self.floor.as_ref()
    }

    /// The floor, to follow the topics.
    pub(super) fn floor_mut(&mut self) -> Option<&mut Floor> {
        self.floor.as_mut()
    }

    /// Takes in the commands of a batch, the newest of which was answered at `recorded_at`: before
    /// their answers are remembered.
    pub(super) fn begin(&mut self, seen: &Seen, recorded_at: i64) {
        if let Some(floor) = &mut self.floor {
            floor.begin(seen, recorded_at);
        }
    }

    /// Forgets what is not needed any more after the answers of a batch were remembered.
    pub(super) fn end(&mut self) {
        if let Some(floor) = &mut self.floor {
            floor.end(self.mark.newest_at, self.mark.next_number);
        }
        self.keep_bounded();
    }

    /// Forgets the oldest answers when there are too many.
    fn keep_bounded(&mut self) {
        let Some(floor) = &mut self.floor else { return };
        let forgotten = floor.record().recorded_at;
        let in_store = self.mark.generations.iter().map(|it| (it.ids, it.newest_at));
        let in_memory = self.older.iter().map(|it| (it.len() as u64, it.newest().1));
        // what was forgotten and is still there, as a full disk takes no checkpoint, counts no more
        let known = in_store.chain(in_memory).filter(|(_, newest_at)| *newest_at > forgotten);
        let ids: u64 = known.clone().map(|(ids, _)| ids).sum();
        let oldest_at = known.map(|(_, newest_at)| newest_at).next();
        if let Some(oldest_at) = oldest_at
            && ids + self.recent.len() as u64 > floor.most().ids
        {
            floor.forget_up_to(oldest_at);
        }
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
        let most = self.most();
        if let Some(floor) = &mut self.floor {
            floor.remember(recorded_at, number);
        }
        let known_from = self.known_from();
        let recent = &mut self.recent;
        let is_new =
            !recent.is_empty() && is_full(most, recent.len() as u64, recent.oldest_at(), recorded_at);
        if is_new {
            self.older.push_back(std::mem::take(recent));
        }
        let is_dead = |oldest: &Answers| {
            let (number, at) = oldest.newest();
            !self.mark.is_alive(number, at) && at <= known_from
        };
        while self.older.front().is_some_and(is_dead) {
            self.older.pop_front();
        }
        self.recent.put(hash, command_id, Answer { number, recorded_at, outcome });
        if is_new {
            // who only follows is told late, or never, what may be forgotten
            self.keep_bounded();
        }
    }

    /// Answers recorded after this are known, also when the window has passed them.
    fn known_from(&self) -> i64 {
        self.floor.as_ref().map_or(i64::MAX, |floor| floor.record().recorded_at)
    }

    /// How many ids are held in memory.
    pub(super) fn len(&self) -> usize {
        self.older.iter().map(Answers::len).sum::<usize>() + self.recent.len()
    }

    /// How much memory the answers take that are not in a store, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.older.iter().map(Answers::bytes).sum::<usize>() + self.recent.bytes()
    }

    /// Hands over what was remembered since the last checkpoint, and what the checkpoint says.
    pub(super) fn freeze(&mut self) -> (WindowPart, WindowMark) {
        let room = match &mut self.below {
            Below::Memory => None,
            Below::Store(_, room) => room.take(),
        };
        let answers = std::mem::replace(&mut self.recent, room.unwrap_or_default());
        let mut part =
            WindowPart { answers, older: std::mem::take(&mut self.older), answered: self.mark.answered() };
        self.forget_generations();
        if let Some(last) = part.answers.last_id() {
            self.mark.newest_id = Some(String::from_utf8_lossy(last).into_owned());
            let generation = self.open_generation();
            for answers in part.all() {
                let (newest_number, newest_at) = answers.newest();
                generation.oldest_at = generation.oldest_at.min(answers.oldest_at());
                generation.newest_at = generation.newest_at.max(newest_at);
                generation.newest_number = generation.newest_number.max(newest_number);
                generation.ids += answers.len() as u64;
            }
        }
        self.mark.floor = self.floor.as_ref().map(Floor::mark);
        part.answered = self.mark.answered();
        (part, self.mark.clone())
    }

    /// Gives back what was frozen and has been written: its room is used again.
    pub(super) fn reuse(&mut self, mut written: WindowPart) {
        if let Below::Store(_, room) = &mut self.below {
            written.answers.clear();
            *room = Some(written.answers);
        }
    }

    fn forget_generations(&mut self) {
        self.keep_bounded();
        let known_from = self.known_from();
        let mark = &mut self.mark;
        let dead =
            |it: &Generation| !mark.is_alive(it.newest_number, it.newest_at) && it.newest_at <= known_from;
        // the newest stays, so that numbers go on
        let keep_from = mark.generations.len().saturating_sub(1);
        let count = mark.generations[..keep_from].iter().take_while(|it| dead(it)).count();
        mark.generations.drain(..count);
    }

    /// The generation that takes more: the newest, or one after it once that is full or old.
    fn open_generation(&mut self) -> &mut Generation {
        let most = self.most();
        let mark = &mut self.mark;
        let newest = mark.generations.last();
        if newest.is_none_or(|it| is_full(most, it.ids, it.oldest_at, it.newest_at)) {
            let number = newest.map_or(0, |newest| newest.number + 1);
            let (oldest_at, newest_at) = (i64::MAX, i64::MIN);
            mark.generations.push(Generation { number, ids: 0, oldest_at, newest_at, newest_number: 0 });
        }
        let last = mark.generations.len() - 1;
        &mut mark.generations[last]
    }
}

/// The newest answer to a command among some that stand oldest first.
fn newest_in<'a>(parts: &'a VecDeque<Answers>, hash: Hash, command_id: &[u8]) -> Option<Answer<'a>> {
    parts.iter().rev().find_map(|answers| answers.get(hash, command_id))
}

fn micros(seconds: u64) -> i64 {
    seconds.saturating_mul(1_000_000).min(i64::MAX as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(window: &Window, id: &str) -> Option<Known> {
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

    /// A disk that nothing can be read from or written to.
    struct NoDisk;

    impl LocalStore for NoDisk {
        fn get(&self, _: Space, _: &[u8]) -> Result<Option<Bytes>, LocalFault> {
            Ok(None)
        }

        fn scan_kept(&self, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LocalFault> {
            Ok(())
        }

        fn write(&self, _: &[millrace_ports::Change<'_>], _: Answered, _: &[u8]) -> Result<(), LocalFault> {
            Err(LocalFault::Unavailable { path: self.path(), why: "no space is left".to_owned() })
        }

        fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault> {
            Ok(None)
        }

        fn path(&self) -> std::path::PathBuf {
            "nowhere".into()
        }
    }

    #[test]
    fn little_more_than_the_window_is_kept() {
        let on_a_full_disk = Window::stored(Arc::new(NoDisk), None, 1_000, 800);
        for mut window in [Window::new(1_000, 800), on_a_full_disk] {
            for number in 0..10_000 {
                let id = format!("c{number}");
                window.remember(Hash::of(&id), id.as_bytes(), number, b"x");
            }
            assert!((800..=900).contains(&window.len()), "{}", window.len());
            assert!(answer(&window, "c9999").is_some() && answer(&window, "c9200").is_some());
            assert!(answer(&window, "c9199").is_none());
            let (part, _) = window.freeze();
            let frozen: usize = part.all().map(Answers::len).sum();
            assert!((800..=900).contains(&frozen), "all of it can be written later: {frozen}");
            let found = window.answer(Hash::of("c9200"), b"c9200", Some(&part)).unwrap();
            assert!(found.is_some(), "and is found until then");
            assert_eq!(window.len(), 0);
        }
    }
}
