//! A projector's lane: fold what was applied, then apply what comes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kernel::{Domain, Event, StagedProjector, Write, Writes};
use millrace_ports::{Clock, Group, LocalFault, Log, Reader, Record, Start, TopicPartition, ViewStore};
use millrace_wire::{Codec, DecodeFailure};
use serde::{Deserialize, Serialize};

use super::background::Background;
use super::begin::{Begin, Newest, Point, of_another_log};
use super::fault::ProjectorFault;
use super::footing::{Footing, cause_of};
use super::kept::Kept;
use super::pace::Pace;
use super::turns::Turns;
use super::unapplied::{Tally, Unapplied, append};
use crate::local::LocalState;
use crate::metrics::Meter;
use crate::planted::{self, Bug};
use crate::processor::lane::Turn;
use crate::progress::{Cause, Progress};
use crate::settings::ProjectorSettings;
use crate::topology::Topology;
use crate::versions::Destination;

/// Longest wait for the proof that a command has no more events.
const OPEN_LOOK: Duration = Duration::from_millis(2);
/// Longest wait for a piece of a fan-out before the log is looked at again.
const PIECE_LOOK: Duration = Duration::from_millis(2);
/// How long one that ends waits for a piece that the store is at.
const LAST_PIECE: Duration = Duration::from_secs(1);
/// How long a lane that rests does so before it looks whether it still should.
const REST: Duration = Duration::from_millis(20);
/// How long an offset goes without being committed again when nothing comes: a broker forgets it after days.
const COMMIT_AGAIN_MICROS: i64 = 3_600_000_000;
/// So many rows end a batch: memory does not depend on how many readers each of its events has.
const MOST_ROWS: usize = 20_000;
/// How often it is said that the disk refuses what is known: it is tried every few seconds.
const SAY_AGAIN_MICROS: i64 = 60_000_000;

/// Makes the projector of a source partition.
pub type MakeProjector<E> = Box<dyn Fn(i32) -> Box<dyn StagedProjector<E>> + Send + Sync>;

/// What all lanes of a view family share in one process.
pub struct ProjectorShared<D: Domain> {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where rows go.
    pub store: Arc<dyn ViewStore>,
    /// Names of topics.
    pub names: Topology,
    /// `<domain>.<family>`, with its version, under which progress is published.
    pub projection: String,
    /// The tables of that version.
    pub destination: Destination,
    /// The views that are filled.
    pub views: &'static [&'static str],
    /// Whether `rebuild` has just made these tables: what a group of that name knows is of others before them.
    pub is_building: bool,
    /// When to take no new events.
    pub pace: Pace,
    /// The codec of the events topic.
    pub codec: Codec<Event<D::Event>>,
    /// Makes the projector of a source partition.
    pub make: MakeProjector<D::Event>,
    /// Which rows it makes ([`millrace_kernel::Projection::revision`]): what another revision has kept is not read.
    pub revision: String,
    /// How many partitions the domain has.
    pub partitions: i32,
    /// Where what is known by key is kept, if anywhere.
    pub local: Option<LocalState>,
    /// What an operator has set.
    pub settings: ProjectorSettings,
}

/// What a projector's lane is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectorPhase {
    /// Folding events whose rows are in the tables already: at this offset, up to that.
    Folding(i64, i64),
    /// Applying; every event before this offset is in the tables.
    Applying(i64),
    /// Not begun.
    Starting,
}

