//! What a lane does while it works: it folds events, asks for rows, writes them and says how far it is.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use millrace_kernel::{Domain, Event, StagedProjector, Write, Writes};
use millrace_ports::{Group, LocalFault, LogFault, Reader, Record, Start, TopicPartition, ViewStore};
use millrace_wire::{Codec, DecodeFailure};
use serde::{Deserialize, Serialize};

use super::background::Background;
use super::begin::{Begin, Newest, of_another_log};
use super::fault::ProjectorFault;
use super::footing::{Footing, cause_of};
use super::kept::Kept;
use super::lane::ProjectorShared;
use super::places::Places;
use super::turns::Turns;
use super::unapplied::{Tally, Unapplied, append};
use crate::changes::Noted;
use crate::metrics::{Meter, Span};
use crate::planted::{self, Bug};
use crate::progress::{Cause, Progress};

/// How long an offset goes without being committed again when nothing comes: a broker forgets it after days.
const COMMIT_AGAIN_MICROS: i64 = 3_600_000_000;
/// So many rows end a batch: memory does not depend on how many readers each of its events has.
pub(super) const MOST_ROWS: usize = 20_000;

/// What a lane holds while it works.
pub(super) struct Running<D: Domain> {
    pub(super) reader: Box<dyn Reader>,
    pub(super) projector: Box<dyn StagedProjector<D::Event>>,
    /// What the projector knows, as of every event that was folded.
    pub(super) kept: Kept,
    /// Which event comes first, if what was kept goes up to it.
    pub(super) proof: Option<Newest>,
    /// The newest event that was folded.
    pub(super) newest: Option<Newest>,
    /// When what is kept was written last, and up to which offset.
    pub(super) kept_at: i64,
    pub(super) kept_upto: i64,
    /// When it was said last that the disk refuses it.
    pub(super) refusal_said_at: Option<i64>,
    /// Rows of events before this offset are acknowledged; the group may know less, and later ones
    /// may be, too.
    pub(super) applied: i64,
    /// Where folding began, and up to where rows are there already.
    pub(super) folded: (i64, i64),
    /// Whether they are.
    pub(super) footing: Footing,
    pub(super) committed: i64,
    pub(super) committed_at: i64,
    /// Read, not folded yet: what stands behind an event that cannot be read.
    pub(super) held: VecDeque<Record>,
    /// Up to the last command or step all of whose events are folded.
    pub(super) progress: Progress,
    /// The events of the newest one, while there may be more of them.
    pub(super) open: Option<OpenCause>,
    /// The last progress that was published.
    pub(super) published: Option<Progress>,
    /// Writes that the store has not acknowledged yet, in stages, and what they prove.
    pub(super) unapplied: Option<Unapplied>,
    /// Events that are written in turns, beside those.
    pub(super) background: Background,
    /// How far they are, as it was told and is told.
    pub(super) places: Places,
}

/// A command or step whose events are being read. They become visible together and stand
/// together, but a poll may end between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenCause {
    cause: Cause,
    /// Where its newest event ends.
    next: i64,
    recorded_at: i64,
}

impl<D: Domain> Running<D> {
    pub(super) fn start(
        shared: &ProjectorShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
    ) -> Result<Self, ProjectorFault> {
        let projector = (shared.make)(at.partition);
        let mut begin = Begin::find(shared, group, at, projector.keeps())?;
        let parked = std::mem::take(&mut begin.parked);
        let mut running = Self::of(shared, at, projector, begin)?;
        running.places = Places::read(shared, at, &running.footing)?;
        running.resume(parked, shared.views)?;
        Ok(running)
    }

    /// Begins there; the events that were written in turns are left to the caller.
    pub(super) fn of(
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        projector: Box<dyn StagedProjector<D::Event>>,
        begin: Begin,
    ) -> Result<Self, ProjectorFault> {
        let from = match begin.from {
            _ if planted::is_on(Bug::FoldSkipped) => Start::Offset(begin.committed),
            0 => Start::Beginning,
            offset => Start::Offset(offset),
        };
        let turns = Turns::new(shared.settings.fan_out_max_rows);
        let reader = shared.log.reader(&[(at.clone(), from)])?;
        let (began_at, now) = (reader.position(at), shared.clock.now_micros());
        Ok(Self {
            folded: (began_at, begin.folded_upto),
            footing: begin.footing,
            reader,
            projector,
            kept: begin.kept,
            proof: begin.proof.clone().filter(|_| !planted::is_on(Bug::FoldSkipped)),
            newest: begin.proof,
            kept_at: now,
            kept_upto: began_at,
            refusal_said_at: None,
            applied: begin.applied,
            committed: begin.committed,
            committed_at: now,
            held: VecDeque::new(),
            progress: begin.progress,
            open: begin.open,
            published: None,
            unapplied: None,
            background: Background::new(turns, shared.destination.clone()),
            places: Places::default(),
        })
    }

