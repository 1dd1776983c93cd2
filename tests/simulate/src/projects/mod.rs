//! Teams, projects and boards under simulation, beside identity, whose users come and go: who founds a team in the same moment,
//! who comes through a project that ends meanwhile, who moves a card that somebody else has moved.

mod consistent;
mod model;
pub mod names;
mod neighbour;
mod probe;
mod producer;
mod rows;
mod rules;

use millrace_domain_identity::EventData as OfIdentity;
use millrace_domain_projects::messages::events::Given;
use millrace_domain_projects::messages::steps::{
    CloseMembership, ConcludeMembership, DelistMembership, EndMember, EndMembership, EnlistMembership,
    FoundTeam,
};
use millrace_domain_projects::{CommandData, EventData, Projects, State, StepData};
use millrace_kernel::{Command, Event, Metadata, NoSettings, Text, Value, Violation};
use millrace_testkit::pipeline::Pipeline;

pub use self::model::Suite;
pub use self::neighbour::ProjectsBeside;
pub use self::rules::USER;
use crate::dice::Dice;
use crate::holds;
use crate::identity::IdentityBeside;
use crate::luck::Luck;
use crate::neighbours::Neighbours;
use crate::oracle::world::{Failure, Seen, World};
use crate::plan::Beside;
use crate::workload::{Around, Ask, Broken, Next, Place, Workload};

/// The workload.
pub struct ProjectsWorkload;

fn two(kind: &str, one: &str, other: &str) -> String {
    format!("{kind}/{one}/{other}")
}

fn end(user_id: &Text, team_id: &Text, project_id: Option<&Text>) -> StepData {
    EndMembership { user_id: user_id.clone(), team_id: team_id.clone(), project_id: project_id.cloned() }
        .into()
}

fn conclude(user_id: &Text, team_id: &Text, violations: &[Violation]) -> Next<StepData> {
    let (user_id, team_id, violations) = (user_id.clone(), team_id.clone(), violations.to_vec());
    Next::Steps(vec![ConcludeMembership { user_id, team_id, violations }.into()])
}

fn delist(
    project_id: &Text,
    user_id: &Text,
    team_id: &Text,
    with_project: bool,
    violations: &[Violation],
) -> Next<StepData> {
    let (project_id, user_id, team_id) = (project_id.clone(), user_id.clone(), team_id.clone());
    let violations = violations.to_vec();
    Next::Steps(vec![DelistMembership { project_id, user_id, team_id, with_project, violations }.into()])
}

/// One after the other goes with the project, until nobody is left.
fn end_next(project_id: &Text, next: Option<&Given>) -> Next<StepData> {
    next.map_or(Next::Accepted, |it| Next::Steps(vec![end(&it.user_id, &it.team_id, Some(project_id))]))
}

/// What must follow here when something happens in identity.
pub fn of_identity(event: &Event<OfIdentity>) -> Vec<StepData> {
    match &event.data {
        OfIdentity::UserRemoved(e) => vec![EndMember { user_id: e.user_id.clone() }.into()],
        _ => Vec::new(),
    }
}

impl Workload for ProjectsWorkload {
    type CommandData = CommandData;
    type StepData = StepData;
    type EventData = EventData;
    type State = State;
    type Settings = NoSettings;
    type Domain = Projects;
    type Producer = producer::Producer;
    type Model = Suite;
    type Rows = rows::Rows;

    const NAME: &'static str = "projects";

    fn settings(_: &mut Dice) -> NoSettings {
        NoSettings::default()
    }

    fn producer(dice: &mut Dice) -> producer::Producer {
        producer::Producer::new(dice)
    }

    fn command(producer: &mut producer::Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        producer.command(dice, n)
    }

    fn introduce(n: usize) -> Option<CommandData> {
        let team_id = format!("team-new-{n}");
        Some(producer::join(names::user(n % 3), team_id.as_str().into(), "owner"))
    }

    fn stray(_: &str) -> Option<CommandData> {
        None
    }

