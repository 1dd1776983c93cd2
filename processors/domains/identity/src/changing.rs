//! Changing a user, removing one, and giving one access to the accounting service.

use millrace_kernel::codes::INVALID_STATE;
use millrace_kernel::{Rejections, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::commands::{EnableAccounting, RemoveUser, UpdateUser};
use crate::messages::events::{AccountingEnabled, UserRemoved, UserUpdateRequested, UserUpdated};
use crate::messages::state::{State, User};
use crate::plan::{Plan, claims_on};
use crate::{email, person, user};

/// Changes what is given, at once if the claims on the address are those that there should be.
pub(crate) fn update(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    change_id: &Text,
    command: &UpdateUser,
) -> Result<EventData, Rejections> {
    let mut rejections = Rejections::none();
    let kept = user::changeable(&mut rejections, states, actor, &command.user_id);
    let address = command.email.as_ref().and_then(|it| email::well_formed(&mut rejections, it.open()));
    if let Some(first_name) = &command.first_name {
        rejections.line("first_name", first_name.open());
    }
    if let Some(last_name) = &command.last_name {
        rejections.line("last_name", last_name.open());
    }
    if let Some(picture) = &command.picture {
        person::picture(&mut rejections, picture.open());
    }
    if let Some(locale) = &command.locale {
        person::locale(&mut rejections, locale);
    }
    let user = match user::user(&kept) {
        Some(user) if rejections.is_empty() => user,
        _ => return Err(rejections),
    };
    let email_verified = command.email_verified.or_else(|| is_another(user, command).then_some(false));
    let email_claims = claims_after(states, email_verified, user, address);
    let plan = Plan::new(&user.email_claims, &email_claims);
    let updated = UserUpdated {
        user_id: command.user_id.clone(),
        email: command.email.clone(),
        email_verified,
        first_name: command.first_name.clone(),
        last_name: command.last_name.clone(),
        picture: command.picture.clone(),
        locale: command.locale.clone(),
    };
    Ok(if plan.is_empty() {
        updated.into()
    } else {
        requested(updated, change_id, email_claims, plan).into()
    })
}

/// Whether the address that is given is not the one that `user` has, but for the case of its letters. Nobody has verified it then
/// who does not say so. What has the same claim may be another mailbox all the same: `straße@` and `strasse@` mostly are.
fn is_another(user: &User, command: &UpdateUser) -> bool {
    command.email.as_ref().is_some_and(|given| !given.open().eq_ignore_ascii_case(user.email.open()))
}

/// The claims that `user` is to have once this `address` is given, if one is, and this is said of it.
fn claims_after(
    states: &impl StateReader<State = State>,
    email_verified: Option<bool>,
    user: &User,
    address: Option<String>,
) -> Vec<Text> {
    if !email_verified.unwrap_or(user.email_verified) {
        return Vec::new();
    }
    match address.or_else(|| email::canonical(user.email.open()).ok()) {
        Some(address) => claims_on(states, &address),
        // an address that an earlier build has taken stays claimed as it is
        None => user.email_claims.clone(),
    }
}

fn requested(
    updated: UserUpdated,
    change_id: &Text,
    email_claims: Vec<Text>,
    plan: Plan,
) -> UserUpdateRequested {
    let UserUpdated { user_id, email, email_verified, first_name, last_name, picture, locale } = updated;
    UserUpdateRequested {
        user_id,
        email,
        email_verified,
        first_name,
        last_name,
        picture,
        locale,
        change_id: change_id.clone(),
        email_claims,
        to_claim: plan.to_claim,
        to_release: plan.to_release,
    }
}

/// Removes a user at once; the address is free once its claims are given up.
pub(crate) fn remove(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    change_id: &Text,
    command: &RemoveUser,
) -> Result<EventData, Rejections> {
    let mut rejections = Rejections::none();
    let kept = user::changeable(&mut rejections, states, actor, &command.user_id);
    let email_claims = user::user(&kept).map(|user| user.email_claims.clone()).unwrap_or_default();
    rejections.or(|| {
        UserRemoved { user_id: command.user_id.clone(), change_id: change_id.clone(), email_claims }.into()
    })
}

/// Notes that a user has a token, and which. The token itself goes no further than the command.
pub(crate) fn enable_accounting(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &EnableAccounting,
) -> Result<EventData, Rejections> {
    let mut rejections = Rejections::none();
    let kept = user::changeable(&mut rejections, states, actor, &command.user_id);
    let known = user::user(&kept).and_then(|user| user.fingerprint.as_ref());
    rejections.require(known != Some(&command.fingerprint), || {
        let message = "this is the token that the user has already; send another one, or none";
        Violation::on(INVALID_STATE, "fingerprint", message)
    });
    rejections.or(|| {
        AccountingEnabled { user_id: command.user_id.clone(), fingerprint: command.fingerprint.clone() }
            .into()
    })
}
