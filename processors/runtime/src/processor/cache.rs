//! Aggregates in memory: all of a partition, or those used of late, within a bound of bytes.

use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::AggregateId;

use super::changes::ChangePlace;
use super::hashed::{Hash, Hashed};
use super::state::Versioned;
use crate::local::CacheBudget;

/// What the hash table takes for an entry.
const TABLE_BYTES: usize = 13;
/// What an allocation takes beside what it holds: counts and rounding.
const ALLOCATION_BYTES: usize = 24;
/// How many hashes are looked at together.
const LOOKED_AHEAD: usize = 64;
/// How many entries are looked at for each that comes, while there are too many.
const LOOKED_AT: usize = 8;

/// An aggregate, decoded when it is first asked for.
pub(super) enum Held<S> {
    Encoded(Bytes),
    Decoded(Versioned<S>),
}

/// A change that no store has yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwritten {
    /// Counts the checkpoints: in which one the change is written.
    pub(super) checkpoint: u64,
    pub(super) place: ChangePlace,
}

/// Longest id that an entry holds within itself: to compare it costs no further look into memory.
const SHORT_ID: usize = 46;

enum Id {
    Short(u8, [u8; SHORT_ID]),
    Long(AggregateId),
}

impl Id {
    fn of(id: &AggregateId) -> Self {
        let text = id.as_str().as_bytes();
        let mut bytes = [0; SHORT_ID];
        match bytes.get_mut(..text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                Self::Short(text.len() as u8, bytes)
            }
            None => Self::Long(id.clone()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => &bytes[..usize::from(*length)],
            Self::Long(id) => id.as_str().as_bytes(),
        }
    }
}

pub(super) struct Entry<S> {
    id: Id,
    pub(super) held: Held<S>,
    /// The newest change of it; stays when it has been written.
    pub(super) unwritten: Option<Unwritten>,
    bytes: u32,
    /// Since the hand came by.
    is_used: bool,
}

/// Entries in pieces that never move once there is more than one: memory that grows as a whole is touched twice as
/// often, and for the first time that is dear.
struct Entries<S> {
    pieces: Vec<Vec<Option<Entry<S>>>>,
}

/// How many entries a piece holds.
const PIECE: usize = 1 << 10;

impl<S> Default for Entries<S> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<S> Entries<S> {
    fn len(&self) -> usize {
        self.pieces.last().map_or(0, |last| (self.pieces.len() - 1) * PIECE + last.len())
    }

    /// Adds a place without an entry.
    fn add(&mut self) {
        if self.pieces.last().is_none_or(|last| last.len() == PIECE) {
            // the first is small for long: a partition may have few aggregates
            let room = if self.pieces.is_empty() { 0 } else { PIECE };
            self.pieces.push(Vec::with_capacity(room));
        }
        let last = self.pieces.len() - 1;
        self.pieces[last].push(None);
    }

    fn get(&self, place: usize) -> Option<&Entry<S>> {
        self.pieces.get(place / PIECE)?.get(place % PIECE)?.as_ref()
    }

    /// The place, which must have been added.
    fn at(&mut self, place: usize) -> &mut Option<Entry<S>> {
        &mut self.pieces[place / PIECE][place % PIECE]
    }
}

/// Aggregates by id.
pub(super) struct Cache<S> {
    places: Hashed,
    entries: Entries<S>,
    free: Vec<u32>,
    bytes: usize,
    /// `None`: everything stays.
    budget: Option<Arc<CacheBudget>>,
    /// Where the next entry is looked for that may go. What was used since it was here may stay
    /// for another round: nearly as good as to let go of what was used longest ago, and cheaper.
    hand: usize,
    /// The newest checkpoint that has been written: what changed later must stay.
    written: u64,
}

impl<S> Cache<S> {
    /// One from which nothing goes.
    pub(super) fn unbounded() -> Self {
        Self::new(None)
    }

