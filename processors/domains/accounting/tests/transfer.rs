//! The process of a transfer, whole: accepted, and refused by each of its steps.

use crate::common;

use common::*;
use millrace_domain_accounting::codes::{INSUFFICIENT_FUNDS, OVERFLOW};
use millrace_domain_accounting::messages::state::Transfer;
use millrace_domain_accounting::{Accounting, CommandData, State, account, transfer as transfers};
use millrace_kernel::Named;
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_testkit::world::{Answer, World};

/// Ann has 100 cents, Bob none.
fn bank() -> World<Accounting> {
    let mut world = World::new(4);
    for command in
        [open("ann", "user-ann", "EUR"), deposit("ann", 100, "EUR"), open("bob", "user-bob", "EUR")]
    {
        assert_eq!(world.command(command), Answer::Accepted);
    }
    world
}

/// (balance, available) of an account.
fn funds(world: &World<Accounting>, account_id: &str) -> (i64, i64) {
    match world.state(&account::id(account_id)) {
        Some(State::Account(account)) => (account.balance, account.available()),
        other => panic!("{account_id} is no account: {other:?}"),
    }
}

/// Where a transfer stands.
fn step<'a>(world: &'a World<Accounting>, transfer_id: &str) -> &'a str {
    match world.state(&transfers::id(transfer_id)) {
        Some(State::Transfer(Transfer { step, .. })) => step,
        other => panic!("{transfer_id} is no transfer: {other:?}"),
    }
}

/// The names of the events from the `skip`-th on.
fn names(world: &World<Accounting>, skip: usize) -> Vec<&'static str> {
    world.events()[skip..].iter().map(|(_, event)| event.data.name()).collect()
}

/// Takes the next step; there is only one.
fn next(world: &mut World<Accounting>, name: &str) {
    assert_eq!(world.pending().len(), 1);
    assert_eq!(world.pending()[0].step.name(), name);
    world.run_step(0, false);
}

#[test]
fn money_moves_step_by_step() {
    let mut world = bank();
    let before = world.events().len();
    let id = world.send(Some("user-ann"), transfer("t1", "ann", "bob", 70, "EUR"));
    assert_eq!((funds(&world, "ann"), step(&world, "t1")), ((100, 100), "REQUESTED"));
    next(&mut world, "ReserveFunds");
    assert_eq!((funds(&world, "ann"), funds(&world, "bob")), ((100, 30), (0, 0)));
    next(&mut world, "CreditTransfer");
    // on both sides, until it is settled
    assert_eq!((funds(&world, "ann"), funds(&world, "bob")), ((100, 30), (70, 70)));
    next(&mut world, "SettleReservation");
    assert_eq!((funds(&world, "ann"), funds(&world, "bob")), ((30, 30), (70, 70)));
    assert_eq!((world.answer(&id), step(&world, "t1")), (None, "REQUESTED"), "not before the end");
    next(&mut world, "CompleteTransfer");
    assert_eq!((world.answer(&id), step(&world, "t1")), (Some(&Answer::Accepted), "COMPLETED"));
    let expected =
        ["TransferRequested", "FundsReserved", "TransferCredited", "ReservationSettled", "TransferCompleted"];
    assert_eq!(names(&world, before), expected);
    // what has arrived can be passed on
    assert_eq!(world.command(transfer("t2", "bob", "ann", 70, "EUR")), Answer::Accepted);
    assert_eq!((funds(&world, "ann"), funds(&world, "bob")), ((100, 100), (0, 0)));
}

type Row<'a> = (&'a str, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

#[test]
fn refused_where_the_money_is_nothing_was_ever_set_aside() {
    let rows: Vec<Row<'_>> = vec![
        ("unknown", None, transfer("t1", "zoe", "bob", 1, "EUR"), vec![(NOT_FOUND, "from")]),
        ("too much", None, transfer("t1", "ann", "bob", 101, "EUR"), vec![(INSUFFICIENT_FUNDS, "amount")]),
        ("currency", None, transfer("t1", "ann", "bob", 1, "USD"), vec![(INVALID_ARGUMENT, "currency")]),
        (
            "another's",
            Some("user-bob"),
            transfer("t1", "ann", "bob", 1, "EUR"),
            vec![(NOT_PERMITTED, "metadata.user_id")],
        ),
        (
            "closed",
            None,
            transfer("t1", "gone", "bob", 1, "EUR"),
            vec![(INVALID_STATE, "from"), (INSUFFICIENT_FUNDS, "amount")],
        ),
        (
            "several",
            Some("user-ann"),
            transfer("t1", "ann", "bob", 101, "USD"),
            vec![(INSUFFICIENT_FUNDS, "amount"), (INVALID_ARGUMENT, "currency")],
        ),
        (
            "another's, of which nothing is told",
            Some("user-bob"),
            transfer("t1", "ann", "bob", 101, "USD"),
            vec![(NOT_PERMITTED, "metadata.user_id")],
        ),
    ];
    for (what, acting, command, expected) in rows {
        let mut world = bank();
        world.command(open("gone", "user-ann", "EUR"));
        world.command(close("gone"));
        let before = world.events().len();
        let id = world.send(acting, command);
        world.settle();
        assert_eq!(reasons(world.answer(&id).unwrap()), expected, "{what}");
        assert_eq!(names(&world, before), ["TransferRequested", "ReservationRefused", "TransferFailed"]);
        assert_eq!(step(&world, "t1"), "FAILED");
        assert_eq!((funds(&world, "ann"), funds(&world, "bob")), ((100, 100), (0, 0)));
        assert_eq!(world.state(&account::id("zoe")), None, "a refused step makes no account");
    }
}

