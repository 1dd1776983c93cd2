//! Answers: every command has exactly one outcome, or is dead, or its process is open.
//!
//! Commands are kept for a week and outcomes for a day, so only the commands whose outcomes must
//! still be there are looked at.

use std::sync::Arc;

use hashbrown::HashMap;
use millrace_kernel::{Addressed, Command, Domain, id, partition};
use millrace_ports::{Record, Start, TopicPartition};
use millrace_runtime::processor::intake::dead_headers;
use millrace_wire::DecodeFailure;

use super::Scene;
use super::fold::Fold;
use super::image::text;
use super::tally::Tally;
use crate::book::{Book, Offsets};
use crate::difference::{Check, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, between, commands_between, decode, key_text};

/// How far the clocks of brokers and processors may be apart, milliseconds.
const SKEW_MS: i64 = 120_000;

/// The stretches of the topics that are compared.
struct Stretch {
    commands: TopicPartition,
    outcomes: TopicPartition,
    /// First command whose outcome must still be there.
    from: i64,
    /// Every command before it has been decided.
    decided: i64,
    /// Nothing was lost at the beginning of either topic.
    is_whole: bool,
    outcomes_end: i64,
    /// Answers that are still due, by the command's id: its process has ended, and it was sent again and again meanwhile.
    due: HashMap<Box<str>, i64>,
}

impl<'a, D: Domain> Scene<'a, D> {
    /// Checks the commands of a partition before offset `decided`; `fold` has all their events, and `due` says how many
    /// answers were still to come before the outcomes are read.
    pub(super) fn check_answers(
        &mut self,
        partition: i32,
        decided: i64,
        fold: &Fold<'a, D>,
        due: HashMap<Box<str>, i64>,
    ) -> Result<(), AuditFault> {
        let stretch = Stretch { due, ..self.stretch(partition, decided)? };
        let mut tallies = Book::new(self.audit.shelf);
        self.read_commands(&stretch, &mut tallies)?;
        self.read_outcomes(&stretch, &mut tallies)?;
        self.read_later(&stretch, &mut tallies)?;
        self.compare_answers(&stretch, fold, tallies)
    }

    fn stretch(&self, partition: i32, decided: i64) -> Result<Stretch, AuditFault> {
        let log = self.audit.log;
        let commands = self.at(&self.names.commands, partition);
        let outcomes = self.at(&self.names.outcomes, partition);
        let oldest = log.low_watermark(&commands)?;
        let (oldest_outcome, outcomes_end) = (log.low_watermark(&outcomes)?, log.high_watermark(&outcomes)?);
        let from = match oldest_outcome {
            0 => oldest,
            _ => match self.first_time(&outcomes, (oldest_outcome, outcomes_end))? {
                Some(since) => log.offset_at(&commands, since + SKEW_MS)?.max(oldest),
                None => decided,
            },
        };
        let is_whole = oldest == 0 && oldest_outcome == 0;
        Ok(Stretch { commands, outcomes, from, decided, is_whole, outcomes_end, due: HashMap::new() })
    }

    /// The time of the oldest record that a partition still holds, milliseconds.
    fn first_time(&self, at: &TopicPartition, (from, end): (i64, i64)) -> Result<Option<i64>, AuditFault> {
        let mut tail = Tail::open(self.audit.log, at.clone(), Start::Offset(from))?;
        let (mut to, mut first) = (from, None);
        while first.is_none() && to < end {
            to = (to + 1_000).min(end);
            tail.up_to(to, self.audit.watcher, &mut |record| {
                first.get_or_insert(record.timestamp_ms);
                Ok(())
            })?;
        }
        Ok(first)
    }

