//! Standby copies: partitions of other instances that this one would be dealt if their owner died.
//!
//! The group tells who owns what, and the rule by which orphans are dealt out is known
//! ([`millrace_ports::roster`]). So a copy is kept where its partition will go.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_kernel::Domain;
use millrace_ports::roster::standbys;
use millrace_ports::{Group, LogFault, RosterEntry};

use crate::advice::chain;
use crate::copies::Copies;
use crate::health::{Health, LaneState};
use crate::planted::{self, Bug};
use crate::processor::copy::{CopyFault, PartitionCopy};
use crate::processor::lane::Shared;
use crate::supervise::Stop;

/// How often the roster is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause when no copy has anything to follow.
const REST: Duration = Duration::from_millis(50);
/// The pause before a copy that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The partitions of which this member should keep a copy: those that would come to it when
/// one, two … up to `copies` owners in a row are gone. `None` while partitions are being dealt out.
#[must_use]
pub fn to_follow(roster: &[RosterEntry], partitions: i32, copies: usize) -> Option<BTreeSet<i32>> {
    let me = roster.iter().find(|it| it.is_self)?;
    let owned: usize = roster.iter().map(|it| it.partitions.len()).sum();
    if owned != usize::try_from(partitions).ok()? {
        return None;
    }
    let is_mine = |partition: &i32| {
        !me.partitions.contains(partition) && standbys(roster, *partition, copies).contains(&me.member)
    };
    Some((0..partitions).filter(is_mine).collect())
}

/// What copies can be kept of: the partitions that all lanes of a role share.
pub trait Follow: Send + Sync + 'static {
    /// A copy of one partition.
    type Copy: Send;
    /// What may be in the way of one.
    type Fault: Error;

    /// How many partitions there are.
    fn partitions(&self) -> i32;

    /// Those that are at hand in this process.
    fn copies(&self) -> &Copies<Self::Copy>;

    /// Opens the copy of a partition.
    ///
    /// # Errors
    /// What is in the way.
    fn open(self: &Arc<Self>, group: &dyn Group, partition: i32) -> Result<Self::Copy, Self::Fault>;

    /// Takes in what is there to be taken in, without waiting: how many records it read now, and in all.
    ///
    /// # Errors
    /// What is in the way; the copy is opened anew.
    fn follow(&self, group: &dyn Group, copy: &mut Self::Copy) -> Result<(usize, u64), Self::Fault>;

    /// Whether a copy may still be gone on with.
    fn is_believed(&self, copy: &Self::Copy) -> bool;
}

impl<D: Domain> Follow for Shared<D> {
    type Copy = PartitionCopy<D>;
    type Fault = CopyFault;

    fn partitions(&self) -> i32 {
        self.partitions
    }

    fn copies(&self) -> &Copies<Self::Copy> {
        &self.copies
    }

    fn open(self: &Arc<Self>, _: &dyn Group, partition: i32) -> Result<Self::Copy, CopyFault> {
        PartitionCopy::open(self, partition)
    }

    fn follow(&self, _: &dyn Group, copy: &mut Self::Copy) -> Result<(usize, u64), CopyFault> {
        let taken = copy.follow(self, Duration::ZERO)?;
        Ok((taken, copy.records()))
    }

    fn is_believed(&self, copy: &Self::Copy) -> bool {
        copy.check_age(self).is_ok()
    }
}

/// The copies that one process keeps of partitions of others: which they are, and their following.
pub struct Keeper<F: Follow> {
    shared: Arc<F>,
    copies: usize,
    following: BTreeSet<i32>,
}

impl<F: Follow> Keeper<F> {
    /// Keeps copies where one, two … up to `copies` owners in a row are gone; none before it has looked.
    #[must_use]
    pub fn new(shared: Arc<F>, copies: usize) -> Self {
        Self { shared, copies, following: BTreeSet::new() }
    }

    /// Learns from the group which copies to keep, and lets go of all others, also of those that lanes
    /// have left behind. While partitions are being dealt out it lets go only of what is too old. The copies it
    /// followed and does not follow any more.
    ///
    /// # Errors
    /// The members cannot be listed; then the same holds as while partitions are being dealt out.
    pub fn look(&mut self, group: &dyn Group) -> Result<BTreeSet<i32>, LogFault> {
        let roster = group.roster();
        let partitions = self.shared.partitions();
        let wanted = roster.as_ref().ok().and_then(|it| to_follow(it, partitions, self.copies));
        let is_wanted = |partition| wanted.as_ref().is_none_or(|wanted| wanted.contains(&partition));
        let keeps_all = planted::is_on(Bug::UnwantedCopyKept);
        self.shared
            .copies()
            .retain(|partition, copy| keeps_all || (is_wanted(partition) && self.shared.is_believed(copy)));
        let before = match wanted {
            Some(wanted) => std::mem::replace(&mut self.following, wanted),
            None => self.following.clone(),
        };
        roster.map(|_| &before - &self.following)
    }