#[test]
fn refused_where_it_goes_the_money_comes_back() {
    let rows = [
        ("unknown", transfer("t1", "ann", "zoe", 60, "EUR"), (NOT_FOUND, "to")),
        ("closed before", transfer("t1", "ann", "gone", 60, "EUR"), (INVALID_STATE, "to")),
        ("currency", transfer("t1", "ann", "dollars", 60, "EUR"), (INVALID_ARGUMENT, "currency")),
        ("overflow", transfer("t1", "ann", "full", 60, "EUR"), (OVERFLOW, "amount")),
    ];
    for (what, command, reason) in rows {
        let mut world = bank();
        for other in [
            open("gone", "u", "EUR"),
            close("gone"),
            open("dollars", "u", "USD"),
            open("full", "u", "EUR"),
            deposit("full", i64::MAX - 59, "EUR"),
        ] {
            assert_eq!(world.command(other), Answer::Accepted);
        }
        let before = world.events().len();
        let id = world.send(None, command);
        next(&mut world, "ReserveFunds");
        assert_eq!(funds(&world, "ann"), (100, 40), "{what}");
        next(&mut world, "CreditTransfer");
        assert_eq!(funds(&world, "ann"), (100, 40), "{what}");
        next(&mut world, "ReleaseReservation");
        assert_eq!(funds(&world, "ann"), (100, 100), "{what}");
        next(&mut world, "FailTransfer");
        assert_eq!(reasons(world.answer(&id).unwrap()), [reason], "{what}");
        assert_eq!(step(&world, "t1"), "FAILED");
        let expected =
            ["TransferRequested", "FundsReserved", "CreditRefused", "ReservationReleased", "TransferFailed"];
        assert_eq!(names(&world, before), expected, "{what}");
        assert_eq!(world.state(&account::id("zoe")), None, "a refused step makes no account");
        // one cent less would have fitted, and all of it is there again
        assert_eq!(world.command(transfer("t2", "ann", "bob", 100, "EUR")), Answer::Accepted);
    }
}

#[test]
fn the_other_account_closes_between_reserve_and_credit() {
    let mut world = bank();
    let id = world.send(None, transfer("t1", "ann", "bob", 100, "EUR"));
    next(&mut world, "ReserveFunds");
    let closing = world.send(Some("user-bob"), close("bob"));
    assert_eq!(world.answer(&closing), Some(&Answer::Accepted), "nothing has arrived yet");
    world.settle();
    assert_eq!(reasons(world.answer(&id).unwrap()), [(INVALID_STATE, "to")]);
    assert_eq!(funds(&world, "ann"), (100, 100));
}

#[test]
fn the_other_account_opens_between_reserve_and_credit() {
    let mut world = bank();
    let id = world.send(None, transfer("t1", "ann", "zoe", 100, "EUR"));
    next(&mut world, "ReserveFunds");
    world.send(None, open("zoe", "user-zoe", "EUR"));
    world.settle();
    assert_eq!(world.answer(&id), Some(&Answer::Accepted));
    assert_eq!(funds(&world, "zoe"), (100, 100));
}

#[test]
fn the_account_the_money_comes_from_cannot_close_meanwhile() {
    let mut world = bank();
    let id = world.send(None, transfer("t1", "ann", "bob", 100, "EUR"));
    for step in ["ReserveFunds", "CreditTransfer"] {
        next(&mut world, step);
        let closing = world.send(None, close("ann"));
        assert_eq!(reasons(world.answer(&closing).unwrap()), [(INVALID_STATE, "account_id")], "{step}");
    }
    world.settle();
    assert_eq!(world.answer(&id), Some(&Answer::Accepted));
    assert_eq!(world.command(close("ann")), Answer::Accepted);
}

#[test]
fn what_is_reserved_cannot_be_spent_twice() {
    let mut world = bank();
    let ids: Vec<String> =
        (0..3).map(|n| world.send(None, transfer(&format!("t{n}"), "ann", "bob", 40, "EUR"))).collect();
    for _ in &ids {
        world.run_step(0, false); // all three ask for their reservation
    }
    let taken = world.send(None, withdraw("ann", 21, "EUR"));
    assert_eq!(reasons(world.answer(&taken).unwrap()), [(INSUFFICIENT_FUNDS, "amount")]);
    world.settle();
    let answers: Vec<Vec<(&str, &str)>> = ids.iter().map(|id| reasons(world.answer(id).unwrap())).collect();
    assert_eq!(answers, [vec![], vec![], vec![(INSUFFICIENT_FUNDS, "amount")]]);
    assert_eq!((funds(&world, "ann"), funds(&world, "bob")), ((20, 20), (80, 80)));
}

#[test]
fn a_transfer_id_is_used_once_also_while_it_is_under_way_and_after_it_failed() {
    let mut world = bank();
    let open = world.send(None, transfer("t1", "ann", "bob", 101, "EUR"));
    let taken = [(ALREADY_EXISTS, "transfer_id")];
    assert_eq!(reasons(&world.command(transfer("t1", "ann", "bob", 1, "EUR"))), taken);
    assert_eq!(reasons(world.answer(&open).unwrap()), [(INSUFFICIENT_FUNDS, "amount")]);
    assert_eq!(reasons(&world.command(transfer("t1", "ann", "bob", 1, "EUR"))), taken);
    assert_eq!(world.command(transfer("t2", "ann", "bob", 1, "EUR")), Answer::Accepted);
}

#[test]
fn refused_at_once_nothing_has_happened() {
    let mut world = bank();
    let before = world.events().len();
    let answer = world.command(transfer("t1", "ann", "ann", 0, "EUR"));
    assert_eq!(reasons(&answer), [(INVALID_ARGUMENT, "to"), (INVALID_ARGUMENT, "amount")]);
    assert_eq!(world.events().len(), before);
    assert_eq!(world.state(&transfers::id("t1")), None, "the id is free");
}
