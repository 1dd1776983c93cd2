//! The registry's file: one checksummed line per change, synced before the change is acknowledged.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RegistryError;

/// The file's name in its folder.
const FILE: &str = "registry.jsonl";

/// An append-only file of changes, in the hands of one process.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: File,
    /// Where the next line goes; what lies behind it, if anything, was never acknowledged.
    end: u64,
    /// Why nothing more is written: what the file holds is not known.
    broken: Option<String>,
    _lock: File,
}

impl Journal {
    /// Opens the file in `dir`, making both if need be, and gives the changes it holds.
    ///
    /// A last line that is torn or does not match its checksum was being written when the process or the machine
    /// died; nobody was told that it holds, so it is cut off, after a copy was kept in `set-aside`. Such a line before
    /// others is damage, and one that is whole and unknown is of a newer build: both are errors, and change nothing.
    pub fn open<T: DeserializeOwned>(dir: &Path) -> Result<(Self, Vec<T>), RegistryError> {
        let unusable = |source| RegistryError::Folder { dir: dir.to_path_buf(), source };
        millrace_disk::make_folder_for(dir, millrace_disk::PRIVATE).map_err(unusable)?;
        let lock = millrace_disk::open_to_write(&dir.join("registry.lock")).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RegistryError::InUse { dir: dir.to_path_buf() },
            TryLockError::Error(source) => unusable(source),
        })?;
        let path = dir.join(FILE);
        let mut file = millrace_disk::open_to_write(&path).map_err(unusable)?;
        let bytes = fs::read(&path).map_err(unusable)?;
        let (changes, end) = read(&bytes, &path)?;
        if end < bytes.len() as u64 {
            let aside = dir.join("set-aside");
            let kept = millrace_disk::keep_tail(&path, end, &aside, &format!("{FILE}.from-{end}"));
            tracing::warn!(
                path = %path.display(),
                bytes = bytes.len() as u64 - end,
                copy = %kept.map_err(unusable)?.display(),
                "cut off an unfinished line, after setting a copy of it aside"
            );
            file.set_len(end).and_then(|()| file.sync_data()).map_err(unusable)?;
        }
        file.seek(SeekFrom::Start(end)).map_err(unusable)?;
        Ok((Self { folder: dir.to_path_buf(), file, end, broken: None, _lock: lock }, changes))
    }

    /// Writes one change and returns when it is on disk.
    ///
    /// # Errors
    /// It could not be written, and the file is as it was. Where that cannot be said, every later change is
    /// refused as well: a restart reads what the file holds.
    pub fn append(&mut self, change: &impl Serialize) -> io::Result<()> {
        if let Some(why) = &self.broken {
            return Err(io::Error::other(format!("{why}; mend the disk and start the registry again")));
        }
        let json = serde_json::to_string(change)?;
        let line = format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes()));
        // Always from the known end: an earlier failure may have left half a line behind it.
        let seek = self.file.seek(SeekFrom::Start(self.end));
        let written = seek.and_then(|_| self.file.write_all(line.as_bytes()));
        if let Err(error) = written {
            if let Err(cut) = self.file.set_len(self.end) {
                self.give_up(format!("a write failed ({error}) and could not be taken back ({cut})"));
            }
            if millrace_disk::is_full(&error) {
                let why = millrace_disk::told(&self.folder, &error);
                tracing::error!("the registry cannot take a change: {why}");
                return Err(io::Error::new(error.kind(), why));
            }
            return Err(error);
        }
        // What the system could not bring to the disk it may bring there later, or have dropped.
        if let Err(error) = self.file.sync_data() {
            self.give_up(format!("a change could not be brought to the disk ({error})"));
            return Err(error);
        }
        self.end += line.len() as u64;
        Ok(())
    }

    fn give_up(&mut self, why: String) {
        tracing::error!("the registry takes no more changes: {why}");
        self.broken = Some(why);
    }
}

/// The changes in the file and where the good part of it ends.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<(Vec<T>, u64), RegistryError> {
    let mut changes = Vec::new();
    let mut end = 0;
    let mut bad = None;
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let Some(json) = checked(line) else {
            bad.get_or_insert(index + 1);
            continue;
        };
        if let Some(line) = bad {
            return Err(damaged(path, line, "does not match its checksum"));
        }
        let change = serde_json::from_slice(json).map_err(|error| RegistryError::NewerBuild {
            path: path.to_path_buf(),
            line: index + 1,
            what: error.to_string(),
        })?;
        changes.push(change);
        end += line.len() as u64;
    }
    Ok((changes, end))
}

/// The JSON of a whole line that matches its checksum.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = line.split_at_checked(8)?;
    let json = rest.strip_prefix(b" ")?.strip_suffix(b"\n")?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (sum == crc32c::crc32c(json)).then_some(json)
}

fn damaged(path: &Path, line: usize, what: &str) -> RegistryError {
    RegistryError::Damaged { path: PathBuf::from(path), line, what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Result<(Journal, Vec<String>), RegistryError> {
        Journal::open(dir)
    }

    fn filled(dir: &Path) -> Vec<u8> {
        let (mut journal, _) = open(dir).unwrap();
        for text in ["one", "two", "three\nlines"] {
            journal.append(&text).unwrap();
        }
        fs::read(dir.join(FILE)).unwrap()
    }

    #[test]
    fn a_tail_torn_anywhere_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let whole = filled(dir.path());
        let last_line = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
        for length in last_line..whole.len() {
            fs::write(dir.path().join(FILE), &whole[..length]).unwrap();
            let (mut journal, changes) = open(dir.path()).unwrap();
            assert_eq!(changes, ["one", "two"], "cut at {length}");
            journal.append(&"four").unwrap();
            drop(journal);
            assert_eq!(open(dir.path()).unwrap().1, ["one", "two", "four"]);
        }
        let kept = dir.path().join("set-aside").join(format!("{FILE}.from-{last_line}"));
        assert!(kept.exists(), "what was cut off can still be looked at");
        // Also a tail of zeros, as a file system may leave it after a power cut.
        fs::write(dir.path().join(FILE), [&whole[..last_line], &[0; 100]].concat()).unwrap();
        assert_eq!(open(dir.path()).unwrap().1, ["one", "two"]);
    }

    #[test]
    fn damage_in_the_middle_is_an_error_that_names_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = filled(dir.path());
        let second = bytes.iter().position(|&byte| byte == b'\n').unwrap() + 12;
        bytes[second] ^= 1;
        fs::write(dir.path().join(FILE), bytes).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn what_a_newer_build_wrote_is_named_and_not_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(dir.path()).unwrap();
        journal.append(&"one").unwrap();
        journal.append(&serde_json::json!({"change": "linked"})).unwrap();
        drop(journal);
        let before = fs::read(dir.path().join(FILE)).unwrap();
        let error = open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("newer build") && error.contains("line 2"), "{error}");
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), before);
    }

    #[test]
    fn when_a_failed_write_cannot_be_taken_back_nothing_more_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(dir.path()).unwrap();
        journal.append(&"one").unwrap();
        // Every write fails as on a full disk, and the file cannot be cut.
        let good =
            std::mem::replace(&mut journal.file, File::options().write(true).open("/dev/full").unwrap());
        journal.append(&"two").unwrap_err();
        journal.file = good;
        let error = journal.append(&"three").unwrap_err().to_string();
        assert!(error.contains("start the registry again"), "{error}");
        drop(journal);
        assert_eq!(open(dir.path()).unwrap().1, ["one"]);
    }

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        assert!(matches!(open(dir.path()), Err(RegistryError::InUse { .. })));
        drop(first);
        open(dir.path()).unwrap();
    }
}
