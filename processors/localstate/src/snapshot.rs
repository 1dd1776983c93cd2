//! The index of the states as it was after some frame, so that an open need not read all feet.
//!
//! ```text
//! magic, version, pages, what a snapshot says, fences of the pages, length of what it says and of the fences, checksum of all but the pages
//! ```

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use millrace_ports::LocalFault;

use crate::fault::{damaged, failed};
use crate::frame::{FILE_HEADER, Hasher, LAYOUT, MOST_NUMBER, Mark};
use crate::index::{FILE_LIMIT, Index, UNIT};
use crate::log::{Held, Ledger, Log};
use crate::note::{Note, Reading};
use crate::pages::{Fence, PageWriter, Pages, Room};
use crate::snapshot_before;

/// The file's name, and while it is written.
pub(crate) const SNAPSHOT: &str = "index";
const DRAFT: &str = "index.new";
pub(crate) const MAGIC: &[u8; 8] = b"mr-pages";
/// Length of what the file begins with, and of what it ends with.
pub(crate) const HEAD: usize = 12;
pub(crate) const TAIL: usize = 12;
/// How much is written at once.
const CHUNK: usize = 1 << 20;

/// A snapshot.
pub(crate) struct Saved {
    pub(crate) said: Said,
    pub(crate) index: Index,
}

/// What a snapshot says beside the index.
pub(crate) struct Said {
    pub(crate) seed: u64,
    /// The number of the first frame that it does not have, and of the file that it reaches into.
    pub(crate) next_frame: u64,
    pub(crate) file: u64,
    pub(crate) next_file: u64,
    pub(crate) note: Note,
    /// By slot.
    pub(crate) held: Vec<Option<Held>>,
    /// Keys that are listed, by their hashes.
    pub(crate) listed: Vec<(u64, Box<[u8]>)>,
}

/// Writes a snapshot of `log`, all of whose files up to `current` it names; afterwards its index rests on the snapshot, and
/// `ledger` knows how many records of each file are the newest of their keys.
pub(crate) fn save<'a>(
    log: &Log,
    ledger: &mut Ledger,
    note: &Note,
    listed: impl ExactSizeIterator<Item = (u64, &'a [u8])>,
    room: &Arc<Room>,
) -> io::Result<()> {
    let head = [&MAGIC[..], &LAYOUT.to_le_bytes()].concat();
    let draft = log.folder.join(DRAFT);
    let file = millrace_disk::open_to_write(&draft)?;
    file.set_len(0)?;
    let mut out = BufWriter::with_capacity(CHUNK, file);
    out.write_all(&head)?;
    let (out, fences, live) = write_pages(log, ledger, out)?;
    let current = ledger.current.and_then(|slot| ledger.held[usize::from(slot)].as_ref());
    let mut said = Vec::new();
    let put = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
    for number in [log.hasher.0, ledger.next_frame, current.map_or(0, |held| held.number), ledger.next_file] {
        put(&mut said, number);
    }
    let encoded = note.to_bytes();
    put(&mut said, encoded.len() as u64);
    said.extend(encoded);
    put(&mut said, ledger.held().count() as u64);
    for (slot, held) in ledger.held() {
        let Held { number, first_frame, generation, length, records, live: _ } = held;
        let live = &live[usize::from(slot)];
        for number in [u64::from(slot), *number, *first_frame, *generation, *length, *records, *live] {
            put(&mut said, number);
        }
    }
    put(&mut said, listed.len() as u64);
    for (hash, key) in listed {
        put(&mut said, hash);
        put(&mut said, key.len() as u64);
        said.extend(key);
    }
    put(&mut said, fences.len() as u64);
    fences.iter().for_each(|fence| said.extend(fence.to_bytes()));
    let length = said.len() as u64;
    put(&mut said, length);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&head), &said);
    said.extend(checksum.to_le_bytes());
    let mut out = out;
    out.write_all(&said)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    millrace_disk::rename(&draft, &log.folder.join(SNAPSHOT))?;
    let of_other = || io::Error::new(ErrorKind::InvalidData, "its index is not in the order of its keys");
    let pages = Pages::new(file, HEAD as u64, fences, numbers(&ledger.held), room)?.ok_or_else(of_other)?;
    for (held, live) in ledger.held.iter_mut().zip(live) {
        held.iter_mut().for_each(|held| held.live = live);
    }
    log.index.rest_on(&Arc::new(pages));
    Ok(())
}

/// Writes the index; its fences, and by slot how many records are the newest of their keys.
fn write_pages<W: Write>(log: &Log, ledger: &Ledger, out: W) -> io::Result<(W, Vec<Fence>, Vec<u64>)> {
    let mut live: Vec<u64> =
        ledger.held.iter().map(|held| held.as_ref().map_or(0, |held| held.live)).collect();
    let mut pages = PageWriter::new(out);
    for shard in 0..log.index.shards() {
        let left = |place: crate::index::Place, number: u64| {
            let slot = usize::from(place.slot());
            // its file may have been cleaned since, and another be in its slot
            if ledger.held.get(slot).and_then(Option::as_ref).is_some_and(|held| held.number == number) {
                live[slot] = live[slot].saturating_sub(1);
            }
        };
        log.index.each(shard, |entry| pages.put(shard, entry), left)?;
        pages.end_shard(shard)?;
    }
    let (out, fences) = pages.finish();
    Ok((out, fences, live))
}

/// The numbers of files by slot, 0 for none.
fn numbers(held: &[Option<Held>]) -> Vec<u64> {
    held.iter().map(|held| held.as_ref().map_or(0, |held| held.number)).collect()
}

