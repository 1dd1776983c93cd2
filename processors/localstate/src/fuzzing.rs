//! What the fuzz targets call: a store is opened from any bytes in any of its files.

use std::fs;
use std::path::Path;

use millrace_ports::{Answered, Change, Identity, LocalStores as _, Space};

use crate::frame::{FILE_HEADER, FileHeader, HEAD, Hasher, Head, LAYOUT, Line, Mark, foot, parse_record};
use crate::frame::{length_of, record_length};
use crate::index::SHARDS;
use crate::{LocalDir, snapshot, snapshot_before};

/// The files of a store that an input has bytes for, in its order.
const FILES: [&str; 5] = [snapshot::SNAPSHOT, "states-1", "states-2", "answers-1", "answers-2"];

/// A folder with the store of one partition, whose files each input replaces.
pub struct Folder {
    stores: LocalDir,
    identity: Identity,
}

impl Folder {
    /// A store in `dir`, an empty folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let identity = Identity { topic: "t".into(), partition: 0, partitions: 1, format: 1 };
        // small, so that it is cleaned and saved by a few writes
        Self { stores: LocalDir::with_files_of(dir, 512), identity }
    }

    /// Opens the store with the files that `bytes` hold, reads it, writes to it and opens it again.
    ///
    /// The first byte says what is mended before, so that something behind it is reached: checksums (1), everything by
    /// which frames and files hang together (2), whether the store is written to (4), and whether the snapshot is one of
    /// one shard only, behind which others are empty, as builds before wrote them (8). Behind it, for each file: two
    /// bytes with its length, and as many; one of length 0 is not there.
    pub fn open(&self, bytes: &[u8]) {
        let Some((flags, mut rest)) = bytes.split_first() else { return };
        let folder = self.stores.folder(&self.identity);
        for (at, name) in FILES.iter().enumerate() {
            let path = folder.join(name);
            let mut content = take(&mut rest);
            match (*name, flags & 1 == 1) {
                _ if content.is_empty() => {
                    let _ = fs::remove_file(path);
                    continue;
                }
                (snapshot::SNAPSHOT, true) => seal_snapshot(&mut content, flags & 8 == 8),
                (_, true) => {
                    let (kind, number) = if at < 3 { (b's', at) } else { (b'a', at - 2) };
                    seal(&mut content, kind, number as u64, flags & 2 == 2);
                }
                _ => {}
            }
            if fs::create_dir_all(&folder).and_then(|()| fs::write(path, content)).is_err() {
                return;
            }
        }
        // as a store that was there before has it
        let identity = format!("{}, files {LAYOUT}\n", self.identity);
        if fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(crate::IDENTITY), identity))
            .is_ok()
        {
            self.use_it(flags & 4 == 4);
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }

    fn use_it(&self, is_written: bool) {
        let Ok(store) = self.stores.open(&self.identity) else { return };
        let checkpoint = store.checkpoint().expect("it is in memory");
        let mut kept = Vec::new();
        // What was not read at the start may be damaged, and is refused then.
        let scanned = store.scan_kept(&mut |key, value| kept.push((key.to_vec(), value.to_vec())));
        for (key, value) in &kept {
            assert_eq!(store.get(Space::Kept, key).ok().flatten().as_deref(), Some(&value[..]));
        }
        let _ = (store.get(Space::Aggregates, b"a"), store.get(Space::Answers, b"a"));
        drop(store);
        let again = self.stores.open(&self.identity).expect("what was opened opens again");
        assert_eq!(again.checkpoint().ok().flatten(), checkpoint, "as it was left");
        if !is_written {
            return;
        }
        let changes = [
            Change { space: Space::Aggregates, key: b"a", value: Some(b"1") },
            Change { space: Space::Kept, key: b"k", value: Some(b"2") },
            Change { space: Space::Answers, key: b"a", value: Some(b"3") },
        ];
        let answered = Answered { oldest: 0, newest: 1 };
        if again.write(&changes, answered, b"checkpoint").is_err() || scanned.is_err() {
            return;
        }
        drop(again);
        let written = self.stores.open(&self.identity).expect("what was written opens again");
        assert_eq!(written.checkpoint().ok().flatten().as_deref(), Some(&b"checkpoint"[..]));
        for change in changes {
            assert_eq!(written.get(change.space, change.key).ok().flatten().as_deref(), change.value);
        }
    }
}

fn take(rest: &mut &[u8]) -> Vec<u8> {
    let Some((length, behind)) = rest.split_first_chunk() else { return std::mem::take(rest).to_vec() };
    let (taken, left) = behind.split_at(behind.len().min(usize::from(u16::from_le_bytes(*length))));
    *rest = left;
    taken.to_vec()
}

