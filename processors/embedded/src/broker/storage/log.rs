//! The log of one partition: its segments in order, the newest of which grows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::checkpoint::Point;
use super::fault::WriteFailed;
use super::producers::Producers;
use super::read::ReadPlan;
use super::segment::{Segment, segment_path};
use crate::broker::config::TopicSettings;

/// The log of one partition.
#[derive(Debug)]
pub(crate) struct Log {
    pub dir: PathBuf,
    /// In order of their base offsets; never empty, the last one is appended to.
    pub segments: Vec<Segment>,
    pub log_start: i64,
    pub producers: Producers,
    /// The newest recovery point: base offset of its segment, and bytes of that before it.
    pub recovered: (i64, u64),
}

/// Where a batch went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    pub base_offset: i64,
}

impl Log {
    /// Makes an empty log in `dir`, where there is none.
    pub fn create(dir: &Path) -> io::Result<Self> {
        millrace_disk::make_folder(dir)?;
        let segment = Segment::create(dir, 0)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            segments: vec![segment],
            log_start: 0,
            producers: Producers::default(),
            recovered: (0, 0),
        })
    }

    pub fn active(&self) -> &Segment {
        // `open` leaves at least one segment, and nothing ever removes the last one.
        self.segments.last().expect("a log has an active segment")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has an active segment")
    }

    /// How many bytes of the active segment a start need not read.
    pub fn recovered_len(&self) -> u64 {
        let (base_offset, len) = self.recovered;
        if base_offset == self.active().base_offset { len } else { 0 }
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
    ) -> Result<Appended, WriteFailed> {
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
    pub fn roll(&mut self) -> Result<(), WriteFailed> {
        let next = self.next_offset();
        // The sealed segment must be whole before a newer one exists: a start trusts it. What the system
        // could not write it may have dropped.
        self.active().file.sync_data().map_err(WriteFailed::Unknown)?;
        self.write_point().map_err(WriteFailed::TakenBack)?;
        let segment = Segment::create(&self.dir, next).map_err(|error| {
            // A start would take it for the one that goes on.
            WriteFailed::after(error, millrace_disk::remove_file(&segment_path(&self.dir, next)))
        })?;
        self.segments.push(segment);
        Ok(())
    }

    /// Leaves behind what lets the next start skip reading the log.
    pub fn checkpoint(&self) -> io::Result<()> {
        self.active().file.sync_data()?;
        self.write_point()
    }

    /// Makes the end of the log a recovery point. Everything in it is on the disk.
    fn write_point(&self) -> io::Result<()> {
        let point = Point::of(self);
        point.write(&self.dir)
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