/// Reads the snapshot in `folder`, if there is one.
pub(crate) fn load(folder: &Path, room: &Arc<Room>) -> Result<Option<Saved>, LocalFault> {
    // one that stays is written over
    drop(millrace_disk::remove_cache(&folder.join(DRAFT)));
    let broken = |error: io::Error| failed(folder, &error);
    let file = match File::open(folder.join(SNAPSHOT)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    let mut head = [0; HEAD];
    let is_before = file.read_exact_at(&mut head, 0).is_ok() && head.starts_with(snapshot_before::MAGIC);
    let saved = if is_before {
        snapshot_before::parse(&std::fs::read(folder.join(SNAPSHOT)).map_err(broken)?)
    } else {
        read(file, head, room).map_err(broken)?
    };
    saved.map(Some).ok_or_else(|| damaged(folder, format!("its file {SNAPSHOT} is not what was written")))
}

fn read(file: File, head: [u8; HEAD], room: &Arc<Room>) -> io::Result<Option<Saved>> {
    let length = file.metadata()?.len();
    let mut tail = [0; TAIL];
    if !head.starts_with(MAGIC)
        || head[MAGIC.len()..] != LAYOUT.to_le_bytes()
        || length < (HEAD + TAIL) as u64
    {
        return Ok(None);
    }
    file.read_exact_at(&mut tail, length - TAIL as u64)?;
    let Some((said_length, checksum)) = tail.split_first_chunk::<8>() else { return Ok(None) };
    let Some(begin) = (length - (HEAD + TAIL) as u64).checked_sub(u64::from_le_bytes(*said_length)) else {
        return Ok(None);
    };
    let mut said = vec![0; (length - TAIL as u64 - HEAD as u64 - begin) as usize + 8];
    file.read_exact_at(&mut said, HEAD as u64 + begin)?;
    if crc32c::crc32c_append(crc32c::crc32c(&head), &said).to_le_bytes() != *checksum {
        return Ok(None);
    }
    said.truncate(said.len() - 8);
    let mut reading = Reading(&said);
    let found = Said::parse(&mut reading, |reading| reading.number()).filter(Said::is_consistent);
    let (Some(said), Some(fences)) = (found, fences(&mut reading)) else { return Ok(None) };
    let pages = Pages::new(file, HEAD as u64, fences, numbers(&said.held), room)?;
    let is_all = |pages: &Pages| pages.bytes() == begin;
    Ok(pages.filter(is_all).map(|pages| Saved { said, index: Index::of(&Arc::new(pages)) }))
}

/// The fences, behind which nothing comes.
fn fences(reading: &mut Reading<'_>) -> Option<Vec<Fence>> {
    let count = reading.number()?;
    let (fences, rest) = reading.0.as_chunks::<{ Fence::BYTES }>();
    (rest.is_empty() && fences.len() as u64 == count).then(|| fences.iter().map(Fence::parse).collect())
}

impl Said {
    /// Reads what stands in front of the index; `live` is read behind each file.
    pub(crate) fn parse(
        reading: &mut Reading<'_>,
        live: impl Fn(&mut Reading<'_>) -> Option<u64>,
    ) -> Option<Self> {
        let [seed, next_frame, file, next_file] =
            [reading.number()?, reading.number()?, reading.number()?, reading.number()?];
        if [next_frame, file, next_file].iter().any(|number| *number >= MOST_NUMBER) {
            return None;
        }
        let note = Note::parse(reading.text()?)?;
        let mut held = Vec::new();
        for _ in 0..reading.number()? {
            let slot = usize::from(u16::try_from(reading.number()?).ok()?);
            if held.len() <= slot {
                held.resize_with(slot + 1, || None);
            }
            if held[slot].is_some() {
                return None;
            }
            held[slot] = Some(Held {
                number: reading.number()?,
                first_frame: reading.number()?,
                generation: reading.number()?,
                length: reading.number()?,
                records: reading.number()?,
                live: live(reading)?,
            });
        }
        let mut listed = Vec::new();
        for _ in 0..reading.number()? {
            listed.push((reading.number()?, reading.text()?.into()));
        }
        Some(Self { seed, next_frame, file, next_file, note, held, listed })
    }

    /// Whether what is counted on with hangs together, whoever has written it.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut held: Vec<&Held> = self.held.iter().flatten().collect();
        held.sort_unstable_by_key(|held| held.number);
        let is_one = |held: &&Held| {
            (FILE_HEADER..=FILE_LIMIT).contains(&held.length)
                // frames end where records may begin: one that is appended elsewhere has no place
                && held.length.is_multiple_of(UNIT)
                && (1..MOST_NUMBER).contains(&held.number)
                && (1..self.next_frame).contains(&held.first_frame)
                && (held.live..MOST_NUMBER).contains(&held.records)
        };
        // each file goes on where the one before it ends, and the next one comes behind all of them
        let goes_on =
            |pair: &[&Held]| pair[0].number < pair[1].number && pair[0].first_frame < pair[1].first_frame;
        let is_newest = held.last().is_some_and(|held| held.number == self.file);
        let hasher = Hasher(self.seed);
        let is_listed = |(hash, key): &(u64, Box<[u8]>)| hasher.hash(Mark::Kept, key) == *hash;
        is_newest
            && self.file < self.next_file
            && held.iter().all(is_one)
            && held.windows(2).all(goes_on)
            && self.listed.iter().all(is_listed)
    }
}

/// Whether it is there, whole or not.
pub(crate) fn exists(folder: &Path) -> bool {
    folder.join(SNAPSHOT).exists()
}
