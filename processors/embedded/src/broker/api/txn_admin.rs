//! DescribeProducers, ListTransactions, DescribeTransactions: for people who look for what hangs.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_producers_request::DescribeProducersRequest;
use kafka_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use kafka_protocol::messages::describe_transactions_request::DescribeTransactionsRequest;
use kafka_protocol::messages::describe_transactions_response as described;
use kafka_protocol::messages::list_transactions_request::ListTransactionsRequest;
use kafka_protocol::messages::list_transactions_response as listed;
use kafka_protocol::messages::{ProducerId, TopicName, TransactionalId};

use crate::broker::core::Core;
use crate::broker::storage::metastate::TxnStatus;
use crate::broker::util::{lock, now_ms, text};

const STATES: [&str; 6] =
    ["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"];

/// The producers that wrote to a partition.
pub(crate) fn producers(core: &Arc<Core>, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let mut response = DescribeProducersResponse::default();
    for topic in request.topics {
        let mut answer = TopicResponse::default();
        for index in topic.partition_indexes {
            let mut of_partition = PartitionResponse::default();
            of_partition.partition_index = index;
            match core.topics.partition(&topic.name, index) {
                None => {
                    of_partition.error_code = ResponseError::UnknownTopicOrPartition.code();
                }
                Some((_, partition)) => {
                    of_partition.active_producers = partition
                        .log()
                        .producers
                        .summaries()
                        .map(|summary| {
                            let mut state = ProducerState::default();
                            state.producer_id = ProducerId(summary.producer_id);
                            state.producer_epoch = i32::from(summary.epoch);
                            state.last_sequence = summary.last_sequence;
                            state.last_timestamp = summary.last_timestamp_ms;
                            state.current_txn_start_offset = summary.open_since.unwrap_or(-1);
                            state
                        })
                        .collect();
                }
            }
            answer.partitions.push(of_partition);
        }
        answer.name = topic.name;
        response.topics.push(answer);
    }
    response
}

/// The transactional ids that match the filters.
pub(crate) fn list(core: &Arc<Core>, request: &ListTransactionsRequest) -> listed::ListTransactionsResponse {
    let mut response = listed::ListTransactionsResponse::default();
    let states = &request.state_filters;
    response.unknown_state_filters =
        states.iter().filter(|state| !STATES.contains(&state.as_str())).cloned().collect();
    let now = now_ms();
    for (id, txn) in core.txns.all() {
        let txn = lock(&txn);
        let name = txn.state_name();
        let producers = &request.producer_id_filters;
        let open_ms = if txn.status == TxnStatus::Ongoing { now - txn.started_ms } else { 0 };
        let wanted = (states.is_empty() || states.iter().any(|state| &**state == name))
            && (producers.is_empty() || producers.iter().any(|p| p.0 == txn.producer_id))
            && (request.duration_filter < 0 || open_ms > request.duration_filter);
        if !wanted {
            continue;
        }
        let mut state = listed::TransactionState::default();
        state.transactional_id = TransactionalId(text(id));
        state.producer_id = ProducerId(txn.producer_id);
        state.transaction_state = text(name);
        response.transaction_states.push(state);
    }
    response
}

/// What the transactions hold.
pub(crate) fn describe(
    core: &Arc<Core>,
    request: DescribeTransactionsRequest,
) -> described::DescribeTransactionsResponse {
    let mut response = described::DescribeTransactionsResponse::default();
    for id in request.transactional_ids {
        let mut state = described::TransactionState::default();
        match core.txns.get(&id) {
            None => state.error_code = ResponseError::TransactionalIdNotFound.code(),
            Some(txn) => {
                let txn = lock(&txn);
                state.transaction_state = text(txn.state_name());
                state.transaction_timeout_ms = txn.timeout_ms;
                let open = txn.status == TxnStatus::Ongoing;
                state.transaction_start_time_ms = if open { txn.started_ms } else { -1 };
                state.producer_id = ProducerId(txn.producer_id);
                state.producer_epoch = txn.epoch;
                let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
                for (topic, partition) in &txn.partitions {
                    topics.entry(topic).or_default().push(*partition);
                }
                state.topics = topics
                    .into_iter()
                    .map(|(name, partitions)| {
                        let mut topic = described::TopicData::default();
                        topic.topic = TopicName(text(name));
                        topic.partitions = partitions;
                        topic
                    })
                    .collect();
            }
        }
        state.transactional_id = id;
        response.transaction_states.push(state);
    }
    response
}
