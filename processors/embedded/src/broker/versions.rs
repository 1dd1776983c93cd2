//! The requests that are answered, and in which versions.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};

/// Request, oldest and newest version. Newer ones of produce name topics by their ids, newer ones of the transaction
/// requests are those of another transaction protocol.
pub(crate) const SUPPORTED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 11),
    (ApiKey::Fetch, 4, 17),
    (ApiKey::ListOffsets, 1, 10),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 5),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::AddPartitionsToTxn, 0, 3),
    (ApiKey::AddOffsetsToTxn, 0, 4),
    (ApiKey::EndTxn, 0, 4),
    (ApiKey::WriteTxnMarkers, 1, 1),
    (ApiKey::TxnOffsetCommit, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::DescribeLogDirs, 1, 4),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::DescribeProducers, 0, 0),
    (ApiKey::DescribeTransactions, 0, 0),
    (ApiKey::ListTransactions, 0, 1),
];

/// Requests that are listed and always refused, as Apache Kafka does while the newer group protocol is switched off.
/// Clients that ask for that protocol end at once then; librdkafka's wait in silence for ever for a broker that does not
/// list it.
const REFUSED: &[(ApiKey, i16, i16)] = &[(ApiKey::ConsumerGroupHeartbeat, 0, 1)];

/// Whether a request is answered with a refusal.
pub(crate) fn is_refused(key: ApiKey, version: i16) -> bool {
    REFUSED.iter().any(|(known, min, max)| *known == key && (*min..=*max).contains(&version))
}

/// Whether a request can be answered.
pub(crate) fn is_supported(key: ApiKey, version: i16) -> bool {
    SUPPORTED.iter().any(|(known, min, max)| *known == key && (*min..=*max).contains(&version))
}

/// The answer to `ApiVersions`.
pub(crate) fn api_versions() -> ApiVersionsResponse {
    let mut response = ApiVersionsResponse::default();
    response.finalized_features_epoch = -1;
    response.api_keys = SUPPORTED
        .iter()
        .chain(REFUSED)
        .map(|(key, min, max)| {
            let mut api = ApiVersion::default();
            api.api_key = *key as i16;
            // Older librdkafka compresses only for brokers that list the oldest Produce version;
            // Apache Kafka lists it for the same reason, and like it refuses its use.
            api.min_version = if *key == ApiKey::Produce { 0 } else { *min };
            api.max_version = *max;
            api
        })
        .collect();
    response
}
