//! Order behind a dead command: the line in which later commands of its key wait.
//!
//! A dead command of a domain that asks for it begins a line, and every later command of the key
//! goes to the dead topic behind it, unanswered, with the next number of the line. What is redriven
//! comes back with its place in the line and is decided when its number is the next: in order, and
//! each number once. A redriven command that dies again keeps its number, so those behind it go
//! back too. The key is free when the last number has been taken; what came meanwhile has
//! got numbers of its own.

use millrace_kernel::bookkeeping::{self, Bookkeeping, ParkedKey};
use millrace_kernel::{AggregateId, Domain, StateData, Violation, codes, partition};
use millrace_ports::Record;

use super::decide::{Decided, Decider, Verdict, kept};
use super::state::Versioned;
use crate::dead::headers::{self, DeadKind, LinePlace};

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
        record: &Record,
        decide: impl FnOnce() -> Verdict<D>,
    ) -> Verdict<D> {
        match self.standing(record) {
            Standing::Free => self.begin_line(record, decide()),
            Standing::Next(place, parked) => self.move_line(place, parked, decide()),
            // an id that was answered is answered again and changes nothing, so it need not wait
            Standing::Behind(place, parked, number) => match id.filter(|_| number.is_none()) {
                Some(id) if let Some(repeated) = self.repeated(id) => repeated,
                _ => self.wait(place, &parked, number, id.map_or_else(decide, |_| self.waits(&parked))),
            },
        }
    }

    /// Drops a record that an operator has skipped, so that those behind it go on. One that waited
    /// was never answered, so it is now.
    pub(super) fn skip(&self, id: Option<&str>, record: &Record) -> Verdict<D> {
        let kind = headers::text(&record.headers, headers::KIND).and_then(DeadKind::parse);
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

    fn standing(&self, record: &Record) -> Standing {
        let Some((id, parked)) = self.parked(record) else { return Standing::Free };
        let place = headers::text(&record.headers, headers::LINE).and_then(LinePlace::parse);
        let is_first = headers::text(&record.headers, headers::GONE).is_some();
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

    fn parked(&self, record: &Record) -> Option<(AggregateId, ParkedKey)> {
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
