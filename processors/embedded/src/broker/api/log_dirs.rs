//! DescribeLogDirs: what the partitions take of the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::broker::core::Core;
use crate::broker::storage::partition::Partition;
use crate::broker::util::text;

/// "Bytes of the disk" when the system does not say.
const UNKNOWN: i64 = -1;

/// Describes the one folder there is: all its partitions, or those that were asked for and are there.
pub(crate) fn describe(core: &Arc<Core>, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let mut result = DescribeLogDirsResult::default();
    let dir = &core.config.data_dir;
    result.log_dir = text(dir.display().to_string());
    result.total_bytes = fs4::total_space(dir).map_or(UNKNOWN, bytes);
    result.usable_bytes = fs4::available_space(dir).map_or(UNKNOWN, bytes);
    let mut topics: BTreeMap<String, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    match request.topics {
        None => {
            for topic in core.topics.all() {
                let partitions = topic.partitions.iter().map(|partition| described(partition));
                topics.insert(topic.name.clone(), partitions.collect());
            }
        }
        Some(asked) => {
            for topic in asked {
                let known =
                    topic.partitions.iter().filter_map(|index| core.topics.partition(&topic.topic, *index));
                let partitions: Vec<_> = known.map(|(_, partition)| described(&partition)).collect();
                if !partitions.is_empty() {
                    topics.entry(topic.topic.to_string()).or_default().extend(partitions);
                }
            }
        }
    }
    result.topics = topics
        .into_iter()
        .map(|(name, partitions)| {
            let mut topic = DescribeLogDirsTopic::default();
            topic.name = TopicName(text(name));
            topic.partitions = partitions;
            topic
        })
        .collect();
    let mut response = DescribeLogDirsResponse::default();
    response.results.push(result);
    response
}

fn described(partition: &Partition) -> DescribeLogDirsPartition {
    let mut described = DescribeLogDirsPartition::default();
    described.partition_index = partition.index;
    described.partition_size = bytes(partition.log().size_bytes());
    described
}

fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
