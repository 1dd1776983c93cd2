//! Metadata, DescribeCluster and FindCoordinator: the one broker, and its topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};
use kafka_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::messages::metadata_request::MetadataRequest;
use kafka_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, TopicName};

use crate::broker::core::{Client, Core, NODE_ID};
use crate::broker::storage::batch::LEADER_EPOCH;
use crate::broker::topics::Topic;
use crate::broker::util::text;

/// "Authorized operations" when nobody asked for them.
const NOT_ASKED: i32 = i32::MIN;
/// Every operation: there is no authorization.
const ALL_CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
const ALL_TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;

/// Answers with the topics that were asked for, or all of them.
pub(crate) fn metadata(
    core: &Arc<Core>,
    client: &Client,
    request: MetadataRequest,
    version: i16,
) -> MetadataResponse {
    let mut response = MetadataResponse::default();
    let mut broker = MetadataResponseBroker::default();
    broker.node_id = BrokerId(NODE_ID);
    broker.host = text(client.advertised.host.clone());
    broker.port = i32::from(client.advertised.port);
    response.brokers.push(broker);
    response.cluster_id = Some(text(core.cluster_id.clone()));
    response.controller_id = BrokerId(NODE_ID);
    let cluster = request.include_cluster_authorized_operations && (8..=10).contains(&version);
    response.cluster_authorized_operations = if cluster { ALL_CLUSTER_OPERATIONS } else { NOT_ASKED };
    let operations =
        if request.include_topic_authorized_operations { ALL_TOPIC_OPERATIONS } else { NOT_ASKED };

    let asked = match request.topics {
        // The oldest version has no other way to say "all".
        Some(topics) if version == 0 && topics.is_empty() => None,
        other => other,
    };
    let Some(asked) = asked else {
        response.topics = core.topics.all().iter().map(|t| described(t, operations)).collect();
        return response;
    };
    for topic in asked {
        let known = match &topic.name {
            Some(name) => core.topics.get(name).or_else(|| {
                let create = core.config.auto_create_topics && request.allow_auto_topic_creation;
                create.then(|| auto_create(core, name)).flatten()
            }),
            None => core.topics.by_id(topic.topic_id),
        };
        response.topics.push(match known {
            Some(known) => described(&known, operations),
            None => unknown(topic.name, topic.topic_id),
        });
    }
    response
}

fn auto_create(core: &Core, name: &str) -> Option<Arc<Topic>> {
    let partitions = core.config.default_partitions;
    if let Err(refused) = core.topics.create(name, partitions, BTreeMap::new(), false) {
        tracing::info!(topic = name, reason = refused.message, "did not create a topic");
    }
    core.topics.get(name)
}

fn unknown(name: Option<TopicName>, id: uuid::Uuid) -> MetadataResponseTopic {
    let mut topic = MetadataResponseTopic::default();
    let error =
        if name.is_some() { ResponseError::UnknownTopicOrPartition } else { ResponseError::UnknownTopicId };
    topic.error_code = error.code();
    topic.name = name;
    topic.topic_id = id;
    topic.topic_authorized_operations = NOT_ASKED;
    topic
}

fn described(topic: &Topic, operations: i32) -> MetadataResponseTopic {
    let mut answer = MetadataResponseTopic::default();
    answer.name = Some(TopicName(text(topic.name.clone())));
    answer.topic_id = topic.id;
    answer.topic_authorized_operations = operations;
    answer.partitions = topic
        .partitions
        .iter()
        .map(|partition| {
            let mut answer = MetadataResponsePartition::default();
            answer.partition_index = partition.index;
            answer.leader_id = BrokerId(NODE_ID);
            answer.leader_epoch = LEADER_EPOCH;
            answer.replica_nodes = vec![BrokerId(NODE_ID)];
            answer.isr_nodes = vec![BrokerId(NODE_ID)];
            answer
        })
        .collect();
    answer
}

/// Describes the cluster of one.
pub(crate) fn describe_cluster(
    core: &Arc<Core>,
    client: &Client,
    request: &DescribeClusterRequest,
) -> DescribeClusterResponse {
    let mut response = DescribeClusterResponse::default();
    response.endpoint_type = request.endpoint_type;
    response.cluster_id = text(core.cluster_id.clone());
    response.controller_id = BrokerId(NODE_ID);
    let mut broker = DescribeClusterBroker::default();
    broker.broker_id = BrokerId(NODE_ID);
    broker.host = text(client.advertised.host.clone());
    broker.port = i32::from(client.advertised.port);
    response.brokers.push(broker);
    response.cluster_authorized_operations =
        if request.include_cluster_authorized_operations { ALL_CLUSTER_OPERATIONS } else { NOT_ASKED };
    response
}

/// Every group and transactional id is coordinated here.
pub(crate) fn find_coordinator(
    client: &Client,
    request: &FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let mut response = FindCoordinatorResponse::default();
    let known = matches!(request.key_type, 0 | 1);
    let error_code = if known { 0 } else { ResponseError::InvalidRequest.code() };
    if version >= 4 {
        for key in &request.coordinator_keys {
            let mut coordinator = Coordinator::default();
            coordinator.key = key.clone();
            coordinator.node_id = BrokerId(NODE_ID);
            coordinator.host = text(client.advertised.host.clone());
            coordinator.port = i32::from(client.advertised.port);
            coordinator.error_code = error_code;
            response.coordinators.push(coordinator);
        }
    } else {
        response.error_code = error_code;
        response.node_id = BrokerId(NODE_ID);
        response.host = text(client.advertised.host.clone());
        response.port = i32::from(client.advertised.port);
    }
    response
}
