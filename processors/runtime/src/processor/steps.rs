//! Steps: each is taken once, whatever is delivered twice, and a dead one once more when it is
//! redriven.
//!
//! The processor of a source partition writes its steps in one order, and numbers them. So the
//! newest number taken of each source is all that need be known: what is not above it was taken.
//! A dead step counts as taken, or all behind it would wait; it is remembered by its offset
//! instead, and comes through when it is redriven, once.

use millrace_kernel::bookkeeping::{self, Bookkeeping, DeadStep, Inbox, Repeats};
use millrace_kernel::{
    Addressed, Domain, Named, Outcome, ProcessContext, Stamp, StateData, Step, StepSource,
};
use millrace_ports::Record;

use super::asked::name;
use super::decide::{Answer, Decided, Decider, Failed, Verdict, guarded, kept};
use super::effects::{Cause, End, answer};
use super::intake::Intake;
use super::state::Versioned;
use crate::dead::headers::{self, DeadKind};
use crate::planted::{self, Bug};

/// How often a command may have been sent again for all to be answered with the first. More are remembered,
/// and answered a number at a time: see [`super::repeats`].
const REPEATS_WITH_THE_FIRST: i64 = 4;

impl<D: Domain> Decider<'_, D> {
    /// Decides a record of the steps topic.
    pub(super) fn take_step(&self, intake: &Intake<D>, record: &Record) -> Verdict<D> {
        let step = match intake {
            Intake::Step(step) => Some(&**step),
            _ => None,
        };
        let origin = headers::text(&record.headers, headers::ORIGIN).and_then(|text| text.parse().ok());
        if origin.is_some_and(|origin| !self.is_dead(origin)) {
            return self.nothing();
        }
        let is_skipped = origin.is_some() && headers::text(&record.headers, headers::SKIPPED).is_some();
        let mut verdict = match (step, intake) {
            _ if is_skipped => self.nothing(),
            (Some(step), _) => self.step(step, origin.is_some(), record),
            (None, Intake::Dead(reason) | Intake::NotYet { why: reason, .. }) => {
                self.bury(DeadKind::Step, reason.clone())
            }
            (None, _) => self.bury(DeadKind::Step, "a command among the steps".to_owned()),
        };
        let Verdict::Decided(decided) = &mut verdict else { return verdict };
        if let Some(origin) = origin {
            decided.changes.push((bookkeeping::dead_step(origin), Versioned::none()));
        }
        // a tombstone asks for nothing, so nothing can come of it later
        if decided.dead.is_some() && record.value.is_some() {
            let dead = DeadStep {
                command_id: step.and_then(|step| Some(step.process.as_ref()?.command_id.clone())),
                step_type: step.map(|step| step.data.name().into()),
                since: self.place.clock_micros,
            };
            let kept = kept::<D>(Bookkeeping::DeadStep(dead), decided.last_recorded_at);
            decided.changes.push((bookkeeping::dead_step(record.offset), kept));
        }
        verdict
    }

    fn step(&self, step: &Step<D::Step>, is_redriven: bool, record: &Record) -> Verdict<D> {
        let routing_key = step.data.aggregate_id().routing_key().to_owned();
        if let Some(violation) = self.misrouted(record, Some(&routing_key)) {
            return self.bury(DeadKind::Step, violation.message);
        }
        if is_redriven {
            return self.fresh_step(step, &routing_key, record);
        }
        if self.inbox(&step.source).is_some_and(|newest| step.source.sequence <= newest)
            && !planted::is_on(Bug::StepNotIdempotent)
            && !(step.source.domain.is_some() && planted::is_on(Bug::ReplayedReactionTaken))
        {
            return self.nothing();
        }
        let mut verdict = self.fresh_step(step, &routing_key, record);
        if let Verdict::Decided(decided) = &mut verdict {
            let inbox = Bookkeeping::Inbox(Inbox { sequence: step.source.sequence });
            let kept = kept::<D>(inbox, decided.last_recorded_at);
            decided.changes.push((bookkeeping::inbox(&step.source), kept));
        }
        verdict
    }

    fn fresh_step(&self, step: &Step<D::Step>, routing_key: &str, record: &Record) -> Verdict<D> {
        let stamp = Stamp { now: step.metadata.issued_at.unwrap_or(record.timestamp_ms * 1_000) };
        let view = self.view(routing_key);
        let decision = self.writable().and_then(|()| guarded(|| D::decide_step(&view, &step.data, stamp)));
        if let Some(behind) = self.behind(view) {
            return behind;
        }
        let decided = decision.and_then(|events| self.apply_step(step, routing_key, events, record));
        decided.unwrap_or_else(|Failed(why)| {
            self.bury(DeadKind::Step, format!("the step fails every time: {why}"))
        })
    }

    fn apply_step(
        &self,
        step: &Step<D::Step>,
        routing_key: &str,
        data: Vec<D::Event>,
        record: &Record,
    ) -> Result<Verdict<D>, Failed> {
        if data.is_empty() {
            // the state knows that its work is done: it was taken, and is remembered like any other
            return Ok(self.taken(step));
        }
        let cause = Cause {
            message_id: &step.id,
            metadata: &step.metadata,
            recorded_at: step.metadata.issued_at.unwrap_or(0),
            // what another domain's event has set in motion happens for that event
            process: step.process.clone().unwrap_or_else(|| ProcessContext {
                command_id: step.metadata.causation_id.clone().unwrap_or_default(),
                ..ProcessContext::default()
            }),
            is_awaited: step.process.is_some(),
        };
        let (mut decided, context, ends) = self.record(cause, routing_key, data, record)?;
        let violations = match ends {
            End::None | End::Open => return Ok(Verdict::Decided(Box::new(decided))),
            End::Completed => Vec::new(),
            End::Refused(violations) => violations,
        };
        let Some(process) = &step.process else {
            // it ends nothing that anybody waits for
            return Ok(Verdict::Decided(Box::new(decided)));
        };
        let Some((id, open, _)) = self.open_process(&process.command_id) else {
            return Err(Failed(format!(
                "it ends the process of command {}, which is not open here",
                process.command_id
            )));
        };
        decided.changes.push((id, Versioned::none()));
        let mut first = answer(&decided, context, violations);
        if let Answer::First(outcome) = &mut first {
            name::<D>(outcome, &open.command_type, open.digest);
            let again = Outcome { duplicate: true, ..outcome.clone() };
            let forgets = planted::is_on(Bug::WaitingDuplicatesForgotten);
            let waiting = if forgets { 0 } else { open.duplicates.max(0) };
            let now = waiting.min(REPEATS_WITH_THE_FIRST);
            if waiting > now {
                let due = Repeats { left: waiting - now, outcome: again.clone() };
                let kept = kept::<D>(Bookkeeping::Repeats(due), decided.last_recorded_at);
                decided.changes.push((bookkeeping::repeats(&process.command_id), kept));
            }
            decided.outcomes.extend(std::iter::repeat_n(Answer::Again(again), now as usize));
        }
        decided.outcomes.insert(0, first);
        Ok(Verdict::Decided(Box::new(decided)))
    }

    /// Nothing follows from a step, but it has its time like any other.
    fn taken(&self, step: &Step<D::Step>) -> Verdict<D> {
        let mut decided = Decided::nothing(self.layers.last_recorded_at());
        self.tick(&mut decided.last_recorded_at, step.metadata.issued_at.unwrap_or(0));
        Verdict::Decided(Box::new(decided))
    }

    fn nothing(&self) -> Verdict<D> {
        Verdict::Decided(Box::new(Decided::nothing(self.layers.last_recorded_at())))
    }

    /// The newest step of a source partition that was taken, if there was one.
    fn inbox(&self, source: &StepSource) -> Option<i64> {
        let versioned = self.layers.get(&bookkeeping::inbox(source));
        match versioned.state.as_deref()?.as_bookkeeping()? {
            Bookkeeping::Inbox(inbox) => Some(inbox.sequence),
            _ => None,
        }
    }

    /// Whether the step that stood at `offset` is dead and has not come again.
    fn is_dead(&self, offset: i64) -> bool {
        self.layers.get(&bookkeeping::dead_step(offset)).state.is_some()
    }
}
