//! What a start makes of every state a metadata log can be in, and what an append says when it fails.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;

use uuid::Uuid;

use super::*;
use crate::broker::config::SyncPolicy;
use crate::broker::storage::metastate::StoredTopic;

struct Folder {
    dir: tempfile::TempDir,
    flusher: Arc<Flusher>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.flusher.stop();
    }
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let flusher = Flusher::start(SyncPolicy::default(), dir.path()).unwrap();
        Self { dir, flusher }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("metadata.log")
    }

    fn aside(&self) -> PathBuf {
        self.dir.path().join("set-aside")
    }

    fn open(&self) -> MetaLog {
        let reading = read_file(&self.path()).unwrap();
        MetaLog::open(&self.path(), reading, &self.aside(), Arc::clone(&self.flusher)).unwrap()
    }
}

fn topic(name: &str) -> Entry {
    let stored = StoredTopic {
        id: Uuid::from_u128(7),
        partitions: 2,
        configs: BTreeMap::new(),
        log_starts: BTreeMap::new(),
    };
    Entry::Topic(name.to_owned(), stored)
}

/// A log of some entries, and where each begins.
fn filled() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = MAGIC.to_vec();
    let mut begins = Vec::new();
    for entry in [Entry::Cluster("c".into()), topic("a"), Entry::ProducerIds(1000), topic("b")] {
        begins.push(bytes.len());
        frame(&entry, &mut bytes).unwrap();
    }
    (bytes, begins)
}

#[test]
fn an_end_torn_anywhere_is_cut_off_and_a_copy_of_it_kept() {
    let (whole, begins) = filled();
    let last = *begins.last().unwrap();
    for length in last..whole.len() {
        let reading = read(&whole[..length]).unwrap();
        assert_eq!((reading.intact, reading.state.topics.len()), (last, 1), "cut at {length}");
    }
    let folder = Folder::new();
    let torn = &whole[..whole.len() - 3];
    fs::write(folder.path(), torn).unwrap();
    let log = folder.open();
    assert_eq!(fs::read(folder.path()).unwrap(), whole[..last]);
    let kept = folder.aside().join(format!("metadata.log.from-{last}"));
    assert_eq!(fs::read(kept).unwrap(), torn[last..]);
    log.append(&[topic("d")]).unwrap();
    drop(log);
    assert_eq!(folder.open().state().topics.keys().collect::<Vec<_>>(), ["a", "d"]);
}

#[test]
fn zeros_at_the_end_are_what_a_loss_of_power_leaves() {
    let (whole, _) = filled();
    let reading = read(&[&whole[..], &[0; 100]].concat()).unwrap();
    assert_eq!((reading.intact, reading.state.topics.len()), (whole.len(), 2));
}

#[test]
fn a_flipped_bit_before_good_entries_is_damage_wherever_it_is() {
    let (whole, begins) = filled();
    let last = *begins.last().unwrap();
    for at in MAGIC.len()..last {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let hit = *begins.iter().rev().find(|begin| **begin <= at).unwrap();
            match read(&bytes) {
                Err(Unreadable::Damaged { position, .. }) => assert_eq!(position, hit, "byte {at}"),
                other => panic!("bit {bit} of byte {at}: {other:?}"),
            }
        }
    }
    let folder = Folder::new();
    let mut bytes = whole;
    bytes[begins[1] + 20] ^= 1;
    fs::write(folder.path(), &bytes).unwrap();
    let error = read_file(&folder.path()).unwrap_err().to_string();
    assert!(error.contains("metadata.log") && error.contains(&format!("byte {}", begins[1])), "{error}");
    assert!(error.contains("truncate --size"), "no way out: {error}");
    assert_eq!(fs::read(folder.path()).unwrap(), bytes, "nothing was changed");
}

#[test]
fn what_a_newer_build_wrote_is_named_and_not_passed_over() {
    let (whole, _) = filled();
    let with = |json: &str| {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&(json.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(json.as_bytes()).to_be_bytes());
        bytes.extend_from_slice(json.as_bytes());
        bytes
    };
    let field = r#"{"Topic":["c",{"id":"00000000-0000-0000-0000-000000000001","partitions":1,"configs":{},"tier":1}]}"#;
    for json in [r#"{"Quota":["c",5]}"#, r#""Sealed""#, field] {
        match read(&with(json)) {
            Err(Unreadable::Newer { position, .. }) => assert_eq!(position, whole.len(), "{json}"),
            other => panic!("{json}: {other:?}"),
        }
    }
    let mut version = whole.clone();
    version[..8].copy_from_slice(b"MRMETA02");
    assert!(matches!(read(&version), Err(Unreadable::Newer { position: 0, .. })));
    let folder = Folder::new();
    fs::write(folder.path(), with(r#"{"Quota":["c",5]}"#)).unwrap();
    let error = read_file(&folder.path()).unwrap_err().to_string();
    assert!(error.contains("made by a newer build"), "{error}");
}

#[test]
fn any_bytes_are_read_or_refused() {
    for bytes in [&b""[..], b"MRM", b"MRMETA01", b"x", b"MRMETA01{\"{\"{\"{\"", &[0; 64], &[0xff; 64]] {
        let _ = read(bytes);
    }
    assert_eq!(read(b"MRM").unwrap().intact, 0);
    assert!(matches!(read(&[0; 8]), Err(Unreadable::Damaged { position: 0, .. })));
}

#[test]
fn a_rewrite_that_fails_is_no_failed_append() {
    let folder = Folder::new();
    let log = folder.open();
    // The rewrite cannot open its file.
    fs::create_dir(folder.dir.path().join("metadata.log.new")).unwrap();
    let large = "x".repeat(1 << 20);
    for n in 0..12 {
        log.append(&[Entry::Cluster(format!("{n}{large}"))]).unwrap();
    }
    assert!(folder.flusher.halt().why().is_none(), "nothing is in doubt");
    assert!(log.state().cluster_id.unwrap().starts_with("11"));
    fs::remove_dir(folder.dir.path().join("metadata.log.new")).unwrap();
    // It is tried again, and then succeeds.
    for n in 0..8 {
        log.append(&[Entry::Cluster(format!("{n}{large}"))]).unwrap();
    }
    assert!(fs::metadata(folder.path()).unwrap().len() < 8 << 20, "it was written anew");
    drop(log);
    assert!(folder.open().state().cluster_id.unwrap().starts_with('7'));
}

#[test]
fn when_a_failed_append_cannot_be_taken_back_nothing_more_is_accepted() {
    let folder = Folder::new();
    fs::create_dir(folder.dir.path().join("other")).unwrap();
    // Every write to it fails as on a full disk, and it cannot be cut.
    let full = folder.dir.path().join("other/metadata.log");
    symlink("/dev/full", &full).unwrap();
    let reading = Reading { state: MetaState::default(), intact: MAGIC.len() };
    let log = MetaLog::open(&full, reading, &folder.aside(), Arc::clone(&folder.flusher)).unwrap();
    log.append(&[Entry::ProducerIds(1)]).unwrap_err();
    assert!(folder.flusher.halt().why().is_some(), "memory and disk may differ");
    assert_eq!(log.state().next_producer_id, 0);
    // Also where a write would succeed.
    let error = folder.open().append(&[Entry::ProducerIds(2)]).unwrap_err();
    assert!(error.to_string().contains("the broker has stopped"), "{error}");
}
