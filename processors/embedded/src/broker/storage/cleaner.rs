//! Compaction: of each key only the newest record stays. Offsets never change.
//!
//! A pass reads the sealed segments that are new since the last one to learn the newest offset of
//! each key, then rewrites all sealed segments without what is superseded. It touches neither the
//! active segment nor anything beyond the last stable offset. Tombstones and markers go once they
//! have been in the compacted part for `delete.retention.ms`, so that slow readers see them. What was superseded is gone
//! after `max.compaction.lag.ms`: until then a pass is not put off for being small.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::batch::{self, BatchHeader, HEADER_LEN};
use super::fault::WriteFailed;
use super::partition::Partition;
use super::producers::AbortedTxn;
use super::records::{BadRecords, Records, compressed, decompressed};
use super::segment::{ScanEnd, Segment, scan_from};
use super::snapshot;
use crate::broker::config::TopicSettings;
use crate::broker::util::now_ms;

/// Bytes of keys that one pass remembers; what does not fit waits for the next pass.
const MAX_KEY_BYTES: usize = 128 << 20;
/// What a key costs beside its bytes.
const KEY_OVERHEAD: usize = 48;

/// What the passes have done so far, kept beside the segments.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Everything before this offset was compacted.
    clean_until: i64,
    /// Passes, oldest first: up to which offset, and when.
    passes: Vec<(i64, i64)>,
    /// Tombstones and markers before this offset are gone.
    horizon: i64,
    /// Whether any are left behind the horizon.
    waiting: bool,
}

impl Progress {
    fn path(dir: &Path) -> std::path::PathBuf {
        dir.join("cleaner.json")
    }

