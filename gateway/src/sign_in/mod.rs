//! Who comes with a token for the first time is made known to the domain that knows users, by the command which its schema says.
//!
//! The command has one id for each user, so whichever gateways send it, and however often, it is decided once; what a gateway
//! remembers only keeps it from asking again.

mod vouched;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_kernel::codes::INVALID_ARGUMENT;
use millrace_kernel::{Metadata, Outcome, Status, Text, Violation, id};
use serde_json::Value as Json;

pub(crate) use self::vouched::vouched;
use self::vouched::{filled, without};
use crate::auth::{Known, Principal};
use crate::gateway::Gateway;
use crate::log::{Asked, Channel, Submitted};
use crate::message::{MessageType, Sealing, data_problems};
use crate::ports::Description;

/// How long the request that comes first waits until its user is known.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many users are remembered, twice: the latest, and those before.
const REMEMBERED: usize = 50_000;

/// Users who are known.
#[derive(Default)]
pub(crate) struct SignIns(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    latest: HashSet<Text>,
    before: HashSet<Text>,
}

impl SignIns {
    fn knows(&self, user: &str) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.latest.contains(user) || seen.before.contains(user)
    }

    fn remember(&self, user: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.latest.len() >= REMEMBERED {
            seen.before = std::mem::take(&mut seen.latest);
        }
        seen.latest.insert(user.into());
    }
}

impl Gateway {
    /// Waits until who asks is known, where this is the first time that they come; for long it does not, and what goes wrong
    /// is not theirs to mend: then the command that follows says what is missing.
    pub(crate) async fn greet(&self, principal: &Principal) {
        if let Some((channel, known)) = self.stranger(principal) {
            self.make_known(channel, known).await;
        }
    }

    /// The same, and nobody waits.
    pub(crate) fn greet_meanwhile(&self, principal: &Principal) {
        if self.stranger(principal).is_some() {
            let (gateway, principal) = (self.clone(), principal.clone());
            tokio::spawn(async move { gateway.greet(&principal).await });
        }
    }

    /// Who has not been seen before, and the domain that is to know them.
    fn stranger<'g, 'p>(&'g self, principal: &'p Principal) -> Option<(&'g Arc<Channel>, &'p Known)> {
        let Principal::Known(known) = principal else { return None };
        let channel = self.channels().find(|channel| channel.description.schemas.sign_in.is_some())?;
        (!self.sign_ins().knows(&known.user)).then_some((channel, known))
    }

    async fn make_known(&self, channel: &Channel, known: &Known) {
        let Description { types, schemas, .. } = &channel.description;
        let Some(kind) = schemas.sign_in.and_then(|name| types.get(name)) else { return };
        // by a token that says nothing of its user nobody becomes known; another one may say more
        let Some(mut data) = filled(schemas.claims, &kind.name, known) else { return };
        // '/' may not occur in a user, so no key of theirs means one of these commands
        for id in ["sign-in", "sign-in/less"] {
            let id = id::of_bytes(format!("/user/{}/{id}", known.user).as_bytes());
            match self.introduce(channel, kind, id, known, data.clone()).await {
                Introduced::Known => return self.sign_ins().remember(&known.user),
                // the next request asks again
                Introduced::Unanswered => return,
                // issuers write what they like where a domain has rules; nobody is kept out by their language
                Introduced::Malformed(fields)
                    if without(schemas.claims, &kind.name, &mut data, &fields).is_some() => {}
                Introduced::Malformed(fields) => {
                    tracing::debug!(command = kind.name, ?fields, "a token says what cannot be taken");
                    break;
                }
            }
        }
        self.sign_ins().remember(&known.user);
    }

    /// Sends the command once.
    async fn introduce(
        &self,
        channel: &Channel,
        kind: &MessageType,
        id: Text,
        known: &Known,
        data: Json,
    ) -> Introduced {
        let data = match data_problems(kind, data, Sealing::Nowhere) {
            Ok(data) => data,
            Err(problems) => {
                let fields = problems.into_iter().map(|it| it.key.unwrap_or_default()).collect();
                return Introduced::Malformed(fields);
            }
        };
        let metadata = Metadata {
            user_id: Some(known.user.clone()),
            issued_at: Some(self.clock().now_micros()),
            ..Metadata::default()
        };
        let kind = kind.name.clone();
        let asked = Asked { id, kind, metadata, data, traceparent: None, wait: PATIENCE };
        match channel.submit(asked, self.ending()).await {
            Submitted::Answered(outcome) | Submitted::OtherContent(outcome) => Introduced::of(&outcome),
            Submitted::Refused(_) | Submitted::TooLarge { .. } => Introduced::Known,
            Submitted::Pending(_) | Submitted::Busy | Submitted::Away { .. } => Introduced::Unanswered,
        }
    }
}

/// What became of the command.
#[derive(Debug, PartialEq, Eq)]
enum Introduced {
    /// The user is known, mostly since long; or cannot become known by a token such as this one.
    Known,
    /// These fields are not as the domain wants them.
    Malformed(Vec<String>),
    /// Nobody knows yet.
    Unanswered,
}

impl Introduced {
    fn of(outcome: &Outcome) -> Self {
        let malformed = |it: &Violation| it.code == INVALID_ARGUMENT;
        let violations = &outcome.violations;
        if outcome.status == Status::Accepted || !violations.iter().all(malformed) {
            return Self::Known;
        }
        Self::Malformed(
            violations.iter().map(|it| it.field.as_deref().unwrap_or_default().to_owned()).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_users_are_remembered() {
        let known = SignIns::default();
        for number in 0..3 * REMEMBERED {
            known.remember(&format!("user-{number}"));
        }
        assert!(known.knows(&format!("user-{}", 3 * REMEMBERED - 1)));
        assert!(known.knows(&format!("user-{}", 2 * REMEMBERED)), "a whole set before is remembered");
        assert!(!known.knows("user-0"), "and no more than two");
    }
}
