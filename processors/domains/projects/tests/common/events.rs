//! Events, and what happens together.

use millrace_domain_projects::messages::{EventData, commands, events};
use millrace_domain_projects::role::Role;
use millrace_kernel::{Text, Violation};

use super::{project, texts};

/// What a role gives to those who look it up.
pub fn appointed(user_id: &str, team_id: &str, role: &str) -> Vec<EventData> {
    let (user_id, team_id): (Text, Text) = (user_id.into(), team_id.into());
    let role = Role::parse(role).unwrap();
    let mut events: Vec<EventData> = Vec::new();
    if role >= Role::Member {
        let (user_id, team_id) = (user_id.clone(), team_id.clone());
        events.push(events::ContributorAppointed { user_id, team_id }.into());
    }
    if role >= Role::Admin {
        let (user_id, team_id) = (user_id.clone(), team_id.clone());
        events.push(events::ManagerAppointed { user_id, team_id }.into());
    }
    if role >= Role::Owner {
        events.push(events::OwnerAppointed { user_id, team_id }.into());
    }
    events
}

/// And what is taken with it.
pub fn dismissed(user_id: &str, team_id: &str, role: &str) -> Vec<EventData> {
    let taken = |event: EventData| -> EventData {
        match event {
            EventData::ContributorAppointed(events::ContributorAppointed { user_id, team_id }) => {
                events::ContributorDismissed { user_id, team_id }.into()
            }
            EventData::ManagerAppointed(events::ManagerAppointed { user_id, team_id }) => {
                events::ManagerDismissed { user_id, team_id }.into()
            }
            EventData::OwnerAppointed(events::OwnerAppointed { user_id, team_id }) => {
                events::OwnerDismissed { user_id, team_id }.into()
            }
            other => other,
        }
    };
    appointed(user_id, team_id, role).into_iter().map(taken).collect()
}

pub fn listed(user_id: &str, team_id: &str) -> EventData {
    events::MemberJoined { user_id: user_id.into(), team_id: team_id.into() }.into()
}

pub fn unlisted(user_id: &str, team_id: &str) -> EventData {
    events::MemberLeft { user_id: user_id.into(), team_id: team_id.into() }.into()
}

pub fn created(user_id: &str, team_id: &str, role: &str) -> EventData {
    events::MembershipCreated {
        membership_id: "m".into(),
        team_id: team_id.into(),
        user_id: user_id.into(),
        role: role.into(),
    }
    .into()
}

pub fn created_for(project_id: &str, user_id: &str, team_id: &str, role: &str) -> EventData {
    events::MembershipCreatedForProject {
        project_id: project_id.into(),
        membership_id: "m".into(),
        team_id: team_id.into(),
        user_id: user_id.into(),
        role: role.into(),
    }
    .into()
}

/// All that happens when somebody becomes a member at once.
pub fn joined(user_id: &str, team_id: &str, role: &str) -> Vec<EventData> {
    let mut events = vec![created(user_id, team_id, role), listed(user_id, team_id)];
    events.extend(appointed(user_id, team_id, role));
    events
}

pub fn requested(
    user_id: &str,
    team_id: &str,
    role: &str,
    project_id: Option<&str>,
    requested_by: Option<&str>,
) -> EventData {
    events::MembershipRequested {
        membership_id: "m".into(),
        team_id: team_id.into(),
        user_id: user_id.into(),
        role: role.into(),
        project_id: project_id.map(Into::into),
        requested_by: requested_by.map(Into::into),
    }
    .into()
}

/// All that happens until somebody is a member through a project.
pub fn given_through(project_id: &str, user_id: &str, team_id: &str, role: &str) -> Vec<EventData> {
    let mut events = vec![
        requested(user_id, team_id, role, Some(project_id), None),
        listed(user_id, team_id),
        enlisted(project_id, user_id, team_id),
        created_for(project_id, user_id, team_id, role),
    ];
    events.extend(appointed(user_id, team_id, role));
    events
}

pub fn updated(user_id: &str, team_id: &str, role: &str) -> EventData {
    events::MembershipUpdated { team_id: team_id.into(), user_id: user_id.into(), role: role.into() }.into()
}

pub fn deleted(user_id: &str, team_id: &str, project_id: Option<&str>, with_project: bool) -> EventData {
    events::MembershipDeleted {
        membership_id: "m".into(),
        team_id: team_id.into(),
        user_id: user_id.into(),
        project_id: project_id.map(Into::into),
        with_project,
    }
    .into()
}

pub fn refused(user_id: &str, team_id: &str, violations: Vec<Violation>) -> EventData {
    events::MembershipRefused { team_id: team_id.into(), user_id: user_id.into(), violations }.into()
}

