//! Chirp, a social network: the bounded context, pure.
//!
//! One file for each aggregate (`user`, `username`, `chirp`, `follow`) with what it decides
//! and how its state evolves; `registration` is the one process; `projections` turns events
//! into rows and `feed` reads them back as a reader's feed. The messages, states and rows in
//! `messages` are generated from `schemas/chirp`. There is no broker, database, clock or
//! async in here; the README beside says what the rules are where `domains.md` is silent.

pub mod chirp;
pub mod feed;
pub mod follow;
pub mod messages;
pub mod projections;
pub mod registration;
mod rules;
pub mod settings;
pub mod user;
pub mod username;

use millrace_kernel::{Command, Domain, FollowUp, Projection, Rejections, Schemas, Stamp, StateReader};

pub use messages::{CommandData, EventData, State, StepData};
pub use rules::codes;
pub use settings::Settings;

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chirp;

impl Domain for Chirp {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = Settings;

    const NAME: &'static str = "chirp";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    /// One chirp hardly ever depends on the one before: better that a later one comes first than
    /// that a user cannot write at all.
    const KEEPS_ORDER_BEHIND_DEAD: bool = false;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let actor = command.metadata.user_id.as_deref();
        let event = match &command.data {
            CommandData::RegisterUser(c) => user::register(states, actor, c)?.into(),
            CommandData::PostChirp(c) => chirp::post(states, actor, c)?.into(),
            CommandData::EditChirp(c) => chirp::edit(states, actor, c)?.into(),
            CommandData::DeleteChirp(c) => chirp::delete(states, actor, c)?.into(),
            CommandData::FollowUser(c) => follow::follow(states, actor, c)?.into(),
            CommandData::UnfollowUser(c) => follow::unfollow(states, actor, c)?.into(),
        };
        Ok(vec![event])
    }

    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        _stamp: Stamp,
    ) -> Vec<EventData> {
        match step {
            StepData::ClaimUsername(s) => vec![username::claim(states, s)],
            StepData::ConfirmRegistration(s) => user::confirm(states, s),
            StepData::RefuseRegistration(s) => user::refuse(states, s),
        }
    }

    fn evolve(state: Option<State>, event: &EventData, recorded_at: i64) -> Option<State> {
        match event {
            EventData::RegistrationStarted(_)
            | EventData::UserRegistered(_)
            | EventData::RegistrationRefused(_) => user::evolve(state, event, recorded_at),
            EventData::UsernameClaimed(_) | EventData::UsernameClaimRefused(_) => {
                username::evolve(state, event)
            }
            EventData::ChirpPosted(_) | EventData::ChirpEdited(_) | EventData::ChirpDeleted(_) => {
                chirp::evolve(state, event, recorded_at)
            }
            EventData::UserFollowed(_) | EventData::UserUnfollowed(_) => {
                Some(follow::evolve(event, recorded_at))
            }
        }
    }

    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        registration::follow_up(event)
    }

    fn is_visible(state: Option<&State>) -> bool {
        user::is_registered(state)
    }

    fn projections(settings: &Settings) -> Vec<Projection<EventData>> {
        projections::all(settings)
    }
}
