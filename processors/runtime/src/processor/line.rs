//! Order behind a dead command: the line in which later commands of its key wait.
//!
//! A dead command of a domain that asks for it begins a line, and every later command of the key
//! goes to the dead topic behind it, unanswered, with the next number of the line. What is redriven
//! comes back with its place in the line and is decided when its number is the next: in order, and
//! each number once. What says that it came back is believed as far as the dead topic proves it (`claims`): else
//! it is a new command of the key. A redriven command that dies again keeps its number, so those behind it go
//! back too. The key is free when the last number has been taken; what came meanwhile has
//! got numbers of its own.

use millrace_kernel::bookkeeping::{self, Bookkeeping, ParkedKey};
use millrace_kernel::{AggregateId, Domain, Metadata, StateData, Violation, codes, partition};
use millrace_ports::Record;

use super::decide::{Decided, Decider, Verdict, kept};
use super::state::{PartitionState, Versioned};
use crate::dead::headers::{self, DeadKind, LinePlace};

/// What a record was put back as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBack {
    /// Its place in the line of its key; none when that line has ended.
    pub(super) place: Option<LinePlace>,
    /// What kind of dead record it was.
    pub(super) kind: Option<DeadKind>,
    /// Whether an operator has dropped it.
    pub(super) is_skipped: bool,
    /// Whether nobody can put back any more what came before it.
    pub(super) is_first: bool,
}

impl PutBack {
    /// What a record says of itself, which anybody may have written: for a planted bug alone.
    pub(super) fn as_said(record: &Record) -> Self {
        let text = |name| headers::text(&record.headers, name);
        Self {
            place: text(headers::LINE).and_then(LinePlace::parse),
            kind: text(headers::KIND).and_then(DeadKind::parse),
            is_skipped: text(headers::SKIPPED).is_some(),
            is_first: text(headers::GONE).is_some(),
        }
    }
}

/// The line of a key, if it has one, as far as that is committed.
pub(super) fn parked_in<D: Domain>(committed: &PartitionState<D::State>, key: &[u8]) -> Option<ParkedKey> {
    if committed.kept().parked_keys == 0 {
        return None;
    }
    let found = committed.get(&bookkeeping::parked_key(key))?;
    match found.state.as_deref()?.as_bookkeeping()? {
        Bookkeeping::ParkedKey(parked) => Some(parked.clone()),
        _ => None,
    }
}

/// Where a record stands with regard to its key's line.
enum Standing {
    /// There is no line.
    Free,
    /// It is the next of the line.
    Next(AggregateId, ParkedKey),
    /// It waits behind others: redriven with this number, or new.
    Behind(AggregateId, ParkedKey, Option<i64>),
}

