//! Answers: every command has exactly one outcome, or is dead, or its process is open.
//!
//! Commands are kept for a week and outcomes for a day, so only the commands whose outcomes must
//! still be there are looked at. Ids are counted in slices, so that a long partition needs no more
//! memory than a short one.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use millrace_kernel::{Addressed, Command, Domain, Outcome, Status, codes, id, partition};
use millrace_ports::{Record, Start, TopicPartition};
use millrace_runtime::processor::intake::dead_headers;
use millrace_wire::DecodeFailure;

use super::Scene;
use super::fold::Fold;
use crate::difference::{Check, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, between, commands_between, decode, key_text};

/// Most commands whose ids are kept at once.
const SLICE: i64 = 1_000_000;
/// How far the clocks of brokers and processors may be apart, milliseconds.
const SKEW_MS: i64 = 120_000;

/// What is known of one command id in one partition.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    /// Its first record.
    offset: i64,
    /// Records that must have been decided, dead and misrouted ones apart.
    asked: u32,
    /// Records that came with the wrong key or in the wrong partition.
    misrouted: u32,
    /// Records in the dead topic.
    dead: u32,
    /// Records that need not be decided yet.
    later: u32,
    /// First answers, repeated ones, and those to misrouted records.
    firsts: u32,
    repeats: u32,
    turned_away: u32,
    /// The newest outcome, and `recorded_at` of the newest first answer.
    outcome: i64,
    answered_at: i64,
    /// Two first answers stand closer than the de-duplication reaches.
    is_twice: bool,
    /// First answers that say that something was done.
    accepted: u32,
    /// When it was issued, if its records say so, and whether all of them say the same.
    issued_at: Option<i64>,
    is_issued_anew: bool,
}

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
    dead: Dead,
    /// Answers that are still due, by the command's id: its process has ended, and it was sent again and again meanwhile.
    due: HashMap<Box<str>, i64>,
}

