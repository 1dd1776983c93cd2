//! WriteTxnMarkers: a person ends a transaction in a partition, past the coordinator.
//!
//! `kafka-transactions.sh abort` sends it. What the coordinator knows of the transaction does not change, as on Apache
//! Kafka: it is for transactions that nobody will end.

use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest};
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersResponse,
};

use super::code;
use crate::broker::core::Core;

/// Writes the markers, each into the partitions that are named with it.
pub(crate) async fn write(core: &Arc<Core>, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut response = WriteTxnMarkersResponse::default();
    for marker in &request.markers {
        let mut of_producer = WritableTxnMarkerResult::default();
        of_producer.producer_id = marker.producer_id;
        for topic in &marker.topics {
            let mut of_topic = WritableTxnMarkerTopicResult::default();
            of_topic.name = topic.name.clone();
            for index in &topic.partition_indexes {
                let mut of_partition = WritableTxnMarkerPartitionResult::default();
                of_partition.partition_index = *index;
                of_partition.error_code = code(&end_in(core, marker, &topic.name, *index));
                of_topic.partitions.push(of_partition);
            }
            of_producer.topics.push(of_topic);
        }
        response.markers.push(of_producer);
    }
    if core.flusher.settled().await.is_err() {
        let topics = response.markers.iter_mut().flat_map(|marker| &mut marker.topics);
        for partition in topics.flat_map(|topic| &mut topic.partitions) {
            partition.error_code = ResponseError::KafkaStorageError.code();
        }
    }
    response
}

fn end_in(core: &Core, marker: &WritableTxnMarker, topic: &str, index: i32) -> Result<(), ResponseError> {
    let (topic, partition) =
        core.topics.partition(topic, index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let (id, epoch) = (marker.producer_id.0, marker.producer_epoch);
    if partition.log().producers.epoch(id).is_some_and(|newest| epoch < newest) {
        return Err(ResponseError::InvalidProducerEpoch);
    }
    partition.end_transaction(id, epoch, marker.transaction_result, &topic.settings)
}
