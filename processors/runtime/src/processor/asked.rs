//! What an outcome says of the command that it answers: its type, its digest, and what its rejection is called.

use millrace_kernel::{Digest, Domain, Failing, Named, Outcome, Status, codes};

use super::decide::{Answer, Decider, Verdict};
use super::intake::Intake;

/// Why a command was answered without a decision of the domain.
const UNDECIDED: [&str; 4] = [codes::MISROUTED, codes::POISONED, codes::SKIPPED, codes::EXPIRED];
/// Longest name of a message that is not known here, in bytes: an outcome must fit where its command did.
const MAX_NAME_LENGTH: usize = 200;

impl<D: Domain> Decider<'_, D> {
    /// `verdict`, whose first answers say what was asked.
    pub(super) fn named(&self, mut verdict: Verdict<D>, intake: &Intake<D>) -> Verdict<D> {
        let Verdict::Decided(decided) = &mut verdict else { return verdict };
        for answer in &mut decided.outcomes {
            let (outcome, is_first) = match answer {
                Answer::First(outcome) => (outcome, true),
                // the same command may be answered elsewhere, and that is the first
                Answer::Unremembered(outcome) => (outcome, false),
                Answer::Again(_) | Answer::Repeat(_) => continue,
            };
            match intake {
                Intake::Command(command, _) => {
                    let digest = is_first.then(|| Digest::of(&command.data));
                    name::<D>(outcome, command.data.name(), digest);
                }
                Intake::Unknown(unknown) if (1..=MAX_NAME_LENGTH).contains(&unknown.message_type.len()) => {
                    name::<D>(outcome, &unknown.message_type, None);
                }
                _ => {}
            }
        }
        verdict
    }
}

/// Says in an outcome what was asked. What being rejected is called is a name of the business: a command that was not
/// decided, or that cannot be, has none.
pub(super) fn name<D: Domain>(outcome: &mut Outcome, command_type: &str, digest: Option<Digest>) {
    let is_for = |codes: &[&str]| outcome.violations.iter().any(|it| codes.contains(&it.code.as_str()));
    let is_business = outcome.status == Status::Rejected && !is_for(&UNDECIDED);
    // who has expired may be another than the first, and that one was forgotten
    let is_first = !is_for(&[codes::EXPIRED]);
    outcome.command_type = Some(command_type.into());
    outcome.failure = D::Command::failure_of(command_type).filter(|_| is_business).map(Into::into);
    outcome.digest = digest.filter(|_| is_first);
}
