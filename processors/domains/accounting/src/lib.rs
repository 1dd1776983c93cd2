//! Accounting, accounts and money: the bounded context, pure.
//!
//! One file for each aggregate (`account`, `transfer`) with what it decides and how its state
//! evolves; `process` is the one process, a transfer over two accounts; `projections` turns
//! events into rows. `currency` knows the codes of ISO 4217, `rules` what several commands
//! share. The messages, states and rows in `messages` are generated from
//! `schemas/accounting`. There is no broker, database, clock or async in here; the README
//! beside says what the rules are where `domains.md` is silent.

pub mod account;
pub mod currency;
pub mod messages;
mod process;
pub mod projections;
mod rules;
pub mod transfer;

use millrace_kernel::{
    Command, Domain, FollowUp, NoSettings, Projection, Rejections, Schemas, Stamp, StateReader,
};

pub use messages::{CommandData, EventData, State, StepData};
pub use rules::{MOST_FOR_ANOTHER, codes};

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accounting;

impl Domain for Accounting {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;

    const NAME: &'static str = "accounting";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    /// A withdrawal must not be refused for want of a deposit that lies in the dead topic.
    const KEEPS_ORDER_BEHIND_DEAD: bool = true;
    /// Money that came twice is somebody's loss.
    const REFUSES_EXPIRED: bool = true;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let actor = command.metadata.user_id.as_deref();
        let event = match &command.data {
            CommandData::OpenAccount(c) => account::open(states, actor, c)?.into(),
            CommandData::Deposit(c) => account::deposit(states, actor, c)?.into(),
            CommandData::Withdraw(c) => account::withdraw(states, actor, c)?.into(),
            CommandData::Transfer(c) => transfer::request(states, actor, c)?.into(),
            CommandData::CloseAccount(c) => account::close(states, actor, c)?.into(),
        };
        Ok(vec![event])
    }

    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        _stamp: Stamp,
    ) -> Vec<EventData> {
        let event = match step {
            StepData::ReserveFunds(s) => account::reserve(states, s),
            StepData::CreditTransfer(s) => Some(account::credit(states, s)),
            StepData::SettleReservation(s) => account::settle(states, s),
            StepData::ReleaseReservation(s) => account::release(states, s),
            StepData::CompleteTransfer(s) => transfer::complete(states, s),
            StepData::FailTransfer(s) => transfer::fail(states, s),
        };
        event.into_iter().collect()
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        match event {
            EventData::TransferRequested(_)
            | EventData::TransferCompleted(_)
            | EventData::TransferFailed(_) => transfer::evolve(state, event),
            EventData::AccountOpened(_)
            | EventData::MoneyDeposited(_)
            | EventData::MoneyWithdrawn(_)
            | EventData::AccountClosed(_)
            | EventData::FundsReserved(_)
            | EventData::ReservationRefused(_)
            | EventData::TransferCredited(_)
            | EventData::CreditRefused(_)
            | EventData::ReservationSettled(_)
            | EventData::ReservationReleased(_) => account::evolve(state, event),
        }
    }

    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        process::follow_up(event)
    }

    fn projections(settings: &NoSettings) -> Vec<Projection<EventData>> {
        projections::all(settings)
    }
}
