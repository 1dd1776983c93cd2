//! Snapshots of the producer state: `<offset>.snapshot` says what the log before that offset made
//! of its producers, so that a start has to read only what follows.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::producers::Producers;

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

/// Writes a snapshot.
pub(crate) fn save(dir: &Path, offset: i64, producers: &Producers) -> io::Result<()> {
    let content = serde_json::to_vec(producers)?;
    let mut bytes = crc32c::crc32c(&content).to_be_bytes().to_vec();
    bytes.extend_from_slice(&content);
    millrace_disk::replace_cache(&path_of(dir, offset), &bytes)
}

/// Drops snapshots that no start will need: it uses the one at `offset`, which the index names, else the
/// newest one that is not inside the active segment.
pub(crate) fn prune(dir: &Path, offset: i64, active_base: i64) -> io::Result<()> {
    let found = offsets(dir)?;
    let anchor = found.iter().copied().filter(|found| *found <= active_base).max();
    for old in found {
        if old != offset && Some(old) != anchor {
            millrace_disk::remove_cache(&path_of(dir, old))?;
        }
    }
    Ok(())
}

/// Removes snapshots of more than the log holds: it was cut.
pub(crate) fn forget_behind(dir: &Path, end: i64) -> io::Result<()> {
    for offset in offsets(dir)?.into_iter().filter(|offset| *offset > end) {
        millrace_disk::remove_file(&path_of(dir, offset))?;
    }
    Ok(())
}

/// Forgets aborted transactions whose markers are about to leave the log.
pub(crate) fn forget_aborted(dir: &Path, markers: &HashSet<i64>) -> io::Result<()> {
    if markers.is_empty() {
        return Ok(());
    }
    for offset in offsets(dir)? {
        if let Some(mut producers) = load(dir, offset)? {
            producers.forget_aborted(|txn| markers.contains(&txn.marker_offset));
            save(dir, offset, &producers)?;
        }
    }
    Ok(())
}

/// The snapshot at `offset`; nothing when there is none that is intact.
pub(crate) fn load(dir: &Path, offset: i64) -> io::Result<Option<Producers>> {
    match fs::read(path_of(dir, offset)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => Ok(parse(&read?)),
    }
}

/// What the bytes of a snapshot say; nothing when they are damaged or of another version.
pub(crate) fn parse(bytes: &[u8]) -> Option<Producers> {
    let (crc, content) = bytes.split_at_checked(4)?;
    if crc32c::crc32c(content).to_be_bytes() != crc {
        return None;
    }
    serde_json::from_slice::<Producers>(content).ok().map(Producers::relinked)
}

/// The newest intact snapshot at or before `offset`.
pub(crate) fn newest(dir: &Path, offset: i64) -> io::Result<Option<(i64, Producers)>> {
    for candidate in offsets(dir)?.into_iter().rev().filter(|found| *found <= offset) {
        if let Some(producers) = load(dir, candidate)? {
            return Ok(Some((candidate, producers)));
        }
    }
    Ok(None)
}
