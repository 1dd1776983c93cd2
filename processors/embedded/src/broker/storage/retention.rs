//! Retention: sealing segments that are old enough, and removing the oldest ones when time or size
//! say so. A log keeps everything from the oldest open transaction on.

use super::metalog::MetaLog;
use super::metastate::Entry;
use super::partition::Partition;
use crate::broker::config::TopicSettings;
use crate::broker::util::now_ms;

/// Producers that were silent for this long are forgotten.
const PRODUCER_EXPIRY_MS: i64 = 24 * 60 * 60 * 1000;

/// Does what is due in a partition.
pub(crate) fn run(partition: &Partition, settings: &TopicSettings, metadata: &MetaLog) {
    if let Err(error) = try_run(partition, settings, metadata, now_ms()) {
        if millrace_disk::is_full(&error) {
            let doing =
                format_args!("seal and remove old segments of {}/{}", partition.topic, partition.index);
            return partition.room().refused(doing, 0, &error);
        }
        tracing::error!(
            topic = partition.topic,
            partition = partition.index,
            %error,
            "retention failed"
        );
    }
}

fn try_run(
    partition: &Partition,
    settings: &TopicSettings,
    metadata: &MetaLog,
    now: i64,
) -> std::io::Result<()> {
    let mut log = partition.log();
    if partition.deleted.load(std::sync::atomic::Ordering::Acquire) {
        return Ok(());
    }
    log.producers.forget_silent(now - PRODUCER_EXPIRY_MS);
    let expired = |max_timestamp: i64| {
        settings.delete
            && settings.retention_ms >= 0
            && now.saturating_sub(max_timestamp) > settings.retention_ms
    };

    let active = log.active();
    let has_records = active.len > 0 && active.max_timestamp >= 0;
    let old =
        active.first_append_ms.is_some_and(|first| now.saturating_sub(first) > settings.seal_after_ms());
    if has_records
        && (old || expired(active.newest_ms(now)))
        && let Err(failed) = log.roll()
    {
        partition.write_failed("roll the log of", 0, failed);
        return Ok(());
    }
    if !settings.delete {
        return Ok(());
    }

    let stable = log.last_stable_offset();
    let mut size = log.size_bytes();
    let mut start = log.log_start;
    for pair in log.segments.windows(2) {
        let (segment, next) = (&pair[0], &pair[1]);
        let over = settings.retention_bytes >= 0
            && size.saturating_sub(segment.len) >= settings.retention_bytes.unsigned_abs();
        let timed_out = settings.retention_ms >= 0 && expired(segment.newest_ms(now));
        if next.base_offset > stable || !(over || timed_out) {
            break;
        }
        size -= segment.len;
        start = next.base_offset;
    }
    if start > log.log_start {
        let entry = Entry::LogStart(partition.topic.clone(), partition.index, start);
        metadata.append(&[entry])?;
        log.advance_start(start)?;
        tracing::info!(
            topic = partition.topic,
            partition = partition.index,
            log_start = start,
            "removed old segments"
        );
    }
    Ok(())
}
