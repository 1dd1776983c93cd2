//! Projection `boards`: the projects of a team, each project, and its cards.
//!
//! A project without a team stands among the projects of a key that no team can have: `@` and its user's id. A project that
//! is deleted takes its cards along: their rows are deleted in pieces, so that who follows the board sees each of them go.

use std::sync::Arc;

use millrace_kernel::{Event, FanOut, Keeps, Known, Projection, StagedProjector, Text, Write, Writes};

use super::known::{Card, Cards, Clearing, Project};
use crate::messages::EventData;
use crate::messages::events::ProjectUpdated;
use crate::messages::rows::{ProjectBoardRow, ProjectsByTeamRow, ProjectsRow};

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "boards",
        views: &[ProjectsRow::TABLE, ProjectsByTeamRow::TABLE, ProjectBoardRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| Box::new(Boards)),
    }
}

/// The projector of a partition; all that it knows is by key.
struct Boards;

/// Under which key of `projects_by_team` a project stands: that of its team, and without one `@` and its user's id. No key of
/// a table is empty, in any store, and no id begins with `@`.
#[must_use]
pub fn team_key(team_id: &str, user_id: &str) -> String {
    if team_id.is_empty() { format!("@{user_id}") } else { team_id.to_owned() }
}

impl Project {
    fn team_key(&self) -> String {
        team_key(&self.team_id, &self.user_id)
    }

    /// Whose alone it is.
    fn private_to(&self) -> Option<Arc<str>> {
        self.team_id.is_empty().then(|| self.user_id.clone())
    }

    fn updated(self, event: &ProjectUpdated) -> Self {
        let text = |new: &Option<Text>, old: Arc<str>| new.as_ref().map_or(old, |new| new.as_str().into());
        Self {
            name: text(&event.name, self.name),
            prefix: text(&event.prefix, self.prefix),
            description: text(&event.description, self.description),
            user_id: text(&event.user_id, self.user_id),
            team_id: text(&event.team_id, self.team_id),
            active: event.active.unwrap_or(self.active),
            public: event.public.unwrap_or(self.public),
            column_order: event.column_order.as_deref().map_or(self.column_order, columns),
            created_at: self.created_at,
        }
    }
}

fn columns(columns: &[Text]) -> Vec<String> {
    columns.iter().map(ToString::to_string).collect()
}

/// Writes what is now, and knows it from now on.
fn put_project(
    event: &Event<EventData>,
    project_id: &str,
    project: Project,
    known: &mut dyn Known,
    writes: &mut Writes,
) {
    project.keep(known, project_id);
    let (at, project_id): (_, Arc<str>) = (event.recorded_at, project_id.into());
    let of_team = ProjectsByTeamRow {
        team_id: project.team_key().into(),
        project_id: project_id.clone(),
        name: project.name.clone(),
        prefix: project.prefix.clone(),
        user_id: project.user_id.clone(),
        private_to: project.private_to(),
        active: project.active,
        public: project.public,
    };
    let row = ProjectsRow {
        project_id,
        private_to: project.private_to(),
        name: project.name,
        prefix: project.prefix,
        description: project.description,
        user_id: project.user_id,
        team_id: project.team_id,
        active: project.active,
        public: project.public,
        // a list of texts always is JSON
        column_order: serde_json::to_string(&project.column_order).unwrap_or_default().into(),
        created_at: project.created_at,
        updated_at: at,
        version: event.version,
    };
    writes.push(row.put(at));
    writes.push(of_team.put(at));
}

/// Writes a card as it is now, and knows it from now on.
fn put_card(
    event: &Event<EventData>,
    (project_id, task_id): (&str, &str),
    card: Card,
    known: &mut dyn Known,
    writes: &mut Writes,
) {
    Cards::of(project_id).put(known, task_id, &card);
    let row = ProjectBoardRow {
        project_id: project_id.into(),
        column: card.column,
        rank: card.rank,
        task_id: task_id.into(),
        number: card.number,
        title: card.title,
        created_at: card.created_at,
        updated_at: event.recorded_at,
        version: event.version,
    };
    writes.push(row.put(event.recorded_at));
}

