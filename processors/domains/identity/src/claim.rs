//! EmailClaim: what makes an address unique across partitions. Its id is a pseudonym of the address, so that no key
//! holds one.

use millrace_kernel::codes::ALREADY_EXISTS;
use millrace_kernel::{AggregateId, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::events::{EmailClaimRefused, EmailClaimed, EmailReleased};
use crate::messages::state::{EmailClaim, State};
use crate::messages::steps::{ClaimEmail, ReleaseEmail};

/// The kind of aggregate.
pub const KIND: &str = "EmailClaim";

/// `EmailClaim/<claim_id>`
#[must_use]
pub fn id(claim_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[claim_id])
}

/// Gives the address to the first who claims it. The owner may claim it again: a step that is repeated must not refuse
/// what it had granted.
pub(crate) fn claim(states: &impl StateReader<State = State>, step: &ClaimEmail) -> EventData {
    let is_anothers = owner(states, &step.claim_id).is_some_and(|owner| owner != step.user_id);
    if is_anothers {
        return EmailClaimRefused {
            claim_id: step.claim_id.clone(),
            user_id: step.user_id.clone(),
            change_id: step.change_id.clone(),
            claimed: step.claimed.clone(),
            violations: vec![Violation::on(
                ALREADY_EXISTS,
                "email",
                "this address is another user's, whatever its case; use another",
            )],
        }
        .into();
    }
    let mut claimed = step.claimed.clone();
    claimed.push(step.claim_id.clone());
    EmailClaimed {
        claim_id: step.claim_id.clone(),
        user_id: step.user_id.clone(),
        change_id: step.change_id.clone(),
        claimed,
        to_claim: step.to_claim.clone(),
        to_release: step.to_release.clone(),
    }
    .into()
}

/// Gives up a claim. It cannot fail: one that is not the user's stays as it is, and the process goes on.
pub(crate) fn release(states: &impl StateReader<State = State>, step: &ReleaseEmail) -> EventData {
    EmailReleased {
        claim_id: step.claim_id.clone(),
        user_id: step.user_id.clone(),
        change_id: step.change_id.clone(),
        was_held: owner(states, &step.claim_id).is_some_and(|owner| owner == step.user_id),
        to_release: step.to_release.clone(),
        violations: step.violations.clone(),
    }
    .into()
}

fn owner(states: &impl StateReader<State = State>, claim_id: &str) -> Option<Text> {
    let kept = states.get(&id(claim_id));
    kept.as_deref().and_then(State::email_claim).map(|claim| claim.user_id.clone())
}

/// The state after an event of EmailClaim: a refusal, and giving up what one has not, change only the version.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    match event {
        EventData::EmailClaimed(e) => Some(State::EmailClaim(EmailClaim { user_id: e.user_id.clone() })),
        EventData::EmailReleased(e) if e.was_held => None,
        _ => state,
    }
}
