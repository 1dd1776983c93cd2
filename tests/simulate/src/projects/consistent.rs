//! What must hold of all teams and projects together when nothing goes on any more.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_projects::EventData;
use millrace_kernel::Text;

use super::model::{ROLES, Suite};
use crate::holds;
use crate::oracle::world::{Failure, World};

/// Lists, ranks, memberships, projects and boards agree; nothing is on its way any more.
///
/// # Errors
/// What does not hold.
pub fn all_agree(suite: &Suite) -> Result<(), Failure> {
    let (mut of_users, mut by_role, mut given) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for ((user_id, team_id), it) in &suite.memberships {
        holds!(it.status == "ACTIVE", "memberships are at rest", "{user_id} in {team_id}: {it:?}");
        let ended = suite.has_ended(user_id);
        holds!(!ended, "who has ended is in no team", "{user_id} is in {team_id}");
        let is_founded = suite.founders.contains_key(team_id);
        holds!(is_founded, "a team with members was founded", "{user_id} is in {team_id}");
        of_users.insert((user_id.clone(), team_id.clone()));
        let ranks = ROLES.iter().find(|(name, _)| *name == it.role).map_or(&[][..], |(_, ranks)| ranks);
        by_role.extend(ranks.iter().map(|rank| (*rank, user_id.clone(), team_id.clone())));
        if let Some(project_id) = &it.project_id {
            given.insert((project_id.clone(), user_id.clone(), team_id.clone()));
        }
    }
    let lists: Vec<(Text, Text)> = suite
        .members
        .iter()
        .flat_map(|(user_id, member)| member.team_ids.iter().map(|it| (user_id.clone(), it.clone())))
        .collect();
    let once: BTreeSet<_> = lists.iter().cloned().collect();
    holds!(
        lists.len() == once.len() && once == of_users,
        "users know of their memberships",
        "{lists:?}, expected {of_users:?}"
    );
    holds!(suite.ranks == by_role, "ranks follow from roles", "{:?}, expected {by_role:?}", suite.ranks);
    let mut listed: Vec<(Text, Text, Text)> = Vec::new();
    let mut teams = BTreeSet::new();
    for (project_id, project) in &suite.projects {
        let its = project.memberships.iter();
        listed.extend(its.map(|it| (project_id.clone(), it.user_id.clone(), it.team_id.clone())));
        let is_left = project.deleted && !project.memberships.is_empty();
        holds!(!is_left, "who came through a project goes with it", "{project_id}: {project:?}");
        if !project.deleted && !project.team_id.is_empty() {
            teams.insert((project_id.clone(), project.team_id.clone()));
        }
    }
    let once: BTreeSet<_> = listed.iter().cloned().collect();
    holds!(
        listed.len() == once.len() && once == given,
        "projects know of those who came through them",
        "{listed:?}, expected {given:?}"
    );
    holds!(suite.teams == teams, "projects and teams agree", "{:?}, expected {teams:?}", suite.teams);
    let mut counts: BTreeMap<Text, i32> = BTreeMap::new();
    for ((project_id, _), task) in &suite.tasks {
        *counts.entry(project_id.clone()).or_default() += i32::from(!task.deleted);
    }
    let boards: BTreeMap<Text, i32> =
        suite.boards.iter().map(|(project_id, board)| (project_id.clone(), board.tasks)).collect();
    holds!(boards == counts, "boards count their cards", "{boards:?}, expected {counts:?}");
    Ok(())
}

/// Whoever has moved a card has seen where it stood: no card is silently back where it was.
///
/// # Errors
/// Somebody has not.
pub fn moves_are_based_on_what_was_there(world: &World<'_, super::ProjectsWorkload>) -> Result<(), Failure> {
    for (number, seen) in world.partitions() {
        for (_, event) in &seen.events {
            let EventData::TaskMoved(moved) = &event.data else { continue };
            let command = seen.commands.iter().find(|(offset, _)| *offset == event.command_offset);
            let based_on = command.and_then(|(_, command)| command.metadata.expected_version);
            holds!(
                based_on == Some(event.version - 1),
                "no card is silently back",
                "partition {number}: {moved:?} at version {} was based on {based_on:?}",
                event.version
            );
        }
    }
    Ok(())
}
