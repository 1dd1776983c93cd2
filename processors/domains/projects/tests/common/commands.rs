//! Commands.

use millrace_domain_projects::messages::{CommandData, commands};

use super::{COLUMNS, texts};

pub fn join(user_id: &str, team_id: &str, role: &str) -> CommandData {
    commands::CreateMembership {
        membership_id: "m".into(),
        team_id: team_id.into(),
        user_id: user_id.into(),
        role: role.into(),
    }
    .into()
}

pub fn give(project_id: &str, user_id: &str, team_id: &str, role: &str) -> CommandData {
    commands::CreateMembershipForProject {
        project_id: project_id.into(),
        membership_id: "m".into(),
        team_id: team_id.into(),
        user_id: user_id.into(),
        role: role.into(),
    }
    .into()
}

pub fn promote(user_id: &str, team_id: &str, role: &str) -> CommandData {
    commands::UpdateMembership { team_id: team_id.into(), user_id: user_id.into(), role: role.into() }.into()
}

pub fn leave(user_id: &str, team_id: &str) -> CommandData {
    commands::DeleteMembership { team_id: team_id.into(), user_id: user_id.into() }.into()
}

pub fn project(project_id: &str, user_id: &str, team_id: &str) -> commands::CreateProject {
    commands::CreateProject {
        project_id: project_id.into(),
        name: "Mill race".into(),
        prefix: "MIL".into(),
        description: "Water\nfor the mill".into(),
        user_id: user_id.into(),
        team_id: team_id.into(),
        active: true,
        public: false,
        column_order: texts(&COLUMNS),
    }
}

/// That gives nothing.
pub fn nothing_for(project_id: &str) -> commands::UpdateProject {
    commands::UpdateProject {
        project_id: project_id.into(),
        name: None,
        prefix: None,
        description: None,
        user_id: None,
        team_id: None,
        active: None,
        public: None,
        column_order: None,
    }
}

pub fn to_team(project_id: &str, team_id: &str) -> CommandData {
    commands::UpdateProject { team_id: Some(team_id.into()), ..nothing_for(project_id) }.into()
}

pub fn columns(project_id: &str, columns: &[&str]) -> CommandData {
    commands::UpdateProject { column_order: Some(texts(columns)), ..nothing_for(project_id) }.into()
}

pub fn drop_project(project_id: &str) -> CommandData {
    commands::DeleteProject { project_id: project_id.into() }.into()
}

pub fn task(project_id: &str, task_id: &str, column: &str, rank: &str) -> CommandData {
    commands::CreateTask {
        project_id: project_id.into(),
        task_id: task_id.into(),
        title: "Clean the weir".into(),
        column: column.into(),
        rank: rank.into(),
    }
    .into()
}

pub fn shift(project_id: &str, task_id: &str, column: &str, rank: &str) -> CommandData {
    commands::MoveTask {
        project_id: project_id.into(),
        task_id: task_id.into(),
        column: column.into(),
        rank: rank.into(),
    }
    .into()
}

pub fn rename(project_id: &str, task_id: &str, title: &str) -> CommandData {
    commands::RenameTask { project_id: project_id.into(), task_id: task_id.into(), title: title.into() }
        .into()
}

pub fn drop_task(project_id: &str, task_id: &str) -> CommandData {
    commands::DeleteTask { project_id: project_id.into(), task_id: task_id.into() }.into()
}
