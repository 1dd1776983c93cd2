//! Indexes that contradict themselves or the files under a good checksum, as a bug or another hand would leave them: refused, or
//! what was written before and what is written next is found.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_localstate::LocalDir;
use millrace_ports::{Answered, Change, LocalFault, LocalStores, Space};
use millrace_testkit::local::conformance::identity;

/// Small files, so that an index is written every few writes.
const FILE_BYTES: u64 = 4_096;
const WRITES: u64 = 47;
const ANSWERED: Answered = Answered { oldest: 0, newest: 0 };

fn write(root: &Path, numbers: impl Iterator<Item = u64>) -> Result<(), LocalFault> {
    let store = LocalDir::with_files_of(root, FILE_BYTES).open(&identity(0))?;
    for number in numbers {
        let (key, kept, value) = (number.to_string(), format!("k{}", number % 7), [b'v'; 100]);
        let changes = [
            Change { space: Space::Aggregates, key: key.as_bytes(), value: Some(&value) },
            Change { space: Space::Kept, key: kept.as_bytes(), value: Some(key.as_bytes()) },
        ];
        store.write(&changes, ANSWERED, &number.to_le_bytes())?;
    }
    Ok(())
}

/// That all of `upto` writes are there.
fn is_all_there(root: &Path, upto: u64, what: &str) -> Result<(), LocalFault> {
    let store = LocalDir::with_files_of(root, FILE_BYTES).open(&identity(0))?;
    let checkpoint = store.checkpoint()?;
    assert_eq!(checkpoint.as_deref(), Some(&(upto - 1).to_le_bytes()[..]), "{what}");
    for number in 0..upto {
        let found = store.get(Space::Aggregates, number.to_string().as_bytes())?;
        assert_eq!(found.as_deref(), Some(&[b'v'; 100][..]), "{what}: {number}");
    }
    let mut kept = Vec::new();
    store.scan_kept(&mut |key, value| kept.push((key.to_vec(), value.to_vec())))?;
    let newest = |of: u64| (0..upto).rev().find(|number| number % 7 == of).unwrap();
    let expected: Vec<_> =
        (0..7).map(|of| (format!("k{of}").into_bytes(), newest(of).to_string().into_bytes())).collect();
    assert_eq!(kept, expected, "{what}");
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            drop(fs::copy(entry.path(), target))
        }
    }
}

fn index(root: &Path) -> PathBuf {
    let identity = identity(0);
    root.join(&*identity.topic).join(identity.partition.to_string()).join("index")
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Where that begins which an index says beside its pages: in front of its length and the checksum.
fn said(bytes: &[u8]) -> usize {
    bytes.len() - 12 - number(bytes, bytes.len() - 12) as usize
}

/// Where the numbers of an index are, with what they are.
fn numbers(bytes: &[u8]) -> Vec<(usize, String)> {
    let said = said(bytes);
    let word = |at: usize, what: &str| (at, what.to_owned());
    let mut all = vec![
        word(said, "the seed"),
        word(said + 8, "the next frame"),
        word(said + 16, "the file it reaches into"),
        word(said + 24, "the next file"),
    ];
    let note = said + 40;
    all.extend([word(note, "the first frame of answers"), word(note + 8, "the last frame of answers")]);
    let held = note + number(bytes, said + 32) as usize;
    all.push(word(held, "how many files"));
    let parts = ["slot", "number", "first frame", "generation", "length", "records", "newest"];
    let count = number(bytes, held) as usize;
    assert!(count > 1, "{count} files");
    for file in 0..count {
        let part = |(of, part)| (held + 8 + (file * parts.len() + of) * 8, format!("{part} of file {file}"));
        all.extend(parts.iter().enumerate().map(part));
    }
    let listed = held + 8 + count * parts.len() * 8;
    all.extend([word(listed, "how many keys are listed"), word(listed + 8, "the hash of one of them")]);
    all
}

/// The whole store, with other numbers in its index under a good checksum.
fn forge(whole: &Path, bytes: &[u8], numbers: &[(usize, u64)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    copy(whole, place.path());
    let mut forged = bytes.to_vec();
    for (at, wrong) in numbers {
        forged[*at..at + 8].copy_from_slice(&wrong.to_le_bytes());
    }
    let checked = forged.len() - 4;
    let checksum =
        crc32c::crc32c_append(crc32c::crc32c(&forged[..12]), &forged[said(bytes)..checked]).to_le_bytes();
    forged[checked..].copy_from_slice(&checksum);
    fs::write(index(place.path()), forged).unwrap();
    place
}

/// Opens it, writes to it and opens it again; refused is fine, and what is neither is a panic.
fn use_it(root: &Path, writes: u64, what: &str) -> Result<(), LocalFault> {
    is_all_there(root, writes, what)?;
    write(root, writes..writes + 1)?;
    is_all_there(root, writes + 1, what)?;
    // so many that there is another index
    write(root, writes + 1..writes + 40)?;
    is_all_there(root, writes + 40, what)
}

#[test]
fn an_index_that_contradicts_what_is_there_is_refused_or_loses_nothing() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), 0..WRITES).unwrap();
    is_all_there(whole.path(), WRITES, "undamaged").unwrap();
    let bytes = fs::read(index(whole.path())).unwrap();
    let (mut refused, mut harmless) = (Vec::new(), Vec::new());
    for (at, what) in numbers(&bytes) {
        let right = number(&bytes, at);
        let wrong = [0, 1, right.wrapping_sub(8), right + 1, right + 8, 1 << 61, u64::MAX];
        for wrong in wrong.into_iter().filter(|wrong| *wrong != right) {
            let place = forge(whole.path(), &bytes, &[(at, wrong)]);
            let what = format!("{what}: {wrong} instead of {right}");
            match use_it(place.path(), WRITES, &what) {
                Ok(()) => harmless.push(what),
                Err(fault) => {
                    assert!(fault.is_lasting(), "{what}: {fault}");
                    refused.push(what);
                }
            }
        }
    }
    println!("harmless: {harmless:#?}");
    assert!(refused.len() > 5 * harmless.len(), "{refused:#?}");
}

/// So that the next write goes to a file that the next opening takes for one of old.
#[test]
fn what_is_written_goes_to_no_file_before_the_index() {
    let whole = tempfile::tempdir().unwrap();
    // so few that there is no file behind the one in which the index ends
    let writes = 33;
    write(whole.path(), 0..writes).unwrap();
    let bytes = fs::read(index(whole.path())).unwrap();
    let all = numbers(&bytes);
    let at = |what: &str| all.iter().find(|(_, it)| it == what).unwrap().0;
    let last = (number(&bytes, at("how many files")) - 1) as usize;
    let numbers = [(at("the next file"), 0), (at(&format!("generation of file {last}")), 7)];
    let place = forge(whole.path(), &bytes, &numbers);
    use_it(place.path(), writes, "the next file and the generation").unwrap_err();
}
