//! The places of all keys as they were at a snapshot, in the order of their hashes: pages on disk, found by fences in memory.
//!
//! A look-up reads one page. What a store takes of memory and of time when it is opened is that of the fences, a byte for
//! every fourteen keys; small ones are held whole.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::index::{ENTRY_BYTES, Entry, REST_BITS, SHARDS};

/// Most entries of a page: as many as fit into what the system reads at once.
const PAGE_ENTRIES: usize = 340;

/// What is known of a page in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fence {
    /// The shard of its entries.
    pub(crate) shard: u16,
    pub(crate) count: u16,
    pub(crate) checksum: u32,
    /// Of the first entry, what the shard leaves of its hash.
    first: u64,
    /// Where it begins in the file.
    at: u64,
}

/// Bytes that stores of one process may hold of pages in memory.
#[derive(Debug)]
pub(crate) struct Room(AtomicU64);

impl Room {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    pub(crate) fn take(&self, bytes: u64) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// Pages in memory, whose room is given back when they go.
struct Held {
    bytes: Vec<u8>,
    room: Arc<Room>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.0.fetch_add(self.bytes.len() as u64, Ordering::Relaxed);
    }
}

/// The pages of a snapshot.
pub(crate) struct Pages {
    file: File,
    fences: Vec<Fence>,
    /// By shard, where its fences begin.
    shards: Box<[u32]>,
    /// The numbers of the files that places speak of, by slot; 0 for none.
    files: Vec<u64>,
    keys: u64,
    held: Option<Held>,
}

impl Pages {
    /// Pages from `begin` of `file`, as `fences` say; `None` where they are in no order. As much as has `room` is held in memory.
    pub(crate) fn new(
        file: File,
        begin: u64,
        mut fences: Vec<Fence>,
        files: Vec<u64>,
        room: &Arc<Room>,
    ) -> io::Result<Option<Self>> {
        let mut shards = vec![0_u32; SHARDS + 1].into_boxed_slice();
        let (mut at, mut last) = (begin, None);
        for fence in &mut fences {
            let is_next =
                last.replace((fence.shard, fence.first)).is_none_or(|last| last < (fence.shard, fence.first));
            if !is_next
                || usize::from(fence.shard) >= SHARDS
                || !(1..=PAGE_ENTRIES).contains(&usize::from(fence.count))
            {
                return Ok(None);
            }
            fence.at = at;
            at += fence.bytes() as u64;
            shards[usize::from(fence.shard) + 1] += 1;
        }
        for shard in 1..shards.len() {
            shards[shard] += shards[shard - 1];
        }
        if file.metadata()?.len() < at {
            return Ok(None);
        }
        let mut pages =
            Self { file, keys: (at - begin) / ENTRY_BYTES as u64, fences, shards, files, held: None };
        if room.take(at - begin) {
            // from here on its room is given back, whatever fails
            let mut held = Held { bytes: vec![0; (at - begin) as usize], room: Arc::clone(room) };
            pages.file.read_exact_at(&mut held.bytes, begin)?;
            for fence in &pages.fences {
                let from = (fence.at - begin) as usize;
                fence.check(&held.bytes[from..from + fence.bytes()])?;
            }
            pages.held = Some(held);
        }
        Ok(Some(pages))
    }

    /// How many keys have a place here.
    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// How many bytes they are.
    pub(crate) fn bytes(&self) -> u64 {
        self.keys * ENTRY_BYTES as u64
    }

    /// The number of the file that was in a slot; 0 for none.
    pub(crate) fn file_in(&self, slot: u16) -> u64 {
        self.files.get(usize::from(slot)).copied().unwrap_or(0)
    }

