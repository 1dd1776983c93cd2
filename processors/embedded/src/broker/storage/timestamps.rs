//! Finding the first record at or after a time.

use std::sync::Arc;

use kafka_protocol::ResponseError;

use super::batch::BatchHeader;
use super::partition::Partition;
use super::records::{Records, decompressed};
use super::segment::scan_from;

impl Partition {
    /// Timestamp and offset of the first record before `end` that is not older than `timestamp`. `limit` is what the
    /// records of one batch may come to.
    pub fn offset_at(
        &self,
        timestamp: i64,
        end: i64,
        limit: usize,
    ) -> Result<Option<(i64, i64)>, ResponseError> {
        let places: Vec<_> = {
            let log = self.log();
            let candidates = log.segments.iter().filter(|s| s.max_timestamp >= timestamp);
            candidates.map(|s| (Arc::clone(&s.file), s.position_before_timestamp(timestamp), s.len)).collect()
        };
        let log_start = self.log().log_start;
        for (file, position, len) in places {
            let mut found = None;
            scan_from(&*file, position, len, |header, batch| {
                let may_hold = !header.is_control()
                    && header.max_timestamp >= timestamp
                    && header.last_offset() >= log_start;
                if may_hold {
                    found = first_in_batch(header, batch, timestamp, log_start, limit);
                }
                found.is_none()
            })
            .map_err(|error| {
                tracing::error!(topic = self.topic, partition = self.index, %error, "cannot read");
                ResponseError::KafkaStorageError
            })?;
            if let Some((at, offset)) = found {
                return Ok((offset < end).then_some((at, offset)));
            }
        }
        Ok(None)
    }
}

fn first_in_batch(
    header: &BatchHeader,
    batch: &[u8],
    timestamp: i64,
    log_start: i64,
    limit: usize,
) -> Option<(i64, i64)> {
    if header.is_log_append_time() {
        return Some((header.max_timestamp, header.base_offset.max(log_start)));
    }
    let records = match decompressed(batch, header, limit) {
        Ok(records) => records,
        Err(error) => {
            tracing::warn!(%error, offset = header.base_offset, "taking a batch by its header");
            return Some((header.max_timestamp, header.base_offset));
        }
    };
    Records::new(&records).map_while(Result::ok).find_map(|record| {
        let at = header.base_timestamp.saturating_add(record.timestamp_delta);
        let offset = header.base_offset.saturating_add(i64::from(record.offset_delta));
        (at >= timestamp && offset >= log_start).then_some((at, offset))
    })
}
