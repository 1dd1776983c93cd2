//! The records inside a batch, read without copying; needed only by compaction, time look-ups and
//! the key check of compacted topics.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::compression::{Compressor, Decompressor, Gzip, Lz4, Snappy, Zstd};

use super::batch::{BatchHeader, HEADER_LEN};

/// Why the records of a batch cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("records of a batch cannot be read: {0}")]
pub(crate) struct BadRecords(String);

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
                Some(Err(BadRecords("a record ends before its fields do".into())))
            }
        }
    }
}

/// The uncompressed records of a batch.
pub(crate) fn decompressed<'a>(batch: &'a [u8], header: &BatchHeader) -> Result<Cow<'a, [u8]>, BadRecords> {
    let payload = &batch[HEADER_LEN..];
    if header.compression() == 0 {
        return Ok(Cow::Borrowed(payload));
    }
    let mut input = Bytes::copy_from_slice(payload);
    let all = |bytes: &mut Bytes| Ok(bytes.split_off(0));
    let result = match header.compression() {
        1 => Gzip::decompress(&mut input, all),
        2 => Snappy::decompress(&mut input, all),
        3 => Lz4::decompress(&mut input, all),
        4 => Zstd::decompress(&mut input, all),
        other => return Err(BadRecords(format!("unknown compression {other}"))),
    };
    result.map(|bytes| Cow::Owned(bytes.to_vec())).map_err(|error| BadRecords(error.to_string()))
}

/// Compresses records with the codec that the header names.
pub(crate) fn compressed(records: &[u8], header: &BatchHeader) -> Result<Vec<u8>, BadRecords> {
    let mut out = BytesMut::new();
    let put = |buffer: &mut BytesMut| {
        buffer.extend_from_slice(records);
        Ok(())
    };
    let result = match header.compression() {
        0 => return Ok(records.to_vec()),
        1 => Gzip::compress(&mut out, put),
        2 => Snappy::compress(&mut out, put),
        3 => Lz4::compress(&mut out, put),
        4 => Zstd::compress(&mut out, put),
        other => return Err(BadRecords(format!("unknown compression {other}"))),
    };
    result.map_err(|error| BadRecords(error.to_string()))?;
    Ok(out.to_vec())
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
