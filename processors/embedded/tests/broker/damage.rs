//! Damage anywhere refuses the start and changes nothing, and nothing that anybody stored is ever deleted.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use millrace_embedded::broker::{Broker, BrokerError};

use crate::support::{Sender, Server, config, read_all, values};

/// Every file below a folder but the lock.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("broker.lock") {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn restore(root: &Path, content: &BTreeMap<PathBuf, Vec<u8>>) {
    let _ = fs::remove_dir_all(root);
    for (path, bytes) in content {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A data folder with two topics and records in them.
fn filled(dir: &Path) {
    let server = Server::start(dir);
    for topic in ["a", "b"] {
        server.create_topic(topic, 2, &[]);
        let sender = Sender::new(&server.servers(), &[]);
        for n in 0..5 {
            sender.put(topic, 1, "k", &n.to_string());
        }
    }
    server.stop();
}

fn refused(dir: &Path) -> BrokerError {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Broker::start(config(dir, |_| {}))).map(|_| ()).unwrap_err()
}

/// Puts an entry of another build behind the first one.
fn with_unknown_entry(bytes: &[u8]) -> Vec<u8> {
    let entry = br#"{"Quota":["c",5]}"#;
    let first = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let (before, behind) = bytes.split_at(16 + first);
    let header = [(entry.len() as u32).to_be_bytes(), crc32c::crc32c(entry).to_be_bytes()].concat();
    [before, &header, entry, behind].concat()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// What it is, how it comes about, and words of the error.
type Damage<'a> = (&'a str, &'a dyn Fn(), &'a [&'a str]);

#[test]
fn whatever_is_damaged_or_gone_is_named_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("kafka");
    filled(&root);
    let whole = files(&root);
    let metadata = root.join("metadata.log");
    let log = root.join("topics/b/1/00000000000000000000.log");
    let cases: [Damage<'_>; 9] = [
        (
            "a flipped byte",
            &|| flip(&metadata, 40),
            &["metadata.log is damaged at byte 8", "Nothing was changed"],
        ),
        (
            "an unknown entry",
            &|| fs::write(&metadata, with_unknown_entry(&fs::read(&metadata).unwrap())).unwrap(),
            &["metadata.log was made by a newer build", "Quota"],
        ),
        ("empty metadata", &|| fs::write(&metadata, b"").unwrap(), &["metadata.log is missing, or empty"]),
        ("no metadata", &|| fs::remove_file(&metadata).unwrap(), &["metadata.log is missing, or empty"]),
        (
            "metadata that was begun anew",
            &|| fs::write(&metadata, b"MRMETA01").unwrap(),
            &["metadata.log is missing, or empty"],
        ),
        ("no topic", &|| fs::remove_dir_all(root.join("topics/b")).unwrap(), &["topics/b/", "is missing"]),
        ("no partition", &|| fs::remove_dir_all(root.join("topics/b/1")).unwrap(), &["b/1/", "is missing"]),
        ("an emptied segment", &|| fs::write(&log, b"").unwrap(), &["b/1/", "is damaged at byte 0"]),
        (
            "a flipped byte in a log without an index",
            &|| {
                flip(&log, 100);
                fs::remove_file(log.with_extension("index")).unwrap();
            },
            &["b/1/", "is damaged at byte"],
        ),
    ];
    for (what, damage, expected) in cases {
        restore(&root, &whole);
        damage();
        let before = files(&root);
        let error = refused(&root).to_string();
        for words in expected {
            assert!(error.contains(words), "{what}: {error}");
        }
        assert_eq!(files(&root), before, "{what}: something was changed");
    }
    restore(&root, &whole);
    let server = Server::start(&root);
    for topic in ["a", "b"] {
        let read = read_all(&server.servers(), topic, 1, "read_committed");
        assert_eq!(values(&read), ["0", "1", "2", "3", "4"]);
    }
    server.stop();
}

#[test]
fn folders_that_nobody_names_are_set_aside_with_all_that_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let strangers = ["topics/stranger/0/00000000000000000000.log", "topics/a/7/00000000000000000000.log"];
    for stranger in strangers {
        let path = dir.path().join(stranger);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"somebody's records").unwrap();
    }
    let server = Server::start(dir.path());
    for (kept, gone) in [("set-aside/stranger/0", strangers[0]), ("set-aside/a-7", strangers[1])] {
        let kept = dir.path().join(kept).join("00000000000000000000.log");
        assert_eq!(fs::read(&kept).unwrap(), b"somebody's records", "{}", kept.display());
        assert!(!dir.path().join(gone).exists());
    }
    // A topic of that name, and partitions of that number, begin with nothing in them.
    server.create_topic("stranger", 1, &[]);
    assert_eq!(Sender::new(&server.servers(), &[]).put("stranger", 0, "k", "first"), 0);
    assert_eq!(values(&read_all(&server.servers(), "a", 1, "read_committed")).len(), 5);
    server.stop();
}

#[test]
fn a_broker_that_cannot_say_what_is_on_the_disk_stops_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    server.stop();
    let log = dir.path().join("topics/t/0/00000000000000000000.log");
    fs::remove_file(&log).unwrap();
    // Every write fails as on a full disk, and cannot be taken back.
    symlink("/dev/full", &log).unwrap();
    let server = Server::start(dir.path());
    let halted = server.halted();
    let sender = Sender::new(&server.servers(), &[("message.timeout.ms", "2000")]);
    sender.send("t", 0, "k", Some("v"));
    assert!(sender.flush()[0].is_err());
    let why = server.runtime.block_on(async {
        tokio::time::timeout(crate::support::DEADLINE, halted).await.expect("the broker says that it stops")
    });
    assert!(why.contains("t/0"), "{why}");
    let error = server.try_stop().unwrap_err();
    assert!(matches!(error, BrokerError::Halted { .. }), "{error}");
}