pub fn noted(user_id: &str, team_id: &str, project_id: Option<&str>) -> EventData {
    events::MembershipEndingNoted {
        team_id: team_id.into(),
        user_id: user_id.into(),
        project_id: project_id.map(Into::into),
    }
    .into()
}

pub fn closed(user_id: &str, team_id: &str) -> EventData {
    events::MembershipClosed { team_id: team_id.into(), user_id: user_id.into() }.into()
}

pub fn member_ended(user_id: &str, team_ids: &[&str]) -> EventData {
    events::MemberEnded { user_id: user_id.into(), team_ids: texts(team_ids) }.into()
}

pub fn founded(team_id: &str, user_id: &str) -> EventData {
    events::TeamFounded { team_id: team_id.into(), user_id: user_id.into() }.into()
}

/// A team, founded by its owner.
pub fn team(team_id: &str, owner: &str) -> Vec<EventData> {
    let mut events = vec![founded(team_id, owner)];
    events.extend(joined(owner, team_id, "owner"));
    events
}

pub fn enlisted(project_id: &str, user_id: &str, team_id: &str) -> EventData {
    events::MembershipEnlisted {
        project_id: project_id.into(),
        user_id: user_id.into(),
        team_id: team_id.into(),
    }
    .into()
}

pub fn delisted(
    project_id: &str,
    user_id: &str,
    team_id: &str,
    with_project: bool,
    violations: Vec<Violation>,
    next: Option<(&str, &str)>,
) -> EventData {
    events::MembershipDelisted {
        project_id: project_id.into(),
        user_id: user_id.into(),
        team_id: team_id.into(),
        with_project,
        violations,
        next: next.map(as_given),
    }
    .into()
}

fn as_given((user_id, team_id): (&str, &str)) -> events::Given {
    events::Given { user_id: user_id.into(), team_id: team_id.into() }
}

pub fn project_created(of: commands::CreateProject) -> EventData {
    let commands::CreateProject {
        project_id,
        name,
        prefix,
        description,
        user_id,
        team_id,
        active,
        public,
        column_order,
    } = of;
    events::ProjectCreated {
        project_id,
        name,
        prefix,
        description,
        user_id,
        team_id,
        active,
        public,
        column_order,
    }
    .into()
}

/// A project that is begun.
pub fn begun(project_id: &str, user_id: &str, team_id: &str) -> Vec<EventData> {
    let mut events = vec![project_created(project(project_id, user_id, team_id))];
    events.extend((!team_id.is_empty()).then(|| team_set(project_id, team_id)));
    events
}

pub fn project_updated(of: commands::UpdateProject) -> EventData {
    let commands::UpdateProject {
        project_id,
        name,
        prefix,
        description,
        user_id,
        team_id,
        active,
        public,
        column_order,
    } = of;
    events::ProjectUpdated {
        project_id,
        name,
        prefix,
        description,
        user_id,
        team_id,
        active,
        public,
        column_order,
    }
    .into()
}

pub fn project_deleted(project_id: &str, next: Option<(&str, &str)>) -> EventData {
    events::ProjectDeleted { project_id: project_id.into(), next: next.map(as_given) }.into()
}

pub fn team_set(project_id: &str, team_id: &str) -> EventData {
    events::ProjectTeamSet { project_id: project_id.into(), team_id: team_id.into() }.into()
}

pub fn team_cleared(project_id: &str, team_id: &str) -> EventData {
    events::ProjectTeamCleared { project_id: project_id.into(), team_id: team_id.into() }.into()
}

pub fn counted(project_id: &str, tasks: i32, last_number: i64) -> EventData {
    events::BoardCounted { project_id: project_id.into(), tasks, last_number }.into()
}

pub fn task_created(project_id: &str, task_id: &str, number: i64, column: &str, rank: &str) -> EventData {
    events::TaskCreated {
        project_id: project_id.into(),
        task_id: task_id.into(),
        number,
        title: "Clean the weir".into(),
        column: column.into(),
        rank: rank.into(),
    }
    .into()
}

pub fn moved(project_id: &str, task_id: &str, column: &str, rank: &str) -> EventData {
    events::TaskMoved {
        project_id: project_id.into(),
        task_id: task_id.into(),
        column: column.into(),
        rank: rank.into(),
    }
    .into()
}

pub fn renamed(project_id: &str, task_id: &str, title: &str) -> EventData {
    events::TaskRenamed { project_id: project_id.into(), task_id: task_id.into(), title: title.into() }.into()
}

pub fn task_deleted(project_id: &str, task_id: &str) -> EventData {
    events::TaskDeleted { project_id: project_id.into(), task_id: task_id.into() }.into()
}
