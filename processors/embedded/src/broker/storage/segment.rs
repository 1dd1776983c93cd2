//! A segment: one file of record batches and its sparse index.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::batch::{BatchHeader, HEADER_LEN, crc_matches};
use super::fault::WriteFailed;
use super::index::{self, INTERVAL_BYTES, IndexEntry, SegmentSummary};
use crate::broker::util::now_ms;

/// Bytes read at once when a segment is scanned.
const SCAN_CHUNK: usize = 1 << 20;

/// One segment of a log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub base_offset: i64,
    pub path: PathBuf,
    pub file: Arc<File>,
    pub len: u64,
    /// One past the last offset in the segment; the base offset while it is empty.
    pub next_offset: i64,
    pub max_timestamp: i64,
    pub max_timestamp_offset: i64,
    /// When the first batch came (by the broker's clock, or by its timestamp after a restart).
    pub first_append_ms: Option<i64>,
    pub index: Vec<IndexEntry>,
    unindexed: u64,
}

/// How the scan of a segment ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ScanEnd {
    /// Every byte belongs to an intact batch.
    Clean,
    /// From this position on the file holds something else.
    Torn(u64),
}

pub(crate) fn segment_path(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}.log"))
}

impl Segment {
    /// Opens a segment's file without looking into it.
    pub fn open(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let path = segment_path(dir, base_offset);
        let file = OpenOptions::new().read(true).append(true).open(&path)?;
        Self::of(path, file, base_offset)
    }

    /// Creates an empty segment.
    pub fn create(dir: &Path, base_offset: i64) -> io::Result<Self> {
        let path = segment_path(dir, base_offset);
        let file = millrace_disk::open_to_append(&path)?;
        Self::of(path, file, base_offset)
    }

    /// Creates an empty segment under another name; it is renamed when it is finished.
    pub fn create_at(path: &Path, base_offset: i64) -> io::Result<Self> {
        let file = millrace_disk::open_to_append(path)?;
        // What an earlier attempt has left.
        file.set_len(0)?;
        Self::of(path.to_path_buf(), file, base_offset)
    }

    fn of(path: PathBuf, file: File, base_offset: i64) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self {
            base_offset,
            path,
            file: Arc::new(file),
            len,
            next_offset: base_offset,
            max_timestamp: -1,
            max_timestamp_offset: -1,
            first_append_ms: None,
            index: Vec::new(),
            unindexed: 0,
        })
    }

    /// About when the first batch was written: what a segment is sealed by must not become younger with each start.
    fn first_batch_ms(&self) -> i64 {
        let mut head = [0; HEADER_LEN];
        let read = self.file.read_exact_at(&mut head, 0).ok();
        let first = read.and_then(|()| BatchHeader::parse(&head)).map(|header| header.max_timestamp);
        first.filter(|first| *first >= 0).unwrap_or(self.max_timestamp)
    }

    /// How new the newest record is. One that says it comes from the future is as new as the file, or it would stop retention
    /// until then; so is one without a time.
    pub fn newest_ms(&self, now: i64) -> i64 {
        if (0..=now).contains(&self.max_timestamp) {
            return self.max_timestamp;
        }
        let written = self.file.metadata().and_then(|it| it.modified()).ok();
        let written = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        written.map_or(now, |at| i64::try_from(at.as_millis()).unwrap_or(now)).min(now)
    }

    pub fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }

    /// Takes an index's word for the first `log_len` bytes.
    pub fn trust(&mut self, summary: SegmentSummary) {
        self.len = summary.log_len;
        self.next_offset = summary.next_offset;
        self.max_timestamp = summary.max_timestamp;
        self.max_timestamp_offset = summary.max_timestamp_offset;
        self.index = summary.entries;
        self.unindexed = self.len - self.index.last().map_or(0, |entry| entry.position).min(self.len);
        // Nothing was written in the future, whatever its records say.
        self.first_append_ms = (self.len > 0).then(|| self.first_batch_ms().min(now_ms()));
    }

    /// What an index of all of the segment says.
    pub fn summary(&self) -> SegmentSummary {
        SegmentSummary {
            log_len: self.len,
            next_offset: self.next_offset,
            max_timestamp: self.max_timestamp,
            max_timestamp_offset: self.max_timestamp_offset,
            entries: self.index.clone(),
        }
    }

    /// Writes the index. What the segment holds must be on the disk: a start believes the index.
    pub fn write_index(&self) -> io::Result<()> {
        index::write(&self.index_path(), &self.summary())
    }

    /// Reads every batch behind what `trusted` tells of, or all of them, checks it, goes on with the index
    /// and hands each batch on.
    pub fn scan(
        &mut self,
        trusted: Option<SegmentSummary>,
        mut each: impl FnMut(&BatchHeader, &[u8]),
    ) -> io::Result<ScanEnd> {
        let file = Arc::clone(&self.file);
        let file_len = self.len;
        self.trust(trusted.unwrap_or_else(|| SegmentSummary {
            log_len: 0,
            next_offset: self.base_offset,
            max_timestamp: -1,
            max_timestamp_offset: -1,
            entries: Vec::new(),
        }));
        let now = now_ms();
        let end = scan_from(&*file, self.len, file_len, |header, batch| {
            // The checksum does not cover the base offset, so a damaged one is found by its place, or by having no
            // offset behind it.
            let misplaced = header.base_offset < self.next_offset || header.last_offset() == i64::MAX;
            if misplaced || !crc_matches(batch, header) {
                return false;
            }
            self.note(header, header.max_timestamp.min(now));
            each(header, batch);
            true
        })?;
        debug_assert!(self.len <= file_len, "a scan stays inside the file");
        Ok(end)
    }

    /// Cuts the file behind what the scan accepted.
    pub fn truncate_to_scanned(&self) -> io::Result<()> {
        self.file.set_len(self.len)?;
        self.file.sync_data()
    }

    fn note(&mut self, header: &BatchHeader, now_ms: i64) {
        if self.len > 0 && self.unindexed >= INTERVAL_BYTES {
            self.index.push(IndexEntry {
                offset: header.base_offset,
                position: self.len,
                max_timestamp_before: self.max_timestamp,
            });
            self.unindexed = 0;
        }
        if !header.is_control() && header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_offset = header.last_offset();
        }
        self.first_append_ms.get_or_insert(now_ms);
        let len = header.total_len() as u64;
        self.len += len;
        self.unindexed += len;
        self.next_offset = header.last_offset().saturating_add(1);
    }

    /// Appends a batch whose header was stamped. On an error the file is cut back, so that what
    /// follows is not hidden behind half a batch, and a restart does not find what was refused.
    pub fn append(
        &mut self,
        head: &[u8; HEADER_LEN],
        records: &[u8],
        header: &BatchHeader,
        now_ms: i64,
    ) -> Result<(), WriteFailed> {
        if let Err(error) = write_both(&self.file, head, records) {
            return Err(WriteFailed::after(error, self.file.set_len(self.len)));
        }
        self.note(header, now_ms);
        Ok(())
    }

    /// Where to start reading for `offset`.
    pub fn position_before(&self, offset: i64) -> u64 {
        let n = self.index.partition_point(|entry| entry.offset <= offset);
        if n == 0 { 0 } else { self.index[n - 1].position }
    }

    /// Where to start looking for the first batch with a timestamp of at least `timestamp`.
    pub fn position_before_timestamp(&self, timestamp: i64) -> u64 {
        let n = self.index.partition_point(|entry| entry.max_timestamp_before < timestamp);
        if n == 0 { 0 } else { self.index[n - 1].position }
    }

    /// Removes the segment's files.
    pub fn delete(&self) -> io::Result<()> {
        millrace_disk::remove_file(&self.path)?;
        // Behind the segment: an index alone says nothing, a segment without one is read.
        millrace_disk::remove_file(&self.index_path())
    }
}

