//! Users and who has which address as a plain fold of events, and what their rules say: `domains.md` once more.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use millrace_domain_identity::messages::events::{
    AccountingEnabled, EmailClaimRefused, EmailClaimed, EmailReleased, UserAdded, UserAdditionRefused,
    UserAdditionRequested, UserEmailReleased, UserRemoved, UserUpdateRefused, UserUpdateRequested,
    UserUpdated,
};
use millrace_domain_identity::messages::state::{Change, EmailClaim, User};
use millrace_domain_identity::{CommandData, EventData, State, StepData};
use millrace_kernel::{Command, Text, Violation};
use sha2::Sha256;

use crate::workload::Broken;

/// The key that all processors have who have the right one.
const KEY_ID: &str = "k1";
/// Its secret: the id over and over.
const SECRET: &[u8; 32] = b"k1k1k1k1k1k1k1k1k1k1k1k1k1k1k1k1";

/// Everything there is.
#[derive(Default)]
pub struct Directory {
    users: BTreeMap<Text, User>,
    /// Who has which address, by its name.
    owners: BTreeMap<Text, Text>,
}

/// The one spelling of an address that counts, if it is one. Producers know no others than these.
pub fn spelling(address: &str) -> Option<String> {
    address.contains('@').then(|| address.to_lowercase())
}

/// The name of an address: what it is called where nobody may read it.
pub fn name(address: &str) -> Text {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).expect("keys of any length are taken");
    mac.update(format!("identity\0EmailClaim\0{address}").as_bytes());
    format!("{KEY_ID}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())).into()
}

fn broken(code: &str, field: &str) -> Broken {
    (code.to_owned(), Some(field.to_owned()))
}

impl Directory {
    pub fn decide(&self, command: &Command<CommandData>) -> Result<Vec<EventData>, Vec<Broken>> {
        let mut wrong = Vec::new();
        let is_another = |user_id: &Text| command.metadata.user_id.as_ref().is_some_and(|it| it != user_id);
        let of_another = |user_id: &Text, wrong: &mut Vec<Broken>| {
            let is = is_another(user_id);
            if is {
                wrong.push(broken("NotPermitted", "metadata.user_id"));
            }
            is
        };
        let change_id = command.id.clone();
        let event = match command.data.clone() {
            CommandData::AddUser(c) => {
                if !of_another(&c.user_id, &mut wrong) {
                    match self.users.get(&c.user_id) {
                        Some(user) if user.status == "ADDING" => {
                            wrong.push(broken("InvalidState", "user_id"));
                        }
                        Some(_) => wrong.push(broken("AlreadyExists", "user_id")),
                        None => {}
                    }
                }
                if spelling(c.email.open()).is_none() {
                    wrong.push(broken("InvalidArgument", "email"));
                }
                if c.email_verified {
                    UserAdditionRequested {
                        to_claim: spelling(c.email.open()).iter().map(|it| name(it)).collect(),
                        user_id: c.user_id,
                        auth0_id: c.auth0_id,
                        email: c.email,
                        email_verified: true,
                        first_name: c.first_name,
                        last_name: c.last_name,
                        picture: c.picture,
                        locale: c.locale,
                        change_id,
                    }
                    .into()
                } else {
                    UserAdded {
                        user_id: c.user_id,
                        auth0_id: c.auth0_id,
                        email: c.email,
                        email_verified: false,
                        first_name: c.first_name,
                        last_name: c.last_name,
                        picture: c.picture,
                        locale: c.locale,
                    }
                    .into()
                }
            }
            CommandData::UpdateUser(c) => {
                let user = if of_another(&c.user_id, &mut wrong) {
                    None
                } else {
                    self.at_rest(&c.user_id, &mut wrong)
                };
                let given = c.email.as_ref().map(|it| spelling(it.open()));
                if given == Some(None) {
                    wrong.push(broken("InvalidArgument", "email"));
                }
                let given = given.flatten();
                let Some(user) = user.filter(|_| wrong.is_empty()) else { return Err(wrong) };
                let had = spelling(user.email.open());
                let is_new = given.is_some() && given != had;
                // a new address is verified by nobody, unless somebody says so
                let said = c.email_verified.or_else(|| is_new.then_some(false));
                let wanted: Vec<Text> = if said.unwrap_or(user.email_verified) {
                    given.or(had).iter().map(|it| name(it)).collect()
                } else {
                    Vec::new()
                };
                let to_claim: Vec<Text> =
                    wanted.iter().filter(|it| !user.email_claims.contains(it)).cloned().collect();
                let to_release: Vec<Text> =
                    user.email_claims.iter().filter(|it| !wanted.contains(it)).cloned().collect();
                if to_claim.is_empty() && to_release.is_empty() {
                    UserUpdated {
                        user_id: c.user_id,
                        email: c.email,
                        email_verified: said,
                        first_name: c.first_name,
                        last_name: c.last_name,
                        picture: c.picture,
                        locale: c.locale,
                    }
                    .into()
                } else {
                    UserUpdateRequested {
                        user_id: c.user_id,
                        email: c.email,
                        email_verified: said,
                        first_name: c.first_name,
                        last_name: c.last_name,
                        picture: c.picture,
                        locale: c.locale,
                        change_id,
                        email_claims: wanted,
                        to_claim,
                        to_release,
                    }
                    .into()
                }
            }
            CommandData::RemoveUser(c) => {
                let is_anothers = of_another(&c.user_id, &mut wrong);
                let user = if is_anothers { None } else { self.at_rest(&c.user_id, &mut wrong) };
                let email_claims = user.map(|user| user.email_claims.clone()).unwrap_or_default();
                UserRemoved { user_id: c.user_id, change_id, email_claims }.into()
            }
            CommandData::EnableAccounting(c) => {
                let is_anothers = of_another(&c.user_id, &mut wrong);
                let user = if is_anothers { None } else { self.at_rest(&c.user_id, &mut wrong) };
                if user.is_some_and(|user| user.fingerprint.as_ref() == Some(&c.fingerprint)) {
                    wrong.push(broken("InvalidState", "fingerprint"));
                }
                AccountingEnabled { user_id: c.user_id, fingerprint: c.fingerprint }.into()
            }
        };
        if wrong.is_empty() { Ok(vec![event]) } else { Err(wrong) }
    }

