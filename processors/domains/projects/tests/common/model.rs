//! Who may do what to what, in naive code that shares nothing with the domain: plain sets, filled from events.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_projects::{CommandData, EventData};

/// A reason for which something is refused: its code, and the field it is about.
pub type Broken = (&'static str, &'static str);

const NOT_PERMITTED: Broken = ("NotPermitted", "metadata.user_id");
const NO_PROJECT: Broken = ("NotFound", "project_id");
const NO_USER: Broken = ("NotFound", "user_id");

const MANAGERS: [&str; 2] = ["owner", "admin"];
const CONTRIBUTORS: [&str; 3] = ["owner", "admin", "member"];

#[derive(Default)]
struct Board {
    user: String,
    team: String,
    columns: Vec<String>,
    is_deleted: bool,
}

/// What has happened.
#[derive(Default)]
pub struct Model {
    /// Whom identity knows.
    pub users: BTreeSet<String>,
    /// How many events it has seen.
    pub seen: usize,
    gone: BTreeSet<String>,
    founded: BTreeSet<String>,
    /// By user and team.
    roles: BTreeMap<(String, String), String>,
    /// Whose membership begins or ends.
    busy: BTreeSet<(String, String)>,
    boards: BTreeMap<String, Board>,
    /// By board and card: how often something was said of it, and whether it is there.
    cards: BTreeMap<(String, String), (i64, bool)>,
}

fn pair(one: &str, other: &str) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

impl Model {
    /// Whether somebody has one of these roles; who acts for nobody has them all.
    fn is(&self, actor: Option<&str>, team: &str, roles: &[&str]) -> bool {
        let role = |actor: &str| self.roles.get(&pair(actor, team)).map(String::as_str);
        actor.is_none_or(|actor| role(actor).is_some_and(|role| roles.contains(&role)))
    }

