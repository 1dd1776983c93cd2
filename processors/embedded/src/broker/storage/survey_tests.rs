//! What a start makes of damage anywhere in a log, and how much of a log it reads.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::broker::config::{SyncPolicy, TopicSettings};
use crate::broker::storage::batch::{BatchHeader, control_batch};
use crate::broker::storage::checkpoint;
use crate::broker::storage::fault::WriteFailed;
use crate::broker::storage::flusher::Flusher;
use crate::broker::storage::partition::Partition;

fn settings(segment_bytes: u64) -> TopicSettings {
    let text = segment_bytes.to_string();
    TopicSettings::from_overrides(&BTreeMap::from([("segment.bytes".to_owned(), text)]))
}

/// A batch of one record of about so many bytes.
fn batch(bytes: usize) -> Vec<u8> {
    // A marker has all that a batch must have; nobody looks into its records here.
    let marker = control_batch(-1, 0, true, 5);
    let mut records = marker[61..].to_vec();
    records.resize(bytes, 7);
    let mut head = marker;
    head[21..23].copy_from_slice(&0_i16.to_be_bytes());
    crate::broker::storage::batch::with_records(&head, &records, 1)
}

struct Folder {
    root: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("t/0")
    }

    fn aside(&self) -> PathBuf {
        self.root.path().join("set-aside")
    }

    fn append(log: &mut Log, bytes: &[u8], settings: &TopicSettings) -> Result<i64, WriteFailed> {
        let header = BatchHeader::parse(bytes).unwrap();
        log.append(bytes, &header, settings, 5).map(|appended| appended.base_offset)
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.dir()).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    }

    fn survey(&self) -> Result<Survey, LogError> {
        survey(&self.dir(), 0)
    }
}

/// A log of eight batches in one segment, as `kill -9` leaves it; its files, and where each batch begins.
fn one_segment(folder: &Folder) -> Vec<usize> {
    let mut log = Log::create(&folder.dir()).unwrap();
    let (mut begins, bytes) = (Vec::new(), batch(40));
    for n in 0..8 {
        begins.push(n * bytes.len());
        Folder::append(&mut log, &bytes, &settings(1 << 20)).unwrap();
    }
    begins
}

#[test]
fn a_flipped_bit_before_good_batches_refuses_the_start_and_changes_nothing() {
    let folder = Folder::new();
    let begins = one_segment(&folder);
    let path = segment_path(&folder.dir(), 0);
    let whole = fs::read(&path).unwrap();
    let last = *begins.last().unwrap();
    for at in 0..last {
        let of_batch = *begins.iter().rev().find(|begin| **begin <= at).unwrap();
        // Nothing depends on the leader's epoch, and no checksum covers it.
        if (12..16).contains(&(at - of_batch)) {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        let before = folder.files();
        let error = folder.survey().unwrap_err();
        assert!(matches!(error, LogError::Damaged { .. }), "byte {at}: {error}");
        assert_eq!(folder.files(), before);
    }
}

#[test]
fn an_end_torn_anywhere_is_cut_and_a_copy_of_it_kept() {
    let folder = Folder::new();
    let begins = one_segment(&folder);
    let path = segment_path(&folder.dir(), 0);
    let whole = fs::read(&path).unwrap();
    let last = *begins.last().unwrap();
    for length in (last + 1)..whole.len() {
        let _ = fs::remove_dir_all(folder.aside());
        fs::write(&path, &whole[..length]).unwrap();
        let log = folder.survey().unwrap().settle(&folder.aside()).unwrap();
        assert_eq!(log.next_offset(), 7, "cut at {length}");
        assert_eq!(fs::read(&path).unwrap(), whole[..last]);
        let kept = folder.aside().join(format!("t-0-00000000000000000000.log.from-{last}"));
        assert_eq!(fs::read(kept).unwrap(), whole[last..length]);
    }
}

#[test]
fn bytes_that_were_on_the_disk_and_are_gone_are_damage() {
    let folder = Folder::new();
    let begins = one_segment(&folder);
    folder.survey().unwrap().settle(&folder.aside()).unwrap().checkpoint().unwrap();
    let path = segment_path(&folder.dir(), 0);
    let whole = fs::read(&path).unwrap();
    for length in [0, begins[3], begins[3] + 5] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = folder.survey().unwrap_err().to_string();
        assert!(error.contains(&format!("first {} bytes were on the disk", whole.len())), "{error}");
    }
    // The way out that is told is one.
    let error = folder.survey().unwrap_err().to_string();
    let (_, command) = error.split_once('`').unwrap();
    let (command, _) = command.split_once('`').unwrap();
    assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
    let log = folder.survey().unwrap().settle(&folder.aside()).unwrap();
    assert_eq!(log.next_offset(), 3);
}

