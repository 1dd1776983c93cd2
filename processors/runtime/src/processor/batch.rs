//! A batch under construction: decided messages, encoded into one transaction.

use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::{AggregateId, Bookkeeping, Domain, Outcome, StateData, aggregate, partition};
use millrace_ports::{Outgoing, Record, TopicPartition, Transaction};
use millrace_wire::{Codec, DecodeFailure};
use thiserror::Error;

use super::codecs::{Codecs, LookupRecord};
use super::decide::{Answer, Decided, Place};
use super::intake::carried;
use super::state::{Layers, Overlay, Versioned};
use crate::dead::bury;

/// An outcome of our own that cannot be read any more: a bug, not bad input.
#[derive(Debug, Error)]
#[error("what was remembered as the answer to a command is no outcome: {0}")]
pub struct BatchError(#[from] pub DecodeFailure);

/// Decided messages that are not committed yet: their records and their effect on state.
pub struct Batch<D: Domain> {
    transaction: Transaction,
    /// Aggregates in the order in which they were first touched.
    touched: Vec<AggregateId>,
    /// Where each input goes on.
    next: Vec<(Arc<str>, i64)>,
    /// What the next decisions see.
    pub overlay: Overlay<D::State>,
    inputs: usize,
}

impl<D: Domain> Default for Batch<D> {
    fn default() -> Self {
        Self {
            transaction: Transaction::default(),
            touched: Vec::new(),
            next: Vec::new(),
            overlay: Overlay::default(),
            inputs: 0,
        }
    }
}

impl<D: Domain> Batch<D> {
    /// How many messages it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs
    }

    /// Whether it holds no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs == 0
    }

    /// Takes in what follows from `record`.
    ///
    /// # Errors
    /// [`BatchError`], a bug.
    pub fn add(
        &mut self,
        codecs: &Codecs<D>,
        place: &Place<'_>,
        record: &Record,
        decided: Decided<D>,
    ) -> Result<(), BatchError> {
        let headers = carried(record);
        let here = |topic: &Arc<str>, key: Bytes, value: Option<Bytes>, at_micros: i64| Outgoing {
            topic: Arc::clone(topic),
            partition: place.partition,
            key: Some(key),
            value,
            timestamp_ms: at_micros / 1_000,
            headers: headers.clone(),
        };
        let names = place.names;
        for event in &decided.events {
            // the aggregate's routing key, so that a consumer can partition alike; the command's was the same
            let routing_key = aggregate::routing_key(&event.aggregate_id).as_bytes();
            let key = match &record.key {
                Some(key) if key == routing_key => key.clone(),
                _ => Bytes::copy_from_slice(routing_key),
            };
            let value = codecs.events.encode(event);
            self.transaction.records.push(here(&names.events, key, Some(value), event.recorded_at));
        }
        for step in &decided.steps {
            let key = D::step_target(&step.data).routing_key().to_owned();
            let value = codecs.steps.encode(step);
            let mut outgoing = here(&names.steps, key_of(&key), Some(value), decided.last_recorded_at);
            outgoing.partition = partition::of_key(key.as_bytes(), place.partitions);
            self.transaction.records.push(outgoing);
        }
        for answer in &decided.outcomes {
            let (command_id, at, value) = self.answer(&codecs.outcomes, answer, decided.last_recorded_at)?;
            self.transaction.records.push(here(&names.outcomes, key_of(&command_id), Some(value), at));
        }
        if let Some(burial) = &decided.dead {
            self.transaction.records.push(bury(names, record, burial));
        }
        for (id, versioned) in decided.changes {
            self.overlay.is_any_kept |= Bookkeeping::is_kept_under(&id);
            if self.overlay.aggregates.insert(id.clone(), versioned).is_none() {
                self.touched.push(id);
            }
        }
        self.overlay.last_recorded_at = self.overlay.last_recorded_at.max(decided.last_recorded_at);
        match self.next.iter_mut().find(|(topic, _)| *topic == record.topic) {
            Some((_, next)) => *next = record.offset + 1,
            None => self.next.push((Arc::clone(&record.topic), record.offset + 1)),
        }
        self.inputs += 1;
        Ok(())
    }

    /// The answer's command id, time and bytes; a first answer is remembered.
    fn answer(
        &mut self,
        codec: &Codec<Outcome>,
        answer: &Answer,
        now: i64,
    ) -> Result<(String, i64, Bytes), BatchError> {
        Ok(match answer {
            Answer::First(outcome) => {
                let value = codec.encode(outcome);
                self.overlay.answer(&outcome.command_id, outcome.recorded_at, &value);
                (outcome.command_id.clone(), outcome.recorded_at, value)
            }
            Answer::Unremembered(outcome) | Answer::Again(outcome) => {
                (outcome.command_id.clone(), outcome.recorded_at, codec.encode(outcome))
            }
            Answer::Repeat(bytes) => {
                let outcome = Outcome { duplicate: true, ..codec.decode(bytes)? };
                let value = codec.encode(&outcome);
                (outcome.command_id, now, value)
            }
        })
    }

    /// Closes the batch: adds the newest state of every aggregate it touched, compared with
    /// what `below` it is committed.
    #[must_use]
    pub fn close(
        mut self,
        codecs: &Codecs<D>,
        place: &Place<'_>,
        below: &Layers<'_, D::State>,
    ) -> (Transaction, Overlay<D::State>) {
        for id in std::mem::take(&mut self.touched) {
            let Some(versioned) = self.overlay.aggregates.get(&id) else { continue };
            let before = below.get(&id);
            let at_ms = self.overlay.last_recorded_at / 1_000;
            let record = |topic: Arc<str>, value: Option<Bytes>| Outgoing {
                topic,
                partition: place.partition,
                key: Some(key_of(id.as_str())),
                value,
                timestamp_ms: at_ms,
                headers: Vec::new(),
            };
            let is_forgotten = versioned.is_forgotten();
            if is_forgotten && before.version == 0 {
                // a process that began and ended within this batch was never written
                continue;
            }
            let value = if is_forgotten { None } else { Some(encode_state(codecs, &id, versioned)) };
            self.overlay.written.push((id.clone(), value.clone()));
            self.transaction.records.push(record(Arc::clone(&place.names.state), value));
            if let Some(lookup) = D::LOOKUPS.iter().position(|kind| *kind == id.kind()) {
                let is_visible = D::is_visible(versioned.state.as_deref());
                if is_visible != D::is_visible(before.state.as_deref()) {
                    let entry = LookupRecord {
                        aggregate_id: id.as_str().to_owned(),
                        version: versioned.version,
                        recorded_at: versioned.recorded_at,
                    };
                    let value = if is_visible { Some(codecs.lookups[lookup].encode(&entry)) } else { None };
                    self.transaction.records.push(record(place.names.lookup(D::LOOKUPS[lookup]), value));
                }
            }
        }
        for (topic, next) in self.next {
            self.transaction.offsets.insert(TopicPartition::new(topic, place.partition), next);
        }
        (self.transaction, self.overlay)
    }
}

fn encode_state<D: Domain>(codecs: &Codecs<D>, id: &AggregateId, versioned: &Versioned<D::State>) -> Bytes {
    let state = versioned.state.as_deref();
    codecs.state.encode_with(|out| {
        D::State::write_record(id, versioned.version, versioned.recorded_at, state, out);
    })
}

fn key_of(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
