//! What projectors know by key: what was used of late near at hand, all of it on disk.

use std::path::PathBuf;
use std::sync::Arc;

use hashbrown::HashMap;
use millrace_kernel::Known;
use millrace_ports::{Answered, Change, LocalFault, LocalStore, Space};

use super::turns::OnDisk;
use crate::local::CacheBudget;

/// What a value takes in memory beside its own bytes and its key's: the entry, two allocations, a table that is half full.
const ENTRY_BYTES: usize = 96;

/// A projector's store has no answers.
const NO_ANSWERS: Answered = Answered { oldest: 0, newest: 0 };

type Values<T> = HashMap<Box<[u8]>, T>;

/// The memory of one projector.
#[derive(Default)]
pub struct Kept {
    disk: Option<Disk>,
    /// What the store does not have yet, or all there is where there is none. Nothing: forgotten.
    unwritten: Values<Option<Vec<u8>>>,
    /// The first fault of a look-up; nothing that was staged since may be used.
    fault: Option<LocalFault>,
}

/// A store, and what is near of it, in two halves: what is used moves to the nearer one, and when that is full the farther
/// one is dropped. That lets go of what was not used for longest, about, and costs nothing else.
struct Disk {
    store: Arc<dyn LocalStore>,
    budget: Arc<CacheBudget>,
    near: Values<Vec<u8>>,
    near_bytes: usize,
    far: Values<Vec<u8>>,
}

impl Kept {
    /// Over a store, with a share of the budget for what is near.
    #[must_use]
    pub fn over(store: Arc<dyn LocalStore>, budget: Arc<CacheBudget>) -> Self {
        budget.join();
        let disk = Disk { store, budget, near: Values::new(), near_bytes: 0, far: Values::new() };
        Self { disk: Some(disk), ..Self::default() }
    }

    /// Whether it is on disk as well.
    pub(super) fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Where it is on disk, for messages.
    pub(super) fn path(&self) -> PathBuf {
        self.disk.as_ref().map(|disk| disk.store.path()).unwrap_or_default()
    }

    /// How many keys have changed since the last write.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// What was in the way of a look-up since the last call.
    pub(super) fn take_fault(&mut self) -> Option<LocalFault> {
        self.fault.take()
    }

    /// Writes what has changed, for measurements: nobody can begin from that.
    ///
    /// # Errors
    /// [`LocalFault`].
    pub fn write_alone(&mut self) -> Result<(), LocalFault> {
        self.write(&[], b"{}")
    }

    /// Writes what has changed, with the events that are written in turns and the `point` all is as of, all or nothing.
    ///
    /// # Errors
    /// [`LocalFault`]; then all of it is tried again with the next call.
    pub(super) fn write(&mut self, parked: &[OnDisk], point: &[u8]) -> Result<(), LocalFault> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let of_parked: Vec<[u8; 8]> = parked.iter().map(|(offset, _)| offset.to_be_bytes()).collect();
        let known = self.unwritten.iter().map(|(key, value)| (Space::Aggregates, &**key, value));
        let in_turns = of_parked.iter().zip(parked).map(|(key, (_, value))| (Space::Kept, &key[..], value));
        let changes: Vec<Change<'_>> = known
            .chain(in_turns)
            .map(|(space, key, value)| Change { space, key, value: value.as_deref() })
            .collect();
        disk.store.write(&changes, NO_ANSWERS, point)?;
        for (key, value) in std::mem::take(&mut self.unwritten) {
            disk.far.remove(&key);
            match value {
                Some(value) => disk.bring_near(key, value),
                None => drop(disk.near.remove(&key)),
            }
        }
        Ok(())
    }
}

impl Disk {
    /// Finds the value of a key and brings it near, if there is one.
    fn find(&mut self, key: &[u8]) -> Result<(), LocalFault> {
        if self.near.contains_key(key) {
            return Ok(());
        }
        let found = match self.far.remove(key) {
            Some(value) => Some(value),
            None => self.store.get(Space::Aggregates, key)?.map(|value| value.to_vec()),
        };
        if let Some(value) = found {
            self.bring_near(key.into(), value);
        }
        Ok(())
    }

    fn bring_near(&mut self, key: Box<[u8]>, value: Vec<u8>) {
        let bytes = key.len() + value.len() + ENTRY_BYTES;
        if self.near_bytes + bytes > self.budget.share() / 2 {
            self.far = std::mem::take(&mut self.near);
            self.near_bytes = 0;
        }
        self.near_bytes += bytes;
        self.near.insert(key, value);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.budget.leave();
    }
}

