//! What lies in a file: frames, each a number of records that are written together.
//!
//! ```text
//! file    file header, frame, frame, …
//! frame   head: magic, flags, number, length of the records, counts, checksum
//!         records, each at a multiple of 8 bytes: checksum, lengths and mark, key, value
//!         foot: (hash, where) of every record, note, checksum of head and foot
//! ```
//!
//! All numbers are little-endian. Everything that is read is checked: heads, feet and each record have
//! checksums of their own, so that one record can be read alone.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use crate::index::{FILE_LIMIT, UNIT};

/// Length of a file's header.
pub(crate) const FILE_HEADER: u64 = 56;
const FILE_MAGIC: &[u8; 8] = b"millrace";
/// Version of what lies in files.
pub(crate) const LAYOUT: u32 = 2;
/// Length of a frame's head.
pub(crate) const HEAD: u64 = 40;
const FRAME_MAGIC: u32 = 0x4d46_524d;
/// Length of what stands before a record's key.
pub(crate) const RECORD_HEAD: usize = 12;
/// Length of a line of a foot.
const LINE: usize = 12;
/// Most bytes of records in a frame: what is longer is written as several.
pub(crate) const FRAME_LIMIT: u64 = 512 << 20;
/// Longest key, in bytes.
pub(crate) const KEY_LIMIT: usize = (1 << 24) - 1;

/// Files and frames are counted up to here. What says more of itself was never written, and is not counted on with.
pub(crate) const MOST_NUMBER: u64 = 1 << 62;

/// More frames belong to the same write.
pub(crate) const GOES_ON: u32 = 1;
/// Copies of records that lay elsewhere: they change nothing.
pub(crate) const MOVED: u32 = 2;

const REMOVED_BIT: u32 = 1 << 31;
const LISTED_BIT: u32 = 1 << 30;

/// What kind of key a record has; part of what is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mark {
    Aggregate = 1,
    /// Its key is listed: see [`millrace_ports::Space::Kept`].
    Kept = 2,
    Answer = 3,
}

impl Mark {
    pub(crate) fn of(byte: u8) -> Option<Self> {
        [Self::Aggregate, Self::Kept, Self::Answer].into_iter().find(|mark| *mark as u8 == byte)
    }
}

/// Hashes of keys. Seeded, so that nobody can know which keys share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hasher(pub(crate) u64);

impl Hasher {
    pub(crate) fn hash(self, mark: Mark, key: &[u8]) -> u64 {
        let seed = self.0 ^ (mark as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        xxhash_rust::xxh3::xxh3_64_with_seed(key, seed)
    }
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) kind: u8,
    pub(crate) number: u64,
    /// The number of its first frame.
    pub(crate) first_frame: u64,
    /// Of answers.
    pub(crate) generation: u64,
    pub(crate) seed: u64,
}

impl FileHeader {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = FILE_MAGIC.to_vec();
        bytes.extend(LAYOUT.to_le_bytes());
        bytes.extend(u32::from(self.kind).to_le_bytes());
        for number in [self.number, self.first_frame, self.generation, self.seed] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// `None` when it is none, or its checksum is wrong.
    pub(crate) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut bytes = [0; FILE_HEADER as usize];
        if !read_whole(file, &mut bytes, 0)? {
            return Ok(None);
        }
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let found = Self {
            kind: bytes[12],
            number: number(16),
            first_frame: number(24),
            generation: number(32),
            seed: number(40),
        };
        // every byte counts, so what was read must be what is written
        let is_one =
            found.to_bytes() == bytes && found.number < MOST_NUMBER && found.first_frame < MOST_NUMBER;
        Ok(is_one.then_some(found))
    }
}

/// A record as it lies in a file.
pub(crate) struct Record<'a> {
    pub(crate) mark: u8,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

/// How long a record is in a file.
pub(crate) fn record_length(key: usize, value: usize) -> u64 {
    ((RECORD_HEAD + key + value) as u64).next_multiple_of(UNIT)
}

