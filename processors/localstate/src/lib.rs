//! Local state on disk: one fjall database for each partition.
//!
//! `DIR/<state topic>/<partition>/` holds a file `identity` that says what the store belongs to,
//! and a folder `db`, which is fjall's. Aggregates and the checkpoint stand in one keyspace, each
//! generation of answers in one of its own, so that it can be dropped as a whole.
//! `DIR/<state topic>/lock` is held by the process that works there.
//!
//! Everything fjall reads from disk it checks against checksums. It says so by errors, and now and
//! then by a panic; either way the store is damaged, and nothing that was read is believed.

mod fault;
mod lock;
mod store;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use millrace_ports::{Identity, LocalFault, LocalStore, LocalStores};

use crate::fault::{damaged, unavailable};
use crate::lock::Lock;
use crate::store::{Database, FjallStore};

/// File that says what a store belongs to.
const IDENTITY: &str = "identity";
/// Folder of the database.
const DATABASE: &str = "db";
/// How much is gathered in memory before it becomes a sorted file, in bytes, unless told.
const FLUSH_BYTES: u64 = 16 << 20;

/// The folder in which a process keeps its partitions.
#[derive(Clone)]
pub struct LocalDir {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    flush_bytes: u64,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// Held until the process ends: partitions come and go.
    locks: BTreeMap<PathBuf, Lock>,
    open: BTreeSet<PathBuf>,
}

impl LocalDir {
    /// The folder `dir`, made when the first store is opened.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::flushing_at(dir, FLUSH_BYTES)
    }

    /// As [`LocalDir::new`]; so many bytes of changes are gathered before they become a file of
    /// their own.
    #[must_use]
    pub fn flushing_at(dir: impl Into<PathBuf>, bytes: u64) -> Self {
        Self { inner: Arc::new(Inner { dir: dir.into(), flush_bytes: bytes, places: Mutex::default() }) }
    }

    fn folder(&self, identity: &Identity) -> PathBuf {
        self.inner.dir.join(&*identity.topic).join(identity.partition.to_string())
    }

    /// Takes the folder of a partition for one owner.
    fn claim(&self, identity: &Identity) -> Result<Claim, LocalFault> {
        let folder = self.folder(identity);
        let topic = self.inner.dir.join(&*identity.topic);
        std::fs::create_dir_all(&topic).map_err(|error| unavailable(&topic, &error))?;
        let mut places = self.inner.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(vacant) = places.locks.entry(topic) {
            let lock = Lock::take(vacant.key())?;
            vacant.insert(lock);
        }
        if !places.open.insert(folder.clone()) {
            return Err(LocalFault::Held { path: folder, by: "another part of this process".to_owned() });
        }
        Ok(Claim { inner: Arc::clone(&self.inner), folder })
    }
}

/// A partition's folder, which nobody else opens.
pub(crate) struct Claim {
    inner: Arc<Inner>,
    folder: PathBuf,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.places.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.folder);
    }
}

impl LocalStores for LocalDir {
    fn open(&self, identity: &Identity) -> Result<Arc<dyn LocalStore>, LocalFault> {
        let claim = self.claim(identity)?;
        let folder = claim.folder.clone();
        identify(&folder, identity)?;
        let database = Database::open(&folder.join(DATABASE), &folder, self.inner.flush_bytes)?;
        Ok(Arc::new(FjallStore::new(database, claim)))
    }

    fn set_aside(&self, identity: &Identity) -> Result<PathBuf, LocalFault> {
        let claim = self.claim(identity)?;
        let to = claim.folder.with_extension("set-aside");
        let failed = |error: &std::io::Error| unavailable(&claim.folder, error);
        match std::fs::remove_dir_all(&to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&error)),
            _ => {}
        }
        match std::fs::rename(&claim.folder, &to) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(to),
        }
    }
}

/// Compares what a folder says it belongs to; one without a database gets the name.
fn identify(folder: &Path, identity: &Identity) -> Result<(), LocalFault> {
    let (file, expected) = (folder.join(IDENTITY), format!("{identity}\n"));
    match std::fs::read(&file) {
        Ok(found) if found == expected.as_bytes() => Ok(()),
        Ok(found) => Err(LocalFault::Foreign {
            path: folder.to_owned(),
            expected: identity.to_string(),
            found: String::from_utf8_lossy(&found).trim_end().to_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if folder.join(DATABASE).exists() {
                return Err(damaged(folder, format!("its file {IDENTITY} is missing")));
            }
            let named = || {
                std::fs::create_dir_all(folder)?;
                // under its name only when it is whole
                let draft = folder.join("identity.new");
                std::fs::write(&draft, &expected)?;
                std::fs::File::open(&draft)?.sync_all()?;
                std::fs::rename(&draft, &file)
            };
            named().map_err(|error| unavailable(folder, &error))
        }
        Err(error) => Err(unavailable(folder, &error)),
    }
}