    fn load(dir: &Path) -> Self {
        let read = fs::read(Self::path(dir)).ok();
        // Without it the next pass starts over, which is only slower.
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn store(&self, dir: &Path) -> io::Result<()> {
        millrace_disk::replace(&Self::path(dir), &serde_json::to_vec(self)?)
    }

    /// Up to where tombstones may go now.
    fn horizon_at(&self, now: i64, retention_ms: i64) -> i64 {
        let old = self.passes.iter().filter(|(_, at)| now.saturating_sub(*at) >= retention_ms);
        old.map(|(until, _)| *until).max().unwrap_or(0).max(self.horizon)
    }
}

/// A sealed segment as the pass found it.
struct Source {
    base_offset: i64,
    next_offset: i64,
    file: Arc<File>,
    len: u64,
    first_append_ms: Option<i64>,
}

struct Plan {
    sources: Vec<Source>,
    aborted: HashMap<i64, Vec<AbortedTxn>>,
    until: i64,
    horizon: i64,
    /// The last offset of the log, when a pass comes that far. Its record stays, or readers would wait for an end they can
    /// never reach.
    last: Option<i64>,
}

/// Does what is due in a partition.
pub(crate) fn run(partition: &Partition, settings: &TopicSettings, stopped: &dyn Fn() -> bool) {
    if !settings.compact {
        return;
    }
    if let Err(error) = try_run(partition, settings, stopped) {
        if millrace_disk::is_full(&error) {
            let doing = format_args!("compact {}/{}", partition.topic, partition.index);
            return partition.room().refused(doing, 0, &error);
        }
        tracing::error!(
            topic = partition.topic,
            partition = partition.index,
            %error,
            "compaction failed"
        );
    }
}

fn try_run(partition: &Partition, settings: &TopicSettings, stopped: &dyn Fn() -> bool) -> io::Result<()> {
    let now = now_ms();
    let dir = partition.log().dir.clone();
    let mut progress = Progress::load(&dir);
    let Some(mut plan) = plan(partition, settings, &progress, now) else { return Ok(()) };
    let limit = settings.max_records_bytes();
    let newest = newest_offsets(&mut plan, progress.clean_until, limit, stopped)?;
    let before: u64 = plan.sources.iter().map(|source| source.len).sum();
    let mut pass = Pass {
        newest: &newest,
        plan: &plan,
        limit,
        pending_data: HashSet::new(),
        dropped_markers: HashSet::new(),
        waiting: false,
    };
    let mut groups = Vec::new();
    let mut at = 0;
    while at < plan.sources.len() {
        if stopped() {
            return Ok(());
        }
        let (group, taken) = pass.rewrite_group(&dir, at, settings.segment_bytes)?;
        groups.push((at..at + taken, group));
        at += taken;
    }
    let Pass { dropped_markers, waiting, .. } = pass;
    // First, because an entry without its marker would hide committed records. The records of these
    // transactions were removed by an earlier pass.
    snapshot::forget_aborted(&dir, &dropped_markers)?;
    let mut after = 0;
    for (range, group) in groups {
        after += swap(partition, &plan.sources[range], group)?;
    }
    partition.log().producers.forget_aborted(|txn| dropped_markers.contains(&txn.marker_offset));

    progress.clean_until = plan.until;
    progress.horizon = plan.horizon;
    progress.waiting = waiting;
    progress.passes.retain(|(until, _)| *until > plan.horizon);
    if progress.passes.last().is_none_or(|(until, _)| *until < plan.until) {
        progress.passes.push((plan.until, now));
    }
    progress.store(&dir)?;
    tracing::info!(
        topic = partition.topic,
        partition = partition.index,
        until_offset = plan.until,
        before_bytes = before,
        after_bytes = after,
        "compacted"
    );
    Ok(())
}

fn plan(partition: &Partition, settings: &TopicSettings, progress: &Progress, now: i64) -> Option<Plan> {
    let log = partition.log();
    if partition.deleted.load(Ordering::Acquire) {
        return None;
    }
    let stable = log.last_stable_offset();
    let sealed = log.segments.len() - 1;
    let last = (log.active().len == 0).then(|| log.next_offset() - 1);
    let sources: Vec<Source> = log.segments[..sealed]
        .iter()
        .take_while(|segment| {
            let settled = now.saturating_sub(segment.newest_ms(now)) >= settings.min_compaction_lag_ms;
            segment.next_offset <= stable && settled
        })
        .map(|segment| Source {
            base_offset: segment.base_offset,
            next_offset: segment.next_offset,
            file: Arc::clone(&segment.file),
            len: segment.len,
            first_append_ms: segment.first_append_ms,
        })
        .collect();
    let until = log.segments.get(sources.len())?.base_offset;
    let dirty: u64 = sources.iter().filter(|s| s.next_offset > progress.clean_until).map(|s| s.len).sum();
    let total: u64 = sources.iter().map(|source| source.len).sum();
    let horizon = progress.horizon_at(now, settings.delete_retention_ms);
    let dirty_enough = dirty > 0 && dirty as f64 >= total as f64 * settings.min_cleanable_dirty_ratio;
    let overdue = sources.iter().filter(|s| s.next_offset > progress.clean_until).any(|source| {
        source.first_append_ms.is_some_and(|at| now.saturating_sub(at) >= settings.max_compaction_lag_ms)
    });
    let tombstones_due = progress.waiting && horizon > progress.horizon;
    if sources.is_empty() || !(dirty_enough || overdue || tombstones_due) {
        return None;
    }
    let mut aborted: HashMap<i64, Vec<AbortedTxn>> = HashMap::new();
    for txn in log.producers.aborted() {
        aborted.entry(txn.producer_id).or_default().push(*txn);
    }
    Some(Plan { sources, aborted, until, horizon, last })
}

impl Plan {
    fn is_aborted(&self, header: &BatchHeader) -> bool {
        header.is_transactional()
            && self.aborted.get(&header.producer_id).is_some_and(|txns| {
                txns.iter().any(|txn| (txn.first_offset..txn.marker_offset).contains(&header.base_offset))
            })
    }
}

fn damaged(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn each_batch(
    source: &Source,
    mut each: impl FnMut(&BatchHeader, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut failed = None;
    let end = scan_from(&*source.file, 0, source.len, |header, bytes| {
        if !batch::crc_matches(bytes, header) {
            return false;
        }
        failed = each(header, bytes).err();
        failed.is_none()
    })?;
    match (failed, end) {
        (Some(error), _) => Err(error),
        (None, ScanEnd::Torn(at)) => {
            Err(damaged(format!("segment {} is damaged at byte {at}", source.base_offset)))
        }
        (None, ScanEnd::Clean) => Ok(()),
    }
}

/// The records of a batch, all of them sound. A batch that was stored before its records were checked, or is larger than
/// the topic's settings allow by now, stays as it is: no key of it is known, so nothing of it can be judged.
fn readable<'a>(header: &BatchHeader, bytes: &'a [u8], limit: usize) -> Result<Cow<'a, [u8]>, BadRecords> {
    let records = decompressed(bytes, header, limit)?;
    match Records::new(&records).find_map(Result::err) {
        Some(error) => Err(error),
        None => Ok(records),
    }
}

/// The newest offset of every key in what was not compacted yet. Shortens the plan when the keys
/// are too many for one pass.
fn newest_offsets(
    plan: &mut Plan,
    clean_until: i64,
    limit: usize,
    stopped: &dyn Fn() -> bool,
) -> io::Result<HashMap<Box<[u8]>, i64>> {
    let mut newest: HashMap<Box<[u8]>, i64> = HashMap::new();
    let mut key_bytes = 0;
    let mut used = plan.sources.len();
    for (n, source) in plan.sources.iter().enumerate() {
        if source.next_offset <= clean_until {
            continue;
        }
        if key_bytes > MAX_KEY_BYTES || stopped() {
            used = n;
            break;
        }
        each_batch(source, |header, bytes| {
            if header.is_control() || plan.is_aborted(header) {
                return Ok(());
            }
            let Ok(records) = readable(header, bytes, limit) else { return Ok(()) };
            for record in Records::new(&records) {
                let record = record.map_err(damaged)?;
                let Some(key) = record.key else { continue };
                let offset = header.base_offset.saturating_add(i64::from(record.offset_delta));
                match newest.get_mut(key) {
                    Some(known) => *known = offset,
                    None => {
                        key_bytes += key.len() + KEY_OVERHEAD;
                        newest.insert(key.into(), offset);
                    }
                }
            }
            Ok(())
        })?;
    }
    if used < plan.sources.len() {
        plan.until = plan.sources[used].base_offset;
        plan.sources.truncate(used);
    }
    Ok(newest)
}

struct Pass<'a> {
    newest: &'a HashMap<Box<[u8]>, i64>,
    plan: &'a Plan,
    /// Bytes that the records of one batch may come to.
    limit: usize,
    /// Producers with records in the output that wait for their marker.
    pending_data: HashSet<i64>,
    dropped_markers: HashSet<i64>,
    waiting: bool,
}

