//! Recovery points: up to where a log is on the disk, with what a start must know of it. After `kill -9`
//! only what lies behind the newest one is read.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::index::{self, SegmentSummary};
use super::log::Log;
use super::partition::Partition;
use super::producers::Producers;
use super::segment::segment_path;
use super::snapshot;

/// A partition gets a recovery point once so much was appended since the last one.
const EVERY_BYTES: u64 = 1 << 20;
/// Or this share of the active segment, when that is more: the index of all of it is written each time.
const EVERY_SHARE: u64 = 32;

/// A recovery point: the active segment up to here, and the producers.
#[derive(Debug)]
pub(crate) struct Point {
    base_offset: i64,
    summary: SegmentSummary,
    producers: Producers,
}

impl Point {
    /// The end of the log as it is now. It is only to be written once all of it is on the disk.
    pub fn of(log: &Log) -> Self {
        let active = log.active();
        let (base_offset, summary) = (active.base_offset, active.summary());
        Self { base_offset, summary, producers: log.producers.clone() }
    }

    /// Writes the point into the folder of its log. The index comes last: it counts only with its snapshot.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let end = self.summary.next_offset;
        snapshot::save(dir, end, &self.producers)?;
        index::write(&segment_path(dir, self.base_offset).with_extension("index"), &self.summary)?;
        snapshot::prune(dir, end, self.base_offset)
    }
}

/// Gives a partition a recovery point when one is due. The sync, which takes long, is done without the
/// lock, so that nobody waits for it.
pub(crate) fn run(partition: &Partition) {
    if let Err(error) = try_run(partition) {
        if millrace_disk::is_full(&error) {
            let doing = format_args!("write a recovery point of {}/{}", partition.topic, partition.index);
            return partition.room().refused(doing, 0, &error);
        }
        tracing::warn!(
            topic = partition.topic,
            partition = partition.index,
            %error,
            "no recovery point could be written: a start after a crash will read more"
        );
    }
}

fn try_run(partition: &Partition) -> io::Result<()> {
    let (point, file) = {
        let mut log = partition.log();
        let active = log.active();
        let due = EVERY_BYTES.max(active.len / EVERY_SHARE);
        if active.len.saturating_sub(log.recovered_len()) < due {
            return Ok(());
        }
        let file = Arc::clone(&active.file);
        log.recovered = (active.base_offset, active.len);
        (Point::of(&log), file)
    };
    if let Err(error) = file.sync_data() {
        partition.halt().now(format!("bringing {}/{} to the disk", partition.topic, partition.index), &error);
        return Err(error);
    }
    let log = partition.log();
    // A segment that was sealed meanwhile has a later one, and a deleted topic no folder.
    if !Arc::ptr_eq(&log.active().file, &file) || partition.deleted.load(Ordering::Acquire) {
        return Ok(());
    }
    point.write(&log.dir)
}
