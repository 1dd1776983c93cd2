//! The tables of projects as a plain fold of events.

use std::collections::BTreeMap;

use millrace_domain_projects::EventData;
use millrace_kernel::{Event, Text, Value};

use crate::workload::Place;

/// What rows say of a membership.
#[derive(Clone)]
struct Membership {
    membership_id: String,
    role: String,
    project_id: Option<String>,
    since: i64,
    version: i64,
}

/// What rows say of a project.
#[derive(Clone)]
struct Project {
    name: String,
    prefix: String,
    description: String,
    user_id: String,
    team_id: String,
    active: bool,
    public: bool,
    columns: Vec<Text>,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

/// What rows say of a card.
#[derive(Clone)]
struct Card {
    column: String,
    rank: String,
    number: i64,
    title: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

/// Everything that rows are made of.
#[derive(Clone, Default)]
pub struct Rows {
    /// By team and user.
    memberships: BTreeMap<(String, String), Membership>,
    projects: BTreeMap<String, Project>,
    /// By project and task.
    cards: BTreeMap<(String, String), Card>,
}

fn text(value: &str) -> Value {
    Value::from(value)
}

fn texts<const N: usize>(values: [&str; N]) -> Vec<Value> {
    values.map(text).to_vec()
}

impl Project {
    /// Under which key it stands among the projects of a team.
    fn key(&self) -> String {
        if self.team_id.is_empty() { format!("@{}", self.user_id) } else { self.team_id.clone() }
    }

    fn private_to(&self) -> Value {
        Value::from(Some(self.user_id.as_str()).filter(|_| self.team_id.is_empty()))
    }
}

fn in_team(team_id: &str, user_id: &str) -> Vec<Place> {
    vec![("team_members", texts([team_id, user_id])), ("teams_by_user", texts([user_id, team_id]))]
}

fn on_board(project_id: &str, task_id: &str, card: &Card) -> Place {
    ("project_board", texts([project_id, &card.column, &card.rank, task_id]))
}

impl Rows {
    /// The row at a place.
    pub fn row(&self, (table, key): &Place) -> Option<Vec<Value>> {
        let ids: Vec<&str> = key
            .iter()
            .map(|value| match value {
                Value::Text(id) => &**id,
                other => unreachable!("{other:?} is no id"),
            })
            .collect();
        match (*table, ids.as_slice()) {
            ("team_members", [team_id, user_id]) => {
                let it = self.memberships.get(&((*team_id).to_owned(), (*user_id).to_owned()))?;
                let project_id = Value::from(it.project_id.as_deref());
                let mut row = texts([team_id, user_id, &it.membership_id, &it.role]);
                row.extend([project_id, it.since.into(), it.version.into()]);
                Some(row)
            }
            ("teams_by_user", [user_id, team_id]) => {
                let it = self.memberships.get(&((*team_id).to_owned(), (*user_id).to_owned()))?;
                let mut row = texts([user_id, team_id, &it.role]);
                row.push(it.since.into());
                Some(row)
            }
            ("projects", [project_id]) => {
                let it = self.projects.get(*project_id)?;
                let columns: Vec<String> = it.columns.iter().map(|name| format!("{name:?}")).collect();
                let mut row =
                    texts([project_id, &it.name, &it.prefix, &it.description, &it.user_id, &it.team_id]);
                row.extend([it.private_to(), it.active.into(), it.public.into()]);
                row.push(text(&format!("[{}]", columns.join(","))));
                row.extend([it.created_at.into(), it.updated_at.into(), it.version.into()]);
                Some(row)
            }
            ("projects_by_team", [key, project_id]) => {
                let it = self.projects.get(*project_id).filter(|it| it.key() == *key)?;
                let mut row = texts([key, project_id, &it.name, &it.prefix, &it.user_id]);
                row.extend([it.private_to(), it.active.into(), it.public.into()]);
                Some(row)
            }
            ("project_board", [project_id, column, rank, task_id]) => {
                let it = self.cards.get(&((*project_id).to_owned(), (*task_id).to_owned()))?;
                if it.column != *column || it.rank != *rank {
                    return None;
                }
                let mut row = texts([project_id, column, rank, task_id]);
                row.extend([it.number.into(), text(&it.title)]);
                row.extend([it.created_at.into(), it.updated_at.into(), it.version.into()]);
                Some(row)
            }
            other => unreachable!("there is no such place: {other:?}"),
        }
    }

    fn begin(
        &mut self,
        event: &Event<EventData>,
        (team_id, user_id): (&Text, &Text),
        (membership_id, role): (&Text, &Text),
        project_id: Option<&Text>,
    ) -> Vec<Place> {
        let it = Membership {
            membership_id: membership_id.to_string(),
            role: role.to_string(),
            project_id: project_id.map(ToString::to_string),
            since: event.recorded_at,
            version: event.version,
        };
        self.memberships.insert((team_id.to_string(), user_id.to_string()), it);
        in_team(team_id, user_id)
    }

