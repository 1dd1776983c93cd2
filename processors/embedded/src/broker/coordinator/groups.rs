//! The consumer groups of the broker: found by id, stored when they change, looked after in time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use super::expiry::Retention;
use super::group::{Group, JoinFailed, JoinReply, SyncReply};
use super::join::JoinRequest;
use crate::broker::storage::metalog::MetaLog;
use crate::broker::storage::metastate::{Entry, MetaState, StoredGroup};
use crate::broker::util::{lock, now_ms};

/// Limits that the configuration sets.
#[derive(Debug, Clone)]
pub(crate) struct GroupLimits {
    pub initial_delay: Duration,
    pub min_session: Duration,
    pub max_session: Duration,
    pub keep_members: bool,
    pub retention: Retention,
}

/// All groups.
#[derive(Debug)]
pub(crate) struct Groups {
    by_id: Mutex<HashMap<String, Arc<Mutex<Group>>>>,
    metadata: Arc<MetaLog>,
    limits: GroupLimits,
}

impl Groups {
    pub fn restored(state: &MetaState, metadata: Arc<MetaLog>, limits: GroupLimits) -> Self {
        let now = Instant::now();
        let restored = |id: &String, stored: &StoredGroup| match limits.keep_members {
            true => Group::restored(id, stored, now),
            // the generation goes on, so that nobody from before can pass for a member
            false => {
                Group::restored(id, &StoredGroup { members: Vec::new(), leader: None, ..stored.clone() }, now)
            }
        };
        let mut by_id: HashMap<String, Group> =
            state.groups.iter().map(|(id, stored)| (id.clone(), restored(id, stored))).collect();
        for (id, offsets) in &state.offsets {
            let group = by_id.entry(id.clone()).or_insert_with(|| Group::new(id));
            group.offsets.clone_from(offsets);
        }
        for (id, group) in state.txns.values().flat_map(|txn| {
            let open = txn.status == crate::broker::storage::metastate::TxnStatus::Ongoing;
            txn.offsets
                .iter()
                .filter(move |_| open)
                .map(|(group, offsets)| (group.clone(), (txn.producer_id, offsets.clone())))
        }) {
            let entry = by_id.entry(id.clone()).or_insert_with(|| Group::new(&id));
            entry.undecided.insert(group.0, group.1);
        }
        let by_id = by_id.into_iter().map(|(id, group)| (id, Arc::new(Mutex::new(group))));
        Self { by_id: Mutex::new(by_id.collect()), metadata, limits }
    }

    pub fn get(&self, id: &str) -> Option<Arc<Mutex<Group>>> {
        lock(&self.by_id).get(id).cloned()
    }

    pub fn get_or_create(&self, id: &str) -> Arc<Mutex<Group>> {
        let mut by_id = lock(&self.by_id);
        Arc::clone(by_id.entry(id.to_owned()).or_insert_with(|| Arc::new(Mutex::new(Group::new(id)))))
    }

    pub fn all(&self) -> Vec<Arc<Mutex<Group>>> {
        lock(&self.by_id).values().cloned().collect()
    }

    pub fn metadata(&self) -> &MetaLog {
        &self.metadata
    }

    pub(super) fn retention(&self) -> &Retention {
        &self.limits.retention
    }

    pub(super) fn is_kept_for_good(&self, id: &str) -> bool {
        (self.limits.retention.for_good)(id)
    }

    /// Stores the group when its assignment changed, or when it has lost its last member.
    pub(super) fn store(&self, group: &mut MutexGuard<'_, Group>, now_ms: i64) {
        if !self.is_kept_for_good(&group.id) {
            group.note_empty(now_ms);
        }
        if !group.dirty || self.metadata.is_refusing() {
            return;
        }
        let entry = Entry::Group(group.id.clone(), group.stored());
        match self.metadata.append(&[entry]) {
            Ok(()) => group.dirty = false,
            // The group works on, and this is tried again with the next tick; after a restart before that its members have
            // to join again.
            Err(error) => tracing::debug!(group = group.id, %error, "cannot store the assignment of a group"),
        }
    }