    /// The user must be there, and nothing under way.
    fn at_rest(&self, user_id: &Text, wrong: &mut Vec<Broken>) -> Option<&User> {
        match self.users.get(user_id) {
            None => wrong.push(broken("NotFound", "user_id")),
            Some(user) if user.status == "REMOVED" || user.change.is_some() => {
                wrong.push(broken("InvalidState", "user_id"));
            }
            user => return user,
        }
        None
    }

    pub fn decide_step(&self, step: &StepData) -> Vec<EventData> {
        match step.clone() {
            StepData::ClaimEmail(s) => {
                let is_anothers = self.owners.get(&s.claim_id).is_some_and(|owner| *owner != s.user_id);
                vec![if is_anothers {
                    EmailClaimRefused {
                        claim_id: s.claim_id,
                        user_id: s.user_id,
                        change_id: s.change_id,
                        claimed: s.claimed,
                        violations: vec![Violation::on("AlreadyExists", "email", "")],
                    }
                    .into()
                } else {
                    EmailClaimed {
                        claimed: [s.claimed, vec![s.claim_id.clone()]].concat(),
                        claim_id: s.claim_id,
                        user_id: s.user_id,
                        change_id: s.change_id,
                        to_claim: s.to_claim,
                        to_release: s.to_release,
                    }
                    .into()
                }]
            }
            StepData::ReleaseEmail(s) => vec![
                EmailReleased {
                    was_held: self.owners.get(&s.claim_id) == Some(&s.user_id),
                    claim_id: s.claim_id,
                    user_id: s.user_id,
                    change_id: s.change_id,
                    to_release: s.to_release,
                    violations: s.violations,
                }
                .into(),
            ],
            StepData::EndChange(s) => {
                let Some(user) = self.users.get(&s.user_id) else { return Vec::new() };
                let Some(change) = user.change.clone().filter(|it| it.change_id == s.change_id) else {
                    return Vec::new();
                };
                let is_refused = !s.violations.is_empty();
                vec![match (user.status.as_str(), is_refused) {
                    ("REMOVED", _) => UserEmailReleased { user_id: s.user_id }.into(),
                    ("ADDING", true) => {
                        UserAdditionRefused { user_id: s.user_id, violations: s.violations }.into()
                    }
                    ("ADDING", false) => UserAdded {
                        user_id: s.user_id,
                        auth0_id: user.auth0_id.clone(),
                        email: user.email.clone(),
                        email_verified: user.email_verified,
                        first_name: user.first_name.clone(),
                        last_name: user.last_name.clone(),
                        picture: user.picture.clone(),
                        locale: user.locale.clone(),
                    }
                    .into(),
                    (_, true) => UserUpdateRefused { user_id: s.user_id, violations: s.violations }.into(),
                    (_, false) => UserUpdated {
                        user_id: s.user_id,
                        email: change.email,
                        email_verified: change.email_verified,
                        first_name: change.first_name,
                        last_name: change.last_name,
                        picture: change.picture,
                        locale: change.locale,
                    }
                    .into(),
                }]
            }
        }
    }

