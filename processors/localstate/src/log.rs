//! Files of frames, one after the other, and the index of what is newest in them.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use millrace_ports::LocalFault;

use crate::fault::{damaged, failed};
use crate::frame::{
    FILE_HEADER, FRAME_LIMIT, FileHeader, GOES_ON, HEAD, Hasher, Head, KEY_LIMIT, Line, MOST_NUMBER, MOVED,
    Mark, foot, length_of, parse_record, put_record, record_length,
};
use crate::index::{FILE_LIMIT, Index, Move, Place};

/// How much of a record is read at first: mostly all of it.
const FIRST_READ: usize = 512;
/// How much is gathered before it is written to a file.
const BUFFER: usize = 128 << 10;
/// How often a look-up that finds another record looks again: records are moved while they are read.
const LOOKS: usize = 4;

/// Of what a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    States,
    Answers,
}

impl Kind {
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::States => "states-",
            Self::Answers => "answers-",
        }
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::States => b's',
            Self::Answers => b'a',
        }
    }
}

/// A log, for everybody who reads.
pub(crate) struct Log {
    pub(crate) folder: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) hasher: Hasher,
    pub(crate) index: Index,
    /// By slot.
    files: RwLock<Vec<Option<Arc<File>>>>,
}

/// A file of a log, for the one who writes.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) number: u64,
    pub(crate) first_frame: u64,
    pub(crate) generation: u64,
    /// Where the next frame begins.
    pub(crate) length: u64,
    pub(crate) records: u64,
    /// How many of the records are the newest of their keys; at most, until the next snapshot.
    pub(crate) live: u64,
}

/// What the one who writes knows of a log.
pub(crate) struct Ledger {
    /// By slot.
    pub(crate) held: Vec<Option<Held>>,
    /// The slot of the file that is written to.
    pub(crate) current: Option<u16>,
    pub(crate) next_frame: u64,
    pub(crate) next_file: u64,
    /// A write failed: what lies behind the end of the current file is to be cut off.
    is_dirty: bool,
}

/// Where a log was before a write.
pub(crate) struct Before {
    current: Option<(u16, u64)>,
    next_frame: u64,
    next_file: u64,
}

/// Records that were written, and where; nobody finds them yet.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) moves: Vec<Move>,
    /// How many went to which slot.
    pub(crate) records: Vec<(u16, u64)>,
}

