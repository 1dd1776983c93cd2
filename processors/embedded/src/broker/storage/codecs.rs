//! Compressed records: what they come to is bounded while they are decompressed, whatever they claim.
//!
//! The codec crate takes a stream at its word: a snappy block that claims four gigabytes is made room for at once, and
//! 32 kilobytes of zstd become a gigabyte before anybody looks. Nobody but this module decompresses.

use std::io::{self, Read};

use bytes::BytesMut;
use flate2::bufread::MultiGzDecoder;
use kafka_protocol::compression::{Compressor, Gzip, Lz4, Snappy, Zstd};

use super::records::BadRecords;

/// The framing that Java's snappy puts around blocks; what does not begin with it is one bare block.
const SNAPPY_MAGIC: &[u8] = b"\x82SNAPPY\x00";
/// The framing's magic and its two version numbers.
const SNAPPY_HEADER: usize = 16;

/// How a batch's records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// The codec of this number in a batch's attributes.
    pub fn of(number: i16) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd]
            .get(usize::try_from(number).ok()?)
            .copied()
    }

    /// What `bytes` come to, if that is no more than `limit` bytes.
    ///
    /// It makes room for at most twice the limit; of zstd's window, 128 MiB at most, only what is written to counts.
    pub fn decompress(self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, BadRecords> {
        match self {
            Self::None => checked(bytes.len(), limit).map(|()| bytes.to_vec()),
            Self::Gzip => read(MultiGzDecoder::new(bytes), limit),
            Self::Snappy => snappy(bytes, limit),
            Self::Lz4 => {
                let mut decoder = lz4::Decoder::new(bytes).map_err(undecodable)?;
                let out = read(&mut decoder, limit)?;
                // It takes an end between two blocks for the end of all.
                decoder.finish().1.map_err(undecodable)?;
                Ok(out)
            }
            Self::Zstd => read(zstd::stream::read::Decoder::with_buffer(bytes).map_err(undecodable)?, limit),
        }
    }

    /// `records`, compressed.
    pub fn compress(self, records: &[u8]) -> Result<Vec<u8>, BadRecords> {
        let mut out = BytesMut::new();
        let put = |buffer: &mut BytesMut| {
            buffer.extend_from_slice(records);
            Ok(())
        };
        let result = match self {
            Self::None => return Ok(records.to_vec()),
            Self::Gzip => Gzip::compress(&mut out, put),
            Self::Snappy => Snappy::compress(&mut out, put),
            Self::Lz4 => Lz4::compress(&mut out, put),
            Self::Zstd => Zstd::compress(&mut out, put),
        };
        result.map_err(undecodable)?;
        Ok(out.to_vec())
    }
}

fn undecodable(error: impl std::fmt::Display) -> BadRecords {
    BadRecords::Undecodable(error.to_string())
}

fn checked(claimed: usize, limit: usize) -> Result<(), BadRecords> {
    if claimed > limit { Err(BadRecords::TooLarge { limit }) } else { Ok(()) }
}

fn read(stream: impl Read, limit: usize) -> Result<Vec<u8>, BadRecords> {
    let mut out = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let result: io::Result<usize> = stream.take(one_more).read_to_end(&mut out);
    // Looked at first: what is too large is so also when it turns out to be damaged behind that.
    checked(out.len(), limit)?;
    result.map_err(undecodable)?;
    Ok(out)
}

fn snappy(bytes: &[u8], limit: usize) -> Result<Vec<u8>, BadRecords> {
    let mut out = Vec::new();
    if bytes.len() < SNAPPY_HEADER || !bytes.starts_with(SNAPPY_MAGIC) {
        block(bytes, limit, &mut out)?;
        return Ok(out);
    }
    let mut rest = &bytes[SNAPPY_HEADER..];
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (one, behind) =
            behind.split_at_checked(length).ok_or_else(|| undecodable("a snappy block is cut off"))?;
        block(one, limit, &mut out)?;
        rest = behind;
    }
    if rest.is_empty() { Ok(out) } else { Err(undecodable("a snappy block has no length")) }
}

/// Appends what one block of snappy comes to.
fn block(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), BadRecords> {
    let claimed = snap::raw::decompress_len(bytes).map_err(undecodable)?;
    let at = out.len();
    let end = at.saturating_add(claimed);
    checked(end, limit)?;
    out.resize(end, 0);
    snap::raw::Decoder::new().decompress(bytes, &mut out[at..]).map_err(undecodable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    #[test]
    fn what_is_compressed_comes_back_and_no_limit_is_passed() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).to_be_bytes()).collect();
        for codec in ALL {
            let small = codec.compress(&text).unwrap();
            assert_eq!(codec.decompress(&small, text.len()).unwrap(), text, "{codec:?}");
            let refused = codec.decompress(&small, text.len() - 1);
            assert!(matches!(refused, Err(BadRecords::TooLarge { .. })), "{codec:?}: {refused:?}");
            for cut in [1, small.len() / 2, small.len() - 1] {
                assert!(codec.decompress(&small[..cut], text.len()).is_err(), "{codec:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_claim_of_gigabytes_makes_no_room_for_them() {
        // A bare block, and one in Java's framing, that claim 4 GiB - 1.
        let bare = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        let mut framed = SNAPPY_MAGIC.to_vec();
        framed.extend([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6]);
        framed.extend(bare);
        for bytes in [&bare[..], &framed] {
            let refused = Codec::Snappy.decompress(bytes, 16 << 20);
            assert!(matches!(refused, Err(BadRecords::TooLarge { .. })), "{refused:?}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        for codec in ALL {
            for garbage in
                [&b""[..], b"\0", b"garbage that is no stream of any kind, long enough for a header"]
            {
                let result = codec.decompress(garbage, 1 << 20);
                assert!(result.as_ref().is_err() || result.unwrap().is_empty(), "{codec:?}: {garbage:?}");
            }
        }
    }

    #[test]
    fn only_the_codecs_of_kafka_have_numbers() {
        assert_eq!(Codec::of(4), Some(Codec::Zstd));
        assert_eq!((Codec::of(5), Codec::of(-1)), (None, None));
    }
}
