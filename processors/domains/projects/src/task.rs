//! Task: a card on the board of a project, in a column, at a rank; and the board, which counts them.

use std::sync::Arc;

use millrace_kernel::codes::{
    ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, LIMIT_REACHED, NOT_FOUND, NOT_PERMITTED,
};
use millrace_kernel::{AggregateId, Metadata, Rejections, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::commands::{CreateTask, DeleteTask, MoveTask, RenameTask};
use crate::messages::events::{BoardCounted, TaskCreated, TaskDeleted, TaskMoved, TaskRenamed};
use crate::messages::state::{Board, Project, State, Task};
use crate::project::{self, Kept};
use crate::role::Rank;
use crate::rules;

/// The kind of aggregate.
pub const KIND: &str = "Task";
/// The kind that counts them.
pub const BOARD_KIND: &str = "Board";

/// Most tasks on a board.
pub const MAX_TASKS: i32 = 10_000;

const WHO: &str = "only owners, admins and members of the project's team may do this; of a project without a team, only its user";

/// `Task/<project_id>/<task_id>`
#[must_use]
pub fn id(project_id: &str, task_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[project_id, task_id])
}

/// `Board/<project_id>`
#[must_use]
pub fn board_id(project_id: &str) -> AggregateId {
    AggregateId::new(BOARD_KIND, &[project_id])
}

/// The project of a command, if the acting user may work on its board.
fn board_of(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    project_id: &str,
) -> Kept {
    project::changeable(rejections, states, actor, project_id, (Rank::Contributor, WHO), |_| true)
}

fn count(states: &impl StateReader<State = State>, project_id: &str) -> Board {
    let kept = states.get(&board_id(project_id));
    kept.as_deref().and_then(State::board).cloned().unwrap_or(Board { tasks: 0, last_number: 0 })
}

fn counted(project_id: &Text, board: &Board) -> EventData {
    BoardCounted { project_id: project_id.clone(), tasks: board.tasks, last_number: board.last_number }.into()
}

/// `column` must be one of the board, if there is a board to compare it with.
fn column(rejections: &mut Rejections, project: Option<&Project>, column: &Text) {
    if rejections.words("column", column)
        && let Some(project) = project
    {
        rejections.require(project.column_order.contains(column), || {
            let message =
                format!("the board has no column of this name; it has {}", names(&project.column_order));
            Violation::on(NOT_FOUND, "column", message)
        });
    }
}

fn names(columns: &[Text]) -> String {
    columns.iter().map(|column| format!("{:?}", &**column)).collect::<Vec<_>>().join(", ")
}

/// Puts a card on the board.
pub(crate) fn create(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CreateTask,
) -> Result<Vec<EventData>, Rejections> {
    let CreateTask { project_id, task_id, title, column: to, rank } = command;
    let mut rejections = Rejections::none();
    let kept = board_of(&mut rejections, states, actor, project_id);
    let of_board = project::project(&kept).map(|_| states);
    let board = of_board.map_or(Board { tasks: 0, last_number: 0 }, |states| count(states, project_id));
    rejections.require(board.tasks < MAX_TASKS, || {
        let message = format!("the board has {MAX_TASKS} tasks, the most there may be; delete some first");
        Violation::on(LIMIT_REACHED, "project_id", message)
    });
    if rejections.well_formed("task_id", task_id)
        && let Some(states) = of_board
    {
        rejections.require(states.get(&id(project_id, task_id)).is_none(), || {
            let message = format!("task id {task_id} is taken, or was once; choose another");
            Violation::on(ALREADY_EXISTS, "task_id", message)
        });
    }
    rejections.words("title", title);
    column(&mut rejections, project::project(&kept), to);
    rules::rank(&mut rejections, rank);
    rejections.or(|| {
        let board = Board { tasks: board.tasks + 1, last_number: board.last_number + 1 };
        let created = TaskCreated {
            project_id: project_id.clone(),
            task_id: task_id.clone(),
            number: board.last_number,
            title: title.clone(),
            column: to.clone(),
            rank: rank.clone(),
        };
        vec![created.into(), counted(project_id, &board)]
    })
}