fn write_both(file: &File, head: &[u8], records: &[u8]) -> io::Result<()> {
    let mut file = file;
    let total = head.len() + records.len();
    let mut done = file.write_vectored(&[IoSlice::new(head), IoSlice::new(records)])?;
    while done < total {
        let rest = if done < head.len() { &head[done..] } else { &records[done - head.len()..] };
        match file.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Bytes of a segment: a file, or memory.
pub(crate) trait Source {
    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;
}

impl Source for File {
    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, into, at)
    }
}

impl Source for [u8] {
    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)?.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Walks over the batches from a position where one begins, up to the end or until `each` refuses one.
pub(crate) fn scan_from<S: Source + ?Sized>(
    source: &S,
    start: u64,
    end: u64,
    mut each: impl FnMut(&BatchHeader, &[u8]) -> bool,
) -> io::Result<ScanEnd> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut buffer_at = start;
    let mut position = start;
    while position < end {
        let have = (buffer_at + buffer.len() as u64 - position) as usize;
        let at = (position - buffer_at) as usize;
        let header = if have >= HEADER_LEN { BatchHeader::parse(&buffer[at..]) } else { None };
        let needed = match (&header, have >= HEADER_LEN) {
            (Some(header), _) => header.total_len(),
            (None, true) => return Ok(ScanEnd::Torn(position)),
            (None, false) => HEADER_LEN,
        };
        if needed as u64 > end - position {
            return Ok(ScanEnd::Torn(position));
        }
        if have < needed {
            let want = needed.max(SCAN_CHUNK).min((end - position) as usize);
            buffer.resize(want, 0);
            source.read_exact_at(&mut buffer, position)?;
            buffer_at = position;
            continue;
        }
        let Some(header) = header else { continue };
        if !each(&header, &buffer[at..at + needed]) {
            return Ok(ScanEnd::Torn(position));
        }
        position += needed as u64;
    }
    Ok(ScanEnd::Clean)
}

/// Where a whole batch of offsets from `from_offset` on begins, at `position` or behind it: then it is damage
/// that a scan ended at, and no torn end.
pub(crate) fn whole_batch_from<S: Source + ?Sized>(
    source: &S,
    position: u64,
    end: u64,
    from_offset: i64,
) -> io::Result<Option<u64>> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut at = position;
    while at < end {
        buffer.resize(SCAN_CHUNK.min((end - at) as usize), 0);
        source.read_exact_at(&mut buffer, at)?;
        let whole = buffer.len().saturating_sub(HEADER_LEN - 1);
        for start in 0..whole {
            let Some(header) = BatchHeader::parse(&buffer[start..]) else { continue };
            let begin = at + start as u64;
            if header.base_offset < from_offset || header.total_len() as u64 > end - begin {
                continue;
            }
            let mut batch = vec![0; header.total_len()];
            source.read_exact_at(&mut batch, begin)?;
            if crc_matches(&batch, &header) {
                return Ok(Some(begin));
            }
        }
        at += whole.max(HEADER_LEN) as u64;
    }
    Ok(None)
}
