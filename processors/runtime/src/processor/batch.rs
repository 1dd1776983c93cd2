//! A batch under construction: decided messages, encoded into one transaction.

use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::bookkeeping::{self, Floor};
use millrace_kernel::{
    Addressed, AggregateId, Bookkeeping, Digest, Domain, Outcome, StateData, aggregate, partition,
};
use millrace_ports::{MAX_RECORD_BYTES, Outgoing, Record, TopicPartition, Transaction};
use millrace_wire::{Codec, DecodeFailure};
use thiserror::Error;

use super::answers::with_short_digest;
use super::arena::Arena;
use super::codecs::{Codecs, LookupRecord};
use super::decide::{Answer, Decided, Place, kept};
use super::intake::carried;
use super::overlay::{Change, Overlay};
use super::state::{Layers, Versioned};
use crate::dead::bury;
use crate::dead::headers::DeadKind;

/// A batch is full when it writes so many bytes, however few its messages are: all of it is in memory, and the
/// client that sends it holds it once more.
pub const MOST_BYTES: usize = 16 << 20;

/// Why a batch cannot be built.
#[derive(Debug, Error)]
pub enum BatchError {
    /// An outcome of our own that cannot be read any more: a bug, not bad input.
    #[error("what was remembered as the answer to a command is no outcome: {0}")]
    Answer(#[from] DecodeFailure),
    /// What follows from a message is more than a record has room for. A bug once the batch is on its way: before,
    /// the message is found and taken for one whose decision fails every time.
    #[error(
        "a record for {topic} comes to {bytes} bytes, more than the {MAX_RECORD_BYTES} that can be written"
    )]
    TooLarge {
        /// The topic it is for.
        topic: Arc<str>,
        /// What it comes to, in bytes.
        bytes: usize,
    },
    /// All that follows from one message is more than a transaction has room for.
    #[error("all its records come to {bytes} bytes, more than the {MOST_BYTES} of a transaction")]
    TooMuch {
        /// What they come to, in bytes.
        bytes: usize,
    },
}

impl BatchError {
    /// Whether it is what follows from a message that is in the way, and no bug.
    #[must_use]
    pub fn is_unwritable(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::TooMuch { .. })
    }
}

/// Decided messages that are not committed yet: their records and their effect on state.
pub struct Batch<D: Domain> {
    transaction: Transaction,
    /// Where each input goes on.
    next: Vec<(Arc<str>, i64)>,
    /// What the next decisions see.
    pub overlay: Overlay<D::State>,
    inputs: usize,
    /// What no message of this batch asks for: answers that were due, and notes of the engine's own.
    unasked: usize,
}

impl<D: Domain> Default for Batch<D> {
    fn default() -> Self {
        Self::over(Overlay::default(), Transaction::default())
    }
}

impl<D: Domain> Batch<D> {
    /// An empty batch in the room of one before it, both parts of which are empty.
    #[must_use]
    pub fn over(overlay: Overlay<D::State>, transaction: Transaction) -> Self {
        Self { transaction, next: Vec::new(), overlay, inputs: 0, unasked: 0 }
    }

    /// How many messages it holds, and what nobody asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs + self.unasked
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages more it takes, when `most` are allowed. Beside what nobody asked for there is always room for
    /// one, or it would wait for all of that.
    #[must_use]
    pub fn room(&self, most: usize) -> usize {
        let most = if self.unasked > 0 { most.max(2) } else { most };
        most.saturating_sub(self.len())
    }

    /// Whether it should take no more, when `most` messages are allowed.
    #[must_use]
    pub fn is_full(&self, most: usize) -> bool {
        self.room(most) == 0 || self.overlay.arena.used() >= MOST_BYTES
    }

    /// Where each input goes on behind it.
    #[must_use]
    pub fn reached(&self) -> &[(Arc<str>, i64)] {
        &self.next
    }