/// The card of a command must be on the board, if there is a board to look at.
fn is_on_board(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    project_id: &str,
    task_id: &str,
) {
    if !rejections.well_formed("task_id", task_id) {
        return;
    }
    let Some(states) = states else { return };
    let kept: Option<Arc<State>> = states.get(&id(project_id, task_id));
    let task = kept.as_deref().and_then(State::task);
    let exists = rejections.require(task.is_some(), || {
        Violation::on(NOT_FOUND, "task_id", format!("the board has no task {task_id}"))
    });
    if exists {
        rejections.require(task.is_some_and(|task| !task.deleted), || {
            let message = format!("task {task_id} was deleted, which is for good");
            Violation::on(INVALID_STATE, "task_id", message)
        });
    }
}

/// Moves a card that stands where its mover has seen it: the engine has compared the versions already.
pub(crate) fn shift(
    states: &impl StateReader<State = State>,
    metadata: &Metadata,
    command: &MoveTask,
) -> Result<Vec<EventData>, Rejections> {
    let MoveTask { project_id, task_id, column: to, rank } = command;
    let mut rejections = Rejections::none();
    let kept = board_of(&mut rejections, states, metadata.user_id.as_deref(), project_id);
    if metadata.expected_version.is_none() {
        rejections = behind_permission(rejections, unbased());
    }
    let of_board = project::project(&kept).map(|_| states);
    is_on_board(&mut rejections, of_board, project_id, task_id);
    column(&mut rejections, project::project(&kept), to);
    rules::rank(&mut rejections, rank);
    rejections.or(|| {
        let moved = TaskMoved {
            project_id: project_id.clone(),
            task_id: task_id.clone(),
            column: to.clone(),
            rank: rank.clone(),
        };
        vec![moved.into()]
    })
}

/// What is wrong with the metadata stands behind what is not permitted, and before what is wrong with the fields.
fn behind_permission(rejections: Rejections, violation: Violation) -> Rejections {
    let mut violations = rejections.into_violations();
    let at = violations.iter().take_while(|it| it.code == NOT_PERMITTED).count();
    violations.insert(at, violation);
    violations.into()
}

/// A move that does not say what it is based on.
fn unbased() -> Violation {
    let message = "say which version of the task the move is based on; else it could put a card back that somebody else has \
                   moved meanwhile";
    Violation::on(INVALID_ARGUMENT, "metadata.expected_version", message)
}

/// Says anew what a card is about.
pub(crate) fn rename(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &RenameTask,
) -> Result<Vec<EventData>, Rejections> {
    let RenameTask { project_id, task_id, title } = command;
    let mut rejections = Rejections::none();
    let kept = board_of(&mut rejections, states, actor, project_id);
    let of_board = project::project(&kept).map(|_| states);
    is_on_board(&mut rejections, of_board, project_id, task_id);
    rejections.words("title", title);
    rejections.or(|| {
        let renamed =
            TaskRenamed { project_id: project_id.clone(), task_id: task_id.clone(), title: title.clone() };
        vec![renamed.into()]
    })
}

/// Takes a card off the board.
pub(crate) fn delete(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &DeleteTask,
) -> Result<Vec<EventData>, Rejections> {
    let DeleteTask { project_id, task_id } = command;
    let mut rejections = Rejections::none();
    let kept = board_of(&mut rejections, states, actor, project_id);
    let of_board = project::project(&kept).map(|_| states);
    is_on_board(&mut rejections, of_board, project_id, task_id);
    rejections.or(|| {
        let board = count(states, project_id);
        let deleted = TaskDeleted { project_id: project_id.clone(), task_id: task_id.clone() };
        vec![deleted.into(), counted(project_id, &Board { tasks: board.tasks - 1, ..board })]
    })
}

/// The state after an event of Task.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let before = match state {
        Some(State::Task(task)) => Some(task),
        _ => None,
    };
    let task = match event {
        EventData::TaskCreated(e) => Some(Task {
            title: e.title.clone(),
            column: e.column.clone(),
            rank: e.rank.clone(),
            deleted: false,
        }),
        EventData::TaskMoved(e) => {
            before.map(|it| Task { column: e.column.clone(), rank: e.rank.clone(), ..it })
        }
        EventData::TaskRenamed(e) => before.map(|it| Task { title: e.title.clone(), ..it }),
        EventData::TaskDeleted(_) => before.map(|it| Task { title: "".into(), deleted: true, ..it }),
        _ => before,
    };
    task.map(State::Task)
}

/// The state after an event of Board.
pub(crate) fn board(event: &EventData) -> Option<State> {
    match event {
        EventData::BoardCounted(e) => {
            Some(State::Board(Board { tasks: e.tasks, last_number: e.last_number }))
        }
        _ => None,
    }
}