pub(crate) fn put_record(out: &mut Vec<u8>, mark: Mark, key: &[u8], value: &[u8]) {
    let start = out.len();
    out.reserve(RECORD_HEAD + key.len() + value.len() + UNIT as usize);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(key.len() as u32 | (u32::from(mark as u8) << 24)).to_le_bytes());
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
    let checksum = crc32c::crc32c(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    pad(out, start);
}

fn pad(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    // one store, where filling up to a length is a call
    out.extend_from_slice(&[0; UNIT as usize]);
    out.truncate(start + length.next_multiple_of(UNIT as usize));
}

/// How many bytes the record has that begins with these; padding included.
pub(crate) fn length_of(head: &[u8]) -> Option<u64> {
    let word =
        |at: usize| head.get(at..at + 4).map(|it| u32::from_le_bytes(it.try_into().expect("four bytes")));
    let (key, value) = (word(4)? as usize & KEY_LIMIT, word(8)? as usize);
    Some(record_length(key, value))
}

/// The record that begins with `bytes`; `None` when its checksum is wrong.
pub(crate) fn parse_record(bytes: &[u8]) -> Option<Record<'_>> {
    let word =
        |at: usize| bytes.get(at..at + 4).map(|it| u32::from_le_bytes(it.try_into().expect("four bytes")));
    let (checksum, first, value) = (word(0)?, word(4)?, word(8)? as usize);
    let (mark, key) = ((first >> 24) as u8, first as usize & KEY_LIMIT);
    let end = RECORD_HEAD.checked_add(key)?.checked_add(value)?;
    let checked = bytes.get(4..end)?;
    if crc32c::crc32c(checked) != checksum {
        return None;
    }
    Some(Record { mark, key: &bytes[RECORD_HEAD..RECORD_HEAD + key], value: &bytes[RECORD_HEAD + key..end] })
}

/// A record of a frame, as its foot lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) hash: u64,
    /// Offset from the first record of the frame in [`UNIT`]s, and two flags.
    place: u32,
}

impl Line {
    /// Of a record at so many bytes from the first of its frame; of a removal, which has none.
    pub(crate) fn new(hash: u64, at: Option<u64>, is_listed: bool) -> Self {
        let place = at.map_or(REMOVED_BIT, |at| (at / UNIT) as u32);
        Self { hash, place: if is_listed { place | LISTED_BIT } else { place } }
    }

    /// Offset of the record from the first one of the frame, in bytes; `None` for a removal.
    pub(crate) fn at(self) -> Option<u64> {
        (self.place & REMOVED_BIT == 0).then(|| u64::from(self.place & (LISTED_BIT - 1)) * UNIT)
    }

    /// Whether its key is listed.
    pub(crate) fn is_listed(self) -> bool {
        self.place & LISTED_BIT != 0
    }

    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_le_bytes());
        out.extend_from_slice(&self.place.to_le_bytes());
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let (hash, place) = bytes.split_at(8);
        let hash = u64::from_le_bytes(hash.try_into().expect("eight bytes"));
        Self { hash, place: u32::from_le_bytes(place.try_into().expect("four bytes")) }
    }
}

/// What stands before the records of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) flags: u32,
    /// Counts the frames of a log.
    pub(crate) number: u64,
    /// Length of all records.
    pub(crate) data: u64,
    pub(crate) lines: u32,
    pub(crate) note: u32,
}

impl Head {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD as usize);
        bytes.extend(FRAME_MAGIC.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.data.to_le_bytes());
        bytes.extend(self.lines.to_le_bytes());
        bytes.extend(self.note.to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8; HEAD as usize]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let head = Self { flags: word(4), number: long(8), data: long(16), lines: word(24), note: word(28) };
        let is_one = head.to_bytes() == bytes && head.data < FILE_LIMIT && head.data.is_multiple_of(UNIT);
        is_one.then_some(head)
    }

    fn foot(self) -> u64 {
        (u64::from(self.lines) * LINE as u64 + u64::from(self.note) + 4).next_multiple_of(UNIT)
    }

    /// Length of the whole frame.
    pub(crate) fn length(self) -> u64 {
        HEAD + self.data + self.foot()
    }
}

