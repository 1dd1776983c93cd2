//! The members of one group, and how partitions pass between them.
//!
//! Cooperative: nobody gives up more than what it has too much of, and a partition is dealt out
//! anew only after its owner has released it or is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millrace_ports::GroupEvent;

/// The members.
#[derive(Debug, Default)]
pub(super) struct Members {
    partitions: i32,
    members: BTreeMap<u64, Member>,
    /// What members that have left may still commit for.
    retired: BTreeMap<u64, BTreeMap<i32, u64>>,
    last_member: u64,
    last_tenure: u64,
}

#[derive(Debug)]
struct Member {
    tenures: BTreeMap<i32, u64>,
    /// Of partitions that were handed over and may be committed for until somebody fences.
    lent: BTreeMap<i32, u64>,
    revoked: BTreeSet<i32>,
    events: VecDeque<GroupEvent>,
    timeout_micros: i64,
    seen_micros: i64,
}

/// The tenures of partitions that a batch relies on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claim(BTreeMap<i32, u64>);

impl Members {
    pub(super) fn join(&mut self, partitions: i32, timeout_micros: i64, now: i64) -> u64 {
        self.partitions = partitions;
        self.last_member += 1;
        let member = Member {
            tenures: BTreeMap::new(),
            lent: BTreeMap::new(),
            revoked: BTreeSet::new(),
            events: VecDeque::new(),
            timeout_micros,
            seen_micros: now,
        };
        self.members.insert(self.last_member, member);
        self.deal();
        self.last_member
    }

    /// The next change for a member, or `None` when it is no member any more.
    pub(super) fn poll(&mut self, member: u64, now: i64) -> Option<Option<GroupEvent>> {
        let member = self.members.get_mut(&member)?;
        member.seen_micros = now;
        Some(member.events.pop_front())
    }

    pub(super) fn release(&mut self, member: u64, partitions: &[i32]) {
        if let Some(member) = self.members.get_mut(&member) {
            for partition in partitions {
                if member.revoked.remove(partition) {
                    member.tenures.remove(partition);
                }
            }
        }
        self.deal();
    }

    /// As `release`, but what is under way goes on until it is fenced off.
    pub(super) fn hand_over(&mut self, member: u64, partitions: &[i32]) {
        if let Some(member) = self.members.get_mut(&member) {
            for partition in partitions {
                if member.revoked.remove(partition)
                    && let Some(tenure) = member.tenures.remove(partition)
                {
                    member.lent.insert(*partition, tenure);
                }
            }
        }
        self.deal();
    }

    pub(super) fn remove(&mut self, member: u64) {
        self.members.remove(&member);
        self.retired.remove(&member);
        self.deal();
    }

    /// Removes a member and lets it go on with what it owned until it is fenced off.
    pub(super) fn retire(&mut self, member: u64) {
        if let Some(mut gone) = self.members.remove(&member) {
            gone.lent.append(&mut gone.tenures);
            self.retired.insert(member, gone.lent);
        }
        self.deal();
    }

    /// Every member's number with what it owns.
    pub(super) fn roster(&self) -> Vec<(u64, Vec<i32>)> {
        self.members.iter().map(|(id, it)| (*id, it.tenures.keys().copied().collect())).collect()
    }

    pub(super) fn expire(&mut self, now: i64) {
        let before = self.members.len();
        self.members.retain(|_, it| now - it.seen_micros <= it.timeout_micros);
        if self.members.len() < before {
            self.deal();
        }
    }

    pub(super) fn claim(&self, member: u64, partitions: impl IntoIterator<Item = i32>) -> Option<Claim> {
        let tenures = partitions.into_iter().map(|it| Some((it, self.tenure(member, it)?)));
        tenures.collect::<Option<BTreeMap<_, _>>>().map(Claim)
    }

    /// As `claim`, for offsets outside a transaction: what is lent does not count.
    pub(super) fn owns(&self, member: u64, partitions: impl IntoIterator<Item = i32>) -> bool {
        let Some(member) = self.members.get(&member) else { return false };
        partitions.into_iter().all(|it| member.tenures.contains_key(&it))
    }

    pub(super) fn holds(&self, member: u64, claim: &Claim) -> bool {
        claim.0.iter().all(|(partition, tenure)| {
            let lent = self.members.get(&member).map(|it| &it.lent).or_else(|| self.retired.get(&member));
            self.tenure(member, *partition) == Some(*tenure)
                || lent.and_then(|it| it.get(partition)) == Some(tenure)
        })
    }

    fn tenure(&self, member: u64, partition: i32) -> Option<u64> {
        match self.members.get(&member) {
            Some(member) => member.tenures.get(&partition).or_else(|| member.lent.get(&partition)).copied(),
            None => self.retired.get(&member)?.get(&partition).copied(),
        }
    }

    /// Revokes what members have too much of, and gives what is free to those with the least.
    fn deal(&mut self) {
        if self.members.is_empty() {
            return;
        }
        let count = self.members.len() as i32;
        let (fair, mut larger) = ((self.partitions / count) as usize, (self.partitions % count) as usize);
        let owned: BTreeSet<i32> = self.members.values().flat_map(|it| it.tenures.keys().copied()).collect();

        // those who have most keep the larger shares, so that little moves
        let mut order: Vec<u64> = self.members.keys().copied().collect();
        order.sort_by_key(|id| std::cmp::Reverse(self.members[id].tenures.len()));
        for id in order {
            let share = fair + usize::from(larger > 0);
            larger = larger.saturating_sub(1);
            let Some(member) = self.members.get_mut(&id) else { continue };
            let kept = member.tenures.len() - member.revoked.len();
            if kept > share {
                let staying: Vec<i32> =
                    member.tenures.keys().copied().filter(|it| !member.revoked.contains(it)).collect();
                let surplus = staying[share..].to_vec();
                member.revoked.extend(&surplus);
                member.events.push_back(GroupEvent::Revoked(surplus));
            }
        }
        // as the port's `heirs` says: from the highest, each to whom has least
        let mut given: BTreeMap<u64, Vec<i32>> = BTreeMap::new();
        for partition in (0..self.partitions).rev().filter(|it| !owned.contains(it)) {
            let least = self.members.iter_mut().min_by_key(|(id, it)| (it.tenures.len(), **id));
            let Some((id, member)) = least else { break };
            self.last_tenure += 1;
            member.tenures.insert(partition, self.last_tenure);
            member.lent.remove(&partition);
            given.entry(*id).or_default().push(partition);
        }
        for (id, mut partitions) in given {
            partitions.sort_unstable();
            if let Some(member) = self.members.get_mut(&id) {
                member.events.push_back(GroupEvent::Assigned(partitions));
            }
        }
    }
}