    /// The entry of a key.
    ///
    /// # Errors
    /// The page cannot be read, or is not what was written.
    pub(crate) fn get(&self, shard: usize, rest: u64) -> io::Result<Option<Entry>> {
        let fences = &self.fences[self.of(shard)];
        let Some(at) = fences.partition_point(|fence| fence.first <= rest).checked_sub(1) else {
            return Ok(None);
        };
        let end = fences.get(at + 1).map_or(1 << REST_BITS, |fence| fence.first);
        let fence = &fences[at];
        self.with(fence, |page| {
            let count = page.len() / ENTRY_BYTES;
            // hashes lie evenly: most look-ups touch one line of the processor's cache
            let share = u128::from(rest - fence.first) * count as u128 / u128::from(end - fence.first).max(1);
            let mut at = (share as usize).min(count - 1);
            while at + 1 < count && entry(page, at).rest() < rest {
                at += 1;
            }
            while at > 0 && entry(page, at).rest() > rest {
                at -= 1;
            }
            Some(entry(page, at)).filter(|entry| entry.rest() == rest)
        })
    }

    /// The entries of a shard, in their order.
    ///
    /// # Errors
    /// As for [`Pages::get`].
    pub(crate) fn shard(&self, shard: usize) -> io::Result<Vec<Entry>> {
        let mut all = Vec::new();
        for fence in &self.fences[self.of(shard)] {
            self.with(fence, |page| all.extend((0..page.len() / ENTRY_BYTES).map(|at| entry(page, at))))?;
        }
        Ok(all)
    }

    fn of(&self, shard: usize) -> Range<usize> {
        self.shards[shard] as usize..self.shards[shard + 1] as usize
    }

    fn with<T>(&self, fence: &Fence, act: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let length = fence.bytes();
        if let Some(held) = &self.held {
            let from = (fence.at - self.fences[0].at) as usize;
            return Ok(act(&held.bytes[from..from + length]));
        }
        let mut page = [0; PAGE_ENTRIES * ENTRY_BYTES];
        let page = &mut page[..length];
        self.file.read_exact_at(page, fence.at)?;
        fence.check(page)?;
        Ok(act(page))
    }
}

fn entry(page: &[u8], at: usize) -> Entry {
    let mut bytes = [0; ENTRY_BYTES];
    bytes.copy_from_slice(&page[at * ENTRY_BYTES..(at + 1) * ENTRY_BYTES]);
    Entry::parse(bytes)
}

impl Fence {
    /// Length of a fence as bytes.
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..2].copy_from_slice(&self.shard.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.count.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[8..].copy_from_slice(&self.first.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8; Self::BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, first @ ..] = *bytes;
        Self {
            shard: u16::from_le_bytes([a, b]),
            count: u16::from_le_bytes([c, d]),
            checksum: u32::from_le_bytes([e, f, g, h]),
            first: u64::from_le_bytes(first),
            at: 0,
        }
    }

    fn bytes(&self) -> usize {
        usize::from(self.count) * ENTRY_BYTES
    }

    fn check(&self, page: &[u8]) -> io::Result<()> {
        if crc32c::crc32c(page) == self.checksum {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::InvalidData, "a page of its index is not what was written"))
    }
}

/// Writes pages, shard by shard.
pub(crate) struct PageWriter<W> {
    out: W,
    page: Vec<u8>,
    first: u64,
    pub(crate) fences: Vec<Fence>,
}

impl<W: Write> PageWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, page: Vec::with_capacity(PAGE_ENTRIES * ENTRY_BYTES), first: 0, fences: Vec::new() }
    }

    /// The next entry of `shard`, behind all that came before.
    pub(crate) fn put(&mut self, shard: usize, entry: Entry) -> io::Result<()> {
        if self.page.is_empty() {
            self.first = entry.rest();
        }
        self.page.extend(entry.to_bytes());
        if self.page.len() == PAGE_ENTRIES * ENTRY_BYTES { self.end_shard(shard) } else { Ok(()) }
    }

    /// Nothing more of `shard` comes.
    pub(crate) fn end_shard(&mut self, shard: usize) -> io::Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        self.fences.push(Fence {
            shard: shard as u16,
            count: (self.page.len() / ENTRY_BYTES) as u16,
            checksum: crc32c::crc32c(&self.page),
            first: self.first,
            at: 0,
        });
        self.out.write_all(&self.page)?;
        self.page.clear();
        Ok(())
    }

    /// What was written to, and the fences.
    pub(crate) fn finish(self) -> (W, Vec<Fence>) {
        (self.out, self.fences)
    }
}