impl<D: Domain> Decider<'_, D> {
    /// Decides a record of the commands topic when its turn has come. `id` is that of the command,
    /// if it can be read.
    pub(super) fn in_line(
        &self,
        id: Option<&str>,
        metadata: Option<&Metadata>,
        record: &Record,
        decide: impl FnOnce() -> Verdict<D>,
    ) -> Verdict<D> {
        match self.standing(record) {
            Standing::Free => self.begin_line(record, decide()),
            Standing::Next(place, parked) => self.move_line(place, parked, decide()),
            // What was answered, or may have been, changes nothing, so it need not wait. It must not, either: a
            // redrive gives what waits a new time of issue, and nobody could tell any more that it is a repeat.
            Standing::Behind(place, parked, number) => match id.filter(|_| number.is_none()) {
                Some(id) if let Some(answer) = self.known_before(id, metadata, record) => answer,
                _ => self.wait(place, &parked, number, id.map_or_else(decide, |_| self.waits(&parked))),
            },
        }
    }

    /// Drops a record that an operator has skipped, so that those behind it go on. One that waited
    /// was never answered, so it is now.
    pub(super) fn skip(&self, id: Option<&str>, record: &Record) -> Verdict<D> {
        let kind = self.put_back.and_then(|put_back| put_back.kind);
        let answer = || match id {
            Some(id) if kind == Some(DeadKind::Waiting) => self.repeated(id).unwrap_or_else(|| {
                let message = "it waited behind a dead command of its key, and an operator has dropped it";
                self.reject(id, vec![Violation::of(codes::SKIPPED, message)])
            }),
            _ => Verdict::Decided(Box::new(Decided::nothing(self.layers.last_recorded_at()))),
        };
        match self.standing(record) {
            Standing::Next(place, parked) => self.move_line(place, parked, answer()),
            // one before it has died again meanwhile
            Standing::Behind(place, parked, Some(number)) => {
                let kind = kind.unwrap_or(DeadKind::Unreadable);
                let reason = "it was skipped while another before it was dead; skip it again".to_owned();
                self.wait(place, &parked, Some(number), self.bury(kind, reason))
            }
            Standing::Free | Standing::Behind(_, _, None) => answer(),
        }
    }

    fn waits(&self, parked: &ParkedKey) -> Verdict<D> {
        let (topic, partition) = (&self.place.names.commands, self.place.partition);
        let reason = format!(
            "it waits behind the dead command of its key at {topic}[{partition}] offset {}; it is decided in its turn when the key is redriven",
            parked.line
        );
        self.bury(DeadKind::Waiting, reason)
    }

    /// Whether it matters what a record that says so was put back as.
    pub(super) fn needs_proof(&self, record: &Record) -> bool {
        let says = |name| headers::text(&record.headers, name).is_some();
        !record.headers.is_empty()
            && record.topic == self.place.names.commands
            && says(headers::REDRIVEN)
            && (says(headers::SKIPPED) || self.parked(record).is_some())
    }

    fn standing(&self, record: &Record) -> Standing {
        let Some((id, parked)) = self.parked(record) else { return Standing::Free };
        let place = self.put_back.and_then(|put_back| put_back.place);
        let is_first = self.put_back.is_some_and(|put_back| put_back.is_first);
        match place.filter(|place| place.line == parked.line) {
            // nobody can put back what came before it any more
            Some(place) if is_first && (parked.next..=parked.newest).contains(&place.number) => {
                Standing::Next(id, ParkedKey { next: place.number, ..parked })
            }
            Some(place) if place.number == parked.next => Standing::Next(id, parked),
            Some(place) if (parked.next..=parked.newest).contains(&place.number) => {
                Standing::Behind(id, parked, Some(place.number))
            }
            _ => Standing::Behind(id, parked, None),
        }
    }

    /// The line of the record's key, and where it is kept.
    pub(super) fn parked(&self, record: &Record) -> Option<(AggregateId, ParkedKey)> {
        if !self.layers.may_keep(|kept| kept.parked_keys) {
            return None;
        }
        let id = self.line_of(record)?;
        match self.layers.get(&id).state.as_deref()?.as_bookkeeping()? {
            Bookkeeping::ParkedKey(parked) => Some((id, parked.clone())),
            _ => None,
        }
    }

    /// Where the line of the record's key is kept. What came to a partition that is not its key's
    /// stands in no order with the key's commands.
    fn line_of(&self, record: &Record) -> Option<AggregateId> {
        let key = record.key.as_deref()?;
        let is_here = partition::of_key(key, self.place.partitions) == self.place.partition;
        is_here.then(|| bookkeeping::parked_key(key))
    }

    /// A command that has died parks its key. A tombstone does not: it asks for nothing that
    /// others could depend on.
    fn begin_line(&self, record: &Record, mut verdict: Verdict<D>) -> Verdict<D> {
        let Verdict::Decided(decided) = &mut verdict else { return verdict };
        let Some(burial) = &mut decided.dead else { return verdict };
        if !D::KEEPS_ORDER_BEHIND_DEAD || record.value.is_none() {
            return verdict;
        }
        let Some(id) = self.line_of(record) else { return verdict };
        let since = self.place.clock_micros;
        let parked = ParkedKey { line: record.offset, next: 1, newest: 1, since };
        burial.line = Some(LinePlace { line: parked.line, number: parked.next });
        decided.changes.push((id, kept::<D>(Bookkeeping::ParkedKey(parked), decided.last_recorded_at)));
        verdict
    }

    /// The next of the line was decided: it is out of the line, unless it has died again.
    fn move_line(&self, id: AggregateId, parked: ParkedKey, mut verdict: Verdict<D>) -> Verdict<D> {
        let Verdict::Decided(decided) = &mut verdict else { return verdict };
        if let Some(burial) = &mut decided.dead {
            burial.line = Some(LinePlace { line: parked.line, number: parked.next });
            return verdict;
        }
        let after = match parked.next == parked.newest {
            true => Versioned::none(),
            false => {
                let moved = ParkedKey { next: parked.next + 1, ..parked };
                kept::<D>(Bookkeeping::ParkedKey(moved), decided.last_recorded_at)
            }
        };
        decided.changes.push((id, after));
        verdict
    }

    /// Sends what waits to the dead topic, under its old number or the next new one.
    fn wait(
        &self,
        id: AggregateId,
        parked: &ParkedKey,
        number: Option<i64>,
        mut verdict: Verdict<D>,
    ) -> Verdict<D> {
        let Verdict::Decided(decided) = &mut verdict else { return verdict };
        let line = parked.line;
        let place = LinePlace { line, number: number.unwrap_or(parked.newest + 1) };
        if let Some(burial) = &mut decided.dead {
            burial.line = Some(place);
        }
        if number.is_none() {
            let longer = ParkedKey { newest: place.number, ..parked.clone() };
            decided.changes.push((id, kept::<D>(Bookkeeping::ParkedKey(longer), decided.last_recorded_at)));
        }
        verdict
    }
}
