//! Damaged files: whatever is done to the real files, the store answers rightly or says that it
//! cannot, and after it was set aside a new one works.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use millrace_localstate::LocalDir;
use millrace_ports::{Change, LocalFault, LocalStore, LocalStores, Space};
use millrace_testkit::local::conformance::identity;

const KEYS: u64 = 400;
const ROUNDS: u64 = 12;

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

/// Writes all keys again in each round, so that every answer tells the round it is of.
fn fill(root: &Path) {
    let stores = LocalDir::flushing_at(root, 50_000);
    let store = stores.open(&identity(0)).unwrap();
    for round in 0..ROUNDS {
        let entries: Vec<_> = (0..KEYS).map(|number| (key(number), value(number, round))).collect();
        let changes: Vec<_> = entries
            .iter()
            .map(|(key, value)| Change {
                space: Space::Aggregates,
                key: key.as_bytes(),
                value: value.as_deref().map(str::as_bytes),
            })
            .collect();
        store.write(&changes, &round.to_le_bytes()).unwrap();
    }
}

/// The round that all of the store is of; `None` when it is empty.
fn check(store: &dyn LocalStore) -> Result<Option<u64>, LocalFault> {
    let Some(checkpoint) = store.checkpoint()? else {
        let mut count = 0;
        store.scan(Space::Aggregates, b"", &mut |_, _| count += 1)?;
        assert_eq!(count, 0, "a store without a checkpoint is empty");
        return Ok(None);
    };
    let round = u64::from_le_bytes(checkpoint[..].try_into().expect("the checkpoint is whole"));
    let mut expected = BTreeMap::new();
    for number in 0..KEYS {
        let found = store.get(Space::Aggregates, key(number).as_bytes())?;
        let right = value(number, round);
        assert_eq!(found.as_deref(), right.as_deref().map(str::as_bytes), "{}", key(number));
        expected.extend(right.map(|right| (key(number), right)));
    }
    let mut scanned = BTreeMap::new();
    let mut each = |key: &[u8], value: &[u8]| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        scanned.insert(text(key), text(value));
    };
    store.scan(Space::Aggregates, b"", &mut each)?;
    assert_eq!(scanned, expected);
    Ok(Some(round))
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
    let stores = LocalDir::flushing_at(root, 50_000);
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
    for index in 0.. {
        let place = tempfile::tempdir().unwrap();
        copy(whole.path(), place.path());
        let all = files(place.path());
        let Some(file) = all.get(index) else { break };
        fs::remove_file(file).unwrap();
        drop(use_it(place.path()));
    }
}
