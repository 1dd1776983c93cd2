//! Opens what a process left behind: the newest snapshot of the index, and the feet of what came after.
//!
//! A write that was never finished is cut off; it can only be the last. Anything else that is not as
//! it was written is damage.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_ports::LocalFault;

use crate::fault::{damaged, failed};
use crate::frame::{FILE_HEADER, FileHeader, Frame, GOES_ON, MOVED, Mark, Record, Window, parse_record};
use crate::index::{Move, Place};
use crate::log::{Held, Kind, Ledger, Log, Written};
use crate::note::Note;
use crate::pages::Room;
use crate::snapshot::{self, Saved};

/// Keys that are listed, by their hashes.
pub(crate) type Listed = HashMap<u64, Box<[u8]>>;

/// A store as its files have it.
pub(crate) struct Restored {
    pub(crate) states: (Log, Ledger),
    pub(crate) answers: (Log, Ledger),
    pub(crate) listed: Listed,
    pub(crate) note: Note,
    /// The number of the file that the snapshot reaches into; 0 without one.
    pub(crate) snapshot_file: u64,
    /// How many changes came after the snapshot.
    pub(crate) since_snapshot: u64,
}

/// A file that was found.
struct Found {
    header: FileHeader,
    file: File,
    length: u64,
}

/// Opens the store in `folder`, or makes an empty one.
pub(crate) fn open(folder: &Path, room: &Arc<Room>) -> Result<Restored, LocalFault> {
    let saved = snapshot::load(folder, room)?;
    let states = find(folder, Kind::States)?;
    let answers = find(folder, Kind::Answers)?;
    let mut seeds = states.iter().chain(&answers).map(|found| found.header.seed);
    let seed = saved.as_ref().map(|saved| saved.said.seed).or_else(|| seeds.clone().next());
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    if seeds.any(|found| found != seed) {
        return Err(damaged(folder, "its files belong to different stores"));
    }
    let states = States::begin(folder, seed, saved).read(states)?;
    let answers = read_answers(Log::new(folder, Kind::Answers, seed), &states.note, answers)?;
    let States { log, ledger, listed, note, snapshot_file, since_snapshot } = states;
    Ok(Restored { states: (log, ledger), answers, listed, note, snapshot_file, since_snapshot })
}

/// Whether anything of a store is in `folder`.
pub(crate) fn is_any(folder: &Path) -> io::Result<bool> {
    if !folder.exists() {
        return Ok(false);
    }
    let any = [Kind::States, Kind::Answers].into_iter().map(|kind| names(folder, kind));
    for names in any {
        if !names?.is_empty() {
            return Ok(true);
        }
    }
    Ok(snapshot::exists(folder))
}

fn names(folder: &Path, kind: Kind) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(kind.prefix()));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.insert(number, entry.path());
        }
    }
    Ok(found)
}

/// The files of a log, oldest first.
fn find(folder: &Path, kind: Kind) -> Result<Vec<Found>, LocalFault> {
    let broken = |error: io::Error| failed(folder, &error);
    let names = names(folder, kind).map_err(broken)?;
    let newest = names.keys().next_back().copied();
    let mut all = Vec::with_capacity(names.len());
    for (number, path) in names {
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(broken)?;
        let length = file.metadata().map_err(broken)?.len();
        match FileHeader::read(&file).map_err(broken)? {
            Some(header) if header.kind == kind.byte() && header.number == number => {
                all.push(Found { header, file, length });
            }
            // it was begun, and nothing was ever written into it
            _ if newest == Some(number) && length <= FILE_HEADER => {
                millrace_disk::remove_file(&path).map_err(broken)?;
            }
            _ => return Err(damaged(folder, format!("{} is not what was written", path.display()))),
        }
    }
    Ok(all)
}

/// The states while they are read.
struct States {
    log: Log,
    ledger: Ledger,
    listed: Listed,
    note: Note,
    snapshot_file: u64,
    since_snapshot: u64,
}

/// The frames of one write, and where it ends.
#[derive(Default)]
struct Group {
    frames: Vec<(u16, Frame)>,
    begins: (u16, u64),
    ends: (u16, u64),
}

