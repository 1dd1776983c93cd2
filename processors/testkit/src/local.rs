//! Local state in memory: a disk that survives its process and may lose what was written last.

pub mod conformance;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use millrace_ports::{Answered, Change, Identity, LocalFault, LocalStore, LocalStores, Space};

/// How many whole writes a loss of power can take away at most.
const UNSYNCED: usize = 4;

/// A disk. Clones are the same disk; it survives those who opened stores on it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    /// By topic and partition; what an identity says beyond that is part of what is stored.
    stores: BTreeMap<(Arc<str>, i32), Content>,
    open: BTreeSet<(Arc<str>, i32)>,
    set_aside: usize,
    refuses: bool,
    writes: u64,
}

#[derive(Clone)]
struct Content {
    identity: Identity,
    /// What no crash can take away.
    durable: Data,
    /// What only the loss of power takes away, newest first.
    unsynced: Vec<Data>,
    is_damaged: bool,
}

#[derive(Clone, Default)]
struct Data {
    /// With the generation it was written in, which only answers have.
    entries: BTreeMap<(Space, Vec<u8>), (u64, Bytes)>,
    checkpoint: Option<Bytes>,
}

impl Content {
    fn newest(&self) -> &Data {
        self.unsynced.last().unwrap_or(&self.durable)
    }
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process that had it open is gone: nothing is lost, and everything can be opened again.
    pub fn release(&self) {
        self.lock().open.clear();
    }

    /// The power fails: of each store's newest whole writes so many are lost, as long as they were
    /// not brought to the disk.
    pub fn lose_power(&self, writes: usize) {
        let mut disk = self.lock();
        disk.open.clear();
        for content in disk.stores.values_mut() {
            let keep = content.unsynced.len().saturating_sub(writes);
            content.unsynced.truncate(keep);
        }
    }

    /// Everything written so far is safe from the loss of power.
    pub fn sync(&self) {
        for content in self.lock().stores.values_mut() {
            if let Some(newest) = content.unsynced.pop() {
                content.durable = newest;
                content.unsynced.clear();
            }
        }
    }

    /// All of it is lost.
    pub fn wipe(&self) {
        let mut disk = self.lock();
        disk.stores.clear();
        disk.open.clear();
    }

    /// Damages the stores so that everybody who reads them notices.
    pub fn damage(&self) {
        self.lock().stores.values_mut().for_each(|content| content.is_damaged = true);
    }

    /// Whether writes are refused from now on, as when it is full.
    pub fn refuse_writes(&self, refuses: bool) {
        self.lock().refuses = refuses;
    }

    /// How many stores were set aside.
    #[must_use]
    pub fn set_aside_count(&self) -> usize {
        self.lock().set_aside
    }

    /// How many checkpoints were written.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }
}

fn path_of(identity: &Identity) -> PathBuf {
    PathBuf::from(format!("memory/{}/{}", identity.topic, identity.partition))
}

impl LocalStores for MemoryDisk {
    fn open(&self, identity: &Identity) -> Result<Arc<dyn LocalStore>, LocalFault> {
        let place = (Arc::clone(&identity.topic), identity.partition);
        let mut disk = self.lock();
        if disk.open.contains(&place) {
            return Err(LocalFault::Held { path: path_of(identity), by: "this process".to_owned() });
        }
        let content = disk.stores.entry(place.clone()).or_insert_with(|| Content {
            identity: identity.clone(),
            durable: Data::default(),
            unsynced: Vec::new(),
            is_damaged: false,
        });
        if content.identity != *identity {
            return Err(LocalFault::Foreign {
                path: path_of(identity),
                expected: identity.to_string(),
                found: content.identity.to_string(),
            });
        }
        disk.open.insert(place);
        drop(disk);
        Ok(Arc::new(MemoryLocalStore { disk: self.clone(), identity: identity.clone() }))
    }

    fn set_aside(&self, identity: &Identity) -> Result<PathBuf, LocalFault> {
        let place = (Arc::clone(&identity.topic), identity.partition);
        let mut disk = self.lock();
        if disk.open.contains(&place) {
            return Err(LocalFault::Held { path: path_of(identity), by: "this process".to_owned() });
        }
        disk.stores.remove(&place);
        disk.set_aside += 1;
        Ok(path_of(identity).with_extension("set-aside"))
    }

    fn remove(&self, topic: &str) -> Result<(), LocalFault> {
        let mut disk = self.lock();
        if disk.open.iter().any(|place| &*place.0 == topic) {
            return Err(LocalFault::Held { path: PathBuf::from(topic), by: "this process".to_owned() });
        }
        disk.stores.retain(|place, _| &*place.0 != topic);
        Ok(())
    }
}

struct MemoryLocalStore {
    disk: MemoryDisk,
    identity: Identity,
}

impl MemoryLocalStore {
    fn with<T>(&self, act: impl FnOnce(&mut Content) -> T) -> Result<T, LocalFault> {
        let place = (Arc::clone(&self.identity.topic), self.identity.partition);
        let mut disk = self.disk.lock();
        let damaged = |why: &str| LocalFault::Damaged { path: self.path(), why: why.to_owned() };
        let content = disk.stores.get_mut(&place).ok_or_else(|| damaged("the disk was lost"))?;
        if content.is_damaged { Err(damaged("a checksum is wrong")) } else { Ok(act(content)) }
    }
}

impl LocalStore for MemoryLocalStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, LocalFault> {
        self.with(|content| {
            content.newest().entries.get(&(space, key.to_vec())).map(|(_, value)| value.clone())
        })
    }

    fn scan_kept(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LocalFault> {
        self.with(|content| {
            let kept = content.newest().entries.iter().filter(|((space, _), _)| *space == Space::Kept);
            kept.for_each(|((_, key), (_, value))| each(key, value));
        })
    }

    fn write(&self, changes: &[Change<'_>], answered: Answered, checkpoint: &[u8]) -> Result<(), LocalFault> {
        if self.disk.lock().refuses {
            return Err(LocalFault::Unavailable { path: self.path(), why: "no space is left".to_owned() });
        }
        self.with(|content| {
            let mut data = content.newest().clone();
            for change in changes {
                let at = (change.space, change.key.to_vec());
                match change.value {
                    Some(value) => data.entries.insert(at, (answered.newest, Bytes::copy_from_slice(value))),
                    None => data.entries.remove(&at),
                };
            }
            let is_kept =
                |space: Space, generation: u64| space != Space::Answers || generation >= answered.oldest;
            data.entries.retain(|(space, _), (generation, _)| is_kept(*space, *generation));
            data.checkpoint = Some(Bytes::copy_from_slice(checkpoint));
            content.unsynced.push(data);
            if content.unsynced.len() > UNSYNCED {
                content.durable = content.unsynced.remove(0);
            }
        })?;
        self.disk.lock().writes += 1;
        Ok(())
    }

    fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault> {
        self.with(|content| content.newest().checkpoint.clone())
    }

    fn path(&self) -> PathBuf {
        path_of(&self.identity)
    }
}

impl Drop for MemoryLocalStore {
    fn drop(&mut self) {
        let place = (Arc::clone(&self.identity.topic), self.identity.partition);
        self.disk.lock().open.remove(&place);
    }
}
