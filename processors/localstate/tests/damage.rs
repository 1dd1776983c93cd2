//! Damaged files: whatever is done to the real files, the store answers rightly or says that it
//! cannot, and after it was set aside a new one works.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use millrace_localstate::LocalDir;
use millrace_ports::{Answered, Change, Identity, LocalFault, LocalStore, LocalStores, Space};
use millrace_testkit::local::conformance::identity;

const KEYS: u64 = 400;
const ROUNDS: u64 = 12;
/// Small files, so that there are some of every kind.
const FILE_BYTES: u64 = 50_000;
const ANSWERS: u64 = 50;

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn key(number: u64) -> String {
    format!("Account/{number}")
}

/// What the key has after so many rounds: every third round removes it.
fn value(number: u64, round: u64) -> Option<String> {
    (!(number + round).is_multiple_of(3)).then(|| format!("{number} in round {round}: {}", "x".repeat(100)))
}

/// What the engine keeps under this number after so many rounds.
fn kept(number: u64, round: u64) -> Option<String> {
    (number.is_multiple_of(40) && (number / 40 + round).is_multiple_of(2)).then(|| format!("kept in {round}"))
}

fn answered(round: u64) -> Answered {
    Answered { oldest: (round / 3).saturating_sub(1), newest: round / 3 }
}

fn answer(round: u64, number: u64) -> (String, String) {
    (format!("command-{round}-{number}"), format!("{number} was answered in round {round}"))
}

/// Writes all keys again in each round, so that every answer tells the round it is of.
fn fill(root: &Path) {
    let stores = LocalDir::with_files_of(root, FILE_BYTES);
    let store = stores.open(&identity(0)).unwrap();
    for round in 0..ROUNDS {
        let entries = (0..KEYS).flat_map(|number| {
            [(Space::Aggregates, value(number, round)), (Space::Kept, kept(number, round))]
                .map(|(space, value)| (space, key(number), value))
        });
        let answers = (0..ANSWERS).map(|number| {
            let (id, text) = answer(round, number);
            (Space::Answers, id, Some(text))
        });
        let entries: Vec<_> = entries.chain(answers).collect();
        let changes: Vec<_> = entries
            .iter()
            .map(|(space, key, value)| Change {
                space: *space,
                key: key.as_bytes(),
                value: value.as_deref().map(str::as_bytes),
            })
            .collect();
        store.write(&changes, answered(round), &round.to_le_bytes()).unwrap();
    }
}

/// The round that all of the store is of; `None` when it is empty.
fn check(store: &dyn LocalStore) -> Result<Option<u64>, LocalFault> {
    let checkpoint = store.checkpoint()?;
    let whole = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("the checkpoint is whole"));
    let round = checkpoint.as_deref().map(whole);
    let mut listed = BTreeMap::new();
    for number in 0..KEYS {
        let key = key(number);
        let right = |of: fn(u64, u64) -> Option<String>| round.and_then(|round| of(number, round));
        for (space, right) in [(Space::Aggregates, right(value)), (Space::Kept, right(kept))] {
            let found = store.get(space, key.as_bytes())?;
            assert_eq!(found.as_deref(), right.as_deref().map(str::as_bytes), "{space:?} {key}");
        }
        listed.extend(right(kept).map(|right| (key, right)));
    }
    for asked in 0..ROUNDS {
        let is_kept = round.is_some_and(|round| asked <= round && asked / 3 >= answered(round).oldest);
        for (id, text) in (0..ANSWERS).map(|number| answer(asked, number)) {
            let found = store.get(Space::Answers, id.as_bytes())?;
            assert_eq!(found.as_deref(), is_kept.then_some(text.as_bytes()), "{id}");
        }
    }
    let mut scanned = BTreeMap::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    store.scan_kept(&mut |key, value| drop(scanned.insert(text(key), text(value))))?;
    assert_eq!(scanned, listed);
    Ok(round)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// Opens what was damaged and uses it; what it found.
