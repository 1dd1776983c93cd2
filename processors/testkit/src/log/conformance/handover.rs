//! Moves without a pause: who gives a partition up goes on until the next owner fences it off.

use std::collections::BTreeSet;

use millrace_ports::roster::heirs;
use millrace_ports::{LogFault, Transaction};

use super::LogFixture;
use super::desk::*;

fn one(at: &millrace_ports::TopicPartition, value: &str, offset: i64) -> Transaction {
    Transaction { records: vec![outgoing(at, value)], offsets: [(at.clone(), offset)].into() }
}

/// A partition that was handed over is dealt out at once; its old owner's batches pass until the
/// new one fences, and not one after that.
pub fn what_is_handed_over_goes_on_until_the_fence(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "handed", 2);
    let mut first = Seat::alone(fixture, "handed", &topic, 2);
    first.hands_over = true;
    let mut writers: Vec<_> = (0..2).map(|it| first.writer(fixture, &format!("handed.{it}"))).collect();
    let mut second = Seat::join(fixture, "handed", &topic);
    let mut sent = [0_i64; 2];
    eventually("one partition changes hands", || {
        first.step();
        second.step();
        for (partition, writer) in writers.iter_mut().enumerate() {
            sent[partition] += 1;
            let here = at(&topic, partition as i32);
            commit(&mut **writer, one(&here, "first", sent[partition])).unwrap();
        }
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    let moved = *second.owned.first().unwrap();
    let (here, count) = (at(&topic, moved), sent[moved as usize]);
    let old = &mut writers[moved as usize];
    commit(&mut **old, one(&here, "after the move", count + 1)).unwrap();
    assert!(first.group.commit(&[(here.clone(), 99)].into()).is_err(), "only batches are lent");

    let mut new = second.writer(fixture, &format!("handed.{moved}"));
    assert_eq!(second.group.committed(std::slice::from_ref(&here)).unwrap()[&here], count + 1);
    assert_fenced(commit(&mut **old, one(&here, "zombie", count + 2)));
    commit(&mut *new, one(&here, "second", count + 2)).unwrap();
    let records = read_all(fixture, &here);
    assert_eq!(records.len() as i64, count + 2, "all that was said to be committed, and nothing else");
    assert_eq!(values(&records)[count as usize..], ["after the move", "second"]);
}

/// A member that retires is replaced at once and works on for those who come after it.
pub fn who_retires_goes_on_until_the_fence(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "retired", 2);
    let mut first = Seat::alone(fixture, "retired", &topic, 2);
    let mut second = Seat::join(fixture, "retired", &topic);
    eventually("both have one", || {
        first.step();
        second.step();
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    let here = at(&topic, *first.owned.first().unwrap());
    let mut old = first.writer(fixture, "retired");
    commit(&mut *old, one(&here, "member", 1)).unwrap();
    first.group.retire();
    commit(&mut *old, one(&here, "retired", 2)).unwrap();
    eventually("the other has both", || {
        second.step();
        (second.owned.len() == 2).then_some(())
    });
    commit(&mut *old, one(&here, "still at it", 3)).unwrap();
    let mut new = second.writer(fixture, "retired");
    assert_fenced(commit(&mut *old, one(&here, "zombie", 4)));
    assert_eq!(second.group.committed(std::slice::from_ref(&here)).unwrap()[&here], 3);
    commit(&mut *new, one(&here, "heir", 4)).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["member", "retired", "still at it", "heir"]);
}

/// Who keeps a partition in a rebalance notices nothing: no batch for it is refused.
pub fn a_rebalance_refuses_nothing_of_what_is_kept(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "kept", 2);
    let mut first = Seat::alone(fixture, "kept", &topic, 2);
    let mut writers: Vec<_> = (0..2).map(|it| first.writer(fixture, &format!("kept.{it}"))).collect();
    let mut second = Seat::join(fixture, "kept", &topic);
    let mut sent = [0_i64; 2];
    eventually("both have one", || {
        first.step();
        second.step();
        for partition in first.owned.clone() {
            let index = partition as usize;
            sent[index] += 1;
            let batch = one(&at(&topic, partition), "kept", sent[index]);
            submit_and_settle(&mut *writers[index], &mut first, &mut second, batch).unwrap();
        }
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
    for (partition, sent) in sent.into_iter().enumerate() {
        assert_eq!(read_all(fixture, &at(&topic, partition as i32)).len() as i64, sent);
    }
}

/// The members go on polling while a batch waits for the next generation.
fn submit_and_settle(
    writer: &mut dyn millrace_ports::TransactionalWriter,
    first: &mut Seat,
    second: &mut Seat,
    batch: Transaction,
) -> Result<(), LogFault> {
    writer.submit(batch)?;
    first.obliging = false;
    let done = eventually("the batch is settled", || match writer.settle(MOMENT) {
        Ok(true) => Some(Ok(())),
        Ok(false) => {
            first.step();
            second.step();
            None
        }
        Err(fault) => Some(Err(fault)),
    });
    first.obliging = true;
    first.catch_up();
    done
}

/// Everybody sees who is there and who owns what.
pub fn the_roster_shows_who_owns_what(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "roster", 4);
    let mut seats = [Seat::alone(fixture, "roster", &topic, 4), Seat::join(fixture, "roster", &topic)];
    eventually("both have two, and the roster says so", || {
        seats.iter_mut().for_each(Seat::step);
        let rosters: Vec<_> = seats.iter().map(|it| it.group.roster().unwrap()).collect();
        if rosters.iter().any(|it| it.len() != 2) || seats.iter().any(|it| it.owned.len() != 2) {
            return None;
        }
        for (seat, roster) in seats.iter().zip(&rosters) {
            let owned = |is_self: bool| -> Option<BTreeSet<i32>> {
                let entry = roster.iter().find(|it| it.is_self == is_self)?;
                Some(entry.partitions.iter().copied().collect())
            };
            if owned(true)? != seat.owned {
                return None;
            }
            assert!(owned(false)?.is_disjoint(&seat.owned));
        }
        let names: BTreeSet<_> = rosters[0].iter().map(|it| &it.member).collect();
        assert_eq!(names, rosters[1].iter().map(|it| &it.member).collect());
        Some(())
    });
}

/// What a member leaves behind goes where the port says it will, so a copy can wait there for it.
pub fn orphans_go_to_their_heirs(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "heirs", 8);
    let mut seats: Vec<Seat> = (0..4).map(|_| Seat::join(fixture, "heirs", &topic)).collect();
    while seats.len() > 1 {
        let share = 8 / seats.len();
        let roster = eventually("all is dealt out", || {
            seats.iter_mut().for_each(Seat::step);
            let roster = seats[0].group.roster().unwrap();
            let owned: usize = roster.iter().map(|it| it.partitions.len()).sum();
            let is_shared = roster.len() == seats.len()
                && owned == 8
                && seats.iter().all(|it| it.owned.len() >= share)
                && roster.iter().any(|it| {
                    it.is_self && it.partitions.iter().copied().collect::<BTreeSet<_>>() == seats[0].owned
                });
            is_shared.then_some(roster)
        });
        let leaving = seats.pop().unwrap();
        let gone = leaving.group.roster().unwrap().into_iter().find(|it| it.is_self).unwrap();
        let expected = heirs(&roster, &gone.member);
        assert_eq!(expected.len(), gone.partitions.len());
        leaving.group.leave();
        eventually("the heirs have got it", || {
            seats.iter_mut().for_each(Seat::step);
            (seats.iter().map(|it| it.owned.len()).sum::<usize>() == 8).then_some(())
        });
        for seat in &seats {
            let own = seat.group.roster().unwrap().into_iter().find(|it| it.is_self).unwrap().member;
            for (partition, _) in expected.iter().filter(|(_, heir)| **heir == own) {
                assert!(seat.owned.contains(partition), "{partition} was to go to {own}: {expected:?}");
            }
        }
    }
}