fn gone(project_id: &str, task_id: &str, card: Card, at: i64) -> Write {
    ProjectBoardRow::delete(project_id.into(), card.column, card.rank, task_id.into(), at)
}

impl StagedProjector<EventData> for Boards {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let at = event.recorded_at;
        match &event.data {
            EventData::ProjectCreated(e) => {
                let project = Project {
                    name: e.name.as_str().into(),
                    prefix: e.prefix.as_str().into(),
                    description: e.description.as_str().into(),
                    user_id: e.user_id.as_str().into(),
                    team_id: e.team_id.as_str().into(),
                    active: e.active,
                    public: e.public,
                    column_order: columns(&e.column_order),
                    created_at: at,
                };
                put_project(event, &e.project_id, project, known, writes);
            }
            EventData::ProjectUpdated(e) => {
                let Some(before) = Project::of(known, &e.project_id) else { return };
                let key = before.team_key();
                let project = before.updated(e);
                if project.team_key() != key {
                    writes.push(ProjectsByTeamRow::delete(key.into(), e.project_id.as_str().into(), at));
                }
                put_project(event, &e.project_id, project, known, writes);
            }
            EventData::ProjectDeleted(e) => {
                let Some(project) = Project::of(known, &e.project_id) else { return };
                Project::forget(known, &e.project_id);
                let project_id: Arc<str> = e.project_id.as_str().into();
                writes.push(ProjectsRow::delete(project_id.clone(), at));
                writes.push(ProjectsByTeamRow::delete(project.team_key().into(), project_id, at));
                if writes.is_muted() {
                    // whoever is told nothing of it has seen the rows go
                    let cards = Cards::of(&e.project_id);
                    while let Some(task_id) = cards.first(known) {
                        cards.remove(known, &task_id);
                    }
                } else {
                    // nothing of the board comes after this, so the rows of no later event can be waiting for it
                    writes.fan_out(FanOut(Clearing::begin(known, &e.project_id, at)));
                }
            }
            EventData::TaskCreated(e) => {
                let card = Card {
                    number: e.number,
                    title: e.title.as_str().into(),
                    column: e.column.as_str().into(),
                    rank: e.rank.as_str().into(),
                    created_at: at,
                };
                put_card(event, (&e.project_id, &e.task_id), card, known, writes);
            }
            EventData::TaskMoved(e) => {
                let Some(before) = Cards::of(&e.project_id).get(known, &e.task_id) else { return };
                let card =
                    Card { column: e.column.as_str().into(), rank: e.rank.as_str().into(), ..before.clone() };
                // the same key is overwritten, as a deletion would win over it
                let has_moved = (&card.column, &card.rank) != (&before.column, &before.rank);
                put_card(event, (&e.project_id, &e.task_id), card, known, writes);
                if has_moved {
                    writes.push(gone(&e.project_id, &e.task_id, before, at));
                }
            }
            EventData::TaskRenamed(e) => {
                let Some(before) = Cards::of(&e.project_id).get(known, &e.task_id) else { return };
                let card = Card { title: e.title.as_str().into(), ..before };
                put_card(event, (&e.project_id, &e.task_id), card, known, writes);
            }
            EventData::TaskDeleted(e) => {
                let Some(card) = Cards::of(&e.project_id).remove(known, &e.task_id) else { return };
                writes.push(gone(&e.project_id, &e.task_id, card, at));
            }
            _ => {}
        }
    }

    fn fan_out(
        &mut self,
        FanOut(number): FanOut,
        most: usize,
        known: &mut dyn Known,
        rows: &mut Vec<Write>,
    ) -> bool {
        let Some(Clearing { project_id, at }) = Clearing::of(known, number) else { return false };
        let cards = Cards::of(&project_id);
        let full = rows.len().saturating_add(most);
        while rows.len() < full {
            let Some(task_id) = cards.first(known) else {
                Clearing::end(known, number);
                return false;
            };
            let card = cards.remove(known, &task_id);
            rows.extend(card.map(|card| gone(&project_id, &task_id, card, at)));
        }
        true
    }
}
