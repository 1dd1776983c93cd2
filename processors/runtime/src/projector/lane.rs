//! A projector's lane: fold what was applied, then apply what comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{Domain, Event, Projector, Write, Writes};
use millrace_ports::{
    Clock, Group, Log, LogFault, Reader, Record, Start, StoreFault, TopicPartition, ViewStore,
};
use millrace_wire::{Codec, DecodeFailure, RegistryFault};
use thiserror::Error;

use crate::processor::lane::Turn;
use crate::progress::Progress;
use crate::settings::ProjectorSettings;
use crate::topology::Topology;

/// Makes the projector of a source partition.
pub type MakeProjector<E> = Box<dyn Fn(i32) -> Box<dyn Projector<E>> + Send + Sync>;

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
    /// `<domain>.<family>`, under which progress is published.
    pub projection: String,
    /// The codec of the events topic.
    pub codec: Codec<Event<D::Event>>,
    /// Makes the projector of a source partition.
    pub make: MakeProjector<D::Event>,
    /// What an operator has set.
    pub settings: ProjectorSettings,
}

/// Why a projector's lane must try again.
#[derive(Debug, Error)]
pub enum ProjectorFault {
    /// The log does not answer, or another instance owns the partition.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The store does not answer or refuses.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// An event cannot be read. It is not skipped: the views would be wrong without a word.
    #[error("{at} offset {offset} cannot be read: {why}; the partition stands still until it can")]
    Unreadable {
        /// Where it stands.
        at: TopicPartition,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        why: String,
    },
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
    projector: Box<dyn Projector<D::Event>>,
    /// Rows of events before this offset are acknowledged; the group may know less.
    applied: i64,
    committed: i64,
    committed_at: i64,
    progress: Progress,
    /// The last progress that was published.
    published: Option<Progress>,
    /// Writes that the store has not acknowledged yet, in stages, and what they prove.
    unapplied: Option<Unapplied>,
}

struct Unapplied {
    stages: Vec<Vec<Write>>,
    done: usize,
    progress: Progress,
}

/// One source partition of a view family.
pub struct ProjectorLane<D: Domain> {
    shared: Arc<ProjectorShared<D>>,
    group: Arc<dyn Group>,
    at: TopicPartition,
    running: Option<Box<Running<D>>>,
}

impl<D: Domain> ProjectorLane<D> {
    /// A lane that has not begun yet.
    #[must_use]
    pub fn new(shared: Arc<ProjectorShared<D>>, group: Arc<dyn Group>, partition: i32) -> Self {
        let at = TopicPartition::new(Arc::clone(&shared.names.events), partition);
        Self { shared, group, at, running: None }
    }

    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> ProjectorPhase {
        match &self.running {
            None => ProjectorPhase::Starting,
            Some(running) => {
                let position = running.reader.position(&self.at);
                if position < running.applied {
                    ProjectorPhase::Folding(position, running.applied)
                } else {
                    ProjectorPhase::Applying(running.applied)
                }
            }
        }
    }

    /// Forgets the local fold; the next step begins again.
    pub fn reset(&mut self) {
        self.running = None;
    }

    /// One step, which waits for events up to `wait`. After a fault of the store the same
    /// writes are tried again by the next step: nothing is skipped.
    ///
    /// # Errors
    /// [`ProjectorFault`]; after one of the log, call [`ProjectorLane::reset`].
    pub fn turn(&mut self, wait: Duration) -> Result<Turn, ProjectorFault> {
        let Some(running) = &mut self.running else {
            self.running = Some(Box::new(Running::start(&self.shared, &*self.group, &self.at)?));
            return Ok(Turn::Progress);
        };
        running.apply(&*self.shared.store)?;
        running.commit(&self.shared, &*self.group, &self.at, false)?;
        let records = running.reader.poll(self.shared.settings.batch_max_events, wait)?;
        let is_idle = records.is_empty();
        running.take(&self.shared, &self.at, &records)?;
        running.apply(&*self.shared.store)?;
        Ok(if is_idle { Turn::Idle } else { Turn::Progress })
    }

