//! Joining a group and the rebalance that follows, up to the point where the leader assigns.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;

use super::group::{Group, GroupState, JoinFailed, JoinReply, Joined, Member};

/// What a client says when it joins.
#[derive(Debug, Clone)]
pub(crate) struct JoinRequest {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocol_type: String,
    pub protocols: Vec<(String, Bytes)>,
    /// Whether the client can be asked to come back with the id it is given.
    pub id_first: bool,
    /// Whether the client can be told that it leads and need not assign.
    pub can_skip_assignment: bool,
}

fn fail(reply: oneshot::Sender<JoinReply>, error: ResponseError, member_id: &str) {
    let _ = reply.send(Err(JoinFailed { error, member_id: member_id.to_owned() }));
}

impl Group {
    /// Takes a join; it is answered at once or when the rebalance is over.
    pub fn join(
        &mut self,
        mut request: JoinRequest,
        initial_delay: Duration,
        now: Instant,
        reply: oneshot::Sender<JoinReply>,
    ) {
        let member_id = request.member_id.clone();
        if !self.accepts_protocols(&request) {
            return fail(reply, ResponseError::InconsistentGroupProtocol, &member_id);
        }
        if self.state == GroupState::Empty && self.members.is_empty() && !initial_delay.is_zero() {
            self.not_before = Some(now + initial_delay);
        }
        if let Some(instance) = request.instance_id.clone() {
            match self.static_member(&instance) {
                Some(known) if member_id.is_empty() => {
                    return self.rejoin_static(&known, request, now, reply);
                }
                Some(known) if known != member_id => {
                    return fail(reply, ResponseError::FencedInstanceId, &member_id);
                }
                None if !member_id.is_empty() => {
                    return fail(reply, ResponseError::UnknownMemberId, &member_id);
                }
                _ => {}
            }
        }
        if member_id.is_empty() {
            request.member_id = new_member_id(&request);
            if request.id_first && request.instance_id.is_none() {
                self.pending.insert(request.member_id.clone(), now + request.session_timeout);
                return fail(reply, ResponseError::MemberIdRequired, &request.member_id);
            }
            return self.add(request, now, reply);
        }
        if self.pending.remove(&member_id).is_some() {
            return self.add(request, now, reply);
        }
        if !self.members.contains_key(&member_id) {
            return fail(reply, ResponseError::UnknownMemberId, &member_id);
        }
        self.rejoin(request, now, reply);
    }

    fn accepts_protocols(&self, request: &JoinRequest) -> bool {
        if request.protocols.is_empty() || request.protocol_type.is_empty() {
            return false;
        }
        let others = || self.members.values().filter(|member| member.id != request.member_id);
        if others().next().is_none() {
            return true;
        }
        self.protocol_type == request.protocol_type
            && request.protocols.iter().any(|(name, _)| {
                others().all(|member| member.protocols.iter().any(|(known, _)| known == name))
            })
    }

    fn add(&mut self, request: JoinRequest, now: Instant, reply: oneshot::Sender<JoinReply>) {
        self.protocol_type.clone_from(&request.protocol_type);
        let member = Member {
            id: request.member_id.clone(),
            instance_id: request.instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            protocols: own(request.protocols),
            assignment: Bytes::new(),
            joining: Some(reply),
            syncing: None,
            synced: false,
            last_seen: now,
        };
        self.members.insert(member.id.clone(), member);
        self.rebalance(now);
    }

    fn rejoin(&mut self, request: JoinRequest, now: Instant, reply: oneshot::Sender<JoinReply>) {
        let id = request.member_id.clone();
        let is_leader = self.leader.as_deref() == Some(id.as_str());
        let state = self.state;
        let Some(member) = self.members.get_mut(&id) else {
            return fail(reply, ResponseError::UnknownMemberId, &id);
        };
        let same = member.protocols == request.protocols;
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.last_seen = now;
        let repeated = match state {
            GroupState::CompletingRebalance => same,
            // The leader joins again when it sees that the assignment must change.
            GroupState::Stable => same && !is_leader,
            GroupState::PreparingRebalance | GroupState::Empty => false,
        };
        if repeated {
            let _ = reply.send(Ok(self.joined_for(&id)));
            return;
        }
        member.protocols = own(request.protocols);
        if let Some(older) = member.joining.replace(reply) {
            fail(older, ResponseError::RebalanceInProgress, &id);
        }
        self.rebalance(now);
    }