impl States {
    fn begin(folder: &Path, seed: u64, saved: Option<Saved>) -> Self {
        let mut states = Self {
            log: Log::new(folder, Kind::States, seed),
            ledger: Ledger::new(),
            listed: Listed::new(),
            note: Note::default(),
            snapshot_file: 0,
            since_snapshot: 0,
        };
        if let Some(Saved { said, index }) = saved {
            states.log.index = index;
            states.ledger.held = said.held;
            states.ledger.next_frame = said.next_frame;
            states.ledger.next_file = said.next_file;
            states.listed = said.listed.into_iter().collect();
            states.note = said.note;
            states.snapshot_file = said.file;
        }
        states
    }

    fn damaged(&self, why: impl Into<String>) -> LocalFault {
        damaged(&self.log.folder, why)
    }

    fn broken(&self, error: &io::Error) -> LocalFault {
        failed(&self.log.folder, error)
    }

    fn read(mut self, files: Vec<Found>) -> Result<Self, LocalFault> {
        let mut to_read = Vec::new();
        for found in files {
            if found.header.number > self.snapshot_file {
                to_read.push((None, found));
                continue;
            }
            let slot = self.ledger.held().find(|(_, held)| held.number == found.header.number);
            let Some((slot, held)) = slot else {
                // nothing of it was needed any more when the snapshot was taken
                millrace_disk::remove_file(&self.log.path(found.header.number))
                    .map_err(|error| self.broken(&error))?;
                continue;
            };
            if found.length < held.length {
                return Err(self.damaged(format!("{} is cut off", self.log.path(held.number).display())));
            }
            let FileHeader { first_frame, generation, .. } = found.header;
            if (first_frame, generation) != (held.first_frame, held.generation) {
                let path = self.log.path(held.number);
                return Err(self.damaged(format!("{} is another than the index says", path.display())));
            }
            if held.number == self.snapshot_file {
                to_read.push((Some(slot), found));
            } else {
                self.log.give(slot, found.file);
            }
        }
        if self.snapshot_file > 0 && to_read.first().is_none_or(|(slot, _)| slot.is_none()) {
            return Err(self.damaged(format!("{} is missing", self.log.path(self.snapshot_file).display())));
        }
        self.replay(to_read)?;
        // Cleaned since: what was the newest in it has been written again. Whatever else took it away, a look-up says so.
        let gone: Vec<u16> =
            self.ledger.held().map(|(slot, _)| slot).filter(|slot| self.log.file(*slot).is_none()).collect();
        gone.into_iter().for_each(|slot| self.log.remove(&mut self.ledger, slot));
        // the next start reads on from the file in which the snapshot ends, whatever is left in it, and in those behind
        let empty: Vec<u16> = self
            .ledger
            .held()
            .filter(|(_, held)| held.live == 0 && held.number < self.snapshot_file)
            .map(|(slot, _)| slot)
            .collect();
        empty.into_iter().for_each(|slot| self.log.remove(&mut self.ledger, slot));
        Ok(self)
    }

    /// Reads what came after the snapshot, and carries it out write by write. The newest write
    /// counts only when every byte of it is there: nothing was said of it before it was on the disk.
    /// The one before it was on the disk when the newest began. Where neither is whole the disk has
    /// lost something, and the next start would cut off the earlier one as if it had never ended.
    fn replay(&mut self, files: Vec<(Option<u16>, Found)>) -> Result<(), LocalFault> {
        let count = files.len();
        let (mut group, mut earlier, mut newest) = (Group::default(), None::<Group>, None::<Group>);
        for (index, (slot, found)) in files.into_iter().enumerate() {
            let (slot, mut at) = self.place(slot, &found)?;
            self.log.give(slot, found.file);
            let Some(file) = self.log.file(slot) else { continue };
            let begins = at;
            while at < found.length {
                let frame = Frame::read(&file, at).map_err(|error| self.broken(&error))?;
                // the last one may have been cut off amid it; one that is whole and another than comes next never was
                let is_other = frame.as_ref().is_some_and(|it| it.head.number != self.ledger.next_frame);
                let is_amid = frame.is_none() && at == begins && !self.is_an_end(slot, &file)?;
                let Some(frame) = frame.filter(|_| !is_other) else {
                    if is_other || is_amid || index + 1 < count {
                        let path = self.log.path(found.header.number);
                        return Err(self.damaged(format!("{} is damaged at byte {at}", path.display())));
                    }
                    break;
                };
                self.ledger.next_frame += 1;
                if group.frames.is_empty() {
                    group.begins = (slot, at);
                }
                at += frame.head.length();
                group.ends = (slot, at);
                let is_whole = frame.head.flags & GOES_ON == 0;
                group.frames.push((slot, frame));
                if is_whole {
                    let before = newest.replace(std::mem::take(&mut group));
                    if let Some(oldest) = std::mem::replace(&mut earlier, before) {
                        self.carry_out(oldest)?;
                    }
                }
            }
        }
        if let Some(newest) = newest {
            let is_whole = self.is_whole(&newest)?;
            if let Some(earlier) = earlier {
                if !is_whole && !self.is_whole(&earlier)? {
                    return Err(self.damaged("neither of its last two writes is what was written"));
                }
                self.carry_out(earlier)?;
            }
            if is_whole {
                self.carry_out(newest)?;
            } else {
                self.ledger.next_frame -= newest.frames.len() as u64;
                self.end_at(newest.begins);
            }
        }
        self.ledger.next_frame -= group.frames.len() as u64;
        self.cut()
    }

