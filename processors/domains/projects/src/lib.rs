//! Teams, their projects and boards: the bounded context, pure.
//!
//! One file for each aggregate with what it decides and how its state evolves: `member`, `membership`, `team`, `role` (the
//! kinds that others look up), `project`, `task`. `giving` is what a project knows of memberships given through it. `steps` is
//! what processes decide about a membership, `process` how one step leads to the next, `policy` what is done about users who
//! go. `rules` holds what several commands share, `board` the order of cards, and `projections` turns events into rows. The
//! messages, states and rows in `messages` are generated from `schemas/projects`. There is no broker, database, clock or
//! async in here; the README beside says what the rules are where `domains.md` is silent.

pub mod board;
pub mod giving;
pub mod member;
pub mod membership;
pub mod messages;
pub mod policy;
mod process;
pub mod project;
pub mod projections;
pub mod role;
mod rules;
mod steps;
pub mod task;
pub mod team;

use millrace_kernel::{
    Command, Domain, FollowUp, NoSettings, Policy, Projection, Published, Rejections, Schemas, Stamp,
    StateReader,
};

pub use messages::{CommandData, EventData, State, StepData};
pub use rules::MAX_COLUMNS;

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Projects;

impl Domain for Projects {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;

    const NAME: &'static str = "projects";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    const LOOKUPS_ELSEWHERE: &'static [Published] = &[member::USER];

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let actor = command.metadata.user_id.as_deref();
        match &command.data {
            CommandData::CreateMembership(c) => membership::create(states, actor, c),
            CommandData::CreateMembershipForProject(c) => membership::create_for_project(states, actor, c),
            CommandData::UpdateMembership(c) => membership::update(states, actor, c),
            CommandData::DeleteMembership(c) => membership::delete(states, actor, c),
            CommandData::CreateProject(c) => project::create(states, actor, c),
            CommandData::UpdateProject(c) => project::update(states, actor, c),
            CommandData::DeleteProject(c) => project::delete(states, actor, c),
            CommandData::CreateTask(c) => task::create(states, actor, c),
            CommandData::MoveTask(c) => task::shift(states, &command.metadata, c),
            CommandData::RenameTask(c) => task::rename(states, actor, c),
            CommandData::DeleteTask(c) => task::delete(states, actor, c),
        }
    }

    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        _stamp: Stamp,
    ) -> Vec<EventData> {
        match step {
            StepData::FoundTeam(s) => vec![team::found(states, s)],
            StepData::EnlistMembership(s) => vec![giving::enlist(states, s)],
            StepData::ConcludeMembership(s) => steps::conclude(states, s),
            StepData::DelistMembership(s) => vec![giving::delist(states, s)],
            StepData::CloseMembership(s) => steps::close(states, s).into_iter().collect(),
            StepData::EndMember(s) => member::end(states, &s.user_id).into_iter().collect(),
            StepData::EndMembership(s) => steps::end(states, s),
        }
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        match event {
            EventData::MembershipRequested(_)
            | EventData::MembershipRefused(_)
            | EventData::MembershipWithdrawn(_)
            | EventData::MembershipCreated(_)
            | EventData::MembershipCreatedForProject(_)
            | EventData::MembershipUpdated(_)
            | EventData::MembershipDeleted(_)
            | EventData::MembershipEndingNoted(_)
            | EventData::MembershipClosed(_) => membership::evolve(state, event),
            EventData::MemberJoined(_) | EventData::MemberLeft(_) | EventData::MemberEnded(_) => {
                member::evolve(state, event)
            }
            EventData::ContributorAppointed(_)
            | EventData::ContributorDismissed(_)
            | EventData::ManagerAppointed(_)
            | EventData::ManagerDismissed(_)
            | EventData::OwnerAppointed(_)
            | EventData::OwnerDismissed(_) => role::evolve(event),
            EventData::TeamFounded(_) | EventData::TeamFoundingRefused(_) => team::evolve(state, event),
            EventData::ProjectCreated(_)
            | EventData::ProjectUpdated(_)
            | EventData::ProjectDeleted(_)
            | EventData::MembershipEnlisted(_)
            | EventData::MembershipEnlistingRefused(_)
            | EventData::MembershipDelisted(_) => giving::evolve(state, event),
            EventData::ProjectTeamSet(_) | EventData::ProjectTeamCleared(_) => project::team_evolve(event),
            EventData::TaskCreated(_)
            | EventData::TaskMoved(_)
            | EventData::TaskRenamed(_)
            | EventData::TaskDeleted(_) => task::evolve(state, event),
            EventData::BoardCounted(_) => task::board(event),
        }
    }

    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        process::follow_up(event)
    }

    fn is_visible(state: Option<&State>) -> bool {
        match state {
            // while it begins or ends it is nobody's business
            Some(State::Membership(_)) => membership::active(state).is_some(),
            _ => state.is_some(),
        }
    }

    fn policies() -> Vec<Policy<StepData>> {
        vec![Policy::of::<policy::WhoGoes>()]
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        projections::all()
    }
}
