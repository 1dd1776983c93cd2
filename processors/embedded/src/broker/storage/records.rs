//! The records inside a batch, read without copying: when it is checked, compacted, or searched for a time.

use std::borrow::Cow;

use bytes::Buf;

use super::batch::{BatchHeader, HEADER_LEN};
use super::codecs::Codec;

/// Why the records of a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadRecords {
    /// They come to more bytes than are allowed.
    #[error("the records of a batch come to more than the {limit} bytes that are allowed")]
    TooLarge { limit: usize },
    /// They cannot be decompressed.
    #[error("the records of a batch cannot be decompressed: {0}")]
    Undecodable(String),
    /// A record's lengths contradict each other.
    #[error("a record ends before its fields do, or behind them")]
    Malformed,
}

/// One record; `raw` holds all of its bytes, length included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordView<'a> {
    pub raw: &'a [u8],
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub is_tombstone: bool,
}

/// Iterates over uncompressed records.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.first()?;
        bytes.advance(1);
        if shift < 64 {
            value |= u64::from(byte & 0x7f) << shift;
        }
        if byte & 0x80 == 0 {
            return Some(((value >> 1) as i64) ^ -((value & 1) as i64));
        }
    }
    None
}

fn nullable<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint(bytes)?;
    if length < 0 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    if length > bytes.len() {
        return None;
    }
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    Some(Some(taken))
}

fn one<'a>(rest: &mut &'a [u8]) -> Option<RecordView<'a>> {
    let start = *rest;
    let length = usize::try_from(varint(rest)?).ok()?;
    if length > rest.len() {
        return None;
    }
    let (mut body, tail) = rest.split_at(length);
    let raw = &start[..start.len() - tail.len()];
    *rest = tail;
    if body.is_empty() {
        return None;
    }
    body.advance(1); // attributes
    let timestamp_delta = varint(&mut body)?;
    let offset_delta = i32::try_from(varint(&mut body)?).ok()?;
    let key = nullable(&mut body)?;
    let value = nullable(&mut body)?;
    let headers = usize::try_from(varint(&mut body)?).ok()?;
    for _ in 0..headers {
        nullable(&mut body)??; // a header's name cannot be null
        nullable(&mut body)?;
    }
    if !body.is_empty() {
        return None;
    }
    Some(RecordView { raw, timestamp_delta, offset_delta, key, is_tombstone: value.is_none() })
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, BadRecords>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match one(&mut self.rest) {
            Some(record) => Some(Ok(record)),
            None => {
                self.rest = &[];
                Some(Err(BadRecords::Malformed))
            }
        }
    }
}

/// The uncompressed records of a batch, if they come to no more than `limit` bytes.
pub(crate) fn decompressed<'a>(
    batch: &'a [u8],
    header: &BatchHeader,
    limit: usize,
) -> Result<Cow<'a, [u8]>, BadRecords> {
    let payload = &batch[HEADER_LEN..];
    match codec(header)? {
        // What is not compressed is as large as it came, and that was allowed.
        Codec::None => Ok(Cow::Borrowed(payload)),
        codec => codec.decompress(payload, limit).map(Cow::Owned),
    }
}

/// Compresses records with the codec that the header names.
pub(crate) fn compressed(records: &[u8], header: &BatchHeader) -> Result<Vec<u8>, BadRecords> {
    codec(header)?.compress(records)
}

fn codec(header: &BatchHeader) -> Result<Codec, BadRecords> {
    let number = header.compression();
    Codec::of(number).ok_or_else(|| BadRecords::Undecodable(format!("compression {number} is unknown")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_ends_the_iteration_with_an_error() {
        let mut records = Records::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert!(records.next().unwrap().is_err());
        assert!(records.next().is_none());
    }
}
