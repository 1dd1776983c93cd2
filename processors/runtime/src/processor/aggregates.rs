//! The newest state of every aggregate of a partition: all of it in memory, or a bounded cache
//! over a store on disk. What was read is decoded when it is first asked for.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use millrace_kernel::AggregateId;
use millrace_ports::{LocalStore, Space};

use super::cache::{Cache, CacheBudget};
use super::checkpoint::Frozen;
use super::fault::CopyFault;
use super::state::Versioned;

/// Turns a record of the state topic into what it says of an aggregate.
pub type Decode<S> = Arc<dyn Fn(&AggregateId, &[u8]) -> Result<Versioned<S>, CopyFault> + Send + Sync>;

/// The aggregates of one partition.
pub(super) struct Aggregates<S> {
    decode: Decode<S>,
    kept_in: KeptIn<S>,
}

enum KeptIn<S> {
    Memory(RefCell<HashMap<AggregateId, Held<S>>>),
    Store(Stored<S>),
}

enum Held<S> {
    Encoded(Bytes),
    Decoded(Versioned<S>),
}

struct Stored<S> {
    store: Arc<dyn LocalStore>,
    cache: RefCell<Cache<S>>,
    /// What has changed since the last checkpoint, as the topic has it; `None` is forgotten.
    fresh: HashMap<AggregateId, Option<Bytes>>,
}

impl<S> Aggregates<S> {
    /// None yet, and all that come stay in memory.
    pub(super) fn in_memory(decode: Decode<S>) -> Self {
        Self { decode, kept_in: KeptIn::Memory(RefCell::default()) }
    }

    /// Those of `store`, with a cache within `budget`.
    pub(super) fn stored(decode: Decode<S>, store: Arc<dyn LocalStore>, budget: Arc<CacheBudget>) -> Self {
        let cache = RefCell::new(Cache::new(budget));
        Self { decode, kept_in: KeptIn::Store(Stored { store, cache, fresh: HashMap::new() }) }
    }

    /// The newest version of an aggregate. `writing` is what a checkpoint under way has taken over.
    pub(super) fn get(
        &self,
        id: &AggregateId,
        writing: Option<&Frozen>,
    ) -> Result<Option<Versioned<S>>, CopyFault> {
        match &self.kept_in {
            KeptIn::Memory(all) => {
                let mut all = all.borrow_mut();
                let Some(held) = all.get_mut(id) else { return Ok(None) };
                if let Held::Encoded(bytes) = held {
                    *held = Held::Decoded((self.decode)(id, bytes)?);
                }
                let Held::Decoded(versioned) = held else { return Ok(None) };
                Ok(Some(versioned.clone()))
            }
            KeptIn::Store(stored) => stored.get(id, writing, &self.decode),
        }
    }

    /// Takes in a record of the state topic; without a value the aggregate is forgotten.
    pub(super) fn take_in(&mut self, id: AggregateId, value: Option<Bytes>) {
        match &mut self.kept_in {
            KeptIn::Memory(all) => {
                let all = all.get_mut();
                match value {
                    Some(value) => all.insert(id, Held::Encoded(value)),
                    None => all.remove(&id),
                };
            }
            KeptIn::Store(stored) => {
                stored.cache.get_mut().remove(&id);
                stored.fresh.insert(id, value);
            }
        }
    }

    /// Takes in what this processor has committed: as it decoded it, and as it wrote it.
    pub(super) fn merge(&mut self, id: AggregateId, versioned: Versioned<S>, written: Option<Bytes>) {
        match &mut self.kept_in {
            KeptIn::Memory(all) => {
                if written.is_some() {
                    all.get_mut().insert(id, Held::Decoded(versioned));
                } else {
                    all.get_mut().remove(&id);
                }
            }
            KeptIn::Store(stored) => {
                let size = written.as_ref().map_or(0, Bytes::len);
                stored.fresh.insert(id.clone(), written);
                stored.cache.get_mut().put(id, versioned, size);
            }
        }
    }

    /// Hands over what has changed since the last checkpoint.
    pub(super) fn freeze(&mut self) -> HashMap<AggregateId, Option<Bytes>> {
        match &mut self.kept_in {
            KeptIn::Memory(_) => HashMap::new(),
            KeptIn::Store(stored) => std::mem::take(&mut stored.fresh),
        }
    }

    /// How many have changed since the last checkpoint; 0 without a store.
    pub(super) fn changed(&self) -> usize {
        match &self.kept_in {
            KeptIn::Memory(_) => 0,
            KeptIn::Store(stored) => stored.fresh.len(),
        }
    }

    /// How many are in memory.
    pub(super) fn len(&self) -> usize {
        match &self.kept_in {
            KeptIn::Memory(all) => all.borrow().len(),
            KeptIn::Store(stored) => stored.cache.borrow().len(),
        }
    }
}

impl<S> Stored<S> {
    fn get(
        &self,
        id: &AggregateId,
        writing: Option<&Frozen>,
        decode: &Decode<S>,
    ) -> Result<Option<Versioned<S>>, CopyFault> {
        let mut cache = self.cache.borrow_mut();
        if let Some(versioned) = cache.get(id) {
            return Ok((!versioned.is_forgotten()).then_some(versioned));
        }
        let bytes = match self.fresh.get(id) {
            Some(fresh) => fresh.clone(),
            None => match writing.and_then(|frozen| frozen.aggregates.get(id)) {
                Some(frozen) => frozen.clone(),
                None => self.store.get(Space::Aggregates, id.as_str().as_bytes())?,
            },
        };
        let versioned = bytes.as_deref().map(|bytes| decode(id, bytes)).transpose()?;
        let size = bytes.as_ref().map_or(0, Bytes::len);
        // that there is none is worth remembering, too: whoever creates it asks twice
        cache.put(id.clone(), versioned.clone().unwrap_or_else(Versioned::none), size);
        Ok(versioned)
    }
}
