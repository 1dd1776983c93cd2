//! Every step of a transfer and every way it is refused, one row each; and steps repeated.

use crate::common;

use std::sync::Arc;

use common::*;
use millrace_domain_accounting::account::{self, MAX_RESERVATIONS};
use millrace_domain_accounting::codes::{INSUFFICIENT_FUNDS, OVERFLOW};
use millrace_domain_accounting::{Accounting, EventData, State, StepData};
use millrace_kernel::codes::{INVALID_ARGUMENT, INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{Addressed, AggregateId, Domain, FollowUp, Published, Stamp, StateData, StateReader};
use millrace_testkit::given::{EPOCH, States, given};

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");

fn bank() -> Vec<EventData> {
    vec![
        opened("ann", "user-ann", "EUR"),
        deposited("ann", 100, "EUR"),
        moving("under-way", "ann", "bob", 30).reserved(),
        opened("bob", "user-bob", "EUR"),
        opened("full", "user-bob", "EUR"),
        deposited("full", i64::MAX, "EUR"),
        opened("gone", "user-ann", "EUR"),
        closed("gone"),
    ]
}

/// Decides a step and returns the violations in the event that refuses it; the event changes
/// nothing but a version, and sets the way back in motion.
fn refusal(step: &StepData) -> Vec<(String, String)> {
    let mut states = States::<Accounting>::default();
    for (index, event) in bank().iter().enumerate() {
        states.fold(event, EPOCH + index as i64);
    }
    let events = states.decide_step(step, millrace_kernel::Stamp { now: EPOCH });
    let [event] = events.as_slice() else { panic!("{step:?} emits one event, not {events:?}") };
    let violations = match event {
        EventData::ReservationRefused(e) => &e.violations,
        EventData::CreditRefused(e) => &e.violations,
        other => panic!("{step:?} was not refused: {other:?}"),
    };
    assert!(violations.iter().all(|v| v.message.len() > 10), "{violations:?}");
    let id = event.aggregate_id();
    assert_eq!(id, step.aggregate_id(), "it belongs to the account where it happens");
    let before = states.get(&id).and_then(|found| found.state.clone());
    states.fold(event, EPOCH + 1_000);
    assert_eq!(states.get(&id).and_then(|found| found.state.clone()), before, "nothing has changed");
    assert!(matches!(Accounting::follow_up(event), FollowUp::Steps(steps) if steps.len() == 1));
    pairs(violations).into_iter().map(|(code, field)| (code.to_owned(), field.to_owned())).collect()
}

type Row<'a> = (&'a str, StepData, Vec<(&'a str, &'a str)>);

