//! A registry that lags, counts and can be held.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use millrace_wire::{Latest, MemoryRegistry, Registry, RegistryFault};

/// How long a test waits for what must happen.
const SOON: Duration = Duration::from_secs(10);

/// A registry whose answers about ids can be late.
pub struct Lagging {
    pub inner: MemoryRegistry,
    /// Whether ids are not known yet.
    pub lags: AtomicBool,
    /// Whether it answers which subjects an id is of.
    pub tells_subjects: AtomicBool,
    /// How often it was asked for a schema.
    pub asked: AtomicUsize,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    held: Option<u32>,
    is_asked: bool,
}

/// An id whose answer is held back until this is dropped.
pub struct Held(Arc<Gate>);

impl Held {
    pub fn wait_until_asked(&self) {
        let state = self.0.state.lock().unwrap();
        let (_state, timed_out) = self.0.changed.wait_timeout_while(state, SOON, |it| !it.is_asked).unwrap();
        assert!(!timed_out.timed_out(), "nobody asks for it");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().held = None;
        self.0.changed.notify_all();
    }
}

impl Default for Lagging {
    fn default() -> Self {
        Self {
            inner: MemoryRegistry::default(),
            lags: AtomicBool::new(false),
            tells_subjects: AtomicBool::new(true),
            asked: AtomicUsize::new(0),
            gate: Arc::default(),
        }
    }
}

impl Lagging {
    /// Answers nothing about `id` for a while.
    pub fn hold(&self, id: u32) -> Held {
        *self.gate.state.lock().unwrap() = GateState { held: Some(id), is_asked: false };
        Held(Arc::clone(&self.gate))
    }
}

impl Registry for Lagging {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        self.inner.register(subject, schema)
    }

    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        self.inner.find(subject, schema)
    }

    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut state = self.gate.state.lock().unwrap();
        if state.held == Some(id) {
            state.is_asked = true;
            self.gate.changed.notify_all();
            drop(self.gate.changed.wait_timeout_while(state, 2 * SOON, |it| it.held == Some(id)).unwrap());
        }
        match self.lags.load(Ordering::SeqCst) {
            true => Ok(None),
            false => self.inner.schema(id),
        }
    }

    fn subjects(&self, id: u32) -> Result<Option<Vec<String>>, RegistryFault> {
        match self.tells_subjects.load(Ordering::SeqCst) {
            true => self.inner.subjects(id),
            false => Ok(None),
        }
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
