//! Local state on disk: files of a partition that are only ever appended to, and an index of them.
//!
//! `DIR/<state topic>/<partition>/` holds
//! - `identity`, which says what the store belongs to and which version of files these are;
//! - `states-<n>`: states as they were written, in frames (see [`frame`]); the newest write ends with the checkpoint;
//! - `answers-<n>`: answers to commands, each file of one generation, deleted as a whole;
//! - `index`: where the newest record of every state lay some time ago, in pages; what came after is read from the states' frames.
//!
//! `DIR/<state topic>/lock` is held by the process that works there. A write appends its answers, then its
//! states and the checkpoint, each brought to the disk; the checkpoint says how far the answers reach. What was
//! never said to be written is cut off when the store is opened. Everything that is read is checked against
//! checksums; what is not as it was written makes the store damaged, and nothing of it is believed.

mod clean;
mod fault;
mod frame;
/// What the fuzz targets of `tests/fuzz` call, and nobody else should.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod lock;
mod log;
mod note;
mod pages;
mod restore;
mod snapshot;
mod snapshot_before;
mod store;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_ports::{Identity, LocalFault, LocalStore, LocalStores};

use crate::fault::{damaged, unavailable};
use crate::frame::LAYOUT;
use crate::lock::Lock;
use crate::pages::Room;
use crate::store::LogStore;

/// File that says what a store belongs to.
const IDENTITY: &str = "identity";

/// When files end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// After how many bytes the next write of states goes to another file.
    pub(crate) file_bytes: u64,
    /// The same for answers of one generation.
    pub(crate) answers_file_bytes: u64,
    /// After how many changes the index is written, at least; a store with more keys waits for a
    /// fourth of them.
    pub(crate) snapshot_changes: u64,
    /// How much of the indexes of all partitions together is held in memory, in bytes; what is left is read when it is asked for.
    pub(crate) index_bytes: u64,
}

/// Twenty million keys are found in memory; of more a look-up reads a page of the disk.
const SIZES: Sizes = Sizes {
    file_bytes: 32 << 20,
    answers_file_bytes: 256 << 20,
    snapshot_changes: 250_000,
    index_bytes: 240 << 20,
};

/// The folder in which a process keeps its partitions.
#[derive(Clone)]
pub struct LocalDir {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    sizes: Sizes,
    room: Arc<Room>,
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
        Self::of_sizes(dir, SIZES)
    }

    /// As [`LocalDir::new`], with files of about so many bytes: small ones are cleaned often. No more of the indexes is held in
    /// memory.
    #[must_use]
    pub fn with_files_of(dir: impl Into<PathBuf>, bytes: u64) -> Self {
        let (snapshot_changes, index_bytes) = (bytes / 64, bytes);
        Self::of_sizes(
            dir,
            Sizes { file_bytes: bytes, answers_file_bytes: bytes, snapshot_changes, index_bytes },
        )
    }

    fn of_sizes(dir: impl Into<PathBuf>, sizes: Sizes) -> Self {
        let room = Arc::new(Room::new(sizes.index_bytes));
        Self { inner: Arc::new(Inner { dir: dir.into(), sizes, room, places: Mutex::default() }) }
    }

    fn folder(&self, identity: &Identity) -> PathBuf {
        self.inner.dir.join(&*identity.topic).join(identity.partition.to_string())
    }

    /// Takes the folder of a topic for this process.
    fn take(&self, topic: &str) -> Result<MutexGuard<'_, Places>, LocalFault> {
        let topic = self.inner.dir.join(topic);
        // States and answers are what people have said.
        let dir = &self.inner.dir;
        millrace_disk::make_folder_for(dir, millrace_disk::PRIVATE)
            .map_err(|error| unavailable(dir, &error))?;
        millrace_disk::make_folder(&topic).map_err(|error| unavailable(&topic, &error))?;
        let mut places = self.inner.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(vacant) = places.locks.entry(topic) {
            let lock = Lock::take(vacant.key())?;
            vacant.insert(lock);
        }
        Ok(places)
    }

    /// Takes the folder of a partition for one owner.
    fn claim(&self, identity: &Identity) -> Result<Claim, LocalFault> {
        let folder = self.folder(identity);
        let mut places = self.take(&identity.topic)?;
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

impl Claim {
    /// The room that indexes share.
    fn room(&self) -> &Arc<Room> {
        &self.inner.room
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.inner.places.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&self.folder);
    }
}