    /// How many offsets were folded that were applied before, and how many are still to be.
    pub(super) fn folded(&self, at: &TopicPartition) -> (u64, u64) {
        let position = self.position(at);
        let count = |offsets: i64| u64::try_from(offsets).unwrap_or(0);
        let (from, until) = self.folded;
        (count(position.min(until) - from), count(until - position))
    }

    /// The offset before which everything is folded.
    pub(super) fn position(&self, at: &TopicPartition) -> i64 {
        self.held.front().map_or_else(|| self.reader.position(at), |record| record.offset)
    }

    /// Folds what was read and asks for the rows of what is not applied yet. Stops at an event
    /// that cannot be read; what came before it counts.
    pub(super) fn take(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        meter: &Meter,
    ) -> Result<(), ProjectorFault> {
        let mut tally = Tally::default();
        let mut stages: Vec<Vec<Write>> = Vec::new();
        let mut begun: Vec<Write> = Vec::new();
        let mut noted: Vec<Noted> = Vec::new();
        let mut rows = 0;
        let mut writes = Writes::new();
        let mut muted = Writes::muted();
        let mut fault = None;
        let is_idle = self.held.is_empty();
        while rows < MOST_ROWS && !self.background.turns.is_full() {
            let Some(record) = self.held.front() else { break };
            let offset = record.offset;
            let event = match decode(&shared.codec, at, record) {
                Ok(event) => event,
                Err(why) => {
                    fault = Some(why);
                    break;
                }
            };
            if self.proves(at, offset, &event)? {
                continue;
            }
            // nothing was asked for yet when this fails
            self.footing.before(&*shared.store, &event, offset)?;
            let (_, folded_upto) = self.folded;
            let is_folded = offset < folded_upto;
            let front = self.held.front().filter(|_| !is_folded);
            let trace = front.and_then(|record| tally.take(record, meter, &shared.projection));
            self.fold(&event, offset, if is_folded { &mut muted } else { &mut writes })?;
            if !is_folded {
                let mut asked = writes.take();
                let source = (at.partition, offset);
                let is_parked = self.background.turns.concerns(&asked);
                if let Some(changes) = &shared.changes {
                    let now = asked.stages.iter().filter(|_| !is_parked).flat_map(|stage| &stage.writes);
                    let all = asked.ahead.iter().flatten().chain(now);
                    changes.note(all, source, trace.as_ref(), &mut noted);
                }
                append(&mut stages, std::mem::take(&mut asked.ahead));
                rows += asked.stages.iter().map(|stage| stage.writes.len()).sum::<usize>();
                if is_parked {
                    let (cause, time) = (cause_of(&event), event.recorded_at);
                    if !planted::is_on(Bug::FanOutUntold) {
                        begun.push(cause.begun(&shared.projection, at.partition, offset, time));
                    }
                    let of = (offset, time);
                    self.places.go_on(of, &asked.stages, &mut *self.projector, &mut self.kept);
                    self.background.turns.park(asked, offset, cause, time);
                } else {
                    append(&mut stages, asked.stages.into_iter().map(|stage| stage.writes).collect());
                }
            }
            self.folded_in(&event, offset);
        }
        tally.count(&stages);
        append(&mut stages, vec![begun]);
        if planted::is_on(Bug::StagesIgnored) {
            stages = vec![stages.concat()];
            stages.retain(|stage| !stage.is_empty());
        }
        if planted::is_on(Bug::TimestampFromClock) {
            let now = shared.clock.now_micros();
            stages.iter_mut().flatten().for_each(|write| match write {
                Write::Put(put) => put.timestamp = now,
                Write::Delete(delete) => delete.timestamp = now,
            });
        }
        let is_forgotten = planted::is_on(Bug::BucketForgottenAtSwitch) && !shared.is_building;
        let here = |write: &&mut Write| !(is_forgotten && write.table().ends_with("_buckets"));
        shared.destination.redirect(stages.iter_mut().flatten().filter(here));
        let upto = self.position(at);
        if let Err(unasked) = self.close_at(shared, at, upto, is_idle) {
            fault.get_or_insert(unasked);
        }
        let (_, folded_upto) = self.folded;
        if upto >= folded_upto {
            self.footing.at_end(&*shared.store)?;
            let is_new = self.published.as_ref() != Some(&self.progress);
            if !stages.is_empty() || is_new || upto > self.applied || !self.background.is_idle() {
                let progress = self.progress.clone();
                self.unapplied = Some(Unapplied { stages, done: 0, noted, upto, progress, tally });
            }
        }
        fault.map_or(Ok(()), Err)
    }

