//! The newest state of every aggregate of a partition: all of it in memory, or a bounded cache
//! over a store on disk. What was read is decoded when it is first asked for.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::AggregateId;
use millrace_kernel::bookkeeping::Bookkeeping;
use millrace_ports::{LocalStore, Space};

use super::cache::{Cache, Held, Unwritten};
use super::changes::Changes;
use super::fault::CopyFault;
use super::hashed::Hash;
use super::state::Versioned;
use crate::local::CacheBudget;

/// Turns a record of the state topic into what it says of an aggregate.
pub type Decode<S> = Arc<dyn Fn(&AggregateId, &[u8]) -> Result<Versioned<S>, CopyFault> + Send + Sync>;

/// The aggregates of one partition.
pub(super) struct Aggregates<S> {
    decode: Decode<S>,
    cache: RefCell<Cache<S>>,
    stored: Option<Stored>,
}

struct Stored {
    store: Arc<dyn LocalStore>,
    /// What has changed since the last checkpoint, as the topic has it. In the cache, too.
    changes: Changes,
    /// The checkpoint in which `changes` will be written.
    checkpoint: u64,
    /// Room that was given back.
    room: Option<Changes>,
}

/// What a checkpoint writes of the aggregates.
#[derive(Debug)]
pub(super) struct AggregatesPart {
    pub(super) changes: Changes,
    checkpoint: u64,
}

impl<S> Aggregates<S> {
    /// None yet, and all that come stay in memory.
    pub(super) fn in_memory(decode: Decode<S>) -> Self {
        Self { decode, cache: RefCell::new(Cache::unbounded()), stored: None }
    }

    /// Those of `store`, with a cache within `budget`.
    pub(super) fn stored(decode: Decode<S>, store: Arc<dyn LocalStore>, budget: Arc<CacheBudget>) -> Self {
        let stored = Stored { store, changes: Changes::default(), checkpoint: 1, room: None };
        Self { decode, cache: RefCell::new(Cache::within(budget)), stored: Some(stored) }
    }

    /// The newest version of an aggregate.
    pub(super) fn get(&self, hash: Hash, id: &AggregateId) -> Result<Option<Versioned<S>>, CopyFault> {
        let mut cache = self.cache.borrow_mut();
        if let Some(entry) = cache.find(hash, id).and_then(|place| cache.at(place)) {
            if let Held::Encoded(bytes) = &entry.held {
                entry.held = Held::Decoded((self.decode)(id, bytes)?);
            }
            let Held::Decoded(versioned) = &entry.held else { return Ok(None) };
            return Ok((!versioned.is_forgotten()).then(|| versioned.clone()));
        }
        let Some(stored) = &self.stored else { return Ok(None) };
        let bytes = stored.store.get(space_of(id), id.as_str().as_bytes())?;
        let versioned = bytes.as_deref().map(|bytes| (self.decode)(id, bytes)).transpose()?;
        // that there is none is worth remembering, too: whoever creates it asks twice
        let held = Held::Decoded(versioned.clone().unwrap_or_else(Versioned::none));
        cache.put(None, (hash, id), held, bytes.as_ref().map_or(0, Bytes::len), None);
        Ok(versioned)
    }

    /// Brings near what [`Aggregates::get`] will look at for these hashes.
    pub(super) fn approach(&self, hashes: &[Hash]) {
        self.cache.borrow().approach(hashes);
    }

    /// Takes in a record of the state topic; without a value the aggregate is forgotten.
    pub(super) fn take_in(&mut self, id: &AggregateId, value: Option<&[u8]>) {
        // a copy, as a record is a part of a larger piece of memory
        let held = value.map(|value| Held::Encoded(Bytes::copy_from_slice(value)));
        let held = held.unwrap_or_else(|| Held::Decoded(Versioned::none()));
        self.change(Hash::of(id.as_str()), id, held, value);
    }

    /// Takes in what this processor has committed: as it decoded it, and as it wrote it.
    pub(super) fn merge(
        &mut self,
        hash: Hash,
        id: &AggregateId,
        versioned: Versioned<S>,
        written: Option<&[u8]>,
    ) {
        let versioned = if written.is_some() { versioned } else { Versioned::none() };
        self.change(hash, id, Held::Decoded(versioned), written);
    }

    /// Keeps a new state, and notes it for the next checkpoint.
    fn change(&mut self, hash: Hash, id: &AggregateId, held: Held<S>, state: Option<&[u8]>) {
        let cache = self.cache.get_mut();
        let found = cache.find(hash, id);
        let encoded = state.map_or(0, <[u8]>::len);
        let Some(Stored { changes, checkpoint, .. }) = &mut self.stored else {
            match (found, state) {
                (Some(place), None) => cache.let_go(hash, place),
                (None, None) => {}
                _ => cache.put(found, (hash, id), held, encoded, None),
            }
            return;
        };
        let before = found.and_then(|place| cache.at(place)).and_then(|entry| entry.unwritten);
        let place = match before {
            Some(before) if before.checkpoint == *checkpoint => changes.replace(before.place, id, state),
            _ => changes.add(id, state),
        };
        let unwritten = Some(Unwritten { checkpoint: *checkpoint, place });
        cache.put(found, (hash, id), held, encoded, unwritten);
    }

    /// Hands over what has changed since the last checkpoint. The cache holds it until
    /// [`Aggregates::reuse`] says that it is written.
    pub(super) fn freeze(&mut self) -> AggregatesPart {
        let Some(stored) = &mut self.stored else {
            return AggregatesPart { changes: Changes::default(), checkpoint: 0 };
        };
        let changes = std::mem::replace(&mut stored.changes, stored.room.take().unwrap_or_default());
        stored.checkpoint += 1;
        AggregatesPart { changes, checkpoint: stored.checkpoint - 1 }
    }

    /// Gives back what was frozen and has been written.
    pub(super) fn reuse(&mut self, mut written: AggregatesPart) {
        if let Some(stored) = &mut self.stored {
            self.cache.get_mut().written(written.checkpoint);
            written.changes.clear();
            stored.room = Some(written.changes);
        }
    }

    /// How many have changed since the last checkpoint; 0 without a store.
    pub(super) fn changed(&self) -> usize {
        self.stored.as_ref().map_or(0, |stored| stored.changes.len())
    }

    /// How much memory the changes since the last checkpoint take, in bytes.
    pub(super) fn changed_bytes(&self) -> usize {
        self.stored.as_ref().map_or(0, |stored| stored.changes.bytes())
    }

    /// How many are in memory.
    pub(super) fn len(&self) -> usize {
        self.cache.borrow().len()
    }

    /// How much memory they take, about, in bytes.
    pub(super) fn cache_bytes(&self) -> usize {
        self.cache.borrow().bytes()
    }
}

/// Where the states of an aggregate, or of what the engine keeps, are in a store.
fn space_of(id: &AggregateId) -> Space {
    if Bookkeeping::is_kept_under(id) { Space::Kept } else { Space::Aggregates }
}
