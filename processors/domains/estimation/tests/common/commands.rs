//! Commands.

use millrace_domain_estimation::messages::{CommandData, commands};

/// What every estimation of tests is called, and what may be estimated.
pub const TITLE: &str = "Clean the weir";
pub const SCALE: &str = "1,2,4,8";

pub fn open_on(estimation_id: &str, project_id: &str, team_id: &str, scale: &str) -> CommandData {
    commands::OpenEstimation {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        team_id: team_id.into(),
        title: TITLE.into(),
        scale: scale.into(),
    }
    .into()
}

pub fn open(estimation_id: &str, project_id: &str, team_id: &str) -> CommandData {
    open_on(estimation_id, project_id, team_id, SCALE)
}

/// Of an estimation of project and team.
pub type Of<'a> = (&'a str, &'a str, &'a str);

pub fn submit((estimation_id, project_id, team_id): Of<'_>, member_id: &str, points: i64) -> CommandData {
    commands::SubmitEstimate {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        team_id: team_id.into(),
        member_id: member_id.into(),
        points,
    }
    .into()
}

pub fn close((estimation_id, project_id, team_id): Of<'_>) -> CommandData {
    commands::CloseEstimation {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        team_id: team_id.into(),
    }
    .into()
}

pub fn reopen((estimation_id, project_id, team_id): Of<'_>) -> CommandData {
    commands::ReopenEstimation {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        team_id: team_id.into(),
    }
    .into()
}
