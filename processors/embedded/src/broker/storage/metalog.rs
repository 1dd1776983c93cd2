//! The metadata log: a file of checksummed entries, rewritten when most of it is out of date.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::flusher::Flusher;
use super::metastate::{Entry, MetaState};
use crate::broker::util::lock;

const MAGIC: &[u8; 8] = b"MRMETA01";
const FRAME_HEADER: usize = 8;
/// Below this size a rewrite is not worth it.
const REWRITE_FROM_BYTES: u64 = 4 << 20;

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
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Reads entries; returns how many bytes were intact.
fn replay(bytes: &[u8], state: &mut MetaState) -> usize {
    let mut at = MAGIC.len();
    while let (Some(length), Some(crc)) = (word(bytes, at), word(bytes, at + 4)) {
        let from = at + FRAME_HEADER;
        let Some(content) = bytes.get(from..from.saturating_add(length as usize)) else { break };
        if crc32c::crc32c(content) != crc {
            break;
        }
        let Ok(entry) = serde_json::from_slice::<Entry>(content) else { break };
        state.apply(&entry);
        at = from + length as usize;
    }
    at
}

impl MetaLog {
    /// Opens or creates the log and reads what it holds.
    pub fn open(path: &Path, flusher: Arc<Flusher>) -> io::Result<Self> {
        let _ = fs::remove_file(path.with_extension("tmp"));
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let bytes = fs::read(path)?;
        let mut state = MetaState::default();
        let len = if bytes.len() < MAGIC.len() {
            file.set_len(0)?;
            (&file).write_all(MAGIC)?;
            MAGIC.len()
        } else if &bytes[..MAGIC.len()] != MAGIC {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "this is not a metadata log of a version that is understood",
            ));
        } else {
            let intact = replay(&bytes, &mut state);
            if intact < bytes.len() {
                tracing::warn!(
                    path = %path.display(),
                    kept_bytes = intact,
                    dropped_bytes = bytes.len() - intact,
                    "dropped the torn end of the metadata log"
                );
                file.set_len(intact as u64)?;
            }
            intact
        };
        let inner = Inner {
            file: Arc::new(file),
            len: len as u64,
            rewrite_at: REWRITE_FROM_BYTES.max(len as u64 * 2),
            state,
        };
        Ok(Self { path: path.to_path_buf(), inner: Mutex::new(inner), flusher })
    }

    /// Everything remembered so far.
    pub fn state(&self) -> MetaState {
        lock(&self.inner).state.clone()
    }

    /// Appends entries in one write: after a crash either a prefix of them or all are there.
    pub fn append(&self, entries: &[Entry]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(256 * entries.len());
        for entry in entries {
            frame(entry, &mut bytes)?;
        }
        let mut inner = lock(&self.inner);
        if let Err(error) = (&*inner.file).write_all(&bytes) {
            inner.file.set_len(inner.len)?;
            return Err(error);
        }
        inner.len += bytes.len() as u64;
        for entry in entries {
            inner.state.apply(entry);
        }
        self.flusher.dirty(&inner.file);
        if inner.len >= inner.rewrite_at {
            self.rewrite(&mut inner)?;
        }
        Ok(())
    }

    fn rewrite(&self, inner: &mut Inner) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        for entry in inner.state.entries() {
            frame(&entry, &mut bytes)?;
        }
        let temporary = self.path.with_extension("tmp");
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&temporary)?;
        file.set_len(0)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&temporary, &self.path)?;
        inner.file = Arc::new(file);
        inner.len = bytes.len() as u64;
        inner.rewrite_at = REWRITE_FROM_BYTES.max(inner.len * 2);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::config::SyncPolicy;

    #[test]
    fn entries_survive_and_a_torn_end_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metadata.log");
        let flusher = Flusher::start(SyncPolicy::default()).unwrap();
        let log = MetaLog::open(&path, Arc::clone(&flusher)).unwrap();
        log.append(&[Entry::Cluster("c".into()), Entry::ProducerIds(5)]).unwrap();
        drop(log);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(&[0, 0, 0, 9, 1, 2]);
        fs::write(&path, &bytes).unwrap();
        let log = MetaLog::open(&path, Arc::clone(&flusher)).unwrap();
        assert_eq!(log.state().cluster_id.as_deref(), Some("c"));
        log.append(&[Entry::ProducerIds(6)]).unwrap();
        let log = MetaLog::open(&path, Arc::clone(&flusher)).unwrap();
        assert_eq!(log.state().next_producer_id, 6);
        flusher.stop();
    }
}
