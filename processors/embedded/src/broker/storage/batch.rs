//! Record batches (format v2) as plain bytes: reading headers, checking and stamping them.
//!
//! Batches are stored and sent exactly as they arrived. Only the fields that the broker owns are
//! patched: the base offset and the leader epoch, which the checksum does not cover, and the largest timestamp and whose
//! it is, which it does, where they are the broker's or the client's are not those of its records.

/// Bytes before the first record.
pub(crate) const HEADER_LEN: usize = 61;
/// Base offset and batch length: what the batch length does not count.
pub(crate) const PREFIX_LEN: usize = 12;
/// The broker never loses leadership, so there is one epoch.
pub(crate) const LEADER_EPOCH: i32 = 0;

const CRC_AT: usize = 17;
const CRC_FROM: usize = 21;
const MAX_TIMESTAMP_AT: usize = 35;
const COUNT_AT: usize = 57;

const ATTRIBUTE_COMPRESSION: i16 = 0x07;
const ATTRIBUTE_LOG_APPEND_TIME: i16 = 0x08;
const ATTRIBUTE_TRANSACTIONAL: i16 = 0x10;
const ATTRIBUTE_CONTROL: i16 = 0x20;

/// The header of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub base_offset: i64,
    pub batch_length: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

impl BatchHeader {
    /// Reads a header; `None` when there are too few bytes or the length cannot be one of a batch.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_LEN {
            return None;
        }
        let header = Self {
            base_offset: i64::from_be_bytes(array(bytes, 0)),
            batch_length: i32::from_be_bytes(array(bytes, 8)),
            magic: bytes[16] as i8,
            crc: u32::from_be_bytes(array(bytes, CRC_AT)),
            attributes: i16::from_be_bytes(array(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)),
            max_timestamp: i64::from_be_bytes(array(bytes, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(array(bytes, 43)),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)),
            base_sequence: i32::from_be_bytes(array(bytes, 53)),
            record_count: i32::from_be_bytes(array(bytes, COUNT_AT)),
        };
        let plausible = header.batch_length as i64 >= (HEADER_LEN - PREFIX_LEN) as i64
            && header.last_offset_delta >= 0
            && header.magic == 2;
        plausible.then_some(header)
    }

    /// Bytes of the whole batch.
    pub fn total_len(&self) -> usize {
        PREFIX_LEN + self.batch_length as usize
    }

    /// The offset of the last record. A base offset is not covered by the checksum, so it may be anything.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    pub fn compression(&self) -> i16 {
        self.attributes & ATTRIBUTE_COMPRESSION
    }

    pub fn is_log_append_time(&self) -> bool {
        self.attributes & ATTRIBUTE_LOG_APPEND_TIME != 0
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTRIBUTE_TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }

    /// The sequence of the batch's last record; sequences wrap at the largest `i32`.
    pub fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// Adds to a sequence number, wrapping to zero as producers do.
pub(crate) fn add_sequence(sequence: i32, delta: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(delta);
    if sum > i64::from(i32::MAX) { (sum - i64::from(i32::MAX) - 1) as i32 } else { sum as i32 }
}

/// Whether a whole batch carries the checksum of its bytes.
pub(crate) fn crc_matches(batch: &[u8], header: &BatchHeader) -> bool {
    batch.len() >= HEADER_LEN && crc32c::crc32c(&batch[CRC_FROM..]) == header.crc
}

/// The first bytes of a batch as they go to disk, with what the broker assigned.
///
/// `max_timestamp` is that of `header`, which may be corrected already.
pub(crate) fn stamped_header(
    batch: &[u8],
    base_offset: i64,
    max_timestamp: i64,
    log_append_time: Option<i64>,
) -> [u8; HEADER_LEN] {
    let mut head: [u8; HEADER_LEN] = array(batch, 0);
    head[0..8].copy_from_slice(&base_offset.to_be_bytes());
    head[12..16].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
    let sent = i16::from_be_bytes(array(&head, 21));
    // Whose time it is, is not the client's to say.
    let time = if log_append_time.is_some() { ATTRIBUTE_LOG_APPEND_TIME } else { 0 };
    let attributes = (sent & !ATTRIBUTE_LOG_APPEND_TIME) | time;
    let stamp = log_append_time.unwrap_or(max_timestamp);
    if attributes != sent || stamp != i64::from_be_bytes(array(&head, MAX_TIMESTAMP_AT)) {
        head[21..23].copy_from_slice(&attributes.to_be_bytes());
        head[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&stamp.to_be_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&head[CRC_FROM..]), &batch[HEADER_LEN..]);
        head[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
    head
}

/// Puts new records behind an old header: what compaction writes.
pub(crate) fn with_records(original: &[u8], records: &[u8], count: i32) -> Vec<u8> {
    let mut batch = Vec::with_capacity(HEADER_LEN + records.len());
    batch.extend_from_slice(&original[..HEADER_LEN]);
    batch.extend_from_slice(records);
    let length = (batch.len() - PREFIX_LEN) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[COUNT_AT..COUNT_AT + 4].copy_from_slice(&count.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// A control batch that ends a producer's transaction in one partition.
pub(crate) fn control_batch(producer_id: i64, epoch: i16, commit: bool, now_ms: i64) -> Vec<u8> {
    let mut record = Vec::with_capacity(24);
    record.push(0u8); // attributes
    record.push(0u8); // timestamp delta
    record.push(0u8); // offset delta
    record.push(8u8); // key length 4 (zigzag)
    record.extend_from_slice(&0i16.to_be_bytes());
    record.extend_from_slice(&i16::from(commit).to_be_bytes());
    record.push(12u8); // value length 6 (zigzag)
    record.extend_from_slice(&0i16.to_be_bytes());
    record.extend_from_slice(&0i32.to_be_bytes()); // coordinator epoch
    record.push(0u8); // headers

    let mut batch = vec![0u8; HEADER_LEN];
    batch.push((record.len() as u8) << 1);
    batch.extend_from_slice(&record);
    let length = (batch.len() - PREFIX_LEN) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    let attributes = ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL;
    batch[21..23].copy_from_slice(&attributes.to_be_bytes());
    batch[27..35].copy_from_slice(&now_ms.to_be_bytes());
    batch[MAX_TIMESTAMP_AT..MAX_TIMESTAMP_AT + 8].copy_from_slice(&now_ms.to_be_bytes());
    batch[43..51].copy_from_slice(&producer_id.to_be_bytes());
    batch[51..53].copy_from_slice(&epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&(-1i32).to_be_bytes());
    batch[COUNT_AT..COUNT_AT + 4].copy_from_slice(&1i32.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// Whether a control batch is a commit marker; `None` for control records of another kind.
pub(crate) fn marker_is_commit(batch: &[u8]) -> Option<bool> {
    let mut records = super::records::Records::new(batch.get(HEADER_LEN..)?);
    let key = records.next()?.ok()?.key?;
    match key {
        [_, _, 0, 0, ..] => Some(false),
        [_, _, 0, 1, ..] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back() {
        for commit in [true, false] {
            let batch = control_batch(7, 3, commit, 1234);
            let header = BatchHeader::parse(&batch).unwrap();
            assert!(crc_matches(&batch, &header));
            assert_eq!(header.total_len(), batch.len());
            assert!(header.is_control() && header.is_transactional());
            assert_eq!(marker_is_commit(&batch), Some(commit));
        }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(add_sequence(5, 0), 5);
    }
}
