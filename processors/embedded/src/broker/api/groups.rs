//! The group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse;
use kafka_protocol::messages::heartbeat_request::HeartbeatRequest;
use kafka_protocol::messages::heartbeat_response::HeartbeatResponse;
use kafka_protocol::messages::join_group_request::JoinGroupRequest;
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_request::LeaveGroupRequest;
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::sync_group_request::SyncGroupRequest;
use kafka_protocol::messages::sync_group_response::SyncGroupResponse;

use super::code;
use crate::broker::coordinator::join::JoinRequest;
use crate::broker::core::{Client, Core};
use crate::broker::util::text;

fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Joins a group; answered when its rebalance is over.
pub(crate) async fn join(
    core: &Arc<Core>,
    client: &Client,
    request: JoinGroupRequest,
    version: i16,
) -> JoinGroupResponse {
    let rebalance_ms = if version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms };
    let join = JoinRequest {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.map(|id| id.to_string()),
        client_id: client.id.clone(),
        client_host: client.host.clone(),
        session_timeout: millis(request.session_timeout_ms),
        rebalance_timeout: millis(rebalance_ms),
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|protocol| (protocol.name.to_string(), protocol.metadata))
            .collect(),
        id_first: version >= 4,
        can_skip_assignment: version >= 9,
    };
    let mut response = JoinGroupResponse::default();
    match core.groups.join(&request.group_id, join).await {
        Ok(joined) => {
            response.generation_id = joined.generation;
            response.protocol_type = (version >= 7).then(|| text(joined.protocol_type));
            response.protocol_name = joined.protocol.map(text);
            response.leader = text(joined.leader);
            response.member_id = text(joined.member_id);
            response.skip_assignment = joined.skip_assignment && version >= 9;
            response.members = joined
                .members
                .into_iter()
                .map(|(id, instance_id, metadata)| {
                    let mut member = JoinGroupResponseMember::default();
                    member.member_id = text(id);
                    member.group_instance_id = instance_id.map(text).filter(|_| version >= 5);
                    member.metadata = metadata;
                    member
                })
                .collect();
        }
        Err(failed) => {
            response.error_code = failed.error.code();
            response.generation_id = -1;
            response.member_id = text(failed.member_id);
            // Before version 7 the name cannot be absent.
            response.protocol_name = (version < 7).then(|| text(""));
        }
    }
    response
}

/// Gives or gets the assignment.
pub(crate) async fn sync(core: &Arc<Core>, request: SyncGroupRequest) -> SyncGroupResponse {
    let assignments = request
        .assignments
        .into_iter()
        .map(|assignment| (assignment.member_id.to_string(), assignment.assignment))
        .collect();
    let result = core
        .groups
        .sync(
            &request.group_id,
            &request.member_id,
            request.group_instance_id.as_deref(),
            request.generation_id,
            assignments,
        )
        .await;
    let mut response = SyncGroupResponse::default();
    match result {
        Ok(synced) => {
            response.protocol_type = Some(text(synced.protocol_type));
            response.protocol_name = synced.protocol.map(text);
            response.assignment = synced.assignment;
        }
        Err(error) => response.error_code = error.code(),
    }
    response
}

/// Keeps a member alive.
pub(crate) fn heartbeat(core: &Arc<Core>, request: &HeartbeatRequest) -> HeartbeatResponse {
    let result = core.groups.heartbeat(
        &request.group_id,
        &request.member_id,
        request.group_instance_id.as_deref(),
        request.generation_id,
    );
    let mut response = HeartbeatResponse::default();
    response.error_code = code(&result);
    response
}

/// Tells a consumer of the newer protocol that there is the classic one only.
pub(crate) fn refused() -> ConsumerGroupHeartbeatResponse {
    let mut response = ConsumerGroupHeartbeatResponse::default();
    response.error_code = ResponseError::UnsupportedVersion.code();
    response.error_message =
        Some(text("this broker knows the classic group protocol only: group.protocol=classic"));
    response
}

/// Removes members that say good-bye.
pub(crate) async fn leave(core: &Arc<Core>, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let mut response = LeaveGroupResponse::default();
    if version < 3 {
        let result = core.groups.leave(&request.group_id, &request.member_id, None);
        response.error_code = code(&result);
        return response;
    }
    for member in request.members {
        let instance_id = member.group_instance_id.as_deref();
        let result = core.groups.leave(&request.group_id, &member.member_id, instance_id);
        let mut answer = MemberResponse::default();
        answer.member_id = member.member_id.clone();
        answer.group_instance_id.clone_from(&member.group_instance_id);
        answer.error_code = code(&result);
        response.members.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        response.error_code = ResponseError::KafkaStorageError.code();
    }
    response
}
