//! What a command comes to: the events it leaves, or everything that is wrong with it, in the order of its fields.

use millrace_domain_projects::CommandData;
use millrace_domain_projects::EventData;
use millrace_domain_projects::messages::commands::{
    CreateMembership, CreateMembershipForProject, CreateProject, CreateTask, DeleteMembership,
    UpdateMembership, UpdateProject,
};
use millrace_domain_projects::messages::events::{
    BoardCounted, Given, MemberJoined, MembershipCreated, MembershipRequested, MembershipUpdated,
    ProjectCreated, ProjectDeleted, ProjectTeamCleared, ProjectTeamSet, ProjectUpdated, TaskCreated,
    TaskDeleted, TaskMoved, TaskRenamed,
};
use millrace_domain_projects::messages::state::Project;
use millrace_kernel::{Command, Published, Text};

use super::model::{ROLES, Suite, ranks_change};
use crate::workload::{Around, Broken};

/// Users, as identity publishes them.
pub const USER: Published = Published::of("identity", "User");

type Decided = Result<Vec<EventData>, Vec<Broken>>;

fn broken(code: &str, field: &str) -> Broken {
    (code.to_owned(), Some(field.to_owned()))
}

fn not_permitted() -> Broken {
    broken("NotPermitted", "metadata.user_id")
}

/// Somebody who asks, and what they find.
struct Asking<'a> {
    suite: &'a Suite,
    around: &'a dyn Around,
    actor: Option<&'a str>,
}

impl Suite {
    /// What a command comes to.
    pub fn decide(&self, command: &Command<CommandData>, around: &dyn Around) -> Decided {
        let asking = Asking { suite: self, around, actor: command.metadata.user_id.as_deref() };
        match &command.data {
            CommandData::CreateMembership(c) => asking.join(c),
            CommandData::CreateMembershipForProject(c) => asking.join_for_project(c),
            CommandData::UpdateMembership(c) => asking.change_role(c),
            CommandData::DeleteMembership(c) => asking.leave(c),
            CommandData::CreateProject(c) => asking.create_project(c),
            CommandData::UpdateProject(c) => asking.update_project(c),
            CommandData::DeleteProject(c) => {
                let (mut wrong, project) = asking.of_project(&c.project_id, "Manager", None);
                let Some(project) = project else { return Err(wrong.split_off(0)) };
                let first = project.memberships.first();
                let next = first.map(|it| Given { user_id: it.user_id.clone(), team_id: it.team_id.clone() });
                let mut events = vec![ProjectDeleted { project_id: c.project_id.clone(), next }.into()];
                events.extend(cleared(&c.project_id, &project.team_id));
                Ok(events)
            }
            CommandData::CreateTask(c) => asking.create_task(c),
            CommandData::MoveTask(c) => {
                let (mut wrong, project) = asking.of_project(&c.project_id, "Contributor", None);
                if command.metadata.expected_version.is_none() {
                    // what is wrong beside the fields comes before them, and behind what is not permitted
                    let at = usize::from(wrong.first() == Some(&not_permitted()));
                    wrong.insert(at, broken("InvalidArgument", "metadata.expected_version"));
                }
                if let Some(project) = project {
                    asking.on_board(&c.project_id, &c.task_id, &mut wrong);
                    column(project, &c.column, &mut wrong);
                }
                rank(&c.rank, &mut wrong);
                let (project_id, task_id) = (c.project_id.clone(), c.task_id.clone());
                let (column, rank) = (c.column.clone(), c.rank.clone());
                or(wrong, || vec![TaskMoved { project_id, task_id, column, rank }.into()])
            }
            CommandData::RenameTask(c) => {
                let (mut wrong, project) = asking.of_project(&c.project_id, "Contributor", None);
                if project.is_some() {
                    asking.on_board(&c.project_id, &c.task_id, &mut wrong);
                }
                words("title", &c.title, &mut wrong);
                let (project_id, task_id, title) = (c.project_id.clone(), c.task_id.clone(), c.title.clone());
                or(wrong, || vec![TaskRenamed { project_id, task_id, title }.into()])
            }
            CommandData::DeleteTask(c) => {
                let (mut wrong, project) = asking.of_project(&c.project_id, "Contributor", None);
                if project.is_some() {
                    asking.on_board(&c.project_id, &c.task_id, &mut wrong);
                }
                let (project_id, task_id) = (c.project_id.clone(), c.task_id.clone());
                or(wrong, || {
                    let (tasks, last_number) = asking.count(&c.project_id);
                    let counted =
                        BoardCounted { project_id: project_id.clone(), tasks: tasks - 1, last_number };
                    vec![TaskDeleted { project_id, task_id }.into(), counted.into()]
                })
            }
        }
    }
}

