//! Username: the claim that makes a name unique across partitions.

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT};
use millrace_kernel::{AggregateId, Rejections, StateReader, Violation};

use crate::messages::EventData;
use crate::messages::events::{UsernameClaimRefused, UsernameClaimed};
use crate::messages::state::{State, Username};
use crate::messages::steps::ClaimUsername;

/// The kind of aggregate.
pub const KIND: &str = "Username";

/// The fewest and most characters of a name.
pub const LENGTH: std::ops::RangeInclusive<usize> = 3..=20;

/// A name as a key: names that differ only in case are the same name.
#[must_use]
pub fn key(username: &str) -> String {
    username.to_ascii_lowercase()
}

/// `Username/<name in lower case>`
#[must_use]
pub fn id(username: &str) -> AggregateId {
    AggregateId::new(KIND, &[&key(username)])
}

/// `username` must be 3 to 20 of `[A-Za-z0-9_]`.
pub(crate) fn well_formed(rejections: &mut Rejections, username: &str) {
    let holds =
        LENGTH.contains(&username.len()) && username.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    rejections.require(holds, || {
        Violation::on(
            INVALID_ARGUMENT,
            "username",
            format!("username must be {} to {} characters of A-Z a-z 0-9 _", LENGTH.start(), LENGTH.end()),
        )
    });
}

/// Gives the name to the first who claims it. The owner may claim it again: a step that is
/// repeated after a crash must not refuse what it had granted.
pub(crate) fn claim(states: &impl StateReader<State = State>, step: &ClaimUsername) -> EventData {
    let owner = states.get(&id(&step.username));
    match owner.as_deref() {
        Some(State::Username(owner)) if owner.user_id != step.user_id => UsernameClaimRefused {
            user_id: step.user_id.clone(),
            username: step.username.clone(),
            violations: vec![Violation::on(
                ALREADY_EXISTS,
                "username",
                format!("the name {} is taken, whatever its case; choose another", step.username),
            )],
        }
        .into(),
        _ => UsernameClaimed { user_id: step.user_id.clone(), username: step.username.clone() }.into(),
    }
}

/// The state after an event of Username: a refusal changes only the version.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    match event {
        EventData::UsernameClaimed(e) => Some(State::Username(Username { user_id: e.user_id.clone() })),
        _ => state,
    }
}
