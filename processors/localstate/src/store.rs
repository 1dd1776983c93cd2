//! The store of one partition: a log of states, a log of answers, and the checkpoint in the states' newest frame.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};

use bytes::Bytes;
use millrace_ports::{Answered, Change, LocalFault, LocalStore, Space};

use crate::clean::{clean, is_due};
use crate::fault::{failed, unavailable};
use crate::frame::Mark;
use crate::log::{Appending, Ledger, Log, Written};
use crate::note::Note;
use crate::restore::{self, Listed};
use crate::snapshot;
use crate::{Claim, Sizes};

/// The index is written after one change for so many keys: what a start reads of the changes stays small beside what is kept,
/// and so does what is written of the index beside the changes.
const CHANGED_SHARE: u64 = 8;

/// The store of one partition.
pub(crate) struct LogStore {
    folder: PathBuf,
    sizes: Sizes,
    states: Log,
    answers: Log,
    listed: RwLock<Listed>,
    checkpoint: RwLock<Option<Bytes>>,
    writing: Mutex<Writing>,
    /// Given back when the store is closed.
    claim: Claim,
}

/// What only the one who writes knows.
struct Writing {
    states: Ledger,
    answers: Ledger,
    note: Note,
    /// The number of the file that the newest snapshot reaches into.
    snapshot_file: u64,
    since_snapshot: u64,
}

impl LogStore {
    pub(crate) fn open(claim: Claim, folder: PathBuf, sizes: Sizes) -> Result<Self, LocalFault> {
        let restored = restore::open(&folder, claim.room())?;
        let ((states, states_ledger), (answers, answers_ledger)) = (restored.states, restored.answers);
        let checkpoint = RwLock::new(restored.note.checkpoint.clone());
        let writing = Mutex::new(Writing {
            states: states_ledger,
            answers: answers_ledger,
            note: restored.note,
            snapshot_file: restored.snapshot_file,
            since_snapshot: restored.since_snapshot,
        });
        let listed = RwLock::new(restored.listed);
        Ok(Self { folder, sizes, states, answers, listed, checkpoint, writing, claim })
    }

