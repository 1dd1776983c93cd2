//! Following a process from its command: events, the steps they ask for, and what those caused.

use std::collections::VecDeque;

use millrace_kernel::id::step_id;
use millrace_kernel::{Addressed, Domain, Event, Named, partition};
use millrace_ports::{Record, Start, TopicPartition};
use serde_json::Value as Json;

use super::find::place;
use super::{Act, Found, Happened, Scene, is_turned_away, name_of, sets_in_motion};
use crate::difference::EventPlace;
use crate::fault::AuditFault;
use crate::reading::{Tail, decode, decode_event, key_text};
use crate::shown;

/// Most messages of one process that are followed.
pub(super) const MOST_ACTS: usize = 1_000;
/// Offsets looked at in one go.
const PIECE: i64 = 2_000;
/// How far the clocks of brokers and processors may be apart, milliseconds.
pub(super) const SKEW_MS: i64 = 120_000;

/// A step that an event asked for.
pub(super) struct Wanted<S> {
    /// The step's id.
    pub(super) id: String,
    /// The step.
    pub(super) step: S,
    /// The event's id.
    pub(super) cause: String,
    /// When it was written, at the earliest: the event's `recorded_at`.
    pub(super) since: i64,
}

impl<D: Domain> Scene<'_, D> {
    /// The command and every step of its process that can be found, in the order they were asked for.
    pub(super) fn walk(&self, command_id: &str, found: &Found<D::Command>) -> Result<Vec<Act>, AuditFault> {
        let mut acts = Vec::new();
        let mut wanted = VecDeque::new();
        if let Some(first) = self.begin(command_id, found, &mut wanted)? {
            acts.push(first);
        }
        while let Some(next) = wanted.pop_front() {
            if acts.len() >= MOST_ACTS {
                break;
            }
            acts.push(self.follow(command_id, next, &mut wanted)?);
        }
        Ok(acts)
    }

    /// The command itself: of several records the one that has events, else the first.
    fn begin(
        &self,
        command_id: &str,
        found: &Found<D::Command>,
        wanted: &mut VecDeque<Wanted<D::Step>>,
    ) -> Result<Option<Act>, AuditFault> {
        let mut nothing = None;
        for (asked, command) in &found.asked {
            let Some(command) = command else { continue };
            let mut act = Act {
                kind: command.data.name(),
                is_step: false,
                id: command_id.to_owned(),
                key: asked.key.clone().unwrap_or_default(),
                place: Some(asked.place.clone()),
                trimmed: None,
                at: Some(asked.at),
                is_decided: asked.is_decided,
                dead: asked.dead.clone(),
                events: Vec::new(),
            };
            let has_changed_nothing = found.outcomes.iter().any(|answered| {
                answered.place.partition == asked.place.partition
                    && answered.outcome.positions.is_empty()
                    && !answered.outcome.duplicate
                    && !is_turned_away(&answered.outcome)
            });
            if asked.is_decided && asked.dead.is_none() && !has_changed_nothing {
                let since_ms = asked.at.div_euclid(1_000) - SKEW_MS;
                let at = self.at(&self.names.events, asked.place.partition);
                act.events = self.events_of(command_id, command_id, &at, since_ms, wanted)?;
            }
            if !act.events.is_empty() {
                return Ok(Some(act));
            }
            nothing.get_or_insert(act);
        }
        Ok(nothing)
    }

    /// A step, and what it caused.
    pub(super) fn follow(
        &self,
        command_id: &str,
        Wanted { id, step, cause, since }: Wanted<D::Step>,
        wanted: &mut VecDeque<Wanted<D::Step>>,
    ) -> Result<Act, AuditFault> {
        let key = step.aggregate_id().routing_key().to_owned();
        let home = partition::of_key(key.as_bytes(), self.partitions);
        let at = self.at(&self.names.steps, home);
        let since_ms = since.div_euclid(1_000);
        let mut act = Act {
            kind: name_of(&step),
            is_step: true,
            id: String::new(),
            key,
            place: None,
            trimmed: None,
            at: None,
            is_decided: false,
            dead: None,
            events: Vec::new(),
        };
        let codec = self.codecs.steps.as_ref();
        self.look(&at, since_ms, &mut |record| {
            if key_text(record) != Some(&act.key) {
                return Ok(false);
            }
            let Some(found) = codec.map(|codec| decode(codec, record)).transpose()?.and_then(Result::ok)
            else {
                return Ok(false);
            };
            let is_it = found.metadata.causation_id.as_deref() == Some(&cause) && found.data == step;
            if is_it {
                (act.id, act.at) = (found.id.into(), Some(record.timestamp_ms * 1_000));
                act.place = Some(place(record));
            }
            Ok(is_it)
        })?;
        if let Some(stands) = &act.place {
            act.is_decided = stands.offset < self.decided(&at)?;
        }
        let begins_at = self.question.log.low_watermark(&at)?;
        // it was written with the event that asked for it, and only what was decided is deleted
        let is_trimmed = act.place.is_none() && begins_at > 0;
        if is_trimmed {
            // its id is known all the same
            act.id = id;
        }
        if act.is_decided || is_trimmed {
            let events = self.at(&self.names.events, home);
            act.events = self.events_of(command_id, &act.id, &events, since_ms, wanted)?;
        }
        if is_trimmed {
            act.is_decided = true;
            let (topic, partition) = (at.topic.to_string(), at.partition);
            act.trimmed = Some(EventPlace { topic, partition, offset: begins_at });
        }
        if act.is_decided && act.events.is_empty() {
            act.dead = match &act.place {
                Some(stands) => self.dead_at(stands)?,
                None => self.dead_step(&at, &act.id)?,
            };
        }
        Ok(act)
    }

    /// The events that one message caused. They stand together, so the first stranger behind them
    /// ends the search.
    fn events_of(
        &self,
        command_id: &str,
        cause: &str,
        at: &TopicPartition,
        since_ms: i64,
        wanted: &mut VecDeque<Wanted<D::Step>>,
    ) -> Result<Vec<Happened>, AuditFault> {
        let mut events = Vec::new();
        self.look(at, since_ms, &mut |record| {
            let event = decode_event(&self.codecs.events, record)?;
            let is_its = event.command_id == command_id
                && event.metadata.causation_id.as_deref().unwrap_or(command_id) == cause;
            if is_its {
                events.push(happened::<D>(&event, place(record), wanted));
            }
            Ok(!is_its && !events.is_empty())
        })?;
        Ok(events)
    }

    /// Gives the records of `at` from a time on to `each`, until it says that this is enough.
    fn look(
        &self,
        at: &TopicPartition,
        since_ms: i64,
        each: &mut dyn FnMut(&Record) -> Result<bool, AuditFault>,
    ) -> Result<(), AuditFault> {
        let (log, watcher) = (self.question.log, self.question.watcher);
        let end = log.high_watermark(at)?;
        let mut from = log.offset_at(at, since_ms)?.max(log.low_watermark(at)?);
        if from >= end {
            return Ok(());
        }
        watcher.stage(&format!("following {at}"), (end - from).unsigned_abs());
        let mut tail = Tail::open(log, at.clone(), Start::Offset(from))?;
        let mut is_enough = false;
        while from < end && !is_enough {
            from = (from + PIECE).min(end);
            tail.up_to(from, watcher, &mut |record| {
                if !is_enough {
                    is_enough = each(record)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

fn happened<D: Domain>(
    event: &Event<D::Event>,
    place: EventPlace,
    wanted: &mut VecDeque<Wanted<D::Step>>,
) -> Happened {
    let (steps, ends) = sets_in_motion::<D>(&event.data);
    let asks_for = steps.iter().map(name_of).collect();
    wanted.extend(steps.into_iter().map(|step| Wanted {
        id: step_id(&event.command_id, &format!("{}/{}", step.name(), step.aggregate_id())).to_string(),
        step,
        cause: event.id.to_string(),
        since: event.recorded_at,
    }));
    Happened {
        kind: event.data.name(),
        id: event.id.to_string(),
        aggregate_id: event.aggregate_id.to_string(),
        version: event.version,
        recorded_at: event.recorded_at,
        place,
        data: shown::data(&event.data),
        asks_for,
        ends,
        state: Json::Null,
        rows: Vec::new(),
    }
}
