//! The sparse index of a segment: offset and timestamp to file position. Kept in memory, written
//! when the segment is sealed and at recovery points, and rebuilt from the segment when it is absent.
//!
//! An index says that the first `log_len` bytes of its segment were on the disk when it was written: a
//! shorter segment has lost records, and a longer one is read from there on.

use std::fs;
use std::io;
use std::path::Path;

/// Bytes of log between two entries.
pub(crate) const INTERVAL_BYTES: u64 = 4096;

const MAGIC: &[u8; 8] = b"MRINDEX1";
const ENTRY_LEN: usize = 24;
const HEADER_LEN: usize = 8 + 8 * 5;

/// One entry: the batch at `position` begins with `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub offset: i64,
    pub position: u64,
    /// The largest timestamp of the batches before this one.
    pub max_timestamp_before: i64,
}

/// What an index file says of its segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentSummary {
    pub log_len: u64,
    /// One past the last offset in the segment.
    pub next_offset: i64,
    pub max_timestamp: i64,
    pub max_timestamp_offset: i64,
    pub entries: Vec<IndexEntry>,
}

/// Writes an index so that it is either whole or absent.
pub(crate) fn write(path: &Path, summary: &SegmentSummary) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + summary.entries.len() * ENTRY_LEN + 4);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&summary.log_len.to_be_bytes());
    bytes.extend_from_slice(&summary.next_offset.to_be_bytes());
    bytes.extend_from_slice(&summary.max_timestamp.to_be_bytes());
    bytes.extend_from_slice(&summary.max_timestamp_offset.to_be_bytes());
    bytes.extend_from_slice(&(summary.entries.len() as u64).to_be_bytes());
    for entry in &summary.entries {
        bytes.extend_from_slice(&entry.offset.to_be_bytes());
        bytes.extend_from_slice(&entry.position.to_be_bytes());
        bytes.extend_from_slice(&entry.max_timestamp_before.to_be_bytes());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    millrace_disk::replace_cache(path, &bytes)
}

/// Reads an index; `None` when it is absent or damaged.
pub(crate) fn read(path: &Path) -> Option<SegmentSummary> {
    parse(&fs::read(path).ok()?)
}

/// What the bytes of an index say; `None` when they are damaged or of another version.
pub(crate) fn parse(bytes: &[u8]) -> Option<SegmentSummary> {
    if bytes.len() < HEADER_LEN + 4 || &bytes[..8] != MAGIC {
        return None;
    }
    let (content, crc) = bytes.split_at(bytes.len() - 4);
    if crc32c::crc32c(content).to_be_bytes() != crc {
        return None;
    }
    let word = |at: usize| {
        let mut out = [0; 8];
        out.copy_from_slice(&content[at..at + 8]);
        out
    };
    let count = usize::try_from(u64::from_be_bytes(word(40))).ok()?;
    if content.len() != HEADER_LEN + count.checked_mul(ENTRY_LEN)? {
        return None;
    }
    let entries: Vec<IndexEntry> = (0..count)
        .map(|n| HEADER_LEN + n * ENTRY_LEN)
        .map(|at| IndexEntry {
            offset: i64::from_be_bytes(word(at)),
            position: u64::from_be_bytes(word(at + 8)),
            max_timestamp_before: i64::from_be_bytes(word(at + 16)),
        })
        .collect();
    let (log_len, next_offset) = (u64::from_be_bytes(word(8)), i64::from_be_bytes(word(16)));
    // A checksum shows that it is what was written, not that what was written was right.
    let inside = |entry: &IndexEntry| entry.position < log_len && entry.offset < next_offset;
    let ascend = |pair: &[IndexEntry]| pair[0].position < pair[1].position && pair[0].offset < pair[1].offset;
    if !entries.iter().all(inside) || !entries.windows(2).all(ascend) {
        return None;
    }
    Some(SegmentSummary {
        log_len,
        next_offset,
        max_timestamp: i64::from_be_bytes(word(24)),
        max_timestamp_offset: i64::from_be_bytes(word(32)),
        entries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_reads_back_and_damage_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.index");
        let summary = SegmentSummary {
            log_len: 99,
            next_offset: 12,
            max_timestamp: 5,
            max_timestamp_offset: 3,
            entries: vec![IndexEntry { offset: 4, position: 50, max_timestamp_before: 2 }],
        };
        write(&path, &summary).unwrap();
        assert_eq!(read(&path), Some(summary));
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path), None);
    }

    /// A read would begin behind the end of the segment.
    #[test]
    fn an_index_that_contradicts_itself_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.index");
        let rows: [(&str, &[(i64, u64)]); 4] = [
            ("behind its bytes", &[(4, 99)]),
            ("behind its offsets", &[(12, 50)]),
            ("positions go back", &[(4, 50), (5, 49)]),
            ("offsets go back", &[(5, 50), (4, 51)]),
        ];
        for (what, entries) in rows {
            let entry = |(offset, position): &(i64, u64)| IndexEntry {
                offset: *offset,
                position: *position,
                max_timestamp_before: 0,
            };
            let entries = entries.iter().map(entry).collect();
            let summary = SegmentSummary {
                log_len: 99,
                next_offset: 12,
                max_timestamp: 5,
                max_timestamp_offset: 3,
                entries,
            };
            write(&path, &summary).unwrap();
            assert_eq!(read(&path), None, "{what}");
        }
    }
}
