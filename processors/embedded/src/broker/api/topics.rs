//! CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsRequest;
use kafka_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::messages::delete_records_request::DeleteRecordsRequest;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use uuid::Uuid;

use super::configs::{SOURCE_DEFAULT, SOURCE_TOPIC};
use crate::broker::config::SETTINGS;
use crate::broker::core::{Core, NODE_ID};
use crate::broker::storage::metastate::Entry;
use crate::broker::topics::Refused;
use crate::broker::util::text;

/// Creates topics, each by itself.
pub(crate) async fn create(
    core: &Arc<Core>,
    request: CreateTopicsRequest,
    version: i16,
) -> CreateTopicsResponse {
    let mut response = CreateTopicsResponse::default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for topic in &request.topics {
        *seen.entry(topic.name.to_string()).or_default() += 1;
    }
    for topic in request.topics {
        let result = if seen.get(topic.name.as_str()).is_some_and(|times| *times > 1) {
            let message = "the request names this topic more than once";
            Err(Refused::new(ResponseError::InvalidRequest, message))
        } else {
            create_one(core, &topic, request.validate_only)
        };
        let mut answer = CreatableTopicResult::default();
        answer.name = topic.name;
        answer.num_partitions = -1;
        answer.replication_factor = -1;
        match result {
            Ok((id, partitions, overrides)) => {
                answer.topic_id = if version >= 7 { id } else { Uuid::nil() };
                if version >= 5 {
                    answer.num_partitions = partitions;
                    answer.replication_factor = 1;
                    answer.configs = Some(shown(&overrides));
                }
            }
            Err(refused) => {
                answer.error_code = refused.error.code();
                answer.error_message = Some(text(refused.message));
            }
        }
        response.topics.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for topic in &mut response.topics {
            topic.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

fn shown(overrides: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs> {
    let shown = SETTINGS.iter().map(|setting| {
        let mut config = CreatableTopicConfigs::default();
        config.name = text(setting.name);
        let own = overrides.get(setting.name);
        config.value = Some(text(own.map_or(setting.default, String::as_str)));
        config.config_source = if own.is_some() { SOURCE_TOPIC } else { SOURCE_DEFAULT };
        config
    });
    shown.collect()
}

fn create_one(
    core: &Core,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<(Uuid, i32, BTreeMap<String, String>), Refused> {
    let mut overrides = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            let message = format!("'{}' has no value", config.name);
            return Err(Refused::new(ResponseError::InvalidConfig, message));
        };
        overrides.insert(config.name.to_string(), value.to_string());
    }
    let partitions = if topic.assignments.is_empty() {
        if !matches!(topic.replication_factor, -1 | 1) {
            let message = format!(
                "a replication factor of {} is not possible: there is one broker",
                topic.replication_factor
            );
            return Err(Refused::new(ResponseError::InvalidReplicationFactor, message));
        }
        if topic.num_partitions == -1 { core.config.default_partitions } else { topic.num_partitions }
    } else {
        let mut indexes: Vec<i32> = topic.assignments.iter().map(|a| a.partition_index).collect();
        indexes.sort_unstable();
        let consecutive = indexes.iter().enumerate().all(|(n, index)| *index == n as i32);
        let here = topic.assignments.iter().all(|a| a.broker_ids.len() == 1 && a.broker_ids[0].0 == NODE_ID);
        if !consecutive || !here {
            let message = format!("every partition can only be assigned to broker {NODE_ID}");
            return Err(Refused::new(ResponseError::InvalidReplicaAssignment, message));
        }
        indexes.len() as i32
    };
    let (id, partitions) = core.topics.create(&topic.name, partitions, overrides.clone(), validate_only)?;
    Ok((id, partitions, overrides))
}

/// Deletes topics by name, or since version 6 by id.
pub(crate) async fn delete(
    core: &Arc<Core>,
    request: DeleteTopicsRequest,
    version: i16,
) -> DeleteTopicsResponse {
    let mut response = DeleteTopicsResponse::default();
    let asked: Vec<(Option<TopicName>, Uuid)> = if version >= 6 {
        request.topics.into_iter().map(|topic| (topic.name, topic.topic_id)).collect()
    } else {
        request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil())).collect()
    };
    for (name, id) in asked {
        let known = match &name {
            Some(name) => core.topics.get(name),
            None => core.topics.by_id(id),
        };
        let mut answer = DeletableTopicResult::default();
        let result = match &known {
            Some(topic) => core.topics.delete(&topic.name),
            None if name.is_none() => {
                Err(Refused::new(ResponseError::UnknownTopicId, "there is no topic of this id"))
            }
            None => {
                let message = "there is no topic of this name";
                Err(Refused::new(ResponseError::UnknownTopicOrPartition, message))
            }
        };
        match result {
            Ok(()) => {
                if let Some(topic) = &known {
                    core.groups.forget_topic(&topic.name);
                }
            }
            Err(refused) => {
                answer.error_code = refused.error.code();
                answer.error_message = (version >= 5).then(|| text(refused.message));
            }
        }
        if version >= 6 {
            answer.topic_id = known.as_ref().map_or(id, |topic| topic.id);
        }
        answer.name = known.map(|topic| TopicName(text(topic.name.clone()))).or(name);
        response.responses.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for topic in &mut response.responses {
            topic.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

/// Raises numbers of partitions.
pub(crate) async fn add_partitions(
    core: &Arc<Core>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut response = CreatePartitionsResponse::default();
    for topic in request.topics {
        let mut answer = CreatePartitionsTopicResult::default();
        let result = core.topics.add_partitions(&topic.name, topic.count, request.validate_only);
        if let Err(refused) = result {
            answer.error_code = refused.error.code();
            answer.error_message = Some(text(refused.message));
        }
        answer.name = topic.name;
        response.results.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for result in &mut response.results {
            result.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

/// Deletes the records before an offset.
pub(crate) async fn delete_records(core: &Arc<Core>, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let mut response = DeleteRecordsResponse::default();
    for topic in request.topics {
        let mut answer = DeleteRecordsTopicResult::default();
        for asked in &topic.partitions {
            let mut partition = DeleteRecordsPartitionResult::default();
            partition.partition_index = asked.partition_index;
            match delete_before(core, &topic.name, asked.partition_index, asked.offset) {
                Ok(start) => partition.low_watermark = start,
                Err(error) => {
                    partition.low_watermark = -1;
                    partition.error_code = error.code();
                }
            }
            answer.partitions.push(partition);
        }
        answer.name = topic.name;
        response.topics.push(answer);
    }
    if core.flusher.settled().await.is_err() {
        for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

fn delete_before(core: &Core, name: &str, index: i32, offset: i64) -> Result<i64, ResponseError> {
    let (topic, partition) =
        core.topics.partition(name, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    if topic.settings.compact && !topic.settings.delete {
        return Err(ResponseError::PolicyViolation);
    }
    let mut log = partition.log();
    let stable = log.last_stable_offset();
    let offset = if offset == -1 { stable } else { offset };
    if !(0..=stable).contains(&offset) {
        return Err(ResponseError::OffsetOutOfRange);
    }
    if offset > log.log_start {
        let storage = |_| ResponseError::KafkaStorageError;
        let entry = Entry::LogStart(name.to_owned(), index, offset);
        core.metadata.append(&[entry]).map_err(storage)?;
        log.advance_start(offset).map_err(storage)?;
    }
    Ok(log.log_start)
}