    /// Takes in what was read of events before offset `upto` without asking for their rows: those are in the tables.
    pub(super) fn fold_upto(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        upto: i64,
    ) -> Result<(), ProjectorFault> {
        let mut muted = Writes::muted();
        while let Some(record) = self.held.front().filter(|record| record.offset < upto) {
            let offset = record.offset;
            let event = decode(&shared.codec, at, record)?;
            if !self.proves(at, offset, &event)? {
                // tables that lack rows which the group says they have are not to be forgotten by a copy
                self.footing.before(&*shared.store, &event, offset)?;
                self.fold(&event, offset, &mut muted)?;
                self.folded_in(&event, offset);
            }
        }
        Ok(())
    }

    /// Whether the event that is read first is the newest one that was folded: it is nothing new then.
    fn proves(
        &mut self,
        at: &TopicPartition,
        offset: i64,
        event: &Event<D::Event>,
    ) -> Result<bool, LocalFault> {
        let Some(proof) = &self.proof else { return Ok(false) };
        if offset != proof.offset || event.id.as_str() != proof.event_id {
            return Err(of_another_log(self.kept.path(), at, proof));
        }
        self.newest = self.proof.take();
        self.held.pop_front();
        Ok(true)
    }

    fn fold(&mut self, event: &Event<D::Event>, offset: i64, writes: &mut Writes) -> Result<(), LocalFault> {
        self.note(event, offset);
        self.projector.stage(event, &mut self.kept, writes);
        // what follows from something that could not be read is nothing
        self.kept.take_fault().map_or(Ok(()), Err)
    }

    /// The event that was read first is folded, and what it asks for is in hand.
    fn folded_in(&mut self, event: &Event<D::Event>, offset: i64) {
        self.held.pop_front();
        self.newest = Some(Newest { offset, event_id: event.id.to_string() });
    }

    /// Notes what `event` proves: that all events of another cause before it were read.
    fn note(&mut self, event: &Event<D::Event>, offset: i64) {
        let cause = cause_of(event);
        if self.open.is_some_and(|open| open.cause != cause) {
            self.close(offset);
        }
        self.open = Some(OpenCause { cause, next: offset + 1, recorded_at: event.recorded_at });
    }

    /// What was read up to `upto` may prove that the newest cause has no more events: a mark of
    /// its transaction's end lies between, or the partition ends here.
    fn close_at(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        upto: i64,
        is_idle: bool,
    ) -> Result<(), ProjectorFault> {
        match self.open {
            None => {
                self.progress.events_offset = self.progress.events_offset.max(upto);
                Ok(())
            }
            // the reader has not come to the mark; events copied here without transactions have none
            Some(open) if upto <= open.next && !(is_idle && upto >= shared.log.high_watermark(at)?) => Ok(()),
            Some(_) => {
                self.close(upto);
                Ok(())
            }
        }
    }

    /// All events of the newest cause are folded, and everything before offset `upto` is.
    fn close(&mut self, upto: i64) {
        let Some(open) = self.open.take() else { return };
        let newest = match open.cause.is_step {
            true => &mut self.progress.steps_offset,
            false => &mut self.progress.commands_offset,
        };
        *newest = open.cause.offset.max(*newest);
        self.progress.recorded_at = self.progress.recorded_at.max(open.recorded_at);
        self.progress.events_offset = self.progress.events_offset.max(upto);
    }

