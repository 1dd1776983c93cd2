//! Cards of a board.

use millrace_domain_projects::messages::commands::CreateTask;
use millrace_domain_projects::task::MAX_TASKS;

use super::*;

#[test]
fn cards_are_put_moved_renamed_and_taken_off() {
    let rows: Vec<Accepted<'_>> = vec![
        (
            Some("bob"),
            task("p", "n", "done", "zz9"),
            vec![task_created("p", "n", 3, "done", "zz9"), counted("p", 2, 3)],
        ),
        (
            Some("bob"),
            task("s", "a", "todo", "0"),
            vec![task_created("s", "a", 1, "todo", "0"), counted("s", 1, 1)],
        ),
        (Some("ida"), shift("p", "a", "done", "Z"), vec![moved("p", "a", "done", "Z")]),
        (None, shift("p", "a", "todo", "m"), vec![moved("p", "a", "todo", "m")]),
        (Some("eve"), rename("p", "a", "Oil"), vec![renamed("p", "a", "Oil")]),
        (Some("ann"), drop_task("p", "a"), vec![task_deleted("p", "a"), counted("p", 0, 2)]),
    ];
    for (actor, command, events) in rows {
        println!("{actor:?} {command:?}");
        scene(actor).expecting(1).when(command).then_events(events);
    }
}

#[test]
fn create_task_is_rejected() {
    let all_wrong = |project_id: &str| -> CommandData {
        CreateTask {
            project_id: project_id.into(),
            task_id: "".into(),
            title: " ".into(),
            column: "".into(),
            rank: "".into(),
        }
        .into()
    };
    let form =
        vec![NO_TASK, (INVALID_ARGUMENT, "title"), (INVALID_ARGUMENT, "column"), (INVALID_ARGUMENT, "rank")];
    let rank = vec![(INVALID_ARGUMENT, "rank")];
    all_rejected(vec![
        ("all at once", None, all_wrong("p"), form.clone()),
        ("all at once, by a stranger", Some("zoe"), all_wrong("p"), [vec![ACTOR], form.clone()].concat()),
        (
            "all at once, of none",
            None,
            all_wrong("n"),
            [vec![(NOT_FOUND, "project_id")], form.clone()].concat(),
        ),
        ("all at once, no id", None, all_wrong("/"), [vec![NO_PROJECT], form].concat()),
        ("by a viewer", Some("zoe"), task("p", "n", "todo", "m"), vec![ACTOR]),
        ("by another's owner", Some("max"), task("p", "n", "todo", "m"), vec![ACTOR]),
        ("on another's board", Some("ann"), task("s", "n", "todo", "m"), vec![ACTOR]),
        ("taken, says nobody to a stranger", Some("zoe"), task("p", "a", "gone", "m"), vec![ACTOR]),
        ("deleted project", Some("bob"), task("d", "n", "todo", "m"), vec![(INVALID_STATE, "project_id")]),
        ("taken", Some("bob"), task("p", "a", "todo", "m"), vec![(ALREADY_EXISTS, "task_id")]),
        ("was once", Some("bob"), task("p", "x", "todo", "m"), vec![(ALREADY_EXISTS, "task_id")]),
        ("no column", Some("bob"), task("p", "n", "gone", "m"), vec![(NOT_FOUND, "column")]),
        ("another case", Some("bob"), task("p", "n", "Todo", "m"), vec![(NOT_FOUND, "column")]),
        ("long rank", Some("bob"), task("p", "n", "todo", &"m".repeat(65)), rank.clone()),
        ("a rank of other characters", Some("bob"), task("p", "n", "todo", "m-m"), rank.clone()),
        ("a rank of other letters", Some("bob"), task("p", "n", "todo", "ä"), rank),
        (
            "taken, and no column",
            None,
            task("p", "a", "gone", ""),
            vec![(ALREADY_EXISTS, "task_id"), (NOT_FOUND, "column"), (INVALID_ARGUMENT, "rank")],
        ),
    ]);
}

