//! What other clients than librdkafka ask for: topics by their ids, offsets of topics that were left, markers by hand.
//! `tests/clients` asks the same with those clients, here and on Apache Kafka.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};
use uuid::Uuid;

use crate::support::{DEADLINE, Sender, Server, Wire, batch, eventually, read_all, values};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

fn topic_id(wire: &mut Wire, name: &str) -> Uuid {
    let asked = metadata_request::MetadataRequestTopic::default().with_name(Some(topic(name)));
    wire.call(12, &MetadataRequest::default().with_topics(Some(vec![asked]))).topics[0].topic_id
}

fn fetch_by_id(wire: &mut Wire, id: Uuid) -> (i16, usize) {
    let partition = fetch_request::FetchPartition::default().with_partition_max_bytes(1 << 20);
    let asked = fetch_request::FetchTopic::default().with_topic_id(id).with_partitions(vec![partition]);
    let request =
        FetchRequest::default().with_max_bytes(1 << 20).with_session_epoch(-1).with_topics(vec![asked]);
    let answer = wire.call(17, &request);
    assert_eq!(answer.responses[0].topic_id, id);
    let partition = &answer.responses[0].partitions[0];
    (partition.error_code, partition.records.as_ref().map_or(0, |records| records.len()))
}

#[test]
fn topics_are_fetched_by_their_ids_and_another_one_of_the_name_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    Sender::new(&server.servers(), &[]).put("t", 0, "k", "v");
    let mut wire = Wire::connect(server.addr);
    let id = topic_id(&mut wire, "t");
    let (code, bytes) = fetch_by_id(&mut wire, id);
    assert!(code == 0 && bytes > 0, "{code}, {bytes} bytes");

    let state = delete_topics_request::DeleteTopicState::default().with_topic_id(id);
    wire.call(6, &DeleteTopicsRequest::default().with_topics(vec![state]));
    server.create_topic("t", 1, &[]);
    assert_eq!(fetch_by_id(&mut wire, id), (ResponseError::UnknownTopicId.code(), 0));
    let new = topic_id(&mut wire, "t");
    assert_eq!(fetch_by_id(&mut wire, new), (0, 0));
    server.stop();

    let server = Server::start(dir.path());
    let mut wire = Wire::connect(server.addr);
    assert_eq!(fetch_by_id(&mut wire, new), (0, 0), "after a restart");
    server.stop();
}

fn look(wire: &mut Wire, name: &str, timestamp: i64) -> i64 {
    let partition = list_offsets_request::ListOffsetsPartition::default().with_timestamp(timestamp);
    let asked = list_offsets_request::ListOffsetsTopic::default()
        .with_name(topic(name))
        .with_partitions(vec![partition]);
    let answer = wire.call(10, &ListOffsetsRequest::default().with_topics(vec![asked]));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.offset
}

#[test]
fn the_greatest_time_is_that_of_the_first_record_with_it() {
    const GREATEST: i64 = -3;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("appended", 1, &[("message.timestamp.type", "LogAppendTime")]);
    server.create_topic("segments", 1, &[("segment.bytes", "1048576")]);
    let mut wire = Wire::connect(server.addr);
    assert_eq!(look(&mut wire, "appended", GREATEST), -1);
    let three = batch(-1, -1, 0, false, &[("a", "1"), ("b", "2"), ("c", "3")]);
    assert_eq!(crate::produce::produce(&mut wire, "appended", three), (0, 0));
    assert_eq!(look(&mut wire, "appended", GREATEST), 0, "the broker's clock stamps all of a batch");

    let large = "x".repeat(600_000);
    let same = batch(-1, -1, 0, false, &[("a", &large), ("b", "later")]);
    for _ in 0..3 {
        crate::produce::produce(&mut wire, "segments", same.clone());
    }
    assert_eq!(look(&mut wire, "segments", GREATEST), 1, "of three segments the first");
    assert_eq!((look(&mut wire, "segments", -4), look(&mut wire, "segments", -5)), (0, -1));
    server.stop();
}

