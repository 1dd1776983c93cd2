//! How large the records are that Millrace writes for a deposit: measured with its own codec.

use std::sync::Arc;

use millrace_domain_accounting::messages::SCHEMAS;
use millrace_domain_accounting::messages::events::MoneyDeposited;
use millrace_domain_accounting::messages::state::Account;
use millrace_domain_accounting::{EventData, State, account};
use millrace_kernel::Datum;
use millrace_kernel::id::event_id;
use millrace_kernel::{Digest, Event, Metadata, Outcome, Position, StateData, Status, Version};
use millrace_wire::{Codec, MemoryRegistry, Registry};

use crate::Fault;

/// Bytes of the values of one command's records; their keys are the command's own.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// An event.
    pub event: usize,
    /// A state.
    pub state: usize,
    /// An outcome.
    pub outcome: usize,
}

impl Sizes {
    /// Encodes what follows from a deposit of the workload.
    ///
    /// # Errors
    /// Values that do not fit their schemas, which is a bug.
    pub fn measure(commands: &str) -> Result<Self, Fault> {
        let command_id = "01234567-89ab-4cde-8f01-23456789abcd".to_owned();
        let (account_id, owner_id, currency) = ("acc-00000000", "user-00000000", "EUR");
        let id = account::id(account_id);
        let (version, offset, recorded_at) = (25, 500_000, 1_800_000_000_000_000);
        let deposited = MoneyDeposited {
            account_id: account_id.into(),
            amount: 5_000,
            currency: currency.into(),
            reference: "invoice 000000".into(),
        };
        let data = EventData::from(deposited);
        // of any content: it has always as many bytes
        let digest = Digest::of(&data);
        let event: Event<EventData> = Event {
            id: event_id(&command_id, 0),
            metadata: Metadata {
                user_id: Some(owner_id.into()),
                causation_id: Some(command_id.clone().into()),
                issued_at: Some(recorded_at),
                ..Metadata::default()
            },
            aggregate_id: id.as_str().into(),
            version,
            command_id: command_id.clone().into(),
            command_offset: offset,
            recorded_at,
            data,
        };
        let state = State::Account(Account {
            owner_id: owner_id.into(),
            currency: currency.into(),
            balance: 100_000,
            reserved: Vec::new(),
            closed: false,
        });
        let outcome = Outcome {
            command_id: command_id.into(),
            status: Status::Accepted,
            duplicate: false,
            positions: vec![Position { topic: commands.into(), partition: 0, offset, epoch: 0 }],
            versions: vec![Version { aggregate_id: id.as_str().into(), version }],
            violations: Vec::new(),
            recorded_at,
            command_type: Some("Deposit".into()),
            failure: None,
            digest: Some(digest),
        };
        Ok(Self {
            event: size(SCHEMAS.events, &event)?,
            state: size(SCHEMAS.state, &State::to_record(&id, version, recorded_at, 0, Some(&state)))?,
            outcome: size(SCHEMAS.outcomes, &outcome)?,
        })
    }
}

fn size<T: Datum>(schema: &str, value: &T) -> Result<usize, Fault> {
    let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let codec =
        Codec::register(registry, "sample", schema).map_err(|error| Fault::Sizes(error.to_string()))?;
    Ok(codec.encode(value).len())
}