fn use_it(root: &Path) -> Result<Option<u64>, LocalFault> {
    let stores = LocalDir::with_files_of(root, FILE_BYTES);
    let found = stores.open(&identity(0)).and_then(|store| check(&*store));
    if let Err(fault) = &found {
        assert!(fault.is_lasting(), "{fault}");
        assert!(fault.to_string().contains(root.to_str().unwrap()), "it says where: {fault}");
        let to = stores.set_aside(&identity(0)).unwrap();
        assert!(to.exists(), "whoever wants to look finds it at {}", to.display());
        let fresh = stores.open(&identity(0)).unwrap();
        assert_eq!(check(&*fresh).unwrap(), None, "the next one is new and works");
    }
    found
}

fn damage_all(what: &str, seeds: u64, damage: impl Fn(&mut Dice, &mut Vec<u8>)) {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path());
    assert_eq!(use_it(whole.path()).unwrap(), Some(ROUNDS - 1), "undamaged");
    let (mut noticed, mut harmless) = (0, 0);
    for seed in 0..seeds {
        let mut dice = Dice(seed);
        let place = tempfile::tempdir().unwrap();
        copy(whole.path(), place.path());
        let candidates: Vec<_> = files(place.path())
            .into_iter()
            .filter(|file| fs::metadata(file).unwrap().len() > 0 && file.file_name().unwrap() != "lock")
            .collect();
        let file = &candidates[dice.below(candidates.len() as u64) as usize];
        let mut bytes = fs::read(file).unwrap();
        damage(&mut dice, &mut bytes);
        fs::write(file, bytes).unwrap();
        let shown = file.strip_prefix(place.path()).unwrap().display().to_string();
        match std::panic::catch_unwind(|| use_it(place.path())) {
            Ok(Ok(_)) => harmless += 1,
            Ok(Err(_)) => noticed += 1,
            Err(panic) => panic!("{what}, seed {seed}, {shown}: {:?}", panic.downcast_ref::<String>()),
        }
    }
    assert!(noticed > 0, "{what}: nothing was noticed in {harmless} cases, so nothing was tested");
}

#[test]
fn a_flipped_byte_is_noticed_or_changes_nothing() {
    damage_all("a flipped byte", 60, |dice, bytes| {
        let at = dice.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << dice.below(8);
    });
}

#[test]
fn a_file_cut_short_is_noticed_or_changes_nothing() {
    damage_all("cut short", 40, |dice, bytes| {
        let keep = dice.below(bytes.len() as u64) as usize;
        bytes.truncate(keep);
    });
}

#[test]
fn a_page_of_zeros_is_noticed_or_changes_nothing() {
    damage_all("zeros", 40, |dice, bytes| {
        let from = dice.below(bytes.len() as u64) as usize;
        let upto = (from + 4_096).min(bytes.len());
        bytes[from..upto].fill(0);
    });
}

#[test]
fn a_missing_file_is_noticed_or_changes_nothing() {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path());
    let mut noticed = Vec::new();
    for index in 0.. {
        let place = tempfile::tempdir().unwrap();
        copy(whole.path(), place.path());
        let all = files(place.path());
        let Some(file) = all.get(index) else { break };
        fs::remove_file(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if use_it(place.path()).is_err() {
            noticed.push(name);
        }
    }
    for kind in ["states-", "answers-", "index", "identity"] {
        assert!(noticed.iter().any(|name| name.starts_with(kind)), "{kind}: {noticed:?}");
    }
}

