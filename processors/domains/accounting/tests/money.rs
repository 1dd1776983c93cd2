//! Money is neither made nor lost, whatever is asked, in whatever order the steps are taken,
//! and in every cut of the partitions that contains its causes.

use crate::common;

use std::collections::BTreeMap;

use common::bank::{Bank, Ledger, acts, answered_balances};
use millrace_domain_accounting::{EventData, State, account, transfer};
use millrace_kernel::{Event, Named};
use millrace_testkit::world::Answer;
use proptest::prelude::*;

/// The domain's own states say what the ledger says.
fn compare(bank: &Bank, ledger: &Ledger) {
    for (id, found) in bank.world.states().iter() {
        let Some(State::Account(account)) = found.state.as_deref() else { continue };
        let name = id.routing_key();
        assert_eq!(i128::from(account.balance), ledger.balances[name], "{id}");
        assert_eq!(i128::from(account.reserved_total()), ledger.reserved_of(name), "{id}");
        let available = ledger.balances[name] - ledger.reserved_of(name);
        assert_eq!(i128::from(account.available()), available, "{id}");
        assert_eq!(account.closed, ledger.closed.contains(name), "{id}");
    }
    for name in &ledger.accounts {
        assert!(bank.world.state(&account::id(name)).is_some(), "{name} has a state");
    }
}

/// The longest part of each partition's events, at most as long as asked, that contains the
/// cause of everything in it.
fn cut<'a>(
    events: &'a [(i32, Event<EventData>)],
    lengths: &BTreeMap<i32, usize>,
) -> Vec<&'a Event<EventData>> {
    let mut kept: Vec<usize> = Vec::new();
    let mut taken: BTreeMap<i32, usize> = BTreeMap::new();
    for (index, (partition, _)) in events.iter().enumerate() {
        let taken = taken.entry(*partition).or_default();
        if *taken < lengths.get(partition).copied().unwrap_or(0) {
            kept.push(index);
        }
        *taken += 1;
    }
    loop {
        // events of one command cause each other, one by one
        let missing = kept.iter().copied().find(|index| {
            let command = &events[*index].1.command_id;
            (0..*index).any(|before| events[before].1.command_id == *command && !kept.contains(&before))
        });
        let Some(orphan) = missing else { break };
        let partition = events[orphan].0;
        kept.retain(|index| *index < orphan || events[*index].0 != partition);
    }
    kept.into_iter().map(|index| &events[index].1).collect()
}

proptest! {
    #[test]
    fn no_money_is_made_or_lost_at_any_moment(acts in acts(120), partitions in 1i32..5) {
        let mut bank = Bank::new(partitions);
        let mut ledger = Ledger::default();
        for act in &acts {
            let before = bank.world.events().len();
            bank.act(act);
            for (_, event) in &bank.world.events()[before..] {
                ledger.book(&event.data);
                ledger.check();
            }
            compare(&bank, &ledger);
        }
        bank.world.settle();
        let ledger = Ledger::of(bank.world.events().iter().map(|(_, event)| event));
        ledger.check();
        compare(&bank, &ledger);
        prop_assert!(ledger.on_both_sides.is_empty(), "all that was credited is settled");
        prop_assert!(ledger.reserved.values().all(BTreeMap::is_empty), "nothing stays reserved");
        // what was answered and what happened is the same
        prop_assert_eq!(&ledger.balances, &answered_balances(&bank));
        for (id, _) in &bank.sent {
            prop_assert!(bank.world.answer(id).is_some(), "{} has no answer", id);
        }
    }

    #[test]
    fn a_refused_transfer_has_moved_nothing(acts in acts(60), partitions in 1i32..5) {
        let mut bank = Bank::new(partitions);
        acts.iter().for_each(|act| bank.act(act));
        bank.world.settle();
        for (id, command) in &bank.sent {
            let Some(Answer::Rejected(violations)) = bank.world.answer(id) else { continue };
            prop_assert!(!violations.is_empty());
            let events: Vec<_> =
                bank.world.events().iter().map(|(_, e)| e).filter(|e| e.command_id == *id).collect();
            let moved = Ledger::of(events.iter().copied().filter(|e| {
                !matches!(e.data, EventData::AccountOpened(_) | EventData::AccountClosed(_))
            }));
            prop_assert!(moved.balances.is_empty(), "{command:?} moved money: {events:?}");
            prop_assert!(moved.reserved.values().all(BTreeMap::is_empty), "{command:?} keeps money");
        }
        for (id, found) in bank.world.states().iter() {
            let is_open = matches!(
                found.state.as_deref(),
                Some(State::Transfer(t)) if t.step == transfer::step::REQUESTED
            );
            prop_assert!(!is_open, "{id} has not ended");
        }
    }

    #[test]
    fn the_sums_are_right_in_every_cut_that_contains_its_causes(
        acts in acts(80),
        lengths in proptest::collection::vec(0usize..60, 4),
    ) {
        let mut bank = Bank::new(4);
        acts.iter().for_each(|act| bank.act(act));
        let lengths: BTreeMap<i32, usize> = (0..4).zip(lengths).collect();
        Ledger::of(cut(bank.world.events(), &lengths)).check();
    }
}

#[test]
fn histories_are_worth_their_name() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..100 {
        let acts = acts(120).new_tree(&mut runner).unwrap().current();
        let mut bank = Bank::new(3);
        acts.iter().for_each(|act| bank.act(act));
        bank.world.settle();
        for (_, event) in bank.world.events() {
            *seen.entry(event.data.name()).or_default() += 1;
        }
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 13, "every event happens: {seen:?}");
    assert!(seen.values().all(|count| *count >= 20), "and often enough: {seen:?}");
}
