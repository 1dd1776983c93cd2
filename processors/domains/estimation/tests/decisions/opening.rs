//! Opening.

use millrace_domain_estimation::messages::commands::OpenEstimation;

use super::*;

#[test]
fn owners_and_admins_open_estimations() {
    for (actor, project, team) in
        [(Some("ann"), "p", "t"), (Some("eve"), "r", "t"), (None, "q", "u"), (Some("max"), "q", "u")]
    {
        scene(actor).when(open("new", project, team)).then_events([requested("new", project, team)]);
    }
    for scale in ["fibonacci", "t-shirt", "0,1", "1,1000000"] {
        scene(None).when(open_on("new", "p", "t", scale)).then_events([requested_on("new", "p", "t", scale)]);
    }
    // what was refused in the end has left no estimation
    let refused = [requested("new", "p", "t"), refused("new", "p", vec![])];
    beside(given::<Estimations>(refused))
        .when(open("new", "r", "t"))
        .then_events([requested("new", "r", "t")]);
}

#[test]
fn open_estimation_is_rejected() {
    let all_wrong = |estimation_id: &str| -> CommandData {
        OpenEstimation {
            estimation_id: estimation_id.into(),
            project_id: "".into(),
            team_id: "/".into(),
            title: " ".into(),
            scale: "5,3".into(),
        }
        .into()
    };
    let (title, scale) = ((INVALID_ARGUMENT, "title"), (INVALID_ARGUMENT, "scale"));
    let form = vec![NO_PROJECT, NO_TEAM, title, scale];
    let titled = |title: &str| -> CommandData {
        OpenEstimation {
            estimation_id: "new".into(),
            project_id: "p".into(),
            team_id: "t".into(),
            title: title.into(),
            scale: "1,2".into(),
        }
        .into()
    };
    let taken = (ALREADY_EXISTS, "estimation_id");
    let long: Vec<String> = (100_000..100_080).map(|n| n.to_string()).collect();
    let mut rows: Vec<Row<'_>> = vec![
        ("all at once", None, all_wrong(""), [vec![NO_ID], form.clone()].concat()),
        ("all at once, taken", None, all_wrong("open"), [vec![taken], form.clone()].concat()),
        ("all at once, by a stranger", Some("zoe"), all_wrong("open"), [vec![ACTOR], form].concat()),
        ("by a member", Some("bob"), open("new", "p", "t"), vec![ACTOR]),
        ("by somebody who looks on", Some("zoe"), open("new", "p", "t"), vec![ACTOR]),
        ("by another team's owner", Some("max"), open("new", "p", "t"), vec![ACTOR]),
        ("taken, says nobody to a stranger", Some("max"), open("open", "p", "t"), vec![ACTOR]),
        ("another team's project, says nobody", Some("max"), open("new", "p", "u"), vec![GONE_PROJECT]),
        ("no project", Some("ann"), open("new", "n", "t"), vec![GONE_PROJECT]),
        ("a project that was deleted", Some("ann"), open("new", "d", "t"), vec![GONE_PROJECT]),
        ("without a team", None, open("new", "p", ""), vec![NO_TEAM]),
        ("of another team", Some("max"), open("theirs", "p", "u"), vec![taken, GONE_PROJECT]),
        ("long", None, titled(&"x".repeat(257)), vec![title]),
        ("two lines", None, titled("a\nb"), vec![title]),
        ("a scale that is too long", None, open_on("new", "p", "t", &long.join(",")), vec![scale]),
    ];
    for id in ["open", "alone", "closed", "asked", "closing", "reopening"] {
        rows.push((id, Some("eve"), open(id, "p", "t"), vec![taken]));
    }
    for id in ["over", "kept", "late"] {
        rows.push((id, Some("eve"), open(id, "d", "t"), vec![taken, GONE_PROJECT]));
    }
    for text in ["", "1", "1, 2", "2,1", "1,1", "-1,1", "Fibonacci", "XS,S", "1,1000001"] {
        rows.push(("no scale", None, open_on("new", "p", "t", text), vec![scale]));
    }
    all_rejected(rows);
}
