//! What an accepted message leaves: its events, the states they lead to, and what they set in motion.

use std::sync::Arc;

use millrace_kernel::bookkeeping::{self, Bookkeeping, OpenProcess};
use millrace_kernel::id::{event_id, step_id};
use millrace_kernel::{
    Addressed, Command, Digest, Domain, Event, FollowUp, Metadata, Named, Outcome, Position, ProcessContext,
    Status, Step, StepSource, Version, Violation,
};
use millrace_ports::Record;

use super::decide::{Answer, Decided, Decider, Failed, Verdict, guarded, kept, shorten};
use super::state::Versioned;
use crate::planted::{self, Bug};

/// The message that events come from.
pub(super) struct Cause<'a> {
    pub(super) message_id: &'a str,
    pub(super) metadata: &'a Metadata,
    pub(super) recorded_at: i64,
    pub(super) process: ProcessContext,
    /// Whether it belongs to a process, or may begin one: nobody waits for what comes of another domain's events.
    pub(super) is_awaited: bool,
}

/// Where a message leaves the process it belongs to.
pub(super) enum End {
    None,
    Open,
    Completed,
    Refused(Vec<Violation>),
}

pub(super) fn answer<D: Domain>(
    decided: &Decided<D>,
    context: ProcessContext,
    mut violations: Vec<Violation>,
) -> Answer {
    violations.iter_mut().for_each(|violation| shorten(&mut violation.message));
    Answer::First(Outcome {
        command_id: context.command_id,
        status: if violations.is_empty() { Status::Accepted } else { Status::Rejected },
        duplicate: false,
        positions: context.positions,
        versions: context.versions,
        violations,
        recorded_at: decided.last_recorded_at,
        command_type: None,
        failure: None,
        digest: None,
    })
}

/// One position per partition: where the last of its events was caused.
fn move_to(positions: &mut Vec<Position>, newest: Position) {
    match positions.iter_mut().find(|known| known.partition == newest.partition) {
        Some(known) => *known = newest,
        None => positions.push(newest),
    }
}

impl<D: Domain> Decider<'_, D> {
    pub(super) fn accept(
        &self,
        command: &Command<D::Command>,
        routing_key: &str,
        data: Vec<D::Event>,
        record: &Record,
    ) -> Verdict<D> {
        let cause = Cause {
            message_id: &command.id,
            metadata: &command.metadata,
            recorded_at: 0,
            process: ProcessContext { command_id: command.id.clone(), ..ProcessContext::default() },
            is_awaited: true,
        };
        match self.record(cause, routing_key, data, record) {
            Err(Failed(why)) => self.poisoned(&command.id, &why),
            Ok((mut decided, context, ends)) => {
                match ends {
                    End::Open => {
                        let open = OpenProcess {
                            command_type: command.data.name().into(),
                            started_at: decided.last_recorded_at,
                            duplicates: 0,
                            digest: Some(Digest::of(&command.data))
                                .filter(|_| !planted::is_on(Bug::DigestForgotten)),
                        };
                        decided.changes.push((
                            bookkeeping::process(&command.id),
                            kept::<D>(Bookkeeping::Process(open), decided.last_recorded_at),
                        ));
                    }
                    End::None | End::Completed => {
                        decided.outcomes.push(answer(&decided, context, Vec::new()))
                    }
                    End::Refused(violations) => decided.outcomes.push(answer(&decided, context, violations)),
                }
                Verdict::Decided(Box::new(decided))
            }
        }
    }

    /// Envelopes the events of one message, folds them, and asks what they set in motion.
    pub(super) fn record(
        &self,
        cause: Cause<'_>,
        routing_key: &str,
        data: Vec<D::Event>,
        record: &Record,
    ) -> Result<(Decided<D>, ProcessContext, End), Failed> {
        if data.is_empty() {
            return Err(Failed("it was accepted without an event".to_owned()));
        }
        let mut decided = Decided::<D>::nothing(self.layers.last_recorded_at());
        let mut context = cause.process;
        let mut ends = End::None;
        move_to(
            &mut context.positions,
            Position {
                topic: (&record.topic).into(),
                partition: self.place.partition,
                offset: record.offset,
                epoch: 0,
            },
        );
        let metadata = Metadata {
            causation_id: Some(cause.message_id.into()),
            expected_version: None,
            ..cause.metadata.clone()
        };
        for (index, data) in data.into_iter().enumerate() {
            let aggregate_id = data.aggregate_id();
            if aggregate_id.routing_key() != routing_key {
                return Err(Failed(format!(
                    "it emits an event of {aggregate_id}, which is not of routing key {routing_key}"
                )));
            }
            let recorded_at = self.tick(&mut decided.last_recorded_at, cause.recorded_at);
            let at = decided.changes.iter().position(|(id, _)| *id == aggregate_id);
            let before =
                at.map_or_else(|| self.layers.get(&aggregate_id), |at| decided.changes[at].1.clone());
            let version = before.version + 1;
            let state = before.state.map(Arc::unwrap_or_clone);
            let state = guarded(|| D::evolve(state, &data, recorded_at))?.map(Arc::new);
            let after = Versioned { version, recorded_at, state };
            match at {
                Some(at) => decided.changes[at].1 = after,
                None => decided.changes.push((aggregate_id.clone(), after)),
            }
            match context.versions.iter_mut().find(|v| v.aggregate_id == aggregate_id.as_str()) {
                Some(known) => known.version = version,
                None => context.versions.push(Version { aggregate_id: (&aggregate_id).into(), version }),
            }
            let event = Event {
                id: event_id(cause.message_id, index),
                metadata: metadata.clone(),
                aggregate_id: (&aggregate_id).into(),
                version,
                command_id: context.command_id.clone(),
                command_offset: record.offset,
                recorded_at,
                data,
            };
            match guarded(|| D::follow_up(&event.data))? {
                FollowUp::None => {}
                FollowUp::Completed => ends = End::Completed,
                FollowUp::Refused(rejections) => ends = End::Refused(rejections.into_violations()),
                FollowUp::Steps(steps) => {
                    ends = End::Open;
                    if steps.len() > StepSource::MAX_STEPS {
                        let (asked, most) = (steps.len(), StepSource::MAX_STEPS);
                        return Err(Failed(format!("one event asks for {asked} steps, more than {most}")));
                    }
                    for (index, data) in steps.into_iter().enumerate() {
                        let name = format!("{}/{}", data.name(), data.aggregate_id());
                        decided.steps.push(Step {
                            id: step_id(&context.command_id, &name),
                            metadata: Metadata {
                                causation_id: Some(event.id.clone()),
                                issued_at: Some(recorded_at),
                                ..metadata.clone()
                            },
                            source: StepSource::after(self.place.partition, recorded_at, index),
                            process: None,
                            data,
                        });
                    }
                }
            }
            decided.events.push(event);
        }
        for step in &mut decided.steps {
            step.process = cause.is_awaited.then(|| context.clone());
        }
        Ok((decided, context, ends))
    }
}
