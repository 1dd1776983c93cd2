//! Estimation: what is asked of a team, what its members have said, and what commands ask of it. How one opens and how it ends
//! with its project is in `steps`.

use std::sync::Arc;

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, LIMIT_REACHED, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation, id};

use crate::messages::EventData;
use crate::messages::commands::{CloseEstimation, OpenEstimation, ReopenEstimation, SubmitEstimate};
use crate::messages::events::{
    Estimate, EstimateSubmitted, EstimationClosed, EstimationReopeningRequested, EstimationRequested,
};
use crate::messages::state::{Estimation, MemberEstimate, State};
use crate::scale::{self, Scale, Tally};
use crate::{listing, who};

/// The kind of aggregate.
pub const KIND: &str = "Estimation";

/// Most members who estimate in a round: what they say is in the state, which is written with each.
pub const MAX_ESTIMATES: usize = 200;
/// Fewest estimates that can be closed: of one alone, everybody would know whose it is before it is turned up.
const FEWEST_ESTIMATES: usize = 2;

/// Where an estimation stands, as it is written in its state.
pub mod status {
    /// The project is still to take note of it.
    pub const REQUESTED: &str = "REQUESTED";
    /// Members estimate.
    pub const OPEN: &str = "OPEN";
    /// It is closed, and the project is still to forget it.
    pub const CLOSING: &str = "CLOSING";
    /// It is closed.
    pub const CLOSED: &str = "CLOSED";
    /// It is closed, and the project is to take note that it opens again.
    pub const REOPENING: &str = "REOPENING";
    /// It was open when its project ended.
    pub const ENDED: &str = "ENDED";
}

/// `Estimation/<estimation_id>`
#[must_use]
pub fn id(estimation_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[estimation_id])
}

/// What is kept of an estimation.
pub(crate) type Kept = Option<Arc<State>>;

/// The estimation in what is kept.
pub(crate) fn estimation(kept: &Kept) -> Option<&Estimation> {
    kept.as_deref().and_then(State::estimation)
}

/// Opens one as soon as the project has taken note of it.
pub(crate) fn open(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &OpenEstimation,
) -> Result<Vec<EventData>, Rejections> {
    let OpenEstimation { estimation_id, project_id, team_id, title, scale } = command;
    let mut rejections = Rejections::none();
    let of_team = who::manages(&mut rejections, states, actor, team_id);
    if rejections.well_formed("estimation_id", estimation_id)
        && let Some(states) = of_team
    {
        rejections.require(states.get(&id(estimation_id)).is_none(), || {
            let message = format!("estimation id {estimation_id} is taken; choose another");
            Violation::on(ALREADY_EXISTS, "estimation_id", message)
        });
    }
    who::is_of_team(&mut rejections, of_team, project_id, team_id);
    rejections.well_formed("team_id", team_id);
    rejections.words("title", title);
    scale::well_formed(&mut rejections, scale);
    rejections.or(|| {
        let requested = EstimationRequested {
            estimation_id: estimation_id.clone(),
            project_id: project_id.clone(),
            team_id: team_id.clone(),
            title: title.clone(),
            scale: scale.clone(),
        };
        vec![requested.into()]
    })
}

/// The estimation of a command, if the acting user may know of it, and it is that project's and that team's.
fn found(
    rejections: &mut Rejections,
    states: Option<&impl StateReader<State = State>>,
    estimation_id: &str,
    (project_id, team_id): (&str, &str),
) -> Kept {
    if !rejections.well_formed("estimation_id", estimation_id) {
        return None;
    }
    let kept = states?.get(&id(estimation_id));
    if !id::is_valid(project_id) || !id::is_valid(team_id) {
        return None;
    }
    let is_its = estimation(&kept).is_some_and(|it| *it.project_id == *project_id && *it.team_id == *team_id);
    let is_there = rejections.require(is_its, || {
        let message = format!("project {project_id} of team {team_id} has no estimation {estimation_id}");
        Violation::on(NOT_FOUND, "estimation_id", message)
    });
    if is_there { kept } else { None }
}

