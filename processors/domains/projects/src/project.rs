//! Project: whose it is, what its board looks like, and which memberships were given through it.

use std::sync::Arc;

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::{AggregateId, Rejections, StateReader, Text, Violation, id};

use crate::messages::EventData;
use crate::messages::commands::{CreateProject, DeleteProject, UpdateProject};
use crate::messages::events::{
    Given, ProjectCreated, ProjectDeleted, ProjectTeamCleared, ProjectTeamSet, ProjectUpdated,
};
use crate::messages::state::{Project, ProjectTeam, State};
use crate::role::Rank;
use crate::{member, rules, team};

/// The kind of aggregate.
pub const KIND: &str = "Project";
/// The kind that says which team works on a project; looked up by decisions elsewhere.
pub const TEAM_KIND: &str = "ProjectTeam";

const WHO: &str = "only owners and admins of the project's team may do this, of both where it goes from one to another; of a project \
                   without a team, only its user";

/// `Project/<project_id>`
#[must_use]
pub fn id(project_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[project_id])
}

/// `ProjectTeam/<project_id>/<team_id>`
#[must_use]
pub fn team_id(project_id: &str, team_id: &str) -> AggregateId {
    AggregateId::new(TEAM_KIND, &[project_id, team_id])
}

/// What is kept of a project.
pub(crate) type Kept = Option<Arc<State>>;

/// The project in what is kept.
pub(crate) fn project(kept: &Kept) -> Option<&Project> {
    kept.as_deref().and_then(State::project)
}

/// What is said of a project that is not there, or of another team, to somebody who manages this one.
pub(crate) fn not_the_teams(project_id: &str, team_id: &str) -> Violation {
    let message = format!("team {team_id} has no project {project_id}");
    Violation::on(NOT_FOUND, "project_id", message)
}

/// What is said of a project that has ended.
pub(crate) fn is_deleted(project_id: &str) -> Violation {
    let message = format!("project {project_id} was deleted, and all in it, which is for good");
    Violation::on(INVALID_STATE, "project_id", message)
}

/// Whether the acting user may do to a project what needs this rank in its team; of one without a team, whether it is theirs.
pub(crate) fn may(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    rank: Rank,
    user_id: &str,
    team_id: &str,
) -> bool {
    match team_id {
        "" => actor.is_none_or(|actor| actor == user_id),
        team_id => rank.is_held(states, actor, team_id),
    }
}

/// The project of a command, if the acting user may do what needs this rank, and it is there. `also` is what else has to hold
/// of it for that.
pub(crate) fn changeable<S: StateReader<State = State>>(
    rejections: &mut Rejections,
    states: &S,
    actor: Option<&str>,
    project_id: &str,
    (rank, who): (Rank, &str),
    also: impl FnOnce(&Project) -> bool,
) -> Kept {
    let kept = if id::is_valid(project_id) { states.get(&id(project_id)) } else { None };
    // whoever is not permitted is not told whether it is there any more
    let may = project(&kept).is_none_or(|it| may(states, actor, rank, &it.user_id, &it.team_id) && also(it));
    let may = rejections.require(may, || Violation::on(NOT_PERMITTED, "metadata.user_id", who));
    if !rejections.well_formed("project_id", project_id) || !may {
        return None;
    }
    let exists = rejections.require(project(&kept).is_some(), || {
        let message = format!("there is no project {project_id}; create it first");
        Violation::on(NOT_FOUND, "project_id", message)
    });
    let is_there = exists
        && rejections
            .require(project(&kept).is_some_and(|project| !project.deleted), || is_deleted(project_id));
    if is_there { kept } else { None }
}

/// Begins a project.
pub(crate) fn create(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CreateProject,
) -> Result<Vec<EventData>, Rejections> {
    let CreateProject {
        project_id,
        name,
        prefix,
        description,
        user_id,
        team_id,
        active,
        public,
        column_order,
    } = command;
    let mut rejections = Rejections::none();
    let may = actor.is_none_or(|actor| actor == user_id.as_str())
        && may(states, actor, Rank::Manager, user_id, team_id);
    let may = rejections.require(may, || {
        let who =
            "only the user named in user_id may do this, for a team only as one of its owners and admins";
        Violation::on(NOT_PERMITTED, "metadata.user_id", who)
    });
    let states = may.then_some(states);
    if rejections.well_formed("project_id", project_id)
        && let Some(states) = states
    {
        rejections.require(states.get(&id(project_id)).is_none(), || {
            let message = format!("project id {project_id} is taken, or was once; choose another");
            Violation::on(ALREADY_EXISTS, "project_id", message)
        });
    }
    rejections.words("name", name);
    rules::prefix(&mut rejections, prefix);
    rules::description(&mut rejections, description);
    whose(&mut rejections, states, user_id);
    of_team(&mut rejections, states, team_id);
    rules::column_order(&mut rejections, column_order);
    rejections.or(|| {
        let created = ProjectCreated {
            project_id: project_id.clone(),
            name: name.clone(),
            prefix: prefix.clone(),
            description: description.clone(),
            user_id: user_id.clone(),
            team_id: team_id.clone(),
            active: *active,
            public: *public,
            column_order: column_order.clone(),
        };
        let mut events = vec![created.into()];
        events.extend(set(project_id, team_id));
        events
    })
}