/// Every kind of file, at every place of its beginning and its end, where lengths and counts are.
#[test]
fn every_byte_near_an_end_of_a_file_counts_or_changes_nothing() {
    let whole = tempfile::tempdir().unwrap();
    fill(whole.path());
    let mut noticed = 0;
    for kind in ["states-", "answers-", "index"] {
        let of_kind = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with(kind);
        let all: Vec<_> = files(whole.path()).into_iter().filter(of_kind).collect();
        for file in [all.first().unwrap(), all.last().unwrap()] {
            let length = fs::metadata(file).unwrap().len() as usize;
            for at in (0..100).chain(length - 80..length).filter(|at| at % 3 == 0) {
                let place = tempfile::tempdir().unwrap();
                copy(whole.path(), place.path());
                let damaged = place.path().join(file.strip_prefix(whole.path()).unwrap());
                let mut bytes = fs::read(&damaged).unwrap();
                bytes[at] ^= 0x10;
                fs::write(&damaged, bytes).unwrap();
                let result = std::panic::catch_unwind(|| use_it(place.path()));
                noticed += usize::from(result.unwrap_or_else(|_| panic!("{kind} at {at}")).is_err());
            }
        }
    }
    assert!(noticed > 100, "{noticed}");
}

/// A write that a crash has cut anywhere was never said to be written: the one before it counts.
#[test]
fn a_write_that_was_cut_off_never_was() {
    let whole = tempfile::tempdir().unwrap();
    let stores = LocalDir::new(whole.path());
    let store = stores.open(&identity(0)).unwrap();
    let put = |space, key: &'static [u8], value: &'static [u8]| Change { space, key, value: Some(value) };
    let answered = Answered { oldest: 0, newest: 0 };
    let first = [put(Space::Aggregates, b"a", b"1"), put(Space::Answers, b"c1", b"1")];
    store.write(&first, answered, b"1").unwrap();
    let lengths: Vec<_> =
        files(whole.path()).into_iter().map(|file| (fs::metadata(&file).unwrap().len(), file)).collect();
    let second =
        [put(Space::Aggregates, b"a", b"2"), put(Space::Kept, b"k", b"2"), put(Space::Answers, b"c2", b"2")];
    store.write(&second, answered, b"2").unwrap();
    drop((store, stores));
    let named = |prefix: &str| {
        let mut of =
            lengths.iter().filter(|(_, it)| it.file_name().unwrap().to_string_lossy().starts_with(prefix));
        of.next().unwrap().clone()
    };
    let ((states_from, states), (answers_from, answers)) = (named("states-"), named("answers-"));
    let states_upto = fs::metadata(&states).unwrap().len();
    // the answers are written first
    let cuts = (answers_from..fs::metadata(&answers).unwrap().len()).map(|at| (at, states_from));
    let cuts = cuts.chain((states_from..states_upto).map(|at| (u64::MAX, at)));
    let mut count = 0;
    for (answers_at, states_at) in cuts {
        let place = tempfile::tempdir().unwrap();
        copy(whole.path(), place.path());
        for (file, at) in [(&answers, answers_at), (&states, states_at)] {
            let file = place.path().join(file.strip_prefix(whole.path()).unwrap());
            let file = fs::OpenOptions::new().write(true).open(file).unwrap();
            file.set_len(at.min(file.metadata().unwrap().len())).unwrap();
        }
        let store = LocalDir::new(place.path()).open(&identity(0)).unwrap();
        let get = |space, key: &[u8]| store.get(space, key).unwrap().map(|value| value.to_vec());
        assert_eq!(store.checkpoint().unwrap().as_deref(), Some(&b"1"[..]), "{answers_at}, {states_at}");
        assert_eq!(get(Space::Aggregates, b"a").as_deref(), Some(&b"1"[..]));
        assert_eq!((get(Space::Kept, b"k"), get(Space::Answers, b"c2")), (None, None));
        assert_eq!(get(Space::Answers, b"c1").as_deref(), Some(&b"1"[..]));
        store.write(&second, answered, b"2").unwrap();
        assert_eq!(get(Space::Answers, b"c2").as_deref(), Some(&b"2"[..]), "and it can be written again");
        count += 1;
    }
    assert!(count > 150, "{count}");
}

