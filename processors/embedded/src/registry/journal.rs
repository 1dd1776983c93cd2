//! The registry's file: one checksummed line per change, synced before the change is acknowledged.

use std::fs::{self, File, OpenOptions, TryLockError};
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
    file: File,
    /// Where the next line goes; what lies behind it, if anything, was never acknowledged.
    end: u64,
    _lock: File,
}

impl Journal {
    /// Opens the file in `dir`, making both if need be, and gives the changes it holds.
    ///
    /// A last line that is torn or does not match its checksum was being written when the process or the machine
    /// died; nobody was told that it holds, so it is cut off. Such a line before others is damage, and an error.
    pub fn open<T: DeserializeOwned>(dir: &Path) -> Result<(Self, Vec<T>), RegistryError> {
        let unusable = |source| RegistryError::Folder { dir: dir.to_path_buf(), source };
        fs::create_dir_all(dir).map_err(unusable)?;
        let lock = File::create(dir.join("registry.lock")).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RegistryError::InUse { dir: dir.to_path_buf() },
            TryLockError::Error(source) => unusable(source),
        })?;
        let path = dir.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        // The name of a new file is only safe once its folder is synced.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(unusable)?;
        let bytes = fs::read(&path).map_err(unusable)?;
        let (changes, end) = read(&bytes, &path)?;
        if end < bytes.len() as u64 {
            tracing::warn!(path = %path.display(), bytes = bytes.len() as u64 - end, "cut off an unfinished line");
            file.set_len(end).and_then(|()| file.sync_data()).map_err(unusable)?;
        }
        file.seek(SeekFrom::Start(end)).map_err(unusable)?;
        Ok((Self { file, end, _lock: lock }, changes))
    }

    /// Writes one change and returns when it is on disk; after an error the file is as it was.
    pub fn append(&mut self, change: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(change)?;
        let line = format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes()));
        // Always from the known end: an earlier failure may have left half a line behind it.
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(line.as_bytes()))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let _ = self.file.set_len(self.end);
            return Err(error);
        }
        self.end += line.len() as u64;
        Ok(())
    }
}

/// The changes in the file and where the good part of it ends.
fn read<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<(Vec<T>, u64), RegistryError> {
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
        let change = serde_json::from_slice(json)
            .map_err(|error| damaged(path, index + 1, &format!("is of another version: {error}")))?;
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
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap();
        assert!(matches!(open(dir.path()), Err(RegistryError::InUse { .. })));
        drop(first);
        open(dir.path()).unwrap();
    }
}
