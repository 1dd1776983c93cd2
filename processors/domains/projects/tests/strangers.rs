//! What a view withholds, a refusal withholds: what is answered to somebody who is not in a team does not depend on who is in
//! it, what its projects are like or what is on their boards.

use crate::common;

use common::*;
use millrace_domain_projects::messages::commands::UpdateProject;
use millrace_domain_projects::{CommandData, EventData, Projects};
use millrace_kernel::codes::NOT_PERMITTED;
use millrace_testkit::given::to_a_stranger;
use proptest::prelude::*;

/// What has become of a team and of a project of it, and of one that is Ann's alone. Ids are no secret, so they are there.
fn happened() -> impl Strategy<Value = Vec<EventData>> {
    let always: Vec<EventData> = [team("t", "ann"), begun("p", "ann", "t"), begun("s", "ann", "")].concat();
    let more: Vec<Vec<EventData>> = vec![
        joined("bob", "t", "admin"),
        given_through("p", "ida", "t", "member"),
        vec![requested("max", "t", "owner", Some("p"), None), listed("max", "t")],
        vec![task_created("p", "a", 1, "todo", "m"), counted("p", 1, 1)],
        vec![task_created("s", "a", 1, "todo", "m"), counted("s", 10_000, 1)],
        vec![task_created("p", "b", 2, "todo", "m"), counted("p", 10_000, 2), task_deleted("p", "b")],
        vec![project_updated(UpdateProject { column_order: Some(vec!["x".into()]), ..nothing_for("p") })],
        vec![project_deleted("s", None)],
        vec![project_deleted("p", None), team_cleared("p", "t")],
    ];
    let most = more.len();
    proptest::sample::subsequence(more, 0..=most)
        .prop_map(move |more| [always.clone(), more.concat()].concat())
}

fn theirs() -> impl Strategy<Value = CommandData> {
    let user = || prop::sample::select(&["ann", "bob", "ida", "max", "nobody", ""][..]);
    let role = || prop::sample::select(&["owner", "admin", "member", "viewer", "king"][..]);
    let board = || prop::sample::select(&["p", "s"][..]);
    let card = || prop::sample::select(&["a", "b", "c", ""][..]);
    let column = || prop::sample::select(&["todo", "x", "\n"][..]);
    prop_oneof![
        (user(), role()).prop_map(|(user, role)| join(user, "t", role)),
        (user(), role()).prop_map(|(user, role)| give("p", user, "t", role)),
        (user(), role()).prop_map(|(user, role)| promote(user, "t", role)),
        user().prop_map(|user| leave(user, "t")),
        board().prop_map(drop_project),
        (board(), prop::sample::select(&["", "t", "u"][..])).prop_map(|(board, team)| to_team(board, team)),
        (board(), card(), column()).prop_map(|(board, card, column)| task(board, card, column, "m")),
        (board(), card(), column()).prop_map(|(board, card, column)| shift(board, card, column, "m")),
        (board(), card()).prop_map(|(board, card)| rename(board, card, "x")),
        (board(), card()).prop_map(|(board, card)| drop_task(board, card)),
        user().prop_map(|user| project("p", user, "t").into()),
        Just(project("s", "ann", "").into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]
    #[test]
    fn who_is_not_permitted_learns_nothing(one in happened(), other in happened(), command in theirs()) {
        let refused = to_a_stranger::<Projects>("mallory", command, [&one, &other]).unwrap_err();
        prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
    }
}
