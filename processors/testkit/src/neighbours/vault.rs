//! Secrets that people leave, sealed: what is kept of each is its fingerprint.

use millrace_kernel::{
    Command, Domain, NoSettings, NoStep, Projection, Rejections, Schemas, Stamp, StateReader,
};

use super::vault_messages::SCHEMAS;
use super::vault_messages::commands::CommandData;
use super::vault_messages::events::{Deposited, EventData};
use super::vault_messages::state::{Deposit, State};

/// The domain whose commands hold secrets.
pub struct Vault;

impl Domain for Vault {
    type Command = CommandData;
    type Step = NoStep;
    type Event = EventData;
    type State = State;
    type Settings = NoSettings;
    const NAME: &'static str = "vault";
    const SCHEMAS: Schemas = SCHEMAS;

    fn decide(
        _states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        _stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        let (owner_id, fingerprints) = match &command.data {
            CommandData::Deposit(it) => (&it.owner_id, vec![&it.fingerprint]),
            CommandData::DepositAll(it) => (&it.owner_id, it.deposits.iter().map(|it| &it.mark).collect()),
        };
        let mut rejections = Rejections::none();
        rejections.well_formed("owner_id", owner_id);
        let deposited = |fingerprint: &millrace_kernel::Text| {
            Deposited { owner_id: owner_id.clone(), fingerprint: fingerprint.clone() }.into()
        };
        rejections.or(|| fingerprints.into_iter().map(deposited).collect())
    }

    fn evolve(state: Option<State>, event: &EventData, _recorded_at: i64) -> Option<State> {
        let EventData::Deposited(event) = event;
        let before = state.as_ref().and_then(State::deposit);
        let mut fingerprints = before.map(|it| it.fingerprints.clone()).unwrap_or_default();
        fingerprints.push(event.fingerprint.clone());
        Some(State::Deposit(Deposit { fingerprints }))
    }

    fn projections(_settings: &NoSettings) -> Vec<Projection<EventData>> {
        Vec::new()
    }
}
