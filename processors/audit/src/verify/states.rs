//! States: the newest record of every aggregate equals its folded events.

use hashbrown::HashMap;
use millrace_kernel::bookkeeping::Bookkeeping;
use millrace_kernel::{AggregateId, Domain, StateData};
use millrace_ports::Start;
use serde_json::json;

use super::Scene;
use super::fold::{Fold, Folded};
use crate::difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, decode, key_text};
use crate::shown;

/// A record of the state topic.
pub(super) struct Stated<S> {
    pub version: i64,
    pub recorded_at: i64,
    pub state: Option<S>,
    pub place: EventPlace,
}

impl<S: StateData> Stated<S> {
    /// In which fields it differs from the folded events.
    pub fn compare(&self, folded: &Folded<S>) -> Vec<ColumnDifference> {
        let mut columns = Vec::new();
        let mut differs = |column: &str, expected, found| {
            columns.push(ColumnDifference { column: column.to_owned(), expected, found });
        };
        if self.version != folded.version {
            differs("version", json!(folded.version), json!(self.version));
        }
        if self.recorded_at != folded.recorded_at {
            differs("recorded_at", json!(folded.recorded_at), json!(self.recorded_at));
        }
        if self.state != folded.state {
            differs("state", shown::state(folded.state.as_ref()), shown::state(self.state.as_ref()));
        }
        columns
    }
}

/// The newest state of everything in one partition.
pub(super) struct States<S> {
    pub newest: HashMap<Box<str>, Stated<S>>,
    ahead: Vec<(Box<str>, Stated<S>)>,
    /// The next offset of the topic.
    pub read_to: i64,
}

impl<S> States<S> {
    /// Those whose version was not reached by the events that were read before them.
    pub fn ahead(&mut self) -> impl Iterator<Item = (Box<str>, Stated<S>)> {
        std::mem::take(&mut self.ahead).into_iter()
    }
}

impl<D: Domain> Scene<'_, D> {
    /// Reads the state topic of a partition to its end as it is now.
    pub(super) fn read_states(&mut self, partition: i32) -> Result<States<D::State>, AuditFault> {
        let at = self.at(&self.names.state, partition);
        let log = self.audit.log;
        let end = log.high_watermark(&at)?;
        self.audit.watcher.stage(&format!("reading {at}"), (end - log.low_watermark(&at)?).unsigned_abs());
        let mut newest: HashMap<Box<str>, Stated<D::State>> = HashMap::new();
        let mut bad: Vec<(String, i64, String)> = Vec::new();
        let mut tail = Tail::open(log, at.clone(), Start::Beginning)?;
        tail.up_to(end, self.audit.watcher, &mut |record| {
            let key = key_text(record).unwrap_or_default();
            if record.value.is_none() {
                newest.remove(key);
                return Ok(());
            }
            match decode(&self.codecs.state, record)? {
                Ok(read) => {
                    let (id, version, recorded_at, state) = D::State::from_record(read);
                    if id != key {
                        let message = format!("the record of key {key:?} holds the state of {id}");
                        bad.push((key.to_owned(), record.offset, message));
                        return Ok(());
                    }
                    let place = EventPlace {
                        topic: at.topic.to_string(),
                        partition: at.partition,
                        offset: record.offset,
                    };
                    newest.insert(id.as_str().into(), Stated { version, recorded_at, state, place });
                }
                Err(why) => bad.push((key.to_owned(), record.offset, format!("it cannot be read: {why}"))),
            }
            Ok(())
        })?;
        for (key, offset, message) in bad {
            let difference = self.difference(Check::States, Kind::Different, &at.topic, &key, message);
            let place = EventPlace { topic: at.topic.to_string(), partition, offset };
            self.findings.add(Difference { events: vec![place], ..difference });
        }
        self.checked.states += newest.len() as u64;
        Ok(States { newest, ahead: Vec::new(), read_to: end })
    }

    /// Compares states with the events that were read before them.
    pub(super) fn compare_states(&mut self, fold: &Fold<D>, states: &mut States<D::State>) {
        let topic = self.names.state.to_string();
        for (id, folded) in &fold.aggregates {
            let newest = fold.place(folded.offset);
            let Some(stated) = states.newest.get(id) else {
                let message = format!("{id} has {} events and no state", folded.version);
                let missing = self.difference(Check::States, Kind::Missing, &topic, id, message);
                let column = ColumnDifference {
                    column: "version".to_owned(),
                    expected: json!(folded.version),
                    found: serde_json::Value::Null,
                };
                self.findings.add(Difference { columns: vec![column], events: vec![newest], ..missing });
                continue;
            };
            if stated.version > folded.version {
                continue;
            }
            let columns = stated.compare(folded);
            if !columns.is_empty() {
                let message = format!("the state of {id} is not what its events fold to");
                let place = stated.place.clone();
                let difference = self.difference(Check::States, Kind::Different, &topic, id, message);
                self.findings.add(Difference { columns, events: vec![newest, place], ..difference });
            }
        }
        let is_ahead = |id: &str, stated: &mut Stated<D::State>| {
            let is_aggregate = AggregateId::parse(id).is_none_or(|id| !Bookkeeping::is_kept_under(&id));
            is_aggregate && fold.aggregates.get(id).is_none_or(|folded| folded.version < stated.version)
        };
        states.ahead = states.newest.extract_if(|id, stated| is_ahead(id, stated)).collect();
    }

    /// Reports the states whose version no event has come to.
    pub(super) fn report_ahead(&mut self, fold: &mut Fold<D>) {
        let topic = self.names.state.to_string();
        for (id, awaited) in std::mem::take(&mut fold.awaited) {
            let newest = fold.aggregates.get(&id);
            let events: Vec<EventPlace> = newest
                .map(|folded| fold.place(folded.offset))
                .into_iter()
                .chain([awaited.stated.place.clone()])
                .collect();
            let (kind, columns, message) = match (awaited.columns, newest) {
                (Some(columns), _) if columns.is_empty() => continue,
                (Some(columns), _) => {
                    (Kind::Different, columns, format!("the state of {id} is not what its events fold to"))
                }
                (None, Some(folded)) => {
                    let message = format!(
                        "the state of {id} says version {}, but its newest event is of version {}",
                        awaited.stated.version, folded.version
                    );
                    (Kind::Different, awaited.stated.compare(folded), message)
                }
                (None, None) => (Kind::Surplus, Vec::new(), format!("{id} has a state and no event")),
            };
            let difference = self.difference(Check::States, kind, &topic, &id, message);
            self.findings.add(Difference { columns, events, ..difference });
        }
    }
}
