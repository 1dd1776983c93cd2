//! Produce: records into partitions.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest};
use kafka_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};

use crate::broker::core::Core;
use crate::broker::storage::partition::{Partition, Produced};
use crate::broker::storage::validate::validate_produced;
use crate::broker::topics::Topic;
use crate::broker::util::text;

/// Appends the batches of a request.
pub(crate) async fn produce(core: &Arc<Core>, request: ProduceRequest) -> ProduceResponse {
    let mut response = ProduceResponse::default();
    let transactional_id = request.transactional_id.as_ref().map(|id| id.as_str());
    let acks_known = matches!(request.acks, -1..=1);
    for topic_data in request.topic_data {
        let topic = core.topics.get(&topic_data.name);
        let mut answer = TopicProduceResponse::default();
        answer.name = topic_data.name;
        for data in topic_data.partition_data {
            let result = if acks_known {
                append(core, topic.as_ref(), transactional_id, &data)
            } else {
                Err(ResponseError::InvalidRequiredAcks)
            };
            answer.partition_responses.push(partition_answer(data.index, result));
        }
        response.responses.push(answer);
    }
    if let Some(why) = core.flusher.room().why() {
        // Clients try again, and some log why.
        let all = response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
        for partition in all.filter(|it| it.error_code == ResponseError::KafkaStorageError.code()) {
            partition.error_message = Some(text(why.clone()));
        }
    }
    if core.flusher.settled().await.is_err() {
        let partitions = response.responses.iter_mut().flat_map(|t| &mut t.partition_responses);
        for partition in partitions {
            partition.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

fn partition_answer(index: i32, result: Result<Produced, ResponseError>) -> PartitionProduceResponse {
    let mut answer = PartitionProduceResponse::default();
    answer.index = index;
    match result {
        Ok(produced) => {
            answer.base_offset = produced.base_offset;
            answer.log_append_time_ms = produced.log_append_time_ms;
            answer.log_start_offset = produced.log_start;
        }
        Err(error) => {
            answer.error_code = error.code();
            answer.base_offset = -1;
            answer.log_append_time_ms = -1;
            answer.log_start_offset = -1;
        }
    }
    answer
}

fn append(
    core: &Core,
    topic: Option<&Arc<Topic>>,
    transactional_id: Option<&str>,
    data: &PartitionProduceData,
) -> Result<Produced, ResponseError> {
    let unknown = ResponseError::UnknownTopicOrPartition;
    let topic = topic.ok_or(unknown)?;
    let index = usize::try_from(data.index).map_err(|_| unknown)?;
    let partition: &Partition = topic.partitions.get(index).ok_or(unknown)?;
    let bytes = data.records.as_deref().ok_or(ResponseError::InvalidRecord)?;
    if bytes.len() > topic.settings.max_message_bytes {
        return Err(ResponseError::MessageTooLarge);
    }
    let header = validate_produced(bytes, &topic.settings)?;
    let write = || partition.produce(bytes, &header, &topic.settings);
    if !header.is_transactional() {
        return write();
    }
    let id = transactional_id.ok_or(ResponseError::InvalidTxnState)?;
    let place = (topic.name.clone(), data.index);
    core.txns.produce(id, header.producer_id, header.producer_epoch, place, write)
}
