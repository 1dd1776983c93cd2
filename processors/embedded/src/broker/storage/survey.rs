//! Opening a partition's log in two steps: looking at what is there, which changes nothing, and settling
//! what an end in the middle of something has left. A start looks at all logs before it settles any, so
//! that damage anywhere leaves everything as it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::batch;
use super::fault::LogError;
use super::index::{self, SegmentSummary};
use super::log::Log;
use super::producers::Producers;
use super::segment::{ScanEnd, Segment, segment_path, whole_batch_from};
use super::snapshot;

/// What was found of a log.
#[derive(Debug)]
pub(crate) struct Survey {
    log: Log,
    /// How many bytes of segments were read.
    pub read_bytes: u64,
    /// Bytes behind the last whole batch of the last segment.
    torn_bytes: u64,
    /// Segments, by their place, that lie inside the one before: compaction has merged them into it.
    superseded: Vec<usize>,
    /// Sealed segments, by their place, that need an index.
    unindexed: Vec<usize>,
    /// Files that somebody began and did not finish.
    unfinished: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Found {
    bases: Vec<i64>,
    unfinished: Vec<PathBuf>,
}

/// Looks at the log in `dir`, and changes nothing.
///
/// # Errors
/// What is there is damaged, or missing, in a way that an end in the middle of something does not explain.
pub(crate) fn survey(dir: &Path, log_start: i64) -> Result<Survey, LogError> {
    let found = files(dir, log_start)?;
    let open = |base: &i64| Segment::open(dir, *base).map_err(LogError::io(&segment_path(dir, *base)));
    let mut segments = found.bases.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let last = segments.len() - 1;
    let mut indexes: Vec<Option<SegmentSummary>> =
        segments.iter().map(|segment| index::read(&segment.index_path())).collect();
    for (segment, index) in segments.iter().zip(&indexes) {
        let known = index.as_ref().map_or(0, |index| index.log_len);
        if segment.len < known {
            return Err(damaged(segment, segment.len, format!("its first {known} bytes were on the disk")));
        }
    }

    let (from, mut producers, mut point) = begin(dir, &segments[last], indexes[last].take())?;
    let recovered = point.as_ref().map_or(0, |point| point.log_len);
    let (mut read_bytes, mut torn_bytes) = (0, 0);
    let (mut superseded, mut unindexed) = (Vec::new(), Vec::new());
    let mut end_of_previous = i64::MIN;
    for (n, segment) in segments.iter_mut().enumerate() {
        let is_last = n == last;
        if segment.base_offset < end_of_previous {
            // Empty, it is what is left of a roll that failed.
            if is_last && segment.len > 0 {
                let why = format!("it begins with offset {}, which another file has", segment.base_offset);
                return Err(damaged(segment, 0, why));
            }
            superseded.push(n);
            continue;
        }
        let file_len = segment.len;
        let trusted =
            if is_last { point.take() } else { indexes[n].take().filter(|it| it.log_len == file_len) };
        let needs_replay = trusted.as_ref().is_some_and(|it| !is_last && it.next_offset > from);
        if !is_last && trusted.is_none() {
            unindexed.push(n);
        }
        let trusted = trusted.filter(|_| !needs_replay);
        let known = trusted.as_ref().map_or(0, |it| it.log_len);
        let end = segment
            .scan(trusted, |header, bytes| {
                if header.base_offset >= from {
                    let commit = header.is_control().then(|| batch::marker_is_commit(bytes));
                    producers.appended(header, commit.flatten());
                }
            })
            .map_err(LogError::io(&segment.path))?;
        read_bytes += file_len - known;
        if let ScanEnd::Torn(position) = end {
            let behind = whole_batch_from(&*segment.file, position, file_len, segment.base_offset);
            let behind = behind.map_err(LogError::io(&segment.path))?;
            match behind {
                Some(next) => {
                    let why = format!(
                        "the next batch is not what was written there, and a whole one is at byte {next}"
                    );
                    return Err(damaged(segment, position, why));
                }
                None if !is_last => {
                    let why = "what is there is no batch, and newer segments follow".to_owned();
                    return Err(damaged(segment, position, why));
                }
                None => torn_bytes = file_len - position,
            }
        }
        end_of_previous = segment.next_offset;
    }
    let recovered = (segments[last].base_offset, recovered);
    let log = Log { dir: dir.to_path_buf(), segments, log_start, producers, recovered };
    Ok(Survey { log, read_bytes, torn_bytes, superseded, unindexed, unfinished: found.unfinished })
}

/// Where a replay of the producers begins and what they are there; and, of the last segment, the recovery
/// point: everything before it was on the disk, and its producers are known.
fn begin(
    dir: &Path,
    last: &Segment,
    index: Option<SegmentSummary>,
) -> Result<(i64, Producers, Option<SegmentSummary>), LogError> {
    if let Some(point) = index
        && let Some(producers) = snapshot::load(dir, point.next_offset).map_err(LogError::io(dir))?
    {
        return Ok((point.next_offset, producers, Some(point)));
    }
    Ok(match snapshot::newest(dir, last.base_offset).map_err(LogError::io(dir))? {
        Some((at, producers)) => (at, producers, None),
        None => (i64::MIN, Producers::default(), None),
    })
}

fn files(dir: &Path, log_start: i64) -> Result<Found, LogError> {
    let mut found = Found::default();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing(dir, log_start));
        }
        entries => entries.map_err(LogError::io(dir))?,
    };
    for entry in entries {
        let path = entry.map_err(LogError::io(dir))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let base = path.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok());
        match (extension, base) {
            (Some("log"), Some(base)) => found.bases.push(base),
            (Some("cleaned" | "new" | "tmp"), _) => found.unfinished.push(path),
            _ => {}
        }
    }
    found.bases.sort_unstable();
    if found.bases.is_empty() {
        return Err(missing(dir, log_start));
    }
    Ok(found)
}

