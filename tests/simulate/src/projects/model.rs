//! Teams, projects and boards as a plain fold of events, and what becomes of each step: `domains.md` and the domain's README once
//! more. What a command is refused for is in `rules`.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_projects::messages::events::Given;
use millrace_domain_projects::messages::events::{
    ContributorAppointed, ContributorDismissed, ManagerAppointed, ManagerDismissed, MemberEnded, MemberLeft,
    MembershipClosed, MembershipCreated, MembershipCreatedForProject, MembershipDeleted, MembershipDelisted,
    MembershipEndingNoted, MembershipEnlisted, MembershipEnlistingRefused, MembershipRefused,
    MembershipWithdrawn, OwnerAppointed, OwnerDismissed, TeamFounded, TeamFoundingRefused,
};
use millrace_domain_projects::messages::state::{
    Board, Contributor, GivenMembership, Manager, Member, Membership, Owner, Project, ProjectTeam, Task, Team,
};
use millrace_domain_projects::{EventData, State, StepData};
use millrace_kernel::{Text, Violation};

/// Two ids.
pub type Pair = (Text, Text);

/// Everything there is.
#[derive(Default)]
pub struct Suite {
    /// By user.
    pub(super) members: BTreeMap<Text, Member>,
    /// By user and team.
    pub(super) memberships: BTreeMap<Pair, Membership>,
    /// Kind, user and team.
    pub(super) ranks: BTreeSet<(&'static str, Text, Text)>,
    /// Who has founded which team.
    pub(super) founders: BTreeMap<Text, Text>,
    /// By id.
    pub(super) projects: BTreeMap<Text, Project>,
    /// Projects and the team that works on each.
    pub(super) teams: BTreeSet<Pair>,
    /// By project.
    pub(super) boards: BTreeMap<Text, Board>,
    /// By project and task.
    pub(super) tasks: BTreeMap<Pair, Task>,
}

/// The roles, each with the ranks that it gives.
pub const ROLES: [(&str, &[&str]); 4] = [
    ("viewer", &[]),
    ("member", &["Contributor"]),
    ("admin", &["Contributor", "Manager"]),
    ("owner", &["Contributor", "Manager", "Owner"]),
];

/// The ranks of a role; none of what is no role.
fn ranks(role: &str) -> &'static [&'static str] {
    ROLES.iter().find(|(name, _)| *name == role).map_or(&[], |(_, ranks)| ranks)
}

/// What happens to somebody's ranks when their role becomes another; none is the empty one.
pub fn ranks_change(user_id: &Text, team_id: &Text, before: &str, after: &str) -> Vec<EventData> {
    let (had, has) = (ranks(before), ranks(after));
    let mut events: Vec<EventData> = Vec::new();
    for rank in ["Contributor", "Manager", "Owner"] {
        let (user_id, team_id) = (user_id.clone(), team_id.clone());
        match (rank, had.contains(&rank), has.contains(&rank)) {
            ("Contributor", false, true) => events.push(ContributorAppointed { user_id, team_id }.into()),
            ("Contributor", true, false) => events.push(ContributorDismissed { user_id, team_id }.into()),
            ("Manager", false, true) => events.push(ManagerAppointed { user_id, team_id }.into()),
            ("Manager", true, false) => events.push(ManagerDismissed { user_id, team_id }.into()),
            ("Owner", false, true) => events.push(OwnerAppointed { user_id, team_id }.into()),
            ("Owner", true, false) => events.push(OwnerDismissed { user_id, team_id }.into()),
            _ => {}
        }
    }
    events
}

impl Suite {
    /// What is kept of a membership, on its way in or out as well.
    pub(super) fn membership(&self, user_id: &Text, team_id: &Text) -> Option<&Membership> {
        self.memberships.get(&(user_id.clone(), team_id.clone()))
    }

    /// The membership, if somebody is in the team.
    pub(super) fn active(&self, user_id: &Text, team_id: &Text) -> Option<&Membership> {
        self.membership(user_id, team_id).filter(|it| it.status == "ACTIVE")
    }

    pub(super) fn has_ended(&self, user_id: &Text) -> bool {
        self.members.get(user_id).is_some_and(|member| member.ended)
    }

    /// All that happens when somebody is in the team no more.
    pub(super) fn ended(
        &self,
        user_id: &Text,
        team_id: &Text,
        it: &Membership,
        with_project: bool,
    ) -> Vec<EventData> {
        let deleted = MembershipDeleted {
            membership_id: it.membership_id.clone(),
            team_id: team_id.clone(),
            user_id: user_id.clone(),
            project_id: it.project_id.clone(),
            with_project,
        };
        let mut events = vec![deleted.into()];
        events.extend(self.left(user_id, team_id));
        events.extend(ranks_change(user_id, team_id, &it.role, ""));
        events
    }

