//! What every local store must do. An adapter calls [`run`] with a way to get an empty place for
//! stores; places are the same after their stores are closed.

use std::sync::Arc;

use millrace_ports::{Answered, Change, Identity, LocalFault, LocalStore, LocalStores, Space};

/// Runs every case against places that `fresh` makes.
///
/// # Panics
/// When a case does not hold.
pub fn run(fresh: &dyn Fn() -> Arc<dyn LocalStores>) {
    new_stores_are_empty(&*fresh());
    writes_are_read_back(&*fresh());
    spaces_are_apart(&*fresh());
    scans_are_in_order(&*fresh());
    all_stays_when_it_is_closed(&*fresh());
    partitions_are_apart(&*fresh());
    one_owner_at_a_time(&*fresh());
    foreign_stores_are_refused(&*fresh());
    what_is_set_aside_is_gone(&*fresh());
    generations_are_forgotten(&*fresh());
    many_changes_of_few_keys(&*fresh());
}

/// The identity of a partition for tests.
#[must_use]
pub fn identity(partition: i32) -> Identity {
    Identity { topic: Arc::from("t.accounting.state"), partition, partitions: 4, format: 1 }
}

fn put<'a>(space: Space, key: &'a str, value: &'a str) -> Change<'a> {
    Change { space, key: key.as_bytes(), value: Some(value.as_bytes()) }
}

fn get(store: &dyn LocalStore, space: Space, key: &str) -> Option<String> {
    let found = store.get(space, key.as_bytes()).expect("the store answers");
    found.map(|value| String::from_utf8(value.to_vec()).expect("text was written"))
}

const A: Space = Space::Aggregates;
const K: Space = Space::Kept;
/// No answers are written or forgotten.
const NONE: Answered = Answered { oldest: 0, newest: 0 };

fn new_stores_are_empty(stores: &dyn LocalStores) {
    let store = stores.open(&identity(0)).expect("it opens");
    assert_eq!(store.checkpoint().expect("it answers"), None);
    assert_eq!(get(&*store, A, "User/ann"), None);
    assert_eq!(get(&*store, Space::Answers, "c1"), None);
    store.scan_kept(&mut |_, _| panic!("there is nothing")).expect("it answers");
}

fn writes_are_read_back(stores: &dyn LocalStores) {
    let store = stores.open(&identity(0)).expect("it opens");
    let changes = [put(A, "User/ann", "1"), put(A, "User/bob", ""), put(A, "User/ann", "2")];
    store.write(&changes, NONE, b"first").expect("it writes");
    assert_eq!(get(&*store, A, "User/ann").as_deref(), Some("2"), "the later change wins");
    assert_eq!(get(&*store, A, "User/bob").as_deref(), Some(""), "empty is not absent");
    assert_eq!(get(&*store, A, "User/an"), None);
    let removed = Change { space: A, key: b"User/ann", value: None };
    store.write(&[removed, removed], NONE, b"second").expect("it writes");
    assert_eq!(get(&*store, A, "User/ann"), None);
    assert_eq!(store.checkpoint().expect("it answers").as_deref(), Some(&b"second"[..]));
    store.write(&[], NONE, b"third").expect("a checkpoint alone");
    assert_eq!(store.checkpoint().expect("it answers").as_deref(), Some(&b"third"[..]));
}

fn spaces_are_apart(stores: &dyn LocalStores) {
    let store = stores.open(&identity(0)).expect("it opens");
    let changes = [put(A, "k", "a"), put(K, "k", "k"), put(Space::Answers, "k", "0")];
    store.write(&changes, NONE, b"c").expect("it writes");
    assert_eq!(get(&*store, A, "k").as_deref(), Some("a"));
    assert_eq!(get(&*store, K, "k").as_deref(), Some("k"));
    assert_eq!(get(&*store, Space::Answers, "k").as_deref(), Some("0"));
    store.write(&[Change { space: K, key: b"k", value: None }], NONE, b"c").expect("it writes");
    assert_eq!(get(&*store, K, "k"), None);
    assert_eq!(get(&*store, A, "k").as_deref(), Some("a"));
}