    /// The slot of a file, and where its frames begin that are to be read.
    fn place(&mut self, slot: Option<u16>, found: &Found) -> Result<(u16, u64), LocalFault> {
        if let Some(slot) = slot {
            self.ledger.current = Some(slot);
            let length = self.ledger.held[usize::from(slot)].as_ref().map_or(0, |held| held.length);
            return Ok((slot, length));
        }
        let FileHeader { number, first_frame, generation, .. } = found.header;
        if first_frame != self.ledger.next_frame {
            return Err(
                self.damaged(format!("what came before {} is missing", self.log.path(number).display()))
            );
        }
        let held = Held { number, first_frame, generation, length: FILE_HEADER, records: 0, live: 0 };
        let adopted = self.log.adopt(&mut self.ledger, held, None);
        let slot = adopted.map_err(|error| self.broken(&error))?;
        if self.ledger.current.is_none() {
            self.ledger.current = Some(slot);
        }
        Ok((slot, FILE_HEADER))
    }

    /// Whether the frames of a file end where the ledger says, with the one before the next. Asked only where something is
    /// to be cut off behind: an index that ends amid them must not take what was written with it.
    fn is_an_end(&self, slot: u16, file: &File) -> Result<bool, LocalFault> {
        let Some(held) = &self.ledger.held[usize::from(slot)] else { return Ok(false) };
        let (mut at, mut number) = (FILE_HEADER, held.first_frame);
        while at < held.length {
            let frame = Frame::read(file, at).map_err(|error| self.broken(&error))?;
            let Some(frame) = frame.filter(|frame| frame.head.number == number) else { return Ok(false) };
            at += frame.head.length();
            number += 1;
        }
        Ok(at == held.length && number == self.ledger.next_frame)
    }