/// What becomes of a batch.
enum Verdict {
    Keep,
    Replace(Vec<u8>),
    Drop,
}

impl Pass<'_> {
    /// Rewrites a segment, and those behind it that fit into the same file.
    fn rewrite_group(
        &mut self,
        dir: &Path,
        at: usize,
        segment_bytes: u64,
    ) -> io::Result<(Option<Segment>, usize)> {
        let first = &self.plan.sources[at];
        let path = dir.join(format!("{:020}.cleaned", first.base_offset));
        let mut output = Segment::create_at(&path, first.base_offset)?;
        let mut changed = false;
        let mut taken = 0;
        for source in &self.plan.sources[at..] {
            if taken > 0 && output.len + source.len > segment_bytes {
                break;
            }
            each_batch(source, |header, bytes| {
                let first_append = source.first_append_ms.unwrap_or(header.max_timestamp);
                let replaced;
                let kept: &[u8] = match self.judge(header, bytes)? {
                    Verdict::Keep => bytes,
                    Verdict::Replace(new) => {
                        changed = true;
                        replaced = new;
                        &replaced
                    }
                    Verdict::Drop => {
                        changed = true;
                        return Ok(());
                    }
                };
                let new_header = BatchHeader::parse(kept).ok_or_else(|| damaged("a new header"))?;
                let mut head = [0; HEADER_LEN];
                head.copy_from_slice(&kept[..HEADER_LEN]);
                let written = output.append(&head, &kept[HEADER_LEN..], &new_header, first_append);
                // However it failed, nobody has the output yet.
                written.map_err(|failed| match failed {
                    WriteFailed::TakenBack(error) | WriteFailed::Unknown(error) => error,
                })
            })?;
            taken += 1;
        }
        if !changed && taken == 1 {
            millrace_disk::remove_file(&path)?;
            return Ok((None, taken));
        }
        output.file.sync_data()?;
        Ok((Some(output), taken))
    }

    fn judge(&mut self, header: &BatchHeader, bytes: &[u8]) -> io::Result<Verdict> {
        if header.is_control() {
            // A marker stays with the records it decided, or a replay would find them undecided.
            let has_data = self.pending_data.remove(&header.producer_id);
            let is_last = self.plan.last == Some(header.last_offset());
            if has_data || is_last || header.base_offset >= self.plan.horizon {
                self.waiting |= !has_data;
                return Ok(Verdict::Keep);
            }
            self.dropped_markers.insert(header.base_offset);
            return Ok(Verdict::Drop);
        }
        if self.plan.is_aborted(header) {
            return Ok(Verdict::Drop);
        }
        let records = match readable(header, bytes, self.limit) {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, offset = header.base_offset, "kept a batch that compaction cannot read");
                if header.is_transactional() {
                    self.pending_data.insert(header.producer_id);
                }
                return Ok(Verdict::Keep);
            }
        };
        let mut kept = Vec::with_capacity(records.len());
        let mut count = 0;
        let mut dropped = false;
        for record in Records::new(&records) {
            let record = record.map_err(damaged)?;
            let offset = header.base_offset.saturating_add(i64::from(record.offset_delta));
            let superseded = match record.key {
                None => true,
                Some(key) => self.newest.get(key).is_some_and(|newest| *newest > offset),
            };
            let expired = record.is_tombstone && offset < self.plan.horizon;
            if (superseded || expired) && self.plan.last != Some(offset) {
                dropped = true;
                continue;
            }
            self.waiting |= record.is_tombstone;
            kept.extend_from_slice(record.raw);
            count += 1;
        }
        if count == 0 {
            return Ok(Verdict::Drop);
        }
        if header.is_transactional() {
            self.pending_data.insert(header.producer_id);
        }
        if !dropped {
            return Ok(Verdict::Keep);
        }
        let payload = compressed(&kept, header).map_err(damaged)?;
        Ok(Verdict::Replace(batch::with_records(bytes, &payload, count)))
    }
}