/// `user_id` must be a user.
fn whose(rejections: &mut Rejections, states: Option<&impl StateReader<State = State>>, user_id: &str) {
    if rejections.well_formed("user_id", user_id)
        && let Some(states) = states
    {
        member::exists(rejections, states, user_id);
    }
}

/// `team_id` must be a team, or empty.
fn of_team(rejections: &mut Rejections, states: Option<&impl StateReader<State = State>>, team_id: &str) {
    if !team_id.is_empty()
        && rejections.well_formed("team_id", team_id)
        && let Some(states) = states
    {
        team::exists(rejections, states, team_id);
    }
}

fn set(project_id: &Text, team_id: &Text) -> Option<EventData> {
    let (project_id, team_id) = (project_id.clone(), team_id.clone());
    (!team_id.is_empty()).then(|| ProjectTeamSet { project_id, team_id }.into())
}

fn cleared(project_id: &Text, team_id: &Text) -> Option<EventData> {
    let (project_id, team_id) = (project_id.clone(), team_id.clone());
    (!team_id.is_empty()).then(|| ProjectTeamCleared { project_id, team_id }.into())
}

/// Changes what is given.
pub(crate) fn update(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &UpdateProject,
) -> Result<Vec<EventData>, Rejections> {
    let UpdateProject {
        project_id,
        name,
        prefix,
        description,
        user_id,
        team_id,
        active,
        public,
        column_order,
    } = command;
    let mut rejections = Rejections::none();
    let may_get = |project: &Project| match team_id.as_deref() {
        None | Some("") => true,
        Some(team_id) => team_id == &*project.team_id || Rank::Manager.is_held(states, actor, team_id),
    };
    let kept = changeable(&mut rejections, states, actor, project_id, (Rank::Manager, WHO), may_get);
    let states = project(&kept).map(|_| states);
    if let Some(name) = name {
        rejections.words("name", name);
    }
    if let Some(prefix) = prefix {
        rules::prefix(&mut rejections, prefix);
    }
    if let Some(description) = description {
        rules::description(&mut rejections, description);
    }
    if let Some(user_id) = user_id {
        whose(&mut rejections, states, user_id);
    }
    if let Some(team_id) = team_id {
        of_team(&mut rejections, states, team_id);
    }
    if let Some(column_order) = column_order {
        rules::column_order(&mut rejections, column_order);
    }
    let before = match project(&kept) {
        Some(project) if rejections.is_empty() => project,
        _ => return Err(rejections),
    };
    let updated = ProjectUpdated {
        project_id: project_id.clone(),
        name: name.clone(),
        prefix: prefix.clone(),
        description: description.clone(),
        user_id: user_id.clone(),
        team_id: team_id.clone(),
        active: *active,
        public: *public,
        column_order: column_order.clone(),
    };
    let mut events = vec![updated.into()];
    if let Some(team_id) = team_id.as_ref().filter(|team_id| **team_id != before.team_id) {
        events.extend(cleared(project_id, &before.team_id));
        events.extend(set(project_id, team_id));
    }
    Ok(events)
}

/// Ends a project at once for everybody; the command has its outcome when each membership given through it has ended.
pub(crate) fn delete(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &DeleteProject,
) -> Result<Vec<EventData>, Rejections> {
    let project_id = &command.project_id;
    let mut rejections = Rejections::none();
    let kept = changeable(&mut rejections, states, actor, project_id, (Rank::Manager, WHO), |_| true);
    match project(&kept) {
        Some(project) if rejections.is_empty() => {
            let next = next(project, None);
            let deleted = ProjectDeleted { project_id: project_id.clone(), next };
            let mut events = vec![deleted.into()];
            events.extend(cleared(project_id, &project.team_id));
            Ok(events)
        }
        _ => Err(rejections),
    }
}

/// The first membership in the list of a project, but for one.
pub(crate) fn next(project: &Project, but: Option<(&Text, &Text)>) -> Option<Given> {
    let mut others = project.memberships.iter().filter(|it| but != Some((&it.user_id, &it.team_id)));
    let first = others.next()?;
    Some(Given { user_id: first.user_id.clone(), team_id: first.team_id.clone() })
}

/// The state after an event of ProjectTeam.
pub(crate) fn team_evolve(event: &EventData) -> Option<State> {
    matches!(event, EventData::ProjectTeamSet(_)).then(|| State::ProjectTeam(ProjectTeam {}))
}
