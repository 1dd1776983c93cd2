//! A projector's lane: fold what was applied, then apply what comes.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{Domain, Event, StagedProjector};
use millrace_ports::{Clock, Group, Log, TopicPartition, ViewStore};
use millrace_wire::Codec;

use super::copy::ProjectorCopy;
use super::fault::ProjectorFault;
use super::pace::Pace;
use super::running::Running;
use crate::changes::ChangeLog;
use crate::copies::Copies;
use crate::local::LocalState;
use crate::metrics::Meter;
use crate::planted::{self, Bug};
use crate::processor::lane::Turn;
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
    /// Where changes of rows are told, where a view can be subscribed to.
    pub changes: Option<ChangeLog>,
    /// Which rows it makes ([`millrace_kernel::Projection::revision`]): what another revision has kept is not read.
    pub revision: String,
    /// How many partitions the domain has.
    pub partitions: i32,
    /// Where what is known by key is kept, if anywhere.
    pub local: Option<LocalState>,
    /// Copies of partitions that stand by in this process.
    pub copies: Copies<ProjectorCopy<D>>,
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
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
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
            if let Some(copy) = self.shared.copies.take(self.at.partition) {
                copy.end(&self.shared);
            }
            self.running = Some(Box::new(Running::start(&self.shared, &*self.group, &self.at)?));
            return Ok(Turn::Progress);
        };
        running.background.settle(Duration::ZERO, &self.meter)?;
        running.apply(&self.shared, &self.meter)?;
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
        if matches!(taken, Err(ProjectorFault::Local(_))) {
            // what the projector knows is of no use any more, and no row is made of it
            return taken.map(|()| Turn::Progress);
        }
        if planted::is_on(Bug::KeptBeforeRows) {
            running.write(&self.shared, &self.at)?;
        }
        if planted::is_on(Bug::OffsetsBeforeRows) {
            running.commit(&self.shared, &*self.group, &self.at, true)?;
        }
        // what came before a fault does not wait for it
        running.apply(&self.shared, &self.meter)?;
        // whoever goes on there writes nothing that stands before: so all of that has been told
        running.tell_places(&self.shared, &self.at, false)?;
        // what is known is kept between two pieces; one that the store has refused is written first
        if !running.background.is_settled() || !running.is_keeping_due(&self.shared, &self.at) {
            let at = self.at.partition;
            running.background.go_on(
                &self.shared,
                at,
                &mut *running.projector,
                &mut running.kept,
                &self.meter,
            )?;
        }
        taken?;
        Ok(if is_idle { Turn::Idle } else { Turn::Progress })
    }

    /// Commits what is applied, so that a planned move repeats nothing.
    ///
    /// # Errors
    /// As [`ProjectorLane::turn`].
    pub fn finish(&mut self) -> Result<(), ProjectorFault> {
        if let Some(running) = &mut self.running {
            // while the store is at a piece nothing can be kept; a fault of it is the next one's
            drop(running.background.settle(LAST_PIECE, &self.meter));
            running.tell(&self.shared, &self.meter)?;
            running.tell_places(&self.shared, &self.at, true)?;
            running.keep(&self.shared, &self.at, true)?;
            running.commit(&self.shared, &*self.group, &self.at, true)?;
        }
        self.running = None;
        Ok(())
    }
}

impl<D: Domain> Drop for ProjectorLane<D> {
    fn drop(&mut self) {
        // closed before a copy opens it
        self.running = None;
        self.shared.copies.vacate(self.at.partition);
    }
}