struct Running<D: Domain> {
    reader: Box<dyn Reader>,
    projector: Box<dyn StagedProjector<D::Event>>,
    /// What the projector knows, as of every event that was folded.
    kept: Kept,
    /// Which event comes first, if what was kept goes up to it.
    proof: Option<Newest>,
    /// The newest event that was folded.
    newest: Option<Newest>,
    /// When what is kept was written last, and up to which offset.
    kept_at: i64,
    kept_upto: i64,
    /// When it was said last that the disk refuses it.
    refusal_said_at: Option<i64>,
    /// Rows of events before this offset are acknowledged; the group may know less, and later ones
    /// may be, too.
    applied: i64,
    /// Where folding began, and up to where rows are there already.
    folded: (i64, i64),
    /// Whether they are.
    footing: Footing,
    committed: i64,
    committed_at: i64,
    /// Read, not folded yet: what stands behind an event that cannot be read.
    held: VecDeque<Record>,
    /// Up to the last command or step all of whose events are folded.
    progress: Progress,
    /// The events of the newest one, while there may be more of them.
    open: Option<OpenCause>,
    /// The last progress that was published.
    published: Option<Progress>,
    /// Writes that the store has not acknowledged yet, in stages, and what they prove.
    unapplied: Option<Unapplied>,
    /// Events that are written in turns, beside those.
    background: Background,
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

/// One source partition of a view family.
pub struct ProjectorLane<D: Domain> {
    shared: Arc<ProjectorShared<D>>,
    group: Arc<dyn Group>,
    at: TopicPartition,
    meter: Meter,
    running: Option<Box<Running<D>>>,
    /// The events before this offset were applied before the last reset.
    done: i64,
}

impl<D: Domain> ProjectorLane<D> {
    /// A lane that has not begun yet.
    #[must_use]
    pub fn new(shared: Arc<ProjectorShared<D>>, group: Arc<dyn Group>, partition: i32) -> Self {
        let at = TopicPartition::new(Arc::clone(&shared.names.events), partition);
        Self { shared, group, at, meter: Meter::default(), running: None, done: 0 }
    }

    /// The same, reporting to `meter`.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// Reports how it is in numbers.
    pub fn measure(&self) {
        let now_ms = self.shared.clock.now_micros() / 1_000;
        self.meter.update(|numbers| {
            numbers.is_held = true;
            let Some(running) = &self.running else { return };
            numbers.read_up_to(&self.at.topic, running.reader.position(&self.at));
            (numbers.restore_read, numbers.restore_left) = running.folded(&self.at);
            let waiting = running.unapplied.as_ref().map(|it| &it.tally);
            let oldest = (running.background.turns.oldest_at().map(|at| at / 1_000))
                .or(waiting.and_then(|it| it.oldest_ms))
                .or(running.held.front().map(|it| it.timestamp_ms));
            let oldest = oldest.map(|at| Duration::from_millis(u64::try_from(now_ms - at).unwrap_or(0)));
            let in_hand = running.held.len()
                + running.background.turns.len()
                + waiting.map_or(0, |it| it.events as usize);
            numbers.hold(in_hand, oldest);
            numbers.paused = running.unapplied.is_some().then_some("store");
        });
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> ProjectorPhase {
        match &self.running {
            None => ProjectorPhase::Starting,
            Some(running) => {
                let position = running.position(&self.at);
                let (_, folded_upto) = running.folded;
                if position < folded_upto {
                    ProjectorPhase::Folding(position, folded_upto)
                } else {
                    ProjectorPhase::Applying(running.applied)
                }
            }
        }
    }

    /// How far it has come.
    #[must_use]
    pub fn position(&self) -> String {
        match &self.running {
            None => format!("{}, before its first event", self.at),
            Some(running) => format!("{} offset {}", self.at, running.position(&self.at)),
        }
    }

    /// Up to which offset it has applied events, all resets before included: what the group had not been told is
    /// applied again and counts once.
    #[must_use]
    pub fn done(&self) -> u64 {
        let applied = self.running.as_ref().map_or(0, |running| running.applied);
        u64::try_from(applied.max(self.done)).unwrap_or(0)
    }

    /// Whether it has applied all there is. Asks the log.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        let Some(running) = &self.running else { return false };
        running.held.is_empty()
            && running.unapplied.is_none()
            && running.background.is_idle()
            && self.shared.log.last_stable_offset(&self.at).is_ok_and(|end| running.position(&self.at) >= end)
    }

    /// Forgets the local fold; the next step begins again.
    pub fn reset(&mut self) {
        self.done = self.done.max(self.running.as_ref().map_or(0, |running| running.applied));
        self.running = None;
    }