#[test]
fn offsets_of_a_topic_that_a_live_group_has_left_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for name in ["read", "left"] {
        server.create_topic(name, 1, &[]);
    }
    let consumer: BaseConsumer =
        server.client(&[("group.id", "g"), ("enable.auto.commit", "false")]).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    for name in ["read", "left"] {
        offsets.add_partition_offset(name, 0, Offset::Offset(0)).unwrap();
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    consumer.subscribe(&["read"]).unwrap();
    eventually("an assignment", || {
        let _ = consumer.poll(std::time::Duration::from_millis(10));
        (consumer.assignment().unwrap().count() == 1).then_some(())
    });
    let asked = |name: &str, partition| {
        let partition =
            offset_delete_request::OffsetDeleteRequestPartition::default().with_partition_index(partition);
        offset_delete_request::OffsetDeleteRequestTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![partition])
    };
    let mut wire = Wire::connect(server.addr);
    let request = OffsetDeleteRequest::default().with_group_id(GroupId(text("g"))).with_topics(vec![
        asked("left", 7),
        asked("read", 0),
        asked("left", 0),
    ]);
    let answer = wire.call(0, &request);
    let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.partitions[0].error_code).collect();
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(
        (answer.error_code, codes),
        (0, vec![unknown, ResponseError::GroupSubscribedToTopic.code(), 0])
    );
    let committed = consumer.committed_offsets(offsets, DEADLINE).unwrap();
    assert_eq!(committed.find_partition("read", 0).unwrap().offset(), Offset::Offset(0));
    assert_eq!(committed.find_partition("left", 0).unwrap().offset(), Offset::Invalid);
    drop(consumer);
    server.stop();
}

#[test]
fn a_marker_by_hand_ends_a_transaction_and_an_older_epoch_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    for _ in 0..2 {
        // The second has a newer epoch.
        let sender = Sender::new(&server.servers(), &[("transactional.id", "tx")]);
        sender.producer.init_transactions(DEADLINE).unwrap();
        sender.producer.begin_transaction().unwrap();
        sender.put("t", 0, "k", "open");
        std::mem::forget(sender);
    }
    Sender::new(&server.servers(), &[]).put("t", 0, "k", "after");
    let mut wire = Wire::connect(server.addr);
    let asked = describe_producers_request::TopicRequest::default()
        .with_name(topic("t"))
        .with_partition_indexes(vec![0]);
    let described = wire.call(0, &DescribeProducersRequest::default().with_topics(vec![asked]));
    let producers = &described.topics[0].partitions[0].active_producers;
    let open = producers.iter().find(|producer| producer.current_txn_start_offset >= 0).unwrap();
    let mut end = |epoch: i32| {
        let into = write_txn_markers_request::WritableTxnMarkerTopic::default()
            .with_name(topic("t"))
            .with_partition_indexes(vec![0, 9]);
        let marker = write_txn_markers_request::WritableTxnMarker::default()
            .with_producer_id(open.producer_id)
            .with_producer_epoch(epoch as i16)
            .with_topics(vec![into]);
        let answer = wire.call(1, &WriteTxnMarkersRequest::default().with_markers(vec![marker]));
        let partitions = &answer.markers[0].topics[0].partitions;
        (partitions[0].error_code, partitions[1].error_code)
    };
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(end(open.producer_epoch - 1), (ResponseError::InvalidProducerEpoch.code(), unknown));
    assert!(read_all(&server.servers(), "t", 0, "read_committed").is_empty());
    assert_eq!(end(open.producer_epoch), (0, unknown));
    let read = read_all(&server.servers(), "t", 0, "read_committed");
    assert_eq!(values(&read), ["after"]);
    assert_eq!(end(open.producer_epoch), (0, unknown), "a repeated one changes nothing");
    server.stop();
}

#[test]
fn the_newer_protocol_of_groups_is_refused_and_not_met_with_silence() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut wire = Wire::connect(server.addr);
    let listed = wire.call(3, &ApiVersionsRequest::default());
    assert!(listed.api_keys.iter().any(|api| api.api_key == ApiKey::ConsumerGroupHeartbeat as i16));
    for version in [0, 1] {
        let answer = wire.call(version, &ConsumerGroupHeartbeatRequest::default());
        assert_eq!(answer.error_code, ResponseError::UnsupportedVersion.code());
    }
    let consumer: BaseConsumer =
        server.client(&[("group.id", "g"), ("group.protocol", "consumer")]).create().unwrap();
    consumer.subscribe(&["t"]).unwrap();
    eventually("a refusal", || {
        let refused = consumer.poll(std::time::Duration::from_millis(10))?;
        refused.err().map(|error| error.to_string()).filter(|words| words.contains("version"))
    });
    server.stop();
}

