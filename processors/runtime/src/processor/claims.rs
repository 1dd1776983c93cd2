//! What was put back, as the dead topic tells it.
//!
//! Whoever may write commands may give them any header, and whoever sends a record a second time copies those it
//! had. So of a record that says that it was put back nothing is believed but where it points to. What it is —
//! its place in the line of its key, whether it was dropped — is read from the dead topic, which only processors
//! and the tools of operators write: there must stand the dead record, the note that it was put back, and what
//! was put back must be what has come. A record is put back once, so only the first that comes is believed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::Domain;
use millrace_kernel::bookkeeping::ParkedKey;
use millrace_kernel::id::redriven_id;
use millrace_ports::{LogFault, Reader, Record, Start, TopicPartition};

use super::intake::Intake;
use super::lane::{Shared, Turn};
use super::line::{PutBack, parked_in};
use super::state::PartitionState;
use crate::dead::headers::{self, DeadKind, LinePlace, Mark, digest};
use crate::planted::{self, Bug};

/// Most records taken from the log at once.
const READ_AT_ONCE: usize = 1_000;
/// How many dead records are remembered, at least, before those are looked for that nobody can put back any more.
const PRUNE_FROM: usize = 1_024;

/// The offset of the dead record that a record of the commands topic says it is, if it says so.
#[must_use]
pub(super) fn pointer(record: &Record) -> Option<i64> {
    let (partition, offset) = headers::text(&record.headers, headers::REDRIVEN)?.split_once('/')?;
    (partition.parse() == Ok(record.partition)).then(|| offset.parse().ok())?
}

/// A dead record that stands in a line.
struct Entry {
    place: LinePlace,
    kind: DeadKind,
    digest: String,
    /// The id of a poisoned command, which comes back under another.
    id: Option<String>,
}

/// A note that a record was put back or dropped.
struct Note {
    mark: Mark,
    kind: Option<DeadKind>,
    /// Of what was put back; older tools did not say it.
    digest: Option<String>,
}

/// What the dead topic of a partition says of the lines that there are.
pub(super) struct Claims {
    /// Made when something is to be proven for the first time.
    reader: Option<Box<dyn Reader>>,
    /// What must be read, and up to which record of the input it proves everything then.
    target: Option<(i64, u64)>,
    proven_up_to: u64,
    entries: HashMap<i64, Entry>,
    notes: HashMap<i64, Note>,
    /// The keys of the lines that these are of.
    lines: HashMap<i64, Bytes>,
    /// The newest dead record of every place in a line.
    newest: BTreeMap<LinePlace, i64>,
    /// Places whose records were sent to the dead topic since this lane began: those may not be committed yet.
    buried: BTreeSet<LinePlace>,
    /// Dead records that have come back since this lane began.
    taken: HashSet<i64>,
    prune_at: usize,
}

impl Claims {
    pub(super) fn new() -> Self {
        Self {
            reader: None,
            target: None,
            proven_up_to: 0,
            entries: HashMap::new(),
            notes: HashMap::new(),
            lines: HashMap::new(),
            newest: BTreeMap::new(),
            buried: BTreeSet::new(),
            taken: HashSet::new(),
            prune_at: PRUNE_FROM,
        }
    }

    /// Whether all that there is to know of the record with this number of the input has been read.
    pub(super) fn knows(&self, number: u64) -> bool {
        number <= self.proven_up_to
    }

    /// Begins to read what proves the records of the input up to number `polled`: they have arrived, so what was
    /// written with them lies below the end of the dead topic. Not to be called while a transaction of one's own is
    /// open, as that end lies behind it.
    pub(super) fn ask<D: Domain>(
        &mut self,
        shared: &Shared<D>,
        partition: i32,
        polled: u64,
    ) -> Result<(), LogFault> {
        if self.target.is_none() {
            let end = shared.log.high_watermark(&dead_of(shared, partition))?;
            self.target = Some((end, polled));
        }
        Ok(())
    }