    fn left(&self, user_id: &Text, team_id: &Text) -> Option<EventData> {
        let is_listed = self.members.get(user_id).is_some_and(|member| member.team_ids.contains(team_id));
        is_listed.then(|| MemberLeft { user_id: user_id.clone(), team_id: team_id.clone() }.into())
    }

    /// What a step comes to.
    pub fn decide_step(&self, step: &StepData) -> Vec<EventData> {
        match step.clone() {
            StepData::FoundTeam(s) => {
                let founder = self.founders.get(&s.team_id);
                if founder.is_none() || founder == Some(&s.user_id) {
                    return vec![TeamFounded { team_id: s.team_id, user_id: s.user_id }.into()];
                }
                let violation = if s.requested_by.is_some() {
                    Violation::on("NotPermitted", "metadata.user_id", "")
                } else {
                    Violation::on("InvalidState", "team_id", "")
                };
                let (team_id, user_id, violations) = (s.team_id, s.user_id, vec![violation]);
                vec![TeamFoundingRefused { team_id, user_id, violations }.into()]
            }
            StepData::EnlistMembership(s) => {
                let (project_id, user_id, team_id) = (s.project_id, s.user_id, s.team_id);
                let code = match self.projects.get(&project_id) {
                    Some(project) if project.deleted => Some("InvalidState"),
                    Some(project) if project.team_id == team_id => None,
                    _ => Some("NotFound"),
                };
                vec![match code {
                    None => MembershipEnlisted { project_id, user_id, team_id }.into(),
                    Some(code) => {
                        let violations = vec![Violation::on(code, "project_id", "")];
                        MembershipEnlistingRefused { project_id, user_id, team_id, violations }.into()
                    }
                }]
            }
            StepData::ConcludeMembership(s) => self.conclude(&s.user_id, &s.team_id, s.violations),
            StepData::DelistMembership(s) => {
                let others = self.projects.get(&s.project_id).map(|it| &it.memberships[..]);
                let mut others = others
                    .unwrap_or_default()
                    .iter()
                    .filter(|it| s.with_project && !(it.user_id == s.user_id && it.team_id == s.team_id));
                let next = others
                    .next()
                    .map(|it| Given { user_id: it.user_id.clone(), team_id: it.team_id.clone() });
                vec![
                    MembershipDelisted {
                        project_id: s.project_id,
                        user_id: s.user_id,
                        team_id: s.team_id,
                        with_project: s.with_project,
                        violations: s.violations,
                        next,
                    }
                    .into(),
                ]
            }
            StepData::CloseMembership(s) => {
                let (user_id, team_id, violations) = (s.user_id, s.team_id, s.violations);
                let is_leaving = self.membership(&user_id, &team_id).is_some_and(|it| it.status == "LEAVING");
                match (is_leaving, violations.is_empty()) {
                    (false, _) => Vec::new(),
                    (true, true) => vec![MembershipClosed { team_id, user_id }.into()],
                    (true, false) => vec![MembershipRefused { team_id, user_id, violations }.into()],
                }
            }
            StepData::EndMember(s) => {
                if self.has_ended(&s.user_id) {
                    return Vec::new();
                }
                let team_ids = self.members.get(&s.user_id).map(|it| it.team_ids.clone());
                vec![MemberEnded { user_id: s.user_id, team_ids: team_ids.unwrap_or_default() }.into()]
            }
            StepData::EndMembership(s) => {
                let it = self.membership(&s.user_id, &s.team_id);
                let it = it.filter(|it| s.project_id.is_none() || it.project_id == s.project_id);
                let status = it.map_or("", |it| it.status.as_str());
                if let ("ACTIVE", Some(it)) = (status, it) {
                    return self.ended(&s.user_id, &s.team_id, it, s.project_id.is_some());
                }
                if status != "REQUESTED" && s.project_id.is_none() {
                    return Vec::new();
                }
                let (team_id, user_id, project_id) = (s.team_id, s.user_id, s.project_id);
                vec![MembershipEndingNoted { team_id, user_id, project_id }.into()]
            }
        }
    }

