//! Balances and statements against a pencil and the same events.

use crate::common;

use std::collections::BTreeMap;

use common::bank::{Bank, acts};
use common::*;
use millrace_domain_accounting::messages::rows::{
    AccountBalancesRow, AccountStatementsBucketsRow, AccountStatementsRow,
};
use millrace_domain_accounting::{Accounting, EventData};
use millrace_kernel::{Event, Named, NoSettings};
use millrace_testkit::store::memory::MemoryStore;
use millrace_testkit::tables::{Dice, filled, rows};
use millrace_testkit::world::World;
use proptest::prelude::*;

/// (balance, reserved) after these events of one account, added up from the first.
fn pencil(events: &[&Event<EventData>]) -> (i64, i64) {
    let (mut balance, mut reserved) = (0, 0);
    for event in events {
        match &event.data {
            EventData::MoneyDeposited(e) => balance += e.amount,
            EventData::MoneyWithdrawn(e) => balance -= e.amount,
            EventData::TransferCredited(e) => balance += e.amount,
            EventData::FundsReserved(e) => reserved += e.amount,
            EventData::ReservationReleased(e) => reserved -= e.amount,
            EventData::ReservationSettled(e) => {
                balance -= e.amount;
                reserved -= e.amount;
            }
            _ => {}
        }
    }
    (balance, reserved)
}

/// Amount, reference, transfer and counterparty.
type Said<'a> = (Option<i64>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

/// What an event says in a statement; `None` when it is no entry.
fn said(event: &EventData) -> Option<Said<'_>> {
    Some(match event {
        EventData::AccountOpened(_) | EventData::AccountClosed(_) => (None, None, None, None),
        EventData::MoneyDeposited(e) => (Some(e.amount), Some(&e.reference), None, None),
        EventData::MoneyWithdrawn(e) => (Some(e.amount), Some(&e.reference), None, None),
        EventData::FundsReserved(e) => (Some(e.amount), None, Some(&e.transfer_id), Some(&e.to)),
        EventData::ReservationSettled(e) => (Some(e.amount), None, Some(&e.transfer_id), Some(&e.to)),
        EventData::ReservationReleased(e) => (Some(e.amount), None, Some(&e.transfer_id), Some(&e.to)),
        EventData::TransferCredited(e) => (Some(e.amount), None, Some(&e.transfer_id), Some(&e.from)),
        _ => return None,
    })
}

/// Compares both tables, row by row, with what comes out by hand.
fn check(store: &MemoryStore, events: &[(i32, Event<EventData>)]) {
    let mut of_account: BTreeMap<&str, Vec<&Event<EventData>>> = BTreeMap::new();
    for (_, event) in events {
        if let Some(account_id) = event.aggregate_id.strip_prefix("Account/") {
            of_account.entry(account_id).or_default().push(event);
        }
    }
    let (mut balances, mut statements) = (Vec::new(), Vec::new());
    for (account_id, events) in of_account {
        let opening = events.iter().find_map(|event| match &event.data {
            EventData::AccountOpened(e) => Some(e),
            _ => None,
        });
        let Some(opening) = opening else { continue };
        let (balance, reserved) = pencil(&events);
        let is_closed = events.iter().any(|event| matches!(event.data, EventData::AccountClosed(_)));
        balances.push(AccountBalancesRow {
            account_id: account_id.into(),
            owner_id: opening.owner_id.as_str().into(),
            currency: opening.currency.as_str().into(),
            balance,
            available: balance - reserved,
            status: if is_closed { "CLOSED" } else { "OPEN" }.into(),
            version: events.len() as i64,
        });
        for index in (0..events.len()).rev() {
            let event = events[index];
            let Some((amount, reference, transfer_id, counterparty)) = said(&event.data) else { continue };
            let (balance, reserved) = pencil(&events[..=index]);
            statements.push(AccountStatementsRow {
                account_id: account_id.into(),
                bucket: 0,
                version: index as i64 + 1,
                entry: event.data.name().into(),
                amount,
                currency: opening.currency.as_str().into(),
                balance,
                available: balance - reserved,
                reference: reference.map(Into::into),
                transfer_id: transfer_id.map(Into::into),
                counterparty: counterparty.map(Into::into),
                recorded_at: event.recorded_at,
            });
        }
    }
    assert_eq!(rows(store, AccountBalancesRow::TABLE, AccountBalancesRow::from_values), balances);
    assert_eq!(rows(store, AccountStatementsRow::TABLE, AccountStatementsRow::from_values), statements);
}

