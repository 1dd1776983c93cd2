//! OffsetCommit, OffsetFetch, OffsetDelete.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequest;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequest;
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequest;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};

use super::code;
use crate::broker::coordinator::offsets::{Committer, OffsetAnswer};
use crate::broker::core::Core;
use crate::broker::storage::metastate::{CommittedOffset, Offsets};
use crate::broker::util::{lock, now_ms, text};

/// The longest note that may be kept with an offset.
const MAX_METADATA_BYTES: usize = 4096;

/// Why an offset cannot be kept, whoever commits it.
pub(crate) fn check_offset(
    core: &Core,
    topic: &str,
    partition: i32,
    metadata: &str,
) -> Result<(), ResponseError> {
    if core.topics.partition(topic, partition).is_none() {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    if metadata.len() > MAX_METADATA_BYTES {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(())
}

/// Commits offsets of a group.
pub(crate) async fn commit(core: &Arc<Core>, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let mut offsets = Offsets::new();
    let mut response = OffsetCommitResponse::default();
    let commit_ms = now_ms();
    // Clients of Kafka before 2.1 say how long they want an offset to be kept; -1 leaves it to the broker.
    let expires_ms =
        (request.retention_time_ms >= 0).then(|| commit_ms.saturating_add(request.retention_time_ms));
    for topic in &request.topics {
        let mut answer = OffsetCommitResponseTopic::default();
        answer.name = topic.name.clone();
        for asked in &topic.partitions {
            let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
            let checked = check_offset(core, &topic.name, asked.partition_index, metadata);
            let mut partition = OffsetCommitResponsePartition::default();
            partition.partition_index = asked.partition_index;
            partition.error_code = code(&checked);
            answer.partitions.push(partition);
            if checked.is_ok() {
                let offset = CommittedOffset {
                    offset: asked.committed_offset,
                    leader_epoch: asked.committed_leader_epoch,
                    metadata: metadata.to_owned(),
                    commit_ms,
                    expires_ms,
                };
                let of_topic = offsets.entry(topic.name.to_string()).or_default();
                of_topic.insert(asked.partition_index, offset);
            }
        }
        response.topics.push(answer);
    }
    let committer = Committer {
        generation: request.generation_id_or_member_epoch,
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
    };
    let mut result = core.groups.commit(&request.group_id, committer, offsets);
    if core.flusher.settled().await.is_err() {
        result = Err(ResponseError::KafkaStorageError);
    }
    if let Err(error) = result {
        for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.error_code == 0 {
                partition.error_code = error.code();
            }
        }
    }
    response
}

struct Found {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: String,
    error_code: i16,
}

/// Offsets of a group: of the partitions asked for, or of all it has any of.
fn find(
    core: &Core,
    group_id: &str,
    asked: Option<Vec<(String, Vec<i32>)>>,
    require_stable: bool,
) -> Vec<(String, Vec<Found>)> {
    let group = core.groups.get(group_id);
    let group = group.as_ref().map(|group| lock(group));
    let asked = asked
        .unwrap_or_else(|| group.as_ref().map(|group| group.partitions_with_offsets()).unwrap_or_default());
    let nothing = |partition, error_code| Found {
        partition,
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
        error_code,
    };
    asked
        .into_iter()
        .map(|(topic, partitions)| {
            let found = partitions.into_iter().map(|partition| {
                let answer = group
                    .as_ref()
                    .map_or(OffsetAnswer::Nothing, |group| group.offset(&topic, partition, require_stable));
                match answer {
                    OffsetAnswer::Nothing => nothing(partition, 0),
                    OffsetAnswer::Unstable => nothing(partition, ResponseError::UnstableOffsetCommit.code()),
                    OffsetAnswer::Committed(committed) => Found {
                        partition,
                        offset: committed.offset,
                        leader_epoch: committed.leader_epoch,
                        metadata: committed.metadata,
                        error_code: 0,
                    },
                }
            });
            let found = found.collect();
            (topic, found)
        })
        .collect()
}

/// Reads offsets of one group, or since version 8 of several.
pub(crate) fn fetch(core: &Arc<Core>, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let mut response = OffsetFetchResponse::default();
    let stable = request.require_stable;
    if version < 8 {
        let asked = request
            .topics
            .map(|topics| topics.into_iter().map(|t| (t.name.to_string(), t.partition_indexes)).collect());
        for (name, found) in find(core, &request.group_id, asked, stable) {
            let mut topic = OffsetFetchResponseTopic::default();
            topic.name = TopicName(text(name));
            for found in found {
                let mut partition = OffsetFetchResponsePartition::default();
                partition.partition_index = found.partition;
                partition.committed_offset = found.offset;
                partition.committed_leader_epoch = found.leader_epoch;
                partition.metadata = Some(text(found.metadata));
                partition.error_code = found.error_code;
                topic.partitions.push(partition);
            }
            response.topics.push(topic);
        }
        return response;
    }
    for group in request.groups {
        let mut answer = OffsetFetchResponseGroup::default();
        let asked = group
            .topics
            .map(|topics| topics.into_iter().map(|t| (t.name.to_string(), t.partition_indexes)).collect());
        for (name, found) in find(core, &group.group_id, asked, stable) {
            let mut topic = OffsetFetchResponseTopics::default();
            topic.name = TopicName(text(name));
            for found in found {
                let mut partition = OffsetFetchResponsePartitions::default();
                partition.partition_index = found.partition;
                partition.committed_offset = found.offset;
                partition.committed_leader_epoch = found.leader_epoch;
                partition.metadata = Some(text(found.metadata));
                partition.error_code = found.error_code;
                topic.partitions.push(partition);
            }
            answer.topics.push(topic);
        }
        answer.group_id = group.group_id;
        response.groups.push(answer);
    }
    response
}

/// Deletes offsets of a group, of topics that none of its members subscribes to.
pub(crate) async fn delete(core: &Arc<Core>, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let mut response = OffsetDeleteResponse::default();
    let mut partitions = Vec::new();
    for topic in &request.topics {
        let mut answer = OffsetDeleteResponseTopic::default();
        answer.name = topic.name.clone();
        for asked in &topic.partitions {
            let mut partition = OffsetDeleteResponsePartition::default();
            partition.partition_index = asked.partition_index;
            if core.topics.partition(&topic.name, asked.partition_index).is_some() {
                partitions.push((topic.name.to_string(), asked.partition_index));
            } else {
                partition.error_code = ResponseError::UnknownTopicOrPartition.code();
            }
            answer.partitions.push(partition);
        }
        response.topics.push(answer);
    }
    let mut result = core.groups.delete_offsets(&request.group_id, partitions);
    if core.flusher.settled().await.is_err() {
        result = Err(ResponseError::KafkaStorageError);
    }
    response.error_code = code(&result);
    match result {
        Ok(results) => {
            let known = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            let known = known.filter(|partition| partition.error_code == 0);
            for (partition, result) in known.zip(results) {
                partition.error_code = code(&result);
            }
        }
        Err(_) => response.topics.clear(),
    }
    response
}