/// The foot of a frame.
pub(crate) fn foot(head: Head, lines: &[Line], note: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.foot() as usize);
    lines.iter().for_each(|line| line.put(&mut out));
    out.extend(note);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&head.to_bytes()), &out);
    out.extend(checksum.to_le_bytes());
    pad(&mut out, 0);
    out
}

/// A frame as it was read, without its records.
pub(crate) struct Frame {
    pub(crate) head: Head,
    /// Where it begins.
    pub(crate) at: u64,
    pub(crate) lines: Vec<Line>,
    pub(crate) note: Vec<u8>,
}

impl Frame {
    /// Reads the frame at `at`; `None` when there is none that is whole.
    pub(crate) fn read(file: &File, at: u64) -> io::Result<Option<Self>> {
        let mut bytes = [0; HEAD as usize];
        if !read_whole(file, &mut bytes, at)? {
            return Ok(None);
        }
        let Some(head) = Head::parse(&bytes) else { return Ok(None) };
        let end = at.saturating_add(head.length());
        // a wrong length must not ask for all memory, and behind the limit no record has a place
        if end > file.metadata()?.len().min(FILE_LIMIT) {
            return Ok(None);
        }
        let mut foot = vec![0; head.foot() as usize];
        if !read_whole(file, &mut foot, at + HEAD + head.data)? {
            return Ok(None);
        }
        let listed = head.lines as usize * LINE;
        let checked = listed + head.note as usize;
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), &foot[..checked]);
        if foot[checked..checked + 4] != checksum.to_le_bytes() {
            return Ok(None);
        }
        let lines: Vec<Line> = foot[..listed].chunks_exact(LINE).map(Line::parse).collect();
        if lines.iter().filter_map(|line| line.at()).any(|at| at >= head.data) {
            return Ok(None);
        }
        Ok(Some(Self { head, at, lines, note: foot[listed..checked].to_vec() }))
    }

    /// Where the record of a line begins.
    pub(crate) fn place(&self, at: u64) -> u64 {
        self.at + HEAD + at
    }

    /// The hashes of those keys that are listed.
    pub(crate) fn listed(&self) -> HashSet<u64> {
        self.lines.iter().filter(|line| line.is_listed()).map(|line| line.hash).collect()
    }

    /// Whether every record is there and is what its line says.
    pub(crate) fn has_all(&self, file: &File, hasher: Hasher) -> io::Result<bool> {
        let mut window = Window::new(file);
        for line in &self.lines {
            let Some(at) = line.at() else { continue };
            let is_it = |record: Record<'_>| {
                Mark::of(record.mark).is_some_and(|mark| hasher.hash(mark, record.key) == line.hash)
            };
            if !window.record(self.place(at))?.and_then(parse_record).is_some_and(is_it) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reads records of a file one after the other.
pub(crate) struct Window<'a> {
    file: &'a File,
    at: u64,
    bytes: Vec<u8>,
}

/// How much of a file is read at once.
const WINDOW: u64 = 256 << 10;

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        Self { file, at: 0, bytes: Vec::new() }
    }

    /// The bytes of the record at `at`, unchecked; `None` behind the end of the file.
    pub(crate) fn record(&mut self, at: u64) -> io::Result<Option<&[u8]>> {
        let Some(head) = self.bytes(at, RECORD_HEAD as u64)? else { return Ok(None) };
        let Some(length) = length_of(head) else { return Ok(None) };
        self.bytes(at, length)
    }

    fn bytes(&mut self, at: u64, length: u64) -> io::Result<Option<&[u8]>> {
        let is_here = at >= self.at && at + length <= self.at + self.bytes.len() as u64;
        if !is_here {
            let end = self.file.metadata()?.len();
            if at + length > end {
                return Ok(None);
            }
            self.at = at;
            self.bytes.resize(length.max(WINDOW).min(end - at) as usize, 0);
            if !read_whole(self.file, &mut self.bytes, at)? {
                return Ok(None);
            }
        }
        let from = (at - self.at) as usize;
        Ok(Some(&self.bytes[from..from + length as usize]))
    }
}

/// Fills `bytes` from `at`; whether there were as many.
pub(crate) fn read_whole(file: &File, bytes: &mut [u8], at: u64) -> io::Result<bool> {
    match file.read_exact_at(bytes, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
