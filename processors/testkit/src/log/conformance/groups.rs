//! Groups: who owns what, and what has been done.

use std::time::{Duration, Instant};

use millrace_ports::{GroupEvent, Transaction};

use super::desk::*;
use super::{LogFixture, PATIENCE};

/// One member owns everything.
pub fn a_member_gets_all_partitions(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "all", 3);
    let seat = Seat::alone(fixture, "all", &topic, 3);
    assert_eq!(seat.owned, (0..3).collect());
    assert!(seat.group.poll(MOMENT).unwrap().is_none(), "nothing more to tell");
}

/// What is committed is read by the next member, and survives an empty group.
pub fn committed_offsets_carry_over(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "carry", 2);
    let other = super::desk::topic(fixture, "carry.steps", 2);
    let (here, steps) = (at(&topic, 0), at(&other, 0));
    let first = Seat::alone(fixture, "carry", &topic, 2);
    let mut writer = first.writer(fixture, "carry");
    let offsets = [(here.clone(), 10), (steps.clone(), 3)].into();
    commit(&mut *writer, Transaction { records: vec![outgoing(&here, "x")], offsets }).unwrap();
    first.group.leave();
    drop(writer);
    drop(first);
    let second = Seat::alone(fixture, "carry", &topic, 2);
    let asked = [here.clone(), at(&topic, 1), steps.clone()];
    let committed = second.group.committed(&asked).unwrap();
    assert_eq!(committed, [(here.clone(), 10), (steps, 3)].into(), "those without one are left out");
    let mut writer = second.writer(fixture, "carry");
    commit(&mut *writer, Transaction { records: Vec::new(), offsets: [(here.clone(), 11)].into() }).unwrap();
    assert_eq!(second.group.committed(std::slice::from_ref(&here)).unwrap()[&here], 11);
}

/// As projectors do it.
pub fn offsets_commit_outside_transactions(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "outside", 2);
    let seat = Seat::alone(fixture, "outside", &topic, 2);
    seat.group.commit(&[(at(&topic, 0), 7), (at(&topic, 1), 8)].into()).unwrap();
    seat.group.commit(&[(at(&topic, 0), 9)].into()).unwrap();
    let committed = seat.group.committed(&[at(&topic, 0), at(&topic, 1)]).unwrap();
    assert_eq!(committed.into_values().collect::<Vec<_>>(), [9, 8]);
}

/// A second member takes a fair share, and only that moves.
pub fn two_members_share_the_partitions(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "share", 4);
    let mut first = Seat::alone(fixture, "share", &topic, 4);
    let mut second = Seat::join(fixture, "share", &topic);
    eventually("both have two", || {
        first.step();
        second.step();
        assert!(first.owned.is_disjoint(&second.owned), "no partition has two owners");
        (first.owned.len() == 2 && second.owned.len() == 2).then_some(())
    });
    let moved: usize = first
        .told
        .iter()
        .map(|it| match it {
            GroupEvent::Revoked(partitions) => partitions.len(),
            GroupEvent::Lost(partitions) => panic!("{partitions:?} were lost"),
            GroupEvent::Assigned(_) => 0,
        })
        .sum();
    assert_eq!(moved, 2, "the others stay where they are: {:?}", first.told);
}

/// Leaving needs no timeout.
pub fn a_member_that_leaves_is_replaced_at_once(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "leave", 2);
    let mut first = Seat::alone(fixture, "leave", &topic, 2);
    let mut second = Seat::join(fixture, "leave", &topic);
    eventually("both have one", || {
        first.step();
        second.step();
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    first.group.leave();
    let left = Instant::now();
    eventually("the other has both", || {
        second.step();
        (second.owned.len() == 2).then_some(())
    });
    let limit = fixture.session_timeout().max(Duration::from_secs(5));
    assert!(left.elapsed() < limit, "{:?} after leaving", left.elapsed());
}

/// A member that hangs loses its partitions after the session timeout, is told so, and may come back.
pub fn a_silent_member_is_replaced(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "silent", 2);
    let mut first = Seat::alone(fixture, "silent", &topic, 2);
    let mut second = Seat::join(fixture, "silent", &topic);
    eventually("the other has both", || {
        second.step();
        (second.owned.len() == 2).then_some(())
    });
    eventually("the first is told, and both share again", || {
        first.step();
        second.step();
        let lost = first.told.iter().any(|it| matches!(it, GroupEvent::Lost(_)));
        (lost && first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
}

/// Nobody gets a revoked partition before its owner has released it, however long that takes.
pub fn revoked_partitions_wait_for_their_release(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "release", 2);
    let mut first = Seat::alone(fixture, "release", &topic, 2);
    let mut writer = first.writer(fixture, "release");
    first.obliging = false;
    let mut second = Seat::join(fixture, "release", &topic);
    eventually("the first is asked to give one up", || {
        first.step();
        second.step();
        first.was_revoked().then_some(())
    });
    // longer than a session: being asked for something is no reason to be taken for dead
    let until = Instant::now() + (fixture.session_timeout() * 3 / 2).min(PATIENCE);
    while Instant::now() < until {
        first.step();
        second.step();
        assert!(second.owned.is_empty(), "taken before it was released");
        assert!(!first.told.iter().any(|it| matches!(it, GroupEvent::Lost(_))), "{:?}", first.told);
    }
    let revoked: Vec<i32> = first
        .told
        .iter()
        .filter_map(
            |it| if let GroupEvent::Revoked(partitions) = it { Some(partitions.clone()) } else { None },
        )
        .flatten()
        .collect();
    assert_eq!(revoked.len(), 1);
    // what is under way may be finished
    let last = at(&topic, revoked[0]);
    commit(
        &mut *writer,
        Transaction { records: vec![outgoing(&last, "last")], offsets: [(last.clone(), 1)].into() },
    )
    .unwrap();
    first.owned.retain(|it| !revoked.contains(it));
    first.group.release(&revoked).unwrap();
    eventually("the second gets it", || {
        first.step();
        second.step();
        (second.owned.len() == 1).then_some(())
    });
    assert_eq!(second.group.committed(std::slice::from_ref(&last)).unwrap()[&last], 1);
}