/// The estimation must stand at one of these; `else_said` is what is said of one that is closed, or open.
fn stands_at(
    rejections: &mut Rejections,
    kept: &Kept,
    estimation_id: &str,
    wanted: &str,
    else_said: &str,
) -> bool {
    let Some(estimation) = estimation(kept) else { return false };
    rejections.require(estimation.status == wanted, || {
        let said = match &*estimation.status {
            status::REQUESTED => "is still being opened; send this again when that has its outcome",
            status::CLOSING if wanted == status::CLOSED => {
                "is still being closed; send this again when that has its outcome"
            }
            status::REOPENING if wanted == status::CLOSED => {
                "is being reopened already; look what becomes of that"
            }
            status::ENDED => "has ended with its project, for good",
            _ => else_said,
        };
        Violation::on(INVALID_STATE, "estimation_id", format!("estimation {estimation_id} {said}"))
    })
}

/// Takes in what a member says, in place of what they have said before.
pub(crate) fn submit(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &SubmitEstimate,
) -> Result<Vec<EventData>, Rejections> {
    let SubmitEstimate { estimation_id, project_id, team_id, member_id, points } = command;
    let mut rejections = Rejections::none();
    let of_member = who::estimates(&mut rejections, states, actor, member_id, team_id);
    let kept = found(&mut rejections, of_member, estimation_id, (project_id, team_id));
    let is_open = stands_at(
        &mut rejections,
        &kept,
        estimation_id,
        status::OPEN,
        "is closed; nobody estimates until it is reopened",
    );
    let asked = estimation(&kept).filter(|_| is_open);
    rejections.require(asked.is_none_or(|it| has_room(it, member_id)), || {
        let message =
            format!("{MAX_ESTIMATES} members have estimated, the most there may be; others can only look on");
        Violation::on(LIMIT_REACHED, "estimation_id", message)
    });
    who::is_of_team(&mut rejections, of_member, project_id, team_id);
    rejections.well_formed("team_id", team_id);
    who::is_member(&mut rejections, of_member, member_id, team_id);
    if let Some(scale) = estimation(&kept).and_then(|it| Scale::parse(&it.scale)) {
        scale::is_on(&mut rejections, &scale, *points);
    }
    match asked {
        Some(estimation) if rejections.is_empty() => {
            let submitted = EstimateSubmitted {
                estimation_id: estimation_id.clone(),
                project_id: project_id.clone(),
                member_id: member_id.clone(),
                round: estimation.round,
                points: *points,
            };
            Ok(vec![submitted.into()])
        }
        _ => Err(rejections),
    }
}

fn has_room(estimation: &Estimation, member_id: &str) -> bool {
    estimation.estimates.len() < MAX_ESTIMATES
        || estimation.estimates.iter().any(|it| *it.member_id == *member_id)
}

/// Turns up all that was said, at once for everybody; the command has its outcome when the project has forgotten it. Whoever
/// manages the team may do so as long as it is open, whatever has become of the project.
pub(crate) fn close(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CloseEstimation,
) -> Result<Vec<EventData>, Rejections> {
    let CloseEstimation { estimation_id, project_id, team_id } = command;
    let mut rejections = Rejections::none();
    let of_team = who::manages(&mut rejections, states, actor, team_id);
    let kept = found(&mut rejections, of_team, estimation_id, (project_id, team_id));
    let is_open = stands_at(&mut rejections, &kept, estimation_id, status::OPEN, "is closed already");
    rejections.well_formed("project_id", project_id);
    rejections.well_formed("team_id", team_id);
    let asked = estimation(&kept).filter(|_| is_open);
    rejections.require(asked.is_none_or(|it| it.estimates.len() >= FEWEST_ESTIMATES), || {
        let message = format!("it takes {FEWEST_ESTIMATES} estimates at least to close an estimation");
        Violation::on(INVALID_STATE, "estimates", message)
    });
    let tally = asked.and_then(|it| Tally::of(it.estimates.iter().map(|it| it.points).collect()));
    match (asked, tally) {
        (Some(estimation), Some(Tally { points, spread })) if rejections.is_empty() => {
            let mut estimates: Vec<Estimate> = estimation
                .estimates
                .iter()
                .map(|it| Estimate { member_id: it.member_id.clone(), points: it.points })
                .collect();
            estimates.sort_by(|one, other| one.member_id.cmp(&other.member_id));
            let closed = EstimationClosed {
                estimation_id: estimation_id.clone(),
                project_id: project_id.clone(),
                round: estimation.round,
                points,
                spread,
                estimates,
            };
            Ok(vec![closed.into()])
        }
        _ => Err(rejections),
    }
}