    /// Changes a card; where it was and where it is.
    fn change(
        &mut self,
        event: &Event<EventData>,
        (project_id, task_id): (&Text, &Text),
        change: impl FnOnce(&mut Card),
    ) -> Vec<Place> {
        let Some(card) = self.cards.get_mut(&(project_id.to_string(), task_id.to_string())) else {
            return Vec::new();
        };
        let before = on_board(project_id, task_id, card);
        change(card);
        (card.updated_at, card.version) = (event.recorded_at, event.version);
        let after = on_board(project_id, task_id, card);
        if before == after { vec![after] } else { vec![before, after] }
    }

    /// Takes in an event; the places it may have changed.
    pub fn fold(&mut self, event: &Event<EventData>) -> Vec<Place> {
        let (at, version) = (event.recorded_at, event.version);
        match &event.data {
            EventData::MembershipCreated(e) => {
                self.begin(event, (&e.team_id, &e.user_id), (&e.membership_id, &e.role), None)
            }
            EventData::MembershipCreatedForProject(e) => {
                let label = (&e.membership_id, &e.role);
                self.begin(event, (&e.team_id, &e.user_id), label, Some(&e.project_id))
            }
            EventData::MembershipUpdated(e) => {
                let place = self.memberships.entry((e.team_id.to_string(), e.user_id.to_string()));
                place.and_modify(|it| (it.role, it.version) = (e.role.to_string(), version));
                in_team(&e.team_id, &e.user_id)
            }
            EventData::MembershipDeleted(e) => {
                self.memberships.remove(&(e.team_id.to_string(), e.user_id.to_string()));
                in_team(&e.team_id, &e.user_id)
            }
            EventData::ProjectCreated(e) => {
                let it = Project {
                    name: e.name.to_string(),
                    prefix: e.prefix.to_string(),
                    description: e.description.to_string(),
                    user_id: e.user_id.to_string(),
                    team_id: e.team_id.to_string(),
                    active: e.active,
                    public: e.public,
                    columns: e.column_order.clone(),
                    created_at: at,
                    updated_at: at,
                    version,
                };
                let by_team = ("projects_by_team", texts([&it.key(), &e.project_id]));
                self.projects.insert(e.project_id.to_string(), it);
                vec![("projects", texts([&e.project_id])), by_team]
            }
            EventData::ProjectUpdated(e) => {
                let Some(it) = self.projects.get_mut(e.project_id.as_str()) else { return Vec::new() };
                let before = it.key();
                for (field, new) in [
                    (&mut it.name, &e.name),
                    (&mut it.prefix, &e.prefix),
                    (&mut it.description, &e.description),
                    (&mut it.user_id, &e.user_id),
                    (&mut it.team_id, &e.team_id),
                ] {
                    if let Some(new) = new {
                        *field = new.to_string();
                    }
                }
                it.active = e.active.unwrap_or(it.active);
                it.public = e.public.unwrap_or(it.public);
                if let Some(columns) = &e.column_order {
                    it.columns.clone_from(columns);
                }
                (it.updated_at, it.version) = (at, version);
                let mut places = vec![("projects", texts([&e.project_id]))];
                let after = it.key();
                if before != after {
                    places.push(("projects_by_team", texts([&before, &e.project_id])));
                }
                places.push(("projects_by_team", texts([&after, &e.project_id])));
                places
            }
            EventData::ProjectDeleted(e) => {
                let Some(it) = self.projects.remove(e.project_id.as_str()) else { return Vec::new() };
                let mut places = vec![
                    ("projects", texts([&e.project_id])),
                    ("projects_by_team", texts([&it.key(), &e.project_id])),
                ];
                self.cards.retain(|(project_id, task_id), card| {
                    let is_its = *project_id == e.project_id.as_str();
                    if is_its {
                        places.push(on_board(project_id, task_id, card));
                    }
                    !is_its
                });
                places
            }
            EventData::TaskCreated(e) => {
                let card = Card {
                    column: e.column.to_string(),
                    rank: e.rank.to_string(),
                    number: e.number,
                    title: e.title.to_string(),
                    created_at: at,
                    updated_at: at,
                    version,
                };
                let place = on_board(&e.project_id, &e.task_id, &card);
                self.cards.insert((e.project_id.to_string(), e.task_id.to_string()), card);
                vec![place]
            }
            EventData::TaskMoved(e) => self.change(event, (&e.project_id, &e.task_id), |card| {
                (card.column, card.rank) = (e.column.to_string(), e.rank.to_string());
            }),
            EventData::TaskRenamed(e) => {
                self.change(event, (&e.project_id, &e.task_id), |card| card.title = e.title.to_string())
            }
            EventData::TaskDeleted(e) => {
                let card = self.cards.remove(&(e.project_id.to_string(), e.task_id.to_string()));
                card.map(|card| on_board(&e.project_id, &e.task_id, &card)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}