impl Survey {
    /// Settles what was found, and gives the log. What is cut off, or nobody needs any more, is kept in the
    /// folder `aside`, except for files that nobody had finished.
    ///
    /// # Errors
    /// The system refuses.
    pub fn settle(self, aside: &Path) -> Result<Log, LogError> {
        let Self { mut log, torn_bytes, superseded, unindexed, unfinished, .. } = self;
        for path in unfinished {
            millrace_disk::remove_file(&path).map_err(LogError::io(&path))?;
        }
        if torn_bytes > 0 {
            cut(log.active(), torn_bytes, aside)?;
        }
        let end = log.next_offset();
        snapshot::forget_behind(&log.dir, end).map_err(LogError::io(&log.dir))?;
        for n in unindexed {
            let segment = &log.segments[n];
            segment.write_index().map_err(LogError::io(&segment.path))?;
        }
        for n in superseded.into_iter().rev() {
            let segment = log.segments.remove(n);
            let name = name_aside(&segment.path);
            let kept = millrace_disk::set_aside(&segment.path, aside, &name);
            let kept = kept.map_err(LogError::io(&segment.path))?;
            tracing::warn!(
                segment = %segment.path.display(),
                set_aside = %kept.display(),
                "set a segment aside that compaction has merged into the one before"
            );
            segment.delete().map_err(LogError::io(&segment.path))?;
        }
        Ok(log)
    }
}

fn cut(segment: &Segment, torn_bytes: u64, aside: &Path) -> Result<(), LogError> {
    let failed = LogError::io(&segment.path);
    let name = format!("{}.from-{}", name_aside(&segment.path), segment.len);
    let kept = millrace_disk::keep_tail(&segment.path, segment.len, aside, &name).map_err(&failed)?;
    tracing::warn!(
        segment = %segment.path.display(),
        kept_bytes = segment.len,
        dropped_bytes = torn_bytes,
        copy = %kept.display(),
        "cut the torn end off a log, after setting a copy of it aside"
    );
    segment.truncate_to_scanned().map_err(&failed)
}

/// `<topic>-<partition>-<file>`.
fn name_aside(path: &Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(3).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("-")
}

fn damaged(segment: &Segment, position: u64, why: String) -> LogError {
    let (path, index) = (segment.path.display(), segment.index_path());
    let way_out = format!("`truncate --size {position} {path} && rm -f {}`", index.display());
    LogError::Damaged { path: segment.path.clone(), position, why, way_out }
}

fn missing(dir: &Path, log_start: i64) -> LogError {
    let path = segment_path(dir, log_start);
    LogError::Missing {
        why: "though the metadata names the partition, and no other segment of it is there".to_owned(),
        way_out: format!(
            "or, to begin the partition anew without its records, run `mkdir -p {} && touch {}`",
            dir.display(),
            path.display()
        ),
        path,
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