    /// Reads on, waiting up to `wait`, if there is anything to prove; what that came to, until it is done.
    pub(super) fn read_on<D: Domain>(
        &mut self,
        shared: &Shared<D>,
        partition: i32,
        committed: &PartitionState<D::State>,
        wait: Duration,
    ) -> Result<Option<Turn>, LogFault> {
        let Some((end, upto)) = self.target else { return Ok(None) };
        let at = dead_of(shared, partition);
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => shared.log.reader(&[(at.clone(), Start::Beginning)])?,
        };
        let records = reader.poll(READ_AT_ONCE, wait)?;
        for record in &records {
            self.take_in(shared, record, committed);
        }
        let is_done = reader.position(&at) >= end;
        self.reader = Some(reader);
        if is_done {
            (self.target, self.proven_up_to) = (None, upto);
            self.prune::<D>(committed);
            return Ok(None);
        }
        Ok(Some(if records.is_empty() { Turn::Idle } else { Turn::Progress }))
    }

    fn take_in<D: Domain>(
        &mut self,
        shared: &Shared<D>,
        record: &Record,
        committed: &PartitionState<D::State>,
    ) {
        let text = |name| headers::text(&record.headers, name);
        let kind = text(headers::KIND).and_then(DeadKind::parse);
        if let Some((offset, mark)) = headers::note(&record.headers) {
            // of what stands in no line any more it matters only that it was dropped
            if mark == Mark::Skipped || self.entries.contains_key(&offset) {
                let digest = text(headers::DIGEST).map(str::to_owned);
                self.notes.insert(offset, Note { mark, kind, digest });
            }
            return;
        }
        let place = text(headers::LINE).and_then(LinePlace::parse);
        let (Some(place), Some(kind), Some(key)) = (place, kind, &record.key) else { return };
        let parked = parked_in::<D>(committed, key);
        if parked.is_none_or(|parked| !is_ahead(place, &parked)) {
            return;
        }
        let value = record.value.as_deref();
        let is_renamed = kind == DeadKind::Poisoned;
        let command =
            value.filter(|_| is_renamed).and_then(|value| shared.codecs.commands.decode(value).ok());
        let id = command.map(|command| command.id);
        self.lines.entry(place.line).or_insert_with(|| Bytes::copy_from_slice(key));
        self.newest.insert(place, record.offset);
        self.entries
            .insert(record.offset, Entry { place, kind, digest: digest(value), id: id.map(Into::into) });
    }

    /// What `record` was put back as, if it was and has not come before. `parked` is the line of its key as it stands
    /// now, if there is one.
    pub(super) fn prove<D: Domain>(
        &self,
        record: &Record,
        intake: &Intake<D>,
        parked: Option<&ParkedKey>,
    ) -> Option<PutBack> {
        if planted::is_on(Bug::ForgedPlaceBelieved) {
            return Some(PutBack::as_said(record));
        }
        let offset = pointer(record).filter(|offset| !self.taken.contains(offset))?;
        let Note { mark, kind, digest: noted } = self.notes.get(&offset)?;
        let found = digest(record.value.as_deref());
        let is_skipped = *mark == Mark::Skipped;
        let entry = self.entries.get(&offset).filter(|entry| self.newest.get(&entry.place) == Some(&offset));
        let Some(entry) = entry else {
            // its line has ended: nothing depends on it but that it is dropped
            let is_it = is_skipped && noted.as_ref() == Some(&found);
            return is_it.then_some(PutBack { place: None, kind: *kind, is_skipped, is_first: false });
        };
        let is_it = match (noted, entry.kind, &entry.id) {
            (Some(noted), ..) => *noted == found,
            (None, DeadKind::Poisoned, Some(id)) if !is_skipped => {
                let Intake::Command(command, _) = intake else { return None };
                command.id == redriven_id(id, record.partition, offset)
            }
            (None, ..) => entry.digest == found,
        };
        let parked = parked.filter(|parked| is_it && is_ahead(entry.place, parked))?;
        let from = LinePlace { line: parked.line, number: parked.next };
        // retention has taken what came before it, and nothing of it is on its way
        let is_first = self.newest.range(from..entry.place).next().is_none()
            && self.buried.range(from..entry.place).next().is_none();
        Some(PutBack { place: Some(entry.place), kind: Some(entry.kind), is_skipped, is_first })
    }

    /// A record that was proven has come, and went to the dead topic again if it was `buried` there.
    pub(super) fn came(&mut self, record: &Record, buried: Option<LinePlace>) {
        self.taken.extend(pointer(record));
        self.buried.extend(buried);
    }

    /// What has come and was not committed comes again. What was committed meanwhile stands in the dead topic, which is
    /// read on before anything that comes from now on is believed.
    pub(super) fn begin_again(&mut self) {
        self.target = None;
        self.taken.clear();
        self.buried.clear();
    }

    /// Whether it is still to be read what proves something.
    pub(super) fn is_asked(&self) -> bool {
        self.target.is_some()
    }

    /// Forgets what cannot come back any more: of lines that have ended, and what has been passed in others.
    fn prune<D: Domain>(&mut self, committed: &PartitionState<D::State>) {
        if self.entries.len() + self.taken.len() < self.prune_at {
            return;
        }
        let mut parked: HashMap<i64, ParkedKey> = HashMap::new();
        self.lines.retain(|line, key| {
            let found = parked_in::<D>(committed, key).filter(|parked| parked.line == *line);
            found.map(|found| parked.insert(*line, found)).is_some()
        });
        let is_living = |place: &LinePlace| parked.get(&place.line).is_some_and(|it| is_ahead(*place, it));
        self.entries.retain(|_, entry| is_living(&entry.place));
        self.newest.retain(|place, _| is_living(place));
        self.buried.retain(is_living);
        let entries = &self.entries;
        self.notes.retain(|offset, note| note.mark == Mark::Skipped || entries.contains_key(offset));
        let notes = &self.notes;
        self.taken.retain(|offset| entries.contains_key(offset) || notes.contains_key(offset));
        self.prune_at = PRUNE_FROM.max(2 * (self.entries.len() + self.taken.len()));
    }
}

/// Whether a place in the line of a key is still to come.
fn is_ahead(place: LinePlace, parked: &ParkedKey) -> bool {
    place.line == parked.line && (parked.next..=parked.newest).contains(&place.number)
}

fn dead_of<D: Domain>(shared: &Shared<D>, partition: i32) -> TopicPartition {
    TopicPartition::new(Arc::clone(&shared.names.dead), partition)
}
