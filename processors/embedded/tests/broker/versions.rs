//! Every version that is advertised is answered, in the form that version has: old clients too.

use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, StrBytes};

use crate::support::{Sender, Server, Wire};

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("t"))
}

fn all<R: Request>(server: &Server, request: impl Fn(i16) -> R) {
    let mut wire = Wire::connect(server.addr);
    let listed = wire.call(0, &ApiVersionsRequest::default());
    let range = listed.api_keys.iter().find(|api| api.api_key == R::KEY).unwrap();
    let oldest = range.min_version.max(R::VERSIONS.min);
    for version in oldest..=range.max_version {
        println!("request {} version {version}", R::KEY);
        let _ = wire.call(version, &request(version));
    }
}

#[test]
fn every_version_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    Sender::new(&server.servers(), &[]).put("t", 0, "k", "v");

    all(&server, |_| ApiVersionsRequest::default());
    all(&server, |_| {
        let partition = produce_request::PartitionProduceData::default()
            .with_records(Some(crate::support::batch(-1, -1, -1, false, &[("k", "v")])));
        let topic = produce_request::TopicProduceData::default()
            .with_name(name())
            .with_partition_data(vec![partition]);
        ProduceRequest::default().with_transactional_id(None).with_acks(1).with_topic_data(vec![topic])
    });
    for index in [0, 5] {
        all(&server, |version| {
            let partition =
                fetch_request::FetchPartition::default().with_partition(index).with_partition_max_bytes(1000);
            let topic = fetch_request::FetchTopic::default().with_partitions(vec![partition]);
            let topic = if version < 13 { topic.with_topic(name()) } else { topic };
            FetchRequest::default().with_isolation_level(1).with_max_bytes(1000).with_topics(vec![topic])
        });
        for timestamp in [-2, -1, 0] {
            all(&server, |_| {
                let partition = list_offsets_request::ListOffsetsPartition::default()
                    .with_partition_index(index)
                    .with_timestamp(timestamp);
                let topic = list_offsets_request::ListOffsetsTopic::default()
                    .with_name(name())
                    .with_partitions(vec![partition]);
                ListOffsetsRequest::default().with_topics(vec![topic])
            });
        }
    }
    for topic in ["t", "unknown"] {
        all(&server, |_| {
            let name = TopicName(StrBytes::from_static_str(topic));
            let topic = metadata_request::MetadataRequestTopic::default().with_name(Some(name));
            MetadataRequest::default().with_topics(Some(vec![topic]))
        });
    }
    all(&server, |_| {
        let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default();
        let topic = offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
            .with_topic(name())
            .with_partitions(vec![partition]);
        OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
    });
    groups(&server);
    transactions(&server);
    administration(&server);
    server.stop();
}

fn groups(server: &Server) {
    let group = || GroupId(StrBytes::from_static_str("g"));
    all(server, |version| {
        let keys = if version >= 4 { vec![StrBytes::from_static_str("g")] } else { Vec::new() };
        FindCoordinatorRequest::default().with_coordinator_keys(keys)
    });
    all(server, |_| JoinGroupRequest::default().with_group_id(group()));
    all(server, |version| {
        let protocol = join_group_request::JoinGroupRequestProtocol::default();
        // A group each: those that are let in at once do not wait for one another.
        let group = StrBytes::from_string(format!("join-{version}"));
        JoinGroupRequest::default()
            .with_group_id(GroupId(group))
            .with_session_timeout_ms(1000)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol])
    });
    all(server, |_| SyncGroupRequest::default().with_group_id(group()));
    all(server, |_| HeartbeatRequest::default().with_group_id(group()));
    all(server, |version| {
        let members =
            if version >= 3 { vec![leave_group_request::MemberIdentity::default()] } else { Vec::new() };
        LeaveGroupRequest::default().with_group_id(group()).with_members(members)
    });
    all(server, |_| {
        let partition = offset_commit_request::OffsetCommitRequestPartition::default();
        let topic = offset_commit_request::OffsetCommitRequestTopic::default()
            .with_name(name())
            .with_partitions(vec![partition]);
        OffsetCommitRequest::default()
            .with_group_id(group())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    });
    all(server, |version| {
        if version >= 8 {
            let topic = offset_fetch_request::OffsetFetchRequestTopics::default()
                .with_name(name())
                .with_partition_indexes(vec![0]);
            let group = offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group())
                .with_topics(Some(vec![topic]));
            return OffsetFetchRequest::default().with_groups(vec![group]);
        }
        let topic = offset_fetch_request::OffsetFetchRequestTopic::default()
            .with_name(name())
            .with_partition_indexes(vec![0]);
        OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]))
    });
    for known in ["g", "join-3", "unknown"] {
        let id = || GroupId(StrBytes::from_static_str(known));
        all(server, |_| DescribeGroupsRequest::default().with_groups(vec![id()]));
    }
    all(server, |_| ListGroupsRequest::default());
    all(server, |_| OffsetDeleteRequest::default().with_group_id(group()));
    all(server, |_| DeleteGroupsRequest::default().with_groups_names(vec![group()]));
}

