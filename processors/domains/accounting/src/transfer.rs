//! Transfer: from where to where, how much, and where it stands.

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::messages::EventData;
use crate::messages::commands::Transfer as Request;
use crate::messages::events::{TransferCompleted, TransferFailed, TransferRequested};
use crate::messages::state::{State, Transfer};
use crate::messages::steps::{CompleteTransfer, FailTransfer};
use crate::rules;

/// The kind of aggregate.
pub const KIND: &str = "Transfer";

/// Where a transfer stands, as it is written in its state.
pub mod step {
    /// It has begun; its steps are under way.
    pub const REQUESTED: &str = "REQUESTED";
    /// It has ended well: the money has moved.
    pub const COMPLETED: &str = "COMPLETED";
    /// It has ended badly: no money has moved.
    pub const FAILED: &str = "FAILED";
}

/// `Transfer/<transfer_id>`
#[must_use]
pub fn id(transfer_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[transfer_id])
}

/// Begins a transfer. What the accounts have to say is found out where they live.
pub(crate) fn request(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &Request,
) -> Result<TransferRequested, Rejections> {
    let Request { transfer_id, from, to, amount, currency } = command;
    let mut rejections = Rejections::none();
    if rejections.well_formed("transfer_id", transfer_id) {
        rejections.require(states.get(&id(transfer_id)).is_none(), || {
            let message = format!("transfer id {transfer_id} is taken, also if it failed; choose another");
            Violation::on(ALREADY_EXISTS, "transfer_id", message)
        });
    }
    rejections.well_formed("from", from);
    if rejections.well_formed("to", to) {
        rejections.require(from != to, || {
            let message = "money cannot be moved to where it is; name another account in to";
            Violation::on(INVALID_ARGUMENT, "to", message)
        });
    }
    // whose the account in `to` is will be known where it lives; that it is somebody else's is what transfers are for
    if rejections.positive("amount", *amount) && actor.is_some() {
        rules::for_another(&mut rejections, *amount);
    }
    rules::known_currency(&mut rejections, currency);
    rejections.or(|| TransferRequested {
        transfer_id: transfer_id.clone(),
        from: from.clone(),
        to: to.clone(),
        amount: *amount,
        currency: currency.clone(),
        requested_by: actor.map(Into::into),
    })
}

/// Ends a transfer well. Nothing happens when a repeated step finds it ended.
pub(crate) fn complete(
    states: &impl StateReader<State = State>,
    step: &CompleteTransfer,
) -> Option<EventData> {
    is_under_way(states, &step.transfer_id).then(|| {
        TransferCompleted {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
        }
        .into()
    })
}

/// Ends a transfer badly. Nothing happens when a repeated step finds it ended.
pub(crate) fn fail(states: &impl StateReader<State = State>, step: &FailTransfer) -> Option<EventData> {
    is_under_way(states, &step.transfer_id).then(|| {
        TransferFailed {
            transfer_id: step.transfer_id.clone(),
            from: step.from.clone(),
            to: step.to.clone(),
            amount: step.amount,
            currency: step.currency.clone(),
            violations: step.violations.clone(),
        }
        .into()
    })
}

fn is_under_way(states: &impl StateReader<State = State>, transfer_id: &str) -> bool {
    matches!(states.get(&id(transfer_id)).as_deref(), Some(State::Transfer(t)) if t.step == step::REQUESTED)
}

/// The state after an event of Transfer.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    match (event, state) {
        (EventData::TransferRequested(e), _) => Some(State::Transfer(Transfer {
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
            step: step::REQUESTED.into(),
        })),
        (EventData::TransferCompleted(_), Some(State::Transfer(transfer))) => {
            Some(State::Transfer(Transfer { step: step::COMPLETED.into(), ..transfer }))
        }
        (EventData::TransferFailed(_), Some(State::Transfer(transfer))) => {
            Some(State::Transfer(Transfer { step: step::FAILED.into(), ..transfer }))
        }
        (_, state) => state,
    }
}