    fn conclude(&self, user_id: &Text, team_id: &Text, violations: Vec<Violation>) -> Vec<EventData> {
        let Some(it) = self.membership(user_id, team_id) else { return Vec::new() };
        let (user_id, team_id) = (user_id.clone(), team_id.clone());
        let (membership_id, role) = (it.membership_id.clone(), it.role.clone());
        let left = self.left(&user_id, &team_id);
        let mut events: Vec<EventData> = Vec::new();
        match (it.status.as_str(), violations.is_empty(), it.project_id.clone()) {
            ("REQUESTED", true, project_id) => {
                let ranks = ranks_change(&user_id, &team_id, "", &role);
                events.push(match project_id {
                    Some(project_id) => {
                        MembershipCreatedForProject { project_id, membership_id, team_id, user_id, role }
                            .into()
                    }
                    None => MembershipCreated { membership_id, team_id, user_id, role }.into(),
                });
                events.extend(ranks);
            }
            ("REQUESTED" | "ENDING", false, _) => {
                events.push(MembershipRefused { team_id, user_id, violations }.into());
                events.extend(left);
            }
            ("ENDING", true, project_id) => {
                let is_the_project = project_id.is_some() && !self.has_ended(&user_id);
                let violations = vec![if is_the_project {
                    Violation::on("InvalidState", "project_id", "")
                } else {
                    Violation::on("NotFound", "user_id", "")
                }];
                events.push(match project_id {
                    Some(project_id) => {
                        MembershipWithdrawn { team_id, user_id, project_id, violations }.into()
                    }
                    None => MembershipRefused { team_id, user_id, violations }.into(),
                });
                events.extend(left);
            }
            _ => {}
        }
        events
    }

    fn set_status(&mut self, user_id: &Text, team_id: &Text, status: &str) {
        if let Some(it) = self.memberships.get_mut(&(user_id.clone(), team_id.clone())) {
            it.status = status.into();
        }
    }

    /// Takes in an event.
    pub fn apply(&mut self, event: &EventData) {
        match event.clone() {
            EventData::MembershipRequested(e) => {
                let (membership_id, role, status) = (e.membership_id, e.role, "REQUESTED".into());
                let it = Membership { membership_id, role, project_id: e.project_id, status };
                self.memberships.insert((e.user_id, e.team_id), it);
            }
            EventData::MembershipCreated(e) => {
                let (membership_id, role, status) = (e.membership_id, e.role, "ACTIVE".into());
                let it = Membership { membership_id, role, project_id: None, status };
                self.memberships.insert((e.user_id, e.team_id), it);
            }
            EventData::MembershipCreatedForProject(e) => {
                let (membership_id, role, status) = (e.membership_id, e.role, "ACTIVE".into());
                let it = Membership { membership_id, role, project_id: Some(e.project_id), status };
                self.memberships.insert((e.user_id, e.team_id), it);
            }
            EventData::MembershipUpdated(e) => {
                self.memberships.entry((e.user_id, e.team_id)).and_modify(|it| it.role = e.role);
            }
            EventData::MembershipEndingNoted(e) => {
                let it = self.membership(&e.user_id, &e.team_id);
                let is_meant = |it: &Membership| e.project_id.is_none() || e.project_id == it.project_id;
                if it.is_some_and(|it| it.status == "REQUESTED" && is_meant(it)) {
                    self.set_status(&e.user_id, &e.team_id, "ENDING");
                }
            }
            EventData::MembershipWithdrawn(e) => self.set_status(&e.user_id, &e.team_id, "LEAVING"),
            EventData::MembershipDeleted(e) if e.project_id.is_some() && !e.with_project => {
                self.set_status(&e.user_id, &e.team_id, "LEAVING");
            }
            EventData::MembershipDeleted(e) => drop(self.memberships.remove(&(e.user_id, e.team_id))),
            EventData::MembershipRefused(e) => drop(self.memberships.remove(&(e.user_id, e.team_id))),
            EventData::MembershipClosed(e) => drop(self.memberships.remove(&(e.user_id, e.team_id))),
            EventData::MemberJoined(e) => {
                let nobody = || Member { team_ids: Vec::new(), ended: false };
                self.members.entry(e.user_id).or_insert_with(nobody).team_ids.push(e.team_id);
            }
            EventData::MemberLeft(e) => {
                if let Some(member) = self.members.get_mut(&e.user_id) {
                    member.team_ids.retain(|it| *it != e.team_id);
                    if member.team_ids.is_empty() && !member.ended {
                        self.members.remove(&e.user_id);
                    }
                }
            }
            EventData::MemberEnded(e) => {
                self.members.insert(e.user_id, Member { team_ids: Vec::new(), ended: true });
            }
            EventData::ContributorAppointed(e) => self.appoint("Contributor", e.user_id, e.team_id),
            EventData::ManagerAppointed(e) => self.appoint("Manager", e.user_id, e.team_id),
            EventData::OwnerAppointed(e) => self.appoint("Owner", e.user_id, e.team_id),
            EventData::ContributorDismissed(e) => self.dismiss("Contributor", e.user_id, e.team_id),
            EventData::ManagerDismissed(e) => self.dismiss("Manager", e.user_id, e.team_id),
            EventData::OwnerDismissed(e) => self.dismiss("Owner", e.user_id, e.team_id),
            EventData::TeamFounded(e) => drop(self.founders.insert(e.team_id, e.user_id)),
            EventData::TeamFoundingRefused(_) | EventData::MembershipEnlistingRefused(_) => {}
            EventData::MembershipEnlisted(e) => {
                if let Some(project) = self.projects.get_mut(&e.project_id) {
                    let it = GivenMembership { user_id: e.user_id, team_id: e.team_id };
                    if !project.memberships.contains(&it) {
                        project.memberships.push(it);
                    }
                }
            }
            EventData::MembershipDelisted(e) => {
                if let Some(project) = self.projects.get_mut(&e.project_id) {
                    project.memberships.retain(|it| it.user_id != e.user_id || it.team_id != e.team_id);
                }
            }
            EventData::ProjectTeamSet(e) => drop(self.teams.insert((e.project_id, e.team_id))),
            EventData::ProjectTeamCleared(e) => drop(self.teams.remove(&(e.project_id, e.team_id))),
            other => self.apply_to_board(other),
        }
    }