#[test]
fn the_folder_of_the_logs_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for name in ["t", "u"] {
        server.create_topic(name, 2, &[]);
    }
    Sender::new(&server.servers(), &[]).put("t", 1, "k", "v");
    let mut wire = Wire::connect(server.addr);
    let mut described = |topics: Option<Vec<_>>| {
        let answer = wire.call(4, &DescribeLogDirsRequest::default().with_topics(topics)).results.remove(0);
        assert!(answer.total_bytes > answer.usable_bytes && answer.usable_bytes > 0);
        assert_eq!(&*answer.log_dir, &*dir.path().display().to_string());
        let partitions = |topic: &describe_log_dirs_response::DescribeLogDirsTopic| {
            topic.partitions.iter().map(|p| (p.partition_index, p.partition_size > 0)).collect::<Vec<_>>()
        };
        answer.topics.iter().map(|topic| (topic.name.to_string(), partitions(topic))).collect::<Vec<_>>()
    };
    let both =
        [("t".to_owned(), vec![(0, false), (1, true)]), ("u".to_owned(), vec![(0, false), (1, false)])];
    assert_eq!(described(None), both);
    let asked = |name, partitions| {
        describe_log_dirs_request::DescribableLogDirTopic::default()
            .with_topic(topic(name))
            .with_partitions(partitions)
    };
    let some = described(Some(vec![asked("t", vec![1, 5]), asked("unknown", vec![0])]));
    assert_eq!(some, [("t".to_owned(), vec![(1, true)])]);
    server.stop();
}

#[test]
fn a_static_leader_that_returns_moves_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut wire = Wire::connect(server.addr);
    let group = || GroupId(text("g"));
    let mut join = |version: i16, metadata: &'static [u8]| {
        let protocol = join_group_request::JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(bytes::Bytes::from_static(metadata));
        let request = JoinGroupRequest::default()
            .with_group_id(group())
            .with_group_instance_id(Some(text("a")))
            .with_session_timeout_ms(30_000)
            .with_rebalance_timeout_ms(30_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        wire.call(version, &request)
    };
    let first = join(9, b"nothing owned");
    assert_eq!((first.error_code, &first.leader, first.skip_assignment), (0, &first.member_id, false));
    // What it owned is in its metadata, so that they differ; the generation stays all the same.
    let second = join(9, b"owned before");
    assert_eq!(second.generation_id, first.generation_id + 1, "it had not assigned yet");
    let mut other = Wire::connect(server.addr);
    let mut sync = |joined: &JoinGroupResponse, assignment: Option<&'static [u8]>| {
        let assignment = assignment.map(|assignment| {
            sync_group_request::SyncGroupRequestAssignment::default()
                .with_member_id(joined.member_id.clone())
                .with_assignment(bytes::Bytes::from_static(assignment))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(group())
            .with_group_instance_id(Some(text("a")))
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone())
            .with_assignments(assignment.into_iter().collect());
        let answer = other.call(3, &request);
        assert_eq!(answer.error_code, 0);
        answer.assignment
    };
    assert_eq!(sync(&second, Some(b"all")), "all");

    let newer = join(9, b"nothing owned");
    assert_eq!((newer.generation_id, newer.skip_assignment), (second.generation_id, true));
    assert_eq!((&newer.leader, newer.members.len()), (&newer.member_id, 1));
    assert_eq!(sync(&newer, None), "all");
    // Older clients cannot be told to skip it, so they are not told that they lead.
    let older = join(5, b"nothing owned");
    assert_eq!(older.generation_id, second.generation_id);
    assert_eq!((&older.leader, older.members.len()), (&newer.member_id, 0));
    assert_ne!(older.member_id, newer.member_id);
    assert_eq!(sync(&older, None), "all");
    server.stop();
}
