//! Lookup topics: what they say exists is what the states say exists.

use millrace_kernel::{AggregateId, Domain};
use millrace_ports::Start;
use serde_json::json;

use super::Scene;
use super::fold::Fold;
use super::image::{Image, text};
use crate::book::Book;
use crate::difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{Tail, decode, key_text};
use crate::shelf::spoilt;

/// Differences that wait at once for the events that were written meanwhile.
const MOST_DOUBTS: usize = 1_000;

/// What one partition of one lookup topic holds: an [`Entry`] by aggregate.
pub(super) struct Entries<'s> {
    topic: String,
    kind: &'static str,
    newest: Book<'s>,
}

/// What a lookup topic says of an aggregate.
#[derive(Clone, Copy)]
struct Entry {
    /// None where it cannot be read.
    version: Option<i64>,
    offset: i64,
}

impl Entry {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.offset.to_le_bytes().to_vec();
        bytes.extend(self.version.map(i64::to_le_bytes).into_iter().flatten());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, AuditFault> {
        let cut_off = || spoilt("a lookup", "it is cut off");
        let (offset, version) = bytes.split_first_chunk().ok_or_else(cut_off)?;
        let version = match version {
            [] => None,
            version => Some(i64::from_le_bytes(version.try_into().map_err(|_| cut_off())?)),
        };
        Ok(Self { version, offset: i64::from_le_bytes(*offset) })
    }
}

/// Differences between lookup topics and events, of which those go away whose aggregates changed since.
struct Doubts {
    /// Where the events that were compared end.
    since: i64,
    found: Vec<(Box<[u8]>, Difference)>,
}

impl<'a, D: Domain> Scene<'a, D> {
    /// Reads the lookup topics of a partition to their ends as they are now.
    pub(super) fn read_lookups(&mut self, partition: i32) -> Result<Vec<Entries<'a>>, AuditFault> {
        let mut all = Vec::new();
        for (index, kind) in D::LOOKUPS.iter().enumerate() {
            let at = self.at(&self.names.lookup(kind), partition);
            let log = self.audit.log;
            let end = log.high_watermark(&at)?;
            let records = (end - log.low_watermark(&at)?).unsigned_abs();
            self.audit.watcher.stage(&format!("reading {at}"), records);
            let mut newest = Book::new(self.audit.shelf);
            let mut tail = Tail::open(log, at.clone(), Start::Beginning)?;
            tail.up_to(end, self.audit.watcher, &mut |record| {
                let Some(key) = key_text(record) else { return Ok(()) };
                if record.value.is_none() {
                    return newest.remove(key.as_bytes());
                }
                let version = decode(&self.codecs.lookups[index], record)?.ok().map(|entry| entry.version);
                newest.put(key.as_bytes(), Entry { version, offset: record.offset }.to_bytes())
            })?;
            all.push(Entries { topic: at.topic.to_string(), kind, newest });
        }
        Ok(all)
    }

    /// Compares lookup topics, which were read after the events that `fold` has.
    pub(super) fn compare_lookups(
        &mut self,
        fold: &mut Fold<'a, D>,
        all: Vec<Entries<'a>>,
    ) -> Result<(), AuditFault> {
        let mut doubts = Doubts { since: fold.read_to, found: Vec::new() };
        for mut entries in all {
            self.compare_visible(fold, &mut entries, &mut doubts)?;
            self.compare_unknown(fold, &mut entries, &mut doubts)?;
        }
        self.settle_lookups(fold, &mut doubts)
    }

    /// What exists by its events is seen, and what does not is not.
    fn compare_visible(
        &mut self,
        fold: &mut Fold<'a, D>,
        Entries { topic, kind, newest }: &mut Entries<'a>,
        doubts: &mut Doubts,
    ) -> Result<(), AuditFault> {
        let mut cursor = fold.aggregates.cursor()?;
        loop {
            let page = fold.aggregates.page(&mut cursor)?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, folded) in page {
                let id = text(&key);
                if AggregateId::parse(&id).is_none_or(|id| id.kind() != *kind) {
                    continue;
                }
                let folded = Image::<D::State>::from_bytes(&folded)?;
                if folded.offset >= doubts.since {
                    continue;
                }
                let entry = newest.get(&key)?.map(Entry::from_bytes).transpose()?;
                let (kind, message) = match (D::is_visible(folded.state.as_ref()), entry) {
                    (false, None) => continue,
                    (true, Some(Entry { version: Some(version), .. }))
                        if (1..=folded.version).contains(&version) =>
                    {
                        continue;
                    }
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
                let mut difference = self.difference(Check::Lookups, kind, topic, &id, message);
                difference.events.push(fold.place(folded.offset));
                if let Some(Entry { version, offset }) = entry {
                    let (expected, version) = (json!(folded.version), json!(version));
                    let column = ColumnDifference { column: "version".to_owned(), expected, found: version };
                    difference.columns.extend((kind == Kind::Different).then_some(column));
                    difference.events.push(entry_place(topic, fold, offset));
                }
                doubts.found.push((key, difference));
            }
            if doubts.found.len() >= MOST_DOUBTS {
                self.settle_lookups(fold, doubts)?;
            }
        }
    }

    /// What no event speaks of is not seen.
    fn compare_unknown(
        &mut self,
        fold: &mut Fold<'a, D>,
        Entries { topic, kind, newest }: &mut Entries<'a>,
        doubts: &mut Doubts,
    ) -> Result<(), AuditFault> {
        let mut cursor = newest.cursor()?;
        loop {
            let page = newest.page(&mut cursor)?;
            if page.is_empty() {
                return Ok(());
            }
            self.checked.lookups += page.len() as u64;
            for (key, entry) in page {
                let id = text(&key);
                let is_of_kind = AggregateId::parse(&id).is_some_and(|id| id.kind() == *kind);
                if is_of_kind && fold.aggregates.get(&key)?.is_some() {
                    continue;
                }
                let message = format!("{id} has no event, but decisions in other partitions see it");
                let mut difference = self.difference(Check::Lookups, Kind::Surplus, topic, &id, message);
                difference.events.push(entry_place(topic, fold, Entry::from_bytes(&entry)?.offset));
                doubts.found.push((key, difference));
            }
            if doubts.found.len() >= MOST_DOUBTS {
                self.settle_lookups(fold, doubts)?;
            }
        }
    }

    /// Reports what differs and has not changed since: what was written after the events were read may have been read
    /// in the lookup topic already.
    fn settle_lookups(&mut self, fold: &mut Fold<'a, D>, doubts: &mut Doubts) -> Result<(), AuditFault> {
        if doubts.found.is_empty() {
            return Ok(());
        }
        let events = self.at(&self.names.events, fold.partition());
        fold.read_on(self, self.audit.log.high_watermark(&events)?)?;
        for (key, difference) in std::mem::take(&mut doubts.found) {
            let folded = fold.aggregates.get(&key)?.map(Image::<D::State>::from_bytes).transpose()?;
            if folded.is_none_or(|folded| folded.offset < doubts.since) {
                self.findings.add(difference);
            }
        }
        Ok(())
    }
}

fn entry_place<D: Domain>(topic: &str, fold: &Fold<'_, D>, offset: i64) -> EventPlace {
    EventPlace { topic: topic.to_owned(), partition: fold.partition(), offset }
}
