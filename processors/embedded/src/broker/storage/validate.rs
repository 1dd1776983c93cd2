//! What a client sent as the records of one partition: exactly one intact batch, every record of it readable.
//!
//! Checked for every topic, as Apache Kafka does: a batch that is stored is read again by consumers, by compaction and by
//! searches for a time, and what nobody can read would stop them for ever. The errors are Kafka's where it has one of
//! its own; where it answers "unknown error" (nothing can be decompressed, the codec is unknown), or stores what it did
//! not look at (offsets of records), it is `INVALID_RECORD`.

use kafka_protocol::ResponseError;

use super::batch::{BatchHeader, crc_matches};
use super::records::{BadRecords, Records, decompressed};
use crate::broker::config::TopicSettings;
use crate::broker::util::now_ms;

/// What a record without a time has in its place.
const NO_TIMESTAMP: i64 = -1;

/// The header of a produced batch, with the largest timestamp its records really have.
pub(crate) fn validate_produced(
    bytes: &[u8],
    settings: &TopicSettings,
) -> Result<BatchHeader, ResponseError> {
    let mut header = check_header(bytes)?;
    header.max_timestamp = check_records(bytes, &header, settings)?;
    Ok(header)
}

fn check_header(bytes: &[u8]) -> Result<BatchHeader, ResponseError> {
    if bytes.len() > 16 && matches!(bytes[16], 0 | 1) {
        return Err(ResponseError::UnsupportedForMessageFormat);
    }
    let header = BatchHeader::parse(bytes).ok_or(ResponseError::CorruptMessage)?;
    if header.total_len() > bytes.len() {
        return Err(ResponseError::CorruptMessage);
    }
    if header.total_len() < bytes.len() {
        return Err(ResponseError::InvalidRecord);
    }
    if !crc_matches(bytes, &header) {
        return Err(ResponseError::CorruptMessage);
    }
    let sane = header.record_count > 0
        && header.record_count == header.last_offset_delta.wrapping_add(1)
        && !header.is_control()
        && (header.producer_id >= 0 || !header.is_transactional());
    if !sane {
        return Err(ResponseError::InvalidRecord);
    }
    if header.producer_id >= 0 && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(ResponseError::InvalidRecord);
    }
    Ok(header)
}

/// Reads every record; the largest timestamp among them.
fn check_records(bytes: &[u8], header: &BatchHeader, settings: &TopicSettings) -> Result<i64, ResponseError> {
    let records = decompressed(bytes, header, settings.max_records_bytes()).map_err(|error| {
        tracing::debug!(%error, "refused a batch");
        match error {
            // Producers that guess what compression saves cut the batch in two and try again.
            BadRecords::TooLarge { .. } => ResponseError::MessageTooLarge,
            BadRecords::Undecodable(_) | BadRecords::Malformed => ResponseError::InvalidRecord,
        }
    })?;
    let mut expected = 0;
    let mut max_timestamp = -1;
    let now = now_ms();
    let latest = now.saturating_add(settings.timestamp_after_max_ms);
    let earliest = now.saturating_sub(settings.timestamp_before_max_ms);
    for record in Records::new(&records) {
        let record = record.map_err(|_| ResponseError::InvalidRecord)?;
        // Compaction needs a key in every record.
        if record.offset_delta != expected || (settings.compact && record.key.is_none()) {
            return Err(ResponseError::InvalidRecord);
        }
        expected += 1;
        let timestamp = header.base_timestamp.saturating_add(record.timestamp_delta);
        // The broker's own clock is in its bounds, and a record may have no time at all.
        if !settings.log_append_time && timestamp != NO_TIMESTAMP && !(earliest..=latest).contains(&timestamp)
        {
            return Err(ResponseError::InvalidTimestamp);
        }
        max_timestamp = max_timestamp.max(timestamp);
    }
    if expected == header.record_count { Ok(max_timestamp) } else { Err(ResponseError::InvalidRecord) }
}
