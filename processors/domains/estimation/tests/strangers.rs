//! What a view withholds, a refusal withholds: what is answered to somebody who is not in a team does not depend on what there is
//! to estimate in it, who has, or what.

use crate::common;

use common::*;
use millrace_domain_estimation::{CommandData, Estimations, EventData};
use millrace_kernel::codes::NOT_PERMITTED;
use millrace_testkit::given::to_a_stranger;
use proptest::prelude::*;

/// What has become of two estimations.
fn happened() -> impl Strategy<Value = Vec<EventData>> {
    let more: Vec<Vec<EventData>> = vec![
        begun_on("a", "p", "t", "t-shirt"),
        vec![submitted("a", "p", "ann", 1, 2)],
        vec![submitted("a", "p", "bob", 1, 6)],
        vec![closed("a", "p", 1, (6, 4), &[("ann", 2), ("bob", 6)]), settled("a", "p")],
        vec![reopening("a", "p")],
        vec![reopened("a", "p", 2)],
        vec![ended("a", "p")],
        begun("b", "q", "u"),
        vec![submitted("b", "q", "mallory", 1, 8)],
        vec![project_ended("q", &["b"])],
    ];
    let most = more.len();
    proptest::sample::subsequence(more, 0..=most).prop_map(|more| more.concat())
}

fn theirs() -> impl Strategy<Value = CommandData> {
    let id = || prop::sample::select(&["a", "b", "c", ""][..]);
    let project = || prop::sample::select(&["p", "q", "n", ""][..]);
    let team = || prop::sample::select(&["t", "u", "/"][..]);
    let member = || prop::sample::select(&["ann", "mallory", "nobody", ""][..]);
    let points = || prop::sample::select(&[-1, 0, 2, 3, 6, 8][..]);
    let scale = || prop::sample::select(&["fibonacci", "1,2", "2,1"][..]);
    prop_oneof![
        (id(), project(), team(), scale())
            .prop_map(|(id, project, team, scale)| open_on(id, project, team, scale)),
        (id(), project(), team(), member(), points()).prop_map(|(id, project, team, member, points)| submit(
            (id, project, team),
            member,
            points
        )),
        (id(), project(), team()).prop_map(close),
        (id(), project(), team()).prop_map(reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]
    #[test]
    fn who_is_not_permitted_learns_nothing(one in happened(), other in happened(), command in theirs()) {
        let refused = to_a_stranger::<Estimations>("mallory", command, [&one, &other]).unwrap_err();
        prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
    }
}