    fn probe(
        seen: &Seen<Self>,
        _: &Neighbours<StepData>,
        _: &NoSettings,
        dice: &mut Dice,
    ) -> Option<Ask<CommandData>> {
        probe::probe(seen, dice)
    }

    fn beside(_: i32, dice: &mut Dice) -> Vec<Beside> {
        vec![IdentityBeside::setup(dice)]
    }

    fn neighbours(pipeline: &Pipeline<Projects>, beside: &[Beside], luck: &Luck) -> Neighbours<StepData> {
        Neighbours::default().with::<IdentityBeside, _>(pipeline, beside, luck, of_identity)
    }

    fn meet(neighbours: &Neighbours<StepData>, dice: &mut Dice) -> Option<Ask<CommandData>> {
        let (_, user_id) = neighbours.came(USER.domain).last()?.split_once('/')?;
        let role = producer::role(dice);
        Some((Metadata::default(), producer::join(user_id.into(), names::team(dice.below(2)), role)))
    }

    fn routing_key(command: &CommandData) -> &str {
        match command {
            CommandData::CreateMembership(c) => &c.user_id,
            CommandData::CreateMembershipForProject(c) => &c.user_id,
            CommandData::UpdateMembership(c) => &c.user_id,
            CommandData::DeleteMembership(c) => &c.user_id,
            CommandData::CreateProject(c) => &c.project_id,
            CommandData::UpdateProject(c) => &c.project_id,
            CommandData::DeleteProject(c) => &c.project_id,
            CommandData::CreateTask(c) => &c.project_id,
            CommandData::MoveTask(c) => &c.project_id,
            CommandData::RenameTask(c) => &c.project_id,
            CommandData::DeleteTask(c) => &c.project_id,
        }
    }

    fn step_key(step: &StepData) -> String {
        let key = match step {
            StepData::FoundTeam(s) => &s.team_id,
            StepData::EnlistMembership(s) => &s.project_id,
            StepData::DelistMembership(s) => &s.project_id,
            StepData::ConcludeMembership(s) => &s.user_id,
            StepData::CloseMembership(s) => &s.user_id,
            StepData::EndMember(s) => &s.user_id,
            StepData::EndMembership(s) => &s.user_id,
        };
        key.to_string()
    }