    /// The partitions of which it keeps copies.
    #[must_use]
    pub fn following(&self) -> &BTreeSet<i32> {
        &self.following
    }

    /// Lets the copy of a partition follow once, without waiting: how many records it read now, and in all.
    /// `None` when a lane has it.
    ///
    /// # Errors
    /// What is in the way of it; it is opened anew by the next call.
    pub fn follow(&self, group: &dyn Group, partition: i32) -> Result<Option<(usize, u64)>, F::Fault> {
        let open = || self.shared.open(group, partition);
        self.shared.copies().stand_by(partition, open, |copy| self.shared.follow(group, copy))
    }

    /// Lets go of all copies that stand by.
    pub fn dismiss_all(&mut self) {
        self.following.clear();
        self.shared.copies().retain(|_, _| false);
    }
}

/// Keeps the copies of one process.
pub(crate) struct Standby<F: Follow> {
    pub(crate) keeper: Keeper<F>,
    pub(crate) role: String,
    pub(crate) health: Health,
}

impl<F: Follow> Standby<F> {
    /// Follows what the roster asks for until `stop`, in a thread of its own.
    pub(crate) fn start(self, group: Arc<dyn Group>, stop: Stop) -> JoinHandle<()> {
        std::thread::Builder::new()
            .name(self.name())
            .spawn(move || self.run(&*group, &stop))
            .expect("the system has room for a thread")
    }

    fn run(mut self, group: &dyn Group, stop: &Stop) {
        let mut failed: BTreeMap<i32, Instant> = BTreeMap::new();
        let mut looked_at: Option<Instant> = None;
        while !stop.is_requested() {
            if looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
                looked_at = Some(Instant::now());
                self.look(group);
            }
            failed.retain(|_, at| at.elapsed() < RETRY);
            let mut taken = 0;
            let partitions = self.keeper.following().iter().copied();
            for partition in partitions.filter(|it| !failed.contains_key(it)).collect::<Vec<_>>() {
                match self.follow(group, partition) {
                    Ok(records) => taken += records,
                    Err(message) => {
                        tracing::warn!(
                            role = self.role,
                            partition,
                            "the standby copy cannot follow: {message}; it is opened anew in {} s, and a move to this instance takes longer until then",
                            RETRY.as_secs()
                        );
                        failed.insert(partition, Instant::now());
                    }
                }
            }
            if taken == 0 {
                stop.wait(REST);
            }
        }
        self.keeper.following().iter().for_each(|partition| self.health.remove(&self.name(), *partition));
        self.keeper.dismiss_all();
    }

    fn look(&mut self, group: &dyn Group) {
        let before = self.keeper.following().clone();
        match self.keeper.look(group) {
            Ok(gone) => gone.iter().for_each(|partition| self.health.remove(&self.name(), *partition)),
            Err(fault) => {
                tracing::debug!(role = self.role, %fault, "the roster cannot be read; copies stay as they are");
            }
        }
        if *self.keeper.following() != before {
            tracing::info!(role = self.role, partitions = ?self.keeper.following(), "keeping standby copies");
        }
    }

    fn follow(&self, group: &dyn Group, partition: i32) -> Result<usize, String> {
        match self.keeper.follow(group, partition) {
            Ok(Some((taken, records))) => {
                let text = format!("standby copy, {records} records read");
                self.health.set(&self.name(), partition, LaneState::Running, text);
                Ok(taken)
            }
            Ok(None) => Ok(0),
            Err(fault) => {
                self.health.remove(&self.name(), partition);
                Err(chain(&fault))
            }
        }
    }

    fn name(&self) -> String {
        format!("{}.standby", self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(me: &str, of: &[(&str, &[i32])]) -> Vec<RosterEntry> {
        let entry = |(member, partitions): &(&str, &[i32])| RosterEntry {
            member: (*member).to_owned(),
            host: String::new(),
            partitions: partitions.to_vec(),
            is_self: *member == me,
        };
        of.iter().map(entry).collect()
    }

    #[test]
    fn every_partition_has_as_many_copies_as_asked_for_and_none_with_its_owner() {
        let of: [(&str, &[i32]); 3] = [("a", &[0, 3]), ("b", &[1, 4]), ("c", &[2, 5])];
        for copies in 0..4 {
            let mut count = [0; 6];
            for (member, own) in of {
                let followed = to_follow(&roster(member, &of), 6, copies).unwrap();
                assert!(own.iter().all(|it| !followed.contains(it)));
                followed.iter().for_each(|it| count[*it as usize] += 1);
            }
            assert_eq!(count, [copies.min(2); 6], "of {copies}");
        }
    }

    #[test]
    fn while_partitions_are_dealt_out_nothing_changes() {
        assert_eq!(to_follow(&roster("a", &[("a", &[0]), ("b", &[])]), 2, 1), None);
        assert_eq!(to_follow(&roster("x", &[("a", &[0, 1])]), 2, 1), None, "not a member yet");
        assert_eq!(to_follow(&roster("a", &[("a", &[0, 1])]), 2, 1), Some(BTreeSet::new()), "alone");
    }
}
