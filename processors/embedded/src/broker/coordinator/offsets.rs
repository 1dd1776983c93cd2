//! Committed offsets of groups, and those that wait for a transaction to be decided.

use std::collections::HashSet;

use kafka_protocol::ResponseError;

use super::group::{Group, GroupState};
use super::groups::Groups;
use super::subscriptions::Subscriptions;
use crate::broker::storage::metastate::{CommittedOffset, Entry, Offsets, merge_offsets, remove_offsets};
use crate::broker::util::lock;

/// Who commits: a member of a generation, or somebody outside of the group protocol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Committer<'a> {
    pub generation: i32,
    pub member_id: &'a str,
    pub instance_id: Option<&'a str>,
}

impl Committer<'_> {
    fn is_anonymous(&self) -> bool {
        self.generation < 0 && self.member_id.is_empty() && self.instance_id.is_none()
    }
}

/// What a group knows of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OffsetAnswer {
    Committed(CommittedOffset),
    Nothing,
    /// An open transaction may change it.
    Unstable,
}

impl Group {
    fn may_commit(&self, committer: Committer<'_>) -> Result<(), ResponseError> {
        if committer.is_anonymous() {
            return if self.state == GroupState::Empty {
                Ok(())
            } else {
                Err(ResponseError::UnknownMemberId)
            };
        }
        if self.state == GroupState::Empty && self.members.is_empty() && committer.generation < 0 {
            return Ok(());
        }
        self.check_member(committer.member_id, committer.instance_id, committer.generation)?;
        if self.state == GroupState::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Like [`Self::may_commit`]; producers of old clients do not say for whom they commit.
    pub fn may_commit_in_transaction(&self, committer: Committer<'_>) -> Result<(), ResponseError> {
        if committer.is_anonymous() {
            return Ok(());
        }
        self.check_member(committer.member_id, committer.instance_id, committer.generation)
    }

    /// The offset of a partition.
    pub fn offset(&self, topic: &str, partition: i32, require_stable: bool) -> OffsetAnswer {
        let find = |offsets: &Offsets| offsets.get(topic)?.get(&partition).cloned();
        if require_stable && self.undecided.values().any(|offsets| find(offsets).is_some()) {
            return OffsetAnswer::Unstable;
        }
        find(&self.offsets).map_or(OffsetAnswer::Nothing, OffsetAnswer::Committed)
    }

    /// Takes offsets away.
    pub fn forget(&mut self, gone: &[(String, i32)]) {
        remove_offsets(&mut self.offsets, gone);
    }

    /// Every partition the group has an offset of, decided or not.
    pub fn partitions_with_offsets(&self) -> Vec<(String, Vec<i32>)> {
        let mut known = Offsets::new();
        merge_offsets(&mut known, &self.offsets);
        for offsets in self.undecided.values() {
            merge_offsets(&mut known, offsets);
        }
        known.into_iter().map(|(topic, of)| (topic, of.into_keys().collect())).collect()
    }
}

impl Groups {
    /// Commits offsets outside a transaction.
    pub fn commit(
        &self,
        group_id: &str,
        committer: Committer<'_>,
        offsets: Offsets,
    ) -> Result<(), ResponseError> {
        let group = match self.get(group_id) {
            Some(group) => group,
            None if committer.generation < 0 => self.get_or_create(group_id),
            None => return Err(ResponseError::IllegalGeneration),
        };
        let mut group = lock(&group);
        if group.deleted {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        group.may_commit(committer)?;
        if let Some(member) = group.members.get_mut(committer.member_id) {
            member.last_seen = std::time::Instant::now();
        }
        let entry = Entry::Offsets(group_id.to_owned(), offsets);
        self.metadata().append(std::slice::from_ref(&entry)).map_err(|_| ResponseError::KafkaStorageError)?;
        if let Entry::Offsets(_, offsets) = entry {
            merge_offsets(&mut group.offsets, &offsets);
        }
        Ok(())
    }

    /// Deletes offsets of a group; says of each partition why it stays. While the group is in use, those of topics that
    /// no member subscribes to can go.
    pub fn delete_offsets(
        &self,
        group_id: &str,
        partitions: Vec<(String, i32)>,
    ) -> Result<Vec<Result<(), ResponseError>>, ResponseError> {
        let group = self.get(group_id).ok_or(ResponseError::GroupIdNotFound)?;
        let mut group = lock(&group);
        let stays = match group.subscriptions() {
            Subscriptions::None => HashSet::new(),
            Subscriptions::Topics(topics) => topics,
            Subscriptions::Any => partitions.iter().map(|(topic, _)| topic.clone()).collect(),
            Subscriptions::Foreign => return Err(ResponseError::NonEmptyGroup),
        };
        let results = partitions.iter().map(|(topic, _)| match stays.contains(topic) {
            true => Err(ResponseError::GroupSubscribedToTopic),
            false => Ok(()),
        });
        let results = results.collect();
        let gone: Vec<_> = partitions.into_iter().filter(|(topic, _)| !stays.contains(topic)).collect();
        if !gone.is_empty() {
            self.metadata()
                .append(&[Entry::OffsetsDeleted(group_id.to_owned(), gone.clone())])
                .map_err(|_| ResponseError::KafkaStorageError)?;
        }
        group.forget(&gone);
        Ok(results)
    }
}
