//! Reading batches for a fetch: planned under the partition's lock, carried out without it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;

use super::batch::{BatchHeader, HEADER_LEN};
use super::index::INTERVAL_BYTES;

/// Where the batches of a fetch may lie: part of one segment. It stays readable when the segment is
/// deleted or rewritten meanwhile, because the file is held open.
#[derive(Debug, Clone)]
pub(crate) struct ReadPlan {
    pub file: Arc<File>,
    pub start: u64,
    pub end: u64,
    /// Where the next segment begins, should this one hold nothing more.
    pub next_segment: Option<i64>,
}

/// Reads whole batches from the one holding `offset` up to `limit` (exclusive) and about
/// `max_bytes`; with `at_least_one` the first batch is returned whatever its size.
pub(crate) fn read_batches(
    plan: &ReadPlan,
    offset: i64,
    limit: i64,
    max_bytes: usize,
    at_least_one: bool,
) -> io::Result<Bytes> {
    let available = (plan.end - plan.start) as usize;
    let want = available.min(max_bytes.max(HEADER_LEN).saturating_add(INTERVAL_BYTES as usize));
    let mut chunk = vec![0; want];
    plan.file.read_exact_at(&mut chunk, plan.start)?;

    let mut at = 0;
    let mut first = None;
    while let Some(header) = BatchHeader::parse(&chunk[at.min(want)..]) {
        if header.last_offset() >= offset {
            first = Some(header);
            break;
        }
        at += header.total_len();
    }
    let Some(first) = first else { return Ok(Bytes::new()) };
    if first.base_offset >= limit {
        return Ok(Bytes::new());
    }
    if first.total_len() > max_bytes || at + first.total_len() > want {
        if !at_least_one && first.total_len() > max_bytes {
            return Ok(Bytes::new());
        }
        if first.total_len() as u64 > plan.end.saturating_sub(plan.start + at as u64) {
            // Room is made for what the file has, not for what a damaged length claims.
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a batch claims to reach beyond its segment",
            ));
        }
        let mut whole = vec![0; first.total_len()];
        plan.file.read_exact_at(&mut whole, plan.start + at as u64)?;
        return Ok(Bytes::from(whole));
    }
    let begin = at;
    while at < want {
        let Some(header) = BatchHeader::parse(&chunk[at..]) else { break };
        let next = at + header.total_len();
        if header.base_offset >= limit || next > want || next - begin > max_bytes {
            break;
        }
        at = next;
    }
    Ok(Bytes::from(chunk).slice(begin..at))
}
