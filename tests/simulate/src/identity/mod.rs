//! Identity under simulation: few users after fewer addresses, which belong to one of them at a time whatever crashes, and
//! processors that come with another secret than the others.

mod model;
mod neighbour;
mod producer;
mod rows;

use std::collections::BTreeMap;

use millrace_domain_identity::messages::steps::{ClaimEmail, EndChange, ReleaseEmail};
use millrace_domain_identity::{CommandData, EventData, Identity, State, StepData};
use millrace_kernel::{Command, Event, NoSettings, Text, Value, Violation};

pub use self::neighbour::{IdentityBeside, USERS};
pub use self::producer::user;
use crate::dice::Dice;
use crate::holds;
use crate::neighbours::Neighbours;
use crate::oracle::world::{Failure, Seen, World};
use crate::workload::{Around, Ask, Broken, Next, Place, Workload};

/// The workload.
pub struct IdentityWorkload;

impl Workload for IdentityWorkload {
    type CommandData = CommandData;
    type StepData = StepData;
    type EventData = EventData;
    type State = State;
    type Settings = NoSettings;
    type Domain = Identity;
    type Producer = producer::Producer;
    type Model = model::Directory;
    type Rows = rows::Rows;

    const NAME: &'static str = "identity";

    fn settings(_: &mut Dice) -> NoSettings {
        NoSettings::default()
    }

    fn producer(dice: &mut Dice) -> producer::Producer {
        producer::Producer::new(dice)
    }

    fn command(producer: &mut producer::Producer, dice: &mut Dice, n: usize) -> Command<CommandData> {
        producer.command(dice, n)
    }

    fn introduce(_: usize) -> Option<CommandData> {
        None
    }

    fn stray(_: &str) -> Option<CommandData> {
        None
    }

    fn probe(
        _: &Seen<Self>,
        _: &Neighbours<StepData>,
        _: &NoSettings,
        _: &mut Dice,
    ) -> Option<Ask<CommandData>> {
        None
    }

    fn routing_key(command: &CommandData) -> &str {
        match command {
            CommandData::AddUser(c) => &c.user_id,
            CommandData::UpdateUser(c) => &c.user_id,
            CommandData::RemoveUser(c) => &c.user_id,
            CommandData::EnableAccounting(c) => &c.user_id,
        }
    }

    fn step_key(step: &StepData) -> String {
        match step {
            StepData::ClaimEmail(s) => s.claim_id.to_string(),
            StepData::ReleaseEmail(s) => s.claim_id.to_string(),
            StepData::EndChange(s) => s.user_id.to_string(),
        }
    }

