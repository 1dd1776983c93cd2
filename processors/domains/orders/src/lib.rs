//! Orders of a shop: the bounded context, pure.
//!
//! `order` is the one aggregate, with what it decides and how its state evolves; `projections` turns events into
//! rows. The messages, states and rows in `messages` are generated from `schemas/orders`. There is no broker,
//! database, clock or async in here; the README beside says what the rules are where `domains.md` is silent.

pub mod messages;
pub mod order;
pub mod projections;

use millrace_kernel::{
    Command, Domain, NoSettings, NoStep, Projection, Rejections, Schemas, Stamp, StateReader,
};

pub use messages::{CommandData, EventData, State};

/// The domain, as the engine knows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders;

impl Domain for Orders {
    type Command = CommandData;
    type Step = NoStep;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;

    const NAME: &'static str = "orders";
    const SCHEMAS: Schemas = messages::SCHEMAS;
    /// An order must not be shipped as if its cancellation, which lies in the dead topic, had never been sent.
    const KEEPS_ORDER_BEHIND_DEAD: bool = true;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let actor = command.metadata.user_id.as_deref();
        let event = match &command.data {
            CommandData::CreateOrder(c) => order::create(states, actor, c)?.into(),
            CommandData::ShipOrder(c) => order::ship(states, actor, c, stamp)?.into(),
            CommandData::CancelOrder(c) => order::cancel(states, actor, c)?.into(),
        };
        Ok(vec![event])
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        order::evolve(state, event)
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        projections::all()
    }
}
