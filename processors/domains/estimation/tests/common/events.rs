//! Events, and what happens together. Estimations `e…` are of the project and the team that are said when they are opened.

use millrace_domain_estimation::messages::{EventData, events};
use millrace_kernel::Violation;

use super::{SCALE, TITLE, texts};

pub fn requested_on(estimation_id: &str, project_id: &str, team_id: &str, scale: &str) -> EventData {
    events::EstimationRequested {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        team_id: team_id.into(),
        title: TITLE.into(),
        scale: scale.into(),
    }
    .into()
}

pub fn requested(estimation_id: &str, project_id: &str, team_id: &str) -> EventData {
    requested_on(estimation_id, project_id, team_id, SCALE)
}

pub fn opened_on(estimation_id: &str, project_id: &str, team_id: &str, scale: &str) -> EventData {
    events::EstimationOpened {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        team_id: team_id.into(),
        title: TITLE.into(),
        scale: scale.into(),
    }
    .into()
}

pub fn opened(estimation_id: &str, project_id: &str, team_id: &str) -> EventData {
    opened_on(estimation_id, project_id, team_id, SCALE)
}

/// All that happens until it is open.
pub fn begun_on(estimation_id: &str, project_id: &str, team_id: &str, scale: &str) -> Vec<EventData> {
    vec![
        requested_on(estimation_id, project_id, team_id, scale),
        enlisted(project_id, estimation_id, true),
        opened_on(estimation_id, project_id, team_id, scale),
    ]
}

pub fn begun(estimation_id: &str, project_id: &str, team_id: &str) -> Vec<EventData> {
    begun_on(estimation_id, project_id, team_id, SCALE)
}

pub fn refused(estimation_id: &str, project_id: &str, violations: Vec<Violation>) -> EventData {
    events::EstimationRefused {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        violations,
    }
    .into()
}

pub fn submitted(
    estimation_id: &str,
    project_id: &str,
    member_id: &str,
    round: i32,
    points: i64,
) -> EventData {
    events::EstimateSubmitted {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        member_id: member_id.into(),
        round,
        points,
    }
    .into()
}

/// With points, spread and all estimates.
pub fn closed(
    estimation_id: &str,
    project_id: &str,
    round: i32,
    (points, spread): (i64, i64),
    estimates: &[(&str, i64)],
) -> EventData {
    let estimate = |(member_id, points): &(&str, i64)| events::Estimate {
        member_id: (*member_id).into(),
        points: *points,
    };
    events::EstimationClosed {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        round,
        points,
        spread,
        estimates: estimates.iter().map(estimate).collect(),
    }
    .into()
}

pub fn settled(estimation_id: &str, project_id: &str) -> EventData {
    events::EstimationSettled { estimation_id: estimation_id.into(), project_id: project_id.into() }.into()
}

pub fn reopening(estimation_id: &str, project_id: &str) -> EventData {
    events::EstimationReopeningRequested {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
    }
    .into()
}

pub fn reopening_refused(estimation_id: &str, project_id: &str, violations: Vec<Violation>) -> EventData {
    events::EstimationReopeningRefused {
        estimation_id: estimation_id.into(),
        project_id: project_id.into(),
        violations,
    }
    .into()
}

pub fn reopened(estimation_id: &str, project_id: &str, round: i32) -> EventData {
    events::EstimationReopened { estimation_id: estimation_id.into(), project_id: project_id.into(), round }
        .into()
}

pub fn ended(estimation_id: &str, project_id: &str) -> EventData {
    events::EstimationEnded { estimation_id: estimation_id.into(), project_id: project_id.into() }.into()
}

pub fn noted(estimation_id: &str, project_id: &str) -> EventData {
    events::EstimationEndingNoted { estimation_id: estimation_id.into(), project_id: project_id.into() }
        .into()
}

pub fn enlisted(project_id: &str, estimation_id: &str, is_first: bool) -> EventData {
    events::EstimationEnlisted {
        project_id: project_id.into(),
        estimation_id: estimation_id.into(),
        is_first,
    }
    .into()
}

pub fn delisted(project_id: &str, estimation_id: &str) -> EventData {
    events::EstimationDelisted { project_id: project_id.into(), estimation_id: estimation_id.into() }.into()
}

pub fn project_ended(project_id: &str, estimation_ids: &[&str]) -> EventData {
    events::ProjectEstimationsEnded { project_id: project_id.into(), estimation_ids: texts(estimation_ids) }
        .into()
}

/// Ann says 2 and Bob 8, which is turned up and settled, in round 1.
pub fn played(estimation_id: &str, project_id: &str) -> Vec<EventData> {
    vec![
        submitted(estimation_id, project_id, "ann", 1, 2),
        submitted(estimation_id, project_id, "bob", 1, 8),
        closed(estimation_id, project_id, 1, (8, 6), &[("ann", 2), ("bob", 8)]),
        delisted(project_id, estimation_id),
        settled(estimation_id, project_id),
    ]
}
