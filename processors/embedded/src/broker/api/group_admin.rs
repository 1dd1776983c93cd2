//! DescribeGroups, ListGroups, DeleteGroups.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::GroupId;
use kafka_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use kafka_protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use kafka_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use kafka_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use kafka_protocol::messages::list_groups_request::ListGroupsRequest;
use kafka_protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};

use super::code;
use crate::broker::coordinator::group::{Group, GroupState};
use crate::broker::core::Core;
use crate::broker::util::{lock, text};

const NOT_ASKED: i32 = i32::MIN;

/// Describes groups; one that does not exist is "Dead".
pub(crate) fn describe(
    core: &Arc<Core>,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let mut response = DescribeGroupsResponse::default();
    for id in request.groups {
        let mut answer = match core.groups.get(&id) {
            Some(group) => described(&lock(&group), version),
            None => {
                let mut absent = DescribedGroup::default();
                absent.group_state = text("Dead");
                if version >= 6 {
                    absent.error_code = ResponseError::GroupIdNotFound.code();
                    absent.error_message = Some(text(format!("there is no group '{}'", *id)));
                }
                absent
            }
        };
        answer.authorized_operations = NOT_ASKED;
        answer.group_id = id;
        response.groups.push(answer);
    }
    response
}

fn described(group: &Group, version: i16) -> DescribedGroup {
    let mut answer = DescribedGroup::default();
    answer.group_state = text(group.state.name());
    answer.protocol_type = text(group.protocol_type.clone());
    if group.state == GroupState::Stable {
        answer.protocol_data = text(group.protocol.clone().unwrap_or_default());
    }
    answer.members = group
        .members
        .values()
        .map(|member| {
            let mut described = DescribedGroupMember::default();
            described.member_id = text(member.id.clone());
            described.group_instance_id = member.instance_id.clone().map(text).filter(|_| version >= 4);
            described.client_id = text(member.client_id.clone());
            described.client_host = text(format!("/{}", member.client_host));
            if group.state == GroupState::Stable {
                described.member_metadata = member.metadata(group.protocol.as_deref());
                described.member_assignment = member.assignment.clone();
            }
            described
        })
        .collect();
    answer
}

/// Lists groups, all or those in the states asked for.
pub(crate) fn list(core: &Arc<Core>, request: &ListGroupsRequest) -> ListGroupsResponse {
    let mut response = ListGroupsResponse::default();
    for group in core.groups.all() {
        let group = lock(&group);
        let state = group.state.name();
        let named = |filters: &[kafka_protocol::protocol::StrBytes], name: &str| {
            filters.is_empty() || filters.iter().any(|filter| filter.eq_ignore_ascii_case(name))
        };
        if !named(&request.states_filter, state) || !named(&request.types_filter, "classic") {
            continue;
        }
        let mut listed = ListedGroup::default();
        listed.group_id = GroupId(text(group.id.clone()));
        listed.protocol_type = text(group.protocol_type.clone());
        listed.group_state = text(state);
        listed.group_type = text("classic");
        response.groups.push(listed);
    }
    response.groups.sort_by(|a, b| a.group_id.as_str().cmp(b.group_id.as_str()));
    response
}

/// Deletes groups without members, with their offsets.
pub(crate) async fn delete(core: &Arc<Core>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    for id in request.groups_names {
        let mut answer = DeletableGroupResult::default();
        answer.error_code = code(&core.groups.delete(&id));
        answer.group_id = id;
        response.results.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for result in &mut response.results {
            result.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}