    fn new(budget: Option<Arc<CacheBudget>>) -> Self {
        let (places, entries, free) = (Hashed::default(), Entries::default(), Vec::new());
        Self { places, entries, free, bytes: 0, budget, hand: 0, written: 0 }
    }

    /// One within a budget.
    pub(super) fn within(budget: Arc<CacheBudget>) -> Self {
        budget.join();
        Self::new(Some(budget))
    }

    /// Brings near what [`Cache::find`] will look at for these hashes.
    pub(super) fn approach(&self, hashes: &[Hash]) {
        // in rounds: what one finds tells the next where to look
        let mut seen = [0; LOOKED_AHEAD];
        for hashes in hashes.chunks(LOOKED_AHEAD) {
            for (seen, hash) in seen.iter_mut().zip(hashes) {
                *seen = self.places.glance(*hash);
            }
            let places = seen.iter().take(hashes.len()).map(|number| number.wrapping_sub(1) as usize);
            let entries = places.filter_map(|place| self.entries.get(place));
            let states = entries.map(|entry| match &entry.held {
                Held::Encoded(bytes) => bytes.first().copied().map_or(0, usize::from),
                Held::Decoded(versioned) => versioned.state.as_ref().map_or(0, Arc::strong_count),
            });
            std::hint::black_box(states.fold(0, |all, seen| all ^ seen));
        }
    }

    /// Where the aggregate is, if it is here; until the next change of the cache.
    pub(super) fn find(&self, hash: Hash, id: &AggregateId) -> Option<usize> {
        let id = id.as_str().as_bytes();
        let is_it =
            |place: u32| self.entries.get(place as usize).is_some_and(|entry| entry.id.as_bytes() == id);
        self.places.find(hash, is_it).map(|place| place as usize)
    }

    /// What was found there.
    pub(super) fn at(&mut self, place: usize) -> Option<&mut Entry<S>> {
        let entry = self.entries.at(place).as_mut()?;
        entry.is_used = true;
        Some(entry)
    }

    /// Keeps an aggregate whose encoded state has so many bytes, where it was found or anew.
    pub(super) fn put(
        &mut self,
        found: Option<usize>,
        (hash, id): (Hash, &AggregateId),
        held: Held<S>,
        encoded: usize,
        unwritten: Option<Unwritten>,
    ) {
        let bytes = Self::bytes_of(id, &held, encoded);
        self.bytes += bytes;
        let bytes = bytes as u32;
        if let Some(entry) = found.and_then(|place| self.at(place)) {
            let before = std::mem::replace(&mut entry.bytes, bytes) as usize;
            entry.held = held;
            entry.unwritten = unwritten;
            self.bytes -= before;
        } else {
            let entry = Entry { id: Id::of(id), held, unwritten, bytes, is_used: false };
            let place = self.free.pop().unwrap_or_else(|| {
                self.entries.add();
                (self.entries.len() - 1) as u32
            });
            *self.entries.at(place as usize) = Some(entry);
            self.places.add(hash, place);
        }
        self.make_room(LOOKED_AT);
    }

    /// What an entry takes in memory, about.
    fn bytes_of(id: &AggregateId, held: &Held<S>, encoded: usize) -> usize {
        let state = match held {
            Held::Encoded(bytes) => bytes.len() + ALLOCATION_BYTES,
            // texts and lists are about as long as they are encoded, each with an allocation of its own
            Held::Decoded(Versioned { state: Some(_), .. }) => {
                size_of::<S>() + 2 * ALLOCATION_BYTES + encoded + encoded / 2
            }
            Held::Decoded(_) => 0,
        };
        let length = id.as_str().len();
        let id = if length > SHORT_ID { length + ALLOCATION_BYTES } else { 0 };
        size_of::<Option<Entry<S>>>() + TABLE_BYTES + id + state
    }

    /// Lets go of what was found there.
    pub(super) fn let_go(&mut self, hash: Hash, place: usize) {
        self.places.remove(hash, place as u32);
        if let Some(entry) = self.entries.at(place).take() {
            self.bytes -= entry.bytes as usize;
            self.free.push(place as u32);
        }
    }