fn scans_are_in_order(stores: &dyn LocalStores) {
    let mut store = stores.open(&identity(0)).expect("it opens");
    let changes = [put(K, "b/2", "2"), put(A, "a", "x"), put(K, "b/1", "1"), put(K, "c", "x")];
    store.write(&changes, NONE, b"c").expect("it writes");
    let removed = Change { space: K, key: b"c", value: None };
    store.write(&[put(K, "b/10", "10"), put(K, "b/2", "two"), removed], NONE, b"c").expect("it writes");
    for _ in 0..2 {
        let mut seen = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        store.scan_kept(&mut |key, value| seen.push((text(key), text(value)))).expect("it answers");
        let expected = [("b/1", "1"), ("b/10", "10"), ("b/2", "two")];
        assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        drop(store);
        store = stores.open(&identity(0)).expect("it opens again");
    }
}

fn all_stays_when_it_is_closed(stores: &dyn LocalStores) {
    for round in 0..3 {
        let store = stores.open(&identity(0)).expect("it opens again");
        for before in 0..round {
            assert_eq!(get(&*store, A, &format!("k{before}")), Some(format!("v{before}")));
        }
        store
            .write(&[put(A, &format!("k{round}"), &format!("v{round}"))], NONE, &[round])
            .expect("it writes");
    }
    let store = stores.open(&identity(0)).expect("it opens again");
    assert_eq!(store.checkpoint().expect("it answers").as_deref(), Some(&[2][..]));
}

fn partitions_are_apart(stores: &dyn LocalStores) {
    let (one, two) = (stores.open(&identity(0)).expect("it opens"), stores.open(&identity(1)).expect("too"));
    one.write(&[put(A, "k", "one")], NONE, b"1").expect("it writes");
    assert_eq!(get(&*two, A, "k"), None);
    assert_eq!(two.checkpoint().expect("it answers"), None);
}

fn one_owner_at_a_time(stores: &dyn LocalStores) {
    let store = stores.open(&identity(0)).expect("it opens");
    let second = stores.open(&identity(0));
    assert!(matches!(second, Err(LocalFault::Held { .. })), "a second owner is refused");
    assert!(matches!(stores.set_aside(&identity(0)), Err(LocalFault::Held { .. })));
    drop(store);
    drop(stores.open(&identity(0)).expect("once it is closed"));
}

fn foreign_stores_are_refused(stores: &dyn LocalStores) {
    stores.open(&identity(0)).expect("it opens").write(&[put(A, "k", "v")], NONE, b"c").expect("it writes");
    let others = [Identity { partitions: 8, ..identity(0) }, Identity { format: 2, ..identity(0) }];
    for other in others {
        match stores.open(&other) {
            Err(fault @ LocalFault::Foreign { .. }) => {
                assert!(fault.is_lasting());
                let text = fault.to_string();
                assert!(
                    text.contains(&other.to_string()) && text.contains(&identity(0).to_string()),
                    "{text}"
                );
            }
            Err(other) => panic!("{other} is not what is wrong"),
            Ok(_) => panic!("{other} is not whose it is"),
        }
    }
    let other_topic = Identity { topic: Arc::from("chirp.state"), ..identity(0) };
    let store = stores.open(&other_topic).expect("another topic has another place");
    assert_eq!(get(&*store, A, "k"), None);
    let same = stores.open(&identity(0)).expect("whose it is");
    assert_eq!(get(&*same, A, "k").as_deref(), Some("v"), "and nothing was taken away");
}

