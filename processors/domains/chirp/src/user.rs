//! User: registering, and who counts as a user.

use millrace_kernel::codes::ALREADY_EXISTS;
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::messages::EventData;
use crate::messages::commands::RegisterUser;
use crate::messages::events::{RegistrationRefused, RegistrationStarted, UserRegistered};
use crate::messages::state::{State, User};
use crate::messages::steps::{ConfirmRegistration, RefuseRegistration};
use crate::username;

/// The kind of aggregate; also looked up by decisions in other partitions.
pub const KIND: &str = "User";

/// `User/<user_id>`
#[must_use]
pub fn id(user_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[user_id])
}

/// Whether this is the state of a user who exists: not one whose registration is open.
#[must_use]
pub fn is_registered(state: Option<&State>) -> bool {
    matches!(state, Some(State::User(User { registered_at: Some(_), .. })))
}

/// Whether the user exists, who must have the routing key of the message being decided.
pub(crate) fn exists_here(states: &impl StateReader<State = State>, user_id: &str) -> bool {
    is_registered(states.get(&id(user_id)).as_deref())
}

/// Opens a registration; whether the name is free is found out in the name's partition.
pub(crate) fn register(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &RegisterUser,
) -> Result<RegistrationStarted, Rejections> {
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, &command.user_id, "the user named in user_id", states);
    if rejections.well_formed("user_id", &command.user_id) {
        rejections.require(states.is_none_or(|it| it.get(&id(&command.user_id)).is_none()), || {
            Violation::on(
                ALREADY_EXISTS,
                "user_id",
                format!("user id {} is taken, or being registered; choose another", command.user_id),
            )
        });
    }
    username::well_formed(&mut rejections, &command.username);
    rejections
        .or(|| RegistrationStarted { user_id: command.user_id.clone(), username: command.username.clone() })
}

/// Ends a registration well. Nothing happens when a repeated step finds it ended.
pub(crate) fn confirm(
    states: &impl StateReader<State = State>,
    step: &ConfirmRegistration,
) -> Vec<EventData> {
    if !is_open(states, &step.user_id) {
        return Vec::new();
    }
    vec![UserRegistered { user_id: step.user_id.clone(), username: step.username.clone() }.into()]
}

/// Ends a registration badly. Nothing happens when a repeated step finds it ended.
pub(crate) fn refuse(states: &impl StateReader<State = State>, step: &RefuseRegistration) -> Vec<EventData> {
    if !is_open(states, &step.user_id) {
        return Vec::new();
    }
    let event = RegistrationRefused {
        user_id: step.user_id.clone(),
        username: step.username.clone(),
        violations: step.violations.clone(),
    };
    vec![event.into()]
}

fn is_open(states: &impl StateReader<State = State>, user_id: &str) -> bool {
    matches!(states.get(&id(user_id)).as_deref(), Some(State::User(User { registered_at: None, .. })))
}

/// The state after an event of User.
pub(crate) fn evolve(state: Option<State>, event: &EventData, recorded_at: i64) -> Option<State> {
    match event {
        EventData::RegistrationStarted(e) => {
            Some(State::User(User { username: e.username.clone(), registered_at: None }))
        }
        EventData::UserRegistered(e) => {
            Some(State::User(User { username: e.username.clone(), registered_at: Some(recorded_at) }))
        }
        EventData::RegistrationRefused(_) => None,
        _ => state,
    }
}
