//! From the bytes of a request to the bytes of its answer.

use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest, ApiKey, CreatePartitionsRequest,
    CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeProducersRequest, DescribeTransactionsRequest, EndTxnRequest, FetchRequest,
    FindCoordinatorRequest, HeartbeatRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, ListTransactionsRequest,
    MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    OffsetForLeaderEpochRequest, ProduceRequest, RequestHeader, ResponseHeader, SyncGroupRequest,
    TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::sync::watch;

use super::core::{Client, Core};
use super::{api, guard, versions};

/// What comes of a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Bytes for the client.
    Reply(BytesMut),
    /// The client wants no answer.
    Silence,
    /// The connection cannot go on.
    Close(String),
}

/// Becomes true when the client has sent its next request.
pub(crate) type Hurry = watch::Receiver<bool>;

fn encode<R: Encodable>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &R,
) -> Result<BytesMut, String> {
    let mut out = BytesMut::new();
    out.put_i32(0);
    let mut header = ResponseHeader::default();
    header.correlation_id = correlation_id;
    header
        .encode(&mut out, key.response_header_version(version))
        .and_then(|()| response.encode(&mut out, version))
        .map_err(|error| format!("the answer to {key:?} v{version} cannot be encoded: {error:#}"))?;
    let length = i32::try_from(out.len() - 4).map_err(|_| "the answer is too large".to_owned())?;
    out[..4].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

fn decode<R: Decodable>(key: ApiKey, version: i16, body: &mut Bytes) -> Result<R, String> {
    if !guard::is_sound(key, version, body) {
        return Err(format!("a {key:?} v{version} request with impossible lengths"));
    }
    R::decode(body, version)
        .map_err(|error| format!("a {key:?} v{version} request that cannot be read: {error:#}"))
}

/// Answers one request.
pub(crate) async fn handle(core: &Arc<Core>, client: &mut Client, frame: Bytes, hurry: Hurry) -> Outcome {
    match answer(core, client, frame, hurry).await {
        Ok(Some(bytes)) => Outcome::Reply(bytes),
        Ok(None) => Outcome::Silence,
        Err(reason) => Outcome::Close(reason),
    }
}

async fn answer(
    core: &Arc<Core>,
    client: &mut Client,
    mut body: Bytes,
    hurry: Hurry,
) -> Result<Option<BytesMut>, String> {
    if body.len() < 8 {
        return Err("a request without a header".into());
    }
    let mut peek = body.slice(..8);
    let (number, version, correlation_id) = (peek.get_i16(), peek.get_i16(), peek.get_i32());
    let key = ApiKey::try_from(number).map_err(|()| format!("an unknown request, {number}"))?;
    if versions::is_refused(key, version) {
        return encode(key, version, correlation_id, &api::groups::refused()).map(Some);
    }
    if !versions::is_supported(key, version) {
        if key == ApiKey::ApiVersions {
            // The one request whose answer a client must understand whatever it asked for.
            let mut response = versions::api_versions();
            response.error_code = ResponseError::UnsupportedVersion.code();
            return encode(key, 0, correlation_id, &response).map(Some);
        }
        return Err(format!("an unsupported request, {key:?} v{version}"));
    }
    let header = RequestHeader::decode(&mut body, key.request_header_version(version))
        .map_err(|error| format!("a request header that cannot be read: {error:#}"))?;
    if let Some(id) = header.client_id {
        client.id = id.to_string();
    }

    macro_rules! reply {
        ($request:ty, |$name:ident| $handler:expr) => {{
            let $name: $request = decode(key, version, &mut body)?;
            encode(key, version, correlation_id, &$handler).map(Some)
        }};
    }

    match key {
        ApiKey::ApiVersions => encode(key, version, correlation_id, &versions::api_versions()).map(Some),
        ApiKey::Produce => {
            let request: ProduceRequest = decode(key, version, &mut body)?;
            let wants_answer = request.acks != 0;
            let response = api::produce::produce(core, request).await;
            if !wants_answer {
                return Ok(None);
            }
            encode(key, version, correlation_id, &response).map(Some)
        }
        ApiKey::Fetch => {
            reply!(FetchRequest, |r| api::fetch::fetch(core, client, r, version, hurry).await)
        }
        ApiKey::ListOffsets => {
            reply!(ListOffsetsRequest, |r| api::list_offsets::list_offsets(core, r, version))
        }
        ApiKey::OffsetForLeaderEpoch => {
            reply!(OffsetForLeaderEpochRequest, |r| api::list_offsets::leader_epochs(core, r))
        }
        ApiKey::Metadata => {
            reply!(MetadataRequest, |r| api::metadata::metadata(core, client, r, version))
        }
        ApiKey::DescribeCluster => {
            reply!(DescribeClusterRequest, |r| api::metadata::describe_cluster(core, client, &r))
        }
        ApiKey::FindCoordinator => {
            reply!(FindCoordinatorRequest, |r| api::metadata::find_coordinator(client, &r, version))
        }
        ApiKey::JoinGroup => {
            reply!(JoinGroupRequest, |r| api::groups::join(core, client, r, version).await)
        }
        ApiKey::SyncGroup => reply!(SyncGroupRequest, |r| api::groups::sync(core, r).await),
        ApiKey::Heartbeat => reply!(HeartbeatRequest, |r| api::groups::heartbeat(core, &r)),
        ApiKey::LeaveGroup => {
            reply!(LeaveGroupRequest, |r| api::groups::leave(core, r, version).await)
        }
        ApiKey::DescribeGroups => {
            reply!(DescribeGroupsRequest, |r| api::group_admin::describe(core, r, version))
        }
        ApiKey::ListGroups => reply!(ListGroupsRequest, |r| api::group_admin::list(core, &r)),
        ApiKey::DeleteGroups => {
            reply!(DeleteGroupsRequest, |r| api::group_admin::delete(core, r).await)
        }
        ApiKey::OffsetCommit => {
            reply!(OffsetCommitRequest, |r| api::offsets::commit(core, r).await)
        }
        ApiKey::OffsetFetch => {
            reply!(OffsetFetchRequest, |r| api::offsets::fetch(core, r, version))
        }
        ApiKey::OffsetDelete => {
            reply!(OffsetDeleteRequest, |r| api::offsets::delete(core, r).await)
        }
        ApiKey::InitProducerId => {
            reply!(InitProducerIdRequest, |r| api::txn::init(core, r, version).await)
        }
        ApiKey::AddPartitionsToTxn => {
            reply!(AddPartitionsToTxnRequest, |r| { api::txn::add_partitions(core, r, version).await })
        }
        ApiKey::AddOffsetsToTxn => {
            reply!(AddOffsetsToTxnRequest, |r| api::txn::add_offsets(core, r, version).await)
        }
        ApiKey::TxnOffsetCommit => {
            reply!(TxnOffsetCommitRequest, |r| api::txn::commit_offsets(core, r).await)
        }
        ApiKey::EndTxn => reply!(EndTxnRequest, |r| api::txn::end(core, r, version).await),
        ApiKey::WriteTxnMarkers => {
            reply!(WriteTxnMarkersRequest, |r| api::markers::write(core, r).await)
        }
        ApiKey::DescribeLogDirs => {
            reply!(DescribeLogDirsRequest, |r| api::log_dirs::describe(core, r))
        }
        ApiKey::DescribeProducers => {
            reply!(DescribeProducersRequest, |r| api::txn_admin::producers(core, r))
        }
        ApiKey::ListTransactions => {
            reply!(ListTransactionsRequest, |r| api::txn_admin::list(core, &r))
        }
        ApiKey::DescribeTransactions => {
            reply!(DescribeTransactionsRequest, |r| api::txn_admin::describe(core, r))
        }
        ApiKey::CreateTopics => {
            reply!(CreateTopicsRequest, |r| api::topics::create(core, r, version).await)
        }
        ApiKey::DeleteTopics => {
            reply!(DeleteTopicsRequest, |r| api::topics::delete(core, r, version).await)
        }
        ApiKey::CreatePartitions => {
            reply!(CreatePartitionsRequest, |r| api::topics::add_partitions(core, r).await)
        }
        ApiKey::DeleteRecords => {
            reply!(DeleteRecordsRequest, |r| api::topics::delete_records(core, r).await)
        }
        ApiKey::DescribeConfigs => {
            reply!(DescribeConfigsRequest, |r| api::configs::describe(core, r))
        }
        ApiKey::AlterConfigs => {
            reply!(AlterConfigsRequest, |r| api::configs::alter(core, r).await)
        }
        ApiKey::IncrementalAlterConfigs => {
            reply!(IncrementalAlterConfigsRequest, |r| { api::configs::incremental_alter(core, r).await })
        }
        other => Err(format!("an unsupported request, {other:?}")),
    }
}