    /// All changes up to this checkpoint are in the store.
    pub(super) fn written(&mut self, checkpoint: u64) {
        self.written = checkpoint;
        self.make_room(2 * self.entries.len());
    }

    /// Lets go of what was not used of late, as long as there is too much.
    fn make_room(&mut self, mut looked_at: usize) {
        let Some(share) = self.budget.as_ref().map(|budget| budget.share()) else { return };
        while self.bytes > share && looked_at > 0 && self.entries.len() > 0 {
            looked_at -= 1;
            let place = self.hand % self.entries.len();
            self.hand = place + 1;
            let Some(entry) = self.entries.at(place) else { continue };
            let must_stay = entry.unwritten.is_some_and(|unwritten| unwritten.checkpoint > self.written);
            if std::mem::take(&mut entry.is_used) || must_stay {
                continue;
            }
            let hash = Hash::of(entry.id.as_bytes());
            self.let_go(hash, place);
        }
    }

    /// How many are here.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How much memory they take, about, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<S> Drop for Cache<S> {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: &str) -> AggregateId {
        AggregateId::new("User", &[n])
    }

    fn none() -> Held<()> {
        Held::Decoded(Versioned::none())
    }

    fn put(cache: &mut Cache<()>, n: &str, unwritten: Option<u64>) {
        let unwritten = unwritten.map(|checkpoint| Unwritten { checkpoint, place: ChangePlace::default() });
        let found = cache.find(Hash::of(id(n).as_str()), &id(n));
        cache.put(found, (Hash::of(id(n).as_str()), &id(n)), none(), 0, unwritten);
    }

    fn has(cache: &mut Cache<()>, n: &str) -> bool {
        let found = cache.find(Hash::of(id(n).as_str()), &id(n));
        found.is_some_and(|place| cache.at(place).is_some())
    }

    fn room_for(entries: usize) -> Arc<CacheBudget> {
        CacheBudget::new(entries * Cache::<()>::bytes_of(&id("a"), &none(), 0))
    }

    #[test]
    fn forgets_what_was_not_used() {
        let budget = room_for(3);
        let mut cache = Cache::within(Arc::clone(&budget));
        for n in ["a", "b", "c"] {
            put(&mut cache, n, None);
        }
        assert!(has(&mut cache, "a"));
        put(&mut cache, "d", None);
        assert_eq!(cache.len(), 3);
        assert!(has(&mut cache, "a") && !has(&mut cache, "b"), "b was not used since it came");
        let second = Cache::<()>::within(budget);
        for n in ["e", "f", "g", "h"] {
            put(&mut cache, n, None);
        }
        assert_eq!(cache.len(), 1, "two caches share the bound");
        drop(second);
        for n in ["i", "j", "k", "l"] {
            put(&mut cache, n, None);
        }
        assert_eq!(cache.len(), 3, "and one has it for itself again");
    }

    #[test]
    fn what_no_store_has_yet_stays() {
        let mut cache = Cache::within(room_for(1));
        for n in ["a", "b", "c"] {
            put(&mut cache, n, Some(1));
        }
        put(&mut cache, "d", Some(2));
        assert_eq!(cache.len(), 4);
        cache.written(1);
        assert_eq!(cache.len(), 1);
        assert!(has(&mut cache, "d"));
        let hash = Hash::of(id("d").as_str());
        let place = cache.find(hash, &id("d")).unwrap();
        cache.let_go(hash, place);
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
    }

    #[test]
    fn ids_of_every_length_are_told_apart() {
        let mut cache = Cache::unbounded();
        let ids: Vec<String> = (1..120).map(|length| "x".repeat(length)).collect();
        for n in &ids {
            put(&mut cache, n, None);
            put(&mut cache, n, None);
        }
        assert_eq!(cache.len(), ids.len());
        assert!(ids.iter().all(|n| has(&mut cache, n)));
        assert!(!has(&mut cache, &"x".repeat(120)));
    }
}