fn all_refused(rows: Vec<Row<'_>>) {
    for (what, step, expected) in rows {
        let found = refusal(&step);
        let found: Vec<(&str, &str)> = found.iter().map(|(c, f)| (c.as_str(), f.as_str())).collect();
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn steps_taken() {
    let rest = moving("t1", "ann", "bob", 70);
    let under_way = moving("under-way", "ann", "bob", 30);
    let last = moving("t1", "ann", "bob", i64::MAX);
    let rows: Vec<(StepData, EventData)> = vec![
        (rest.reserve(None), rest.reserved()),
        (rest.reserve(Some("user-ann")), rest.reserved()),
        (rest.credit(), rest.credited()),
        (last.credit(), last.credited()),
        (under_way.settle(), under_way.settled()),
        (under_way.release(reason()), under_way.released(reason())),
    ];
    for (step, event) in rows {
        given::<Accounting>(bank()).when_step(step).then_events([event]);
    }
    let t = moving("t1", "ann", "bob", 1);
    given::<Accounting>([t.requested(None)]).when_step(t.complete()).then_events([t.completed()]);
    let failed = t.failed(reason());
    given::<Accounting>([t.requested(None)]).when_step(t.fail(reason())).then_events([failed]);
}

#[test]
fn reserve_funds_is_refused() {
    let short = (INSUFFICIENT_FUNDS, "amount");
    let from = |from: &str, amount| moving("t1", from, "bob", amount);
    all_refused(vec![
        ("unknown", from("zoe", 1).reserve(None), vec![(NOT_FOUND, "from")]),
        ("unknown, whoever asks", from("zoe", 1).reserve(Some("user-bob")), vec![(NOT_FOUND, "from")]),
        ("another's", from("ann", 1).reserve(Some("user-bob")), vec![ACTOR]),
        ("more than available", from("ann", 71).reserve(None), vec![short]),
        ("much more", from("ann", i64::MAX).reserve(None), vec![short]),
        ("closed", from("gone", 1).reserve(None), vec![(INVALID_STATE, "from"), short]),
        (
            "another currency",
            from("ann", 1).in_currency("USD").reserve(None),
            vec![(INVALID_ARGUMENT, "currency")],
        ),
        (
            "all at once",
            from("gone", 71).in_currency("USD").reserve(Some("user-ann")),
            vec![(INVALID_STATE, "from"), short, (INVALID_ARGUMENT, "currency")],
        ),
        (
            "another's, of which nothing is told",
            from("gone", 71).in_currency("USD").reserve(Some("user-bob")),
            vec![ACTOR],
        ),
    ]);
}

#[test]
fn credit_transfer_is_refused() {
    let to = |to: &str, amount| moving("t1", "ann", to, amount);
    all_refused(vec![
        ("unknown", to("zoe", 1).credit(), vec![(NOT_FOUND, "to")]),
        ("closed", to("gone", 1).credit(), vec![(INVALID_STATE, "to")]),
        ("one too many", to("full", 1).credit(), vec![(OVERFLOW, "amount")]),
        ("many too many", to("full", i64::MAX).credit(), vec![(OVERFLOW, "amount")]),
        ("another currency", to("bob", 1).in_currency("USD").credit(), vec![(INVALID_ARGUMENT, "currency")]),
        (
            "another currency, in which nobody asks whether it would fit",
            to("full", 1).in_currency("USD").credit(),
            vec![(INVALID_ARGUMENT, "currency")],
        ),
    ]);
}

#[test]
fn a_step_that_was_applied_before_does_nothing() {
    let t = moving("t1", "ann", "bob", 50);
    let money = [opened("ann", "u", "EUR"), deposited("ann", 100, "EUR")];
    let begun = given::<Accounting>(money).when_step(t.reserve(None)).then_events([t.reserved()]);
    let begun = begun.when_step(t.reserve(None)).then_events([]);
    let settled = begun.when_step(t.settle()).then_events([t.settled()]);
    for again in [t.settle(), t.release(reason())] {
        given::<Accounting>([opened("ann", "u", "EUR")]).when_step(again).then_events([]);
    }
    settled.when_step(t.settle()).then_events([]).when_step(t.release(reason())).then_events([]);

    let done = given::<Accounting>([t.requested(None), t.completed()]);
    done.when_step(t.complete()).then_events([]).when_step(t.fail(reason())).then_events([]);
    let failed = given::<Accounting>([t.requested(None), t.failed(reason())]);
    failed.when_step(t.fail(reason())).then_events([]).when_step(t.complete()).then_events([]);
}

/// The reservation keeps the account open, so no step can find a closed `from`.
#[test]
fn from_cannot_close_while_its_money_is_on_the_way() {
    let t = moving("t1", "ann", "bob", 100);
    let begun = given::<Accounting>([opened("ann", "u", "EUR"), deposited("ann", 100, "EUR"), t.reserved()]);
    let begun = begun.when(withdraw("ann", 1, "EUR")).then_rejected(&[(INSUFFICIENT_FUNDS, "amount")]);
    let begun = begun.when(close("ann")).then_rejected(&[(INVALID_STATE, "account_id")]);
    let back = begun.when_step(t.release(reason())).then_events([t.released(reason())]);
    back.when(withdraw("ann", 100, "EUR")).then_events([withdrawn("ann", 100, "EUR")]);
}

/// All that a decision sees: one account.
struct OneAccount(AggregateId, Arc<State>);

impl StateReader for OneAccount {
    type State = State;

    fn get(&self, id: &AggregateId) -> Option<Arc<State>> {
        (*id == self.0).then(|| Arc::clone(&self.1))
    }

    fn exists(&self, _: &AggregateId) -> bool {
        false
    }

    fn exists_elsewhere(&self, _: Published, _: &[&str]) -> bool {
        false
    }
}

/// A state with the most reservations there may be can be written, with room to spare.
#[test]
fn an_account_has_so_many_reservations_and_no_more() {
    let account = "a".repeat(64);
    let moved = |n: usize| moving(&format!("{n:064}"), &account, "bob", 1 << 48);
    let opened = [opened(&account, "user-ann", "EUR"), deposited(&account, i64::MAX, "EUR")];
    let events = opened.into_iter().chain((0..MAX_RESERVATIONS).map(|n| moved(n).reserved()));
    let folded = events.fold(None, |state, event| Accounting::evolve(state, &event, EPOCH)).unwrap();
    let id = account::id(&account);
    let mut written = Vec::new();
    StateData::write_record(&id, i64::MAX, EPOCH, 0, Some(&folded), &mut written);
    assert!(written.len() < 900_000, "{} bytes", written.len());

    let decide = |state: &State, step: StepData| {
        let view = OneAccount(id.clone(), Arc::new(state.clone()));
        Accounting::decide_step(&view, &step, Stamp { now: EPOCH })
    };
    let more = moving("one-more", &account, "bob", 1);
    let [EventData::ReservationRefused(refused)] = &decide(&folded, more.reserve(None))[..] else {
        panic!("it was not refused");
    };
    assert_eq!(pairs(&refused.violations), [(LIMIT_REACHED, "from")]);
    // repeating one that is there asks for nothing, and one that ends makes room for another
    assert_eq!(decide(&folded, moved(0).reserve(None)), []);
    let settled = Accounting::evolve(Some(folded), &moved(0).settled(), EPOCH).unwrap();
    assert_eq!(decide(&settled, more.reserve(None)), [more.reserved()]);
}
