//! What a view withholds, a refusal withholds: chirps and follows may be read by anybody, but not those that are deleted, nor who
//! has registered, and a refusal of what somebody may not do tells nothing at all.

use crate::common;

use common::*;
use millrace_domain_chirp::{Chirp, CommandData, EventData};
use millrace_kernel::codes::NOT_PERMITTED;
use millrace_testkit::given::to_a_stranger;
use proptest::prelude::*;

fn happened() -> impl Strategy<Value = Vec<EventData>> {
    let all = vec![
        registered("ann"),
        registered("bob"),
        started("eve", "eve_opens"),
        posted("ann", "c1", "hello"),
        edited("ann", "c1", "hello again"),
        deleted("ann", "c1"),
        posted("ann", "c2", "more"),
        followed("ann", "bob"),
        unfollowed("ann", "bob"),
        followed("bob", "ann"),
    ];
    let most = all.len();
    proptest::sample::subsequence(all, 0..=most)
}

fn anns() -> impl Strategy<Value = CommandData> {
    let chirp = || prop::sample::select(&["c1", "c2", "c3", "c 4"][..]);
    let text = || prop::sample::select(&["hi", "", "\0"][..]);
    let other = || prop::sample::select(&["bob", "eve", "zoe", "ann", ""][..]);
    prop_oneof![
        prop::sample::select(&["Ann", "?"][..]).prop_map(|name| register("ann", name)),
        (chirp(), text()).prop_map(|(chirp, text)| post("ann", chirp, text)),
        (chirp(), text()).prop_map(|(chirp, text)| edit("ann", chirp, text)),
        chirp().prop_map(|chirp| delete("ann", chirp)),
        other().prop_map(|other| follow("ann", other)),
        other().prop_map(|other| unfollow("ann", other)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn who_is_not_permitted_learns_nothing(one in happened(), other in happened(), command in anns()) {
        let refused = to_a_stranger::<Chirp>("mallory", command, [&one, &other]).unwrap_err();
        prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
    }
}