    /// Joins a group.
    pub async fn join(&self, group_id: &str, request: JoinRequest) -> JoinReply {
        let member_id = request.member_id.clone();
        let failed = |error| Err(JoinFailed { error, member_id: member_id.clone() });
        if group_id.is_empty() {
            return failed(ResponseError::InvalidGroupId);
        }
        let allowed = self.limits.min_session..=self.limits.max_session;
        if !allowed.contains(&request.session_timeout) {
            return failed(ResponseError::InvalidSessionTimeout);
        }
        let existing = self.get(group_id);
        let group = match existing {
            Some(group) => group,
            None if member_id.is_empty() => self.get_or_create(group_id),
            None => return failed(ResponseError::UnknownMemberId),
        };
        let answer = {
            let (reply, answer) = oneshot::channel();
            let mut group = lock(&group);
            if group.deleted {
                return failed(ResponseError::CoordinatorNotAvailable);
            }
            group.join(request, self.limits.initial_delay, Instant::now(), reply);
            self.store(&mut group, now_ms());
            answer
        };
        answer.await.unwrap_or_else(|_| failed(ResponseError::CoordinatorNotAvailable))
    }

    /// Gives the leader's assignment to the group, or waits for it.
    pub async fn sync(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
    ) -> SyncReply {
        let group = self.get(group_id).ok_or(ResponseError::UnknownMemberId)?;
        let answer = {
            let (reply, answer) = oneshot::channel();
            let mut group = lock(&group);
            let now = Instant::now();
            group.sync(member_id, instance_id, generation, assignments, now, reply);
            self.store(&mut group, now_ms());
            answer
        };
        answer.await.unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
    }

    /// Takes a heartbeat.
    pub fn heartbeat(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let group = self.get(group_id).ok_or(ResponseError::UnknownMemberId)?;
        lock(&group).heartbeat(member_id, instance_id, generation, Instant::now())
    }

    /// Removes a member that leaves, named by its id or its instance id.
    pub fn leave(
        &self,
        group_id: &str,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ResponseError> {
        let group = self.get(group_id).ok_or(ResponseError::UnknownMemberId)?;
        let mut group = lock(&group);
        let member_id = match instance_id {
            None => member_id.to_owned(),
            Some(instance) => {
                let known = group.static_member(instance).ok_or(ResponseError::UnknownMemberId)?;
                if !member_id.is_empty() && known != member_id {
                    return Err(ResponseError::FencedInstanceId);
                }
                known
            }
        };
        if !group.remove(&member_id, Instant::now()) {
            return Err(ResponseError::UnknownMemberId);
        }
        self.store(&mut group, now_ms());
        Ok(())
    }

    /// Deletes a group that nobody uses.
    pub fn delete(&self, group_id: &str) -> Result<(), ResponseError> {
        self.delete_when(group_id, |group| group.is_unused() && group.undecided.is_empty())
    }

    /// Deletes a group of which `unused` holds.
    pub(super) fn delete_when(
        &self,
        group_id: &str,
        unused: impl FnOnce(&Group) -> bool,
    ) -> Result<(), ResponseError> {
        let mut by_id = lock(&self.by_id);
        let known = by_id.get(group_id).cloned().ok_or(ResponseError::GroupIdNotFound)?;
        let mut group = lock(&known);
        if !unused(&group) {
            return Err(ResponseError::NonEmptyGroup);
        }
        self.metadata
            .append(&[Entry::GroupDeleted(group_id.to_owned())])
            .map_err(|_| ResponseError::KafkaStorageError)?;
        group.deleted = true;
        by_id.remove(group_id);
        Ok(())
    }

    /// Forgets the offsets of a deleted topic.
    pub fn forget_topic(&self, topic: &str) {
        for group in self.all() {
            lock(&group).offsets.remove(topic);
        }
    }

    /// Does what is due in every group.
    pub fn tick(&self, now: Instant) {
        let now_ms = now_ms();
        for group in self.all() {
            let mut group = lock(&group);
            group.tick(now);
            self.store(&mut group, now_ms);
        }
    }
}