/// Puts a rewritten segment in the place of its sources; returns the bytes that are left.
fn swap(partition: &Partition, sources: &[Source], group: Option<Segment>) -> io::Result<u64> {
    let Some(mut output) = group else { return Ok(sources.iter().map(|source| source.len).sum()) };
    let mut log = partition.log();
    let Some(at) = log.segments.iter().position(|s| s.base_offset == sources[0].base_offset) else {
        // Retention took them meanwhile.
        return millrace_disk::remove_file(&output.path).map(|()| 0);
    };
    let same = sources
        .iter()
        .enumerate()
        .all(|(n, s)| log.segments.get(at + n).is_some_and(|seg| Arc::ptr_eq(&seg.file, &s.file)));
    if !same || partition.deleted.load(Ordering::Acquire) {
        return millrace_disk::remove_file(&output.path).map(|()| 0);
    }
    let target = log.segments[at].path.clone();
    // In this order on the disk as well: an index tells of the file it was written for, and of the files
    // that were merged the older must go first, or what a newer one deletes would come back.
    millrace_disk::remove_file(&log.segments[at].index_path())?;
    millrace_disk::rename(&output.path, &target)?;
    output.path = target;
    output.first_append_ms = sources[0].first_append_ms;
    if let Err(error) = output.write_index() {
        // A start reads the segment instead.
        tracing::warn!(segment = %output.path.display(), %error, "no index could be written");
    }
    let len = output.len;
    // They lie inside the new one, which the next start sees should the process end here.
    let mut gone: Vec<Segment> = log.segments.splice(at..at + sources.len(), [output]).skip(1).collect();
    if len == 0 {
        gone.push(log.segments.remove(at));
    }
    for old in gone {
        if let Err(error) = old.delete() {
            let doing = format!("removing {} after compaction", old.path.display());
            partition.halt().now(doing, &error);
            return Err(error);
        }
    }
    Ok(len)
}