/// A power failure may leave a file longer than what of it reached the disk.
#[test]
fn a_write_of_which_only_the_length_was_kept_never_was() {
    let root = tempfile::tempdir().unwrap();
    let put = |value| Change { space: Space::Aggregates, key: b"a", value: Some(value) };
    let answered = Answered { oldest: 0, newest: 0 };
    let stores = LocalDir::new(root.path());
    let store = stores.open(&identity(0)).unwrap();
    store.write(&[put(b"1")], answered, b"1").unwrap();
    let states = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("states-");
    let file = files(root.path()).into_iter().find(states).unwrap();
    let from = fs::metadata(&file).unwrap().len() as usize;
    store.write(&[put(b"2")], answered, b"2").unwrap();
    drop((store, stores));
    let mut bytes = fs::read(&file).unwrap();
    // a hole in the record alone, and in all of it
    for hole in [from + 40..from + 56, from..bytes.len()] {
        bytes[hole].fill(0);
        fs::write(&file, &bytes).unwrap();
        let store = LocalDir::new(root.path()).open(&identity(0)).unwrap();
        assert_eq!(store.checkpoint().unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(store.get(Space::Aggregates, b"a").unwrap().as_deref(), Some(&b"1"[..]));
        drop(store);
    }
}

/// What earlier versions left is set aside, not read.
#[test]
fn a_store_of_another_version_is_foreign() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("t.accounting.state").join("0");
    fs::create_dir_all(place.join("db")).unwrap();
    fs::write(place.join("identity"), format!("{}\n", identity(0))).unwrap();
    let stores = LocalDir::new(root.path());
    let Err(fault @ LocalFault::Foreign { .. }) = stores.open(&identity(0)) else {
        panic!("it is another's")
    };
    assert!(fault.is_lasting());
    assert!(fault.to_string().contains("files 2"), "{fault}");
    stores.set_aside(&identity(0)).unwrap();
    stores.open(&identity(0)).map(drop).unwrap();
}

/// Whatever lies in a folder is quoted in a line of a log, not in pages.
#[test]
fn garbage_in_place_of_a_name_is_quoted_in_a_line() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("t.accounting.state").join("0");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("identity"), "\u{1b}[2J\n\u{7}garbage".repeat(400)).unwrap();
    let Err(fault @ LocalFault::Foreign { .. }) = LocalDir::new(root.path()).open(&identity(0)) else {
        panic!("it is another's")
    };
    let text = fault.to_string();
    assert!(text.contains("garbage") && text.contains("5200 bytes"), "{text}");
    assert!(text.len() < 1_000 && !text.chars().any(char::is_control), "{} bytes: {text:?}", text.len());
}

/// What a dropped version has kept: all partitions of one topic, and nothing of any other.
#[test]
fn what_nobody_will_ask_for_is_removed_as_a_whole() {
    let root = tempfile::tempdir().unwrap();
    fill(root.path());
    let stores = LocalDir::with_files_of(root.path(), FILE_BYTES);
    let other = Identity { topic: "other".into(), ..identity(0) };
    drop(stores.open(&other).unwrap());
    let open = stores.open(&identity(0)).unwrap();
    let refused = stores.remove(&identity(0).topic).unwrap_err();
    assert!(matches!(refused, LocalFault::Held { .. }), "{refused}");
    drop(open);
    stores.set_aside(&identity(0)).unwrap();
    let folder = |name: &str| root.path().join(name);
    let (whole, half) = (folder(&identity(0).topic), folder(&format!("{}.removing", identity(0).topic)));
    for _ in 0..2 {
        // what somebody left behind who ended amid this goes, too
        fs::create_dir_all(half.join("0")).unwrap();
        stores.remove(&identity(0).topic).unwrap();
        assert!(!whole.exists() && !half.exists());
    }
    assert!(root.path().join("other").exists());
    assert_eq!(check(&*stores.open(&identity(0)).unwrap()).unwrap(), None, "and may be made anew");
}