fn seal_snapshot(content: &mut Vec<u8>, is_of_one_shard: bool) {
    if content.starts_with(snapshot_before::MAGIC) {
        content.truncate(content.len().saturating_sub(4));
        if is_of_one_shard {
            content.resize(content.len() + 4 * (SHARDS - 1), 0);
        }
        let checksum = crc32c::crc32c(content).to_le_bytes();
        content.extend(checksum);
        return;
    }
    let Some(whole) = content.len().checked_sub(snapshot::HEAD + snapshot::TAIL) else { return };
    content[..8].copy_from_slice(snapshot::MAGIC);
    content[8..12].copy_from_slice(&LAYOUT.to_le_bytes());
    let (_, tail) = content.split_at(snapshot::HEAD + whole);
    let said = u64::from_le_bytes(tail[..8].try_into().expect("eight bytes")).min(whole as u64);
    let end = content.len();
    content[end - 12..end - 4].copy_from_slice(&said.to_le_bytes());
    let from = end - snapshot::TAIL - said as usize;
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&content[..12]), &content[from..end - 4]);
    content[end - 4..].copy_from_slice(&checksum.to_le_bytes());
}

/// Gives header, frames and records the checksums of their bytes, and as wished the numbers that they must have.
fn seal(content: &mut [u8], kind: u8, number: u64, is_in_order: bool) {
    let word =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let long =
        |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let Some(header) = content.get(..FILE_HEADER as usize) else { return };
    let mut header = FileHeader {
        kind: header[12],
        number: long(header, 16),
        first_frame: long(header, 24),
        generation: long(header, 32),
        seed: long(header, 40),
    };
    if is_in_order {
        header = FileHeader {
            kind,
            number,
            first_frame: header.first_frame % 8,
            generation: header.generation % 8,
            seed: 7,
        };
    }
    content[..FILE_HEADER as usize].copy_from_slice(&header.to_bytes());
    let hasher = Hasher(header.seed);
    let (mut at, mut next) = (FILE_HEADER as usize, header.first_frame);
    while let Some(head) = content.get(at..at + HEAD as usize) {
        let (flags, mut number) = (word(head, 4), long(head, 8));
        if is_in_order {
            number = next;
        }
        next = next.wrapping_add(1);
        let head = Head { flags, number, data: long(head, 16), lines: word(head, 24), note: word(head, 28) };
        let (begins, foot_at) = (at + HEAD as usize, at as u64 + HEAD + head.data.min(1 << 32));
        let listed = foot_at + u64::from(head.lines) * 12;
        let end = listed + u64::from(head.note);
        if end > content.len() as u64 {
            return;
        }
        let [foot_at, listed, end] = [foot_at, listed, end].map(|at| at as usize);
        content[at..begins].copy_from_slice(&head.to_bytes());
        let mut lines: Vec<Line> = content[foot_at..listed].chunks_exact(12).map(Line::parse).collect();
        for line in &mut lines {
            if let Some(place) = line.at().and_then(|place| begins.checked_add(usize::try_from(place).ok()?))
            {
                seal_record(content, place, foot_at, hasher, line);
            }
        }
        let foot = foot(head, &lines, &content[listed..end]);
        let Some(room) = content.get_mut(foot_at..foot_at + foot.len()) else { return };
        room.copy_from_slice(&foot);
        at = foot_at + foot.len();
    }
}

fn seal_record(content: &mut [u8], place: usize, end: usize, hasher: Hasher, line: &mut Line) {
    let Some(record) = content.get_mut(place..end) else { return };
    if record.len() < 12 || length_of(record).is_none_or(|length| length > record.len() as u64) {
        return;
    }
    let key = (u32::from_le_bytes(record[4..8].try_into().expect("four bytes")) & 0x00ff_ffff) as usize;
    let value = u32::from_le_bytes(record[8..12].try_into().expect("four bytes")) as usize;
    debug_assert!(record_length(key, value) <= record.len() as u64);
    let checksum = crc32c::crc32c(&record[4..12 + key + value]);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
    if let Some(found) = parse_record(record)
        && let Some(mark) = Mark::of(found.mark)
    {
        line.hash = hasher.hash(mark, found.key);
    }
}

/// A store that was written to as processors do, as an input.
#[must_use]
pub fn written(dir: &Path, writes: u64) -> Vec<u8> {
    let folder = Folder::new(dir);
    let store = folder.stores.open(&folder.identity).expect("an empty folder takes a store");
    for write in 1..=writes {
        let value = vec![b'v'; 10 + write as usize * 7];
        let key = format!("Aggregate/{}", write % 3);
        let changes = [
            Change { space: Space::Aggregates, key: key.as_bytes(), value: Some(&value) },
            Change { space: Space::Kept, key: b"kept", value: (write % 4 != 0).then_some(&value[..5]) },
            Change { space: Space::Answers, key: key.as_bytes(), value: Some(&value[..8]) },
        ];
        let answered = Answered { oldest: write / 4, newest: write / 2 };
        store.write(&changes, answered, b"{}").expect("it is written");
    }
    drop(store);
    let mut input = vec![4];
    for name in FILES {
        let content = fs::read(folder.stores.folder(&folder.identity).join(name)).unwrap_or_default();
        input.extend((content.len() as u16).to_le_bytes());
        input.extend(content);
    }
    input
}