    /// Writes what is due, stage by stage, and then says so in the progress table.
    pub(super) fn apply(&mut self, shared: &ProjectorShared<D>, meter: &Meter) -> Result<(), ProjectorFault> {
        let store: &dyn ViewStore = &*shared.store;
        self.tell(shared, meter)?;
        let Some(unapplied) = &mut self.unapplied else { return Ok(()) };
        let began = Instant::now();
        let tell = |noted: &mut Vec<Noted>| match &shared.changes {
            Some(changes) if !noted.is_empty() => {
                changes.append(noted, self.applied, meter)?;
                noted.clear();
                Ok(())
            }
            _ => Ok::<_, LogFault>(()),
        };
        if planted::is_on(Bug::ChangeBeforeRow) {
            tell(&mut unapplied.noted)?;
        }
        if planted::is_on(Bug::PublishedTooEarly) {
            store.apply(&[unapplied.progress.write()])?;
        }
        let spans = unapplied.tally.writing(meter, &shared.projection);
        while let Some(stage) = unapplied.stages.get(unapplied.done) {
            store.apply(stage)?;
            unapplied.done += 1;
        }
        spans.into_iter().for_each(Span::end);
        tell(&mut unapplied.noted)?;
        let Progress { projection, partition, .. } = &unapplied.progress;
        let ended = self.background.to_say(projection, *partition);
        if !ended.is_empty() {
            store.apply(&ended)?;
            self.background.said();
        }
        let oldest = self.background.oldest();
        unapplied.progress.events_offset = unapplied.progress.events_offset.min(oldest);
        // also where nothing but what was taken back stands in the partition: somebody may wait until all of it has passed
        let has_come_on = unapplied.progress.recorded_at > 0 || unapplied.progress.events_offset > 0;
        if has_come_on && self.published.as_ref() != Some(&unapplied.progress) {
            store.apply(&[unapplied.progress.write()])?;
        }
        self.applied = self.applied.max(unapplied.upto.min(oldest));
        self.published = Some(unapplied.progress.clone());
        if let Some(applied) = self.unapplied.take() {
            applied.tally.report(meter, began.elapsed());
        }
        Ok(())
    }

    /// Tells those who have subscribed what was written in turns. Nothing may be published, kept or committed before that lets
    /// nobody look at those events again.
    pub(super) fn tell(&mut self, shared: &ProjectorShared<D>, meter: &Meter) -> Result<(), ProjectorFault> {
        let noted = self.background.untold();
        if let (Some(changes), false) = (&shared.changes, noted.is_empty()) {
            changes.append(noted, self.applied, meter)?;
        }
        self.background.told();
        Ok(())
    }

    pub(super) fn commit(
        &mut self,
        shared: &ProjectorShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
        now: bool,
    ) -> Result<(), ProjectorFault> {
        if planted::is_on(Bug::OffsetsBeforeRows) && self.position(at) > self.applied {
            self.applied = self.position(at);
        }
        let since = shared.clock.now_micros() - self.committed_at;
        let is_due = since >= shared.settings.commit_interval_ms as i64 * 1_000;
        let is_new = self.applied > self.committed && (is_due || now);
        if !is_new && (since < COMMIT_AGAIN_MICROS || self.applied == 0) {
            return Ok(());
        }
        group.commit(&BTreeMap::from([(at.clone(), self.applied)]))?;
        self.committed = self.applied;
        self.committed_at = shared.clock.now_micros();
        Ok(())
    }
}

fn decode<E>(
    codec: &Codec<Event<E>>,
    at: &TopicPartition,
    record: &Record,
) -> Result<Event<E>, ProjectorFault>
where
    E: millrace_kernel::Datum,
{
    let unreadable = |why: String| ProjectorFault::Unreadable { at: at.clone(), offset: record.offset, why };
    let Some(value) = record.value.as_deref() else {
        return Err(unreadable("a tombstone where an event should be".to_owned()));
    };
    codec.decode_fresh(value).map_err(|failure| match failure {
        DecodeFailure::Registry(fault) => {
            ProjectorFault::Schema { at: at.clone(), offset: record.offset, fault }
        }
        other => unreadable(other.to_string()),
    })
}
