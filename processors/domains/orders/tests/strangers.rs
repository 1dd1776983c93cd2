//! What a view withholds, a refusal withholds: what is answered to who has not placed an order does not depend on what it is.

use crate::common;

use common::*;
use millrace_domain_orders::{CommandData, EventData, Orders};
use millrace_kernel::codes::{INVALID_STATE, NOT_PERMITTED};
use millrace_testkit::given::{EPOCH, given, to_a_stranger};
use proptest::prelude::*;

/// What has become of an order of Ann's.
fn happened() -> impl Strategy<Value = Vec<EventData>> {
    let end = prop_oneof![
        Just(None),
        (0i64..EPOCH).prop_map(|at| Some(shipped("o", "DHL", "T1", at))),
        prop_oneof![Just(None), Just(Some("why"))].prop_map(|reason| Some(cancelled("o", reason))),
    ];
    (1i64..=i64::MAX, end)
        .prop_map(|(total, end)| [created("o", "ann", total)].into_iter().chain(end).collect())
}

fn anns() -> impl Strategy<Value = CommandData> {
    let reason = prop::sample::select(&[None, Some("why"), Some(""), Some("\0")][..]);
    prop_oneof![
        reason.prop_map(|reason| cancel("o", reason)),
        (-1i64..3).prop_map(|total| create("o", "ann", total)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn who_is_not_permitted_learns_nothing(one in happened(), other in happened(), command in anns()) {
        let refused = to_a_stranger::<Orders>("bob", command, [&one, &other]).unwrap_err();
        prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
    }

    /// Who may ship must learn that it cannot be done, and nothing more.
    #[test]
    fn nobody_learns_how_an_order_of_another_has_ended(
        one in happened(),
        other in happened(),
        carrier in prop::sample::select(&["DHL", ""][..]),
    ) {
        let is_open = |events: &[EventData]| events.len() == 1;
        prop_assume!(is_open(&one) == is_open(&other));
        let answer = to_a_stranger::<Orders>("shop", ship("o", carrier, "T2"), [&one, &other]);
        prop_assert_eq!(answer.is_ok(), is_open(&one) && !carrier.is_empty());
    }
}

#[test]
fn whoever_has_placed_it_learns_how_it_has_ended() {
    let history = [created("o", "ann", 1), cancelled("o", None)];
    for (actor, how) in [("ann", "order o is cancelled,"), ("shop", "order o is shipped or cancelled,")] {
        given::<Orders>(history.clone())
            .acting(actor)
            .when(ship("o", "DHL", "T"))
            .then_rejected(&[(INVALID_STATE, "order_id")]);
        let refused =
            to_a_stranger::<Orders>(actor, ship("o", "DHL", "T"), [&history, &history]).unwrap_err();
        assert!(refused.violations()[0].message.starts_with(how), "{:?}", refused.violations());
    }
}
