//! What a batch that is not committed yet does to the state.

use bytes::Bytes;
use millrace_kernel::{AggregateId, Bookkeeping};

use super::answers::{Answer, Answers};
use super::arena::Arena;
use super::floor::Seen;
use super::hashed::{Hash, Hashed};
use super::state::Versioned;

/// An aggregate that a batch has changed.
pub(super) struct Change<S> {
    pub(super) id: AggregateId,
    pub(super) hash: Hash,
    pub(super) versioned: Versioned<S>,
    pub(super) written: Written,
}

/// What a batch writes of an aggregate.
pub(super) enum Written {
    /// Nothing: the batch is not closed yet, or what began in it has ended in it.
    Nothing,
    /// That it is forgotten.
    Tombstone,
    /// Its state, as it stands in the topic.
    State(Bytes),
}

impl From<Option<Bytes>> for Written {
    fn from(value: Option<Bytes>) -> Self {
        value.map_or(Self::Tombstone, Self::State)
    }
}

/// The effects of a batch that is not committed yet. Dropped when it is aborted.
pub struct Overlay<S> {
    /// In the order in which the aggregates were first touched.
    pub(super) changes: Vec<Change<S>>,
    places: Hashed,
    pub(super) answers: Answers,
    pub(super) last_recorded_at: i64,
    /// When its commands were appended and issued, in a domain with a floor.
    pub(super) seen: Seen,
    /// Whether any of the aggregates is the engine's own record.
    pub(super) is_any_kept: bool,
    /// Where the keys and values of the batch lie.
    pub(super) arena: Arena,
}

impl<S> Default for Overlay<S> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            places: Hashed::default(),
            answers: Answers::default(),
            last_recorded_at: 0,
            seen: Seen::default(),
            is_any_kept: false,
            arena: Arena::default(),
        }
    }
}

impl<S> Overlay<S> {
    /// Records an aggregate, and what is written of it.
    pub fn write(&mut self, id: AggregateId, versioned: Versioned<S>, written: Option<Bytes>) {
        let place = self.put(id, versioned);
        self.changes[place].written = written.into();
    }

    /// Records an aggregate; where it stands among the changes.
    pub(super) fn put(&mut self, id: AggregateId, versioned: Versioned<S>) -> usize {
        let hash = Hash::of(id.as_str());
        if let Some(place) = self.find(hash, &id) {
            self.changes[place].versioned = versioned;
            return place;
        }
        self.is_any_kept |= Bookkeeping::is_kept_under(&id);
        let place = self.changes.len();
        self.places.add(hash, place as u32);
        self.changes.push(Change { id, hash, versioned, written: Written::Nothing });
        place
    }

    /// What was recorded last of an aggregate.
    pub(super) fn get(&self, hash: Hash, id: &AggregateId) -> Option<&Versioned<S>> {
        self.find(hash, id).map(|place| &self.changes[place].versioned)
    }

    fn find(&self, hash: Hash, id: &AggregateId) -> Option<usize> {
        let is_it = |place: u32| self.changes[place as usize].id == *id;
        self.places.find(hash, is_it).map(|place| place as usize)
    }

    /// Records how a command was answered.
    pub fn answer(&mut self, command_id: &str, recorded_at: i64, outcome: &[u8]) {
        // it gets its number when it is committed
        let answer = Answer { number: 0, recorded_at, outcome };
        self.answers.put(Hash::of(command_id), command_id.as_bytes(), answer);
    }

    /// Forgets all, and keeps the room: nothing of the batch should be held any more.
    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.places.clear();
        self.answers.clear();
        (self.last_recorded_at, self.is_any_kept) = (0, false);
        self.seen = Seen::default();
        self.arena.renew();
    }
}
