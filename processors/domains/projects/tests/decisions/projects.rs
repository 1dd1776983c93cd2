//! Projects: begun, changed and ended.

use millrace_domain_projects::MAX_COLUMNS;
use millrace_domain_projects::messages::commands::{CreateProject, UpdateProject};

use super::*;

fn with(of: CreateProject, change: impl FnOnce(&mut CreateProject)) -> CommandData {
    let mut of = of;
    change(&mut of);
    of.into()
}

#[test]
fn projects_are_begun_changed_and_ended() {
    let all = UpdateProject {
        name: Some("Mill".into()),
        prefix: Some("ML".into()),
        description: Some("".into()),
        user_id: Some("bob".into()),
        team_id: Some("t".into()),
        active: Some(false),
        public: Some(true),
        column_order: Some(vec!["only".into()]),
        ..nothing_for("p")
    };
    let some = UpdateProject { user_id: Some("zoe".into()), ..nothing_for("s") };
    let team_of = |project_id: &str, team_id: &str| {
        project_updated(UpdateProject { team_id: Some(team_id.into()), ..nothing_for(project_id) })
    };
    let rows: Vec<Accepted<'_>> = vec![
        (Some("eve"), project("n", "eve", "t").into(), begun("n", "eve", "t")),
        (Some("zoe"), project("n", "zoe", "").into(), begun("n", "zoe", "")),
        (None, project("n", "zoe", "t").into(), begun("n", "zoe", "t")),
        // the team is the same, and so is who looks it up
        (Some("eve"), all.clone().into(), vec![project_updated(all)]),
        (Some("bob"), some.clone().into(), vec![project_updated(some)]),
        (None, nothing_for("p").into(), vec![project_updated(nothing_for("p"))]),
        (Some("ann"), to_team("p", ""), vec![team_of("p", ""), team_cleared("p", "t")]),
        (None, to_team("p", "u"), vec![team_of("p", "u"), team_cleared("p", "t"), team_set("p", "u")]),
        (None, to_team("s", "u"), vec![team_of("s", "u"), team_set("s", "u")]),
        (Some("bob"), to_team("s", ""), vec![team_of("s", "")]),
        // whoever is in it through the project ends first
        (
            Some("ann"),
            drop_project("p"),
            vec![project_deleted("p", Some(("ida", "t"))), team_cleared("p", "t")],
        ),
        (Some("bob"), drop_project("s"), vec![project_deleted("s", None)]),
    ];
    all_accepted(rows);
    // of both teams one must manage
    scene(None)
        .when(promote("bob", "t", "admin"))
        .then_events(
            [vec![updated("bob", "t", "admin")], appointed("bob", "t", "admin")[1..].to_vec()].concat(),
        )
        .acting("bob")
        .when(to_team("s", "t"))
        .then_events([team_of("s", "t"), team_set("s", "t")]);
}

#[test]
fn create_project_is_rejected() {
    let long = "x".repeat(4_097);
    let new = || project("n", "eve", "t");
    let columns = |columns: Vec<&str>| {
        with(new(), |it| it.column_order = columns.into_iter().map(Into::into).collect())
    };
    let many: Vec<String> = (0..=MAX_COLUMNS).map(|n| n.to_string()).collect();
    let (order, prefix) = ((INVALID_ARGUMENT, "column_order"), (INVALID_ARGUMENT, "prefix"));
    let all_wrong = CreateProject {
        project_id: "".into(),
        name: " ".into(),
        prefix: "m".into(),
        description: " ".into(),
        user_id: "".into(),
        team_id: "/".into(),
        active: true,
        public: true,
        column_order: vec![],
    };
    let form = vec![
        NO_PROJECT,
        (INVALID_ARGUMENT, "name"),
        prefix,
        (INVALID_ARGUMENT, "description"),
        NO_USER,
        NO_TEAM,
        order,
    ];
    let mut rows = vec![
        ("all at once", None, all_wrong.clone().into(), form.clone()),
        ("all at once, by a stranger", Some("bob"), all_wrong.into(), [vec![ACTOR], form].concat()),
        ("by a member", Some("bob"), project("n", "bob", "t").into(), vec![ACTOR]),
        ("for another", Some("ann"), new().into(), vec![ACTOR]),
        ("for another without a team", Some("ann"), project("n", "bob", "").into(), vec![ACTOR]),
        ("for another's team", Some("max"), project("n", "max", "t").into(), vec![ACTOR]),
        ("for a team of nobody", Some("max"), project("n", "max", "n").into(), vec![ACTOR]),
        ("for a team of nobody", None, project("n", "max", "n").into(), vec![(NOT_FOUND, "team_id")]),
        ("of nobody", None, project("n", "nobody", "").into(), vec![(NOT_FOUND, "user_id")]),
        ("taken", Some("eve"), project("p", "eve", "t").into(), vec![(ALREADY_EXISTS, "project_id")]),
        (
            "taken by another's",
            Some("eve"),
            project("s", "eve", "").into(),
            vec![(ALREADY_EXISTS, "project_id")],
        ),
        ("was once", None, project("d", "eve", "t").into(), vec![(ALREADY_EXISTS, "project_id")]),
        ("taken, says nobody to a stranger", Some("bob"), project("p", "eve", "t").into(), vec![ACTOR]),
        (
            "long",
            None,
            with(new(), |it| {
                it.name = long[..257].into();
                it.description = long.as_str().into();
            }),
            vec![(INVALID_ARGUMENT, "name"), (INVALID_ARGUMENT, "description")],
        ),
        ("two lines", None, with(new(), |it| it.name = "a\nb".into()), vec![(INVALID_ARGUMENT, "name")]),
        ("two of a name", None, columns(vec!["a", "b", "a"]), vec![order]),
        ("a blank column", None, columns(vec!["a", "\u{a0}"]), vec![order]),
        ("a column of two lines", None, columns(vec!["a\nb"]), vec![order]),
        ("a column that is too long", None, columns(vec![&long[..65]]), vec![order]),
        ("too many columns", None, columns(many.iter().map(String::as_str).collect()), vec![order]),
    ];
    for text in ["", "M", "MILRACE", "mil", "Mil", "M1", "ÄÖ", "M "] {
        rows.push(("no prefix", None, with(new(), |it| it.prefix = text.into()), vec![prefix]));
    }
    all_rejected(rows);
}

