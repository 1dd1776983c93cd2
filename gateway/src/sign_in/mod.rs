//! Who comes with a token for the first time is made known to the domain that knows users, by the command which its schema says.
//!
//! The command has one id for what a token says of its user and for ten minutes, and adds a user who is there no second time: so
//! whichever gateways send it, and however often, one user comes of it. What a gateway remembers only keeps it from asking again.

mod vouched;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_kernel::claims::ACTING_USER;
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT};
use millrace_kernel::{Metadata, Outcome, Status, Text, Violation, id};
use serde_json::Value as Json;
use tokio::sync::OnceCell;

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
/// How long nobody is made known after the domain has left somebody without an answer: it stands still, and others need not wait for it.
const PAUSE: Duration = Duration::from_secs(30);
/// How long a user is left alone who could not become known by their token; and for how long the same command has the same id.
const AGAIN: Duration = Duration::from_secs(600);

/// How often a user is introduced at once: with all that the token says, and without what the domain does not take of it.
const TRIES: usize = 2;

/// Users who are known, and those who are being made known.
#[derive(Default)]
pub(crate) struct SignIns(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    latest: HashMap<Text, Until>,
    before: HashMap<Text, Until>,
    /// Of those whose command is under way: who comes meanwhile waits with the first.
    asking: HashMap<Text, Arc<OnceCell<()>>>,
    paused_until: Option<Instant>,
}

/// Until when a user is not asked about; for good, where that is nothing.
type Until = Option<Instant>;

impl SignIns {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be waited for before `user` is known: nothing where that is so already, or cannot be now.
    fn ask(&self, user: &Text, now: Instant) -> Option<Arc<OnceCell<()>>> {
        let mut seen = self.lock();
        let until = seen.latest.get(user).or_else(|| seen.before.get(user));
        if until.is_some_and(|until| until.is_none_or(|until| now < until)) {
            return None;
        }
        if let Some(asking) = seen.asking.get(user) {
            return Some(Arc::clone(asking));
        }
        if seen.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        let asking = Arc::<OnceCell<()>>::default();
        seen.asking.insert(user.clone(), Arc::clone(&asking));
        Some(asking)
    }

    /// What has come of it; `None` is that nobody has answered.
    fn answered(&self, user: &Text, until: Option<Until>, now: Instant) {
        let mut seen = self.lock();
        seen.asking.remove(user);
        let Some(until) = until else {
            seen.paused_until = Some(now + PAUSE);
            return;
        };
        if seen.latest.len() >= REMEMBERED {
            seen.before = std::mem::take(&mut seen.latest);
        }
        seen.latest.insert(user.clone(), until);
    }
}

impl Gateway {
    /// Waits until who asks is known, where this is the first time that they come; for long it does not, and what goes wrong
    /// is not theirs to mend: then the command that follows says what is missing.
    pub(crate) async fn greet(&self, principal: &Principal) {
        if let Some(introduction) = self.introduction(principal) {
            // it goes on where this request is given up; one that is cancelled has nothing to say
            let _ = tokio::spawn(introduction).await;
        }
    }

    /// The same, and nobody waits.
    pub(crate) fn greet_meanwhile(&self, principal: &Principal) {
        if let Some(introduction) = self.introduction(principal) {
            drop(tokio::spawn(introduction));
        }
    }

    /// What makes known who asks, alone or with others who ask at the same time; nothing where they are known already, cannot
    /// become known now, or come with a token that says nothing of them: another one may say more.
    fn introduction(&self, principal: &Principal) -> Option<impl Future<Output = ()> + Send + 'static> {
        let Principal::Known(known) = principal else { return None };
        let channel = self.channels().find(|channel| channel.description.schemas.sign_in.is_some())?;
        let Description { types, schemas, .. } = &channel.description;
        let kind = schemas.sign_in.and_then(|name| types.get(name))?;
        let data = filled(schemas.claims, &kind.name, known)?;
        let asking = self.sign_ins().ask(&known.user, Instant::now())?;
        let (gateway, channel, kind, known) =
            (self.clone(), Arc::clone(channel), kind.clone(), Arc::clone(known));
        Some(async move {
            asking
                .get_or_init(|| async {
                    let until = gateway.make_known(&channel, &kind, &known, data).await;
                    gateway.sign_ins().answered(&known.user, until, Instant::now());
                })
                .await;
        })
    }

    /// Makes the user known; until when they are left alone now, or nothing where nobody has answered.
    async fn make_known(
        &self,
        channel: &Channel,
        kind: &MessageType,
        known: &Known,
        mut data: Json,
    ) -> Option<Until> {
        let time = self.clock().now_micros() / AGAIN.as_micros() as i64;
        // issuers write what they like where a domain has rules; nobody is kept out by their language. What is refused
        // although it was left out is needed
        for _ in 0..TRIES {
            // '/' may not occur in a user, so no key of theirs means this command
            let id = id::of_bytes(format!("/user/{}/sign-in/{time}/{data}", known.user).as_bytes());
            match self.introduce(channel, kind, id, known, data.clone()).await {
                Introduced::Known => return Some(None),
                Introduced::Unanswered => return None,
                Introduced::Refused => break,
                Introduced::Malformed(fields) => {
                    let rules = channel.description.schemas.claims;
                    if without(rules, &kind.name, &mut data, &fields).is_none() {
                        tracing::debug!(command = kind.name, ?fields, "a token says what cannot be taken");
                        break;
                    }
                }
            }
        }
        Some(Some(Instant::now() + AGAIN))
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
        let of = kind.name.clone();
        let asked = Asked { id, kind: of.clone(), metadata, data, traceparent: None, wait: PATIENCE };
        match channel.submit(asked, self.ending()).await {
            Submitted::Answered(outcome) | Submitted::OtherContent(outcome) => {
                let rules = channel.description.schemas.claims.iter();
                let mut of_user = rules.filter(|rule| rule.command == of && rule.claim == ACTING_USER);
                Introduced::of(&outcome, of_user.next().map(|rule| rule.field))
            }
            Submitted::Refused(_) | Submitted::TooLarge { .. } => Introduced::Refused,
            Submitted::Pending(_) | Submitted::Busy | Submitted::Away { .. } => Introduced::Unanswered,
        }
    }
}

