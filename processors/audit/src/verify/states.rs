//! States: the newest record of every aggregate equals its folded events.

use std::collections::BTreeMap;

use millrace_kernel::bookkeeping::Bookkeeping;
use millrace_kernel::{AggregateId, Domain, StateData};
use millrace_ports::Start;
use serde_json::json;

use super::Scene;
use super::fold::Fold;
use super::image::{Image, text};
use crate::book::Book;
use crate::difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, decode, key_text};

/// What the engine remembers in one partition. A processor lists all of it when it begins, so memory has room for it.
pub(super) struct Remembered<S> {
    pub newest: BTreeMap<Box<str>, Image<S>>,
    /// The next offset of the topic.
    pub read_to: i64,
}

fn is_kept_under(id: &str) -> bool {
    AggregateId::parse(id).is_some_and(|id| Bookkeeping::is_kept_under(&id))
}

impl<'a, D: Domain> Scene<'a, D> {
    pub(super) fn state_place(&self, partition: i32, offset: i64) -> EventPlace {
        EventPlace { topic: self.names.state.to_string(), partition, offset }
    }

    /// Reads the state topic of a partition to its end as it is now: all of it, and what the engine remembers.
    pub(super) fn read_states(&self, partition: i32) -> Result<(Book<'a>, Remembered<D::State>), AuditFault> {
        let at = self.at(&self.names.state, partition);
        let log = self.audit.log;
        let end = log.high_watermark(&at)?;
        self.audit.watcher.stage(&format!("reading {at}"), (end - log.low_watermark(&at)?).unsigned_abs());
        let mut newest = Book::new(self.audit.shelf);
        let mut remembered = Remembered { newest: BTreeMap::new(), read_to: end };
        let bad = |key: &str, offset: i64, message: String| {
            let difference = self.difference(Check::States, Kind::Different, &at.topic, key, message);
            self.findings.add(Difference { events: vec![self.state_place(partition, offset)], ..difference });
        };
        let mut tail = Tail::open(log, at.clone(), Start::Beginning)?;
        tail.up_to(end, self.audit.watcher, &mut |record| {
            let key = key_text(record).unwrap_or_default();
            if record.value.is_none() {
                remembered.newest.remove(key);
                return newest.remove(key.as_bytes());
            }
            match decode(&self.codecs.state, record)? {
                Ok(read) => {
                    let (id, version, recorded_at, state) = D::State::from_record(read);
                    if id != key {
                        let message = format!("the record of key {key:?} holds the state of {id}");
                        bad(key, record.offset, message);
                        return Ok(());
                    }
                    let image = Image { version, recorded_at, state, offset: record.offset };
                    newest.put(key.as_bytes(), image.to_bytes())?;
                    let is_remembered = is_kept_under(key)
                        || image.state.as_ref().is_some_and(|it| it.as_bookkeeping().is_some());
                    match is_remembered {
                        true => drop(remembered.newest.insert(key.into(), image)),
                        false => drop(remembered.newest.remove(key)),
                    }
                }
                Err(why) => bad(key, record.offset, format!("it cannot be read: {why}")),
            }
            Ok(())
        })?;
        Ok((newest, remembered))
    }

    /// Compares states with the events that were read before them, and lets those that are ahead be awaited.
    pub(super) fn compare_states(
        &mut self,
        fold: &mut Fold<'a, D>,
        mut states: Book<'a>,
    ) -> Result<(), AuditFault> {
        let topic = self.names.state.to_string();
        let mut cursor = fold.aggregates.cursor()?;
        loop {
            let page = fold.aggregates.page(&mut cursor)?;
            if page.is_empty() {
                break;
            }
            for (id, folded) in page {
                let folded = Image::<D::State>::from_bytes(&folded)?;
                let newest = fold.place(folded.offset);
                let stated = states.get(&id)?.map(Image::<D::State>::from_bytes).transpose()?;
                let id = text(&id);
                let Some(stated) = stated else {
                    let message = format!("{id} has {} events and no state", folded.version);
                    let missing = self.difference(Check::States, Kind::Missing, &topic, &id, message);
                    let column = ColumnDifference {
                        column: "version".to_owned(),
                        expected: json!(folded.version),
                        found: serde_json::Value::Null,
                    };
                    self.findings.add(Difference { columns: vec![column], events: vec![newest], ..missing });
                    continue;
                };
                if stated.version <= folded.version {
                    self.compare_state(fold, &id, &stated, &folded);
                }
            }
        }
        let mut cursor = states.cursor()?;
        loop {
            let page = states.page(&mut cursor)?;
            if page.is_empty() {
                return Ok(());
            }
            self.checked.states += page.len() as u64;
            for (id, stated) in page {
                if is_kept_under(&text(&id)) {
                    continue;
                }
                let folded = fold.aggregates.get(&id)?.map(Image::<D::State>::from_bytes).transpose()?;
                let version = Image::<D::State>::from_bytes(&stated)?.version;
                if folded.is_none_or(|folded| folded.version < version) {
                    fold.await_version(&id, stated)?;
                }
            }
        }
    }

    /// Reports a state that is not what its events fold to.
    pub(super) fn compare_state(
        &self,
        fold: &Fold<'a, D>,
        id: &str,
        stated: &Image<D::State>,
        folded: &Image<D::State>,
    ) {
        let columns = stated.compare(folded);
        if !columns.is_empty() {
            let events = vec![fold.place(folded.offset), self.state_place(fold.partition(), stated.offset)];
            let message = format!("the state of {id} is not what its events fold to");
            let difference = self.difference(Check::States, Kind::Different, &self.names.state, id, message);
            self.findings.add(Difference { columns, events, ..difference });
        }
    }

    /// Reports the states whose version no event has come to.
    pub(super) fn report_ahead(&self, fold: &mut Fold<'a, D>) -> Result<(), AuditFault> {
        let mut cursor = fold.awaited.cursor()?;
        loop {
            let page = fold.awaited.page(&mut cursor)?;
            if page.is_empty() {
                return Ok(());
            }
            for (id, stated) in page {
                let stated = Image::<D::State>::from_bytes(&stated)?;
                let newest = fold.aggregates.get(&id)?.map(Image::<D::State>::from_bytes).transpose()?;
                let id = text(&id);
                let events = newest
                    .as_ref()
                    .map(|folded| fold.place(folded.offset))
                    .into_iter()
                    .chain([self.state_place(fold.partition(), stated.offset)])
                    .collect();
                let (kind, columns, message) = match newest {
                    Some(folded) => {
                        let message = format!(
                            "the state of {id} says version {}, but its newest event is of version {}",
                            stated.version, folded.version
                        );
                        (Kind::Different, stated.compare(&folded), message)
                    }
                    None => (Kind::Surplus, Vec::new(), format!("{id} has a state and no event")),
                };
                let difference = self.difference(Check::States, kind, &self.names.state, &id, message);
                self.findings.add(Difference { columns, events, ..difference });
            }
        }
    }
}
