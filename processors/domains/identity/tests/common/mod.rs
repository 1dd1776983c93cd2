//! Short names for messages, so that tables of tests read well.

pub mod whole;

use millrace_domain_identity::claim;
use millrace_domain_identity::messages::{CommandData, EventData, StepData, commands, events, steps};
use millrace_kernel::{Sealed, Text, Violation};
use millrace_testkit::given::test_keys;
use millrace_testkit::world::Answer;

/// Ann's address, and another one.
pub const ANN: &str = "ann@example.org";
pub const BOB: &str = "bob@example.org";
/// A fingerprint, and another one.
pub const PRINT: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN-_0";
pub const OTHER_PRINT: &str = "0123456789012345678901234567890123456789012";

pub fn person(user_id: &str, email: &str, email_verified: bool) -> commands::AddUser {
    commands::AddUser {
        user_id: user_id.into(),
        auth0_id: "auth0|1".into(),
        email: email.into(),
        email_verified,
        first_name: "Ann".into(),
        last_name: "Lee".into(),
        picture: "https://example.org/ann.png".into(),
        locale: "de-AT".into(),
    }
}

/// With a verified address.
pub fn add(user_id: &str, email: &str) -> CommandData {
    person(user_id, email, true).into()
}

pub fn add_unverified(user_id: &str, email: &str) -> CommandData {
    person(user_id, email, false).into()
}

/// That gives nothing.
pub fn nothing_for(user_id: &str) -> commands::UpdateUser {
    commands::UpdateUser {
        user_id: user_id.into(),
        email: None,
        email_verified: None,
        first_name: None,
        last_name: None,
        picture: None,
        locale: None,
    }
}

pub fn renew(user_id: &str) -> CommandData {
    nothing_for(user_id).into()
}

/// To another address, which is verified.
pub fn move_to(user_id: &str, email: &str) -> CommandData {
    let email_verified = Some(true);
    commands::UpdateUser { email: Some(email.into()), email_verified, ..nothing_for(user_id) }.into()
}

pub fn verify(user_id: &str, email_verified: bool) -> CommandData {
    commands::UpdateUser { email_verified: Some(email_verified), ..nothing_for(user_id) }.into()
}

pub fn rename(user_id: &str, first_name: &str) -> CommandData {
    commands::UpdateUser { first_name: Some(first_name.into()), ..nothing_for(user_id) }.into()
}

pub fn remove(user_id: &str) -> CommandData {
    commands::RemoveUser { user_id: user_id.into() }.into()
}

pub fn enable(user_id: &str, sealed: usize, fingerprint: &str) -> CommandData {
    let (user_id, fingerprint) = (user_id.into(), fingerprint.into());
    commands::EnableAccounting { user_id, sealed_token: Sealed::new(vec![7; sealed]), fingerprint }.into()
}

/// The claims on an address under these keys of tests.
pub fn names(keys: &[&str], address: &str) -> Vec<Text> {
    test_keys(keys).names("identity", claim::KIND, address)
}

/// The claim on an address under the key `k1`.
pub fn name(address: &str) -> Text {
    names(&["k1"], address).remove(0)
}

pub fn added(of: commands::AddUser) -> events::UserAdded {
    let commands::AddUser {
        user_id,
        auth0_id,
        email,
        email_verified,
        first_name,
        last_name,
        picture,
        locale,
    } = of;
    events::UserAdded { user_id, auth0_id, email, email_verified, first_name, last_name, picture, locale }
}

pub fn addition_requested(of: commands::AddUser, change_id: &str, to_claim: Vec<Text>) -> EventData {
    let events::UserAdded {
        user_id,
        auth0_id,
        email,
        email_verified,
        first_name,
        last_name,
        picture,
        locale,
    } = added(of);
    events::UserAdditionRequested {
        user_id,
        auth0_id,
        email,
        email_verified,
        first_name,
        last_name,
        picture,
        locale,
        change_id: change_id.into(),
        to_claim,
    }
    .into()
}

pub fn updated(of: commands::UpdateUser) -> EventData {
    let commands::UpdateUser { user_id, email, email_verified, first_name, last_name, picture, locale } = of;
    events::UserUpdated { user_id, email, email_verified, first_name, last_name, picture, locale }.into()
}

pub fn update_requested(
    of: commands::UpdateUser,
    change_id: &str,
    email_claims: Vec<Text>,
    to_claim: Vec<Text>,
    to_release: Vec<Text>,
) -> EventData {
    let commands::UpdateUser { user_id, email, email_verified, first_name, last_name, picture, locale } = of;
    events::UserUpdateRequested {
        user_id,
        email,
        email_verified,
        first_name,
        last_name,
        picture,
        locale,
        change_id: change_id.into(),
        email_claims,
        to_claim,
        to_release,
    }
    .into()
}

pub fn removed(user_id: &str, change_id: &str, email_claims: Vec<Text>) -> EventData {
    events::UserRemoved { user_id: user_id.into(), change_id: change_id.into(), email_claims }.into()
}

pub fn enabled(user_id: &str, fingerprint: &str) -> EventData {
    events::AccountingEnabled { user_id: user_id.into(), fingerprint: fingerprint.into() }.into()
}

pub fn claimed(user_id: &str, claim_id: &Text) -> EventData {
    events::EmailClaimed {
        claim_id: claim_id.clone(),
        user_id: user_id.into(),
        change_id: "c".into(),
        claimed: vec![claim_id.clone()],
        to_claim: Vec::new(),
        to_release: Vec::new(),
    }
    .into()
}

/// A user with a verified address, of which it was claimed what is valid under `keys`.
pub fn there_is(user_id: &str, address: &str, keys: &[&str]) -> Vec<EventData> {
    let to_claim: Vec<Text> = names(keys, address).into_iter().rev().collect();
    let mut events = vec![addition_requested(person(user_id, address, true), "c", to_claim.clone())];
    events.extend(to_claim.iter().map(|claim_id| claimed(user_id, claim_id)));
    events.push(added(person(user_id, address, true)).into());
    events
}

pub fn claim_email(user_id: &str, claim_id: &Text) -> steps::ClaimEmail {
    steps::ClaimEmail {
        claim_id: claim_id.clone(),
        user_id: user_id.into(),
        change_id: "c".into(),
        claimed: Vec::new(),
        to_claim: Vec::new(),
        to_release: Vec::new(),
    }
}

pub fn release_email(user_id: &str, claim_id: &Text) -> steps::ReleaseEmail {
    steps::ReleaseEmail {
        claim_id: claim_id.clone(),
        user_id: user_id.into(),
        change_id: "c".into(),
        to_release: Vec::new(),
        violations: Vec::new(),
    }
}

pub fn end_change(user_id: &str, change_id: &str, violations: Vec<Violation>) -> StepData {
    steps::EndChange { user_id: user_id.into(), change_id: change_id.into(), violations }.into()
}

/// Why an address is refused that is another user's.
pub fn taken() -> Vec<Violation> {
    let message = "this address is another user's, whatever its case; use another";
    vec![Violation::on("AlreadyExists", "email", message)]
}

/// The reasons of a refusal, as (code, field); none when accepted.
pub fn reasons(answer: &Answer) -> Vec<(&str, &str)> {
    match answer {
        Answer::Accepted => Vec::new(),
        Answer::Rejected(violations) => pairs(violations),
    }
}

/// Violations as (code, field).
pub fn pairs(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|it| (it.code.as_str(), it.field.as_deref().unwrap_or_default())).collect()
}
