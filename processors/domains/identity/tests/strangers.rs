//! What a view withholds, a refusal withholds: what is answered to somebody else does not depend on what is known of a user.

use crate::common;

use common::*;
use millrace_domain_identity::messages::commands::UpdateUser;
use millrace_domain_identity::{CommandData, EventData, Identity};
use millrace_kernel::codes::NOT_PERMITTED;
use millrace_testkit::given::to_a_stranger;
use proptest::prelude::*;

/// What has become of Ann.
fn happened() -> impl Strategy<Value = Vec<EventData>> {
    let change = || UpdateUser { email: Some(BOB.into()), ..nothing_for("ann") };
    let after =
        |more: Option<EventData>| there_is("ann", ANN, &["k1"]).into_iter().chain(more).collect::<Vec<_>>();
    prop_oneof![
        Just(Vec::new()),
        Just(vec![added(person("ann", BOB, false)).into()]),
        Just(vec![addition_requested(person("ann", ANN, true), "c", vec![name(ANN)])]),
        Just(after(None)),
        Just(after(Some(enabled("ann", PRINT)))),
        Just(after(Some(removed("ann", "r", vec![name(ANN)])))),
        Just(after(Some(update_requested(change(), "u", vec![name(BOB)], vec![name(BOB)], vec![name(ANN)])))),
    ]
}

fn anns() -> impl Strategy<Value = CommandData> {
    let email = prop::sample::select(&[ANN, BOB, "", "x"][..]);
    prop_oneof![
        (email.clone(), any::<bool>()).prop_map(|(email, is)| person("ann", email, is).into()),
        email.prop_map(|email| move_to("ann", email)),
        any::<bool>().prop_map(|is| verify("ann", is)),
        Just(renew("ann")),
        Just(remove("ann")),
        (63usize..66).prop_map(|sealed| enable("ann", sealed, PRINT)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn who_is_not_permitted_learns_nothing(one in happened(), other in happened(), command in anns()) {
        let refused = to_a_stranger::<Identity>("bob", command, [&one, &other]).unwrap_err();
        prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
    }
}