/// What became of the command.
#[derive(Debug, PartialEq, Eq)]
enum Introduced {
    /// The user is known, mostly since long.
    Known,
    /// They cannot become known by a token such as this one now: their address may be somebody else's.
    Refused,
    /// These fields are not as the domain wants them.
    Malformed(Vec<String>),
    /// Nobody knows yet.
    Unanswered,
}

impl Introduced {
    /// `user` is the field with the user's id: what is wrong with that is that there is such a user.
    fn of(outcome: &Outcome, user: Option<&str>) -> Self {
        let violations = &outcome.violations;
        if outcome.status == Status::Accepted {
            return Self::Known;
        }
        if violations.iter().all(|it| it.code == INVALID_ARGUMENT) {
            let fields = violations.iter().map(|it| it.field.as_deref().unwrap_or_default().to_owned());
            return Self::Malformed(fields.collect());
        }
        let is_there = |it: &Violation| it.code == ALREADY_EXISTS && it.field.as_deref() == user;
        if violations.iter().any(is_there) { Self::Known } else { Self::Refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_users_are_remembered() {
        let (known, now) = (SignIns::default(), Instant::now());
        let user = |number: usize| Text::from(format!("user-{number}"));
        (0..3 * REMEMBERED).for_each(|number| known.answered(&user(number), Some(None), now));
        assert!(known.ask(&user(3 * REMEMBERED - 1), now).is_none());
        assert!(known.ask(&user(2 * REMEMBERED), now).is_none(), "a whole set before is remembered");
        assert!(known.ask(&user(0), now).is_some(), "and no more than two");
    }

    #[test]
    fn one_command_at_a_time_and_none_while_the_domain_stands_still() {
        let (known, now) = (SignIns::default(), Instant::now());
        let [ann, bob] = ["ann", "bob"].map(Text::from);
        let first = known.ask(&ann, now).expect("nobody knows her");
        let second = known.ask(&ann, now).expect("she is being made known");
        assert!(Arc::ptr_eq(&first, &second));
        known.answered(&ann, None, now);
        for user in [&ann, &bob] {
            assert!(known.ask(user, now + PAUSE - Duration::from_secs(1)).is_none());
        }
        assert!(known.ask(&ann, now + PAUSE).is_some());
        // somebody whose address is another's is asked about again
        known.answered(&ann, Some(Some(now + AGAIN)), now);
        assert!(known.ask(&ann, now + PAUSE).is_none());
        assert!(known.ask(&ann, now + AGAIN).is_some());
    }

    #[test]
    fn who_is_refused_for_their_address_is_not_known() {
        let of = |violations: Vec<Violation>| {
            let status = if violations.is_empty() { Status::Accepted } else { Status::Rejected };
            let outcome = Outcome {
                command_id: "c".into(),
                status,
                duplicate: false,
                positions: Vec::new(),
                versions: Vec::new(),
                violations,
                recorded_at: 0,
                command_type: None,
                failure: None,
                digest: None,
            };
            Introduced::of(&outcome, Some("user_id"))
        };
        let on = |code: &str, field: &str| Violation::on(code, field, "");
        assert_eq!(of(Vec::new()), Introduced::Known);
        assert_eq!(of(vec![on(ALREADY_EXISTS, "user_id")]), Introduced::Known);
        assert_eq!(of(vec![on(ALREADY_EXISTS, "email")]), Introduced::Refused);
        assert_eq!(of(vec![on("InvalidState", "user_id")]), Introduced::Refused);
        assert_eq!(
            of(vec![on(INVALID_ARGUMENT, "locale")]),
            Introduced::Malformed(vec!["locale".to_owned()])
        );
    }
}
