//! What other domains have done about the events of a command: its story goes on there.

use std::collections::VecDeque;
use std::sync::Arc;

use millrace_kernel::{Domain, Policy};
use millrace_ports::{Record, TopicPartition};
use millrace_runtime::Topology;
use millrace_runtime::policy::steps_of;
use millrace_runtime::processor::codecs::Codecs;
use millrace_wire::{DecodeFailure, Reading};
use serde::Serialize;

use super::walk::{MOST_ACTS, SKEW_MS, Wanted};
use super::{Act, Question, Scene};
use crate::difference::EventPlace;
use crate::fault::AuditFault;
use crate::reading::between;

/// What a domain has done about an event of another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Elsewhere {
    /// The domain.
    pub domain: &'static str,
    /// The event's id.
    pub event_id: String,
    /// Where it stands.
    pub event: EventPlace,
    /// Whether the policy has read past it.
    pub is_reacted: bool,
    /// The steps that follow, with what each caused.
    pub acts: Vec<Act>,
}

/// What the domain `D` has done about these events of the domain `of`; nothing about those that it does not read.
///
/// # Errors
/// As [`explain`](super::explain).
pub fn consequences<D: Domain>(
    question: &Question<'_, D>,
    of: &str,
    events: &[EventPlace],
) -> Result<Vec<Elsewhere>, AuditFault> {
    let Some(policy) = D::policies().into_iter().find(|policy| policy.domain == of) else {
        return Ok(Vec::new());
    };
    let names = Topology::of::<D>(question.prefix);
    let partitions = question.log.partitions(&names.commands)?;
    let codecs = Codecs::register(question.registry, &names)?;
    let topic = names.events_elsewhere(policy.domain);
    let reading = Reading::new(Arc::clone(question.registry), &Topology::subject(&topic), policy.schema)?;
    let scene = Scene { question, codecs, partitions, names };
    let mut found = Vec::new();
    for place in events {
        let at = TopicPartition::new(Arc::clone(&topic), place.partition);
        let mut asked = None;
        between(question.log, &at, (place.offset, place.offset + 1), question.watcher, &mut |record| {
            asked = scene.asked_for(&policy, &reading, record)?;
            Ok(())
        })?;
        let Some((event_id, mut wanted)) = asked else { continue };
        let mut acts = Vec::new();
        while let Some(next) = wanted.pop_front() {
            if acts.len() >= MOST_ACTS {
                break;
            }
            acts.push(scene.follow(&event_id, next, &mut wanted)?);
        }
        scene.show_effects(&mut acts)?;
        let group = scene.names.policy_group(policy.domain);
        let reacted = (question.committed)(&group, std::slice::from_ref(&at))?;
        let is_reacted = reacted.get(&at).is_some_and(|next| place.offset < *next);
        found.push(Elsewhere { domain: D::NAME, event_id, event: place.clone(), is_reacted, acts });
    }
    Ok(found)
}

/// An event's id, and the steps that follow from it.
type AskedFor<S> = (String, VecDeque<Wanted<S>>);

impl<D: Domain> Scene<'_, D> {
    /// What a policy makes of an event, if it reads its type.
    fn asked_for(
        &self,
        policy: &Policy<D::Step>,
        reading: &Reading,
        record: &Record,
    ) -> Result<Option<AskedFor<D::Step>>, AuditFault> {
        let unreadable = |why: String| AuditFault::Unreadable {
            at: TopicPartition::new(Arc::clone(&record.topic), record.partition),
            offset: record.offset,
            why,
        };
        let value = record.value.as_deref().unwrap_or_default();
        let heard = match reading.read(value, |input| policy.read(input)) {
            Ok(heard) => heard,
            Err(DecodeFailure::UnknownType(_)) => return Ok(None),
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(other) => return Err(unreadable(other.to_string())),
        };
        let (event_id, recorded_at) = (heard.id.to_string(), heard.recorded_at);
        if policy.since.is_some_and(|since| recorded_at < since) {
            return Ok(None);
        }
        let steps = steps_of::<D>(policy.domain, heard, record.partition).map_err(unreadable)?;
        let wanted = steps.into_iter().map(|step| Wanted {
            id: step.id.to_string(),
            step: step.data,
            cause: event_id.clone(),
            // the clock of whoever has written it may be behind
            since: recorded_at - SKEW_MS * 1_000,
        });
        Ok(Some((event_id.clone(), wanted.collect())))
    }
}