impl<D: Domain> Scene<'_, D> {
    /// Checks the commands of a partition before offset `decided`; `fold` has all their events, and `due` says how many
    /// answers were still to come before the outcomes are read.
    pub(super) fn check_answers(
        &mut self,
        partition: i32,
        decided: i64,
        fold: &Fold<D>,
        due: HashMap<Box<str>, i64>,
    ) -> Result<(), AuditFault> {
        let stretch = Stretch { due, ..self.stretch(partition, decided)? };
        let slices = ((stretch.decided - stretch.from) / SLICE + 1).max(1) as u64;
        for slice in 0..slices {
            self.check_slice(&stretch, (slice, slices), fold)?;
        }
        Ok(())
    }

    fn stretch(&mut self, partition: i32, decided: i64) -> Result<Stretch, AuditFault> {
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
        let dead = self.read_dead(&commands)?;
        let is_whole = oldest == 0 && oldest_outcome == 0;
        Ok(Stretch { commands, outcomes, from, decided, is_whole, outcomes_end, dead, due: HashMap::new() })
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
    fn read_dead(&self, commands: &TopicPartition) -> Result<Dead, AuditFault> {
        let at = self.at(&self.names.dead, commands.partition);
        let log = self.audit.log;
        let mut dead = Dead::default();
        between(log, &at, (0, log.high_watermark(&at)?), self.audit.watcher, &mut |record| {
            if let Some((offset, dead_headers::Mark::Skipped)) = dead_headers::note(&record.headers) {
                dead.dropped.insert(offset);
            }
            if header(record, dead_headers::TOPIC) == Some(&*commands.topic) {
                let offset = |name| header(record, name).and_then(|text| text.parse::<i64>().ok());
                if let Some(first) = offset(dead_headers::OFFSET) {
                    // of a whole batch the first and the last
                    dead.commands.extend(first..=offset(dead_headers::LAST).unwrap_or(first));
                }
            }
            Ok(())
        })?;
        Ok(dead)
    }

    fn check_slice(
        &mut self,
        stretch: &Stretch,
        (slice, slices): (u64, u64),
        fold: &Fold<D>,
    ) -> Result<(), AuditFault> {
        let log = self.audit.log;
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let is_here = |id: &str| hasher.hash_one(id) % slices == slice;
        let mut tallies: HashMap<Box<str>, Tally> = HashMap::new();
        let mut unread: Vec<i64> = Vec::new();
        let Stretch { commands, outcomes, from, decided, .. } = stretch;
        let of = if slices == 1 { String::new() } else { format!(", part {} of {slices}", slice + 1) };
        let stage = |what: &TopicPartition, from: i64, to: i64| {
            self.audit.watcher.stage(&format!("reading {what}{of}"), (to - from).max(0).unsigned_abs());
        };

        stage(commands, *from, *decided);
        let passed = commands_between(log, commands, (*from, *decided), self.audit.watcher, &mut |record| {
            let is_dead = stretch.dead.commands.contains(&record.offset) || stretch.dead.has_dropped(record);
            match self.asked(record)? {
                Some(Asked { command_id, misrouted, issued_at }) if is_here(&command_id) => {
                    let new = Tally { offset: record.offset, issued_at, ..Tally::default() };
                    let tally = tallies.entry(command_id.into()).or_insert(new);
                    tally.is_issued_anew |= tally.issued_at != issued_at;
                    match (is_dead, misrouted) {
                        (true, _) => tally.dead += 1,
                        (false, true) => tally.misrouted += 1,
                        (false, false) => tally.asked += 1,
                    }
                }
                None if slice == 0 && !is_dead => unread.push(record.offset),
                _ => {}
            }
            Ok(())
        })?;
        if slice == 0 {
            unread.extend(passed.into_iter().filter(|offset| !stretch.dead.commands.contains(offset)));
        }
        self.checked.commands +=
            tallies.values().map(|t| u64::from(t.asked + t.misrouted + t.dead)).sum::<u64>();

        let window = (self.audit.processor.dedup_window_seconds as i64).saturating_mul(1_000_000);
        let mut read = 0;
        let mut strangers: HashMap<Box<str>, Tally> = HashMap::new();
        stage(outcomes, 0, stretch.outcomes_end);
        between(log, outcomes, (0, stretch.outcomes_end), self.audit.watcher, &mut |record| {
            let Some(key) = key_text(record).filter(|key| is_here(key)) else { return Ok(()) };
            let Ok(outcome) = decode(&self.codecs.outcomes, record)? else { return Ok(()) };
            read += 1;
            let tally = match tallies.get_mut(key) {
                Some(tally) => tally,
                None if stretch.is_whole => strangers.entry(key.into()).or_default(),
                None => return Ok(()),
            };
            tally.count(&outcome, record.offset, window);
            Ok(())
        })?;
        self.checked.outcomes += read;

        // commands that came meanwhile may have been answered meanwhile
        commands_between(
            log,
            commands,
            (*decided, log.high_watermark(commands)?),
            self.audit.watcher,
            &mut |record| {
                if let Some(Asked { command_id, .. }) = self.asked(record)? {
                    if let Some(tally) = tallies.get_mut(command_id.as_str()) {
                        tally.later += 1;
                    } else {
                        strangers.remove(command_id.as_str());
                    }
                }
                Ok(())
            },
        )?;

        for (command_id, tally) in &tallies {
            let due = stretch.due.get(command_id).copied().unwrap_or(0);
            let verdict = tally.verdict(command_id, fold.is_open(command_id), due, stretch.is_whole);
            let twice = || tally.taken_twice(command_id).filter(|_| D::REFUSES_EXPIRED);
            if let Some((kind, message)) = verdict.or_else(twice) {
                self.report(
                    stretch,
                    kind,
                    command_id,
                    Some(tally.offset),
                    (tally.outcome > 0 || tally.firsts > 0).then_some(tally.outcome),
                    message,
                );
            }
        }
        for (command_id, tally) in &strangers {
            let message =
                format!("{command_id} has an outcome, but there is no such command in this partition");
            self.report(stretch, Kind::Surplus, command_id, None, Some(tally.outcome), message);
        }
        for offset in unread {
            let message = "it can be neither read nor answered, and is not in the dead topic".to_owned();
            self.report(stretch, Kind::Missing, &format!("offset {offset}"), Some(offset), None, message);
        }
        Ok(())
    }

    fn report(
        &mut self,
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

impl Tally {
    fn count(&mut self, outcome: &Outcome, offset: i64, window_micros: i64) {
        self.outcome = offset;
        if outcome.duplicate {
            self.repeats += 1;
        } else if outcome.violations.first().is_some_and(|violation| violation.code == codes::MISROUTED) {
            self.turned_away += 1;
        } else {
            // that a command has expired is no decision: nothing was done
            let is_expired = outcome.violations.first().is_some_and(|it| it.code == codes::EXPIRED);
            let is_near = outcome.recorded_at - self.answered_at < window_micros;
            self.is_twice |= self.firsts > 0 && is_near && !is_expired;
            self.firsts += 1;
            self.accepted += u32::from(outcome.status == Status::Accepted);
            self.answered_at = outcome.recorded_at;
        }
    }

    /// What is wrong where nothing may be done twice: a command that says when it was issued was accepted
    /// several times, however far apart.
    fn taken_twice(&self, command_id: &str) -> Option<(Kind, String)> {
        let accepted = self.accepted;
        let is_known = self.issued_at.is_some() && !self.is_issued_anew;
        (accepted > 1 && is_known).then(|| {
            (
                Kind::Surplus,
                format!("{command_id} was accepted {accepted} times though it says when it was issued"),
            )
        })
    }

    /// What is wrong with the answers of a command id, if anything is.
    fn verdict(&self, command_id: &str, is_open: bool, due: i64, is_whole: bool) -> Option<(Kind, String)> {
        let answers = self.firsts + self.repeats;
        if self.is_twice {
            let message = format!(
                "{command_id} has {} first outcomes: it was decided more than once though it was remembered",
                self.firsts
            );
            return Some((Kind::Surplus, message));
        }
        if self.turned_away < self.misrouted {
            let (came, answered) = (self.misrouted, self.turned_away);
            let message =
                format!("{command_id} came {came} times the wrong way and was answered {answered} times");
            return Some((Kind::Missing, message));
        }
        if self.asked > 0 && !is_open {
            if answers == 0 {
                let message = format!(
                    "{command_id} was decided and has no outcome, is not in the dead topic, and no process of it is open"
                );
                return Some((Kind::Missing, message));
            }
            // those that are due have not been forgotten
            if i64::from(answers).saturating_add(due.max(0)) < i64::from(self.asked) {
                let asked = self.asked;
                return Some((
                    Kind::Missing,
                    format!("{command_id} came {asked} times and was answered {answers} times"),
                ));
            }
            if self.firsts == 0 && is_whole {
                let message = format!("{command_id} has only outcomes that say they repeat an earlier one");
                return Some((Kind::Missing, message));
            }
        }
        let (came, all) = (self.asked + self.misrouted + self.dead + self.later, answers + self.turned_away);
        (is_whole && all > came)
            .then(|| (Kind::Surplus, format!("{command_id} came {came} times and was answered {all} times")))
    }
}

/// What the dead topic holds of the commands of a partition.
#[derive(Default)]
struct Dead {
    /// The offsets in the commands topic of the dead commands.
    commands: HashSet<i64>,
    /// The offsets in the dead topic of those that were dropped for good.
    dropped: HashSet<i64>,
}

impl Dead {
    /// Whether a record was put back only to be dropped, so that those behind it go on. One that waited
    /// is answered; the others were answered before, or could never be.
    fn has_dropped(&self, record: &Record) -> bool {
        let kind = header(record, dead_headers::KIND).and_then(dead_headers::DeadKind::parse);
        let at =
            header(record, dead_headers::REDRIVEN).and_then(|place| place.split_once('/')?.1.parse().ok());
        header(record, dead_headers::SKIPPED).is_some()
            && kind != Some(dead_headers::DeadKind::Waiting)
            && at.is_some_and(|offset: i64| self.dropped.contains(&offset))
    }
}

/// A header of a record as text.
pub(crate) fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_answers() {
        let tally = |asked, dead, later, firsts, repeats| Tally {
            asked,
            dead,
            later,
            firsts,
            repeats,
            ..Tally::default()
        };
        let due = |asked, firsts, repeats, left| (tally(asked, 0, 0, firsts, repeats), left);
        for ((tally, left), expected) in [
            (due(9, 1, 3, 5), None),
            (due(9, 1, 3, 6), None),
            (due(9, 1, 3, 4), Some(Kind::Missing)),
            (due(9, 0, 0, 9), Some(Kind::Missing)),
        ] {
            let found = tally.verdict("c", false, left, true).map(|(kind, _)| kind);
            assert_eq!(found, expected, "{tally:?}, {left} are due");
        }
        let rows: [(Tally, bool, bool, Option<Kind>); 14] = [
            (tally(1, 0, 0, 1, 0), false, true, None),
            (tally(1, 0, 0, 0, 0), false, true, Some(Kind::Missing)),
            (tally(1, 0, 0, 0, 0), true, true, None),
            (tally(0, 1, 0, 0, 0), false, true, None),
            (tally(0, 1, 0, 1, 0), false, true, None),
            (tally(3, 0, 0, 1, 2), false, true, None),
            (tally(3, 0, 0, 1, 1), false, true, Some(Kind::Missing)),
            (tally(1, 0, 0, 0, 1), false, true, Some(Kind::Missing)),
            (tally(1, 0, 0, 0, 1), false, false, None),
            (tally(1, 0, 0, 1, 1), false, true, Some(Kind::Surplus)),
            (tally(1, 0, 0, 1, 1), false, false, None),
            (tally(1, 0, 1, 1, 1), false, true, None),
            (Tally { is_twice: true, ..tally(2, 0, 0, 2, 0) }, false, false, Some(Kind::Surplus)),
            (Tally { misrouted: 1, ..tally(0, 0, 0, 0, 0) }, false, false, Some(Kind::Missing)),
        ];
        for (tally, is_open, is_whole, expected) in rows {
            let found = tally.verdict("c", is_open, 0, is_whole).map(|(kind, _)| kind);
            assert_eq!(found, expected, "{tally:?}, open {is_open}, whole {is_whole}");
        }
    }

    #[test]
    fn what_has_expired_was_not_decided_again_and_what_was_accepted_twice_was() {
        let outcome = |status, codes: &[&str], recorded_at| Outcome {
            command_id: "c".into(),
            status,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: codes.iter().map(|code| millrace_kernel::Violation::of(code, "no")).collect(),
            recorded_at,
            command_type: None,
            failure: None,
            digest: None,
        };
        let (yes, no) = (Status::Accepted, Status::Rejected);
        let mut expired = Tally { issued_at: Some(1), ..Tally::default() };
        expired.count(&outcome(yes, &[], 1_000), 0, 100);
        expired.count(&outcome(no, &[codes::EXPIRED], 1_001), 1, 100);
        assert!(!expired.is_twice, "a window full of ids has passed it");
        assert_eq!(expired.taken_twice("c"), None);
        for (issued_at, is_issued_anew, is_found) in
            [(Some(1), false, true), (None, false, false), (Some(1), true, false)]
        {
            let mut twice = Tally { issued_at, is_issued_anew, ..Tally::default() };
            twice.count(&outcome(yes, &[], 1_000), 0, 100);
            twice.count(&outcome(yes, &[], 9_000), 1, 100);
            assert_eq!(twice.taken_twice("c").is_some(), is_found, "{issued_at:?}, anew {is_issued_anew}");
        }
    }

    #[test]
    fn a_repetition_beyond_the_window_is_decided_anew() {
        let outcome = |recorded_at| Outcome {
            command_id: "c".into(),
            status: millrace_kernel::Status::Accepted,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: Vec::new(),
            recorded_at,
            command_type: None,
            failure: None,
            digest: None,
        };
        for (second, is_twice) in [(1_099, true), (1_100, false)] {
            let mut tally = Tally::default();
            tally.count(&outcome(1_000), 0, 100);
            tally.count(&outcome(second), 1, 100);
            assert_eq!(tally.is_twice, is_twice, "{second}");
        }
    }
}