    /// What is refused of a command, in its order; nothing where it is accepted or a process begins.
    pub fn expects(&self, command: &CommandData, actor: Option<&str>, version: Option<i64>) -> Vec<Broken> {
        match command {
            CommandData::CreateMembership(c) => {
                let is_owner = &*c.role == "owner";
                let is_founded = self.founded.contains(&*c.team_id);
                let founds = is_owner && !is_founded && actor.is_none_or(|actor| actor == &*c.user_id);
                let may = self.is(actor, &c.team_id, if is_owner { &["owner"] } else { &MANAGERS });
                if !may && !founds {
                    return vec![NOT_PERMITTED];
                }
                let mut broken = Vec::new();
                if !is_founded && !founds {
                    broken.push(("NotFound", "team_id"));
                }
                broken.extend(self.cannot_join(&c.user_id, &c.team_id));
                broken
            }
            CommandData::CreateMembershipForProject(c) => {
                let roles = if &*c.role == "owner" { &["owner"][..] } else { &MANAGERS };
                if !self.is(actor, &c.team_id, roles) {
                    return vec![NOT_PERMITTED];
                }
                let is_its = |board: &Board| !board.is_deleted && *board.team == *c.team_id;
                let mut broken = Vec::new();
                if !self.boards.get(&*c.project_id).is_some_and(is_its) {
                    broken.push(NO_PROJECT);
                }
                broken.extend(self.cannot_join(&c.user_id, &c.team_id));
                broken
            }
            CommandData::UpdateMembership(c) => {
                let before = self.roles.get(&pair(&c.user_id, &c.team_id)).map(String::as_str);
                let may = if before == Some("owner") || &*c.role == "owner" {
                    let is_own = before == Some("owner") && actor == Some(&*c.user_id);
                    self.is(actor, &c.team_id, &["owner"]) && !is_own
                } else {
                    self.is(actor, &c.team_id, &MANAGERS)
                };
                match (may, before) {
                    (false, _) => vec![NOT_PERMITTED],
                    (true, None) => vec![NO_USER],
                    (true, Some(_)) => Vec::new(),
                }
            }
            CommandData::DeleteMembership(c) => {
                let before = self.roles.get(&pair(&c.user_id, &c.team_id)).map(String::as_str);
                let is_own = actor == Some(&*c.user_id);
                let may = match before {
                    Some("owner") => self.is(actor, &c.team_id, &["owner"]) && !is_own,
                    _ => self.is(actor, &c.team_id, &MANAGERS) || is_own,
                };
                match (may, before) {
                    (false, _) => vec![NOT_PERMITTED],
                    (true, None) => vec![NO_USER],
                    (true, Some(_)) => Vec::new(),
                }
            }
            CommandData::CreateProject(c) => {
                let is_own = actor.is_none_or(|actor| actor == &*c.user_id);
                if !is_own || !c.team_id.is_empty() && !self.is(actor, &c.team_id, &MANAGERS) {
                    return vec![NOT_PERMITTED];
                }
                let mut broken = Vec::new();
                if self.boards.contains_key(&*c.project_id) {
                    broken.push(("AlreadyExists", "project_id"));
                }
                broken.extend(self.cannot_be_whose(Some(&c.user_id), Some(&c.team_id)));
                broken
            }
            CommandData::UpdateProject(c) => {
                let (user, team) = (c.user_id.as_deref(), c.team_id.as_deref());
                let gets = |board: &Board| match team {
                    None | Some("") => true,
                    Some(team) => board.team == team || self.is(actor, team, &MANAGERS),
                };
                match self.of_board(actor, &c.project_id, &MANAGERS) {
                    Ok(board) if !gets(board) => vec![NOT_PERMITTED],
                    Ok(_) => self.cannot_be_whose(user, team),
                    Err(_) if self.boards.get(&*c.project_id).is_some_and(|board| !gets(board)) => {
                        vec![NOT_PERMITTED]
                    }
                    Err(broken) => vec![broken],
                }
            }
            CommandData::DeleteProject(c) => match self.of_board(actor, &c.project_id, &MANAGERS) {
                Ok(_) => Vec::new(),
                Err(broken) => vec![broken],
            },
            CommandData::CreateTask(c) => match self.of_board(actor, &c.project_id, &CONTRIBUTORS) {
                Err(broken) => vec![broken],
                Ok(board) => {
                    let mut broken = Vec::new();
                    if self.cards.contains_key(&pair(&c.project_id, &c.task_id)) {
                        broken.push(("AlreadyExists", "task_id"));
                    }
                    broken.extend(no_column(board, &c.column));
                    broken
                }
            },
            CommandData::MoveTask(c) => {
                let card = pair(&c.project_id, &c.task_id);
                if version != Some(self.cards.get(&card).map_or(0, |(version, _)| *version)) {
                    return vec![("VersionConflict", "metadata.expected_version")];
                }
                match self.of_board(actor, &c.project_id, &CONTRIBUTORS) {
                    Err(broken) => vec![broken],
                    Ok(board) => {
                        let mut broken = self.no_card(&card);
                        broken.extend(no_column(board, &c.column));
                        broken
                    }
                }
            }
            CommandData::RenameTask(c) => match self.of_board(actor, &c.project_id, &CONTRIBUTORS) {
                Err(broken) => vec![broken],
                Ok(_) => self.no_card(&pair(&c.project_id, &c.task_id)),
            },
            CommandData::DeleteTask(c) => match self.of_board(actor, &c.project_id, &CONTRIBUTORS) {
                Err(broken) => vec![broken],
                Ok(_) => self.no_card(&pair(&c.project_id, &c.task_id)),
            },
        }
    }

    fn cannot_join(&self, user: &str, team: &str) -> Option<Broken> {
        if self.roles.contains_key(&pair(user, team)) {
            return Some(("AlreadyExists", "user_id"));
        }
        if self.busy.contains(&pair(user, team)) {
            return Some(("InvalidState", "user_id"));
        }
        (self.gone.contains(user) || !self.users.contains(user)).then_some(NO_USER)
    }

