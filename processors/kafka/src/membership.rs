//! Which partitions a member owns, which it is giving up, and who may still commit for them.
//!
//! A partition that is assigned gets a *tenure*, a number never used again. A batch remembers the
//! tenures under which it was submitted and is committed only while they last: a batch decided
//! before the partition was lost never slips into a later tenure of the same member.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millrace_ports::GroupEvent;

/// The state of one member.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    tenures: BTreeMap<i32, u64>,
    /// Of partitions that were handed over: batches for them pass until the next owner fences.
    lent: BTreeMap<i32, u64>,
    last_tenure: u64,
    /// All that was revoked together, given back together.
    revoked: BTreeSet<i32>,
    /// What of it is not released yet.
    unreleased: BTreeSet<i32>,
    events: VecDeque<GroupEvent>,
    closing: bool,
}

/// The tenures a batch relies on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim(BTreeMap<i32, u64>);

impl Membership {
    /// These partitions are owned from now on.
    pub(crate) fn assign(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.last_tenure += 1;
            self.lent.remove(partition);
            self.tenures.insert(*partition, self.last_tenure);
        }
        if !partitions.is_empty() {
            self.events.push_back(GroupEvent::Assigned(partitions.to_vec()));
        }
    }

    /// These are to be given up; they are owned until released.
    pub(crate) fn revoke(&mut self, partitions: &[i32]) {
        self.revoked.extend(partitions);
        self.unreleased.extend(partitions);
        self.events.push_back(GroupEvent::Revoked(partitions.to_vec()));
    }

    /// These are gone already.
    pub(crate) fn lose(&mut self, partitions: &[i32]) {
        let lost: Vec<i32> = partitions.iter().copied().filter(|it| self.tenures.contains_key(it)).collect();
        for partition in partitions {
            self.tenures.remove(partition);
            self.revoked.remove(partition);
            self.unreleased.remove(partition);
        }
        if !lost.is_empty() {
            self.events.push_back(GroupEvent::Lost(lost));
        }
    }

    /// These are given back. When that was the last of what was revoked together, the partitions
    /// to hand to the client.
    pub(crate) fn release(&mut self, partitions: &[i32]) -> Option<Vec<i32>> {
        let before = self.unreleased.len();
        for partition in partitions {
            if self.unreleased.remove(partition) {
                self.tenures.remove(partition);
            }
        }
        if self.unreleased.is_empty() && before > 0 {
            return Some(std::mem::take(&mut self.revoked).into_iter().collect());
        }
        None
    }

    /// As `release`, but batches for the partitions still pass until somebody fences.
    pub(crate) fn hand_over(&mut self, partitions: &[i32]) -> Option<Vec<i32>> {
        for partition in partitions.iter().filter(|it| self.unreleased.contains(it)) {
            if let Some(tenure) = self.tenures.get(partition) {
                self.lent.insert(*partition, *tenure);
            }
        }
        self.release(partitions)
    }

    /// Everything that is owned is lent from now on; the partitions that wait for their release.
    pub(crate) fn retire(&mut self) -> Vec<i32> {
        self.closing = true;
        self.lent.append(&mut self.tenures);
        self.unreleased.clear();
        std::mem::take(&mut self.revoked).into_iter().collect()
    }

    /// The member was taken for dead: nothing it has lent is known to be its own any more.
    pub(crate) fn forget_lent(&mut self) {
        self.lent.clear();
    }

    /// What was revoked and waits for its release.
    pub(crate) fn awaiting_release(&self) -> Vec<i32> {
        self.revoked.iter().copied().collect()
    }

    /// Everything that is owned.
    pub(crate) fn owned(&self) -> Vec<i32> {
        self.tenures.keys().copied().collect()
    }

    /// From now on what is revoked is given up at once.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether the member is leaving.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// The next change to tell.
    pub(crate) fn next_event(&mut self) -> Option<GroupEvent> {
        self.events.pop_front()
    }

    /// Whether all of `partitions` are owned, not only lent.
    pub(crate) fn owns(&self, partitions: impl IntoIterator<Item = i32>) -> bool {
        partitions.into_iter().all(|it| self.tenures.contains_key(&it))
    }

    /// The tenures of `partitions`, if all of them are owned or lent.
    pub(crate) fn claim(&self, partitions: impl IntoIterator<Item = i32>) -> Option<Claim> {
        let tenure = |it: i32| self.tenures.get(&it).or_else(|| self.lent.get(&it)).copied();
        let tenures = partitions.into_iter().map(|it| Some((it, tenure(it)?)));
        tenures.collect::<Option<BTreeMap<_, _>>>().map(Claim)
    }

    /// Whether all tenures of `claim` last.
    pub(crate) fn holds(&self, claim: &Claim) -> bool {
        claim.0.iter().all(|(partition, tenure)| {
            self.tenures.get(partition) == Some(tenure) || self.lent.get(partition) == Some(tenure)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_revoked_together_is_given_back_together() {
        let mut member = Membership::default();
        member.assign(&[0, 1, 2]);
        member.revoke(&[1, 2]);
        assert_eq!(member.release(&[1]), None);
        assert_eq!(member.owned(), [0, 2], "owned until released");
        assert_eq!(member.release(&[2]), Some(vec![1, 2]));
        assert_eq!(member.release(&[2]), None, "nothing is given back twice");
        assert_eq!(member.next_event(), Some(GroupEvent::Assigned(vec![0, 1, 2])));
        assert_eq!(member.next_event(), Some(GroupEvent::Revoked(vec![1, 2])));
        assert_eq!(member.next_event(), None);
    }

    #[test]
    fn a_claim_ends_with_its_tenure_even_when_the_partition_comes_back() {
        let mut member = Membership::default();
        member.assign(&[3]);
        let claim = member.claim([3]).unwrap();
        assert!(member.holds(&claim));
        member.lose(&[3]);
        assert!(!member.holds(&claim));
        member.assign(&[3]);
        assert!(!member.holds(&claim));
        assert!(member.claim([3, 4]).is_none());
    }

    #[test]
    fn what_is_handed_over_may_be_finished_until_the_member_is_taken_for_dead() {
        let mut member = Membership::default();
        member.assign(&[0, 1]);
        let claim = member.claim([1]).unwrap();
        member.revoke(&[1]);
        assert_eq!(member.hand_over(&[1]), Some(vec![1]));
        assert_eq!(member.owned(), [0]);
        assert!(member.holds(&claim), "a batch under way passes");
        assert!(member.claim([1]).is_some(), "and so does the next");
        assert!(!member.owns([1]), "but no offset outside a transaction");
        member.assign(&[1]);
        assert!(!member.holds(&claim), "it came back as another tenure");
        member.revoke(&[1]);
        member.hand_over(&[1]);
        member.forget_lent();
        assert!(member.claim([1]).is_none());
    }

    #[test]
    fn who_retires_lends_everything() {
        let mut member = Membership::default();
        member.assign(&[0, 1]);
        member.revoke(&[1]);
        assert_eq!(member.retire(), [1]);
        member.lose(&[0]);
        assert!(member.claim([0, 1]).is_some() && !member.owns([0]), "leaving takes nothing back");
        assert_eq!(member.owned(), Vec::<i32>::new());
    }

    #[test]
    fn a_revoked_partition_that_is_lost_needs_no_release() {
        let mut member = Membership::default();
        member.assign(&[0]);
        member.revoke(&[0]);
        member.lose(&[0]);
        assert_eq!(member.awaiting_release(), Vec::<i32>::new());
        assert_eq!(member.release(&[0]), None);
    }
}