#[test]
fn update_project_is_rejected() {
    let all_wrong = |project_id: &str| -> CommandData {
        UpdateProject {
            project_id: project_id.into(),
            name: Some("".into()),
            prefix: Some("".into()),
            description: Some("\u{7}".into()),
            user_id: Some("".into()),
            team_id: Some("/".into()),
            active: None,
            public: None,
            column_order: Some(vec![]),
        }
        .into()
    };
    let form = vec![
        (INVALID_ARGUMENT, "name"),
        (INVALID_ARGUMENT, "prefix"),
        (INVALID_ARGUMENT, "description"),
        NO_USER,
        NO_TEAM,
        (INVALID_ARGUMENT, "column_order"),
    ];
    let to_user = |project_id: &str, user_id: &str| -> CommandData {
        UpdateProject { user_id: Some(user_id.into()), ..nothing_for(project_id) }.into()
    };
    let deleted = (INVALID_STATE, "project_id");
    all_rejected(vec![
        ("all at once", None, all_wrong("p"), form.clone()),
        ("all at once, by a stranger", Some("bob"), all_wrong("p"), [vec![ACTOR], form.clone()].concat()),
        (
            "all at once, of none",
            None,
            all_wrong("n"),
            [vec![(NOT_FOUND, "project_id")], form.clone()].concat(),
        ),
        ("all at once, no id", None, all_wrong(""), [vec![NO_PROJECT], form.clone()].concat()),
        ("all at once, deleted", None, all_wrong("d"), [vec![deleted], form].concat()),
        ("by a member", Some("bob"), columns("p", &["a"]), vec![ACTOR]),
        ("by its user, who is in the team no more", Some("new"), nothing_for("p").into(), vec![ACTOR]),
        ("another's alone", Some("ann"), nothing_for("s").into(), vec![ACTOR]),
        ("deleted, by a stranger", Some("bob"), nothing_for("d").into(), vec![ACTOR]),
        ("none", Some("bob"), nothing_for("n").into(), vec![(NOT_FOUND, "project_id")]),
        ("deleted", Some("eve"), nothing_for("d").into(), vec![deleted]),
        ("to another's team", Some("ann"), to_team("p", "u"), vec![ACTOR]),
        ("to a team where one is a member", Some("bob"), to_team("s", "t"), vec![ACTOR]),
        ("from another's team", Some("ann"), to_team("q", "t"), vec![ACTOR]),
        ("to a team of nobody", Some("ann"), to_team("p", "n"), vec![ACTOR]),
        ("to a team of nobody", None, to_team("p", "n"), vec![(NOT_FOUND, "team_id")]),
        ("to nobody", Some("eve"), to_user("p", "nobody"), vec![(NOT_FOUND, "user_id")]),
        ("to nobody, one's own", Some("bob"), to_user("s", "nobody"), vec![(NOT_FOUND, "user_id")]),
    ]);
}

#[test]
fn delete_project_is_rejected() {
    all_rejected(vec![
        ("no id", Some("ann"), drop_project("a b"), vec![NO_PROJECT]),
        ("none", Some("ann"), drop_project("n"), vec![(NOT_FOUND, "project_id")]),
        ("by a member", Some("bob"), drop_project("p"), vec![ACTOR]),
        ("by another's owner", Some("max"), drop_project("p"), vec![ACTOR]),
        ("another's alone", Some("ann"), drop_project("s"), vec![ACTOR]),
        ("deleted", Some("ann"), drop_project("d"), vec![(INVALID_STATE, "project_id")]),
        ("deleted, by a stranger", Some("bob"), drop_project("d"), vec![ACTOR]),
    ]);
}