    fn is_whole(&self, group: &Group) -> Result<bool, LocalFault> {
        for (slot, frame) in &group.frames {
            let Some(file) = self.log.file(*slot) else { return Ok(false) };
            if !frame.has_all(&file, self.log.hasher).map_err(|error| self.broken(&error))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn carry_out(&mut self, group: Group) -> Result<(), LocalFault> {
        let mut written = Written::default();
        for (slot, frame) in &group.frames {
            let moves = frame.lines.iter().map(|line| Move {
                hash: line.hash,
                to: line.at().map(|at| Place::new(*slot, frame.place(at))),
            });
            written.moves.extend(moves);
            written
                .records
                .push((*slot, frame.lines.iter().filter(|line| line.at().is_some()).count() as u64));
            self.list(*slot, frame)?;
        }
        self.since_snapshot += written.moves.len() as u64;
        self.log.accept(&mut self.ledger, &written);
        if let Some((_, last)) = group.frames.last()
            && last.head.flags & MOVED == 0
        {
            let note = Note::parse(&last.note);
            self.note = note.ok_or_else(|| self.damaged("a note in it cannot be read"))?;
        }
        self.end_at(group.ends);
        Ok(())
    }

    /// Lists the keys of a frame that are kept; a key is listed always or never.
    fn list(&mut self, slot: u16, frame: &Frame) -> Result<(), LocalFault> {
        let Some(file) = self.log.file(slot) else { return Ok(()) };
        let mut window = Window::new(&file);
        for line in &frame.lines {
            if !line.is_listed() {
                if self.listed.contains_key(&line.hash) {
                    return Err(self.damaged("a listed key is changed by a line that lists none"));
                }
                continue;
            }
            let Some(at) = line.at() else {
                self.listed.remove(&line.hash);
                continue;
            };
            let record = window.record(frame.place(at)).map_err(|error| self.broken(&error))?;
            let is_it = |record: &Record<'_>| {
                Mark::of(record.mark) == Some(Mark::Kept)
                    && self.log.hasher.hash(Mark::Kept, record.key) == line.hash
            };
            let key = record.and_then(parse_record).filter(is_it).map(|record| record.key.into());
            let key = key.ok_or_else(|| self.damaged("a listed record is not what was written"))?;
            self.listed.insert(line.hash, key);
        }
        Ok(())
    }

    /// What was written ends here so far.
    fn end_at(&mut self, (slot, length): (u16, u64)) {
        self.ledger.current = Some(slot);
        if let Some(held) = &mut self.ledger.held[usize::from(slot)] {
            held.length = length;
        }
    }

    /// Cuts off what is behind the last whole write.
    fn cut(&mut self) -> Result<(), LocalFault> {
        let Some(current) = self.ledger.current else { return Ok(()) };
        let Some(held) = self.ledger.held[usize::from(current)].clone() else { return Ok(()) };
        let behind: Vec<u16> =
            self.ledger.held().filter(|(_, it)| it.number > held.number).map(|(slot, _)| slot).collect();
        behind.into_iter().for_each(|slot| self.log.remove(&mut self.ledger, slot));
        cut_file(&self.log, current, held.length)
    }
}

fn cut_file(log: &Log, slot: u16, length: u64) -> Result<(), LocalFault> {
    let Some(file) = log.file(slot) else { return Ok(()) };
    let cut = || if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) };
    cut().map_err(|error| failed(&log.folder, &error))
}

/// Reads the feet of all answers that `note` speaks of; what lies behind was never said to be written.
fn read_answers(log: Log, note: &Note, files: Vec<Found>) -> Result<(Log, Ledger), LocalFault> {
    let mut ledger = Ledger::new();
    ledger.next_frame = note.answers_from;
    let path = |number: u64| log.path(number).display().to_string();
    let firsts: Vec<u64> = files.iter().map(|found| found.header.first_frame).collect();
    for (index, found) in files.into_iter().enumerate() {
        let FileHeader { number, first_frame, generation, .. } = found.header;
        let next_first = firsts.get(index + 1).copied().unwrap_or(note.answers_to + 1);
        let is_forgotten = next_first <= note.answers_from || first_frame > note.answers_to;
        if is_forgotten {
            millrace_disk::remove_file(&log.path(number)).map_err(|error| failed(&log.folder, &error))?;
            continue;
        }
        if first_frame != ledger.next_frame {
            return Err(damaged(&log.folder, format!("what came before {} is missing", path(number))));
        }
        let held = Held { number, first_frame, generation, length: FILE_HEADER, records: 0, live: 0 };
        let slot =
            log.adopt(&mut ledger, held, Some(found.file)).map_err(|error| failed(&log.folder, &error))?;
        ledger.current = Some(slot);
        let Some(file) = log.file(slot) else { continue };
        let mut at = FILE_HEADER;
        while at < found.length && ledger.next_frame <= note.answers_to {
            let frame = Frame::read(&file, at).map_err(|error| failed(&log.folder, &error))?;
            let Some(frame) = frame.filter(|frame| frame.head.number == ledger.next_frame) else { break };
            let moves: Vec<_> = frame
                .lines
                .iter()
                .map(|line| Move {
                    hash: line.hash,
                    to: line.at().map(|at| Place::new(slot, frame.place(at))),
                })
                .collect();
            let records = vec![(slot, moves.len() as u64)];
            log.accept(&mut ledger, &Written { moves, records });
            ledger.next_frame += 1;
            at += frame.head.length();
        }
        if let Some(held) = &mut ledger.held[usize::from(slot)] {
            held.length = at;
        }
        cut_file(&log, slot, at)?;
    }
    if ledger.next_frame <= note.answers_to {
        let why = format!(
            "of the answers up to frame {} those from {} on are missing",
            note.answers_to, ledger.next_frame
        );
        return Err(damaged(&log.folder, why));
    }
    ledger.next_frame = note.answers_to + 1;
    Ok((log, ledger))
}
