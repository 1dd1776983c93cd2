//! The memory disk keeps to the suite for local stores, and loses only what a disk may lose.

use std::sync::Arc;

use millrace_ports::{Answered, Change, LocalStores, Space};
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::local::conformance::{identity, run};

#[test]
fn the_memory_disk_keeps_to_the_suite() {
    run(&|| Arc::new(MemoryDisk::new()));
}

#[test]
fn a_loss_of_power_takes_whole_writes_newest_first() {
    let disk = MemoryDisk::new();
    let store = disk.open(&identity(0)).unwrap();
    let answered = Answered { oldest: 0, newest: 0 };
    for number in 0..3_u8 {
        let value = [number];
        let change = |key| Change { space: Space::Aggregates, key, value: Some(&value[..]) };
        store.write(&[change(b"a"), change(b"b")], answered, &value).unwrap();
    }
    drop(store);
    disk.lose_power(1);
    let store = disk.open(&identity(0)).unwrap();
    assert_eq!(store.checkpoint().unwrap().as_deref(), Some(&[1][..]));
    for key in [b"a", b"b"] {
        assert_eq!(store.get(Space::Aggregates, key).unwrap().as_deref(), Some(&[1][..]));
    }
    drop(store);
    disk.sync();
    disk.lose_power(9);
    let store = disk.open(&identity(0)).unwrap();
    assert_eq!(store.checkpoint().unwrap().as_deref(), Some(&[1][..]), "what is synced stays");
}