#[test]
fn a_log_that_is_gone_is_not_begun_anew() {
    let folder = Folder::new();
    one_segment(&folder);
    fs::remove_file(segment_path(&folder.dir(), 0)).unwrap();
    for gone in ["segment", "folder"] {
        let error = folder.survey().unwrap_err().to_string();
        assert!(error.contains("is missing"), "{gone}: {error}");
        let _ = fs::remove_dir_all(folder.dir());
    }
    assert!(!folder.dir().exists());
}

#[test]
fn a_start_reads_only_what_is_behind_the_recovery_point() {
    let folder = Folder::new();
    let flusher = Flusher::start(SyncPolicy::default(), &folder.dir()).unwrap();
    let partition = Partition::new("t", 0, Log::create(&folder.dir()).unwrap(), Arc::clone(&flusher));
    let (large, small) = (batch(100_000), batch(40));
    let write = |bytes: &[u8], times: usize| {
        let header = BatchHeader::parse(bytes).unwrap();
        for _ in 0..times {
            partition.produce(bytes, &header, &settings(1 << 27)).unwrap();
        }
    };
    for round in 1..=5 {
        write(&large, 30);
        checkpoint::run(&partition);
        write(&small, 3);
        // As after `kill -9`: nothing was written that a shutdown writes.
        let found = folder.survey().unwrap();
        assert_eq!(found.read_bytes, 3 * small.len() as u64, "round {round}");
        assert_eq!(found.log.next_offset(), round * 33);
        assert_eq!(found.log.size_bytes(), partition.log().size_bytes());
    }
    // Damage before the point is not looked for; what is behind it is checked.
    let path = segment_path(&folder.dir(), 0);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 2 * small.len() + 70;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(folder.survey(), Err(LogError::Damaged { .. })));
    flusher.stop();
}

#[test]
fn sealed_segments_are_not_read_and_no_log_is_long_to_read() {
    let folder = Folder::new();
    let mut log = Log::create(&folder.dir()).unwrap();
    let bytes = batch(1000);
    for _ in 0..100 {
        Folder::append(&mut log, &bytes, &settings(10_000)).unwrap();
    }
    let active = log.active().len;
    drop(log);
    assert_eq!(folder.survey().unwrap().read_bytes, active);
}

#[test]
fn an_end_that_a_failed_roll_has_left_is_no_second_end() {
    let folder = Folder::new();
    one_segment(&folder);
    fs::write(segment_path(&folder.dir(), 5), b"").unwrap();
    let log = folder.survey().unwrap().settle(&folder.aside()).unwrap();
    assert_eq!((log.next_offset(), log.segments.len()), (8, 1));
}

#[test]
fn when_a_failed_write_cannot_be_taken_back_the_broker_halts() {
    let folder = Folder::new();
    fs::create_dir_all(folder.dir()).unwrap();
    symlink("/dev/full", segment_path(&folder.dir(), 0)).unwrap();
    let flusher = Flusher::start(SyncPolicy::default(), &folder.dir()).unwrap();
    let log = folder.survey().unwrap().settle(&folder.aside()).unwrap();
    let partition = Partition::new("t", 0, log, Arc::clone(&flusher));
    let bytes = batch(40);
    let header = BatchHeader::parse(&bytes).unwrap();
    partition.produce(&bytes, &header, &settings(1 << 20)).unwrap_err();
    assert!(flusher.halt().why().is_some(), "memory and disk may differ");
    assert_eq!(partition.log().next_offset(), 0);
    flusher.stop();
}
