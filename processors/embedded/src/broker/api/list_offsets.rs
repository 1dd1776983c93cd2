//! ListOffsets and OffsetForLeaderEpoch: where a log begins and ends, and what lies at a time.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use crate::broker::core::Core;
use crate::broker::storage::batch::LEADER_EPOCH;
use crate::broker::storage::partition::Partition;
use crate::broker::topics::Topic;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// Of what lies on this broker's disk, and of what was moved elsewhere, which nothing ever is.
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const READ_COMMITTED: i8 = 1;

/// Answers with timestamp and offset per partition.
pub(crate) fn list_offsets(
    core: &Arc<Core>,
    request: ListOffsetsRequest,
    version: i16,
) -> ListOffsetsResponse {
    let committed = request.isolation_level == READ_COMMITTED;
    let mut response = ListOffsetsResponse::default();
    for topic in request.topics {
        let mut answer = ListOffsetsTopicResponse::default();
        for asked in &topic.partitions {
            let result = core
                .topics
                .partition(&topic.name, asked.partition_index)
                .ok_or(ResponseError::UnknownTopicOrPartition)
                .and_then(|(topic, partition)| look_up(&topic, &partition, asked.timestamp, committed));
            let mut partition = ListOffsetsPartitionResponse::default();
            partition.partition_index = asked.partition_index;
            partition.timestamp = -1;
            partition.offset = -1;
            partition.leader_epoch = -1;
            match result {
                Ok(Some((timestamp, offset))) => {
                    partition.timestamp = timestamp;
                    partition.offset = offset;
                    if version >= 4 {
                        partition.leader_epoch = LEADER_EPOCH;
                    }
                }
                Ok(None) => {}
                Err(error) => partition.error_code = error.code(),
            }
            answer.partitions.push(partition);
        }
        answer.name = topic.name;
        response.topics.push(answer);
    }
    response
}

fn look_up(
    topic: &Topic,
    partition: &Partition,
    timestamp: i64,
    committed: bool,
) -> Result<Option<(i64, i64)>, ResponseError> {
    let (start, end) = {
        let log = partition.log();
        (log.log_start, if committed { log.last_stable_offset() } else { log.next_offset() })
    };
    match timestamp {
        EARLIEST | EARLIEST_LOCAL => Ok(Some((-1, start))),
        LATEST_TIERED => Ok(None),
        LATEST => Ok(Some((-1, end))),
        MAX_TIMESTAMP => {
            // The lock is given back before the look-up takes it.
            let greatest = partition.log().segments.iter().map(|segment| segment.max_timestamp).max();
            match greatest {
                // Of several records with it the first, as Apache Kafka answers.
                Some(at) if at >= 0 => partition.offset_at(at, end, topic.settings.max_records_bytes()),
                _ => Ok(None),
            }
        }
        timestamp if timestamp < 0 => Err(ResponseError::UnsupportedVersion),
        timestamp => partition.offset_at(timestamp, end, topic.settings.max_records_bytes()),
    }
}

/// Answers with the end of the one epoch there is.
pub(crate) fn leader_epochs(
    core: &Arc<Core>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let mut response = OffsetForLeaderEpochResponse::default();
    for topic in request.topics {
        let mut answer = OffsetForLeaderTopicResult::default();
        for asked in &topic.partitions {
            let mut end = EpochEndOffset::default();
            end.partition = asked.partition;
            end.leader_epoch = -1;
            end.end_offset = -1;
            match core.topics.partition(&topic.topic, asked.partition) {
                None => end.error_code = ResponseError::UnknownTopicOrPartition.code(),
                Some(_) if asked.current_leader_epoch > LEADER_EPOCH => {
                    end.error_code = ResponseError::UnknownLeaderEpoch.code();
                }
                Some((_, partition)) if asked.leader_epoch >= LEADER_EPOCH => {
                    end.leader_epoch = LEADER_EPOCH;
                    end.end_offset = partition.log().next_offset();
                }
                Some(_) => {}
            }
            answer.partitions.push(end);
        }
        answer.topic = topic.topic;
        response.topics.push(answer);
    }
    response
}