    /// Commits what is applied, so that a planned move repeats nothing.
    ///
    /// # Errors
    /// As [`ProjectorLane::turn`].
    pub fn finish(&mut self) -> Result<(), ProjectorFault> {
        if let Some(running) = &mut self.running {
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
        let committed = group.committed(std::slice::from_ref(at))?.get(at).copied().unwrap_or(0);
        let reader = shared.log.reader(&[(at.clone(), Start::Beginning)])?;
        Ok(Self {
            reader,
            projector: (shared.make)(at.partition),
            applied: committed,
            committed,
            committed_at: shared.clock.now_micros(),
            progress: Progress::none(&shared.projection, at.partition),
            published: None,
            unapplied: None,
        })
    }

    /// Folds `records` and asks for the rows of those that are not applied yet.
    fn take(
        &mut self,
        shared: &ProjectorShared<D>,
        at: &TopicPartition,
        records: &[Record],
    ) -> Result<(), ProjectorFault> {
        let mut stages: Vec<Vec<Write>> = Vec::new();
        let mut writes = Writes::new();
        let mut muted = Writes::muted();
        for record in records {
            let event = decode(&shared.codec, at, record)?;
            if record.offset < self.applied {
                self.projector.apply(&event, &mut muted);
            } else {
                self.projector.apply(&event, &mut writes);
                append(&mut stages, writes.take());
            }
            self.progress.recorded_at = self.progress.recorded_at.max(event.recorded_at);
            let newest = if event.is_caused_by_step() {
                &mut self.progress.steps_offset
            } else {
                &mut self.progress.commands_offset
            };
            *newest = (*newest).max(event.command_offset);
        }
        let position = self.reader.position(at);
        if position >= self.applied {
            self.progress.events_offset = self.progress.events_offset.max(position);
            let progress = self.progress.clone();
            if !stages.is_empty() || self.published.as_ref() != Some(&progress) {
                self.unapplied = Some(Unapplied { stages, done: 0, progress });
            }
        }
        Ok(())
    }

    /// Writes what is due, stage by stage, and then says so in the progress table.
    fn apply(&mut self, store: &dyn ViewStore) -> Result<(), ProjectorFault> {
        let Some(unapplied) = &mut self.unapplied else { return Ok(()) };
        while let Some(stage) = unapplied.stages.get(unapplied.done) {
            store.apply(stage)?;
            unapplied.done += 1;
        }
        if unapplied.progress.recorded_at > 0 {
            store.apply(&[unapplied.progress.write()])?;
        }
        self.applied = self.applied.max(unapplied.progress.events_offset);
        self.published = Some(unapplied.progress.clone());
        self.unapplied = None;
        Ok(())
    }

    fn commit(
        &mut self,
        shared: &ProjectorShared<D>,
        group: &dyn Group,
        at: &TopicPartition,
        now: bool,
    ) -> Result<(), ProjectorFault> {
        let is_due = shared.clock.now_micros() - self.committed_at
            >= shared.settings.commit_interval_ms as i64 * 1_000;
        if self.applied <= self.committed || !(is_due || now) {
            return Ok(());
        }
        group.commit(&BTreeMap::from([(at.clone(), self.applied)]))?;
        self.committed = self.applied;
        self.committed_at = shared.clock.now_micros();
        Ok(())
    }
}

/// Joins an event's stages to those of the events before it: its first stage may run with
/// their last one, since rows carry the times that decide between them.
fn append(stages: &mut Vec<Vec<Write>>, mut of_event: Vec<Vec<Write>>) {
    if let (Some(last), false) = (stages.last_mut(), of_event.is_empty()) {
        last.append(&mut of_event[0]);
        of_event.remove(0);
    }
    stages.append(&mut of_event);
}

fn decode<E>(
    codec: &Codec<Event<E>>,
    at: &TopicPartition,
    record: &Record,
) -> Result<Event<E>, ProjectorFault>
where
    E: serde::Serialize + serde::de::DeserializeOwned,
{
    let unreadable = |why: String| ProjectorFault::Unreadable { at: at.clone(), offset: record.offset, why };
    let Some(value) = record.value.as_deref() else {
        return Err(unreadable("a tombstone where an event should be".to_owned()));
    };
    codec.decode(value).map_err(|failure| match failure {
        DecodeFailure::Registry(fault) => ProjectorFault::Registry(fault),
        other => unreadable(other.to_string()),
    })
}
