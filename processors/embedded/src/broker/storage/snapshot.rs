//! Snapshots of the producer state: `<offset>.snapshot` says what the log before that offset made
//! of its producers, so that a start has to read only what follows.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::producers::Producers;

/// Snapshots kept: the newest may be ahead of a log that lost its tail.
const KEPT: usize = 2;

fn path_of(dir: &Path, offset: i64) -> PathBuf {
    dir.join(format!("{offset:020}.snapshot"))
}

fn offsets(dir: &Path) -> io::Result<Vec<i64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "snapshot")
            && let Some(offset) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok())
        {
            found.push(offset);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes a snapshot and drops the ones it makes superfluous.
pub(crate) fn write(dir: &Path, offset: i64, producers: &Producers) -> io::Result<()> {
    let content = serde_json::to_vec(producers)?;
    let mut bytes = crc32c::crc32c(&content).to_be_bytes().to_vec();
    bytes.extend_from_slice(&content);
    let path = path_of(dir, offset);
    let temporary = path.with_extension("snapshot.tmp");
    fs::File::create(&temporary)?.write_all(&bytes)?;
    fs::rename(&temporary, &path)?;
    let found = offsets(dir)?;
    for old in found.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(path_of(dir, *old));
    }
    Ok(())
}

/// Drops every snapshot older than `offset`: they tell of markers that are gone.
pub(crate) fn drop_before(dir: &Path, offset: i64) -> io::Result<()> {
    for old in offsets(dir)?.into_iter().filter(|found| *found < offset) {
        let _ = fs::remove_file(path_of(dir, old));
    }
    Ok(())
}

/// The newest intact snapshot at or before `offset`.
pub(crate) fn newest(dir: &Path, offset: i64) -> io::Result<Option<(i64, Producers)>> {
    for candidate in offsets(dir)?.into_iter().rev().filter(|found| *found <= offset) {
        let bytes = fs::read(path_of(dir, candidate))?;
        let Some((crc, content)) = bytes.split_at_checked(4) else { continue };
        if crc32c::crc32c(content).to_be_bytes() != crc {
            continue;
        }
        if let Ok(producers) = serde_json::from_slice::<Producers>(content) {
            return Ok(Some((candidate, producers.relinked())));
        }
    }
    Ok(None)
}