impl LocalStores for LocalDir {
    fn reserve(&self, topic: &str) -> Result<(), LocalFault> {
        self.take(topic).map(drop)
    }

    fn open(&self, identity: &Identity) -> Result<Arc<dyn LocalStore>, LocalFault> {
        let claim = self.claim(identity)?;
        let folder = claim.folder.clone();
        identify(&folder, identity)?;
        Ok(Arc::new(LogStore::open(claim, folder, self.inner.sizes)?))
    }

    fn set_aside(&self, identity: &Identity) -> Result<PathBuf, LocalFault> {
        let claim = self.claim(identity)?;
        let to = claim.folder.with_extension("set-aside");
        let failed = |error: &std::io::Error| unavailable(&claim.folder, error);
        // The one before: of a cache, whose content is in the topics, the newest that failed is enough to look at.
        millrace_disk::remove_folder(&to).map_err(|error| failed(&error))?;
        match millrace_disk::rename(&claim.folder, &to) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&error)),
            _ => Ok(to),
        }
    }

    fn remove(&self, topic: &str) -> Result<(), LocalFault> {
        let folder = self.inner.dir.join(topic);
        let going = self.inner.dir.join(format!("{topic}.removing"));
        let failed = |error: &std::io::Error| unavailable(&folder, error);
        // of somebody who ended amid this
        millrace_disk::remove_folder(&going).map_err(|error| failed(&error))?;
        if !folder.exists() {
            return Ok(());
        }
        let mut places = self.take(topic)?;
        if places.open.iter().any(|it| it.starts_with(&folder)) {
            return Err(LocalFault::Held { path: folder, by: "another part of this process".to_owned() });
        }
        millrace_disk::rename(&folder, &going).map_err(|error| failed(&error))?;
        places.locks.remove(&folder);
        // a large one takes its time, and others go on
        drop(places);
        millrace_disk::remove_folder(&going).map_err(|error| failed(&error))
    }
}

/// What a file says, as far as a line of a log has room for it: it may be anything.
fn start_of(found: &[u8]) -> String {
    const MOST: usize = 160;
    let text = String::from_utf8_lossy(&found[..found.len().min(MOST)]);
    let start: String =
        text.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match found.len() > MOST {
        true => format!("{start}… ({} bytes)", found.len()),
        false => start,
    }
}

/// Compares what a folder says it belongs to; an empty one gets the name.
fn identify(folder: &Path, identity: &Identity) -> Result<(), LocalFault> {
    let (file, expected) = (folder.join(IDENTITY), format!("{identity}, files {LAYOUT}\n"));
    match std::fs::read(&file) {
        Ok(found) if found == expected.as_bytes() => Ok(()),
        Ok(found) => Err(LocalFault::Foreign {
            path: folder.to_owned(),
            expected: expected.trim_end().to_owned(),
            found: start_of(&found),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if restore::is_any(folder).map_err(|error| unavailable(folder, &error))? {
                return Err(damaged(folder, format!("its file {IDENTITY} is missing")));
            }
            let named = millrace_disk::make_folder(folder);
            // under its name only when it is whole
            let named = named.and_then(|()| millrace_disk::replace(&file, expected.as_bytes()));
            named.map_err(|error| unavailable(folder, &error))
        }
        Err(error) => Err(unavailable(folder, &error)),
    }
}