impl Log {
    pub(crate) fn new(folder: &Path, kind: Kind, seed: u64) -> Self {
        let files = RwLock::default();
        Self { folder: folder.to_owned(), kind, hasher: Hasher(seed), index: Index::new(), files }
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}{number}", self.kind.prefix()))
    }

    /// The value of a key.
    pub(crate) fn get(&self, mark: Mark, key: &[u8]) -> Result<Option<Bytes>, LocalFault> {
        let hash = self.hasher.hash(mark, key);
        for _ in 0..LOOKS {
            let place = self.index.get(hash).map_err(|error| failed(&self.folder, &error))?;
            let Some(place) = place else { return Ok(None) };
            let found = self.read(place, |bytes| {
                let record = parse_record(bytes)?;
                (record.mark == mark as u8 && record.key == key).then(|| Bytes::copy_from_slice(record.value))
            });
            if let Some(value) = found.map_err(|error| failed(&self.folder, &error))? {
                return Ok(Some(value));
            }
        }
        let why = format!("what its index says of {} is not there", crate::start_of(key));
        Err(damaged(&self.folder, why))
    }

    /// Gives the bytes of the record at a place to `act`; nothing when no record can be there.
    fn read<T>(&self, place: Place, act: impl Fn(&[u8]) -> Option<T>) -> io::Result<Option<T>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = files.get(usize::from(place.slot())).and_then(Option::as_ref) else {
            return Ok(None);
        };
        let mut bytes = [0; FIRST_READ];
        let mut count = 0;
        loop {
            match file.read_at(&mut bytes[count..], place.offset() + count as u64)? {
                0 => break,
                more => count += more,
            }
            if length_of(&bytes[..count]).is_some_and(|length| length <= count as u64) {
                return Ok(act(&bytes[..count]));
            }
            if count == FIRST_READ {
                break;
            }
        }
        let Some(length) = length_of(&bytes[..count]) else { return Ok(None) };
        if length <= FIRST_READ as u64 || place.offset() + length > file.metadata()?.len() {
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, place.offset())?;
        Ok(act(&bytes))
    }

    /// The open file of a slot.
    pub(crate) fn file(&self, slot: u16) -> Option<Arc<File>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(usize::from(slot)).cloned().flatten()
    }

    /// The file of a slot, from now on.
    pub(crate) fn give(&self, slot: u16, file: File) {
        self.set_file(slot, Some(Arc::new(file)));
    }

    fn set_file(&self, slot: u16, file: Option<Arc<File>>) {
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if files.len() <= usize::from(slot) {
            files.resize(usize::from(slot) + 1, None);
        }
        files[usize::from(slot)] = file;
    }

    /// Takes a file into a slot of its own.
    pub(crate) fn adopt(&self, ledger: &mut Ledger, held: Held, file: Option<File>) -> io::Result<u16> {
        let slot = match ledger.held.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                ledger.held.push(None);
                ledger.held.len() - 1
            }
        };
        let slot = u16::try_from(slot).map_err(|_| io::Error::other("it has more files than it can name"))?;
        ledger.next_file = ledger.next_file.max(held.number + 1);
        ledger.held[usize::from(slot)] = Some(held);
        self.set_file(slot, file.map(Arc::new));
        Ok(slot)
    }

    /// The slot that takes the next frame.
    fn slot_to_write(&self, ledger: &mut Ledger, generation: u64, file_bytes: u64) -> io::Result<u16> {
        if let Some(current) = ledger.current
            && let Some(held) = &ledger.held[usize::from(current)]
            && held.generation == generation
            && held.length < file_bytes
        {
            return Ok(current);
        }
        let header = FileHeader {
            kind: self.kind.byte(),
            number: ledger.next_file,
            first_frame: ledger.next_frame,
            generation,
            seed: self.hasher.0,
        };
        if header.number + 1 >= MOST_NUMBER {
            return Err(io::Error::other("its files cannot be counted any further"));
        }
        let path = self.path(header.number);
        let file = millrace_disk::open_to_write(&path)?;
        file.set_len(0)?;
        file.write_all_at(&header.to_bytes(), 0)?;
        file.sync_all()?;
        let (number, first_frame) = (header.number, header.first_frame);
        let held = Held { number, first_frame, generation, length: FILE_HEADER, records: 0, live: 0 };
        let slot = self.adopt(ledger, held, Some(file))?;
        ledger.current = Some(slot);
        Ok(slot)
    }

    /// Lets go of a file, and deletes it.
    pub(crate) fn remove(&self, ledger: &mut Ledger, slot: u16) {
        let Some(held) = ledger.held[usize::from(slot)].take() else { return };
        self.set_file(slot, None);
        if ledger.current == Some(slot) {
            ledger.current = None;
        }
        // one that stays, or that a loss of power brings back, is removed when the store is opened
        drop(millrace_disk::remove_cache(&self.path(held.number)));
    }

    /// Makes what was written the newest of its keys.
    pub(crate) fn accept(&self, ledger: &mut Ledger, written: &Written) {
        for (slot, count) in &written.records {
            if let Some(held) = &mut ledger.held[usize::from(*slot)] {
                held.records += count;
                held.live += count;
            }
        }
        self.index.apply(&written.moves, |left| {
            if let Some(held) = &mut ledger.held[usize::from(left.slot())] {
                held.live -= 1;
            }
        });
    }

    /// Takes back what was written since `before` and not accepted.
    pub(crate) fn take_back(&self, ledger: &mut Ledger, before: &Before) {
        for slot in 0..ledger.held.len() {
            if ledger.held[slot].as_ref().is_some_and(|held| held.number >= before.next_file) {
                self.remove(ledger, slot as u16);
            }
        }
        ledger.current = before.current.map(|(slot, _)| slot);
        if let Some((slot, length)) = before.current
            && let Some(held) = &mut ledger.held[usize::from(slot)]
        {
            held.length = length;
        }
        ledger.next_frame = before.next_frame;
        ledger.is_dirty = true;
    }
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { held: Vec::new(), current: None, next_frame: 1, next_file: 1, is_dirty: false }
    }

    pub(crate) fn held(&self) -> impl Iterator<Item = (u16, &Held)> {
        let slots = self.held.iter().enumerate();
        slots.filter_map(|(slot, held)| held.as_ref().map(|held| (slot as u16, held)))
    }

    pub(crate) fn before(&self) -> Before {
        let length = |slot: u16| self.held[usize::from(slot)].as_ref().map_or(0, |held| held.length);
        let current = self.current.map(|slot| (slot, length(slot)));
        Before { current, next_frame: self.next_frame, next_file: self.next_file }
    }
}

/// Writes records to a log, as so many frames as they need.
pub(crate) struct Appending<'a> {
    log: &'a Log,
    ledger: &'a mut Ledger,
    generation: u64,
    file_bytes: u64,
    flags: u32,
    frame: Option<Open>,
    buffer: Vec<u8>,
    written: Written,
}

/// A frame under construction.
struct Open {
    slot: u16,
    file: Arc<File>,
    at: u64,
    /// Records so far, in bytes, those in the buffer included.
    data: u64,
    lines: Vec<Line>,
    records: u64,
}