fn transactions(server: &Server) {
    let id = || TransactionalId(StrBytes::from_static_str("tx"));
    all(server, |_| {
        InitProducerIdRequest::default().with_transactional_id(Some(id())).with_transaction_timeout_ms(10_000)
    });
    all(server, |_| {
        let topic = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
            .with_name(name())
            .with_partitions(vec![0]);
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id())
            .with_v3_and_below_topics(vec![topic])
    });
    all(server, |_| AddOffsetsToTxnRequest::default().with_transactional_id(id()));
    all(server, |_| {
        let partition = txn_offset_commit_request::TxnOffsetCommitRequestPartition::default();
        let topic = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
            .with_name(name())
            .with_partitions(vec![partition]);
        TxnOffsetCommitRequest::default().with_transactional_id(id()).with_topics(vec![topic])
    });
    all(server, |_| EndTxnRequest::default().with_transactional_id(id()));
    all(server, |_| {
        let topic = describe_producers_request::TopicRequest::default()
            .with_name(name())
            .with_partition_indexes(vec![0]);
        DescribeProducersRequest::default().with_topics(vec![topic])
    });
    all(server, |_| {
        let topic = write_txn_markers_request::WritableTxnMarkerTopic::default()
            .with_name(name())
            .with_partition_indexes(vec![0, 5]);
        let marker = write_txn_markers_request::WritableTxnMarker::default().with_topics(vec![topic]);
        WriteTxnMarkersRequest::default().with_markers(vec![marker])
    });
    all(server, |_| ListTransactionsRequest::default());
    all(server, |_| DescribeTransactionsRequest::default().with_transactional_ids(vec![id()]));
}

fn administration(server: &Server) {
    let resource_name = || StrBytes::from_static_str("t");
    all(server, |_| DescribeClusterRequest::default());
    for topics in [None, Some(Vec::new())] {
        all(server, |_| DescribeLogDirsRequest::default().with_topics(topics.clone()));
    }
    for (resource_type, resource) in [(2, "t"), (4, "1"), (2, "unknown")] {
        all(server, |_| {
            let resource = describe_configs_request::DescribeConfigsResource::default()
                .with_resource_type(resource_type)
                .with_resource_name(StrBytes::from_static_str(resource))
                .with_configuration_keys(None);
            DescribeConfigsRequest::default().with_resources(vec![resource])
        });
    }
    all(server, |_| {
        let resource = alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(resource_name());
        AlterConfigsRequest::default().with_resources(vec![resource])
    });
    all(server, |_| {
        let resource = incremental_alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(resource_name());
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    });
    for created in ["new", "t"] {
        all(server, |version| {
            let name =
                StrBytes::from_string(format!("{created}-{}", if created == "t" { 0 } else { version }));
            let topic = create_topics_request::CreatableTopic::default()
                .with_name(TopicName(name))
                .with_num_partitions(1)
                .with_replication_factor(1);
            CreateTopicsRequest::default().with_topics(vec![topic])
        });
    }
    all(server, |version| {
        let topic = create_partitions_request::CreatePartitionsTopic::default()
            .with_name(name())
            .with_count(i32::from(version) + 2)
            .with_assignments(None);
        CreatePartitionsRequest::default().with_topics(vec![topic])
    });
    all(server, |_| {
        let topic = delete_records_request::DeleteRecordsTopic::default()
            .with_name(name())
            .with_partitions(vec![delete_records_request::DeleteRecordsPartition::default()]);
        DeleteRecordsRequest::default().with_topics(vec![topic])
    });
    for _ in 0..2 {
        all(server, |version| {
            if version >= 6 {
                let topic = delete_topics_request::DeleteTopicState::default().with_name(Some(name()));
                return DeleteTopicsRequest::default().with_topics(vec![topic]);
            }
            let name = TopicName(StrBytes::from_string(format!("new-{version}")));
            DeleteTopicsRequest::default().with_topic_names(vec![name])
        });
    }
}