fn what_is_set_aside_is_gone(stores: &dyn LocalStores) {
    for round in 0..2 {
        let store = stores.open(&identity(0)).expect("it opens");
        assert_eq!(store.checkpoint().expect("it answers"), None, "round {round}");
        store.write(&[put(A, "k", "v")], NONE, b"c").expect("it writes");
        drop(store);
        let to = stores.set_aside(&identity(0)).expect("it moves");
        assert!(to.to_string_lossy().contains("set-aside"), "{}", to.display());
    }
    let grown = Identity { partitions: 8, ..identity(0) };
    drop(stores.open(&grown).expect("the place is free for any identity"));
}

fn generations_are_forgotten(stores: &dyn LocalStores) {
    for reopen in [false, true] {
        let mut store = stores.open(&identity(i32::from(reopen))).expect("it opens");
        for generation in 0..4 {
            let id = format!("c{generation}");
            let changes = [put(Space::Answers, &id, "v"), put(Space::Answers, "c", "v")];
            let answered = Answered { oldest: 0, newest: generation };
            store.write(&changes, answered, b"c").expect("it writes");
        }
        for _ in 0..2 {
            store.write(&[], Answered { oldest: 2, newest: 3 }, b"c").expect("again changes nothing");
        }
        if reopen {
            drop(store);
            store = stores.open(&identity(i32::from(reopen))).expect("it opens");
        }
        let there: Vec<_> =
            (0..4).map(|number| get(&*store, Space::Answers, &format!("c{number}")).is_some()).collect();
        assert_eq!(there, [false, false, true, true]);
        assert!(get(&*store, Space::Answers, "c").is_some(), "it was written again in the newest");
        let answered = Answered { oldest: 4, newest: 4 };
        store.write(&[put(Space::Answers, "d", "v")], answered, b"c").expect("it goes on");
        assert!(get(&*store, Space::Answers, "d").is_some());
        assert!(get(&*store, Space::Answers, "c").is_none());
        store.write(&[], Answered { oldest: 9, newest: 9 }, b"c").expect("nothing need be left");
        assert!(get(&*store, Space::Answers, "d").is_none());
        drop(store);
        let store = stores.open(&identity(i32::from(reopen))).expect("it opens");
        assert!(get(&*store, Space::Answers, "d").is_none());
    }
}

/// Against a map: many writes, so that an adapter's files are merged behind the scenes.
fn many_changes_of_few_keys(stores: &dyn LocalStores) {
    let mut expected = std::collections::BTreeMap::new();
    let mut store = stores.open(&identity(0)).expect("it opens");
    let mut seed = 1_u64;
    let mut roll = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0_u32..60 {
        let mut written = Vec::new();
        for _ in 0..200 {
            let space = [A, A, A, K][roll(4) as usize];
            let key = format!("Account/{}", roll(500));
            let value = (roll(5) > 0).then(|| format!("{round}/{}", "x".repeat(roll(300) as usize)));
            match &value {
                Some(value) => expected.insert((space, key.clone()), value.clone()),
                None => expected.remove(&(space, key.clone())),
            };
            written.push((space, key, value));
        }
        let changes: Vec<_> = written
            .iter()
            .map(|(space, key, value)| Change {
                space: *space,
                key: key.as_bytes(),
                value: value.as_deref().map(str::as_bytes),
            })
            .collect();
        store.write(&changes, NONE, &round.to_le_bytes()).expect("it writes");
        if round % 20 == 19 {
            drop(store);
            store = stores.open(&identity(0)).expect("it opens");
        }
    }
    for (space, key) in
        [A, K].into_iter().flat_map(|space| (0..500).map(move |n| (space, format!("Account/{n}"))))
    {
        assert_eq!(get(&*store, space, &key), expected.get(&(space, key.clone())).cloned(), "{key}");
    }
    let mut scanned = std::collections::BTreeMap::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut each = |key: &[u8], value: &[u8]| drop(scanned.insert((K, text(key)), text(value)));
    store.scan_kept(&mut each).expect("it answers");
    expected.retain(|(space, _), _| *space == K);
    assert_eq!(scanned, expected);
}
