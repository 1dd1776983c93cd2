//! What a projector knows of the events so far, by key.
//!
//! The engine keeps it: near at hand what was used of late, on disk the rest, with the offset it has reached. So a
//! projector holds nothing in itself, and a restart reads the tail of the events.

use std::collections::HashMap;

/// Values by key, as of the event that is being taken in.
///
/// What cannot be read is no error here, as a projector is a total function of what it sees: [`Known::get`] gives
/// nothing, the engine takes note of the fault and drops what came of the event.
pub trait Known {
    /// What was put last under `key`.
    fn get(&mut self, key: &[u8]) -> Option<&[u8]>;

    /// Puts a value under `key`, which is not empty.
    fn put(&mut self, key: &[u8], value: Vec<u8>);

    /// Forgets what is under `key`.
    fn remove(&mut self, key: &[u8]);

    /// Says that what is under `key` cannot be what was put there; the engine folds all events again.
    fn distrust(&mut self, key: &[u8], why: String);
}

/// What a projector needs of the events before the one that it takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: it begins wherever the rows end.
    Nothing,
    /// What it has put by key.
    ByKey,
    /// All of them, folded in itself: whoever begins reads from the first event.
    Fold,
}

/// All of it in memory: for audits, tests and tools.
#[derive(Debug, Default)]
pub struct InMemory(HashMap<Box<[u8]>, Vec<u8>>);

impl InMemory {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Known for InMemory {
    fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.0.insert(key.into(), value);
    }

    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    /// # Panics
    /// Always: nobody else has written here.
    fn distrust(&mut self, key: &[u8], why: String) {
        panic!("{}: {why}", String::from_utf8_lossy(key));
    }
}