    /// Writes the answers among `changes`, all to one generation.
    fn append_answers(
        &self,
        ledger: &mut Ledger,
        changes: &[Change<'_>],
        generation: u64,
    ) -> io::Result<Written> {
        let mut answers = changes.iter().filter(|change| change.space == Space::Answers).peekable();
        if answers.peek().is_none() {
            return Ok(Written::default());
        }
        let mut out =
            Appending::new(&self.answers, ledger, generation, self.sizes.answers_file_bytes, false)?;
        out.reserve(changes.len());
        for change in answers {
            match change.value {
                Some(value) => out.put(Mark::Answer, change.key, value)?,
                None => out.remove(Mark::Answer, change.key)?,
            }
        }
        out.end(&[])
    }

    fn append_states(&self, ledger: &mut Ledger, changes: &[Change<'_>], note: &Note) -> io::Result<Written> {
        let mut out = Appending::new(&self.states, ledger, 0, self.sizes.file_bytes, false)?;
        for change in changes {
            let mark = match change.space {
                Space::Aggregates => Mark::Aggregate,
                Space::Kept => Mark::Kept,
                Space::Answers => continue,
            };
            match change.value {
                Some(value) => out.put(mark, change.key, value)?,
                None => out.remove(mark, change.key)?,
            }
        }
        out.end(&note.to_bytes())
    }

    fn list(&self, changes: &[Change<'_>]) {
        let kept = changes.iter().filter(|change| change.space == Space::Kept);
        let mut listed = None;
        for change in kept {
            let listed =
                listed.get_or_insert_with(|| self.listed.write().unwrap_or_else(PoisonError::into_inner));
            let hash = self.states.hasher.hash(Mark::Kept, change.key);
            match change.value {
                Some(_) => listed.insert(hash, change.key.into()),
                None => listed.remove(&hash),
            };
        }
    }

    /// Deletes the answers of generations before `oldest`.
    fn forget(&self, ledger: &mut Ledger, oldest: u64) {
        let old = ledger.held().filter(|(_, held)| held.generation < oldest).map(|(slot, _)| slot);
        let old: Vec<u16> = old.collect();
        if old.is_empty() {
            return;
        }
        self.answers.index.retain(|place| !old.contains(&place.slot()));
        old.into_iter().for_each(|slot| self.answers.remove(ledger, slot));
    }

    /// Gives the disk its room back, and keeps the next open short. A snapshot counts what is newest in each file, so that
    /// cleaning follows one.
    fn tidy(&self, writing: &mut Writing) -> Result<(), LocalFault> {
        let limit = (self.states.index.most_keys() / CHANGED_SHARE).max(self.sizes.snapshot_changes);
        if writing.since_snapshot >= limit || self.is_snapshot_in_the_way(writing) {
            self.snapshot(writing).map_err(|error| failed(&self.folder, &error))?;
            clean(&self.states, &mut writing.states, self.sizes.file_bytes, writing.snapshot_file)?;
        }
        Ok(())
    }

    /// Whether there are files that could be cleaned if only there was a newer snapshot.
    fn is_snapshot_in_the_way(&self, writing: &Writing) -> bool {
        let newer = writing.states.held().filter(|(_, held)| held.number >= writing.snapshot_file).count();
        newer > 2 && is_due(&writing.states, self.sizes.file_bytes)
    }

    fn snapshot(&self, writing: &mut Writing) -> io::Result<()> {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        let keys = listed.iter().map(|(hash, key)| (*hash, &**key));
        snapshot::save(&self.states, &mut writing.states, &writing.note, keys, self.claim.room())?;
        let current = writing.states.current.and_then(|slot| writing.states.held[usize::from(slot)].as_ref());
        writing.snapshot_file = current.map_or(0, |held| held.number);
        writing.since_snapshot = 0;
        Ok(())
    }
}

impl LocalStore for LogStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, LocalFault> {
        match space {
            Space::Aggregates => self.states.get(Mark::Aggregate, key),
            Space::Kept => self.states.get(Mark::Kept, key),
            Space::Answers => self.answers.get(Mark::Answer, key),
        }
    }

    fn scan_kept(&self, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LocalFault> {
        let listed = self.listed.read().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<&[u8]> = listed.values().map(|key| &**key).collect();
        keys.sort_unstable();
        for key in keys {
            match self.states.get(Mark::Kept, key)? {
                Some(value) => each(key, &value),
                None => {
                    let why = format!("{} is listed, but not there", crate::start_of(key));
                    return Err(crate::fault::damaged(&self.folder, why));
                }
            }
        }
        Ok(())
    }

    fn write(&self, changes: &[Change<'_>], answered: Answered, checkpoint: &[u8]) -> Result<(), LocalFault> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let writing = &mut *writing;
        let (answers_before, states_before) = (writing.answers.before(), writing.states.before());
        let result: io::Result<_> = (|| {
            let answers = self.append_answers(&mut writing.answers, changes, answered.newest)?;
            let oldest_kept = writing
                .answers
                .held()
                .filter(|(_, held)| held.generation >= answered.oldest)
                .map(|(_, held)| held.first_frame)
                .min();
            let note = Note {
                answers_from: oldest_kept.unwrap_or(writing.answers.next_frame),
                answers_to: writing.answers.next_frame - 1,
                checkpoint: Some(Bytes::copy_from_slice(checkpoint)),
            };
            let states = self.append_states(&mut writing.states, changes, &note)?;
            Ok((answers, states, note))
        })();
        let (answers, states, note) = match result {
            Ok(written) => written,
            Err(error) => {
                self.answers.take_back(&mut writing.answers, &answers_before);
                self.states.take_back(&mut writing.states, &states_before);
                return Err(unavailable(&self.folder, &error));
            }
        };
        self.answers.accept(&mut writing.answers, &answers);
        self.states.accept(&mut writing.states, &states);
        self.list(changes);
        *self.checkpoint.write().unwrap_or_else(PoisonError::into_inner) = note.checkpoint.clone();
        writing.note = note;
        writing.since_snapshot += states.moves.len() as u64;
        drop((answers, states));
        self.forget(&mut writing.answers, answered.oldest);
        match self.tidy(writing) {
            // what was to be written is written; the rest is tried again with the next write
            Err(fault) if !fault.is_lasting() => Ok(()),
            other => other,
        }
    }

    fn checkpoint(&self) -> Result<Option<Bytes>, LocalFault> {
        Ok(self.checkpoint.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn path(&self) -> PathBuf {
        self.folder.clone()
    }
}
