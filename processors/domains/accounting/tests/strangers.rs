//! What a view withholds, a refusal withholds: what is answered to who does not own an account does not depend on what is in it.

use crate::common;

use common::*;
use millrace_domain_accounting::codes::OVERFLOW;
use millrace_domain_accounting::{Accounting, CommandData, EventData, MOST_FOR_ANOTHER};
use millrace_kernel::Violation;
use millrace_kernel::codes::{INVALID_ARGUMENT, NOT_PERMITTED};
use millrace_testkit::given::{EPOCH, States, given, to_a_stranger};
use proptest::prelude::*;

/// The greatest balance of which nothing is told.
const MOST: i64 = i64::MAX - MOST_FOR_ANOTHER;

/// What happens in an account of Ann's, of which nobody else is told.
fn happened(currency: &'static str) -> impl Strategy<Value = Vec<EventData>> {
    let amount = prop_oneof![6 => 1i64..1_000, 2 => 1..MOST_FOR_ANOTHER, 1 => Just(MOST)];
    let reserved = prop_oneof![Just(0i64), 1i64..1_000];
    (proptest::collection::vec(amount, 0..4), reserved).prop_map(move |(amounts, reserved)| {
        let (mut events, mut balance) = (vec![opened("a", "ann", currency)], 0);
        for amount in amounts {
            let amount = amount.min(MOST - balance);
            if amount > 0 {
                balance += amount;
                events.push(deposited("a", amount, currency));
            }
        }
        if (1..=balance).contains(&reserved) {
            events.push(moving("under-way", "a", "b", reserved).in_currency(currency).reserved());
        }
        events
    })
}

/// The same, of an account in any currency, perhaps closed.
fn anything() -> impl Strategy<Value = Vec<EventData>> {
    (prop_oneof![happened("EUR"), happened("USD"), happened("JPY")], any::<bool>()).prop_map(
        |(mut events, is_closed)| {
            if is_closed {
                events.push(closed("a"));
            }
            events
        },
    )
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => 1i64..2_000,
        2 => any::<i64>(),
        2 => (i64::MAX - 2_000)..=i64::MAX,
        1 => (MOST_FOR_ANOTHER - 2)..(MOST_FOR_ANOTHER + 3),
        1 => -1i64..2,
    ]
}

fn currency() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["EUR", "USD", "eur", ""][..])
}

/// What only Ann may do.
fn anns() -> impl Strategy<Value = CommandData> {
    prop_oneof![
        3 => (amount(), currency()).prop_map(|(amount, currency)| withdraw("a", amount, currency)),
        1 => Just(withdraw_for("a", 1, "two\nlines")),
        1 => Just(close("a")),
        1 => currency().prop_map(|currency| open("a", "ann", currency)),
    ]
}

/// What a step of a transfer out of Ann's account, for Bob, is refused for.
fn reserving(events: &[EventData], amount: i64) -> Vec<Violation> {
    let mut states = States::<Accounting>::default();
    events.iter().for_each(|event| {
        states.fold(event, EPOCH);
    });
    let step = moving("t", "a", "b", amount).reserve(Some("bob"));
    match &states.decide_step(&step, millrace_kernel::Stamp { now: EPOCH })[..] {
        [EventData::ReservationRefused(refused)] => refused.violations.clone(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn who_is_not_permitted_learns_nothing(one in anything(), other in anything(), command in anns()) {
        let refused = to_a_stranger::<Accounting>("bob", command, [&one, &other]).unwrap_err();
        prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
    }

    #[test]
    fn nor_by_a_transfer(one in anything(), other in anything(), amount in 1i64..=i64::MAX) {
        let refused = reserving(&one, amount);
        prop_assert_eq!(&refused, &reserving(&other, amount));
        prop_assert_eq!(pairs(&refused), [(NOT_PERMITTED, "metadata.user_id")]);
    }

    #[test]
    fn nor_by_paying_in(
        one in happened("EUR"),
        other in happened("EUR"),
        amount in amount(),
        currency in currency(),
    ) {
        let _ = to_a_stranger::<Accounting>("bob", deposit("a", amount, currency), [&one, &other]);
    }

    #[test]
    fn nor_by_sending(one in happened("EUR"), other in happened("EUR"), amount in 1i64..=MOST_FOR_ANOTHER) {
        // how much goes at once is asked where the transfer begins
        for events in [one, other] {
            let t = moving("t", "b", "a", amount);
            given::<Accounting>(events).when_step(t.credit()).then_events([t.credited()]);
        }
    }
}

/// The walk that told a balance to the last cent, at no cost.
#[test]
fn no_amount_is_refused_for_what_is_in_another_account() {
    let history = [opened("a", "ann", "EUR"), deposited("a", 101_501, "EUR")];
    let acting = |actor: &str| given::<Accounting>(history.clone()).acting(actor);
    let too_much = (OVERFLOW, "amount");
    for amount in [i64::MAX, i64::MAX - 101_500, i64::MAX - 101_501, i64::MAX - 200_000, MOST_FOR_ANOTHER + 1]
    {
        acting("bob").when(deposit("a", amount, "EUR")).then_rejected(&[too_much]);
        let both = [too_much, (INVALID_ARGUMENT, "currency")];
        acting("bob").when(deposit("a", amount, "USD")).then_rejected(&both);
        // a transfer is refused before it has begun, whatever is at either end
        acting("bob").when(transfer("t", "b", "a", amount, "EUR")).then_rejected(&[too_much]);
    }
    let most = deposited("a", MOST_FOR_ANOTHER, "EUR");
    acting("bob").when(deposit("a", MOST_FOR_ANOTHER, "EUR")).then_events([most]);
    // the owner knows what is in it
    let rest = i64::MAX - 101_501;
    acting("ann").when(deposit("a", rest, "EUR")).then_events([deposited("a", rest, "EUR")]);
    acting("ann").when(deposit("a", rest + 1, "EUR")).then_rejected(&[too_much]);
}
