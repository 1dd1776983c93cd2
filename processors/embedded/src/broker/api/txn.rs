//! The requests of transactional producers.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use kafka_protocol::messages::add_offsets_to_txn_response::AddOffsetsToTxnResponse;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnRequest;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::end_txn_request::EndTxnRequest;
use kafka_protocol::messages::end_txn_response::EndTxnResponse;
use kafka_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use kafka_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use kafka_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequest;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};

use super::code;
use super::offsets::check_offset;
use crate::broker::coordinator::offsets::Committer;
use crate::broker::core::Core;
use crate::broker::storage::metastate::{CommittedOffset, Offsets};
use crate::broker::util::now_ms;

/// Clients that do not know `PRODUCER_FENCED` are told the same by another code.
fn for_version<T>(
    result: Result<T, ResponseError>,
    version: i16,
    knows_fenced_from: i16,
) -> Result<T, ResponseError> {
    match result {
        Err(ResponseError::ProducerFenced) if version < knows_fenced_from => {
            Err(ResponseError::InvalidProducerEpoch)
        }
        other => other,
    }
}

async fn settled<T>(core: &Core, result: Result<T, ResponseError>) -> Result<T, ResponseError> {
    let value = result?;
    core.flusher.settled().await.map_err(|_| ResponseError::CoordinatorNotAvailable)?;
    Ok(value)
}

/// Gives out a producer id, and for a transactional one ends what its predecessor left.
pub(crate) async fn init(
    core: &Arc<Core>,
    request: InitProducerIdRequest,
    version: i16,
) -> InitProducerIdResponse {
    let result = match &request.transactional_id {
        None => core.txns.new_producer_id().map(|id| (id, 0)),
        Some(id) => {
            core.txns.init(id, request.transaction_timeout_ms, request.producer_id.0, request.producer_epoch)
        }
    };
    let result = for_version(settled(core, result).await, version, 4);
    let mut response = InitProducerIdResponse::default();
    response.error_code = code(&result);
    let (id, epoch) = result.unwrap_or((-1, -1));
    response.producer_id = ProducerId(id);
    response.producer_epoch = epoch;
    response
}

/// Adds partitions to a transaction: all of them or none.
pub(crate) async fn add_partitions(
    core: &Arc<Core>,
    request: AddPartitionsToTxnRequest,
    version: i16,
) -> AddPartitionsToTxnResponse {
    let topics = &request.v3_and_below_topics;
    let all: Vec<(String, i32)> = topics
        .iter()
        .flat_map(|t| t.partitions.iter().map(move |partition| (t.name.to_string(), *partition)))
        .collect();
    let exists = |topic: &str, partition: i32| core.topics.partition(topic, partition).is_some();
    let all_exist = all.iter().all(|(topic, partition)| exists(topic, *partition));
    let result = if all_exist {
        let added = core.txns.add_partitions(
            &request.v3_and_below_transactional_id,
            request.v3_and_below_producer_id.0,
            request.v3_and_below_producer_epoch,
            all,
        );
        for_version(settled(core, added).await, version, 2)
    } else {
        Err(ResponseError::OperationNotAttempted)
    };
    let mut response = AddPartitionsToTxnResponse::default();
    for topic in topics {
        let mut answer = AddPartitionsToTxnTopicResult::default();
        answer.name = topic.name.clone();
        for partition in &topic.partitions {
            let mut result_of = AddPartitionsToTxnPartitionResult::default();
            result_of.partition_index = *partition;
            result_of.partition_error_code = if exists(&topic.name, *partition) {
                code(&result)
            } else {
                ResponseError::UnknownTopicOrPartition.code()
            };
            answer.results_by_partition.push(result_of);
        }
        response.results_by_topic_v3_and_below.push(answer);
    }
    response
}

/// Announces offsets of a group.
pub(crate) async fn add_offsets(
    core: &Arc<Core>,
    request: AddOffsetsToTxnRequest,
    version: i16,
) -> AddOffsetsToTxnResponse {
    let result =
        core.txns.add_offsets(&request.transactional_id, request.producer_id.0, request.producer_epoch);
    let result = for_version(settled(core, result).await, version, 2);
    let mut response = AddOffsetsToTxnResponse::default();
    response.error_code = code(&result);
    response
}

/// Puts offsets of a group into a transaction.
pub(crate) async fn commit_offsets(
    core: &Arc<Core>,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let mut offsets = Offsets::new();
    let mut response = TxnOffsetCommitResponse::default();
    let commit_ms = now_ms();
    for topic in &request.topics {
        let mut answer = TxnOffsetCommitResponseTopic::default();
        answer.name = topic.name.clone();
        for asked in &topic.partitions {
            let metadata = asked.committed_metadata.as_deref().unwrap_or_default();
            let checked = check_offset(core, &topic.name, asked.partition_index, metadata);
            let mut partition = TxnOffsetCommitResponsePartition::default();
            partition.partition_index = asked.partition_index;
            partition.error_code = code(&checked);
            answer.partitions.push(partition);
            if checked.is_ok() {
                let offset = CommittedOffset {
                    offset: asked.committed_offset,
                    leader_epoch: asked.committed_leader_epoch,
                    metadata: metadata.to_owned(),
                    commit_ms,
                    expires_ms: None,
                };
                let of_topic = offsets.entry(topic.name.to_string()).or_default();
                of_topic.insert(asked.partition_index, offset);
            }
        }
        response.topics.push(answer);
    }
    let committer = Committer {
        generation: request.generation_id,
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
    };
    let result = core.txns.commit_offsets(
        &request.transactional_id,
        request.producer_id.0,
        request.producer_epoch,
        &request.group_id,
        committer,
        offsets,
    );
    // No version of this answer knows PRODUCER_FENCED.
    let result = for_version(settled(core, result).await, 0, 1);
    if let Err(error) = result {
        for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.error_code == 0 {
                partition.error_code = error.code();
            }
        }
    }
    response
}

/// Commits or aborts.
pub(crate) async fn end(core: &Arc<Core>, request: EndTxnRequest, version: i16) -> EndTxnResponse {
    let result = core.txns.end(
        &request.transactional_id,
        request.producer_id.0,
        request.producer_epoch,
        request.committed,
    );
    let result = for_version(settled(core, result).await, version, 2);
    let mut response = EndTxnResponse::default();
    response.error_code = code(&result);
    response
}