    /// One step, which waits for events up to `wait`. After a fault the next step goes on where
    /// this one stood: nothing is skipped and nothing is folded twice.
    ///
    /// # Errors
    /// [`ProjectorFault`]; after one of the log that is not [`millrace_ports::LogFault::Unavailable`], call
    /// [`ProjectorLane::reset`].
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, ProjectorFault> {
        let turned = self.step(wait);
        if let Err(ProjectorFault::Local(fault)) = &turned {
            // what was staged since the last write is of no use, and nothing of a damaged store is
            if let (Some(local), true) = (&self.shared.local, fault.is_lasting()) {
                local.condemn(self.at.partition, fault.to_string());
            }
            self.reset();
        }
        turned
    }

    fn step(&mut self, wait: Duration) -> Result<Turn, ProjectorFault> {
        let Some(running) = &mut self.running else {
            self.running = Some(Box::new(Running::start(&self.shared, &*self.group, &self.at)?));
            return Ok(Turn::Progress);
        };
        let store = &*self.shared.store;
        running.background.settle(Duration::ZERO, &self.meter)?;
        running.apply(store, &self.meter)?;
        running.keep(&self.shared, &self.at, false)?;
        running.commit(&self.shared, &*self.group, &self.at, false)?;
        if self.shared.pace.is_resting() {
            if running.held.is_empty() && running.background.is_idle() {
                std::thread::sleep(REST.min(wait));
            }
        } else if running.held.is_empty() && !running.background.turns.is_full() {
            let wait = match running.open {
                _ if !running.background.is_idle() => Duration::ZERO,
                // somebody may wait for the command whose last event was just read
                Some(_) => OPEN_LOOK.min(wait),
                None => wait,
            };
            running.held = running.reader.poll(self.shared.settings.batch_max_events, wait)?.into();
        }
        if running.held.is_empty() || running.background.turns.is_full() {
            running.background.settle(wait.min(PIECE_LOOK), &self.meter)?;
        }
        let is_idle = running.held.is_empty() && running.background.is_idle();
        let taken = running.take(&self.shared, &self.at, &self.meter);
        if planted::is_on(Bug::KeptBeforeRows) {
            running.write(&self.shared, &self.at)?;
        }
        if planted::is_on(Bug::OffsetsBeforeRows) {
            running.commit(&self.shared, &*self.group, &self.at, true)?;
        }
        // what came before a fault does not wait for it
        running.apply(store, &self.meter)?;
        // what is known is kept between two pieces
        if !running.is_keeping_due(&self.shared, &self.at) {
            running.background.go_on(store, &mut *running.projector, &mut running.kept, &self.meter)?;
        }
        running.kept.take_fault().map_or(Ok(()), Err)?;
        taken?;
        Ok(if is_idle { Turn::Idle } else { Turn::Progress })
    }

