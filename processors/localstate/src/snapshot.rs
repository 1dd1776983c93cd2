//! The index of the states as it was after some frame, so that an open need not read all feet.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use millrace_ports::LocalFault;

use crate::fault::{damaged, failed};
use crate::frame::{FILE_HEADER, Hasher, LAYOUT, MOST_NUMBER, Mark};
use crate::index::{FILE_LIMIT, Index, UNIT};
use crate::log::{Held, Ledger, Log};
use crate::note::{Note, Reading};

/// The file's name, and while it is written.
pub(crate) const SNAPSHOT: &str = "index";
const DRAFT: &str = "index.new";
const MAGIC: &[u8; 8] = b"mr-index";
/// How much is written at once.
const CHUNK: usize = 1 << 20;

/// What a snapshot says.
pub(crate) struct Saved {
    pub(crate) seed: u64,
    /// The number of the first frame that it does not have, and of the file that it reaches into.
    pub(crate) next_frame: u64,
    pub(crate) file: u64,
    pub(crate) next_file: u64,
    pub(crate) note: Note,
    /// By slot, `live` counted from the index.
    pub(crate) held: Vec<Option<Held>>,
    /// Keys that are listed, by their hashes.
    pub(crate) listed: Vec<(u64, Box<[u8]>)>,
    pub(crate) index: Index,
}

struct Checked {
    file: File,
    checksum: u32,
}

impl Checked {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.file.write_all(bytes)
    }
}

/// Writes a snapshot of `log`, all of whose files up to `current` it names.
pub(crate) fn save<'a>(
    log: &Log,
    ledger: &Ledger,
    note: &Note,
    listed: impl ExactSizeIterator<Item = (u64, &'a [u8])>,
) -> io::Result<()> {
    let current = ledger.current.and_then(|slot| ledger.held[usize::from(slot)].as_ref());
    let number = current.map_or(0, |held| held.number);
    let mut bytes = Vec::with_capacity(CHUNK + (CHUNK >> 2));
    let put = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
    for number in [log.hasher.0, ledger.next_frame, number, ledger.next_file] {
        put(&mut bytes, number);
    }
    let encoded = note.to_bytes();
    put(&mut bytes, encoded.len() as u64);
    bytes.extend(encoded);
    put(&mut bytes, ledger.held().count() as u64);
    for (slot, held) in ledger.held() {
        let Held { number, first_frame, generation, length, records, live: _ } = held;
        for number in [u64::from(slot), *number, *first_frame, *generation, *length, *records] {
            put(&mut bytes, number);
        }
    }
    put(&mut bytes, listed.len() as u64);
    for (hash, key) in listed {
        put(&mut bytes, hash);
        put(&mut bytes, key.len() as u64);
        bytes.extend(key);
    }
    let draft = log.folder.join(DRAFT);
    let file = millrace_disk::open_to_write(&draft)?;
    file.set_len(0)?;
    let mut out = Checked { file, checksum: 0 };
    out.put(MAGIC)?;
    out.put(&LAYOUT.to_le_bytes())?;
    out.put(&(bytes.len() as u32).to_le_bytes())?;
    out.put(&bytes)?;
    bytes.clear();
    for shard in 0..log.index.shards() {
        log.index.save(shard, &mut bytes);
        if bytes.len() >= CHUNK {
            out.put(&bytes)?;
            bytes.clear();
        }
    }
    out.put(&bytes)?;
    let checksum = out.checksum.to_le_bytes();
    out.put(&checksum)?;
    out.file.sync_all()?;
    millrace_disk::rename(&draft, &log.folder.join(SNAPSHOT))
}

/// Reads the snapshot in `folder`, if there is one.
pub(crate) fn load(folder: &Path) -> Result<Option<Saved>, LocalFault> {
    // one that stays is written over
    drop(millrace_disk::remove_cache(&folder.join(DRAFT)));
    let bytes = match std::fs::read(folder.join(SNAPSHOT)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(folder, &error)),
    };
    let saved = bytes.split_last_chunk::<4>().and_then(|(bytes, checksum)| {
        (crc32c::crc32c(bytes).to_le_bytes() == *checksum).then(|| parse(bytes)).flatten()
    });
    saved.map(Some).ok_or_else(|| damaged(folder, format!("its file {SNAPSHOT} is not what was written")))
}

fn parse(bytes: &[u8]) -> Option<Saved> {
    let bytes = bytes.strip_prefix(MAGIC)?;
    let (layout, bytes) = bytes.split_first_chunk::<4>()?;
    let (length, bytes) = bytes.split_first_chunk::<4>()?;
    let (meta, shards) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if *layout != LAYOUT.to_le_bytes() {
        return None;
    }
    let mut meta = Reading(meta);
    let [seed, next_frame, file, next_file] =
        [meta.number()?, meta.number()?, meta.number()?, meta.number()?];
    if [next_frame, file, next_file].iter().any(|number| *number >= MOST_NUMBER) {
        return None;
    }
    let note = Note::parse(meta.text()?)?;
    let mut held = Vec::new();
    for _ in 0..meta.number()? {
        let slot = usize::from(u16::try_from(meta.number()?).ok()?);
        if held.len() <= slot {
            held.resize_with(slot + 1, || None);
        }
        if held[slot].is_some() {
            return None;
        }
        held[slot] = Some(Held {
            number: meta.number()?,
            first_frame: meta.number()?,
            generation: meta.number()?,
            length: meta.number()?,
            records: meta.number()?,
            live: 0,
        });
    }
    let mut listed = Vec::new();
    for _ in 0..meta.number()? {
        listed.push((meta.number()?, meta.text()?.into()));
    }
    let mut are_places_held = true;
    let index = Index::load(shards, |place| {
        let it: Option<&mut Held> = held.get_mut(usize::from(place.slot())).and_then(Option::as_mut);
        match it {
            Some(held) if place.offset() < held.length => held.live += 1,
            _ => are_places_held = false,
        }
    })?;
    let saved = Saved { seed, next_frame, file, next_file, note, held, listed, index };
    (are_places_held && meta.0.is_empty() && saved.is_consistent()).then_some(saved)
}

impl Saved {
    /// Whether what is counted on with hangs together, whoever has written it.
    fn is_consistent(&self) -> bool {
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
        let is_listed = |(hash, key): &(u64, Box<[u8]>)| {
            hasher.hash(Mark::Kept, key) == *hash && self.index.get(*hash).is_some()
        };
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