    /// The rest of them.
    fn apply_to_board(&mut self, event: EventData) {
        match event {
            EventData::ProjectCreated(e) => {
                let project = Project {
                    name: e.name,
                    prefix: e.prefix,
                    description: e.description,
                    user_id: e.user_id,
                    team_id: e.team_id,
                    active: e.active,
                    public: e.public,
                    column_order: e.column_order,
                    deleted: false,
                    memberships: Vec::new(),
                };
                self.projects.insert(e.project_id, project);
            }
            EventData::ProjectUpdated(e) => {
                if let Some(it) = self.projects.get_mut(&e.project_id) {
                    put(&mut it.name, e.name);
                    put(&mut it.prefix, e.prefix);
                    put(&mut it.description, e.description);
                    put(&mut it.user_id, e.user_id);
                    put(&mut it.team_id, e.team_id);
                    put(&mut it.active, e.active);
                    put(&mut it.public, e.public);
                    put(&mut it.column_order, e.column_order);
                }
            }
            EventData::ProjectDeleted(e) => {
                if let Some(it) = self.projects.get_mut(&e.project_id) {
                    (it.name, it.prefix, it.description) = ("".into(), "".into(), "".into());
                    (it.active, it.public, it.deleted) = (false, false, true);
                    it.column_order.clear();
                }
            }
            EventData::BoardCounted(e) => {
                let board = Board { tasks: e.tasks, last_number: e.last_number };
                self.boards.insert(e.project_id, board);
            }
            EventData::TaskCreated(e) => {
                let task = Task { title: e.title, column: e.column, rank: e.rank, deleted: false };
                self.tasks.insert((e.project_id, e.task_id), task);
            }
            EventData::TaskMoved(e) => {
                let place = self.tasks.entry((e.project_id, e.task_id));
                place.and_modify(|it| (it.column, it.rank) = (e.column, e.rank));
            }
            EventData::TaskRenamed(e) => {
                self.tasks.entry((e.project_id, e.task_id)).and_modify(|it| it.title = e.title);
            }
            EventData::TaskDeleted(e) => {
                let place = self.tasks.entry((e.project_id, e.task_id));
                place.and_modify(|it| (it.title, it.deleted) = ("".into(), true));
            }
            other => unreachable!("{other:?} is taken in elsewhere"),
        }
    }

    fn appoint(&mut self, rank: &'static str, user_id: Text, team_id: Text) {
        self.ranks.insert((rank, user_id, team_id));
    }

    fn dismiss(&mut self, rank: &'static str, user_id: Text, team_id: Text) {
        self.ranks.remove(&(rank, user_id, team_id));
    }

    /// The state of an aggregate, if it has one.
    pub fn state(&self, aggregate_id: &str) -> Option<State> {
        let (kind, ids) = aggregate_id.split_once('/')?;
        let (one, other) = ids.split_once('/').unwrap_or((ids, ""));
        let (one, pair): (Text, Pair) = (one.into(), (one.into(), other.into()));
        let has = |rank| self.ranks.contains(&(rank, pair.0.clone(), pair.1.clone()));
        match kind {
            "Member" => self.members.get(&one).cloned().map(State::Member),
            "Membership" => self.memberships.get(&pair).cloned().map(State::Membership),
            "Contributor" => has("Contributor").then_some(State::Contributor(Contributor {})),
            "Manager" => has("Manager").then_some(State::Manager(Manager {})),
            "Owner" => has("Owner").then_some(State::Owner(Owner {})),
            "Team" => self.founders.get(&one).cloned().map(|founded_by| State::Team(Team { founded_by })),
            "Project" => self.projects.get(&one).cloned().map(State::Project),
            "ProjectTeam" => self.teams.contains(&pair).then_some(State::ProjectTeam(ProjectTeam {})),
            "Board" => self.boards.get(&one).cloned().map(State::Board),
            "Task" => self.tasks.get(&pair).cloned().map(State::Task),
            _ => None,
        }
    }
}

fn put<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}
