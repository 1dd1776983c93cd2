//! Closing and reopening.

use super::*;

fn of(estimation_id: &str) -> Of<'_> {
    (estimation_id, "p", "t")
}

#[test]
fn owners_and_admins_close_and_reopen() {
    let both = [("ann", 2), ("bob", 8)];
    for actor in [Some("ann"), Some("eve"), None] {
        scene(actor).when(close(of("open"))).then_events([closed("open", "p", 1, (8, 6), &both)]);
        scene(actor).when(reopen(of("closed"))).then_events([reopening("closed", "p")]);
    }
    // what was said last, by whom, whoever has left since
    let mut all = begun("e", "p", "t");
    all.extend(
        [("zed", 8), ("ann", 1), ("gone", 2), ("zed", 2)]
            .map(|(who, points)| submitted("e", "p", who, 1, points)),
    );
    beside(given::<Estimations>(all)).acting("eve").when(close(of("e"))).then_events([closed(
        "e",
        "p",
        1,
        (2, 1),
        &[("ann", 1), ("gone", 2), ("zed", 2)],
    )]);
    // it can be closed as long as it is open, whatever has become of its project, by whoever manages the team
    let mut all = begun("late", "d", "t");
    all.extend([submitted("late", "d", "ann", 1, 4), submitted("late", "d", "bob", 1, 4)]);
    beside(given::<Estimations>(all)).acting("ann").when(close(("late", "d", "t"))).then_events([closed(
        "late",
        "d",
        1,
        (4, 0),
        &[("ann", 4), ("bob", 4)],
    )]);
}

#[test]
fn a_whole_story_of_two_rounds() {
    beside(given::<Estimations>(begun("e", "p", "t")))
        .when(submit(of("e"), "ann", 2))
        .then_events([submitted("e", "p", "ann", 1, 2)])
        .when(submit(of("e"), "bob", 8))
        .then_events([submitted("e", "p", "bob", 1, 8)])
        .when(submit(of("e"), "ann", 4))
        .then_events([submitted("e", "p", "ann", 1, 4)])
        .when(close(of("e")))
        .then_events([closed("e", "p", 1, (8, 4), &[("ann", 4), ("bob", 8)])])
        .when_step(delist("p", "e"))
        .then_events([delisted("p", "e")])
        .when_step(settle("e"))
        .then_events([settled("e", "p")])
        .when(reopen(of("e")))
        .then_events([reopening("e", "p")])
        .when_step(enlist("p", "e", false))
        .then_events([enlisted("p", "e", false)])
        .when_step(conclude("e", vec![]))
        .then_events([reopened("e", "p", 2)])
        // what was said in the first round counts no more
        .when(close(of("e")))
        .then_rejected(&[(INVALID_STATE, "estimates")])
        .when(submit(of("e"), "bob", 8))
        .then_events([submitted("e", "p", "bob", 2, 8)])
        .when(submit(of("e"), "ida", 8))
        .then_events([submitted("e", "p", "ida", 2, 8)])
        .when(close(of("e")))
        .then_events([closed("e", "p", 2, (8, 0), &[("bob", 8), ("ida", 8)])]);
}

#[test]
fn close_estimation_is_rejected() {
    let few = (INVALID_STATE, "estimates");
    let mut rows: Vec<Row<'_>> = vec![
        ("all at once", None, close(("", "", "/")), vec![NO_ID, NO_PROJECT, NO_TEAM]),
        (
            "all at once, by a stranger",
            Some("zoe"),
            close(("", "", "/")),
            vec![ACTOR, NO_ID, NO_PROJECT, NO_TEAM],
        ),
        ("by a member", Some("bob"), close(of("open")), vec![ACTOR]),
        ("by somebody who looks on", Some("zoe"), close(of("open")), vec![ACTOR]),
        ("by another team's owner", Some("max"), close(of("open")), vec![ACTOR]),
        ("from another team", Some("max"), close(("open", "q", "u")), vec![NONE]),
        ("of another project", Some("ann"), close(("open", "r", "t")), vec![NONE]),
        ("none", Some("ann"), close(of("none")), vec![NONE]),
        ("none, says nobody to a stranger", Some("bob"), close(of("none")), vec![ACTOR]),
        ("of one alone", Some("ann"), close(of("alone")), vec![few]),
        ("of nobody", Some("max"), close(("theirs", "q", "u")), vec![few]),
        ("of nobody, of a project that was deleted", Some("ann"), close(("late", "d", "t")), vec![few]),
        ("ended with its project", Some("ann"), close(("over", "d", "t")), vec![STATE]),
        ("closed, of a project that has ended", Some("ann"), close(("kept", "d", "t")), vec![STATE]),
    ];
    for id in ["closed", "asked", "closing", "reopening"] {
        rows.push((id, Some("ann"), close(of(id)), vec![STATE]));
    }
    all_rejected(rows);
}

#[test]
fn reopen_estimation_is_rejected() {
    let over = (INVALID_STATE, "project_id");
    let mut rows: Vec<Row<'_>> = vec![
        ("all at once", None, reopen(("", "", "/")), vec![NO_ID, NO_PROJECT, NO_TEAM]),
        (
            "all at once, by a stranger",
            Some("zoe"),
            reopen(("", "", "/")),
            vec![ACTOR, NO_ID, NO_PROJECT, NO_TEAM],
        ),
        ("by a member", Some("bob"), reopen(of("closed")), vec![ACTOR]),
        ("by somebody who looks on", Some("zoe"), reopen(of("closed")), vec![ACTOR]),
        ("by another team's owner", Some("max"), reopen(of("closed")), vec![ACTOR]),
        ("from another team", Some("max"), reopen(("closed", "q", "u")), vec![NONE]),
        ("of another project", Some("ann"), reopen(("closed", "r", "t")), vec![NONE]),
        ("none", Some("ann"), reopen(of("none")), vec![NONE]),
        ("closed, of a project that has ended", Some("ann"), reopen(("kept", "d", "t")), vec![over]),
        ("ended with its project", Some("ann"), reopen(("over", "d", "t")), vec![STATE, over]),
        (
            "open, of a project that was deleted",
            Some("ann"),
            reopen(("late", "d", "t")),
            vec![STATE, GONE_PROJECT],
        ),
    ];
    for id in ["open", "alone", "asked", "closing", "reopening"] {
        rows.push((id, Some("ann"), reopen(of(id)), vec![STATE]));
    }
    all_rejected(rows);
    // nothing has come of it yet here
    let late = [begun("k", "d", "t"), played("k", "d")].concat();
    beside(given::<Estimations>(late)).when(reopen(("k", "d", "t"))).then_rejected(&[GONE_PROJECT]);
}
