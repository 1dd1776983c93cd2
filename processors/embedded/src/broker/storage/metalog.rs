//! The metadata log: a file of checksummed entries, rewritten when most of it is out of date.
//!
//! Reading it changes nothing. An entry at the end that is not whole was being written when the process or
//! the machine died: it was not acknowledged, and is cut off when the log is opened, after a copy was set
//! aside. Bytes that are no entry before others that are one are damage, and an entry that is whole and
//! unknown is of a newer build: both refuse the start.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::fault::LogError;
use super::flusher::Flusher;
use super::metastate::{Entry, MetaState};
use crate::broker::util::lock;

const MAGIC: &[u8; 8] = b"MRMETA01";
/// What the magic of every version begins with.
const FAMILY: &[u8] = b"MRMETA";
const FRAME_HEADER: usize = 8;
/// Below this size a rewrite is not worth it.
const REWRITE_FROM_BYTES: u64 = 4 << 20;

/// What the bytes of a metadata log say.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub state: MetaState,
    /// Where the last whole entry ends; 0 when there is nothing, not even a beginning.
    pub intact: usize,
}

/// Why the bytes of a metadata log cannot be believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// No entry, and entries behind it.
    Damaged { position: usize, why: String },
    /// Of a newer build.
    Newer { position: usize, what: String },
}

#[derive(Debug)]
struct Inner {
    file: Arc<File>,
    len: u64,
    rewrite_at: u64,
    state: MetaState,
}

/// The metadata log.
#[derive(Debug)]
pub(crate) struct MetaLog {
    path: PathBuf,
    inner: Mutex<Inner>,
    flusher: Arc<Flusher>,
}

fn frame(entry: &Entry, into: &mut Vec<u8>) -> io::Result<()> {
    let at = into.len();
    into.extend_from_slice(&[0; FRAME_HEADER]);
    serde_json::to_writer(&mut *into, entry)?;
    let length = (into.len() - at - FRAME_HEADER) as u32;
    let crc = crc32c::crc32c(&into[at + FRAME_HEADER..]);
    into[at..at + 4].copy_from_slice(&length.to_be_bytes());
    into[at + 4..at + 8].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The content of the entry that begins at `at`, if it is whole.
fn content(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (length, crc) = (word(bytes, at)?, word(bytes, at + 4)?);
    let from = at + FRAME_HEADER;
    let content = bytes.get(from..from.checked_add(length as usize)?)?;
    // Zeros are no entry, although their checksum is right.
    (length > 0 && crc32c::crc32c(content) == crc).then_some(content)
}

/// Where a whole entry begins, at `from` or behind it.
fn whole_entry_from(bytes: &[u8], from: usize) -> Option<usize> {
    // An entry is JSON: an object, or a string when it has no content.
    let begins = |at: usize| matches!(bytes.get(at + FRAME_HEADER), Some(b'{' | b'"'));
    (from..bytes.len()).find(|at| begins(*at) && content(bytes, *at).is_some())
}

/// Reads the bytes of a metadata log.
///
/// # Errors
/// They hold more than a torn end explains, or what only a newer build knows.
pub(crate) fn read(bytes: &[u8]) -> Result<Reading, Unreadable> {
    let magic = &bytes[..bytes.len().min(MAGIC.len())];
    if magic.len() < MAGIC.len() && MAGIC.starts_with(magic) {
        return Ok(Reading::default());
    }
    if magic != MAGIC {
        return Err(if magic.len() == MAGIC.len() && magic.starts_with(FAMILY) {
            Unreadable::Newer { position: 0, what: "an unknown version of the file".to_owned() }
        } else {
            Unreadable::Damaged { position: 0, why: "it does not begin as a metadata log does".to_owned() }
        });
    }
    let mut reading = Reading { state: MetaState::default(), intact: MAGIC.len() };
    while reading.intact < bytes.len() {
        let at = reading.intact;
        let Some(content) = content(bytes, at) else {
            return match whole_entry_from(bytes, at + 1) {
                Some(next) => Err(Unreadable::Damaged {
                    position: at,
                    why: format!("what is there is no entry, and whole ones follow from byte {next} on"),
                }),
                None => Ok(reading),
            };
        };
        let entry = serde_json::from_slice::<Entry>(content).map_err(|error| Unreadable::Newer {
            position: at,
            what: format!("an unknown entry ({error})"),
        })?;
        reading.state.apply(&entry);
        reading.intact = at + FRAME_HEADER + content.len();
    }
    Ok(reading)
}

/// Reads the metadata log at `path` and changes nothing; what a missing file says is nothing.
///
/// # Errors
/// As [`read`], with the way out; or the file cannot be read.
pub(crate) fn read_file(path: &Path) -> Result<Reading, LogError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(LogError::io(path))?,
    };
    read(&bytes).map_err(|unreadable| match unreadable {
        Unreadable::Damaged { position, why } => LogError::Damaged {
            path: path.to_path_buf(),
            position: position as u64,
            why,
            way_out: format!(
                "`truncate --size {position} {}`: topics it then names no more are set aside",
                path.display()
            ),
        },
        Unreadable::Newer { position, what } => {
            LogError::Newer { path: path.to_path_buf(), position: position as u64, what }
        }
    })
}