    /// What the dead topic holds of the commands of a partition.
    fn read_dead(&self, Stretch { commands, from, decided, .. }: &Stretch) -> Result<Dead<'a>, AuditFault> {
        let at = self.at(&self.names.dead, commands.partition);
        let (log, shelf) = (self.audit.log, self.audit.shelf);
        let mut dead = Dead { commands: Offsets::new(shelf), dropped: Offsets::new(shelf) };
        between(log, &at, (0, log.high_watermark(&at)?), self.audit.watcher, &mut |record| {
            if let Some((offset, dead_headers::Mark::Skipped)) = dead_headers::note(&record.headers) {
                dead.dropped.insert(offset, offset)?;
            }
            if header(record, dead_headers::TOPIC) == Some(&*commands.topic) {
                let offset = |name| header(record, name).and_then(|text| text.parse::<i64>().ok());
                if let Some(first) = offset(dead_headers::OFFSET) {
                    // of a whole batch the first and the last
                    let last = offset(dead_headers::LAST).unwrap_or(first);
                    dead.commands.insert(first.max(*from), last.min(*decided))?;
                }
            }
            Ok(())
        })?;
        Ok(dead)
    }

    fn stage(&self, what: &TopicPartition, from: i64, to: i64) {
        self.audit.watcher.stage(&format!("reading {what}"), (to - from).max(0).unsigned_abs());
    }

    /// Counts the commands that must have been decided.
    fn read_commands(&self, stretch: &Stretch, tallies: &mut Book<'a>) -> Result<(), AuditFault> {
        let mut dead = self.read_dead(stretch)?;
        let Stretch { commands, from, decided, .. } = stretch;
        let unread = |offset: i64| {
            let message = "it can be neither read nor answered, and is not in the dead topic".to_owned();
            self.report(stretch, Kind::Missing, &format!("offset {offset}"), Some(offset), None, message);
        };
        self.stage(commands, *from, *decided);
        let (log, watcher) = (self.audit.log, self.audit.watcher);
        let passed = commands_between(log, commands, (*from, *decided), watcher, &mut |record| {
            let is_dead = dead.commands.contains(record.offset)? || dead.has_dropped(record)?;
            let Some(Asked { command_id, misrouted, issued_at }) = self.asked(record)? else {
                if !is_dead {
                    unread(record.offset);
                }
                return Ok(());
            };
            let known = tallies.get(command_id.as_bytes())?.map(Tally::from_bytes).transpose()?;
            let new = || Tally { is_known: true, offset: record.offset, issued_at, ..Tally::default() };
            let mut tally = known.unwrap_or_else(new);
            tally.is_issued_anew |= tally.issued_at != issued_at;
            match (is_dead, misrouted) {
                (true, _) => tally.dead += 1,
                (false, true) => tally.misrouted += 1,
                (false, false) => tally.asked += 1,
            }
            tallies.put(command_id.as_bytes(), tally.to_bytes())
        })?;
        for offset in passed {
            if !dead.commands.contains(offset)? {
                unread(offset);
            }
        }
        Ok(())
    }

    /// Counts the answers.
    fn read_outcomes(&mut self, stretch: &Stretch, tallies: &mut Book<'a>) -> Result<(), AuditFault> {
        let Stretch { outcomes, outcomes_end, .. } = stretch;
        let window = (self.audit.processor.dedup_window_seconds as i64).saturating_mul(1_000_000);
        let mut read = 0;
        self.stage(outcomes, 0, *outcomes_end);
        between(self.audit.log, outcomes, (0, *outcomes_end), self.audit.watcher, &mut |record| {
            let Some(key) = key_text(record) else { return Ok(()) };
            let Ok(outcome) = decode(&self.codecs.outcomes, record)? else { return Ok(()) };
            read += 1;
            let mut tally = match tallies.get(key.as_bytes())? {
                Some(known) => Tally::from_bytes(known)?,
                // answers to nothing
                None if stretch.is_whole => Tally::default(),
                None => return Ok(()),
            };
            tally.count(&outcome, record.offset, window);
            tallies.put(key.as_bytes(), tally.to_bytes())
        })?;
        self.checked.outcomes += read;
        Ok(())
    }

    /// Counts the commands that came meanwhile: they may have been answered meanwhile.
    fn read_later(
        &self,
        Stretch { commands, decided, .. }: &Stretch,
        tallies: &mut Book<'a>,
    ) -> Result<(), AuditFault> {
        let (log, watcher) = (self.audit.log, self.audit.watcher);
        let meanwhile = (*decided, log.high_watermark(commands)?);
        commands_between(log, commands, meanwhile, watcher, &mut |record| {
            let Some(Asked { command_id, .. }) = self.asked(record)? else { return Ok(()) };
            let key = command_id.as_bytes();
            match tallies.get(key)?.map(Tally::from_bytes).transpose()? {
                Some(mut tally) if tally.is_known => {
                    tally.later += 1;
                    tallies.put(key, tally.to_bytes())
                }
                Some(_) => tallies.remove(key),
                None => Ok(()),
            }
        })?;
        Ok(())
    }

    fn compare_answers(
        &mut self,
        stretch: &Stretch,
        fold: &Fold<'a, D>,
        mut tallies: Book<'a>,
    ) -> Result<(), AuditFault> {
        let mut cursor = tallies.cursor()?;
        loop {
            let page = tallies.page(&mut cursor)?;
            if page.is_empty() {
                return Ok(());
            }
            for (id, tally) in page {
                let (command_id, tally) = (text(&id), Tally::from_bytes(&tally)?);
                if !tally.is_known {
                    let message = format!(
                        "{command_id} has an outcome, but there is no such command in this partition"
                    );
                    self.report(stretch, Kind::Surplus, &command_id, None, Some(tally.outcome), message);
                    continue;
                }
                self.checked.commands += tally.asked + tally.misrouted + tally.dead;
                let due = stretch.due.get(&*command_id).copied().unwrap_or(0);
                let verdict = tally.verdict(&command_id, fold.is_open(&command_id), due, stretch.is_whole);
                let twice = || tally.taken_twice(&command_id).filter(|_| D::REFUSES_EXPIRED);
                if let Some((kind, message)) = verdict.or_else(twice) {
                    let outcome = (tally.outcome > 0 || tally.firsts > 0).then_some(tally.outcome);
                    self.report(stretch, kind, &command_id, Some(tally.offset), outcome, message);
                }
            }
        }
    }

    fn report(
        &self,
        stretch: &Stretch,
        kind: Kind,
        key: &str,
        command: Option<i64>,
        outcome: Option<i64>,
        message: String,
    ) {
        let place = |at: &TopicPartition, offset| EventPlace {
            topic: at.topic.to_string(),
            partition: at.partition,
            offset,
        };
        let topic = Arc::clone(&stretch.outcomes.topic);
        let difference = self.difference(Check::Outcomes, kind, &topic, key, message);
        let events = command
            .map(|offset| place(&stretch.commands, offset))
            .into_iter()
            .chain(outcome.map(|offset| place(&stretch.outcomes, offset)))
            .collect();
        self.findings.add(Difference { events, ..difference });
    }

    /// A command that must be answered.
    fn asked(&self, record: &Record) -> Result<Option<Asked>, AuditFault> {
        let Some(value) = record.value.as_deref() else { return Ok(None) };
        let (command_id, issued_at, routing_key) = match self.codecs.commands.decode(value) {
            Ok(Command { id, metadata, data }) => {
                (id, metadata.issued_at, Some(data.routing_key().into_owned()))
            }
            Err(DecodeFailure::UnknownType(unknown)) => (unknown.id, unknown.metadata.issued_at, None),
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(DecodeFailure::Unreadable(_) | DecodeFailure::NotYet { .. }) => return Ok(None),
        };
        if !id::is_valid(&command_id) {
            return Ok(None);
        }
        let is_misrouted = match (record.key.as_deref(), &routing_key) {
            (None, _) => true,
            (Some(key), Some(routing_key)) if key != routing_key.as_bytes() => true,
            (Some(key), _) => partition::of_key(key, self.partitions) != record.partition,
        };
        Ok(Some(Asked { command_id: command_id.to_string(), misrouted: is_misrouted, issued_at }))
    }
}

/// A command that must be answered.
struct Asked {
    command_id: String,
    /// Whether it came the wrong way.
    misrouted: bool,
    issued_at: Option<i64>,
}

/// What the dead topic holds of the commands of a partition.
struct Dead<'s> {
    /// The offsets in the commands topic of the dead commands.
    commands: Offsets<'s>,
    /// The offsets in the dead topic of those that were dropped for good.
    dropped: Offsets<'s>,
}

impl Dead<'_> {
    /// Whether a record was put back only to be dropped, so that those behind it go on. One that waited
    /// is answered; the others were answered before, or could never be.
    fn has_dropped(&mut self, record: &Record) -> Result<bool, AuditFault> {
        let kind = header(record, dead_headers::KIND).and_then(dead_headers::DeadKind::parse);
        let at =
            header(record, dead_headers::REDRIVEN).and_then(|place| place.split_once('/')?.1.parse().ok());
        let is_put_back =
            header(record, dead_headers::SKIPPED).is_some() && kind != Some(dead_headers::DeadKind::Waiting);
        match at {
            Some(offset) if is_put_back => self.dropped.contains(offset),
            _ => Ok(false),
        }
    }
}

/// A header of a record as text.
pub(crate) fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}
