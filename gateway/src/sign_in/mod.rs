//! Who comes with a token for the first time is made known to the domain that knows users, by the command which its schema says.
//!
//! The command has one id for each user, so whichever gateways send it, and however often, it is decided once; what a gateway
//! remembers only keeps it from asking again.

mod vouched;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_kernel::{Metadata, Outcome, Status, Text, id};

use self::vouched::filled;
pub(crate) use self::vouched::vouched;
use crate::auth::{Known, Principal};
use crate::gateway::Gateway;
use crate::log::{Asked, Channel, Submitted};
use crate::message::{Sealing, data_problems};

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
        let description = &channel.description;
        let Some(kind) = description.schemas.sign_in.and_then(|name| description.types.get(name)) else {
            return;
        };
        // by a token that says nothing of its user nobody becomes known; another one may say more
        let Some(data) = filled(description.schemas.claims, &kind.name, known) else { return };
        let Ok(data) = data_problems(kind, data, Sealing::Nowhere) else {
            tracing::debug!(command = kind.name, "a token says what the command cannot hold");
            return self.sign_ins().remember(&known.user);
        };
        let asked = Asked {
            // '/' may not occur in a user, so no key of theirs means this command
            id: id::of_bytes(format!("/user/{}/sign-in", known.user).as_bytes()),
            kind: kind.name.clone(),
            metadata: Metadata {
                user_id: Some(known.user.clone()),
                issued_at: Some(self.clock().now_micros()),
                ..Metadata::default()
            },
            data,
            traceparent: None,
            wait: PATIENCE,
        };
        match channel.submit(asked, self.ending()).await {
            Submitted::Answered(outcome) | Submitted::OtherContent(outcome) => {
                // mostly that the user is known since long
                if let Some(codes) = refused(&outcome) {
                    tracing::debug!(
                        command = kind.name,
                        codes,
                        "who signs in does not become known by their token"
                    );
                }
                self.sign_ins().remember(&known.user);
            }
            Submitted::Refused(_) | Submitted::TooLarge { .. } => self.sign_ins().remember(&known.user),
            // the next request asks again
            Submitted::Pending(_) | Submitted::Busy | Submitted::Away { .. } => {}
        }
    }
}

/// The codes of a refusal. Messages may repeat what the token says.
fn refused(outcome: &Outcome) -> Option<String> {
    let said: Vec<&str> = outcome.violations.iter().map(|it| &*it.code).collect();
    (outcome.status == Status::Rejected).then(|| said.join(", "))
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
