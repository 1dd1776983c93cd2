//! A copy of what a projector knows that stands by on another instance: it folds what the owner of the partition has
//! written, and never more.
//!
//! The events up to the group's offset are in the tables. So whoever takes the partition over from a copy folds without
//! rows what has come since the copy looked at that offset, and then writes.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{Domain, Keeps};
use millrace_ports::{Group, TopicPartition};

use super::begin::{Begin, written};
use super::fault::ProjectorFault;
use super::lane::ProjectorShared;
use super::parked::Stored;
use super::running::Running;
use crate::copies::Copies;
use crate::planted::{self, Bug};
use crate::standby::Follow;

/// How often a copy asks how far the owner is.
const ASK_EVERY_MICROS: i64 = 1_000_000;

/// What is known of a partition up to the group's offset, on this process's disk.
pub struct ProjectorCopy<D: Domain> {
    at: TopicPartition,
    running: Running<D>,
    /// Events that this process was writing in turns when it owned the partition last, by their offsets.
    parked: Vec<(i64, Stored)>,
    /// The group's offset, and when it was asked for.
    upto: i64,
    asked_at: Option<i64>,
    records: u64,
}

impl<D: Domain> ProjectorCopy<D> {
    fn open(shared: &ProjectorShared<D>, group: &dyn Group, partition: i32) -> Result<Self, ProjectorFault> {
        let at = TopicPartition::new(Arc::clone(&shared.names.events), partition);
        let projector = (shared.make)(partition);
        let mut begin = Begin::of_copy(shared, group, &at, projector.keeps())?;
        let (upto, parked) = (begin.committed, std::mem::take(&mut begin.parked));
        let running = Running::of(shared, &at, projector, begin)?;
        Ok(Self { at, running, parked, upto, asked_at: None, records: 0 })
    }

    /// Takes in what the owner has written since; how many events it read.
    fn follow(&mut self, shared: &ProjectorShared<D>, group: &dyn Group) -> Result<usize, ProjectorFault> {
        self.ask(shared, group)?;
        let upto = if planted::is_on(Bug::CopyAheadOfRows) { i64::MAX } else { self.upto };
        let running = &mut self.running;
        let mut read = 0;
        if running.held.is_empty() && running.reader.position(&self.at) < upto {
            running.held = running.reader.poll(shared.settings.batch_max_events, Duration::ZERO)?.into();
            read = running.held.len();
            self.records += read as u64;
        }
        running.fold_upto(shared, &self.at, upto)?;
        if running.is_keeping_due(shared, &self.at) {
            self.keep(shared)?;
        }
        Ok(read)
    }

    fn ask(&mut self, shared: &ProjectorShared<D>, group: &dyn Group) -> Result<(), ProjectorFault> {
        let now = shared.clock.now_micros();
        // a clock that was set back must not keep it from asking
        if self.asked_at.is_some_and(|at| (0..ASK_EVERY_MICROS).contains(&(now - at))) {
            return Ok(());
        }
        self.asked_at = Some(now);
        self.upto = written(shared, group, &self.at)?.max(self.upto);
        let upto = self.upto;
        let running = &mut self.running;
        self.parked.retain(|(offset, stored)| {
            let is_written = *offset < upto;
            if is_written {
                running.let_go(*offset, stored);
            }
            !is_written
        });
        Ok(running.kept.take_fault().map_or(Ok(()), Err)?)
    }

    fn keep(&mut self, shared: &ProjectorShared<D>) -> Result<(), ProjectorFault> {
        // what is kept names how far the tables were
        self.running.footing.look(&*shared.store)?;
        self.running.keep(shared, &self.at, true)
    }

    /// Ends it, for a lane that goes on from its disk.
    pub(super) fn end(mut self, shared: &ProjectorShared<D>) {
        if let Err(fault) = self.keep(shared) {
            condemn(shared, self.at.partition, &fault);
            tracing::debug!(at = %self.at, %fault, "what the copy has folded of late is folded again");
        }
    }
}

/// Whoever opens a store next that was found damaged sets it aside.
fn condemn<D: Domain>(shared: &ProjectorShared<D>, partition: i32, fault: &ProjectorFault) {
    if let (Some(local), ProjectorFault::Local(fault)) = (&shared.local, fault)
        && fault.is_lasting()
    {
        local.condemn(partition, fault.to_string());
    }
}

impl<D: Domain> Follow for ProjectorShared<D> {
    type Copy = ProjectorCopy<D>;
    type Fault = ProjectorFault;

    fn partitions(&self) -> i32 {
        self.partitions
    }

    fn copies(&self) -> &Copies<Self::Copy> {
        &self.copies
    }

    fn open(self: &Arc<Self>, group: &dyn Group, partition: i32) -> Result<Self::Copy, ProjectorFault> {
        ProjectorCopy::open(self, group, partition)
    }

    fn follow(&self, group: &dyn Group, copy: &mut Self::Copy) -> Result<(usize, u64), ProjectorFault> {
        let followed = copy.follow(self, group);
        if let Err(fault) = &followed {
            condemn(self, copy.at.partition, fault);
        }
        Ok((followed?, copy.records))
    }

    fn is_believed(&self, _: &Self::Copy) -> bool {
        true
    }
}

impl<D: Domain> ProjectorShared<D> {
    /// How many copies of a partition other instances keep of what its projector knows: none where that is nothing, or
    /// is nowhere to be kept.
    #[must_use]
    pub fn copies_kept(&self) -> usize {
        let keeps = (self.make)(0).keeps();
        if keeps == Keeps::ByKey && self.local.is_some() { self.settings.standby_copies } else { 0 }
    }
}
