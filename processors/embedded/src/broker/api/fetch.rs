//! Fetch: batches out of partitions, waiting for them where there are none yet.

use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchResponse, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{BrokerId, ProducerId};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::broker::core::{Client, Core};
use crate::broker::dispatch::Hurry;
use crate::broker::storage::batch::LEADER_EPOCH;
use crate::broker::storage::partition::{Fetched, Partition};
use crate::broker::topics::Topic;

/// No answer is larger than this, whatever was asked for, unless one batch is.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
const READ_COMMITTED: i8 = 1;
/// The longest wait, whatever was asked for.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// From this version on a fetch names topics by their ids, and no more by their names.
const TOPIC_IDS_FROM: i16 = 13;

/// One attempt to answer.
struct Attempt {
    response: FetchResponse,
    bytes: usize,
    failed: bool,
}

/// Answers a fetch: at once when there is enough or something is wrong, else when records come, the
/// time is over, or the client has more to ask.
pub(crate) async fn fetch(
    core: &Arc<Core>,
    client: &Client,
    request: FetchRequest,
    version: i16,
    mut hurry: Hurry,
) -> FetchResponse {
    // Sessions are declined with id 0, so a client that continues one is told to start over.
    if request.session_id != 0 || request.session_epoch > 0 {
        let mut response = FetchResponse::default();
        response.error_code = ResponseError::FetchSessionIdNotFound.code();
        return response;
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(MAX_WAIT);
    let until = Instant::now() + wait;
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let waiter = Arc::new(Notify::new());
    let by_id = version >= TOPIC_IDS_FROM;
    loop {
        let registered = register(core, &request, by_id, &waiter);
        let attempt = attempt(core, &request, by_id, client.room());
        let over = attempt.failed || attempt.bytes >= enough || Instant::now() >= until;
        let over = over || *hurry.borrow();
        if !over {
            tokio::select! {
                () = waiter.notified() => {}
                () = tokio::time::sleep_until(until) => {}
                _ = hurry.wait_for(|hurry| *hurry) => {}
            }
        }
        for partition in registered {
            partition.forget_waiter(&waiter);
        }
        if over {
            return attempt.response;
        }
    }
}

/// Before the attempt, so that nothing that comes in between is missed.
fn register(core: &Core, request: &FetchRequest, by_id: bool, waiter: &Arc<Notify>) -> Vec<Arc<Partition>> {
    if request.max_wait_ms <= 0 || request.min_bytes <= 0 {
        return Vec::new();
    }
    let mut registered = Vec::new();
    for topic in &request.topics {
        let Some(known) = find(core, topic, by_id) else { continue };
        for asked in &topic.partitions {
            let index = usize::try_from(asked.partition).ok();
            if let Some(partition) = index.and_then(|index| known.partitions.get(index)) {
                partition.wait(waiter);
                registered.push(Arc::clone(partition));
            }
        }
    }
    registered
}

fn find(core: &Core, asked: &FetchTopic, by_id: bool) -> Option<Arc<Topic>> {
    if by_id { core.topics.by_id(asked.topic_id) } else { core.topics.get(&asked.topic) }
}

fn attempt(core: &Core, request: &FetchRequest, by_id: bool, room: usize) -> Attempt {
    // An id that is not known is of a topic that was deleted, whatever is called like it now.
    let unknown = if by_id { ResponseError::UnknownTopicId } else { ResponseError::UnknownTopicOrPartition };
    let committed = request.isolation_level == READ_COMMITTED;
    let asked = usize::try_from(request.max_bytes).unwrap_or(0);
    // With no room left there is still one batch for everybody, or nobody would get any further.
    let mut left = asked.min(MAX_RESPONSE_BYTES).min(room);
    let mut attempt = Attempt { response: FetchResponse::default(), bytes: 0, failed: false };
    for topic in &request.topics {
        let known = find(core, topic, by_id);
        let mut answer = FetchableTopicResponse::default();
        answer.topic = topic.topic.clone();
        answer.topic_id = topic.topic_id;
        for asked in &topic.partitions {
            let partition =
                known.as_ref().and_then(|topic| topic.partitions.get(usize::try_from(asked.partition).ok()?));
            let result = match partition {
                None if known.is_none() => Err(unknown),
                None => Err(ResponseError::UnknownTopicOrPartition),
                Some(_) if asked.current_leader_epoch > LEADER_EPOCH => {
                    Err(ResponseError::UnknownLeaderEpoch)
                }
                Some(partition) => {
                    let room = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(left);
                    // The first batch is given whatever its size, or a large one blocks for ever.
                    partition.fetch(asked.fetch_offset, room, committed, attempt.bytes == 0)
                }
            };
            if let Ok(fetched) = &result {
                attempt.bytes += fetched.records.len();
                left = left.saturating_sub(fetched.records.len());
            } else {
                attempt.failed = true;
            }
            answer.partitions.push(partition_answer(asked, result, committed));
        }
        attempt.response.responses.push(answer);
    }
    attempt
}

fn partition_answer(
    asked: &FetchPartition,
    result: Result<Fetched, ResponseError>,
    committed: bool,
) -> PartitionData {
    let mut data = PartitionData::default();
    data.partition_index = asked.partition;
    data.preferred_read_replica = BrokerId(-1);
    match result {
        Ok(fetched) => {
            data.high_watermark = fetched.high_watermark;
            data.last_stable_offset = fetched.last_stable_offset;
            data.log_start_offset = fetched.log_start;
            data.aborted_transactions = committed.then(|| {
                let aborted = fetched.aborted.iter().map(|txn| {
                    let mut aborted = AbortedTransaction::default();
                    aborted.producer_id = ProducerId(txn.producer_id);
                    aborted.first_offset = txn.first_offset;
                    aborted
                });
                aborted.collect()
            });
            data.records = Some(fetched.records);
        }
        Err(error) => {
            data.error_code = error.code();
            data.high_watermark = -1;
            data.last_stable_offset = -1;
            data.log_start_offset = -1;
            data.records = Some(bytes::Bytes::new());
        }
    }
    data
}