    fn failure(_: &CommandData) -> Option<&'static str> {
        None
    }

    fn aggregate(event: &EventData) -> String {
        let membership = |user_id: &str, team_id: &str| two("Membership", user_id, team_id);
        match event {
            EventData::MembershipRequested(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipRefused(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipWithdrawn(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipCreated(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipCreatedForProject(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipUpdated(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipDeleted(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipEndingNoted(e) => membership(&e.user_id, &e.team_id),
            EventData::MembershipClosed(e) => membership(&e.user_id, &e.team_id),
            EventData::MemberJoined(e) => format!("Member/{}", e.user_id),
            EventData::MemberLeft(e) => format!("Member/{}", e.user_id),
            EventData::MemberEnded(e) => format!("Member/{}", e.user_id),
            EventData::ContributorAppointed(e) => two("Contributor", &e.user_id, &e.team_id),
            EventData::ContributorDismissed(e) => two("Contributor", &e.user_id, &e.team_id),
            EventData::ManagerAppointed(e) => two("Manager", &e.user_id, &e.team_id),
            EventData::ManagerDismissed(e) => two("Manager", &e.user_id, &e.team_id),
            EventData::OwnerAppointed(e) => two("Owner", &e.user_id, &e.team_id),
            EventData::OwnerDismissed(e) => two("Owner", &e.user_id, &e.team_id),
            EventData::TeamFounded(e) => format!("Team/{}", e.team_id),
            EventData::TeamFoundingRefused(e) => format!("Team/{}", e.team_id),
            EventData::ProjectCreated(e) => format!("Project/{}", e.project_id),
            EventData::ProjectUpdated(e) => format!("Project/{}", e.project_id),
            EventData::ProjectDeleted(e) => format!("Project/{}", e.project_id),
            EventData::MembershipEnlisted(e) => format!("Project/{}", e.project_id),
            EventData::MembershipEnlistingRefused(e) => format!("Project/{}", e.project_id),
            EventData::MembershipDelisted(e) => format!("Project/{}", e.project_id),
            EventData::ProjectTeamSet(e) => two("ProjectTeam", &e.project_id, &e.team_id),
            EventData::ProjectTeamCleared(e) => two("ProjectTeam", &e.project_id, &e.team_id),
            EventData::BoardCounted(e) => format!("Board/{}", e.project_id),
            EventData::TaskCreated(e) => two("Task", &e.project_id, &e.task_id),
            EventData::TaskMoved(e) => two("Task", &e.project_id, &e.task_id),
            EventData::TaskRenamed(e) => two("Task", &e.project_id, &e.task_id),
            EventData::TaskDeleted(e) => two("Task", &e.project_id, &e.task_id),
        }
    }

    fn target(command: &CommandData) -> String {
        match command {
            CommandData::CreateMembership(c) => two("Membership", &c.user_id, &c.team_id),
            CommandData::CreateMembershipForProject(c) => two("Membership", &c.user_id, &c.team_id),
            CommandData::UpdateMembership(c) => two("Membership", &c.user_id, &c.team_id),
            CommandData::DeleteMembership(c) => two("Membership", &c.user_id, &c.team_id),
            CommandData::CreateProject(_) | CommandData::UpdateProject(_) | CommandData::DeleteProject(_) => {
                format!("Project/{}", Self::routing_key(command))
            }
            CommandData::CreateTask(c) => two("Task", &c.project_id, &c.task_id),
            CommandData::MoveTask(c) => two("Task", &c.project_id, &c.task_id),
            CommandData::RenameTask(c) => two("Task", &c.project_id, &c.task_id),
            CommandData::DeleteTask(c) => two("Task", &c.project_id, &c.task_id),
        }
    }

    fn decide(
        model: &Suite,
        command: &Command<CommandData>,
        around: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        model.decide(command, around)
    }

    fn decide_step(model: &Suite, step: &StepData) -> Vec<EventData> {
        model.decide_step(step)
    }

    fn apply(model: &mut Suite, event: &Event<EventData>) {
        model.apply(&event.data);
    }

    fn next(event: &EventData) -> Next<StepData> {
        match event {
            EventData::MembershipRequested(e) => {
                let (user_id, team_id) = (e.user_id.clone(), e.team_id.clone());
                Next::Steps(vec![match e.project_id.clone() {
                    Some(project_id) => EnlistMembership { project_id, user_id, team_id }.into(),
                    None => FoundTeam { team_id, user_id, requested_by: e.requested_by.clone() }.into(),
                }])
            }
            EventData::TeamFounded(e) => conclude(&e.user_id, &e.team_id, &[]),
            EventData::TeamFoundingRefused(e) => conclude(&e.user_id, &e.team_id, &e.violations),
            EventData::MembershipEnlisted(e) => conclude(&e.user_id, &e.team_id, &[]),
            EventData::MembershipEnlistingRefused(e) => conclude(&e.user_id, &e.team_id, &e.violations),
            EventData::MembershipRefused(e) => {
                Next::Rejected(e.violations.iter().map(|it| (it.code.clone(), it.field.clone())).collect())
            }
            EventData::MembershipCreated(_)
            | EventData::MembershipCreatedForProject(_)
            | EventData::MembershipClosed(_) => Next::Accepted,
            EventData::MembershipWithdrawn(e) => {
                delist(&e.project_id, &e.user_id, &e.team_id, false, &e.violations)
            }
            EventData::MembershipDeleted(e) => match &e.project_id {
                Some(project_id) => delist(project_id, &e.user_id, &e.team_id, e.with_project, &[]),
                None => Next::Accepted,
            },
            EventData::MembershipEndingNoted(e) => match &e.project_id {
                Some(project_id) => delist(project_id, &e.user_id, &e.team_id, true, &[]),
                None => Next::Nothing,
            },
            EventData::MembershipDelisted(e) if e.with_project => end_next(&e.project_id, e.next.as_ref()),
            EventData::MembershipDelisted(e) => {
                let (user_id, team_id) = (e.user_id.clone(), e.team_id.clone());
                let violations = e.violations.clone();
                Next::Steps(vec![CloseMembership { user_id, team_id, violations }.into()])
            }
            EventData::ProjectDeleted(e) => end_next(&e.project_id, e.next.as_ref()),
            EventData::MemberEnded(e) if !e.team_ids.is_empty() => {
                Next::Steps(e.team_ids.iter().map(|team_id| end(&e.user_id, team_id, None)).collect())
            }
            _ => Next::Nothing,
        }
    }

    fn state(model: &Suite, aggregate_id: &str) -> Option<State> {
        model.state(aggregate_id)
    }

    fn made_known(event: &EventData) -> Option<String> {
        match event {
            EventData::MembershipCreated(_)
            | EventData::MembershipCreatedForProject(_)
            | EventData::ContributorAppointed(_)
            | EventData::ManagerAppointed(_)
            | EventData::OwnerAppointed(_)
            | EventData::TeamFounded(_)
            | EventData::ProjectTeamSet(_) => Some(Self::aggregate(event)),
            _ => None,
        }
    }

    fn made_unknown(event: &EventData) -> Option<String> {
        match event {
            EventData::MembershipDeleted(_)
            | EventData::ContributorDismissed(_)
            | EventData::ManagerDismissed(_)
            | EventData::OwnerDismissed(_)
            | EventData::ProjectTeamCleared(_) => Some(Self::aggregate(event)),
            _ => None,
        }
    }

    fn blur(event: &mut EventData) {
        match event {
            EventData::MembershipRefused(e) => no_words(&mut e.violations),
            EventData::MembershipWithdrawn(e) => no_words(&mut e.violations),
            EventData::TeamFoundingRefused(e) => no_words(&mut e.violations),
            EventData::MembershipEnlistingRefused(e) => no_words(&mut e.violations),
            EventData::MembershipDelisted(e) => no_words(&mut e.violations),
            _ => {}
        }
    }

    fn blur_step(step: &mut StepData) {
        match step {
            StepData::ConcludeMembership(s) => no_words(&mut s.violations),
            StepData::DelistMembership(s) => no_words(&mut s.violations),
            StepData::CloseMembership(s) => no_words(&mut s.violations),
            _ => {}
        }
    }

    fn families() -> &'static [(&'static str, &'static [&'static str])] {
        &[
            ("projects.teams", &["team_members", "teams_by_user"]),
            ("projects.boards", &["projects", "projects_by_team", "project_board"]),
        ]
    }

    fn fold(rows: &mut rows::Rows, _: &NoSettings, _: i32, event: &Event<EventData>) -> Vec<Place> {
        rows.fold(event)
    }

    fn row(rows: &rows::Rows, place: &Place) -> Option<Vec<Value>> {
        rows.row(place)
    }

    fn look(_: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        Ok(0)
    }

    fn judge(world: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        let mut suite = Suite::default();
        for (_, seen) in world.partitions() {
            seen.events.iter().for_each(|(_, event)| suite.apply(&event.data));
        }
        consistent::all_agree(&suite)?;
        consistent::moves_are_based_on_what_was_there(world)?;
        for (_, event) in world.neighbours.happened() {
            for step in &event.steps {
                let StepData::EndMember(step) = step else { continue };
                let has_ended = suite.has_ended(&step.user_id);
                holds!(has_ended, "who was removed has ended here", "{event:?}");
            }
        }
        Ok(0)
    }
}

fn no_words(violations: &mut [Violation]) {
    violations.iter_mut().for_each(|violation| violation.message.clear());
}