#[test]
fn a_board_has_at_most_ten_thousand_cards() {
    let with = |tasks: i32| given::<Projects>([people(), vec![counted("p", tasks, 20_000)]].concat());
    let full = with(MAX_TASKS).when(task("p", "n", "todo", "m"));
    let full = full.then_rejected(&[(LIMIT_REACHED, "project_id")]);
    full.acting("zoe").when(task("p", "n", "todo", "m")).then_rejected(&[ACTOR]);
    with(MAX_TASKS - 1)
        .when(task("p", "n", "todo", "m"))
        .then_events([task_created("p", "n", 20_001, "todo", "m"), counted("p", 10_000, 20_001)]);
}

#[test]
fn move_task_is_rejected() {
    let form = vec![NO_TASK, (INVALID_ARGUMENT, "column"), (INVALID_ARGUMENT, "rank")];
    let rows: Vec<Row<'_>> = vec![
        ("all at once", None, shift("p", "", "", ""), form.clone()),
        ("all at once, by a stranger", Some("zoe"), shift("p", "", "", ""), [vec![ACTOR], form].concat()),
        ("no project", None, shift("n", "a", "todo", "m"), vec![(NOT_FOUND, "project_id")]),
        ("no id", None, shift("/", "a", "todo", "m"), vec![NO_PROJECT]),
        ("deleted project", None, shift("d", "a", "todo", "m"), vec![(INVALID_STATE, "project_id")]),
        ("by a viewer", Some("zoe"), shift("p", "a", "todo", "m"), vec![ACTOR]),
        ("by a viewer, of none", Some("zoe"), shift("p", "n", "gone", "m"), vec![ACTOR]),
        ("none", Some("bob"), shift("p", "n", "todo", "m"), vec![(NOT_FOUND, "task_id")]),
        ("deleted", Some("bob"), shift("p", "x", "todo", "m"), vec![(INVALID_STATE, "task_id")]),
        ("no column", Some("bob"), shift("p", "a", "gone", "m"), vec![(NOT_FOUND, "column")]),
        ("no rank", Some("bob"), shift("p", "a", "todo", " "), vec![(INVALID_ARGUMENT, "rank")]),
    ];
    for (what, actor, command, expected) in rows {
        println!("{what}");
        let given = scene(actor).expecting(1).when(command.clone()).then_rejected(&expected);
        drop(given);
        // whoever does not say what the move is based on is told so as well, behind what is not permitted
        let mut unbased = expected;
        unbased.insert(usize::from(unbased[0] == ACTOR), UNBASED);
        scene(actor).when(command).then_rejected(&unbased);
    }
    all_rejected(vec![("based on nothing", Some("bob"), shift("p", "a", "todo", "m"), vec![UNBASED])]);
}

#[test]
fn rename_task_and_delete_task_are_rejected() {
    let title = (INVALID_ARGUMENT, "title");
    let rows = [
        ("by a viewer", Some("zoe"), "p", "a", vec![ACTOR]),
        ("by a viewer, of none", Some("zoe"), "p", "n", vec![ACTOR]),
        ("no id", None, "/", "a", vec![NO_PROJECT]),
        ("no project", None, "n", "a", vec![(NOT_FOUND, "project_id")]),
        ("deleted project", None, "d", "a", vec![(INVALID_STATE, "project_id")]),
        ("none", Some("bob"), "p", "n", vec![(NOT_FOUND, "task_id")]),
        ("deleted", Some("bob"), "p", "x", vec![(INVALID_STATE, "task_id")]),
        ("no task id", Some("bob"), "p", "", vec![NO_TASK]),
    ];
    for (what, actor, project_id, task_id, expected) in rows {
        println!("{what}");
        scene(actor).when(drop_task(project_id, task_id)).then_rejected(&expected);
        scene(actor).when(rename(project_id, task_id, "x")).then_rejected(&expected);
        let with_title = [expected, vec![title]].concat();
        scene(actor).when(rename(project_id, task_id, "\n")).then_rejected(&with_title);
    }
    scene(None).when(rename("p", "a", &"x".repeat(257))).then_rejected(&[title]);
}
