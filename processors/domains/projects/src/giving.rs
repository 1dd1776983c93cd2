//! What a project knows of the memberships that are given through it, and how its state evolves.

use millrace_kernel::codes::LIMIT_REACHED;
use millrace_kernel::{StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::events::{MembershipDelisted, MembershipEnlisted, MembershipEnlistingRefused};
use crate::messages::state::{GivenMembership, Project, State};
use crate::messages::steps::{DelistMembership, EnlistMembership};
use crate::project;

/// Most memberships that are given through a project at a time: they are in its state, which is written with each.
pub const MAX_MEMBERSHIPS: usize = 500;

fn is_it(it: &GivenMembership, user_id: &Text, team_id: &Text) -> bool {
    it.user_id == *user_id && it.team_id == *team_id
}

/// Takes note of a membership, if the project is still there and its team's.
pub(crate) fn enlist(states: &impl StateReader<State = State>, step: &EnlistMembership) -> EventData {
    let EnlistMembership { project_id, user_id, team_id } = step.clone();
    let kept = states.get(&project::id(&project_id));
    let violation = match project::project(&kept) {
        Some(project) if project.deleted => Some(project::is_deleted(&project_id)),
        Some(project) if project.team_id == team_id => {
            let is_listed = project.memberships.iter().any(|it| is_it(it, &user_id, &team_id));
            let is_full = !is_listed && project.memberships.len() >= MAX_MEMBERSHIPS;
            is_full.then(|| full(&project_id))
        }
        _ => Some(project::not_the_teams(&project_id, &team_id)),
    };
    match violation {
        None => MembershipEnlisted { project_id, user_id, team_id }.into(),
        Some(violation) => {
            MembershipEnlistingRefused { project_id, user_id, team_id, violations: vec![violation] }.into()
        }
    }
}

fn full(project_id: &str) -> Violation {
    let message = format!(
        "{MAX_MEMBERSHIPS} memberships are given through project {project_id}, the most there may be; give this one in the \
         team itself"
    );
    Violation::on(LIMIT_REACHED, "project_id", message)
}

/// Forgets a membership, whether or not it is in the list: whoever has told the project waits for that.
pub(crate) fn delist(states: &impl StateReader<State = State>, step: &DelistMembership) -> EventData {
    let DelistMembership { project_id, user_id, team_id, with_project, violations } = step.clone();
    let kept = states.get(&project::id(&project_id));
    let left = project::project(&kept).filter(|_| with_project);
    let next = left.and_then(|project| project::next(project, Some((&user_id, &team_id))));
    MembershipDelisted { project_id, user_id, team_id, with_project, violations, next }.into()
}

/// The state after an event of Project.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let before = match state {
        Some(State::Project(project)) => Some(project),
        _ => None,
    };
    let project = match event {
        EventData::ProjectCreated(e) => Some(Project {
            name: e.name.clone(),
            prefix: e.prefix.clone(),
            description: e.description.clone(),
            user_id: e.user_id.clone(),
            team_id: e.team_id.clone(),
            active: e.active,
            public: e.public,
            column_order: e.column_order.clone(),
            deleted: false,
            memberships: Vec::new(),
        }),
        EventData::ProjectUpdated(e) => before.map(|it| Project {
            name: e.name.clone().unwrap_or(it.name),
            prefix: e.prefix.clone().unwrap_or(it.prefix),
            description: e.description.clone().unwrap_or(it.description),
            user_id: e.user_id.clone().unwrap_or(it.user_id),
            team_id: e.team_id.clone().unwrap_or(it.team_id),
            active: e.active.unwrap_or(it.active),
            public: e.public.unwrap_or(it.public),
            column_order: e.column_order.clone().unwrap_or(it.column_order),
            ..it
        }),
        EventData::ProjectDeleted(_) => before.map(|it| Project {
            name: "".into(),
            prefix: "".into(),
            description: "".into(),
            active: false,
            public: false,
            column_order: Vec::new(),
            deleted: true,
            ..it
        }),
        EventData::MembershipEnlisted(e) => before.map(|mut it| {
            if !it.memberships.iter().any(|it| is_it(it, &e.user_id, &e.team_id)) {
                let (user_id, team_id) = (e.user_id.clone(), e.team_id.clone());
                it.memberships.push(GivenMembership { user_id, team_id });
            }
            it
        }),
        EventData::MembershipDelisted(e) => before.map(|mut it| {
            it.memberships.retain(|it| !is_it(it, &e.user_id, &e.team_id));
            it
        }),
        _ => before,
    };
    project.map(State::Project)
}
