//! A consumer group: its members, its generation and the state it is in.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use crate::broker::storage::metastate::{Offsets, StoredGroup, StoredMember};

/// The states of the classic group protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl GroupState {
    /// The name that Kafka's tools show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// What a member is told when a join is over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Joined {
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: Option<String>,
    pub leader: String,
    pub member_id: String,
    /// Only for the leader: id, instance id and metadata of every member.
    pub members: Vec<(String, Option<String>, Bytes)>,
    pub skip_assignment: bool,
}

/// What a member is told when the assignment is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Synced {
    pub protocol_type: String,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

/// A join that failed, with the id to join with where there is one.
#[derive(Debug, Clone)]
pub(crate) struct JoinFailed {
    pub error: ResponseError,
    pub member_id: String,
}

pub(crate) type JoinReply = Result<Joined, JoinFailed>;
pub(crate) type SyncReply = Result<Synced, ResponseError>;

/// A member of a group.
#[derive(Debug)]
pub(crate) struct Member {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    pub joining: Option<oneshot::Sender<JoinReply>>,
    pub syncing: Option<oneshot::Sender<SyncReply>>,
    pub synced: bool,
    pub last_seen: Instant,
}

impl Member {
    /// Whether the member waits for an answer; one that hung up does not.
    fn waits(&self) -> bool {
        self.joining.as_ref().is_some_and(|reply| !reply.is_closed())
            || self.syncing.as_ref().is_some_and(|reply| !reply.is_closed())
    }

    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        self.protocols
            .iter()
            .find(|(name, _)| Some(name.as_str()) == protocol)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }
}

/// A consumer group.
#[derive(Debug)]
pub(crate) struct Group {
    pub id: String,
    pub state: GroupState,
    pub generation: i32,
    pub protocol_type: String,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Ids that were given out and not yet used, with the time they are given up.
    pub pending: HashMap<String, Instant>,
    /// When the running phase of a rebalance goes on without those who are missing.
    pub deadline: Option<Instant>,
    /// A first rebalance waits until then even when everybody known is there.
    pub not_before: Option<Instant>,
    pub offsets: Offsets,
    /// Offsets of transactions that are not decided, by producer id.
    pub undecided: HashMap<i64, Offsets>,
    /// Since when a group that had members has none, once that was noted.
    pub empty_since_ms: Option<i64>,
    /// The assignment changed and is not stored yet.
    pub dirty: bool,
    pub deleted: bool,
}

