//! Threads that read while another writes, and files are cleaned and deleted under them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use millrace_localstate::LocalDir;
use millrace_ports::{Answered, Change, LocalStores, Space};
use millrace_testkit::local::conformance::identity;

const KEYS: u64 = 300;
const ROUNDS: u64 = 150;

fn key(number: u64) -> String {
    format!("Account/{number}")
}

/// The value tells its key and its round; a third of the keys changes in each round.
fn value(number: u64, round: u64) -> String {
    format!("{number} {round} {}", "x".repeat((number % 50) as usize * 20))
}

fn last_changed(number: u64, round: u64) -> u64 {
    round - (round + number) % 3
}

#[test]
fn whoever_reads_finds_what_was_written_last_or_is_being_written() {
    let root = tempfile::tempdir().unwrap();
    let store = LocalDir::with_files_of(root.path(), 20_000).open(&identity(0)).unwrap();
    let (begun, done, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let write = |round: u64| {
        begun.store(round, Ordering::SeqCst);
        let changed = (0..KEYS).filter(|number| round < 3 || last_changed(*number, round) == round);
        let written: Vec<_> = changed.map(|number| (key(number), value(number, round))).collect();
        let answers: Vec<_> = (0..20).map(|number| format!("c-{round}-{number}")).collect();
        let mut changes: Vec<_> = written
            .iter()
            .map(|(key, value)| Change {
                space: Space::Aggregates,
                key: key.as_bytes(),
                value: Some(value.as_bytes()),
            })
            .collect();
        changes.extend(answers.iter().map(|id| Change {
            space: Space::Answers,
            key: id.as_bytes(),
            value: Some(b"yes"),
        }));
        let answered = Answered { oldest: (round / 5).saturating_sub(2), newest: round / 5 };
        store.write(&changes, answered, &round.to_le_bytes()).unwrap();
        done.store(round, Ordering::SeqCst);
    };
    (0..3).for_each(write);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3_u64)
            .map(|reader| {
                let (store, begun, done, is_over) = (&store, &begun, &done, &is_over);
                scope.spawn(move || {
                    let mut seed = reader;
                    let mut reads = 0_u64;
                    while !is_over.load(Ordering::SeqCst) || reads < 1_000 {
                        seed = seed
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let number = (seed >> 33) % KEYS;
                        let before = done.load(Ordering::SeqCst);
                        let found = store.get(Space::Aggregates, key(number).as_bytes()).unwrap().unwrap();
                        let after = begun.load(Ordering::SeqCst);
                        let found = String::from_utf8(found.to_vec()).unwrap();
                        let round: u64 = found.split(' ').nth(1).unwrap().parse().unwrap();
                        assert_eq!(found, value(number, round));
                        let oldest = if before < 3 { before } else { last_changed(number, before) };
                        assert!(
                            (oldest..=after).contains(&round),
                            "{round} is not between {oldest} and {after}"
                        );
                        let id = format!("c-{before}-{}", number % 20);
                        let answer = store.get(Space::Answers, id.as_bytes()).unwrap();
                        let is_kept = begun.load(Ordering::SeqCst) / 5 <= before / 5 + 2;
                        assert!(answer.is_some() || !is_kept, "{id}");
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        (3..ROUNDS).for_each(write);
        is_over.store(true, Ordering::SeqCst);
        for reader in readers {
            assert!(reader.join().unwrap() >= 1_000);
        }
    });
    let files = std::fs::read_dir(root.path().join("t.accounting.state").join("0")).unwrap().count();
    assert!(files < 60, "{files} files: nothing was cleaned");
}