impl<'a> Appending<'a> {
    pub(crate) fn new(
        log: &'a Log,
        ledger: &'a mut Ledger,
        generation: u64,
        file_bytes: u64,
        is_move: bool,
    ) -> io::Result<Self> {
        if ledger.is_dirty {
            if let Some(slot) = ledger.current
                && let (Some(file), Some(held)) = (log.file(slot), &ledger.held[usize::from(slot)])
            {
                file.set_len(held.length)?;
            }
            ledger.is_dirty = false;
        }
        let flags = if is_move { MOVED } else { 0 };
        let buffer = Vec::with_capacity(BUFFER + (BUFFER >> 2));
        let written = Written::default();
        Ok(Self { log, ledger, generation, file_bytes, flags, frame: None, buffer, written })
    }

    /// Room for so many records more.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.written.moves.reserve(count);
    }

    /// A record of its own.
    pub(crate) fn put(&mut self, mark: Mark, key: &[u8], value: &[u8]) -> io::Result<()> {
        let length = record_length(key.len(), value.len());
        if key.len() > KEY_LIMIT || length >= FILE_LIMIT / 2 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("a record of {length} bytes is longer than local state can hold"),
            ));
        }
        let hash = self.log.hasher.hash(mark, key);
        self.make_room(length)?;
        put_record(&mut self.buffer, mark, key, value);
        self.count(hash, mark == Mark::Kept, length)
    }

    /// A copy of a record that lies elsewhere.
    pub(crate) fn copy(&mut self, hash: u64, is_listed: bool, record: &[u8]) -> io::Result<()> {
        let length = record.len() as u64;
        self.make_room(length)?;
        self.buffer.extend(record);
        self.count(hash, is_listed, length)
    }

    /// The key has no record any more.
    pub(crate) fn remove(&mut self, mark: Mark, key: &[u8]) -> io::Result<()> {
        let hash = self.log.hasher.hash(mark, key);
        self.open()?.lines.push(Line::new(hash, None, mark == Mark::Kept));
        self.written.moves.push(Move { hash, to: None });
        Ok(())
    }

    /// Ends the write with a note, brought to the disk.
    pub(crate) fn end(mut self, note: &[u8]) -> io::Result<Written> {
        self.open()?;
        self.close(0, note)?;
        Ok(self.written)
    }

    fn open(&mut self) -> io::Result<&mut Open> {
        if self.frame.is_none() {
            let slot = self.log.slot_to_write(self.ledger, self.generation, self.file_bytes)?;
            let gone = || io::Error::other("a file is not open");
            let file = self.log.file(slot).ok_or_else(gone)?;
            let at = self.ledger.held[usize::from(slot)].as_ref().ok_or_else(gone)?.length;
            self.frame = Some(Open { slot, file, at, data: 0, lines: Vec::new(), records: 0 });
        }
        self.frame.as_mut().ok_or_else(|| io::Error::other("no frame is open"))
    }

    fn make_room(&mut self, length: u64) -> io::Result<()> {
        let frame = self.open()?;
        if frame.data > 0 && frame.data + length > FRAME_LIMIT {
            self.close(GOES_ON, &[])?;
            self.open()?;
        }
        Ok(())
    }

    fn count(&mut self, hash: u64, is_listed: bool, length: u64) -> io::Result<()> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        let at = frame.data;
        frame.lines.push(Line::new(hash, Some(at), is_listed));
        let place = Place::new(frame.slot, frame.at + HEAD + at);
        self.written.moves.push(Move { hash, to: Some(place) });
        frame.data += length;
        frame.records += 1;
        if self.buffer.len() >= BUFFER {
            let before = frame.data - self.buffer.len() as u64;
            frame.file.write_all_at(&self.buffer, frame.at + HEAD + before)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn close(&mut self, flags: u32, note: &[u8]) -> io::Result<()> {
        let Some(frame) = self.frame.take() else { return Ok(()) };
        let number = self.ledger.next_frame;
        if number + 1 >= MOST_NUMBER {
            return Err(io::Error::other("its frames cannot be counted any further"));
        }
        let (lines, length) = (frame.lines.len() as u32, note.len() as u32);
        let head = Head { flags: self.flags | flags, number, data: frame.data, lines, note: length };
        let before = frame.data - self.buffer.len() as u64;
        self.buffer.extend(foot(head, &frame.lines, note));
        frame.file.write_all_at(&self.buffer, frame.at + HEAD + before)?;
        self.buffer.clear();
        frame.file.write_all_at(&head.to_bytes(), frame.at)?;
        frame.file.sync_data()?;
        if let Some(held) = &mut self.ledger.held[usize::from(frame.slot)] {
            held.length = frame.at + head.length();
        }
        self.ledger.next_frame += 1;
        self.written.records.push((frame.slot, frame.records));
        Ok(())
    }
}
