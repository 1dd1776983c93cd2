//! Who the users are: the bounded context, pure.
//!
//! `user` says who there is; `adding` and `changing` decide commands, `ending` the end of what takes several steps, and
//! `folding` is the state. `claim` makes an address unique: `email` says which spellings are one address, `plan` which
//! claims a user is to have, `process` how they come about. `person` has rules for what else is known of somebody;
//! `projections` turns events into rows. The messages, states and rows in `messages` are generated from
//! `schemas/identity`. There is no broker, database, clock or async in here; the README beside says what the rules are
//! where `domains.md` is silent.

mod adding;
mod changing;
pub mod claim;
pub mod email;
mod ending;
mod folding;
pub mod messages;
mod person;
mod plan;
mod process;
pub mod projections;
pub mod user;

use millrace_kernel::{
    Command, Domain, FollowUp, NoSettings, Projection, Rejections, Schemas, Stamp, StateReader,
};

pub use messages::{CommandData, EventData, State, StepData};

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl Domain for Identity {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;

    const NAME: &'static str = "identity";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    const PSEUDONYMS: &'static [&'static str] = &[claim::KIND];

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let (actor, change_id) = (command.metadata.user_id.as_deref(), &command.id);
        let event = match &command.data {
            CommandData::AddUser(c) => adding::add(states, actor, change_id, c)?,
            CommandData::UpdateUser(c) => changing::update(states, actor, change_id, c)?,
            CommandData::RemoveUser(c) => changing::remove(states, actor, change_id, c)?,
            CommandData::EnableAccounting(c) => changing::enable_accounting(states, actor, c)?,
        };
        Ok(vec![event])
    }

    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        _stamp: Stamp,
    ) -> Vec<EventData> {
        match step {
            StepData::ClaimEmail(s) => vec![claim::claim(states, s)],
            StepData::ReleaseEmail(s) => vec![claim::release(states, s)],
            StepData::EndChange(s) => ending::end(states, s).into_iter().collect(),
        }
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        match event {
            EventData::EmailClaimed(_) | EventData::EmailClaimRefused(_) | EventData::EmailReleased(_) => {
                claim::evolve(state, event)
            }
            EventData::UserAdditionRequested(_)
            | EventData::UserAdded(_)
            | EventData::UserAdditionRefused(_)
            | EventData::UserUpdateRequested(_)
            | EventData::UserUpdated(_)
            | EventData::UserUpdateRefused(_)
            | EventData::UserRemoved(_)
            | EventData::UserEmailReleased(_)
            | EventData::AccountingEnabled(_) => folding::evolve(state, event),
        }
    }

    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        process::follow_up(event)
    }

    fn is_visible(state: Option<&State>) -> bool {
        user::is_active(state)
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        projections::all()
    }
}
