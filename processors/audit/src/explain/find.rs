//! Finding a command by its id: by its outcome, in its topic newest first, and among the dead.

use std::collections::BTreeMap;

use millrace_kernel::avro::write_str;
use millrace_kernel::{Command, Digest, Domain, Metadata, Named};
use millrace_ports::{Record, TopicPartition};
use millrace_runtime::processor::intake::dead_headers;
use millrace_wire::DecodeFailure;
use serde_json::Value as Json;

use super::{Answered, Asked, Dead, Found, FoundCommand, Scene, Searched};
use crate::difference::EventPlace;
use crate::fault::AuditFault;
use crate::reading::{between, commands_between, decode, key_text};
use crate::shown;

/// Records of a partition looked at in one go, newest first.
const PIECE: i64 = 20_000;
/// How far clocks of brokers and processors may be apart, milliseconds.
const SKEW_MS: i64 = 120_000;
/// Most records of a command that are kept, and most of its outcomes: others are counted.
const MOST_KEPT: usize = 1_000;
/// How much further than the first record found an earlier one of the same id is looked for.
const PIECES_BEYOND: usize = 5;

/// What a record of a command holds: without its data where this build does not know it.
type Read<C> = (Metadata, Option<Command<C>>);

/// Records of one command, or its outcomes, as many as are kept of them.
struct Kept<T> {
    all: Vec<T>,
    unlisted: u64,
}

/// Records of one command.
type Commands<C> = Kept<FoundCommand<C>>;

impl<T> Kept<T> {
    fn new() -> Self {
        Self { all: Vec::new(), unlisted: 0 }
    }

    /// Takes in another. Where there are too many, only the one that is the earliest by `when`.
    fn push(&mut self, new: T, when: impl Fn(&T) -> i64) {
        if self.all.len() < MOST_KEPT {
            return self.all.push(new);
        }
        self.unlisted += 1;
        if let Some(last) = self.all.last_mut()
            && when(&new) < when(last)
        {
            *last = new;
        }
    }

    fn count(&self) -> u64 {
        self.all.len() as u64 + self.unlisted
    }
}

/// Where records were looked for.
#[derive(Default)]
struct Trail {
    records: u64,
    oldest_ms: Option<i64>,
}

impl Trail {
    fn see(&mut self, record: &Record) {
        self.records += 1;
        self.oldest_ms = Some(self.oldest_ms.map_or(record.timestamp_ms, |at| at.min(record.timestamp_ms)));
    }

    fn told(self, topic: &str) -> Searched {
        Searched {
            topic: topic.to_owned(),
            records: self.records,
            back_to: self.oldest_ms.map(|ms| ms * 1_000),
        }
    }
}