impl MetaLog {
    /// Opens or creates the log, of which `reading` was read before, to go on behind its last whole entry.
    /// What is torn behind that is kept in the folder `aside`.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(path: &Path, reading: Reading, aside: &Path, flusher: Arc<Flusher>) -> io::Result<Self> {
        // A rewrite that did not come to its end; its content is in the log. Earlier builds named it so.
        millrace_disk::remove_file(&path.with_extension("tmp"))?;
        millrace_disk::remove_file(&millrace_disk::draft_of(path))?;
        let Reading { state, intact } = reading;
        if intact == 0 {
            millrace_disk::replace(path, MAGIC)?;
        }
        let file = millrace_disk::open_to_append(path)?;
        let len = intact.max(MAGIC.len()) as u64;
        let found = file.metadata()?.len();
        if len < found {
            let kept = millrace_disk::keep_tail(path, len, aside, &format!("metadata.log.from-{len}"))?;
            tracing::warn!(
                path = %path.display(),
                kept_bytes = len,
                dropped_bytes = found - len,
                copy = %kept.display(),
                "cut the torn end off the metadata log, after setting a copy of it aside"
            );
            file.set_len(len)?;
            file.sync_data()?;
        }
        let rewrite_at = REWRITE_FROM_BYTES.max(len * 2);
        let inner = Inner { file: Arc::new(file), len, rewrite_at, state };
        Ok(Self { path: path.to_path_buf(), inner: Mutex::new(inner), flusher })
    }

    /// Everything remembered so far.
    #[cfg(test)]
    pub fn state(&self) -> MetaState {
        lock(&self.inner).state.clone()
    }

    /// Appends entries in one write: after a crash either a prefix of them or all are there.
    ///
    /// # Errors
    /// They could not be written: nothing of them holds, now or after a restart. Where even that cannot be
    /// said, the broker halts.
    pub fn append(&self, entries: &[Entry]) -> io::Result<()> {
        let halt = self.flusher.halt();
        halt.check()?;
        let mut bytes = Vec::with_capacity(256 * entries.len());
        for entry in entries {
            frame(entry, &mut bytes)?;
        }
        let mut inner = lock(&self.inner);
        if let Err(error) = (&*inner.file).write_all(&bytes) {
            if let Err(cut) = inner.file.set_len(inner.len) {
                let doing = format!("taking back a write to {} that failed ({error})", self.path.display());
                halt.now(doing, cut);
            }
            let doing = format_args!("write to {}", self.path.display());
            self.flusher.room().refused(doing, bytes.len(), &error);
            return Err(error);
        }
        inner.len += bytes.len() as u64;
        for entry in entries {
            inner.state.apply(entry);
        }
        self.flusher.dirty(&inner.file);
        if inner.len >= inner.rewrite_at {
            self.rewrite(&mut inner);
        }
        Ok(())
    }

    /// Whether the disk takes no writes for now: who has time does not try.
    pub fn is_refusing(&self) -> bool {
        self.flusher.room().is_refusing()
    }

    /// Brings everything appended so far to the disk.
    ///
    /// # Errors
    /// The system refuses; the broker halts.
    pub fn sync(&self) -> io::Result<()> {
        let file = Arc::clone(&lock(&self.inner).file);
        file.sync_data().inspect_err(|error| {
            self.flusher.halt().now(format!("bringing {} to the disk", self.path.display()), error);
        })
    }

    /// Writes the log anew, without what is out of date. It holds what it held before, so that it fails is
    /// no failure of whoever appended: it is tried again when the log has grown further.
    fn rewrite(&self, inner: &mut Inner) {
        let path = self.path.display();
        match self.rewritten(&inner.state) {
            Ok((file, len)) => {
                inner.file = Arc::new(file);
                inner.len = len;
                inner.rewrite_at = REWRITE_FROM_BYTES.max(len * 2);
            }
            Err(Rewriting::Draft(error)) => {
                inner.rewrite_at = inner.len.saturating_add(REWRITE_FROM_BYTES);
                tracing::warn!(%path, %error, "the metadata log cannot be written anew; it goes on growing");
            }
            // The name may mean either file now, and what comes is written to only one of them.
            Err(Rewriting::Name(error)) => self.flusher.halt().now(format!("renaming {path}"), error),
        }
    }

    fn rewritten(&self, state: &MetaState) -> Result<(File, u64), Rewriting> {
        let mut bytes = MAGIC.to_vec();
        for entry in state.entries() {
            frame(&entry, &mut bytes).map_err(Rewriting::Draft)?;
        }
        let draft = millrace_disk::draft_of(&self.path);
        let write = || {
            let mut file = millrace_disk::open_to_append(&draft)?;
            file.set_len(0)?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            Ok(file)
        };
        let file = write().map_err(Rewriting::Draft)?;
        millrace_disk::rename(&draft, &self.path).map_err(Rewriting::Name)?;
        Ok((file, bytes.len() as u64))
    }
}

/// Where a rewrite failed.
enum Rewriting {
    /// Before the log's name was touched.
    Draft(io::Error),
    /// When it was.
    Name(io::Error),
}

#[cfg(test)]
#[path = "metalog_tests.rs"]
mod tests;
