//! Who lost a partition commits nothing for it any more.

use std::time::Duration;

use millrace_ports::Transaction;

use super::LogFixture;
use super::desk::*;

/// The second writer of a transactional id ends the first.
pub fn a_second_writer_fences_the_first(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "second", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "second", &topic, 1);
    let mut first = seat.writer(fixture, "second");
    commit(&mut *first, batch(vec![outgoing(&here, "first")])).unwrap();
    let mut second = seat.writer(fixture, "second");
    assert_fenced(commit(&mut *first, batch(vec![outgoing(&here, "zombie")])));
    commit(&mut *second, batch(vec![outgoing(&here, "second")])).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["first", "second"]);
}

/// A batch under way when the fence goes up is there as a whole or not at all, and the fence
/// decides: nothing of it comes later.
pub fn what_a_predecessor_left_open_never_appears(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "open", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "open", &topic, 1);
    let mut first = seat.writer(fixture, "open");
    let left = (0..500).map(|it| outgoing(&here, &format!("left {it}"))).collect();
    first.submit(Transaction { records: left, offsets: [(here.clone(), 1)].into() }).unwrap();
    let mut second = seat.writer(fixture, "open");
    let committed = seat.group.committed(std::slice::from_ref(&here)).unwrap();
    let survived = read_all(fixture, &here).len();
    assert!(survived == 0 || survived == 500, "{survived} of 500");
    assert_eq!(committed.is_empty(), survived == 0, "offsets and records go together");
    let fate = settled(&mut *first);
    assert!(fate.is_err() || survived == 500, "told as committed, but it is not there");
    commit(&mut *second, batch(vec![outgoing(&here, "next")])).unwrap();
    let records = read_all(fixture, &here);
    assert_eq!(records.len(), survived + 1);
    assert_eq!(values(&records[survived..]), ["next"]);
}

/// A member that was silent too long wakes up and tries to commit what it had decided.
pub fn a_replaced_member_can_commit_nothing(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "zombie", 1);
    let here = at(&topic, 0);
    let mut zombie = Seat::alone(fixture, "zombie", &topic, 1);
    // a transactional id of its own, so that only the group stands in its way
    let mut late = zombie.writer(fixture, "zombie.a");
    commit(
        &mut *late,
        Transaction { records: vec![outgoing(&here, "alive")], offsets: [(here.clone(), 1)].into() },
    )
    .unwrap();
    let mut heir = Seat::join(fixture, "zombie", &topic);
    eventually("the silent member is replaced", || {
        heir.step();
        (heir.owned.len() == 1).then_some(())
    });
    let stale =
        || Transaction { records: vec![outgoing(&here, "stale")], offsets: [(here.clone(), 2)].into() };
    assert_fenced(commit(&mut *late, stale()));
    assert!(zombie.group.commit(&[(here.clone(), 2)].into()).is_err());
    let mut writer = heir.writer(fixture, "zombie.b");
    assert_eq!(heir.group.committed(std::slice::from_ref(&here)).unwrap()[&here], 1);
    commit(
        &mut *writer,
        Transaction { records: vec![outgoing(&here, "heir")], offsets: [(here.clone(), 2)].into() },
    )
    .unwrap();
    eventually("the zombie learns of it", || {
        heir.step();
        zombie.step();
        zombie.owned.is_empty().then_some(())
    });
    fenced(&mut *late);
    assert_fenced(commit(&mut *late, stale()));
    assert_eq!(values(&read_all(fixture, &here)), ["alive", "heir"]);
}

/// A batch decided before a partition was lost does not slip in when the same member gets it back.
pub fn a_partition_that_came_back_is_not_the_one_that_was_lost(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "back", 1);
    let here = at(&topic, 0);
    let mut seat = Seat::alone(fixture, "back", &topic, 1);
    let mut old = seat.writer(fixture, "back");
    // silent until it is removed; it stands alone, so it gets the partition back
    eventually("the member is taken for dead", || {
        std::thread::sleep(fixture.session_timeout() * 2);
        seat.step();
        (!seat.told.is_empty() && seat.owned.is_empty()).then_some(())
    });
    eventually("the partition comes back", || {
        seat.step();
        (seat.owned.len() == 1).then_some(())
    });
    let mut new = seat.writer(fixture, "back");
    let stale = Transaction { records: vec![outgoing(&here, "stale")], offsets: [(here.clone(), 9)].into() };
    assert!(commit(&mut *old, stale).is_err());
    let fresh = Transaction { records: vec![outgoing(&here, "fresh")], offsets: [(here.clone(), 1)].into() };
    commit(&mut *new, fresh).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["fresh"]);
    assert_eq!(seat.group.committed(std::slice::from_ref(&here)).unwrap()[&here], 1);
}

/// What was handed over is gone, at once.
pub fn a_released_partition_can_commit_nothing(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "released", 2);
    let mut first = Seat::alone(fixture, "released", &topic, 2);
    let mut writer = first.writer(fixture, "released");
    let mut second = Seat::join(fixture, "released", &topic);
    eventually("one partition changes hands", || {
        first.step();
        second.step();
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    let gone = at(&topic, *second.owned.first().unwrap());
    let kept = at(&topic, *first.owned.first().unwrap());
    assert_fenced(commit(
        &mut *writer,
        Transaction { records: Vec::new(), offsets: [(gone.clone(), 1)].into() },
    ));
    assert!(first.group.commit(&[(gone.clone(), 1)].into()).is_err());
    fenced(&mut *writer);
    // a rebalance may still be under way, which may be tried again
    eventually("what is kept can be committed", || {
        first.step();
        second.step();
        let batch = Transaction { records: Vec::new(), offsets: [(kept.clone(), 3)].into() };
        let done = commit(&mut *writer, batch).is_ok();
        if !done {
            fenced(&mut *writer);
        }
        done.then_some(())
    });
    let committed = second.group.committed(&[gone, kept.clone()]).unwrap();
    assert_eq!(committed, [(kept, 3)].into());
    let _ = writer.settle(Duration::ZERO);
}