proptest! {
    #[test]
    fn balances_and_statements_are_what_a_pencil_says(
        acts in acts(100),
        partitions in 1i32..5,
        seed in any::<u64>(),
    ) {
        let mut bank = Bank::new(partitions);
        acts.iter().for_each(|act| bank.act(act));
        // whatever is under way stays under way
        check(&filled::<Accounting>(bank.world.events(), &NoSettings {}, partitions, &mut Dice::new(seed)), bank.world.events());
        bank.world.settle();
        check(&filled::<Accounting>(bank.world.events(), &NoSettings {}, partitions, &mut Dice::new(seed)), bank.world.events());
    }
}

/// (version, entry, amount, balance, available, counterparty) of an account, newest first.
type Line = (i64, String, Option<i64>, i64, i64, Option<String>);

fn statement(world: &World<Accounting>, account_id: &str) -> Vec<Line> {
    let store = filled::<Accounting>(world.events(), &NoSettings {}, 4, &mut Dice::new(7));
    let all = rows(&store, AccountStatementsRow::TABLE, AccountStatementsRow::from_values);
    let mine = all.into_iter().filter(|row| &*row.account_id == account_id);
    mine.map(|row| {
        let counterparty = row.counterparty.map(|text| text.to_string());
        (row.version, row.entry.to_string(), row.amount, row.balance, row.available, counterparty)
    })
    .collect()
}

/// A statement as its owner reads it.
#[test]
fn a_statement_tells_the_whole_story_of_an_account() {
    let mut world = World::<Accounting>::new(4);
    // refused before there is an account: a version, but no entry and no row
    world.command(transfer("t0", "ann", "bob", 1, "EUR"));
    for command in [
        open("ann", "user-ann", "EUR"),
        open("bob", "user-bob", "EUR"),
        deposit("ann", 100, "EUR"),
        transfer("t1", "ann", "bob", 70, "EUR"),
        transfer("t2", "ann", "zoe", 10, "EUR"),
        transfer("t3", "ann", "bob", 31, "EUR"),
        withdraw("ann", 30, "EUR"),
        close("ann"),
    ] {
        world.command(command);
    }
    let line = |version, entry: &str, amount, balance, available, other: Option<&str>| -> Line {
        (version, entry.to_owned(), amount, balance, available, other.map(str::to_owned))
    };
    let expected = [
        line(10, "AccountClosed", None, 0, 0, None),
        line(9, "MoneyWithdrawn", Some(30), 0, 0, None),
        // version 8 is the refused t3
        line(7, "ReservationReleased", Some(10), 30, 30, Some("zoe")),
        line(6, "FundsReserved", Some(10), 30, 20, Some("zoe")),
        line(5, "ReservationSettled", Some(70), 30, 30, Some("bob")),
        line(4, "FundsReserved", Some(70), 100, 30, Some("bob")),
        line(3, "MoneyDeposited", Some(100), 100, 100, None),
        line(2, "AccountOpened", None, 0, 0, None),
    ];
    assert_eq!(statement(&world, "ann"), expected);
    let expected = [
        line(2, "TransferCredited", Some(70), 70, 70, Some("ann")),
        line(1, "AccountOpened", None, 0, 0, None),
    ];
    assert_eq!(statement(&world, "bob"), expected);
    assert_eq!(statement(&world, "zoe"), []);
}

/// However long the story is, no partition has more than 500 entries, and the directory names each.
#[test]
fn a_long_statement_lies_in_buckets_that_the_directory_names() {
    let mut world = World::<Accounting>::new(1);
    world.command(open("ann", "user-ann", "EUR"));
    for n in 0..1_300 {
        // refused steps are versions without an entry, also where a bucket begins
        world.command(if n % 7 == 0 {
            transfer(&format!("t{n}"), "ann", "zoe", 1_000, "EUR")
        } else {
            deposit("ann", 1, "EUR")
        });
    }
    let store = filled::<Accounting>(world.events(), &NoSettings {}, 1, &mut Dice::new(7));
    let mut entries: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for row in rows(&store, AccountStatementsRow::TABLE, AccountStatementsRow::from_values) {
        assert_eq!(row.bucket, row.version / 500 * 500, "{row:?}");
        entries.entry(row.bucket).or_default().push(row.version);
    }
    let named = rows(&store, AccountStatementsBucketsRow::TABLE, AccountStatementsBucketsRow::from_values);
    let named: Vec<i64> = named.into_iter().map(|row| row.bucket).collect();
    assert_eq!(named, entries.keys().rev().copied().collect::<Vec<_>>());
    assert!(entries.len() >= 3 && entries.values().all(|versions| versions.len() <= 500), "{named:?}");
    let statement: Vec<i64> = entries.into_values().rev().flatten().collect();
    assert!(statement.is_sorted_by(|a, b| a > b), "newest first, bucket after bucket");
}
