//! Producing and consuming, idempotence, timestamps, compression, limits.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use rdkafka::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::support::{DEADLINE, Sender, Server, Wire, batch, read_all, values};

pub fn produce_request(topic: &'static str, partition: i32, batch: bytes::Bytes) -> ProduceRequest {
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![
        TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_static_str(topic)))
            .with_partition_data(vec![
                PartitionProduceData::default().with_index(partition).with_records(Some(batch)),
            ]),
    ])
}

/// Error code and base offset of a produce by hand.
pub fn produce(wire: &mut Wire, topic: &'static str, batch: bytes::Bytes) -> (i16, i64) {
    let response = wire.call(9, &produce_request(topic, 0, batch));
    let partition = &response.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

#[test]
fn what_is_produced_is_consumed_in_order_whatever_the_compression() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("t-{codec}");
        server.create_topic(&topic, 2, &[]);
        let settings = [("compression.codec", codec), ("enable.idempotence", "true"), ("linger.ms", "5")];
        let sender = Sender::new(&server.servers(), &settings);
        for n in 0..1000 {
            sender.send(&topic, n % 2, &format!("k{n}"), Some(&format!("value {n}")));
        }
        assert!(sender.flush().iter().all(Result::is_ok));
        for partition in 0..2 {
            let read = read_all(&server.servers(), &topic, partition, "read_committed");
            let expected: Vec<String> =
                (0..1000).filter(|n| n % 2 == partition).map(|n| format!("value {n}")).collect();
            assert_eq!(values(&read), expected);
            assert!(read.iter().enumerate().all(|(n, record)| record.offset == n as i64));
        }
    }
    server.stop();
}

#[test]
fn an_unknown_topic_is_an_error_and_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let consumer: BaseConsumer = server.client(&[("group.id", "g")]).create().unwrap();
    let metadata = consumer.fetch_metadata(Some("nowhere"), DEADLINE).unwrap();
    assert!(metadata.topics()[0].error().is_some());
    assert!(consumer.fetch_metadata(None, DEADLINE).unwrap().topics().is_empty());
    server.stop();
}

#[test]
fn a_repeated_batch_is_stored_once_and_a_gap_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let mut wire = Wire::connect(server.addr);
    let id = wire.call(4, &InitProducerIdRequest::default().with_transactional_id(None)).producer_id.0;
    let records = [("a", "1"), ("b", "2")];
    for n in 0..6 {
        assert_eq!(produce(&mut wire, "t", batch(id, 0, n * 2, false, &records)), (0, i64::from(n) * 2));
    }
    // The last five are remembered, the sixth from the end is not.
    for n in 1..6 {
        assert_eq!(produce(&mut wire, "t", batch(id, 0, n * 2, false, &records)), (0, i64::from(n) * 2));
    }
    let out_of_order = ResponseError::OutOfOrderSequenceNumber.code();
    assert_eq!(produce(&mut wire, "t", batch(id, 0, 0, false, &records)).0, out_of_order);
    assert_eq!(produce(&mut wire, "t", batch(id, 0, 14, false, &records)).0, out_of_order);
    // A new epoch starts over; the old one is refused from then on.
    assert_eq!(produce(&mut wire, "t", batch(id, 1, 0, false, &records)), (0, 12));
    let fenced = ResponseError::InvalidProducerEpoch.code();
    assert_eq!(produce(&mut wire, "t", batch(id, 0, 12, false, &records)).0, fenced);
    assert_eq!(read_all(&server.servers(), "t", 0, "read_committed").len(), 14);
    server.stop();
}