fn or(wrong: Vec<Broken>, events: impl FnOnce() -> Vec<EventData>) -> Decided {
    if wrong.is_empty() { Ok(events()) } else { Err(wrong) }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn words(field: &str, text: &str, wrong: &mut Vec<Broken>) {
    if is_blank(text) {
        wrong.push(broken("InvalidArgument", field));
    }
}

fn role(role: &str, wrong: &mut Vec<Broken>) {
    if !ROLES.iter().any(|(name, _)| *name == role) {
        wrong.push(broken("InvalidArgument", "role"));
    }
}

fn rank(rank: &str, wrong: &mut Vec<Broken>) {
    if rank.is_empty() || !rank.chars().all(|it| it.is_ascii_alphanumeric()) {
        wrong.push(broken("InvalidArgument", "rank"));
    }
}

fn prefix(prefix: &str, wrong: &mut Vec<Broken>) {
    if !(2..=6).contains(&prefix.len()) || !prefix.chars().all(|it| it.is_ascii_uppercase()) {
        wrong.push(broken("InvalidArgument", "prefix"));
    }
}

fn columns(columns: &[Text], wrong: &mut Vec<Broken>) {
    let is_twice = |at: usize| columns[..at].contains(&columns[at]);
    let is_wrong =
        columns.is_empty() || columns.iter().any(|it| is_blank(it)) || (0..columns.len()).any(is_twice);
    if is_wrong {
        wrong.push(broken("InvalidArgument", "column_order"));
    }
}

fn column(project: &Project, column: &Text, wrong: &mut Vec<Broken>) {
    if !project.column_order.contains(column) {
        wrong.push(broken("NotFound", "column"));
    }
}

fn set(project_id: &Text, team_id: &Text) -> Option<EventData> {
    let (project_id, is_team) = (project_id.clone(), !team_id.is_empty());
    is_team.then(|| ProjectTeamSet { project_id, team_id: team_id.clone() }.into())
}

fn cleared(project_id: &Text, team_id: &Text) -> Option<EventData> {
    let (project_id, is_team) = (project_id.clone(), !team_id.is_empty());
    is_team.then(|| ProjectTeamCleared { project_id, team_id: team_id.clone() }.into())
}

impl<'a> Asking<'a> {
    fn is_user(&self, user_id: &str) -> bool {
        self.around.knows_elsewhere(USER, &format!("User/{user_id}"))
    }

    fn is_team(&self, team_id: &str) -> bool {
        self.around.knows(&format!("Team/{team_id}"))
    }

    /// Who acts for nobody in particular may do everything.
    fn is(&self, rank: &str, team_id: &str) -> bool {
        self.actor.is_none_or(|actor| self.around.knows(&format!("{rank}/{actor}/{team_id}")))
    }

    fn may_give(&self, role: &str, team_id: &str) -> bool {
        self.is(if role == "owner" { "Owner" } else { "Manager" }, team_id)
    }

    /// Why somebody cannot come into a team.
    fn cannot_come(&self, user_id: &Text, team_id: &Text) -> Option<Broken> {
        match self.suite.membership(user_id, team_id) {
            Some(it) if it.status == "ACTIVE" => Some(broken("AlreadyExists", "user_id")),
            Some(_) => Some(broken("InvalidState", "user_id")),
            None if self.suite.has_ended(user_id) || !self.is_user(user_id) => {
                Some(broken("NotFound", "user_id"))
            }
            None => None,
        }
    }

    fn join(&self, c: &CreateMembership) -> Decided {
        let is_own = self.actor.is_none_or(|actor| actor == c.user_id.as_str());
        let is_team = self.is_team(&c.team_id);
        let founds = c.role == "owner" && is_own && !is_team;
        let mut wrong = Vec::new();
        if founds || self.may_give(&c.role, &c.team_id) {
            if !founds && !is_team {
                wrong.push(broken("NotFound", "team_id"));
            }
            wrong.extend(self.cannot_come(&c.user_id, &c.team_id));
        } else {
            wrong.push(not_permitted());
        }
        role(&c.role, &mut wrong);
        let CreateMembership { membership_id, team_id, user_id, role } = c.clone();
        let joined = MemberJoined { user_id: user_id.clone(), team_id: team_id.clone() };
        or(wrong, || {
            if founds {
                let requested_by = self.actor.map(Into::into);
                let project_id = None;
                let requested =
                    MembershipRequested { membership_id, team_id, user_id, role, project_id, requested_by };
                return vec![requested.into(), joined.into()];
            }
            let ranks = ranks_change(&user_id, &team_id, "", &role);
            let created = MembershipCreated { membership_id, team_id, user_id, role };
            [vec![created.into(), joined.into()], ranks].concat()
        })
    }

    fn join_for_project(&self, c: &CreateMembershipForProject) -> Decided {
        let mut wrong = Vec::new();
        if self.may_give(&c.role, &c.team_id) {
            if !self.around.knows(&format!("ProjectTeam/{}/{}", c.project_id, c.team_id)) {
                wrong.push(broken("NotFound", "project_id"));
            }
            wrong.extend(self.cannot_come(&c.user_id, &c.team_id));
        } else {
            wrong.push(not_permitted());
        }
        role(&c.role, &mut wrong);
        let CreateMembershipForProject { project_id, membership_id, team_id, user_id, role } = c.clone();
        let joined = MemberJoined { user_id: user_id.clone(), team_id: team_id.clone() };
        let (project_id, requested_by) = (Some(project_id), self.actor.map(Into::into));
        let requested =
            MembershipRequested { membership_id, team_id, user_id, role, project_id, requested_by };
        or(wrong, || vec![requested.into(), joined.into()])
    }

    /// Whether somebody may give or take the role of an owner: another owner may.
    fn is_another_owner(&self, before: &str, user_id: &Text, team_id: &Text) -> bool {
        let is_own = before == "owner" && self.actor == Some(user_id.as_str());
        !is_own && self.is("Owner", team_id)
    }

    fn change_role(&self, c: &UpdateMembership) -> Decided {
        let before = self.suite.active(&c.user_id, &c.team_id).map(|it| it.role.as_str());
        let had = before.unwrap_or_default();
        let may = if had == "owner" || c.role == "owner" {
            self.is_another_owner(had, &c.user_id, &c.team_id)
        } else {
            self.is("Manager", &c.team_id)
        };
        let mut wrong = Vec::new();
        if !may {
            wrong.push(not_permitted());
        } else if before.is_none() {
            wrong.push(broken("NotFound", "user_id"));
        }
        role(&c.role, &mut wrong);
        or(wrong, || {
            let UpdateMembership { team_id, user_id, role } = c.clone();
            let ranks = ranks_change(&user_id, &team_id, had, &role);
            [vec![MembershipUpdated { team_id, user_id, role }.into()], ranks].concat()
        })
    }

    fn leave(&self, c: &DeleteMembership) -> Decided {
        let it = self.suite.active(&c.user_id, &c.team_id);
        let may = if it.is_some_and(|it| it.role == "owner") {
            self.is_another_owner("owner", &c.user_id, &c.team_id)
        } else {
            self.actor == Some(c.user_id.as_str()) || self.is("Manager", &c.team_id)
        };
        match it {
            _ if !may => Err(vec![not_permitted()]),
            None => Err(vec![broken("NotFound", "user_id")]),
            Some(it) => Ok(self.suite.ended(&c.user_id, &c.team_id, it, false)),
        }
    }

    /// What is wrong with acting on a project, and the project if nothing is. `new_team` is where it is to go.
    fn of_project(
        &self,
        project_id: &Text,
        rank: &str,
        new_team: Option<&Text>,
    ) -> (Vec<Broken>, Option<&'a Project>) {
        let Some(project) = self.suite.projects.get(project_id) else {
            return (vec![broken("NotFound", "project_id")], None);
        };
        let may_act = match project.team_id.as_str() {
            "" => self.actor.is_none_or(|actor| actor == project.user_id.as_str()),
            team_id => self.is(rank, team_id),
        };
        let may_go =
            |team_id: &Text| team_id.is_empty() || *team_id == project.team_id || self.is("Manager", team_id);
        if !may_act || !new_team.is_none_or(may_go) {
            (vec![not_permitted()], None)
        } else if project.deleted {
            (vec![broken("InvalidState", "project_id")], None)
        } else {
            (Vec::new(), Some(project))
        }
    }

    fn cannot_be_whose(&self, user_id: &Text, wrong: &mut Vec<Broken>) {
        if !self.is_user(user_id) {
            wrong.push(broken("NotFound", "user_id"));
        }
    }

    fn cannot_be_of(&self, team_id: &Text, wrong: &mut Vec<Broken>) {
        if !team_id.is_empty() && !self.is_team(team_id) {
            wrong.push(broken("NotFound", "team_id"));
        }
    }

    fn create_project(&self, c: &CreateProject) -> Decided {
        let is_own = self.actor.is_none_or(|actor| actor == c.user_id.as_str());
        let may = is_own && (c.team_id.is_empty() || self.is("Manager", &c.team_id));
        let mut wrong = Vec::new();
        if !may {
            wrong.push(not_permitted());
        } else if self.suite.projects.contains_key(&c.project_id) {
            wrong.push(broken("AlreadyExists", "project_id"));
        }
        words("name", &c.name, &mut wrong);
        prefix(&c.prefix, &mut wrong);
        if may {
            self.cannot_be_whose(&c.user_id, &mut wrong);
            self.cannot_be_of(&c.team_id, &mut wrong);
        }
        columns(&c.column_order, &mut wrong);
        or(wrong, || {
            let c = c.clone();
            let set = set(&c.project_id, &c.team_id);
            let created = ProjectCreated {
                project_id: c.project_id,
                name: c.name,
                prefix: c.prefix,
                description: c.description,
                user_id: c.user_id,
                team_id: c.team_id,
                active: c.active,
                public: c.public,
                column_order: c.column_order,
            };
            [vec![created.into()], set.into_iter().collect()].concat()
        })
    }

    fn update_project(&self, c: &UpdateProject) -> Decided {
        let (mut wrong, project) = self.of_project(&c.project_id, "Manager", c.team_id.as_ref());
        if let Some(name) = &c.name {
            words("name", name, &mut wrong);
        }
        if let Some(it) = &c.prefix {
            prefix(it, &mut wrong);
        }
        if let (Some(user_id), Some(_)) = (&c.user_id, project) {
            self.cannot_be_whose(user_id, &mut wrong);
        }
        if let (Some(team_id), Some(_)) = (&c.team_id, project) {
            self.cannot_be_of(team_id, &mut wrong);
        }
        if let Some(column_order) = &c.column_order {
            columns(column_order, &mut wrong);
        }
        let project = match project {
            Some(project) if wrong.is_empty() => project,
            _ => return Err(wrong),
        };
        let new_team = c.team_id.clone().filter(|team_id| *team_id != project.team_id);
        let c = c.clone();
        let mut events: Vec<EventData> = Vec::new();
        if let Some(team_id) = &new_team {
            events.extend(cleared(&c.project_id, &project.team_id));
            events.extend(set(&c.project_id, team_id));
        }
        let updated = ProjectUpdated {
            project_id: c.project_id,
            name: c.name,
            prefix: c.prefix,
            description: c.description,
            user_id: c.user_id,
            team_id: c.team_id,
            active: c.active,
            public: c.public,
            column_order: c.column_order,
        };
        events.insert(0, updated.into());
        Ok(events)
    }

    fn count(&self, project_id: &Text) -> (i32, i64) {
        self.suite.boards.get(project_id).map_or((0, 0), |it| (it.tasks, it.last_number))
    }

    fn create_task(&self, c: &CreateTask) -> Decided {
        let (mut wrong, project) = self.of_project(&c.project_id, "Contributor", None);
        let card = (c.project_id.clone(), c.task_id.clone());
        if project.is_some() && self.suite.tasks.contains_key(&card) {
            wrong.push(broken("AlreadyExists", "task_id"));
        }
        words("title", &c.title, &mut wrong);
        if let Some(project) = project {
            column(project, &c.column, &mut wrong);
        }
        rank(&c.rank, &mut wrong);
        or(wrong, || {
            let (tasks, last_number) = self.count(&c.project_id);
            let c = c.clone();
            let (tasks, last_number) = (tasks + 1, last_number + 1);
            let counted = BoardCounted { project_id: c.project_id.clone(), tasks, last_number };
            let created = TaskCreated {
                project_id: c.project_id,
                task_id: c.task_id,
                number: last_number,
                title: c.title,
                column: c.column,
                rank: c.rank,
            };
            vec![created.into(), counted.into()]
        })
    }

    fn on_board(&self, project_id: &Text, task_id: &Text, wrong: &mut Vec<Broken>) {
        match self.suite.tasks.get(&(project_id.clone(), task_id.clone())) {
            None => wrong.push(broken("NotFound", "task_id")),
            Some(task) if task.deleted => wrong.push(broken("InvalidState", "task_id")),
            Some(_) => {}
        }
    }
}