    pub fn apply(&mut self, event: &EventData) {
        match event.clone() {
            EventData::UserAdditionRequested(e) => {
                let change = Change { email_claims: e.to_claim, ..unknown(&e.user_id, &e.change_id) };
                let user = User {
                    user_id: e.user_id.clone(),
                    status: "ADDING".into(),
                    auth0_id: e.auth0_id,
                    email: e.email,
                    email_verified: e.email_verified,
                    first_name: e.first_name,
                    last_name: e.last_name,
                    picture: e.picture,
                    locale: e.locale,
                    fingerprint: None,
                    email_claims: Vec::new(),
                    change: Some(change),
                };
                self.users.insert(e.user_id, user);
            }
            EventData::UserAdded(e) => {
                let change = self.users.remove(&e.user_id).and_then(|user| user.change);
                let user = User {
                    user_id: e.user_id.clone(),
                    status: "ACTIVE".into(),
                    auth0_id: e.auth0_id,
                    email: e.email,
                    email_verified: e.email_verified,
                    first_name: e.first_name,
                    last_name: e.last_name,
                    picture: e.picture,
                    locale: e.locale,
                    fingerprint: None,
                    email_claims: change.map(|it| it.email_claims).unwrap_or_default(),
                    change: None,
                };
                self.users.insert(e.user_id, user);
            }
            EventData::UserAdditionRefused(e) => {
                self.users.remove(&e.user_id);
            }
            EventData::UserUpdateRequested(e) => {
                let change = Change {
                    change_id: e.change_id,
                    user_id: e.user_id.clone(),
                    email: e.email,
                    email_verified: e.email_verified,
                    first_name: e.first_name,
                    last_name: e.last_name,
                    picture: e.picture,
                    locale: e.locale,
                    email_claims: e.email_claims,
                };
                self.users.entry(e.user_id).and_modify(|user| user.change = Some(change));
            }
            EventData::UserUpdated(e) => {
                self.users.entry(e.user_id).and_modify(|user| {
                    let change = user.change.take();
                    user.email_claims =
                        change.map_or(std::mem::take(&mut user.email_claims), |it| it.email_claims);
                    put(&mut user.email, e.email);
                    put(&mut user.email_verified, e.email_verified);
                    put(&mut user.first_name, e.first_name);
                    put(&mut user.last_name, e.last_name);
                    put(&mut user.picture, e.picture);
                    put(&mut user.locale, e.locale);
                });
            }
            EventData::UserUpdateRefused(e) => {
                self.users.entry(e.user_id).and_modify(|user| user.change = None);
            }
            EventData::UserRemoved(e) => {
                let change = (!e.email_claims.is_empty()).then(|| unknown(&e.user_id, &e.change_id));
                let user = User {
                    user_id: e.user_id.clone(),
                    status: "REMOVED".into(),
                    email_claims: e.email_claims,
                    change,
                    ..nobody()
                };
                self.users.insert(e.user_id, user);
            }
            EventData::UserEmailReleased(e) => {
                self.users.entry(e.user_id).and_modify(|user| {
                    user.email_claims.clear();
                    user.change = None;
                });
            }
            EventData::AccountingEnabled(e) => {
                self.users.entry(e.user_id).and_modify(|user| user.fingerprint = Some(e.fingerprint));
            }
            EventData::EmailClaimed(e) => {
                self.owners.insert(e.claim_id, e.user_id);
            }
            EventData::EmailReleased(e) if e.was_held => {
                self.owners.remove(&e.claim_id);
            }
            EventData::EmailClaimRefused(_) | EventData::EmailReleased(_) => {}
        }
    }

    pub fn state(&self, aggregate_id: &str) -> Option<State> {
        match aggregate_id.split_once('/')? {
            ("User", id) => Some(State::User(self.users.get(id)?.clone())),
            ("EmailClaim", id) => {
                Some(State::EmailClaim(EmailClaim { user_id: self.owners.get(id)?.clone() }))
            }
            _ => None,
        }
    }

    /// Who is a user, with their address if it is verified.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, Option<String>)> {
        let active = self.users.values().filter(|user| user.status == "ACTIVE");
        active
            .map(|user| (user.user_id.as_str(), spelling(user.email.open()).filter(|_| user.email_verified)))
    }

    /// Who has which address, by its name.
    pub fn owners(&self) -> &BTreeMap<Text, Text> {
        &self.owners
    }
}

fn put<T>(field: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *field = new;
    }
}

fn unknown(user_id: &Text, change_id: &Text) -> Change {
    Change {
        change_id: change_id.clone(),
        user_id: user_id.clone(),
        email: None,
        email_verified: None,
        first_name: None,
        last_name: None,
        picture: None,
        locale: None,
        email_claims: Vec::new(),
    }
}

fn nobody() -> User {
    User {
        user_id: "".into(),
        status: "".into(),
        auth0_id: "".into(),
        email: "".into(),
        email_verified: false,
        first_name: "".into(),
        last_name: "".into(),
        picture: "".into(),
        locale: "".into(),
        fingerprint: None,
        email_claims: Vec::new(),
        change: None,
    }
}
