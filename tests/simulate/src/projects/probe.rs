//! What somebody asks for who has just seen what happened: nobody may say that it is unknown.

use millrace_domain_projects::messages::commands::{CreateTask, DeleteMembership, MoveTask};
use millrace_domain_projects::{CommandData, EventData};
use millrace_kernel::{Event, Metadata, Text};

use super::ProjectsWorkload;
use super::names::{project, user};
use super::producer::{begin, join, join_for_project, place, role};
use crate::dice::Dice;
use crate::identity::USERS;
use crate::oracle::world::Seen;
use crate::workload::Ask;

/// How many projects somebody who has just come to manage a team begins at most.
const PROJECTS: usize = 6;

/// What it is about.
#[derive(Clone, Copy)]
enum About {
    Team,
    Project,
    Manager,
    Contributor,
    Owner,
    Dismissed,
    Card,
}

fn is_about(event: &EventData, about: About) -> bool {
    match about {
        About::Team => matches!(event, EventData::TeamFounded(_)),
        About::Project => matches!(event, EventData::ProjectTeamSet(_)),
        About::Manager => matches!(event, EventData::ManagerAppointed(_)),
        About::Contributor => matches!(event, EventData::ContributorAppointed(_)),
        About::Owner => matches!(event, EventData::OwnerAppointed(_)),
        About::Dismissed => matches!(event, EventData::ManagerDismissed(_) | EventData::OwnerDismissed(_)),
        About::Card => {
            matches!(event, EventData::TaskCreated(_) | EventData::TaskMoved(_) | EventData::TaskRenamed(_))
        }
    }
}

fn newest(seen: &Seen<ProjectsWorkload>, about: About) -> Option<&Event<EventData>> {
    let events = seen.partitions.iter().filter_map(|partition| {
        partition.events.iter().rev().map(|(_, event)| event).find(|event| is_about(&event.data, about))
    });
    events.max_by_key(|event| event.recorded_at)
}

/// The team that has got a project last, with it.
fn newest_project(seen: &Seen<ProjectsWorkload>, of_team: &Text) -> Option<Text> {
    let events = seen.partitions.iter().flat_map(|partition| &partition.events);
    let set = events.filter_map(|(_, event)| match &event.data {
        EventData::ProjectTeamSet(e) if e.team_id == *of_team => Some((event.recorded_at, &e.project_id)),
        _ => None,
    });
    set.max_by_key(|(at, _)| *at).map(|(_, project_id)| project_id.clone())
}

/// What somebody asks for who has just seen the newest event of some kind.
pub fn probe(seen: &Seen<ProjectsWorkload>, dice: &mut Dice) -> Option<Ask<CommandData>> {
    let all = [
        About::Team,
        About::Project,
        About::Manager,
        About::Contributor,
        About::Owner,
        About::Dismissed,
        About::Card,
        About::Card,
    ];
    if dice.per_mille(250) {
        return None;
    }
    let event = newest(seen, *dice.pick(&all))?;
    let as_user = |user_id: &Text| Metadata { user_id: Some(user_id.clone()), ..Metadata::default() };
    let other = user(dice.below(USERS));
    Some(match &event.data {
        EventData::TeamFounded(e) => (Metadata::default(), join(other, e.team_id.clone(), role(dice))),
        EventData::ProjectTeamSet(e) => {
            let data = join_for_project(e.project_id.clone(), other, e.team_id.clone(), role(dice));
            (Metadata::default(), data)
        }
        EventData::ManagerAppointed(e) if dice.per_mille(500) => {
            let project_id = project(dice.below(PROJECTS));
            (as_user(&e.user_id), begin(project_id, e.user_id.clone(), e.team_id.clone()))
        }
        EventData::ManagerAppointed(e) => (as_user(&e.user_id), join(other, e.team_id.clone(), role(dice))),
        EventData::OwnerAppointed(e) => (as_user(&e.user_id), join(other, e.team_id.clone(), "owner")),
        EventData::ManagerDismissed(e) => {
            let leave = DeleteMembership { team_id: e.team_id.clone(), user_id: other };
            (as_user(&e.user_id), leave.into())
        }
        EventData::OwnerDismissed(e) => (as_user(&e.user_id), join(other, e.team_id.clone(), "owner")),
        EventData::ContributorAppointed(e) => {
            let (column, rank) = place(dice);
            let (project_id, task_id) =
                (newest_project(seen, &e.team_id)?, format!("task-{}", dice.below(9)));
            let title = "Just come".into();
            let task_id = task_id.as_str().into();
            (as_user(&e.user_id), CreateTask { project_id, task_id, title, column, rank }.into())
        }
        EventData::TaskCreated(e) => shift(event, &e.project_id, &e.task_id, dice),
        EventData::TaskMoved(e) => shift(event, &e.project_id, &e.task_id, dice),
        EventData::TaskRenamed(e) => shift(event, &e.project_id, &e.task_id, dice),
        _ => return None,
    })
}

/// Moves a card that was just seen, or was seen before that.
fn shift(event: &Event<EventData>, project_id: &Text, task_id: &Text, dice: &mut Dice) -> Ask<CommandData> {
    let (column, rank) = place(dice);
    let seen = event.version - i64::from(dice.per_mille(250));
    let metadata = Metadata { expected_version: Some(seen), ..Metadata::default() };
    (metadata, MoveTask { project_id: project_id.clone(), task_id: task_id.clone(), column, rank }.into())
}