    /// Takes in what follows from `record`.
    ///
    /// # Errors
    /// [`BatchError`]; then nothing else can be done with it than to drop it.
    pub fn add(
        &mut self,
        codecs: &Codecs<D>,
        place: &Place<'_>,
        record: &Record,
        decided: Decided<D>,
    ) -> Result<(), BatchError> {
        let headers = carried(record);
        let used = self.overlay.arena.used();
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
                _ => self.overlay.arena.keep(routing_key),
            };
            let value = codecs.events.encode_to(event, |value| self.overlay.arena.keep(value));
            self.write(here(&names.events, key, Some(value), event.recorded_at))?;
        }
        // a domain without a schema of steps has no value of one either
        for (step, codec) in decided.steps.iter().zip(codecs.steps.iter().cycle()) {
            let target = step.data.aggregate_id();
            let key = self.overlay.arena.keep(target.routing_key().as_bytes());
            let value = codec.encode_to(step, |value| self.overlay.arena.keep(value));
            let partition = partition::of_key(&key, place.partitions);
            let mut outgoing = here(&names.steps, key, Some(value), decided.last_recorded_at);
            outgoing.partition = partition;
            outgoing.headers.extend(place.says_keys.cloned());
            self.write(outgoing)?;
        }
        for answer in &decided.outcomes {
            let (command_id, at, value) = self.answer(&codecs.outcomes, answer, decided.last_recorded_at)?;
            self.write(here(&names.outcomes, command_id, Some(value), at))?;
        }
        // as it came to be in memory, before anything is put under way
        let bytes = self.overlay.arena.used() - used;
        if bytes > MOST_BYTES {
            return Err(BatchError::TooMuch { bytes });
        }
        if let Some(burial) = &decided.dead {
            self.transaction.records.push(bury(names, record, burial));
        }
        for (id, versioned) in decided.changes {
            self.overlay.put(id, versioned);
        }
        self.overlay.last_recorded_at = self.overlay.last_recorded_at.max(decided.last_recorded_at);
        // what stands for a batch that cannot be read has the time of its burial, and nothing of it was answered
        let is_stand_in = decided.dead.as_ref().is_some_and(|burial| burial.kind == DeadKind::Batch);
        if D::REFUSES_EXPIRED && record.topic == names.commands && !is_stand_in {
            let margin_micros = place.settings.issued_at_ahead_micros();
            let (appended_at, recorded_at) = (record.timestamp_ms * 1_000, decided.last_recorded_at);
            self.overlay.seen.note(appended_at, decided.issued_at, recorded_at, margin_micros);
        }
        match self.next.iter_mut().find(|(topic, _)| *topic == record.topic) {
            Some((_, next)) => *next = record.offset + 1,
            None => self.next.push((Arc::clone(&record.topic), record.offset + 1)),
        }
        self.inputs += 1;
        Ok(())
    }

    /// What an answer comes to when it is written, in bytes.
    pub(super) fn size_of_answer(&mut self, codecs: &Codecs<D>, outcome: &Outcome) -> usize {
        let value = codecs.outcomes.encode(outcome);
        millrace_ports::log::size_bytes(Some(outcome.command_id.as_bytes()), Some(&value), &[])
    }

    /// Gives the same answer so many times at this time, in microseconds, to those who have sent its command again; when
    /// it was given first.
    pub(super) fn answer_again(
        &mut self,
        codecs: &Codecs<D>,
        place: &Place<'_>,
        outcome: &Outcome,
        times: usize,
        given_at: i64,
    ) -> Result<i64, BatchError> {
        let arena = &mut self.overlay.arena;
        let key = arena.keep(outcome.command_id.as_bytes());
        let value = codecs.outcomes.encode_to(outcome, |value| arena.keep(value));
        let record = Outgoing {
            topic: Arc::clone(&place.names.outcomes),
            partition: place.partition,
            key: Some(key),
            value: Some(value),
            timestamp_ms: given_at.max(outcome.recorded_at) / 1_000,
            headers: Vec::new(),
        };
        self.transaction.records.extend(std::iter::repeat_n(writable(record)?, times));
        self.unasked += times;
        Ok(outcome.recorded_at)
    }

    /// Notes something that the engine keeps of its own, at `recorded_at` in microseconds.
    pub(super) fn note(&mut self, id: AggregateId, bookkeeping: Bookkeeping, recorded_at: i64) {
        self.overlay.put(id, kept::<D>(bookkeeping, recorded_at));
        self.overlay.last_recorded_at = self.overlay.last_recorded_at.max(recorded_at);
        self.unasked += 1;
    }

    fn write(&mut self, record: Outgoing) -> Result<(), BatchError> {
        self.transaction.records.push(writable(record)?);
        Ok(())
    }

    /// Adds what is written of forgotten answers, as a batch may change that.
    pub fn add_floor(
        transaction: &mut Transaction,
        codecs: &Codecs<D>,
        place: &Place<'_>,
        floor: Floor,
        recorded_at: i64,
    ) {
        let id = bookkeeping::floor();
        let state = D::State::from_bookkeeping(Bookkeeping::Floor(floor));
        let record = D::State::to_record(&id, 1, recorded_at, 0, Some(&state));
        transaction.records.push(Outgoing {
            topic: Arc::clone(&place.names.state),
            partition: place.partition,
            key: Some(Bytes::copy_from_slice(id.as_str().as_bytes())),
            value: Some(codecs.state.encode(&record)),
            timestamp_ms: recorded_at / 1_000,
            headers: Vec::new(),
        });
    }

    /// The answer's command id, time and bytes; a first answer is remembered.
    fn answer(
        &mut self,
        codec: &Codec<Outcome>,
        answer: &Answer,
        now: i64,
    ) -> Result<(Bytes, i64, Bytes), BatchError> {
        let (marked, at);
        let outcome = match answer {
            Answer::First(outcome) | Answer::Unremembered(outcome) | Answer::Again(outcome) => {
                at = outcome.recorded_at;
                outcome
            }
            Answer::Repeat(bytes) => {
                at = now;
                marked = Outcome { duplicate: true, ..codec.decode(bytes)? };
                &marked
            }
        };
        let arena = &mut self.overlay.arena;
        let key = arena.keep(outcome.command_id.as_bytes());
        let value = codec.encode_to(outcome, |value| arena.keep(value));
        if matches!(answer, Answer::First(_)) {
            let is_whole = |digest: Digest| digest.as_bytes().len() == Digest::LENGTH;
            let kept = with_short_digest(&value, outcome.digest.is_some_and(is_whole));
            self.overlay.answer(&outcome.command_id, at, &kept);
        }
        Ok((key, at, value))
    }

    /// Closes the batch: adds the newest state of every aggregate it touched, compared with
    /// what `below` it is committed.
    ///
    /// # Errors
    /// [`BatchError::TooLarge`], of a state.
    pub fn close(
        mut self,
        codecs: &Codecs<D>,
        place: &Place<'_>,
        below: &Layers<'_, D::State>,
    ) -> Result<(Transaction, Overlay<D::State>), BatchError> {
        let Overlay { changes, arena, last_recorded_at, .. } = &mut self.overlay;
        let timestamp_ms = *last_recorded_at / 1_000;
        let partition = place.partition;
        for Change { id, versioned, written, .. } in changes {
            let lookup = D::LOOKUPS.iter().position(|kind| *kind == id.kind());
            let is_forgotten = versioned.is_forgotten();
            // mostly neither, and then what was before does not matter
            let before = (is_forgotten || lookup.is_some()).then(|| below.get(id));
            if is_forgotten && before.as_ref().is_some_and(|before| before.version == 0) {
                // a process that began and ended within this batch was never written
                continue;
            }
            let key = arena.keep(id.as_str().as_bytes());
            let record = |topic: Arc<str>, value: Option<Bytes>| Outgoing {
                topic,
                partition,
                key: Some(key.clone()),
                value,
                timestamp_ms,
                headers: Vec::new(),
            };
            let value = (!is_forgotten).then(|| encode_state(codecs, arena, id, versioned));
            *written = value.clone().into();
            self.transaction.records.push(writable(record(Arc::clone(&place.names.state), value))?);
            if let (Some(lookup), Some(before)) = (lookup, before) {
                let is_visible = D::is_visible(versioned.state.as_deref());
                if is_visible != D::is_visible(before.state.as_deref()) {
                    let entry = LookupRecord {
                        aggregate_id: id.as_str().to_owned(),
                        version: versioned.version,
                        recorded_at: versioned.recorded_at,
                    };
                    let codec = &codecs.lookups[lookup];
                    let value = is_visible.then(|| codec.encode_to(&entry, |value| arena.keep(value)));
                    let record = record(place.names.lookup(D::LOOKUPS[lookup]), value);
                    self.transaction.records.push(writable(record)?);
                }
            }
        }
        for (topic, next) in self.next {
            self.transaction.offsets.insert(TopicPartition::new(topic, place.partition), next);
        }
        Ok((self.transaction, self.overlay))
    }

    /// Whether all that follows from `record` alone can be written.
    ///
    /// # Errors
    /// [`BatchError`].
    pub fn try_one(
        codecs: &Codecs<D>,
        place: &Place<'_>,
        record: &Record,
        decided: Decided<D>,
        below: &Layers<'_, D::State>,
    ) -> Result<(), BatchError> {
        let mut batch = Self::default();
        batch.add(codecs, place, record, decided)?;
        batch.close(codecs, place, below).map(drop)
    }
}

/// `record`, unless no log takes it.
fn writable(record: Outgoing) -> Result<Outgoing, BatchError> {
    match record.size_bytes() {
        0..=MAX_RECORD_BYTES => Ok(record),
        bytes => Err(BatchError::TooLarge { topic: record.topic, bytes }),
    }
}

fn encode_state<D: Domain>(
    codecs: &Codecs<D>,
    arena: &mut Arena,
    id: &AggregateId,
    versioned: &Versioned<D::State>,
) -> Bytes {
    let state = versioned.state.as_deref();
    // what the engine keeps comes from no fold
    let is_engines = state.is_some_and(|state| state.as_bookkeeping().is_some());
    let revision = if is_engines { 0 } else { D::REVISION };
    let write = |out: &mut _| {
        D::State::write_record(id, versioned.version, versioned.recorded_at, revision, state, out)
    };
    codecs.state.write_to(write, |value| arena.keep(value))
}
