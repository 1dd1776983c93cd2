//! Commands that were answered before, or may have been: what they are answered.

use millrace_kernel::bookkeeping::{self, Bookkeeping, OpenProcess};
use millrace_kernel::{AggregateId, Domain, Metadata, StateData, Violation, codes};
use millrace_ports::Record;

use super::decide::{Answer, Decided, Decider, Verdict, kept};
use super::state::Versioned;
use super::window::Known;
use crate::planted::{self, Bug};

impl<D: Domain> Decider<'_, D> {
    /// The answer to a command id that was used before, if it was.
    pub(super) fn repeated(&self, command_id: &str) -> Option<Verdict<D>> {
        let mut decided = Decided::nothing(self.layers.last_recorded_at());
        match self.layers.answer(command_id) {
            Some(Known::Answer(answer)) => {
                decided.outcomes.push(Answer::Repeat(answer));
                return Some(Verdict::Decided(Box::new(decided)));
            }
            Some(Known::Past) => {
                let message = "this id was answered before, longer ago than answers are kept; the newest state says what became of it";
                return Some(self.reject(command_id, vec![Violation::of(codes::EXPIRED, message)]));
            }
            None => {}
        }
        // its process is still open: remember that one more answer is due when it ends
        let (id, open, versioned) = self.open_process(command_id)?;
        let more = if planted::is_on(Bug::DuplicateCountedTwice) { 2 } else { 1 };
        let waiting = OpenProcess { duplicates: open.duplicates + more, ..open };
        decided.changes.push((id, kept::<D>(Bookkeeping::Process(waiting), versioned.recorded_at)));
        Some(Verdict::Decided(Box::new(decided)))
    }

    /// The answer to a command that was answered before, or may have been.
    pub(super) fn known_before(
        &self,
        command_id: &str,
        metadata: Option<&Metadata>,
        record: &Record,
    ) -> Option<Verdict<D>> {
        let expired = || metadata.and_then(|metadata| self.expired(command_id, metadata, record));
        self.repeated(command_id).or_else(expired)
    }

    /// The answer to a command that may have been answered and forgotten since, if it was issued that early.
    fn expired(&self, command_id: &str, metadata: &Metadata, record: &Record) -> Option<Verdict<D>> {
        let (issued_at, floor) = (metadata.issued_at?, self.layers.floor()?);
        if issued_at > floor {
            return None;
        }
        let old = record.timestamp_ms.saturating_sub(issued_at / 1_000).max(0) / 1_000;
        let message = format!(
            "it was issued {old} s before it was sent, so it may be one that was answered and forgotten. Was it sent before, the state says what became of it. If not, is the producer's clock behind? Send it under a new id and with a new issued_at"
        );
        let violation = Violation::on(codes::EXPIRED, "metadata.issued_at", message);
        Some(self.reject(command_id, vec![violation]))
    }

    pub(super) fn open_process(
        &self,
        command_id: &str,
    ) -> Option<(AggregateId, OpenProcess, Versioned<D::State>)> {
        if !self.layers.may_keep(|kept| kept.open_processes) {
            return None;
        }
        let id = bookkeeping::process(command_id);
        let versioned = self.layers.get(&id);
        let Bookkeeping::Process(open) = versioned.state.as_deref()?.as_bookkeeping()? else { return None };
        let open = open.clone();
        Some((id, open, versioned))
    }
}