/// Begins another round as soon as the project has taken note of it.
pub(crate) fn reopen(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &ReopenEstimation,
) -> Result<Vec<EventData>, Rejections> {
    let ReopenEstimation { estimation_id, project_id, team_id } = command;
    let mut rejections = Rejections::none();
    let of_team = who::manages(&mut rejections, states, actor, team_id);
    let kept = found(&mut rejections, of_team, estimation_id, (project_id, team_id));
    stands_at(&mut rejections, &kept, estimation_id, status::CLOSED, "is open; close it first");
    // that a project has ended is known here as soon as anything has come of it, whatever the look-up says
    if estimation(&kept).is_some_and(|it| it.is_over) {
        rejections.push(listing::has_ended(project_id));
    } else {
        who::is_of_team(&mut rejections, of_team, project_id, team_id);
    }
    rejections.well_formed("team_id", team_id);
    rejections.or(|| {
        let (estimation_id, project_id) = (estimation_id.clone(), project_id.clone());
        vec![EstimationReopeningRequested { estimation_id, project_id }.into()]
    })
}

/// The state after an event of Estimation.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    let before = match state {
        Some(State::Estimation(estimation)) => Some(estimation),
        _ => None,
    };
    let with = |status: &str| before.clone().map(|it| Estimation { status: status.into(), ..it });
    let silent = |it: Estimation| Estimation { estimates: Vec::new(), ..it };
    let estimation = match event {
        EventData::EstimationRequested(e) => Some(Estimation {
            project_id: e.project_id.clone(),
            team_id: e.team_id.clone(),
            title: e.title.clone(),
            scale: e.scale.clone(),
            status: status::REQUESTED.into(),
            round: 1,
            estimates: Vec::new(),
            is_over: false,
        }),
        EventData::EstimationRefused(_) => None,
        EventData::EstimationOpened(_) => with(status::OPEN),
        EventData::EstimateSubmitted(e) => before.map(|mut it| {
            match it.estimates.iter_mut().find(|it| it.member_id == e.member_id) {
                Some(estimate) => estimate.points = e.points,
                None => {
                    it.estimates.push(MemberEstimate { member_id: e.member_id.clone(), points: e.points });
                }
            }
            it
        }),
        EventData::EstimationClosed(_) => with(status::CLOSING).map(silent),
        EventData::EstimationSettled(_) | EventData::EstimationReopeningRefused(_) => with(status::CLOSED),
        EventData::EstimationReopeningRequested(_) => with(status::REOPENING),
        EventData::EstimationReopened(e) => {
            with(status::OPEN).map(|it| Estimation { round: e.round, ..silent(it) })
        }
        EventData::EstimationEnded(_) => with(status::ENDED).map(|it| Estimation {
            title: "".into(),
            scale: "".into(),
            is_over: true,
            ..silent(it)
        }),
        EventData::EstimationEndingNoted(_) => before.map(|it| Estimation { is_over: true, ..it }),
        _ => before,
    };
    estimation.map(State::Estimation)
}