    fn cannot_be_whose(&self, user: Option<&str>, team: Option<&str>) -> Vec<Broken> {
        let mut broken = Vec::new();
        if user.is_some_and(|user| !self.users.contains(user)) {
            broken.push(NO_USER);
        }
        if team.is_some_and(|team| !team.is_empty() && !self.founded.contains(team)) {
            broken.push(("NotFound", "team_id"));
        }
        broken
    }

    fn of_board(&self, actor: Option<&str>, board: &str, roles: &[&str]) -> Result<&Board, Broken> {
        let board = self.boards.get(board).ok_or(NO_PROJECT)?;
        let may = match &*board.team {
            "" => actor.is_none_or(|actor| actor == board.user),
            team => self.is(actor, team, roles),
        };
        match (may, board.is_deleted) {
            (false, _) => Err(NOT_PERMITTED),
            (true, true) => Err(("InvalidState", "project_id")),
            (true, false) => Ok(board),
        }
    }

    fn no_card(&self, card: &(String, String)) -> Vec<Broken> {
        match self.cards.get(card) {
            None => vec![("NotFound", "task_id")],
            Some((_, false)) => vec![("InvalidState", "task_id")],
            Some((_, true)) => Vec::new(),
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &EventData) {
        self.seen += 1;
        match event {
            EventData::TeamFounded(e) => {
                self.founded.insert(e.team_id.to_string());
            }
            EventData::MembershipRequested(e) => {
                self.busy.insert(pair(&e.user_id, &e.team_id));
            }
            EventData::MembershipCreated(e) => self.begin(&e.user_id, &e.team_id, &e.role),
            EventData::MembershipCreatedForProject(e) => self.begin(&e.user_id, &e.team_id, &e.role),
            EventData::MembershipUpdated(e) => self.begin(&e.user_id, &e.team_id, &e.role),
            EventData::MembershipDeleted(e) => {
                self.roles.remove(&pair(&e.user_id, &e.team_id));
                if e.project_id.is_some() && !e.with_project {
                    self.busy.insert(pair(&e.user_id, &e.team_id));
                }
            }
            EventData::MembershipRefused(e) => {
                self.busy.remove(&pair(&e.user_id, &e.team_id));
            }
            EventData::MembershipClosed(e) => {
                self.busy.remove(&pair(&e.user_id, &e.team_id));
            }
            EventData::MemberEnded(e) => {
                self.gone.insert(e.user_id.to_string());
            }
            EventData::ProjectCreated(e) => {
                let columns = e.column_order.iter().map(ToString::to_string).collect();
                let (user, team) = pair(&e.user_id, &e.team_id);
                let board = Board { user, team, columns, is_deleted: false };
                self.boards.insert(e.project_id.to_string(), board);
            }
            EventData::ProjectUpdated(e) => {
                let board = self.boards.get_mut(&*e.project_id).unwrap();
                if let Some(user) = &e.user_id {
                    board.user = user.to_string();
                }
                if let Some(team) = &e.team_id {
                    board.team = team.to_string();
                }
                if let Some(columns) = &e.column_order {
                    board.columns = columns.iter().map(ToString::to_string).collect();
                }
            }
            EventData::ProjectDeleted(e) => self.boards.get_mut(&*e.project_id).unwrap().is_deleted = true,
            EventData::TaskCreated(e) => self.say(&e.project_id, &e.task_id, true),
            EventData::TaskMoved(e) => self.say(&e.project_id, &e.task_id, true),
            EventData::TaskRenamed(e) => self.say(&e.project_id, &e.task_id, true),
            EventData::TaskDeleted(e) => self.say(&e.project_id, &e.task_id, false),
            _ => {}
        }
    }

    fn begin(&mut self, user: &str, team: &str, role: &str) {
        self.busy.remove(&pair(user, team));
        self.roles.insert(pair(user, team), role.to_owned());
    }

    fn say(&mut self, board: &str, card: &str, is_there: bool) {
        let card = self.cards.entry(pair(board, card)).or_insert((0, true));
        *card = (card.0 + 1, is_there);
    }
}

fn no_column(board: &Board, column: &str) -> Option<Broken> {
    let has = board.columns.iter().any(|it| it == column);
    (!has).then_some(("NotFound", "column"))
}