#[test]
fn damaged_and_foolish_batches_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("max.message.bytes", "1000")]);
    server.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
    let mut wire = Wire::connect(server.addr);
    let good = batch(-1, -1, -1, false, &[("a", "1")]);
    let mut damaged = good.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let corrupt = ResponseError::CorruptMessage.code();
    assert_eq!(produce(&mut wire, "t", damaged.into()).0, corrupt);
    assert_eq!(produce(&mut wire, "t", good.slice(..good.len() - 3)).0, corrupt);
    assert_eq!(produce(&mut wire, "t", bytes::Bytes::new()).0, corrupt);
    let twice = [good.clone(), good.clone()].concat();
    assert_eq!(produce(&mut wire, "t", twice.into()).0, ResponseError::InvalidRecord.code());
    let large = "x".repeat(2000);
    let large = batch(-1, -1, -1, false, &[("a", &large)]);
    assert_eq!(produce(&mut wire, "t", large).0, ResponseError::MessageTooLarge.code());
    assert_eq!(produce(&mut wire, "t", good).0, 0);
    assert_eq!(
        wire.call(9, &produce_request("t", 5, bytes::Bytes::new())).responses[0].partition_responses[0]
            .error_code,
        ResponseError::UnknownTopicOrPartition.code()
    );

    let sender = Sender::new(&server.servers(), &[]);
    sender.send_record(rdkafka::producer::BaseRecord::to("compacted").payload("no key"));
    assert_eq!(sender.flush(), [Err(RDKafkaErrorCode::InvalidRecord)]);
    server.stop();
}

#[test]
fn log_append_time_is_the_brokers() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let sender = Sender::new(&server.servers(), &[]);
    sender.send_record(rdkafka::producer::BaseRecord::to("t").key("k").payload("v").timestamp(1000));
    assert_eq!(sender.flush(), [Ok(0)]);
    let read = read_all(&server.servers(), "t", 0, "read_committed");
    let Timestamp::LogAppendTime(at) = read[0].timestamp else { panic!("{read:?}") };
    assert!(at > 1_600_000_000_000);
    server.stop();
}

#[test]
fn offsets_are_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("segment.bytes", "4096"), ("retention.ms", "-1")]);
    let sender = Sender::new(&server.servers(), &[]);
    for n in 0..500_i64 {
        let value = format!("value {n}");
        let record = rdkafka::producer::BaseRecord::to("t").key("k");
        sender.send_record(record.payload(value.as_str()).timestamp(1000 + n * 10));
        if n % 10 == 0 {
            sender.flush();
        }
    }
    sender.flush();
    let consumer: BaseConsumer = server.client(&[("group.id", "g")]).create().unwrap();
    let at = |timestamp| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(timestamp)).unwrap();
        let found = consumer.offsets_for_times(list, DEADLINE).unwrap();
        found.elements()[0].offset()
    };
    assert_eq!(at(0), Offset::Offset(0));
    for n in [1_i64, 77, 250, 499] {
        assert_eq!(at(1000 + n * 10), Offset::Offset(n));
        assert_eq!(at(1000 + n * 10 - 3), Offset::Offset(n));
    }
    assert_eq!(at(1_000_000), Offset::End);
    let mut wire = Wire::connect(server.addr);
    let newest = wire.call(
        7,
        &ListOffsetsRequest::default().with_topics(vec![
            ListOffsetsTopic::default()
                .with_name(TopicName(StrBytes::from_static_str("t")))
                .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-3)]),
        ]),
    );
    assert_eq!(newest.topics[0].partitions[0].offset, 499);
    server.stop();
}

#[test]
fn a_waiting_fetch_is_answered_when_the_record_comes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let consumer: BaseConsumer = server
        .client(&[("group.id", "g"), ("enable.auto.commit", "false"), ("fetch.wait.max.ms", "10000")])
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let sender = Sender::new(&server.servers(), &[]);
    sender.put("t", 0, "k", "first");
    assert!(consumer.poll(DEADLINE).unwrap().is_ok());
    let mut took = Vec::new();
    for n in 0..50 {
        let start = Instant::now();
        sender.send("t", 0, "k", Some(&n.to_string()));
        assert!(consumer.poll(DEADLINE).unwrap().is_ok());
        took.push(start.elapsed());
    }
    took.sort();
    println!("produce to consume: median {:?}, slowest {:?}", took[25], took[49]);
    // The wait would be ten seconds were it not for the wake-up.
    assert!(took[25] < Duration::from_millis(500), "{:?}", took[25]);
    drop(consumer);
    server.stop();
}