impl<D: Domain> Scene<'_, D> {
    /// All that the topics still hold of a command, or what was looked through.
    pub(super) fn find(
        &self,
        command_id: &str,
    ) -> Result<Result<Found<D::Command>, Vec<Searched>>, AuditFault> {
        let (found, of_outcomes) = self.find_outcomes(command_id)?;
        let (found_commands, of_commands) = self.find_commands(command_id, &found)?;
        let mut unlisted = found.unlisted + found_commands.unlisted;
        let (outcomes, mut asked) = (found.all, found_commands.all);
        let (only_dead, of_dead) = self.find_dead(command_id, &mut asked)?;
        unlisted += only_dead.unlisted;
        asked.extend(only_dead.all);
        if asked.is_empty() && outcomes.is_empty() {
            return Ok(Err(vec![
                of_outcomes.told(&self.names.outcomes),
                of_commands.told(&self.names.commands),
                of_dead.told(&self.names.dead),
            ]));
        }
        asked.sort_by_key(|(asked, _)| (asked.at, asked.place.clone()));
        Ok(Ok(Found { asked, outcomes, unlisted }))
    }

    fn partitions_of(&self, topic: &std::sync::Arc<str>) -> Vec<TopicPartition> {
        (0..self.partitions).map(|partition| self.at(topic, partition)).collect()
    }

    /// The oldest offset to be looked at.
    fn oldest(&self, at: &TopicPartition) -> Result<i64, AuditFault> {
        let log = self.question.log;
        let oldest = log.low_watermark(at)?;
        Ok(match self.question.since {
            Some(since) => log.offset_at(at, since.div_euclid(1_000))?.max(oldest),
            None => oldest,
        })
    }

    fn find_outcomes(&self, command_id: &str) -> Result<(Kept<Answered>, Trail), AuditFault> {
        let (log, watcher) = (self.question.log, self.question.watcher);
        let (mut found, mut trail) = (Kept::new(), Trail::default());
        for at in self.partitions_of(&self.names.outcomes) {
            let (oldest, end) = (self.oldest(&at)?, log.high_watermark(&at)?);
            watcher.stage(&format!("looking through {at}"), (end - oldest).max(0).unsigned_abs());
            between(log, &at, (oldest, end), watcher, &mut |record| {
                trail.see(record);
                if key_text(record) != Some(command_id) {
                    return Ok(());
                }
                if let Ok(outcome) = decode(&self.codecs.outcomes, record)? {
                    // a first answer says more than a repeated one, whenever it was given
                    let rank =
                        |it: &Answered| if it.outcome.duplicate { it.outcome.recorded_at } else { i64::MIN };
                    found.push(Answered { place: place(record), outcome }, rank);
                }
                Ok(())
            })?;
        }
        found.all.sort_by_key(|answered| answered.outcome.recorded_at);
        Ok((found, trail))
    }

    /// Looks for the command's records, newest first; where it was answered, only there.
    fn find_commands(
        &self,
        command_id: &str,
        answers: &Kept<Answered>,
    ) -> Result<(Commands<D::Command>, Trail), AuditFault> {
        let outcomes = &answers.all;
        let (log, watcher) = (self.question.log, self.question.watcher);
        let mut left: BTreeMap<TopicPartition, (i64, i64)> = BTreeMap::new();
        for at in self.partitions_of(&self.names.commands) {
            let here: Vec<i64> = outcomes
                .iter()
                .filter(|answered| answered.place.partition == at.partition)
                .map(|answered| answered.outcome.recorded_at.div_euclid(1_000))
                .collect();
            if here.is_empty() && !outcomes.is_empty() {
                continue;
            }
            let end = match here.iter().max() {
                Some(newest) => log.offset_at(&at, newest + SKEW_MS)?,
                None => log.high_watermark(&at)?,
            };
            left.insert(at.clone(), (self.oldest(&at)?, end));
        }
        let total: i64 = left.values().map(|(oldest, end)| (end - oldest).max(0)).sum();
        watcher.stage(&format!("looking through {}", self.names.commands), total.unsigned_abs());
        let (mut found, mut trail) = (Kept::new(), Trail::default());
        let mut beyond = 0;
        left.retain(|_, (oldest, end)| oldest < end);
        while !left.is_empty() && (found.count() < answers.count().max(1) && beyond < PIECES_BEYOND) {
            for (at, (oldest, end)) in &mut left {
                let from = (*end - PIECE).max(*oldest);
                commands_between(log, at, (from, *end), watcher, &mut |record| {
                    trail.see(record);
                    if let Some(command) = self.command(command_id, record)? {
                        found.push(self.asked(record, place(record), command)?, |(asked, _)| asked.at);
                    }
                    Ok(())
                })?;
                *end = from;
            }
            beyond += usize::from(found.count() > 0);
            left.retain(|_, (oldest, end)| oldest < end);
        }
        Ok((found, trail))
    }

    /// Says of what was found whether it is dead, and looks for what only the dead topic has.
    fn find_dead(
        &self,
        command_id: &str,
        asked: &mut [FoundCommand<D::Command>],
    ) -> Result<(Commands<D::Command>, Trail), AuditFault> {
        let (log, watcher) = (self.question.log, self.question.watcher);
        let mut trail = Trail::default();
        let (mut only_dead, mut marks) = (Commands::<D::Command>::new(), BTreeMap::new());
        for at in self.partitions_of(&self.names.dead) {
            between(log, &at, (0, log.high_watermark(&at)?), watcher, &mut |record| {
                trail.see(record);
                if let Some((offset, mark)) = dead_headers::note(&record.headers) {
                    // it stands behind what it speaks of
                    let place = (record.partition, offset);
                    let of =
                        |asked: &Asked| asked.dead.as_ref().map(|it| (it.place.partition, it.place.offset));
                    if asked.iter().chain(&only_dead.all).any(|(asked, _)| of(asked) == Some(place)) {
                        marks.insert(place, mark);
                    }
                }
                let Some((place_before, dead)) = dead_of(record) else { return Ok(()) };
                if place_before.topic != *self.names.commands {
                    return Ok(());
                }
                if let Some((known, _)) = asked.iter_mut().find(|(known, _)| known.place == place_before) {
                    known.dead = Some(dead);
                } else if let Some(command) = self.dead_command(command_id, record)? {
                    let (mut found, command) = self.asked(record, place_before, command)?;
                    found.dead = Some(dead);
                    only_dead.push((found, command), |(asked, _)| asked.at);
                }
                Ok(())
            })?;
        }
        let all = asked.iter_mut().chain(&mut only_dead.all);
        for dead in all.filter_map(|(asked, _)| asked.dead.as_mut()) {
            dead.done = marks.get(&(dead.place.partition, dead.place.offset)).copied();
        }
        Ok((only_dead, trail))
    }

    /// The command that a record is, when it has this id; without its data where this build does
    /// not know it.
    fn command(&self, command_id: &str, record: &Record) -> Result<Option<Read<D::Command>>, AuditFault> {
        let Some(value) = record.value.as_deref() else { return Ok(None) };
        // a text stands in Avro as it is: what does not hold the id need not be read
        if !value.windows(command_id.len().max(1)).any(|part| part == command_id.as_bytes()) {
            return Ok(None);
        }
        match self.codecs.commands.decode(value) {
            Ok(command) if command.id == command_id => Ok(Some((command.metadata.clone(), Some(command)))),
            Err(DecodeFailure::UnknownType(unknown)) if unknown.id == command_id => {
                Ok(Some((unknown.metadata, None)))
            }
            Err(DecodeFailure::Registry(fault)) => Err(fault.into()),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// The command that a dead record is, when it has this id. One that cannot be read is taken for it when the id
    /// stands in it as a text does in Avro: it would not be dead if more could be known.
    fn dead_command(
        &self,
        command_id: &str,
        record: &Record,
    ) -> Result<Option<Read<D::Command>>, AuditFault> {
        if let Some(command) = self.command(command_id, record)? {
            return Ok(Some(command));
        }
        let Some(value) = record.value.as_deref() else { return Ok(None) };
        let is_unreadable = holds_text(value, command_id)
            && matches!(
                self.codecs.commands.decode(value),
                Err(DecodeFailure::Unreadable(_) | DecodeFailure::NotYet { .. })
            );
        Ok(is_unreadable.then(|| (Metadata::default(), None)))
    }

    fn asked(
        &self,
        record: &Record,
        place: EventPlace,
        (metadata, command): Read<D::Command>,
    ) -> Result<FoundCommand<D::Command>, AuditFault> {
        let at = TopicPartition::new(place.topic.as_str(), place.partition);
        let traceparent = record.headers.iter().find(|(name, _)| name == "traceparent");
        let asked = Asked {
            digest: command.as_ref().map(|command| Digest::of(&command.data)),
            is_decided: place.offset < self.decided(&at)?,
            place,
            at: record.timestamp_ms * 1_000,
            key: record.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()),
            kind: command.as_ref().map(|command| command.data.name()),
            data: command.as_ref().map_or(Json::Null, |command| shown::data(&command.data)),
            metadata,
            traceparent: traceparent.map(|(_, value)| String::from_utf8_lossy(value).into_owned()),
            dead: None,
        };
        Ok((asked, command))
    }

    /// Why the step of this id is in the dead topic, if it is, where its own topic does not keep it any more.
    pub(super) fn dead_step(&self, at: &TopicPartition, step_id: &str) -> Result<Option<Dead>, AuditFault> {
        let (log, watcher) = (self.question.log, self.question.watcher);
        let dead_topic = self.at(&self.names.dead, at.partition);
        let mut found = None;
        between(log, &dead_topic, (0, log.high_watermark(&dead_topic)?), watcher, &mut |record| {
            if let Some((before, dead)) = dead_of(record)
                && before.topic == *at.topic
                && record.value.as_deref().is_some_and(|value| holds_text(value, step_id))
            {
                found = Some(dead);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Why the record that stood at `before` is in the dead topic, if it is.
    pub(super) fn dead_at(&self, before: &EventPlace) -> Result<Option<Dead>, AuditFault> {
        let (log, watcher) = (self.question.log, self.question.watcher);
        let at = self.at(&self.names.dead, before.partition);
        let mut found = None;
        between(log, &at, (0, log.high_watermark(&at)?), watcher, &mut |record| {
            if let Some((place, dead)) = dead_of(record)
                && place == *before
            {
                found = Some(dead);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Whether bytes hold `text` as a text stands in Avro.
fn holds_text(value: &[u8], text: &str) -> bool {
    let mut whole = Vec::new();
    write_str(text, &mut whole);
    value.windows(whole.len()).any(|part| part == whole)
}

/// Where a record is.
pub(super) fn place(record: &Record) -> EventPlace {
    EventPlace { topic: record.topic.to_string(), partition: record.partition, offset: record.offset }
}

/// Where a record of the dead topic was, and why it is there.
fn dead_of(record: &Record) -> Option<(EventPlace, Dead)> {
    let header = |name: &str| crate::verify::header(record, name);
    let before = EventPlace {
        topic: header(dead_headers::TOPIC)?.to_owned(),
        partition: header(dead_headers::PARTITION)?.parse().ok()?,
        offset: header(dead_headers::OFFSET)?.parse().ok()?,
    };
    let reason = header(dead_headers::REASON).unwrap_or("no reason is given").to_owned();
    Some((before, Dead { place: place(record), reason, done: None }))
}
