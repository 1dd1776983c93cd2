//! Two processes, and processes that die.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use millrace_localstate::LocalDir;
use millrace_ports::{Answered, Change, LocalFault, LocalStores, Space};
use millrace_testkit::local::conformance::identity;

/// Names the folder in which a process of this test binary works until it is killed.
const CHILD: &str = "MILLRACE_LOCALSTATE_CHILD";

/// Runs as a process of its own, started by the tests below; alone it does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let stores = LocalDir::with_files_of(folder, 50_000);
    let store = stores.open(&identity(0)).unwrap();
    for round in 0_u64.. {
        let value = round.to_le_bytes();
        let keys: Vec<String> = (0..100).map(|number| format!("Account/{number}")).collect();
        let change = |key| Change { space: Space::Aggregates, key, value: Some(&value[..]) };
        let changes: Vec<_> = keys.iter().map(|key| change(key.as_bytes())).collect();
        store.write(&changes, Answered { oldest: 0, newest: 0 }, &value).unwrap();
        println!("\nwritten {round}");
    }
}

fn start(folder: &Path) -> (std::process::Child, impl Iterator<Item = u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["processes::child", "--exact", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let written = lines.filter_map(|line| line.unwrap().strip_prefix("written ")?.parse().ok());
    (child, written)
}

#[test]
fn what_was_written_survives_kill_9_as_a_whole() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let (mut child, mut written) = start(root.path());
        let mut newest = written.by_ref().take(20).last().unwrap();
        child.kill().unwrap();
        newest = written.last().unwrap_or(newest);
        child.wait().unwrap();
        let store = LocalDir::new(root.path()).open(&identity(0)).unwrap();
        let checkpoint = store.checkpoint().unwrap().unwrap();
        let reached = u64::from_le_bytes(checkpoint[..].try_into().unwrap());
        assert!(reached >= newest, "{reached} was kept, {newest} was said to be written");
        for number in 0..100 {
            let found = store.get(Space::Aggregates, format!("Account/{number}").as_bytes()).unwrap();
            assert_eq!(found.as_deref(), Some(&checkpoint[..]), "all of one write, and nothing of the next");
        }
    }
}

/// The index says in which file it ends, and the next start reads from there: also when nothing in that file is the newest
/// of its key any more.
#[test]
fn a_store_that_nobody_writes_to_can_be_opened_again_and_again() {
    for rounds in 1..80_u64 {
        let root = tempfile::tempdir().unwrap();
        let stores = LocalDir::with_files_of(root.path(), 20_000);
        for start in 0..2 {
            let store = stores.open(&identity(0)).unwrap();
            for round in 0..rounds {
                let value = (start * rounds + round).to_le_bytes();
                let keys: Vec<String> = (0..50).map(|number| format!("Account/{number}")).collect();
                let change = |key| Change { space: Space::Aggregates, key, value: Some(&value[..]) };
                let changes: Vec<_> = keys.iter().map(|key| change(key.as_bytes())).collect();
                store.write(&changes, Answered { oldest: 0, newest: 0 }, &value).unwrap();
            }
        }
        for again in 0..3 {
            let store = stores.open(&identity(0));
            let store =
                store.unwrap_or_else(|fault| panic!("{rounds} rounds, opened {again} times: {fault}"));
            let newest = (2 * rounds - 1).to_le_bytes();
            assert_eq!(store.checkpoint().unwrap().as_deref(), Some(&newest[..]), "{rounds} rounds");
            for number in 0..50 {
                let found = store.get(Space::Aggregates, format!("Account/{number}").as_bytes()).unwrap();
                assert_eq!(found.as_deref(), Some(&newest[..]), "{rounds} rounds");
            }
        }
    }
}

#[test]
fn a_second_process_is_told_who_is_there_and_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let (mut child, mut written) = start(root.path());
    written.next().unwrap();
    let refused = LocalDir::new(root.path()).open(&identity(1));
    let Err(fault @ LocalFault::Held { .. }) = refused else { panic!("two processes share a folder") };
    let text = fault.to_string();
    for part in [&format!("process {}", child.id()), "--state-dir", root.path().to_str().unwrap()] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!fault.is_lasting(), "nothing is set aside for it");
    let (second, topic) = (LocalDir::new(root.path()), identity(1).topic);
    assert!(
        matches!(second.reserve(&topic), Err(LocalFault::Held { .. })),
        "before a partition is dealt to it"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    second.reserve(&topic).and_then(|()| second.reserve(&topic)).expect("the dead hold nothing");
    second.open(&identity(1)).map(drop).expect("it is this one's now");
}
