//! What somebody asks for who has just seen what happened, here or in projects: nobody may say that it is unknown.

use millrace_domain_estimation::messages::commands::{CloseEstimation, ReopenEstimation};
use millrace_domain_estimation::{CommandData, EventData, StepData};
use millrace_kernel::{Event, Metadata, Text};

use super::EstimationWorkload;
use super::producer::{open, points, say};
use crate::dice::Dice;
use crate::neighbours::Neighbours;
use crate::oracle::world::Seen;
use crate::projects::names::{project, user};
use crate::workload::Ask;

/// Whose messages are looked at beside this domain's.
const PROJECTS: &str = "projects";

fn nobody() -> Metadata {
    Metadata::default()
}

fn as_user(user_id: &str) -> Metadata {
    Metadata { user_id: Some(user_id.into()), ..Metadata::default() }
}

/// The newest event that says something of an estimation that was opened, with its project and team.
fn newest(seen: &Seen<EstimationWorkload>) -> Option<(&Event<EventData>, Text, Text, Text)> {
    let events = || seen.partitions.iter().flat_map(|partition| &partition.events).map(|(_, event)| event);
    let of = |event: &EventData| match event {
        EventData::EstimationOpened(e) => Some(e.estimation_id.clone()),
        EventData::EstimationReopened(e) => Some(e.estimation_id.clone()),
        EventData::EstimateSubmitted(e) => Some(e.estimation_id.clone()),
        EventData::EstimationSettled(e) => Some(e.estimation_id.clone()),
        _ => None,
    };
    let newest = events().filter(|event| of(&event.data).is_some()).max_by_key(|event| event.recorded_at)?;
    let id = of(&newest.data)?;
    let opened = events().find_map(|event| match &event.data {
        EventData::EstimationOpened(e) if e.estimation_id == id => {
            Some((e.project_id.clone(), e.team_id.clone()))
        }
        _ => None,
    });
    opened.map(|(project_id, team_id)| (newest, id, project_id, team_id))
}

/// Somebody who can be seen to work in a team.
fn contributor(neighbours: &Neighbours<StepData>, team_id: &str, dice: &mut Dice) -> Option<Text> {
    let its = neighbours.came(PROJECTS).iter().filter_map(|id| {
        let (user_id, team) = id.strip_prefix("Contributor/")?.split_once('/')?;
        (team == team_id).then_some(user_id)
    });
    let its: Vec<&str> = its.collect();
    (!its.is_empty()).then(|| Text::from(*dice.pick(&its)))
}

/// What somebody asks for who has just seen the newest event here.
pub fn probe(
    seen: &Seen<EstimationWorkload>,
    neighbours: &Neighbours<StepData>,
    dice: &mut Dice,
) -> Option<Ask<CommandData>> {
    if dice.per_mille(400) {
        return None;
    }
    let (event, estimation_id, project_id, team_id) = newest(seen)?;
    let says = |dice: &mut Dice| {
        let member_id = contributor(neighbours, &team_id, dice)?;
        let metadata = if dice.per_mille(500) { as_user(&member_id) } else { nobody() };
        Some((metadata, say(&estimation_id, &project_id, &team_id, member_id, points(dice))))
    };
    let (id, project, team) = (estimation_id.clone(), project_id.clone(), team_id.clone());
    match &event.data {
        EventData::EstimateSubmitted(_) if dice.per_mille(350) => {
            let close = CloseEstimation { estimation_id: id, project_id: project, team_id: team };
            // whoever closes exactly what they have seen says which
            let expected_version = dice.per_mille(500).then_some(event.version);
            Some((Metadata { expected_version, ..nobody() }, close.into()))
        }
        EventData::EstimationSettled(_) => {
            let reopen = ReopenEstimation { estimation_id: id, project_id: project, team_id: team };
            Some((nobody(), reopen.into()))
        }
        _ => says(dice),
    }
}

/// What somebody asks for who has just seen what has come in projects.
pub fn meet(neighbours: &Neighbours<StepData>, dice: &mut Dice) -> Option<Ask<CommandData>> {
    let kind = *dice.pick(&["ProjectTeam/", "Manager/", "Contributor/"]);
    let newest = neighbours.came(PROJECTS).iter().rev().find_map(|id| id.strip_prefix(kind))?;
    let (one, team_id) = newest.split_once('/')?;
    let id: Text = format!("estimation-met-{}", dice.below(4)).as_str().into();
    Some(match kind {
        "ProjectTeam/" => (nobody(), open(id, one.into(), team_id.into(), dice)),
        "Manager/" => (as_user(one), open(id, project(dice.below(3)), team_id.into(), dice)),
        _ => {
            let (id, member_id) = (format!("estimation-{}", dice.below(3)).as_str().into(), Text::from(one));
            let is_own = dice.per_mille(800);
            let who = if is_own { member_id.clone() } else { user(dice.below(4)) };
            (as_user(one), say(&id, &project(dice.below(3)), &team_id.into(), who, points(dice)))
        }
    })
}
