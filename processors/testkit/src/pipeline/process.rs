//! One process of the pipeline: a member of a group with the lanes it owns, taken apart into
//! the steps that its threads would take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Domain;
use millrace_ports::{Group, GroupEvent};
use millrace_runtime::health::LaneState;
use millrace_runtime::policy::{PolicyLane, PolicyShared};
use millrace_runtime::processor::lane::{Lane, Shared, Turn};
use millrace_runtime::processor::lookup::LookupFollower;
use millrace_runtime::processor::trim::trim;
use millrace_runtime::projector::{ProjectorLane, ProjectorShared};
use millrace_runtime::standby::{Follow, Keeper};
use millrace_runtime::supervise::LaneWork;
use millrace_runtime::versions::Version;

use super::clock::SkewedClock;
use crate::local::MemoryDisk;

/// What a lane may wait: longer than nothing, since a lane does more when it may wait, and too
/// short for the machine to sleep.
const NO_TIME: Duration = Duration::from_nanos(1);

/// What a process does.
pub(super) enum Role<D: Domain> {
    /// Decides commands, and keeps copies of partitions that others own.
    Processor(Arc<Shared<D>>, Keeper<Shared<D>>),
    /// Fills the tables of a version of one view family, and keeps copies likewise.
    Projector(RoleKind, Arc<ProjectorShared<D>>, Keeper<ProjectorShared<D>>),
    /// Reacts to the events of another domain.
    Policy(RoleKind, Arc<PolicyShared<D>>),
}

/// What a process does, for those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// It decides commands.
    Processor,
    /// It keeps a version of the view family at this place up to date.
    Projector(usize, Version),
    /// It fills a version that is being built, as `millrace rebuild` does.
    Rebuild(usize, Version),
    /// It reacts to the events of another domain: that of the policy at this place.
    Policy(usize),
}

/// What a step came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// Whether anything was done; there may be more.
    pub progress: bool,
    /// What was in the way, if anything.
    pub trouble: Option<String>,
    /// What was heard of the group, if anything.
    pub heard: Option<GroupEvent>,
}

impl Stepped {
    fn progress(progress: bool) -> Self {
        Self { progress, ..Self::default() }
    }

    fn trouble(message: String) -> Self {
        Self { progress: true, trouble: Some(message), heard: None }
    }
}

/// One process.
pub(super) struct Process<D: Domain> {
    pub(super) number: u64,
    pub(super) group: Arc<dyn Group>,
    pub(super) lanes: BTreeMap<i32, Box<dyn LaneWork>>,
    /// Partitions that were handed over and are worked on until the next owner fences.
    pub(super) lent: BTreeSet<i32>,
    /// Whether it has left the group and only works on what it has lent.
    pub(super) has_retired: bool,
    pub(super) follower: Option<LookupFollower>,
    pub(super) role: Role<D>,
    pub(super) clock: Arc<SkewedClock>,
    pub(super) disk: Option<MemoryDisk>,
}

impl<D: Domain> Process<D> {
    pub(super) fn kind(&self) -> RoleKind {
        match &self.role {
            Role::Processor(..) => RoleKind::Processor,
            Role::Projector(kind, ..) | Role::Policy(kind, _) => *kind,
        }
    }

    /// Whether nothing is left of a process that has retired.
    pub(super) fn is_over(&self) -> bool {
        self.has_retired && self.lanes.is_empty()
    }

    /// Follows the group.
    pub(super) fn membership(&mut self) -> Stepped {
        if self.has_retired {
            return Stepped::default();
        }
        let event = match self.group.poll(Duration::ZERO) {
            Ok(None) => return Stepped::default(),
            Ok(Some(event)) => event,
            Err(fault) => return Stepped::trouble(fault.to_string()),
        };
        let heard = Some(event.clone());
        match event {
            GroupEvent::Assigned(partitions) => {
                for partition in partitions {
                    self.finish(partition);
                    let group = Arc::clone(&self.group);
                    let lane: Box<dyn LaneWork> = match &self.role {
                        Role::Processor(shared, _) => {
                            Box::new(Lane::new(Arc::clone(shared), group, partition))
                        }
                        Role::Projector(_, shared, _) => {
                            Box::new(ProjectorLane::new(Arc::clone(shared), group, partition))
                        }
                        Role::Policy(_, shared) => {
                            Box::new(PolicyLane::new(Arc::clone(shared), group, partition))
                        }
                    };
                    self.lanes.insert(partition, lane);
                }
            }
            GroupEvent::Revoked(partitions) if self.moves_by_fence() => {
                for partition in &partitions {
                    self.lend(*partition);
                }
                drop(self.group.hand_over(&partitions));
            }
            GroupEvent::Revoked(partitions) => {
                for partition in &partitions {
                    self.finish(*partition);
                }
                drop(self.group.release(&partitions));
            }
            GroupEvent::Lost(partitions) => {
                self.lanes.retain(|it, _| !partitions.contains(it) && !self.lent.contains(it));
                self.lent.clear();
                drop(self.group.release(&partitions));
            }
        }
        Stepped { progress: true, heard, trouble: None }
    }

