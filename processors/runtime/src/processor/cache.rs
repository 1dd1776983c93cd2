//! Decoded aggregates that were used last, within a bound of bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashlink::LinkedHashMap;
use millrace_kernel::AggregateId;

use super::state::Versioned;

/// What an entry takes beside its id and its state: links, hash and counts.
const ENTRY_BYTES: usize = 160;
/// How much larger a decoded state is than its bytes in the topic, roughly.
const DECODED_FACTOR: usize = 3;

/// The memory that all caches of a process share.
pub struct CacheBudget {
    bytes: usize,
    users: AtomicUsize,
}

impl CacheBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, users: AtomicUsize::new(0) })
    }

    fn share(&self) -> usize {
        self.bytes / self.users.load(Ordering::Relaxed).max(1)
    }
}

/// The aggregates used last, of one partition.
pub(super) struct Cache<S> {
    entries: LinkedHashMap<AggregateId, (Versioned<S>, usize)>,
    bytes: usize,
    budget: Arc<CacheBudget>,
}

impl<S> Cache<S> {
    pub(super) fn new(budget: Arc<CacheBudget>) -> Self {
        budget.users.fetch_add(1, Ordering::Relaxed);
        Self { entries: LinkedHashMap::new(), bytes: 0, budget }
    }

    /// The aggregate, if it is here; from now on it is the one used last.
    pub(super) fn get(&mut self, id: &AggregateId) -> Option<Versioned<S>> {
        self.entries.to_back(id).map(|(versioned, _)| versioned.clone())
    }

    /// Keeps an aggregate whose encoded state has so many bytes.
    pub(super) fn put(&mut self, id: AggregateId, versioned: Versioned<S>, encoded: usize) {
        let bytes = ENTRY_BYTES + 2 * id.as_str().len() + DECODED_FACTOR * encoded;
        self.bytes += bytes;
        if let Some((_, before)) = self.entries.insert(id, (versioned, bytes)) {
            self.bytes -= before;
        }
        let share = self.budget.share();
        while self.bytes > share {
            let Some((_, (_, bytes))) = self.entries.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    pub(super) fn remove(&mut self, id: &AggregateId) {
        if let Some((_, bytes)) = self.entries.remove(id) {
            self.bytes -= bytes;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<S> Drop for Cache<S> {
    fn drop(&mut self) {
        self.budget.users.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_what_was_used_longest_ago() {
        let budget = CacheBudget::new(3 * (ENTRY_BYTES + 2 * "User/a".len()));
        let mut cache = Cache::<()>::new(Arc::clone(&budget));
        let id = |n: &str| AggregateId::new("User", &[n]);
        for n in ["a", "b", "c"] {
            cache.put(id(n), Versioned::none(), 0);
        }
        assert!(cache.get(&id("a")).is_some());
        cache.put(id("d"), Versioned::none(), 0);
        assert!(cache.get(&id("b")).is_none(), "b was used longest ago");
        assert!(cache.get(&id("a")).is_some());
        let _second = Cache::<()>::new(budget);
        cache.put(id("e"), Versioned::none(), 0);
        assert_eq!(cache.len(), 1, "two caches share the bound");
    }
}