impl Group {
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: GroupState::Empty,
            generation: 0,
            protocol_type: String::new(),
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            pending: HashMap::new(),
            deadline: None,
            not_before: None,
            offsets: Offsets::new(),
            undecided: HashMap::new(),
            empty_since_ms: None,
            dirty: false,
            deleted: false,
        }
    }

    /// A group as it was before a restart; its members get their whole session timeout again.
    pub fn restored(id: &str, stored: &StoredGroup, now: Instant) -> Self {
        let mut group = Self::new(id);
        group.generation = stored.generation;
        group.protocol_type.clone_from(&stored.protocol_type);
        group.protocol.clone_from(&stored.protocol);
        group.leader.clone_from(&stored.leader);
        for member in &stored.members {
            let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
            let restored = Member {
                id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                session_timeout: millis(member.session_timeout_ms),
                rebalance_timeout: millis(member.rebalance_timeout_ms),
                protocols: member
                    .protocols
                    .iter()
                    .map(|(name, metadata)| (name.clone(), Bytes::from(metadata.clone())))
                    .collect(),
                assignment: Bytes::from(member.assignment.clone()),
                joining: None,
                syncing: None,
                synced: true,
                last_seen: now,
            };
            group.members.insert(member.id.clone(), restored);
        }
        if group.members.is_empty() {
            group.empty_since_ms = stored.empty_since_ms;
        } else {
            group.state = GroupState::Stable;
        }
        group
    }

    /// What is kept of the group over a restart.
    pub fn stored(&self) -> StoredGroup {
        let millis = |d: Duration| i32::try_from(d.as_millis()).unwrap_or(i32::MAX);
        StoredGroup {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: self
                .members
                .values()
                .map(|member| StoredMember {
                    id: member.id.clone(),
                    instance_id: member.instance_id.clone(),
                    client_id: member.client_id.clone(),
                    client_host: member.client_host.clone(),
                    session_timeout_ms: millis(member.session_timeout),
                    rebalance_timeout_ms: millis(member.rebalance_timeout),
                    protocols: member
                        .protocols
                        .iter()
                        .map(|(name, metadata)| (name.clone(), metadata.to_vec()))
                        .collect(),
                    assignment: member.assignment.to_vec(),
                })
                .collect(),
            empty_since_ms: self.empty_since_ms,
        }
    }

    /// The member id of a static member.
    pub fn static_member(&self, instance_id: &str) -> Option<String> {
        self.members
            .values()
            .find(|member| member.instance_id.as_deref() == Some(instance_id))
            .map(|member| member.id.clone())
    }

    /// Checks that a request comes from a member of this generation.
    pub fn check_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if let Some(instance) = instance_id {
            match self.static_member(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(known) if known != member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if !self.members.contains_key(member_id) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(())
    }

    /// Answers a heartbeat.
    pub fn heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check_member(member_id, instance_id, generation)?;
        if let Some(member) = self.members.get_mut(member_id) {
            member.last_seen = now;
        }
        match self.state {
            GroupState::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            GroupState::Empty => Err(ResponseError::UnknownMemberId),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// Answers a sync, at once or when the leader's comes.
    pub fn sync(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
        now: Instant,
        reply: oneshot::Sender<SyncReply>,
    ) {
        if let Err(error) = self.check_member(member_id, instance_id, generation) {
            let _ = reply.send(Err(error));
            return;
        }
        match self.state {
            GroupState::Empty => {
                let _ = reply.send(Err(ResponseError::UnknownMemberId));
            }
            GroupState::PreparingRebalance => {
                let _ = reply.send(Err(ResponseError::RebalanceInProgress));
            }
            GroupState::Stable => {
                let synced = self.synced_for(member_id);
                let _ = reply.send(Ok(synced));
            }
            GroupState::CompletingRebalance => {
                if let Some(member) = self.members.get_mut(member_id) {
                    member.last_seen = now;
                    member.synced = true;
                    member.syncing = Some(reply);
                }
                if self.leader.as_deref() == Some(member_id) {
                    self.assign(assignments, now);
                }
            }
        }
    }

    fn assign(&mut self, assignments: Vec<(String, Bytes)>, now: Instant) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                // The request's buffer is large and shared: keep only these bytes.
                member.assignment = Bytes::copy_from_slice(&assignment);
            }
        }
        self.state = GroupState::Stable;
        self.dirty = true;
        // Members that did not ask yet have until the deadline; afterwards they are gone.
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let synced = self.synced_for(&id);
            if let Some(member) = self.members.get_mut(&id)
                && let Some(reply) = member.syncing.take()
            {
                member.last_seen = now;
                let _ = reply.send(Ok(synced));
            }
        }
    }

    fn synced_for(&mut self, member_id: &str) -> Synced {
        let member = self.members.get_mut(member_id);
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: member
                .map(|member| {
                    member.synced = true;
                    member.assignment.clone()
                })
                .unwrap_or_default(),
        }
    }

    /// Removes a member and starts what its absence demands.
    pub fn remove(&mut self, member_id: &str, now: Instant) -> bool {
        let Some(mut member) = self.members.remove(member_id) else {
            let pending = self.pending.remove(member_id).is_some();
            if pending && self.state == GroupState::PreparingRebalance {
                self.complete_join_if_ready(now);
            }
            return pending;
        };
        if let Some(reply) = member.joining.take() {
            let failed =
                JoinFailed { error: ResponseError::UnknownMemberId, member_id: member_id.to_owned() };
            let _ = reply.send(Err(failed));
        }
        if let Some(reply) = member.syncing.take() {
            let _ = reply.send(Err(ResponseError::UnknownMemberId));
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = None;
        }
        match self.state {
            GroupState::Empty => {}
            GroupState::PreparingRebalance => self.complete_join_if_ready(now),
            GroupState::CompletingRebalance | GroupState::Stable => self.prepare_rebalance(now),
        }
        true
    }

    /// Does what is due: removes members that are silent, and ends phases that took too long.
    pub fn tick(&mut self, now: Instant) {
        let given_up: Vec<String> =
            self.pending.iter().filter(|(_, due)| **due <= now).map(|(id, _)| id.clone()).collect();
        let silent: Vec<String> = self
            .members
            .values()
            .filter(|m| !m.waits() && now.duration_since(m.last_seen) >= m.session_timeout)
            .map(|member| member.id.clone())
            .collect();
        for id in given_up.into_iter().chain(silent) {
            tracing::info!(group = self.id, member = id, "removed a member that fell silent");
            self.remove(&id, now);
        }
        match self.state {
            GroupState::PreparingRebalance => {
                if self.deadline.is_some_and(|due| due <= now) {
                    self.drop_missing(|member| member.joining.is_none());
                    self.pending.clear();
                    self.complete_join(now);
                } else {
                    self.complete_join_if_ready(now);
                }
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                if self.deadline.is_some_and(|due| due <= now) {
                    self.deadline = None;
                    if self.drop_missing(|member| !member.synced) {
                        self.prepare_rebalance(now);
                    }
                }
            }
            GroupState::Empty => {}
        }
    }

    fn drop_missing(&mut self, missing: impl Fn(&Member) -> bool) -> bool {
        let before = self.members.len();
        // Static members may be away for as long as their session lasts.
        self.members.retain(|_, member| !missing(member) || member.instance_id.is_some());
        if self.leader.as_ref().is_some_and(|leader| !self.members.contains_key(leader)) {
            self.leader = None;
        }
        self.members.len() != before
    }

    /// Whether offsets may be deleted with the group.
    pub fn is_unused(&self) -> bool {
        self.state == GroupState::Empty && self.pending.is_empty()
    }
}
