//! The log of one partition: its segments in order, the newest of which grows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::producers::Producers;
use super::read::ReadPlan;
use super::segment::{ScanEnd, Segment};
use super::snapshot;
use crate::broker::config::TopicSettings;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("{path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is damaged at byte {position}, and newer segments follow it")]
    Damaged { path: PathBuf, position: u64 },
}

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct Log {
    pub dir: PathBuf,
    /// In order of their base offsets; never empty, the last one is appended to.
    pub segments: Vec<Segment>,
    pub log_start: i64,
    pub producers: Producers,
}

/// Where a batch went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    pub base_offset: i64,
}

impl Log {
    /// Opens the log in `dir`, creating it when it is not there, and repairs its tail.
    pub fn open(dir: &Path, log_start: i64) -> Result<Self, LogError> {
        let failed = |source| LogError::Io { path: dir.to_path_buf(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let mut segments = open_segments(dir, log_start).map_err(failed)?;

        let last = segments.len() - 1;
        let mut from = segments[last].base_offset;
        let mut producers = Producers::default();
        let newest = snapshot::newest(dir, i64::MAX).map_err(failed)?;
        let loaded: Vec<bool> = segments.iter_mut().map(Segment::load_index).collect();
        let shut_down_cleanly =
            loaded[last] && newest.as_ref().is_some_and(|(at, _)| *at == segments[last].next_offset);
        match newest.filter(|(at, _)| *at <= from || shut_down_cleanly) {
            Some((at, known)) => {
                from = at;
                producers = known;
            }
            None => match snapshot::newest(dir, from).map_err(failed)? {
                Some((at, known)) => {
                    from = at;
                    producers = known;
                }
                None => from = i64::MIN,
            },
        }

        let mut end_of_previous = i64::MIN;
        let mut superseded = Vec::new();
        for (n, segment) in segments.iter_mut().enumerate() {
            let is_last = n == last;
            if segment.base_offset < end_of_previous && !is_last {
                // Compaction merged it into the one before, and the process ended before it was
                // deleted.
                superseded.push(n);
                continue;
            }
            let needs_scan = !loaded[n] || (is_last && !shut_down_cleanly);
            let needs_replay = segment.next_offset > from;
            if !needs_scan && !needs_replay {
                end_of_previous = segment.next_offset;
                continue;
            }
            let file_len = segment.len;
            let end = segment
                .scan(|header, bytes| {
                    if header.base_offset >= from {
                        let commit = header.is_control().then(|| batch::marker_is_commit(bytes));
                        producers.appended(header, commit.flatten());
                    }
                })
                .map_err(failed)?;
            if let ScanEnd::Torn(position) = end {
                if !is_last {
                    return Err(LogError::Damaged { path: segment.path.clone(), position });
                }
                tracing::warn!(
                    segment = %segment.path.display(),
                    kept_bytes = position,
                    dropped_bytes = file_len - position,
                    "dropped the torn end of a log"
                );
                segment.truncate_to_scanned().map_err(failed)?;
            } else if !is_last {
                segment.write_index().map_err(failed)?;
            }
            end_of_previous = segment.next_offset;
        }
        for n in superseded.into_iter().rev() {
            segments.remove(n).delete().map_err(failed)?;
        }
        Ok(Self { dir: dir.to_path_buf(), segments, log_start, producers })
    }

    pub fn active(&self) -> &Segment {
        // `open` leaves at least one segment, and nothing ever removes the last one.
        self.segments.last().expect("a log has an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has an active segment")
    }

    /// One past the last offset: the high watermark, as there are no replicas.
    pub fn next_offset(&self) -> i64 {
        self.active().next_offset
    }

    /// Up to where readers of committed data may read.
    pub fn last_stable_offset(&self) -> i64 {
        self.producers.first_unstable().unwrap_or_else(|| self.next_offset())
    }

    /// Appends a checked batch.
    pub fn append(
        &mut self,
        bytes: &[u8],
        header: &BatchHeader,
        settings: &TopicSettings,
        now_ms: i64,
    ) -> io::Result<Appended> {
        let active = self.active();
        if active.len > 0 && active.len + bytes.len() as u64 > settings.segment_bytes {
            self.roll()?;
        }
        let base_offset = self.next_offset();
        let append_time = settings.log_append_time.then_some(now_ms);
        let head = batch::stamped_header(bytes, base_offset, header.max_timestamp, append_time);
        let mut stamped = *header;
        stamped.base_offset = base_offset;
        stamped.max_timestamp = append_time.unwrap_or(header.max_timestamp);
        stamped.attributes = i16::from_be_bytes([head[21], head[22]]);
        self.active_mut().append(&head, &bytes[HEADER_LEN..], &stamped, now_ms)?;
        let commit = header.is_control().then(|| batch::marker_is_commit(bytes)).flatten();
        self.producers.appended(&stamped, commit);
        Ok(Appended { base_offset })
    }

    /// Seals the active segment and starts a new one.
    pub fn roll(&mut self) -> io::Result<()> {
        let next = self.next_offset();
        // The sealed segment must be whole before a newer one exists: a start trusts it.
        self.active().file.sync_data()?;
        self.active().write_index()?;
        snapshot::write(&self.dir, next, &self.producers, next)?;
        let segment = Segment::open(&self.dir, next)?;
        self.segments.push(segment);
        Ok(())
    }

    /// Leaves behind what lets the next start skip reading the log.
    pub fn checkpoint(&self) -> io::Result<()> {
        self.active().write_index()?;
        snapshot::write(&self.dir, self.next_offset(), &self.producers, self.active().base_offset)
    }

    /// Where batches from `offset` on may lie; `None` at the end of the log.
    pub fn plan_read(&self, offset: i64) -> Option<ReadPlan> {
        let n = self.segments.partition_point(|segment| segment.base_offset <= offset);
        // Compaction may have removed the first segments altogether.
        let n = n.saturating_sub(1);
        let segment = &self.segments[n];
        let next_segment = self.segments.get(n + 1).map(|next| next.base_offset);
        if offset >= segment.next_offset {
            // Compaction may leave a gap between the end of a segment and the next one.
            return next_segment.and_then(|next| self.plan_read(next));
        }
        Some(ReadPlan {
            file: Arc::clone(&segment.file),
            start: segment.position_before(offset),
            end: segment.len,
            next_segment,
        })
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Moves the start of the log up and removes the segments before it.
    pub fn advance_start(&mut self, offset: i64) -> io::Result<()> {
        self.log_start = self.log_start.max(offset);
        while self.segments.len() > 1 && self.segments[1].base_offset <= self.log_start {
            self.segments[0].delete()?;
            self.segments.remove(0);
        }
        let start = self.log_start;
        self.producers.forget_aborted(|txn| txn.marker_offset < start);
        Ok(())
    }
}

fn open_segments(dir: &Path, log_start: i64) -> io::Result<Vec<Segment>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        let base = path.file_stem().and_then(|stem| stem.to_str()?.parse::<i64>().ok());
        match (extension, base) {
            (Some("log"), Some(base)) => bases.push(base),
            // What a rewrite or a snapshot left when the process ended in the middle of it.
            (Some("cleaned" | "tmp"), _) => fs::remove_file(&path)?,
            _ => {}
        }
    }
    bases.sort_unstable();
    if bases.is_empty() {
        bases.push(log_start);
    }
    bases.into_iter().map(|base| Segment::open(dir, base)).collect()
}