    /// A static member came back under a new id: whoever holds the old one is fenced.
    fn rejoin_static(
        &mut self,
        old_id: &str,
        mut request: JoinRequest,
        now: Instant,
        reply: oneshot::Sender<JoinReply>,
    ) {
        let Some(mut member) = self.members.remove(old_id) else {
            return fail(reply, ResponseError::UnknownMemberId, old_id);
        };
        request.member_id = new_member_id(&request);
        if let Some(older) = member.joining.take() {
            fail(older, ResponseError::FencedInstanceId, old_id);
        }
        if let Some(older) = member.syncing.take() {
            let _ = older.send(Err(ResponseError::FencedInstanceId));
        }
        let was_leader = self.leader.as_deref() == Some(old_id);
        if was_leader {
            self.leader = Some(request.member_id.clone());
        }
        let id = request.member_id.clone();
        member.id.clone_from(&id);
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.last_seen = now;
        member.protocols = own(request.protocols);
        self.members.insert(id.clone(), member);
        // What the protocol's metadata says may differ: it also holds what the member owned before.
        let keeps_assignment = self.state == GroupState::Stable && self.vote() == self.protocol;
        if !keeps_assignment {
            if let Some(member) = self.members.get_mut(&id) {
                member.joining = Some(reply);
            }
            return self.rebalance(now);
        }
        self.dirty = true;
        let mut joined = self.joined_for(&id);
        if was_leader && request.can_skip_assignment {
            joined.skip_assignment = true;
        } else if was_leader {
            // It would assign anew if it knew that it leads; what it sends then would be ignored.
            joined.leader = old_id.to_owned();
            joined.members.clear();
        }
        let _ = reply.send(Ok(joined));
    }

    fn rebalance(&mut self, now: Instant) {
        if self.state == GroupState::PreparingRebalance {
            self.complete_join_if_ready(now);
        } else {
            self.prepare_rebalance(now);
        }
    }

    /// Calls everybody to join again.
    pub fn prepare_rebalance(&mut self, now: Instant) {
        for member in self.members.values_mut() {
            if let Some(reply) = member.syncing.take() {
                let _ = reply.send(Err(ResponseError::RebalanceInProgress));
            }
            member.synced = false;
        }
        self.state = GroupState::PreparingRebalance;
        self.empty_since_ms = None;
        let longest = self.members.values().map(|member| member.rebalance_timeout).max();
        self.deadline = Some(now + longest.unwrap_or_default());
        self.complete_join_if_ready(now);
    }

    /// Ends the join when nobody is missing.
    pub fn complete_join_if_ready(&mut self, now: Instant) {
        let waited = self.not_before.is_none_or(|until| until <= now);
        let here = self.members.values().all(|member| member.joining.is_some());
        if waited && here && self.pending.is_empty() {
            self.complete_join(now);
        }
    }

    /// Starts the next generation with those who are there.
    pub fn complete_join(&mut self, now: Instant) {
        self.not_before = None;
        self.generation = self.generation.wrapping_add(1).max(1);
        if self.members.is_empty() {
            self.state = GroupState::Empty;
            self.protocol = None;
            self.leader = None;
            self.deadline = None;
            self.dirty = true;
            return;
        }
        self.protocol = self.vote();
        let leader_is_here = self.leader.as_ref().is_some_and(|id| self.members.contains_key(id));
        if !leader_is_here {
            let joined = self.members.values().find(|member| member.joining.is_some());
            self.leader = joined.or(self.members.values().next()).map(|member| member.id.clone());
        }
        self.state = GroupState::CompletingRebalance;
        let longest = self.members.values().map(|member| member.rebalance_timeout).max();
        self.deadline = Some(now + longest.unwrap_or_default());
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined_for(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.synced = false;
                member.last_seen = now;
                if let Some(reply) = member.joining.take() {
                    let _ = reply.send(Ok(joined));
                }
            }
        }
    }

    /// The protocol that everybody knows and most prefer.
    fn vote(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let common: Vec<&str> = first
            .protocols
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| self.members.values().all(|m| m.protocols.iter().any(|(known, _)| known == name)))
            .collect();
        let votes = |candidate: &str| {
            let favourite = |member: &&Member| {
                member
                    .protocols
                    .iter()
                    .find(|(name, _)| common.contains(&name.as_str()))
                    .is_some_and(|(name, _)| name == candidate)
            };
            self.members.values().filter(favourite).count()
        };
        // Of equal ones the first member's preference wins, hence the reverse order.
        common.iter().rev().max_by_key(|name| votes(name)).map(|name| (*name).to_owned())
    }

    fn joined_for(&self, member_id: &str) -> Joined {
        let is_leader = self.leader.as_deref() == Some(member_id);
        let members = if is_leader {
            self.members
                .values()
                .map(|member| {
                    let metadata = member.metadata(self.protocol.as_deref());
                    (member.id.clone(), member.instance_id.clone(), metadata)
                })
                .collect()
        } else {
            Vec::new()
        };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            member_id: member_id.to_owned(),
            members,
            skip_assignment: false,
        }
    }
}

fn new_member_id(request: &JoinRequest) -> String {
    let name = request.instance_id.as_deref().unwrap_or(&request.client_id);
    format!("{name}-{}", uuid::Uuid::new_v4())
}

/// Copies what is kept out of the request's shared buffer.
fn own(protocols: Vec<(String, Bytes)>) -> Vec<(String, Bytes)> {
    protocols.into_iter().map(|(name, metadata)| (name, Bytes::copy_from_slice(&metadata))).collect()
}