impl Known for Kept {
    fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        if let Some(held) = self.unwritten.get(key) {
            return held.as_deref();
        }
        let disk = self.disk.as_mut()?;
        if let Err(fault) = disk.find(key) {
            self.fault.get_or_insert(fault);
            return None;
        }
        disk.near.get(key).map(Vec::as_slice)
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) {
        match self.unwritten.get_mut(key) {
            Some(held) => *held = Some(value),
            None => drop(self.unwritten.insert(key.into(), Some(value))),
        }
    }

    fn remove(&mut self, key: &[u8]) {
        match &self.disk {
            None => drop(self.unwritten.remove(key)),
            Some(_) => drop(self.unwritten.insert(key.into(), None)),
        }
    }

    fn distrust(&mut self, key: &[u8], why: String) {
        let path = self.path();
        let why =
            format!("what is kept of {} is not what was put there: {why}", String::from_utf8_lossy(key));
        self.fault.get_or_insert(LocalFault::Damaged { path, why });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use bytes::Bytes;

    use super::*;

    /// A store that counts how often it is asked.
    #[derive(Default)]
    struct Counting {
        values: Mutex<BTreeMap<Vec<u8>, Bytes>>,
        asked: Mutex<usize>,
    }

    impl LocalStore for Counting {
        fn get(&self, _: Space, key: &[u8]) -> Result<Option<Bytes>, LocalFault> {
            *self.asked.lock().unwrap() += 1;
            Ok(self.values.lock().unwrap().get(key).cloned())
        }
        fn scan_kept(&self, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LocalFault> {
            Ok(())
        }
        fn write(&self, changes: &[Change<'_>], _: Answered, _: &[u8]) -> Result<(), LocalFault> {
            let mut values = self.values.lock().unwrap();
            for change in changes {
                match change.value {
                    Some(value) => values.insert(change.key.to_vec(), Bytes::copy_from_slice(value)),
                    None => values.remove(change.key),
                };
            }
            Ok(())
        }
        fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault> {
            Ok(None)
        }
        fn path(&self) -> PathBuf {
            PathBuf::new()
        }
    }

    #[test]
    fn what_was_put_is_found_wherever_it_lies_and_memory_stays_bounded() {
        let store = Arc::new(Counting::default());
        let budget = CacheBudget::new(100 * (ENTRY_BYTES + 16));
        let mut kept = Kept::over(Arc::clone(&store) as Arc<dyn LocalStore>, budget);
        let key = |n: usize| format!("key-{n:04}").into_bytes();
        for n in 0..1_000 {
            kept.put(&key(n), vec![n as u8; 8]);
            if n % 10 == 9 {
                kept.write(&[], b"").unwrap();
            }
        }
        let disk = kept.disk.as_ref().unwrap();
        assert!(disk.near.len() + disk.far.len() <= 100, "{} and {}", disk.near.len(), disk.far.len());
        for n in 0..1_000 {
            assert_eq!(kept.get(&key(n)), Some(&vec![n as u8; 8][..]), "{n}");
        }
        kept.remove(&key(3));
        assert_eq!(kept.get(&key(3)), None, "forgotten before it is written");
        kept.write(&[], b"").unwrap();
        assert_eq!(kept.get(&key(3)), None, "and after");
        let before = *store.asked.lock().unwrap();
        for _ in 0..50 {
            assert!(kept.get(&key(7)).is_some());
        }
        assert!(*store.asked.lock().unwrap() <= before + 1, "what is used stays near");
        kept.put(&key(7), b"new".to_vec());
        assert_eq!(kept.get(&key(7)), Some(&b"new"[..]));
        kept.write(&[], b"").unwrap();
        assert_eq!(kept.get(&key(7)), Some(&b"new"[..]));
        assert_eq!(kept.unwritten(), 0);
    }

    #[test]
    fn without_a_disk_everything_is_in_memory() {
        let mut kept = Kept::default();
        kept.put(b"a", b"1".to_vec());
        kept.write(&[], b"").unwrap();
        assert_eq!(kept.get(b"a"), Some(&b"1"[..]));
        kept.remove(b"a");
        assert_eq!(kept.get(b"a"), None);
        assert_eq!(kept.unwritten(), 0);
        kept.distrust(b"a", "it is no number".to_owned());
        assert!(kept.take_fault().is_some_and(|fault| fault.is_lasting()));
    }
}
