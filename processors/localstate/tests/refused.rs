//! A write that fails in the middle, as on a full disk: nothing of it is there, then or after a
//! restart, and the next write goes on where the last good one ended.

use std::path::Path;

use millrace_localstate::LocalDir;
use millrace_ports::{Answered, Change, LocalFault, LocalStore, LocalStores, Space};
use millrace_testkit::local::conformance::identity;

/// Small, so that the write that fails has begun files of its own.
const FILE_BYTES: u64 = 20_000;
const KEYS: u64 = 3_000;
/// Longer than any key can be: the store finds out when most of the write is in its files.
const TOO_LONG: usize = 1 << 24;

fn key(number: u64) -> String {
    format!("Account/{number}")
}

fn command(write: u64) -> String {
    format!("command-of-write-{write}")
}

/// Writes all keys and one answer, in a generation of its own.
fn write(store: &dyn LocalStore, number: u64, last: Option<&[u8]>) -> Result<(), LocalFault> {
    write_some(store, number, KEYS, last)
}

fn write_some(store: &dyn LocalStore, write: u64, keys: u64, last: Option<&[u8]>) -> Result<(), LocalFault> {
    let value = format!("in write {write}: {}", "x".repeat(80));
    let keys: Vec<String> = (0..keys).map(key).collect();
    let id = command(write);
    let mut changes =
        vec![Change { space: Space::Answers, key: id.as_bytes(), value: Some(value.as_bytes()) }];
    let states = keys.iter().map(String::as_bytes).chain(last);
    changes.extend(states.map(|key| Change { space: Space::Aggregates, key, value: Some(value.as_bytes()) }));
    store.write(&changes, Answered { oldest: 0, newest: write }, format!("checkpoint {write}").as_bytes())
}

fn is_of(store: &dyn LocalStore, newest: u64, good: &[u64], failed: &[u64]) {
    assert_eq!(store.checkpoint().unwrap().unwrap(), format!("checkpoint {newest}"));
    for number in 0..KEYS {
        let found = store.get(Space::Aggregates, key(number).as_bytes()).unwrap().unwrap();
        assert!(found.starts_with(format!("in write {newest}:").as_bytes()), "{number}: {found:?}");
    }
    let is_answered = |write: u64| store.get(Space::Answers, command(write).as_bytes()).unwrap().is_some();
    assert!(good.iter().all(|write| is_answered(*write)), "what was written stays");
    assert!(!failed.iter().any(|write| is_answered(*write)), "a write that failed has answered nothing");
}

fn open(dir: &Path) -> std::sync::Arc<dyn LocalStore> {
    LocalDir::with_files_of(dir, FILE_BYTES).open(&identity(0)).unwrap()
}

#[test]
fn a_write_that_fails_in_the_middle_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let too_long = vec![b'k'; TOO_LONG];
    let store = open(dir.path());
    write(&*store, 1, None).unwrap();
    for failing in [2, 3] {
        let refused = write(&*store, failing, Some(&too_long)).unwrap_err();
        assert!(!refused.is_lasting(), "it is tried again: {refused}");
        is_of(&*store, 1, &[1], &[2, 3]);
    }
    drop(store);
    let store = open(dir.path());
    is_of(&*store, 1, &[1], &[2, 3]);
    write(&*store, 4, Some(&too_long)).unwrap_err();
    write(&*store, 5, None).unwrap();
    is_of(&*store, 5, &[1, 5], &[2, 3, 4]);
    drop(store);
    is_of(&*open(dir.path()), 5, &[1, 5], &[2, 3, 4]);
}

/// What a failed write has left in a file must not stand behind shorter ones when the next file begins.
#[test]
fn what_a_failed_write_has_left_is_cut_off() {
    const FEW: u64 = 60;
    let dir = tempfile::tempdir().unwrap();
    let too_long = vec![b'k'; TOO_LONG];
    let store = open(dir.path());
    write_some(&*store, 1, FEW, None).unwrap();
    write(&*store, 2, Some(&too_long)).unwrap_err();
    for few in 3..6 {
        write_some(&*store, few, FEW, None).unwrap();
    }
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.checkpoint().unwrap().unwrap(), "checkpoint 5");
    let found = store.get(Space::Aggregates, key(FEW - 1).as_bytes()).unwrap().unwrap();
    assert!(found.starts_with(b"in write 5:"), "{found:?}");
    assert_eq!(
        store.get(Space::Aggregates, key(FEW).as_bytes()).unwrap(),
        None,
        "only the failed write had it"
    );
}