    fn failure(_: &CommandData) -> Option<&'static str> {
        None
    }

    fn aggregate(event: &EventData) -> String {
        let user = |id: &str| format!("User/{id}");
        let claim = |id: &str| format!("EmailClaim/{id}");
        match event {
            EventData::UserAdditionRequested(e) => user(&e.user_id),
            EventData::UserAdded(e) => user(&e.user_id),
            EventData::UserAdditionRefused(e) => user(&e.user_id),
            EventData::UserUpdateRequested(e) => user(&e.user_id),
            EventData::UserUpdated(e) => user(&e.user_id),
            EventData::UserUpdateRefused(e) => user(&e.user_id),
            EventData::UserRemoved(e) => user(&e.user_id),
            EventData::UserEmailReleased(e) => user(&e.user_id),
            EventData::AccountingEnabled(e) => user(&e.user_id),
            EventData::EmailClaimed(e) => claim(&e.claim_id),
            EventData::EmailClaimRefused(e) => claim(&e.claim_id),
            EventData::EmailReleased(e) => claim(&e.claim_id),
        }
    }

    fn target(command: &CommandData) -> String {
        format!("User/{}", Self::routing_key(command))
    }

    fn decide(
        model: &model::Directory,
        command: &Command<CommandData>,
        _: &dyn Around,
    ) -> Result<Vec<EventData>, Vec<Broken>> {
        model.decide(command)
    }

    fn decide_step(model: &model::Directory, step: &StepData) -> Vec<EventData> {
        model.decide_step(step)
    }

    fn apply(model: &mut model::Directory, event: &Event<EventData>) {
        model.apply(&event.data);
    }

    fn next(event: &EventData) -> Next<StepData> {
        let next = |user_id: &Text,
                    change_id: &Text,
                    claimed: &[Text],
                    to_claim: &[Text],
                    to_release: &[Text],
                    violations: &[Violation]| {
            let (user_id, change_id, violations) = (user_id.clone(), change_id.clone(), violations.to_vec());
            let step: StepData = if let Some((first, rest)) = to_claim.split_first() {
                ClaimEmail {
                    claim_id: first.clone(),
                    user_id,
                    change_id,
                    claimed: claimed.to_vec(),
                    to_claim: rest.to_vec(),
                    to_release: to_release.to_vec(),
                }
                .into()
            } else if let Some((first, rest)) = to_release.split_first() {
                ReleaseEmail {
                    claim_id: first.clone(),
                    user_id,
                    change_id,
                    to_release: rest.to_vec(),
                    violations,
                }
                .into()
            } else {
                EndChange { user_id, change_id, violations }.into()
            };
            Next::Steps(vec![step])
        };
        let refused = |violations: &[Violation]| {
            Next::Rejected(violations.iter().map(|it| (it.code.clone(), it.field.clone())).collect())
        };
        match event {
            EventData::UserAdditionRequested(e) => next(&e.user_id, &e.change_id, &[], &e.to_claim, &[], &[]),
            EventData::UserUpdateRequested(e) => {
                next(&e.user_id, &e.change_id, &[], &e.to_claim, &e.to_release, &[])
            }
            EventData::EmailClaimed(e) => {
                next(&e.user_id, &e.change_id, &e.claimed, &e.to_claim, &e.to_release, &[])
            }
            EventData::EmailClaimRefused(e) => {
                next(&e.user_id, &e.change_id, &[], &[], &e.claimed, &e.violations)
            }
            EventData::EmailReleased(e) => {
                next(&e.user_id, &e.change_id, &[], &[], &e.to_release, &e.violations)
            }
            EventData::UserRemoved(e) if !e.email_claims.is_empty() => {
                next(&e.user_id, &e.change_id, &[], &[], &e.email_claims, &[])
            }
            EventData::UserAdditionRefused(e) => refused(&e.violations),
            EventData::UserUpdateRefused(e) => refused(&e.violations),
            EventData::UserAdded(_)
            | EventData::UserUpdated(_)
            | EventData::UserRemoved(_)
            | EventData::UserEmailReleased(_)
            | EventData::AccountingEnabled(_) => Next::Accepted,
        }
    }

    fn state(model: &model::Directory, aggregate_id: &str) -> Option<State> {
        model.state(aggregate_id)
    }

    fn made_known(event: &EventData) -> Option<String> {
        match event {
            EventData::UserAdded(e) => Some(format!("User/{}", e.user_id)),
            _ => None,
        }
    }

    fn made_unknown(event: &EventData) -> Option<String> {
        match event {
            EventData::UserRemoved(e) => Some(format!("User/{}", e.user_id)),
            _ => None,
        }
    }

    fn blur(event: &mut EventData) {
        match event {
            EventData::UserAdditionRefused(e) => no_words(&mut e.violations),
            EventData::UserUpdateRefused(e) => no_words(&mut e.violations),
            EventData::EmailClaimRefused(e) => no_words(&mut e.violations),
            EventData::EmailReleased(e) => no_words(&mut e.violations),
            _ => {}
        }
    }

    fn blur_step(step: &mut StepData) {
        match step {
            StepData::ReleaseEmail(s) => no_words(&mut s.violations),
            StepData::EndChange(s) => no_words(&mut s.violations),
            StepData::ClaimEmail(_) => {}
        }
    }

    fn families() -> &'static [(&'static str, &'static [&'static str])] {
        &[("identity.users", &["users", "people"])]
    }

    fn fold(rows: &mut rows::Rows, _: &NoSettings, _: i32, event: &Event<EventData>) -> Vec<Place> {
        rows.fold(event)
    }

    fn row(rows: &rows::Rows, place: &Place) -> Option<Vec<Value>> {
        rows.row(place)
    }

    fn look(_: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        Ok(0)
    }

    fn judge(world: &World<'_, Self>, _: &mut Dice) -> Result<u64, Failure> {
        let mut directory = model::Directory::default();
        for (_, seen) in world.partitions() {
            seen.events.iter().for_each(|(_, event)| directory.apply(&event.data));
        }
        each_address_is_one_users(&directory).map(|()| 0)
    }
}

/// At rest everybody with a verified address has it alone, and nobody else has any.
fn each_address_is_one_users(directory: &model::Directory) -> Result<(), Failure> {
    let mut of_address: BTreeMap<String, &str> = BTreeMap::new();
    for (user, address) in directory.addresses() {
        let Some(address) = address else { continue };
        let other = of_address.insert(address.clone(), user);
        holds!(other.is_none(), "an address is one user's", "{address} is that of {user} and {other:?}");
    }
    let expected: BTreeMap<Text, Text> =
        of_address.iter().map(|(address, user)| (model::name(address), Text::from(*user))).collect();
    holds!(
        *directory.owners() == expected,
        "claims are those of the users there are",
        "{:?} instead of {expected:?}",
        directory.owners()
    );
    Ok(())
}

fn no_words(violations: &mut [Violation]) {
    violations.iter_mut().for_each(|violation| violation.message.clear());
}
