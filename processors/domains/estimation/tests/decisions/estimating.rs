//! What members say.

use millrace_domain_estimation::estimation::MAX_ESTIMATES;
use millrace_domain_estimation::messages::commands::SubmitEstimate;
use millrace_kernel::Metadata;
use millrace_testkit::given::States;

use super::*;

const OPEN: Of<'_> = ("open", "p", "t");

#[test]
fn members_estimate_each_for_themselves() {
    for (actor, member) in [
        (Some("ida"), "ida"),
        (Some("eve"), "eve"),
        (None, "ida"),
        (Some("bob"), "bob"),
        (Some("ann"), "ann"),
    ] {
        // also those who have said something else before
        scene(actor)
            .when(submit(OPEN, member, 4))
            .then_events([submitted("open", "p", member, 1, 4)])
            .when(submit(OPEN, member, 1))
            .then_events([submitted("open", "p", member, 1, 1)]);
    }
    for (scale, points) in
        [("fibonacci", 0), ("fibonacci", 89), ("t-shirt", 1), ("t-shirt", 6), ("7,700", 700)]
    {
        beside(given::<Estimations>(begun_on("e", "p", "t", scale)))
            .when(submit(("e", "p", "t"), "ida", points))
            .then_events([submitted("e", "p", "ida", 1, points)]);
    }
    // what is said later is of a later round
    let again = [
        happened(),
        vec![enlisted("p", "closed", false), reopening("closed", "p"), reopened("closed", "p", 2)],
    ];
    beside(given::<Estimations>(again.concat()))
        .when(submit(("closed", "p", "t"), "bob", 1))
        .then_events([submitted("closed", "p", "bob", 2, 1)]);
}

#[test]
fn submit_estimate_is_rejected() {
    let all_wrong = |estimation_id: &str, member_id: &str| -> CommandData {
        SubmitEstimate {
            estimation_id: estimation_id.into(),
            project_id: "".into(),
            team_id: "/".into(),
            member_id: member_id.into(),
            points: -1,
        }
        .into()
    };
    let form = vec![NO_PROJECT, NO_TEAM, NO_MEMBER];
    let unknown = (NOT_FOUND, "member_id");
    let of = |id| (id, "p", "t");
    let mut rows: Vec<Row<'_>> = vec![
        ("all at once", None, all_wrong("", ""), [vec![NO_ID], form.clone()].concat()),
        ("all at once, of one that is there", None, all_wrong("open", ""), form.clone()),
        ("all at once, by a stranger", Some("zoe"), all_wrong("open", ""), [vec![ACTOR], form].concat()),
        ("by somebody who looks on", Some("zoe"), submit(OPEN, "zoe", 1), vec![ACTOR]),
        ("by somebody of another team", Some("max"), submit(OPEN, "max", 1), vec![ACTOR]),
        ("for another", Some("bob"), submit(OPEN, "ida", 1), vec![ACTOR]),
        ("for another, by an owner", Some("ann"), submit(OPEN, "bob", 1), vec![ACTOR]),
        ("for somebody who looks on", None, submit(OPEN, "zoe", 1), vec![unknown]),
        ("for nobody", None, submit(OPEN, "nobody", 1), vec![unknown]),
        ("for somebody of another team", None, submit(OPEN, "max", 1), vec![unknown]),
        ("none", Some("bob"), submit(of("none"), "bob", 1), vec![NONE]),
        ("of another project", Some("bob"), submit(("open", "r", "t"), "bob", 1), vec![NONE]),
        ("of another team", Some("max"), submit(("open", "q", "u"), "max", 1), vec![NONE]),
        (
            "another team's, from one's own",
            Some("bob"),
            submit(("theirs", "q", "t"), "bob", 1),
            vec![NONE, GONE_PROJECT],
        ),
        (
            "none, and all else is wrong",
            None,
            submit(("none", "n", "t"), "zoe", 3),
            vec![NONE, GONE_PROJECT, unknown],
        ),
        (
            "closed, and all else is wrong",
            None,
            submit(of("closed"), "zoe", 3),
            vec![STATE, unknown, OFF_SCALE],
        ),
        ("a project that was deleted", Some("bob"), submit(("late", "d", "t"), "bob", 1), vec![GONE_PROJECT]),
        (
            "ended with its project",
            Some("bob"),
            submit(("over", "d", "t"), "bob", 3),
            vec![STATE, GONE_PROJECT],
        ),
        (
            "closed, of a project that has ended",
            Some("bob"),
            submit(("kept", "d", "t"), "bob", 1),
            vec![STATE, GONE_PROJECT],
        ),
    ];
    for id in ["closed", "asked", "closing", "reopening"] {
        rows.push((id, Some("bob"), submit(of(id), "bob", 1), vec![STATE]));
    }
    for points in [0, 3, -1, 9, i64::MAX, i64::MIN] {
        rows.push(("off the scale", Some("ida"), submit(OPEN, "ida", points), vec![OFF_SCALE]));
    }
    all_rejected(rows);
}

