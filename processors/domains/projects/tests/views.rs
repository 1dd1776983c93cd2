//! The tables, compared with what naive code makes of the events.

use crate::common;
use crate::histories::History;

use std::collections::BTreeMap;

use common::*;
use millrace_domain_projects::member::USER;
use millrace_domain_projects::messages::commands::{CreateProject, UpdateProject};
use millrace_domain_projects::messages::rows::{
    ProjectBoardRow, ProjectsByTeamRow, ProjectsRow, TeamMembersRow, TeamsByUserRow,
};
use millrace_domain_projects::{EventData, Projects};
use millrace_kernel::{Domain, Event, NoSettings, Writes};
use millrace_ports::ViewStore;
use millrace_testkit::store::memory::MemoryStore;
use millrace_testkit::tables::{Dice, filled, rows, tables};
use millrace_testkit::world::World;

/// All tables, each by its key.
#[derive(Debug, Default, PartialEq)]
pub struct Shown {
    pub members: BTreeMap<(String, String), TeamMembersRow>,
    pub teams: BTreeMap<(String, String), TeamsByUserRow>,
    pub projects: BTreeMap<String, ProjectsRow>,
    pub by_team: BTreeMap<(String, String), ProjectsByTeamRow>,
    pub cards: BTreeMap<(String, String), ProjectBoardRow>,
}

pub fn shown(store: &MemoryStore) -> Shown {
    let mut shown = Shown::default();
    for row in rows(store, TeamMembersRow::TABLE, TeamMembersRow::from_values) {
        shown.members.insert((row.team_id.to_string(), row.user_id.to_string()), row);
    }
    for row in rows(store, TeamsByUserRow::TABLE, TeamsByUserRow::from_values) {
        shown.teams.insert((row.user_id.to_string(), row.team_id.to_string()), row);
    }
    for row in rows(store, ProjectsRow::TABLE, ProjectsRow::from_values) {
        shown.projects.insert(row.project_id.to_string(), row);
    }
    for row in rows(store, ProjectsByTeamRow::TABLE, ProjectsByTeamRow::from_values) {
        shown.by_team.insert((row.team_id.to_string(), row.project_id.to_string()), row);
    }
    for row in rows(store, ProjectBoardRow::TABLE, ProjectBoardRow::from_values) {
        let before = shown.cards.insert((row.project_id.to_string(), row.task_id.to_string()), row);
        assert_eq!(before, None, "a card stands in one place");
    }
    shown
}

/// Adds up by hand.
pub fn by_hand(events: &[(i32, Event<EventData>)]) -> Shown {
    let mut shown = Shown::default();
    let mut projects: BTreeMap<String, (CreateProject, i64, i64, i64)> = BTreeMap::new();
    for (_, event) in events {
        let (at, version) = (event.recorded_at, event.version);
        match &event.data {
            EventData::MembershipCreated(e) => {
                let row = TeamMembersRow {
                    team_id: e.team_id.as_str().into(),
                    user_id: e.user_id.as_str().into(),
                    membership_id: e.membership_id.as_str().into(),
                    role: e.role.as_str().into(),
                    project_id: None,
                    since: at,
                    version,
                };
                shown.members.insert((e.team_id.to_string(), e.user_id.to_string()), row);
            }
            EventData::MembershipCreatedForProject(e) => {
                let row = TeamMembersRow {
                    team_id: e.team_id.as_str().into(),
                    user_id: e.user_id.as_str().into(),
                    membership_id: e.membership_id.as_str().into(),
                    role: e.role.as_str().into(),
                    project_id: Some(e.project_id.as_str().into()),
                    since: at,
                    version,
                };
                shown.members.insert((e.team_id.to_string(), e.user_id.to_string()), row);
            }
            EventData::MembershipUpdated(e) => {
                let row = shown.members.get_mut(&(e.team_id.to_string(), e.user_id.to_string())).unwrap();
                (row.role, row.version) = (e.role.as_str().into(), version);
            }
            EventData::MembershipDeleted(e) => {
                shown.members.remove(&(e.team_id.to_string(), e.user_id.to_string())).unwrap();
            }
            EventData::ProjectCreated(e) => {
                let is = project(&e.project_id, &e.user_id, &e.team_id);
                let is = CreateProject {
                    name: e.name.clone(),
                    prefix: e.prefix.clone(),
                    description: e.description.clone(),
                    active: e.active,
                    public: e.public,
                    column_order: e.column_order.clone(),
                    ..is
                };
                projects.insert(e.project_id.to_string(), (is, at, at, version));
            }
            EventData::ProjectUpdated(e) => {
                let (is, _, updated_at, known) = projects.get_mut(e.project_id.as_str()).unwrap();
                (*updated_at, *known) = (at, version);
                if let Some(name) = &e.name {
                    is.name = name.clone();
                }
                if let Some(prefix) = &e.prefix {
                    is.prefix = prefix.clone();
                }
                if let Some(description) = &e.description {
                    is.description = description.clone();
                }
                if let Some(user_id) = &e.user_id {
                    is.user_id = user_id.clone();
                }
                if let Some(team_id) = &e.team_id {
                    is.team_id = team_id.clone();
                }
                if let Some(active) = e.active {
                    is.active = active;
                }
                if let Some(public) = e.public {
                    is.public = public;
                }
                if let Some(columns) = &e.column_order {
                    is.column_order = columns.clone();
                }
            }
            EventData::ProjectDeleted(e) => {
                projects.remove(e.project_id.as_str()).unwrap();
                shown.cards.retain(|(project_id, _), _| **project_id != *e.project_id);
            }
            EventData::TaskCreated(e) => {
                let row = ProjectBoardRow {
                    project_id: e.project_id.as_str().into(),
                    column: e.column.as_str().into(),
                    rank: e.rank.as_str().into(),
                    task_id: e.task_id.as_str().into(),
                    number: e.number,
                    title: e.title.as_str().into(),
                    created_at: at,
                    updated_at: at,
                    version,
                };
                shown.cards.insert((e.project_id.to_string(), e.task_id.to_string()), row);
            }
            EventData::TaskMoved(e) => {
                let row = shown.cards.get_mut(&(e.project_id.to_string(), e.task_id.to_string())).unwrap();
                (row.column, row.rank) = (e.column.as_str().into(), e.rank.as_str().into());
                (row.updated_at, row.version) = (at, version);
            }
            EventData::TaskRenamed(e) => {
                let row = shown.cards.get_mut(&(e.project_id.to_string(), e.task_id.to_string())).unwrap();
                (row.title, row.updated_at, row.version) = (e.title.as_str().into(), at, version);
            }
            EventData::TaskDeleted(e) => {
                shown.cards.remove(&(e.project_id.to_string(), e.task_id.to_string())).unwrap();
            }
            _ => {}
        }
    }
    for row in shown.members.values() {
        let (user_id, team_id) = (row.user_id.clone(), row.team_id.clone());
        let key = (user_id.to_string(), team_id.to_string());
        shown
            .teams
            .insert(key, TeamsByUserRow { user_id, team_id, role: row.role.clone(), since: row.since });
    }
    for (project_id, (is, created_at, updated_at, version)) in projects {
        let is_alone = is.team_id.is_empty();
        let key = if is_alone { format!("@{}", is.user_id) } else { is.team_id.to_string() };
        let private_to = is_alone.then(|| is.user_id.as_str().into());
        let columns: Vec<String> = is.column_order.iter().map(|it| format!("\"{it}\"")).collect();
        shown.by_team.insert(
            (key.clone(), project_id.clone()),
            ProjectsByTeamRow {
                team_id: key.as_str().into(),
                project_id: project_id.as_str().into(),
                name: is.name.as_str().into(),
                prefix: is.prefix.as_str().into(),
                user_id: is.user_id.as_str().into(),
                private_to: is_alone.then(|| is.user_id.as_str().into()),
                active: is.active,
                public: is.public,
            },
        );
        let row = ProjectsRow {
            project_id: project_id.as_str().into(),
            name: is.name.as_str().into(),
            prefix: is.prefix.as_str().into(),
            description: is.description.as_str().into(),
            user_id: is.user_id.as_str().into(),
            team_id: is.team_id.as_str().into(),
            private_to,
            active: is.active,
            public: is.public,
            column_order: format!("[{}]", columns.join(",")).into(),
            created_at,
            updated_at,
            version,
        };
        shown.projects.insert(project_id, row);
    }
    shown
}