    /// Looks which copies it should keep, and lets one of them follow.
    pub(super) fn stand_by(&mut self, pick: u64) -> Stepped {
        if self.has_retired {
            return Stepped::default();
        }
        match &mut self.role {
            Role::Processor(_, keeper) => follow_one(keeper, &*self.group, pick),
            Role::Projector(_, _, keeper) => follow_one(keeper, &*self.group, pick),
            Role::Policy(..) => Stepped::default(),
        }
    }

    /// Deletes the steps that were decided long ago.
    pub(super) fn trim(&self) -> Stepped {
        let Role::Processor(shared, _) = &self.role else { return Stepped::default() };
        match trim(shared, &*self.group) {
            Ok(ends) => Stepped::progress(!ends.is_empty()),
            Err(fault) => Stepped::trouble(fault.to_string()),
        }
    }

    /// The partitions of which a copy stands by.
    pub(super) fn copies(&self) -> Vec<i32> {
        match &self.role {
            Role::Processor(shared, _) => shared.copies.standing(),
            Role::Projector(_, shared, _) => shared.copies.standing(),
            Role::Policy(..) => Vec::new(),
        }
    }

    /// Follows the lookup tables.
    pub(super) fn follow(&mut self) -> Stepped {
        let Some(follower) = &mut self.follower else { return Stepped::default() };
        let turned = follower.turn(Duration::ZERO).and_then(|moved| {
            if let Role::Processor(shared, _) = &self.role {
                follower.look(&*shared.log)?;
            }
            Ok(moved)
        });
        match turned {
            Ok(moved) => Stepped::progress(moved),
            Err(fault) => {
                // begins again, as its thread does
                if let Role::Processor(shared, _) = &self.role
                    && let Ok(fresh) = LookupFollower::start(&*shared.log, Arc::clone(&shared.lookups))
                {
                    self.follower = Some(fresh);
                }
                Stepped::trouble(fault.to_string())
            }
        }
    }

    /// One step of a lane, by its place among those it has. A lane in trouble begins again with its
    /// next step, as under supervision; one that was handed over begins nothing again.
    pub(super) fn lane(&mut self, place: usize) -> Stepped {
        let count = self.lanes.len();
        let Some((&partition, lane)) = self.lanes.iter_mut().nth(place % count.max(1)) else {
            return Stepped::default();
        };
        let is_lent = self.lent.contains(&partition);
        if is_lent && lane.describe().0 != LaneState::Running {
            self.finish(partition);
            return Stepped::progress(true);
        }
        match lane.turn(NO_TIME) {
            // who has retired does not wait for input
            Ok(Turn::Idle) if self.has_retired => {
                self.finish(partition);
                Stepped::progress(true)
            }
            Ok(turn) => Stepped::progress(turn == Turn::Progress),
            Err(trouble) => {
                if is_lent {
                    self.lanes.remove(&partition);
                    self.lent.remove(&partition);
                }
                Stepped::trouble(trouble.message)
            }
        }
    }

    /// Is asked to stop: works on until the next owners come.
    pub(super) fn retire(&mut self) {
        for partition in self.lanes.keys().copied().collect::<Vec<_>>() {
            self.lend(partition);
        }
        self.group.retire();
        self.has_retired = true;
    }

    /// Ends in good order, as when it is asked to stop and nobody else is there.
    pub(super) fn leave(mut self) {
        for partition in self.lanes.keys().copied().collect::<Vec<_>>() {
            self.finish(partition);
        }
        self.group.leave();
    }

    pub(super) fn moves_by_fence(&self) -> bool {
        matches!(self.role, Role::Processor(..))
    }

    fn lend(&mut self, partition: i32) {
        if self.lanes.contains_key(&partition) {
            self.lent.insert(partition);
        }
    }

    /// Ends a lane; what it cannot finish is repeated by the next owner.
    fn finish(&mut self, partition: i32) {
        self.lent.remove(&partition);
        if let Some(mut lane) = self.lanes.remove(&partition) {
            drop(lane.finish());
        }
    }
}

/// Looks which copies are to be kept, and lets one of them follow.
fn follow_one<F: Follow>(keeper: &mut Keeper<F>, group: &dyn Group, pick: u64) -> Stepped {
    if let Err(fault) = keeper.look(group) {
        return Stepped::trouble(fault.to_string());
    }
    let count = keeper.following().len().max(1) as u64;
    let Some(partition) = keeper.following().iter().nth((pick % count) as usize) else {
        return Stepped::default();
    };
    match keeper.follow(group, *partition) {
        Ok(followed) => Stepped::progress(followed.is_some_and(|(taken, _)| taken > 0)),
        Err(fault) => Stepped::trouble(fault.to_string()),
    }
}