#[test]
fn at_most_two_hundred_estimate() {
    let mut all = begun("e", "p", "t");
    all.extend((0..MAX_ESTIMATES).map(|n| submitted("e", "p", &format!("m{n}"), 1, 1)));
    let with = |all: &[EventData]| beside(given::<Estimations>(all.to_vec()));
    let (of, full) = (("e", "p", "t"), (LIMIT_REACHED, "estimation_id"));
    with(&all).when(submit(of, "ida", 1)).then_rejected(&[full]);
    with(&all).when(submit(of, "zoe", 3)).then_rejected(&[full, (NOT_FOUND, "member_id"), OFF_SCALE]);
    with(&all).acting("zoe").when(submit(of, "zoe", 1)).then_rejected(&[ACTOR]);
    with(&all)
        .elsewhere(who::CONTRIBUTOR, &["m7", "t"])
        .when(submit(of, "m7", 2))
        .then_events([submitted("e", "p", "m7", 1, 2)]);
    all.pop();
    with(&all).when(submit(of, "ida", 1)).then_events([submitted("e", "p", "ida", 1, 1)]);
}

/// A refusal is read by whoever has sent the command: nothing in it tells what others have said.
#[test]
fn no_refusal_says_what_others_have_said() {
    let told = |points: i64| -> Vec<String> {
        let mut all = begun_on("e", "p", "t", "fibonacci");
        all.extend([submitted("e", "p", "ann", 1, points), submitted("e", "p", "bob", 1, points)]);
        let mut states = States::<Estimations>::default();
        for (at, event) in all.iter().enumerate() {
            states.fold(event, at as i64);
        }
        for (user, team) in MANAGERS {
            states.set_elsewhere(who::MANAGER, &[user, team], true);
            states.set_elsewhere(who::CONTRIBUTOR, &[user, team], true);
        }
        let of = ("e", "p", "t");
        let commands = [
            submit(of, "eve", 4),
            submit(of, "zoe", 1),
            submit(of, "ann", 77),
            reopen(of),
            close(("e", "r", "t")),
            open("e", "p", "t"),
        ];
        let mut told = Vec::new();
        for (actor, data) in [None, Some("ann"), Some("eve"), Some("zoe")]
            .into_iter()
            .flat_map(|actor| commands.clone().map(|data| (actor, data)))
        {
            let metadata = Metadata { user_id: actor.map(Into::into), ..Metadata::default() };
            let command = millrace_kernel::Command { id: "c".into(), metadata, data };
            let refused = states.decide(&command, millrace_kernel::Stamp { now: 0 }).unwrap_err();
            told.extend(refused.violations().iter().map(|it| format!("{it:?}")));
        }
        told
    };
    assert!(told(5).len() > 20);
    assert_eq!(told(5), told(89));
}