#[test]
fn tables_show_what_has_happened() {
    const PARTITIONS: i32 = 3;
    let mut most = (0, 0, 0);
    for seed in 0..60_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9) + 3);
        let mut history = History::new(PARTITIONS);
        for turn in 0..300 {
            history.act(&mut dice);
            if dice.below(12) == 0 {
                let text = |text: String| Some(text.as_str().into());
                let change = UpdateProject {
                    name: text(format!("n{turn}")),
                    user_id: text(["ann", "bob"][dice.below(2)].to_owned()),
                    active: Some(dice.below(2) == 0),
                    public: Some(dice.below(2) == 0),
                    ..nothing_for(["p", "q", "r"][dice.below(3)])
                };
                history.world.tick(1_000);
                history.send(None, None, change.into());
            }
        }
        history.world.settle();
        let expected = by_hand(history.world.events());
        let store = filled::<Projects>(history.world.events(), &NoSettings {}, PARTITIONS, &mut dice);
        assert_eq!(shown(&store), expected, "seed {seed}");
        let Shown { members, projects, cards, .. } = expected;
        most = (most.0.max(members.len()), most.1.max(projects.len()), most.2.max(cards.len()));
    }
    assert!(most.0 > 5 && most.1 == 3 && most.2 > 5, "the histories are worth their name: {most:?}");
}

/// A board of many cards goes in pieces, each row once.
#[test]
fn the_board_of_a_project_that_is_deleted_goes_row_by_row() {
    let mut world = World::<Projects>::new(1);
    world.set_elsewhere(USER, &["bob"], true);
    world.command(project("p", "bob", ""));
    world.command(project("q", "bob", ""));
    for n in 0..250 {
        world.command(task("p", &format!("c{n}"), "todo", "m"));
    }
    world.command(task("q", "c1", "todo", "m"));
    world.command(drop_project("p"));
    let store = tables::<Projects>();
    for family in Projects::projections(&NoSettings {}) {
        let mut projector = family.standalone(0);
        for (_, event) in world.events() {
            let mut writes = Writes::new();
            projector.stage(event, &mut writes);
            for stage in writes.take().stages {
                store.apply(&stage.writes).unwrap();
                for fan_out in stage.fan_outs {
                    let mut is_more = true;
                    while is_more {
                        let mut rows = Vec::new();
                        is_more = projector.fan_out(fan_out, 100, &mut rows);
                        assert!(rows.len() <= 100);
                        store.apply(&rows).unwrap();
                    }
                }
            }
        }
    }
    let shown = shown(&store);
    assert_eq!(shown.cards.keys().collect::<Vec<_>>(), [&("q".to_owned(), "c1".to_owned())]);
    assert_eq!(shown, by_hand(world.events()));
}