    /// Commits what is applied, so that a planned move repeats nothing.
    ///
    /// # Errors
    /// As [`ProjectorLane::turn`].
    pub fn finish(&mut self) -> Result<(), ProjectorFault> {
        if let Some(running) = &mut self.running {
            // a piece that the store is at can be kept by nobody
            running.background.settle(LAST_PIECE, &self.meter)?;
            running.keep(&self.shared, &self.at, true)?;
            running.commit(&self.shared, &*self.group, &self.at, true)?;
        }
        self.running = None;
        Ok(())
    }
}

impl<D: Domain> Running<D> {
    fn start(
        shared: &ProjectorShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
    ) -> Result<Self, ProjectorFault> {
        let mut projector = (shared.make)(at.partition);
        let mut begin = Begin::find(shared, group, at, projector.keeps())?;
        let from = match begin.from {
            _ if planted::is_on(Bug::FoldSkipped) => Start::Offset(begin.committed),
            0 => Start::Beginning,
            offset => Start::Offset(offset),
        };
        let mut turns = Turns::new(shared.settings.fan_out_max_rows);
        resume(&mut turns, &mut begin, &mut *projector, shared.views)?;
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
        })
    }

    /// How many offsets were folded that were applied before, and how many are still to be.
    fn folded(&self, at: &TopicPartition) -> (u64, u64) {
        let position = self.position(at);
        let count = |offsets: i64| u64::try_from(offsets).unwrap_or(0);
        let (from, until) = self.folded;
        (count(position.min(until) - from), count(until - position))
    }

    /// The offset before which everything is folded.
    fn position(&self, at: &TopicPartition) -> i64 {
        self.held.front().map_or_else(|| self.reader.position(at), |record| record.offset)
    }

    /// Folds what was read and asks for the rows of what is not applied yet. Stops at an event
    /// that cannot be read; what came before it counts.
    fn take(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        meter: &Meter,
    ) -> Result<(), ProjectorFault> {
        let mut tally = Tally::default();
        let mut stages: Vec<Vec<Write>> = Vec::new();
        let mut begun: Vec<Write> = Vec::new();
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
            if let Some(proof) = &self.proof {
                if offset != proof.offset || event.id.as_str() != proof.event_id {
                    return Err(of_another_log(at, proof).into());
                }
                self.newest = self.proof.take();
                self.held.pop_front();
                continue;
            }
            // nothing was asked for yet when this fails
            self.footing.before(&*shared.store, &event, offset)?;
            let (_, folded_upto) = self.folded;
            let is_folded = offset < folded_upto;
            if !is_folded {
                tally.take(record, meter, &shared.projection);
            }
            self.note(&event, offset);
            if is_folded {
                self.projector.stage(&event, &mut self.kept, &mut muted);
            } else {
                self.projector.stage(&event, &mut self.kept, &mut writes);
                let mut asked = writes.take();
                append(&mut stages, std::mem::take(&mut asked.ahead));
                rows += asked.stages.iter().map(|stage| stage.writes.len()).sum::<usize>();
                if self.background.turns.concerns(&asked) {
                    let (cause, time) = (cause_of(&event), event.recorded_at);
                    if !planted::is_on(Bug::FanOutUntold) {
                        begun.push(cause.begun(&shared.projection, at.partition, offset, time));
                    }
                    self.background.turns.park(asked, offset, cause, time);
                } else {
                    append(&mut stages, asked.stages.into_iter().map(|stage| stage.writes).collect());
                }
            }
            self.held.pop_front();
            self.kept.take_fault().map_or(Ok(()), Err)?;
            self.newest = Some(Newest { offset, event_id: event.id.to_string() });
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
        shared.destination.redirect(stages.iter_mut().flatten());
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
                self.unapplied = Some(Unapplied { stages, done: 0, upto, progress, tally });
            }
        }
        fault.map_or(Ok(()), Err)
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
    fn apply(&mut self, store: &dyn ViewStore, meter: &Meter) -> Result<(), ProjectorFault> {
        let Some(unapplied) = &mut self.unapplied else { return Ok(()) };
        let began = Instant::now();
        if planted::is_on(Bug::PublishedTooEarly) {
            store.apply(&[unapplied.progress.write()])?;
        }
        while let Some(stage) = unapplied.stages.get(unapplied.done) {
            store.apply(stage)?;
            unapplied.done += 1;
        }
        let Progress { projection, partition, .. } = &unapplied.progress;
        let ended = self.background.to_say(projection, *partition);
        if !ended.is_empty() {
            store.apply(&ended)?;
            self.background.said();
        }
        let oldest = self.background.oldest();
        unapplied.progress.events_offset = unapplied.progress.events_offset.min(oldest);
        if unapplied.progress.recorded_at > 0 && self.published.as_ref() != Some(&unapplied.progress) {
            store.apply(&[unapplied.progress.write()])?;
        }
        self.applied = self.applied.max(unapplied.upto.min(oldest));
        self.published = Some(unapplied.progress.clone());
        if let Some(applied) = self.unapplied.take() {
            applied.tally.report(meter, began.elapsed());
        }
        Ok(())
    }

    /// Writes what the projector knows, when that is due: all of it is as of one event, and the rows of that and all before
    /// are in the tables, or on disk with it.
    fn keep(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        now: bool,
    ) -> Result<(), ProjectorFault> {
        let is_possible = self.unapplied.is_none() && self.background.is_settled();
        if !is_possible || !(self.is_keeping_due(shared, at) || (now && self.has_news(at))) {
            return Ok(());
        }
        let time = shared.clock.now_micros();
        self.kept_at = time;
        match self.write(shared, at) {
            Err(ProjectorFault::Local(fault)) if !fault.is_lasting() => {
                self.say_refused(&fault, time, shared.settings.checkpoint_interval_ms);
                Ok(())
            }
            other => other,
        }
    }

    fn is_keeping_due(&self, shared: &ProjectorShared<D>, at: &TopicPartition) -> bool {
        let settings = &shared.settings;
        let since = shared.clock.now_micros() - self.kept_at;
        // a clock that was set back must not keep it from being written
        let is_over = !(0..settings.checkpoint_interval_ms as i64 * 1_000).contains(&since);
        // while the disk refuses it, more of it does not make it be tried more often
        let is_much =
            self.kept.unwritten() >= settings.checkpoint_max_changes && self.refusal_said_at.is_none();
        self.has_news(at) && (is_over || is_much)
    }

    /// Whether there is something to be kept. What was kept goes up to the first event that is read.
    fn has_news(&self, at: &TopicPartition) -> bool {
        let is_news = self.position(at) > self.kept_upto || self.kept.unwritten() > 0;
        self.kept.is_on_disk() && self.proof.is_none() && self.newest.is_some() && is_news
    }

    fn write(&mut self, shared: &ProjectorShared<D>, at: &TopicPartition) -> Result<(), ProjectorFault> {
        let position = self.position(at);
        let published = self.published.as_ref().map_or(0, |it| it.events_offset);
        let point = Point {
            revision: shared.revision.clone(),
            position,
            published: published.max(self.footing.applied()),
            newest: self.newest.clone(),
            progress: self.progress.clone(),
            open: self.open,
        };
        let point = serde_json::to_vec(&point).expect("numbers and texts are JSON");
        self.kept.write(&self.background.turns.changed(), &point)?;
        self.background.turns.kept();
        self.kept_upto = position;
        if self.refusal_said_at.take().is_some() {
            tracing::info!(projection = shared.projection, "what is known of {at} is written again");
        }
        Ok(())
    }

    /// Rows go on all the same: what is kept is there to begin sooner.
    fn say_refused(&mut self, fault: &LocalFault, now: i64, again_ms: u64) {
        if self.refusal_said_at.is_none_or(|at| !(0..SAY_AGAIN_MICROS).contains(&(now - at))) {
            self.refusal_said_at = Some(now);
            tracing::warn!(
                "{fault}; rows are written all the same, and it is tried again in {} s: until then what has changed stays in \
                 memory, and a restart reads more",
                again_ms / 1_000
            );
        }
    }

    fn commit(
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

/// Goes on with the events that were being written in turns. Those that the group knows to be in the tables
/// another one has written meanwhile: nothing but their fan-outs is left of them, which end here.
fn resume<E>(
    turns: &mut Turns,
    begin: &mut Begin,
    projector: &mut dyn StagedProjector<E>,
    views: &[&'static str],
) -> Result<(), LocalFault> {
    for (offset, stored) in std::mem::take(&mut begin.parked) {
        if offset < begin.committed || planted::is_on(Bug::ParkedForgotten) {
            let mut written = Vec::new();
            for fan_out in stored.fan_outs() {
                while projector.fan_out(fan_out, MOST_ROWS, &mut begin.kept, &mut written) {
                    written.clear();
                }
            }
            turns.forget(offset);
            continue;
        }
        let restored = stored.restore(offset, views).ok_or_else(|| LocalFault::Damaged {
            path: std::path::PathBuf::new(),
            why: format!("the event at offset {offset} writes to tables of others"),
        })?;
        turns.restore(restored);
    }
    begin.kept.take_fault().map_or(Ok(()), Err)
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
