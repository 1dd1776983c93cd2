//! Lookup topics: what they say exists is what the states say exists.

use hashbrown::HashMap;
use millrace_kernel::{AggregateId, Domain};
use millrace_ports::Start;
use serde_json::json;

use super::Scene;
use super::fold::Fold;
use crate::difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, decode, key_text};

/// What one partition of one lookup topic holds: version and place, by aggregate.
pub(super) struct Entries {
    topic: String,
    kind: &'static str,
    newest: HashMap<Box<str>, (Option<i64>, EventPlace)>,
}

impl<D: Domain> Scene<'_, D> {
    /// Reads the lookup topics of a partition to their ends as they are now.
    pub(super) fn read_lookups(&mut self, partition: i32) -> Result<Vec<Entries>, AuditFault> {
        let mut all = Vec::new();
        for (index, kind) in D::LOOKUPS.iter().enumerate() {
            let at = self.at(&self.names.lookup(kind), partition);
            let log = self.audit.log;
            let end = log.high_watermark(&at)?;
            let records = (end - log.low_watermark(&at)?).unsigned_abs();
            self.audit.watcher.stage(&format!("reading {at}"), records);
            let mut newest = HashMap::new();
            let mut tail = Tail::open(log, at.clone(), Start::Beginning)?;
            tail.up_to(end, self.audit.watcher, &mut |record| {
                let Some(key) = key_text(record) else { return Ok(()) };
                if record.value.is_none() {
                    newest.remove(key);
                    return Ok(());
                }
                let version = decode(&self.codecs.lookups[index], record)?.ok().map(|entry| entry.version);
                let place = EventPlace { topic: at.topic.to_string(), partition, offset: record.offset };
                newest.insert(Box::from(key), (version, place));
                Ok(())
            })?;
            self.checked.lookups += newest.len() as u64;
            all.push(Entries { topic: at.topic.to_string(), kind, newest });
        }
        Ok(all)
    }

    /// Compares lookup topics, which were read after the events that `fold` has.
    pub(super) fn compare_lookups(
        &mut self,
        fold: &mut Fold<D>,
        all: Vec<Entries>,
    ) -> Result<(), AuditFault> {
        let mut found: Vec<(Box<str>, Difference)> = Vec::new();
        for Entries { topic, kind, mut newest } in all {
            let of_kind = fold
                .aggregates
                .iter()
                .filter(|(id, _)| AggregateId::parse(id).is_some_and(|id| id.kind() == kind));
            for (id, folded) in of_kind {
                let entry = newest.remove(id);
                let event = fold.place(folded.offset);
                let (kind, message) = match (D::is_visible(folded.state.as_ref()), &entry) {
                    (false, None) => continue,
                    (true, Some((Some(version), _))) if (1..=folded.version).contains(version) => continue,
                    (true, None) => (
                        Kind::Missing,
                        format!("{id} exists, but decisions in other partitions cannot see it"),
                    ),
                    (true, Some(_)) => (
                        Kind::Different,
                        format!("the entry of {id} cannot be read, or says a version it has not"),
                    ),
                    (false, Some(_)) => (
                        Kind::Surplus,
                        format!("{id} does not exist, but decisions in other partitions see it"),
                    ),
                };
                let mut difference = self.difference(Check::Lookups, kind, &topic, id, message);
                difference.events.push(event);
                if let Some((version, place)) = entry {
                    let (expected, version) = (json!(folded.version), json!(version));
                    let column = ColumnDifference { column: "version".to_owned(), expected, found: version };
                    difference.columns.extend((kind == Kind::Different).then_some(column));
                    difference.events.push(place);
                }
                found.push((id.clone(), difference));
            }
            for (id, (_, place)) in newest {
                let message = format!("{id} has no event, but decisions in other partitions see it");
                let mut difference = self.difference(Check::Lookups, Kind::Surplus, &topic, &id, message);
                difference.events.push(place);
                found.push((id, difference));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        // what changed after the events were read may have been read in the lookup topic already
        fold.forget_touched();
        let events = self.at(&self.names.events, fold.place(0).partition);
        fold.read_on(self, self.audit.log.high_watermark(&events)?)?;
        for (id, difference) in found {
            if !fold.touched.contains(&id) {
                self.findings.add(difference);
            }
        }
        Ok(())
    }
}
