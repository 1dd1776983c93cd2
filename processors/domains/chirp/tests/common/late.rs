//! A registry whose answers are those of a replica that lags behind.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use millrace_wire::{Latest, MemoryRegistry, Registry, RegistryFault};

/// A registry that does not know some ids yet.
#[derive(Default)]
pub struct LateRegistry {
    inner: MemoryRegistry,
    late: Mutex<BTreeSet<u32>>,
    asked: AtomicUsize,
    is_away: AtomicBool,
}

impl LateRegistry {
    /// Registers a schema of which it does not know the id yet.
    pub fn register_late(&self, subject: &str, schema: &str) -> u32 {
        let id = self.inner.register(subject, schema).unwrap();
        self.late.lock().unwrap().insert(id);
        id
    }

    /// Knows all that is registered.
    pub fn catch_up(&self) {
        self.late.lock().unwrap().clear();
    }

    /// Whether it answers nothing that is asked by an id.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How often it was asked for a schema by its id.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Registry for LateRegistry {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        self.inner.register(subject, schema)
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        self.inner.find(subject, schema)
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            let (url, message) = ("http://registry".to_owned(), "timeout".to_owned());
            return Err(RegistryFault::Unavailable { url, message });
        }
        match self.late.lock().unwrap().contains(&id) {
            true => Ok(None),
            false => self.inner.schema(id),
        }
    }

    fn subjects(&self, id: u32) -> Result<Option<Vec<String>>, RegistryFault> {
        self.inner.subjects(id)
    }

    fn latest(&self, subject: &str) -> Result<Option<Latest>, RegistryFault> {
        self.inner.latest(subject)
    }

    fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, RegistryFault> {
        self.inner.is_compatible(subject, schema)
    }

    fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryFault> {
        self.inner.set_compatibility(subject, level)
    }
}
