//! Local state: what a partition's processor keeps on its own disk, so that a restart reads
//! only what is new.
//!
//! A store is a cache of topics and may be lost at any time. What it must never be is wrong:
//! a store that cannot answer says so, and its partition is rebuilt from the topics.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

/// What a store belongs to. A store made for anything else is not opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The compacted topic it is a copy of, topic prefix and domain included.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// How many partitions the domain has: with another number, keys live elsewhere.
    pub partitions: i32,
    /// The version of what keys, values and checkpoints look like.
    pub format: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, partitions, format } = self;
        write!(f, "{topic}[{partition} of {partitions}], format {format}")
    }
}

/// A part of a store, with keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Aggregates by their id.
    Aggregates,
    /// What the engine keeps of its own, which it lists when it begins: few, compared with aggregates.
    Kept,
    /// The de-duplication window: answers by command id. They are written in generations, which are
    /// forgotten as a whole; of one command the newest answer is found.
    Answers,
}

/// Of which generations the answers of a store are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Those before this one are forgotten.
    pub oldest: u64,
    /// What is written goes to this one. It never goes back.
    pub newest: u64,
}

/// A value to be written, or removed.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The part of the store.
    pub space: Space,
    /// The key; never empty.
    pub key: &'a [u8],
    /// The new value; `None` removes it.
    pub value: Option<&'a [u8]>,
}

/// What went wrong with local state.
#[derive(Clone, Debug, Error)]
pub enum LocalFault {
    /// What is on disk is damaged: it must be set aside and made anew.
    #[error("the local state in {} is damaged: {why}", .path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// What is on disk belongs to something else.
    #[error("the local state in {} is that of {found}, not of {expected}", .path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it should be of.
        expected: String,
        /// What it is of.
        found: String,
    },
    /// Another process works on it.
    #[error(
        "the local state in {} is in use by {by}; end that process, or give this one a directory of its own with --state-dir",
        .path.display()
    )]
    Held {
        /// Where.
        path: PathBuf,
        /// Who holds it.
        by: String,
    },
    /// It cannot be read or written for now, for instance as the disk is full.
    #[error("the local state in {} cannot be used: {why}", .path.display())]
    Unavailable {
        /// Where.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl LocalFault {
    /// Whether the store can never be used again: only setting it aside helps.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Foreign { .. })
    }
}

/// The store of one partition. One owner at a time writes; any number of threads read.
pub trait LocalStore: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// [`LocalFault`]; a wrong value is never returned.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, LocalFault>;

    /// Gives every key of [`Space::Kept`], in their order, with its value, to `each`.
    ///
    /// # Errors
    /// [`LocalFault`].
    fn scan_kept(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LocalFault>;

    /// Writes all of `changes` and the `checkpoint`, and forgets what is older than `answered` says, or
    /// nothing of it, whatever crashes. When it returns, the end of the process loses nothing of it any
    /// more, and a power failure nothing but whole writes, newest first. Later changes of one key win.
    ///
    /// # Errors
    /// [`LocalFault`]; then nothing of it is visible, or the store is damaged.
    fn write(&self, changes: &[Change<'_>], answered: Answered, checkpoint: &[u8]) -> Result<(), LocalFault>;

    /// The checkpoint written last; `None` for a new store, which is empty.
    ///
    /// # Errors
    /// [`LocalFault`].
    fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault>;

    /// Where it is, for messages.
    fn path(&self) -> PathBuf;
}

/// Where the stores of a process live, such as a directory.
pub trait LocalStores: Send + Sync {
    /// Takes the place of all partitions of `topic` for this process, until it ends; again costs nothing. Asked before
    /// partitions are taken over that could not be opened here. Stores that are this process's alone have no such place.
    ///
    /// # Errors
    /// [`LocalFault::Held`] while another process works there.
    fn reserve(&self, topic: &str) -> Result<(), LocalFault> {
        let _ = topic;
        Ok(())
    }

    /// Opens the store of `identity`, or makes an empty one. One owner at a time: it is closed
    /// when the last clone is dropped.
    ///
    /// # Errors
    /// [`LocalFault`]; after a lasting one, [`LocalStores::set_aside`] and open again.
    fn open(&self, identity: &Identity) -> Result<Arc<dyn LocalStore>, LocalFault>;

    /// Moves what is there for the partition of `identity` out of the way, and says where to.
    /// It must not be open. Of what was set aside earlier for the same partition nothing stays,
    /// so that a fault that returns does not fill the disk.
    ///
    /// # Errors
    /// [`LocalFault`].
    fn set_aside(&self, identity: &Identity) -> Result<PathBuf, LocalFault>;

    /// Removes what is there for all partitions of `topic`, also what was set aside: nobody will ask for it again.
    /// Nothing of it must be open; where there is nothing, nothing happens.
    ///
    /// # Errors
    /// [`LocalFault::Held`] while somebody works there; some may be gone after another fault.
    fn remove(&self, topic: &str) -> Result<(), LocalFault>;
}
