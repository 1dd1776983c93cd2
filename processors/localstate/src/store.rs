//! The store of one partition, on one fjall database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use fjall::{Keyspace, KeyspaceCreateOptions, PersistMode};
use millrace_ports::{Change, LocalFault, LocalStore, Space};

use crate::Claim;
use crate::fault::{damaged, guarded};

/// Cache of blocks, in bytes; the system caches files beside it.
const CACHE_BYTES: u64 = 16 << 20;
/// Most bytes of journals that an open must read again; the least fjall allows.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Keyspace of aggregates and the checkpoint.
const AGGREGATES: &str = "aggregates";
/// Keyspaces of answers begin with this.
const ANSWERS: &str = "answers-";
/// First byte of an aggregate's key.
const AGGREGATE_MARK: u8 = b'a';
/// The checkpoint's key. In the keyspace of the aggregates, since only within one keyspace it is
/// certain that what is older is not newer on disk than what is newer.
const CHECKPOINT: &[u8] = b"c";

/// An open database.
pub(crate) struct Database {
    db: fjall::Database,
    aggregates: Keyspace,
    /// Changed by the one writer; never held while anything is read or written.
    answers: RwLock<BTreeMap<u64, Keyspace>>,
    path: PathBuf,
    folder: PathBuf,
    flush_bytes: u64,
}

impl Database {
    pub(crate) fn open(path: &Path, folder: &Path, flush_bytes: u64) -> Result<Self, LocalFault> {
        guarded(folder, || {
            let builder = fjall::Database::builder(path).worker_threads(1).cache_size(CACHE_BYTES);
            let db = builder.max_journaling_size(JOURNAL_BYTES).open()?;
            let aggregates = db.keyspace(AGGREGATES, || options(flush_bytes))?;
            let mut answers = BTreeMap::new();
            for name in db.list_keyspace_names() {
                if let Some(number) = name.strip_prefix(ANSWERS).and_then(|number| number.parse().ok()) {
                    answers.insert(number, db.keyspace(&name, || options(flush_bytes))?);
                }
            }
            let (path, folder) = (path.to_owned(), folder.to_owned());
            let answers = RwLock::new(answers);
            Ok(Self { db, aggregates, answers, path, folder, flush_bytes })
        })
    }

    fn keyspace(&self, space: Space) -> Option<Keyspace> {
        match space {
            Space::Aggregates => Some(self.aggregates.clone()),
            Space::Answers(number) => {
                self.answers.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
            }
        }
    }

    fn keyspace_to_write(&self, space: Space) -> Result<Keyspace, fjall::Error> {
        if let Some(found) = self.keyspace(space) {
            return Ok(found);
        }
        let Space::Answers(number) = space else { return Ok(self.aggregates.clone()) };
        let made = self.db.keyspace(&format!("{ANSWERS}{number}"), || options(self.flush_bytes))?;
        self.answers.write().unwrap_or_else(PoisonError::into_inner).insert(number, made.clone());
        Ok(made)
    }

    fn write(&self, changes: &[Change<'_>], checkpoint: &[u8]) -> Result<(), fjall::Error> {
        let mut batch = self.db.batch();
        let mut last: Option<(Space, Keyspace)> = None;
        for change in changes {
            let keyspace = match last.take() {
                Some((space, keyspace)) if space == change.space => keyspace,
                _ => self.keyspace_to_write(change.space)?,
            };
            let key = key_of(change.space, change.key);
            match change.value {
                Some(value) => batch.insert(&keyspace, key, value),
                None => batch.remove(&keyspace, key),
            }
            last = Some((change.space, keyspace));
        }
        batch.insert(&self.aggregates, CHECKPOINT, checkpoint);
        batch.durability(Some(PersistMode::SyncData)).commit()
    }

    fn forget_before(&self, generation: u64) -> Result<(), fjall::Error> {
        loop {
            let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
            let Some(oldest) = answers.first_entry().filter(|oldest| *oldest.key() < generation) else {
                return Ok(());
            };
            let keyspace = oldest.remove();
            drop(answers);
            self.db.delete_keyspace(keyspace)?;
        }
    }
}

fn options(flush_bytes: u64) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(flush_bytes)
}

fn key_of(space: Space, key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 1);
    if space == Space::Aggregates {
        bytes.push(AGGREGATE_MARK);
    }
    bytes.extend(key);
    bytes
}

/// The store of one partition.
pub(crate) struct FjallStore {
    /// `None` while it could not be opened again after a write that failed.
    database: RwLock<Option<Database>>,
    writing: Mutex<()>,
    reopen: (PathBuf, PathBuf, u64),
    /// Given back when the database is closed.
    _claim: Claim,
}

impl FjallStore {
    pub(crate) fn new(database: Database, claim: Claim) -> Self {
        let reopen = (database.path.clone(), database.folder.clone(), database.flush_bytes);
        Self { database: RwLock::new(Some(database)), writing: Mutex::new(()), reopen, _claim: claim }
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, call: impl FnOnce(&Database) -> Result<T, fjall::Error>) -> Result<T, LocalFault> {
        let database = self.read();
        let Some(database) = &*database else {
            return Err(LocalFault::Unavailable { path: self.path(), why: "a write failed".to_owned() });
        };
        guarded(&self.reopen.1, || call(database))
    }
}

impl LocalStore for FjallStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, LocalFault> {
        self.with(|database| {
            let Some(keyspace) = database.keyspace(space) else { return Ok(None) };
            let found = keyspace.get(key_of(space, key))?;
            Ok(found.map(|value| Bytes::copy_from_slice(&value)))
        })
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), LocalFault> {
        self.with(|database| {
            let Some(keyspace) = database.keyspace(space) else { return Ok(()) };
            let mark = usize::from(space == Space::Aggregates);
            for entry in keyspace.prefix(key_of(space, prefix)) {
                let (key, value) = entry.into_inner()?;
                each(&key[mark..], &value);
            }
            Ok(())
        })
    }

    /// After a write that failed, fjall takes no other: the next one opens the database again.
    fn write(&self, changes: &[Change<'_>], checkpoint: &[u8]) -> Result<(), LocalFault> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let change = || self.database.write().unwrap_or_else(PoisonError::into_inner);
        if self.read().is_none() {
            let (path, folder, flush_bytes) = &self.reopen;
            *change() = Some(Database::open(path, folder, *flush_bytes)?);
        }
        let written = self.with(|database| database.write(changes, checkpoint));
        if written.as_ref().is_err_and(|fault| !fault.is_lasting()) {
            *change() = None;
        }
        written
    }

    fn forget_answers_before(&self, generation: u64) -> Result<(), LocalFault> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.with(|database| database.forget_before(generation))
    }

    fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault> {
        let found = self.with(|database| database.aggregates.get(CHECKPOINT))?;
        let Some(checkpoint) = found else {
            // nothing is written without one
            let is_empty = self.with(|database| database.aggregates.is_empty())?;
            let has_answers = self.with(|database| {
                Ok(!database.answers.read().unwrap_or_else(PoisonError::into_inner).is_empty())
            })?;
            if !is_empty || has_answers {
                return Err(damaged(&self.path(), "it holds something, but no checkpoint"));
            }
            return Ok(None);
        };
        Ok(Some(Bytes::copy_from_slice(&checkpoint)))
    }

    fn path(&self) -> PathBuf {
        self.reopen.1.clone()
    }
}
