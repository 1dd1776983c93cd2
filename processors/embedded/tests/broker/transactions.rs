//! Transactions: atomic, isolated, fenced, with offsets.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use kafka_protocol::messages::{
    EndTxnRequest, InitProducerIdRequest, ProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::produce::{produce, produce_request};
use crate::support::{DEADLINE, Sender, Server, Wire, batch, eventually, read_all, values};

fn transactional(server: &Server, id: &str, more: &[(&str, &str)]) -> Sender {
    let mut settings = vec![("transactional.id", id)];
    settings.extend_from_slice(more);
    let sender = Sender::new(&server.servers(), &settings);
    sender.producer.init_transactions(DEADLINE).unwrap();
    sender
}

#[test]
fn committed_records_are_seen_and_aborted_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 2, &[]);
    let sender = transactional(&server, "tx", &[]);
    for n in 0..10 {
        sender.producer.begin_transaction().unwrap();
        for partition in 0..2 {
            sender.send("t", partition, "k", Some(&format!("{n}")));
        }
        assert!(sender.flush().iter().all(Result::is_ok));
        if n % 3 == 0 {
            sender.producer.abort_transaction(DEADLINE).unwrap();
        } else {
            sender.producer.commit_transaction(DEADLINE).unwrap();
        }
    }
    for partition in 0..2 {
        let committed = read_all(&server.servers(), "t", partition, "read_committed");
        assert_eq!(values(&committed), ["1", "2", "4", "5", "7", "8"]);
        let all = read_all(&server.servers(), "t", partition, "read_uncommitted");
        assert_eq!(all.len(), 10);
    }
    server.stop();
}

#[test]
fn an_open_transaction_holds_back_readers_of_committed_data_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let plain = Sender::new(&server.servers(), &[]);
    plain.put("t", 0, "k", "before");
    let sender = transactional(&server, "tx", &[]);
    sender.producer.begin_transaction().unwrap();
    sender.put("t", 0, "k", "inside");
    plain.put("t", 0, "k", "after");
    assert_eq!(values(&read_all(&server.servers(), "t", 0, "read_committed")), ["before"]);
    let all = read_all(&server.servers(), "t", 0, "read_uncommitted");
    assert_eq!(values(&all), ["before", "inside", "after"]);
    sender.producer.commit_transaction(DEADLINE).unwrap();
    let all = read_all(&server.servers(), "t", 0, "read_committed");
    assert_eq!(values(&all), ["before", "inside", "after"]);
    server.stop();
}

#[test]
fn a_second_producer_of_the_id_fences_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let first = transactional(&server, "tx", &[]);
    first.producer.begin_transaction().unwrap();
    first.put("t", 0, "k", "left open");
    let second = transactional(&server, "tx", &[]);
    // What the first left open is over at once.
    assert!(read_all(&server.servers(), "t", 0, "read_committed").is_empty());
    let error = first.producer.commit_transaction(DEADLINE).unwrap_err();
    let KafkaError::Transaction(error) = error else { panic!("{error}") };
    assert!(error.is_fatal(), "{error}");
    let (fatal, _) = first.producer.client().fatal_error().unwrap();
    assert_eq!(fatal, RDKafkaErrorCode::Fenced);
    second.producer.begin_transaction().unwrap();
    second.put("t", 0, "k", "new");
    second.producer.commit_transaction(DEADLINE).unwrap();
    assert_eq!(values(&read_all(&server.servers(), "t", 0, "read_committed")), ["new"]);
    server.stop();
}

#[test]
fn a_zombie_can_write_nothing_by_hand_either() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let mut wire = Wire::connect(server.addr);
    let init = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("tx"))))
        .with_transaction_timeout_ms(10_000);
    let old = wire.call(4, &init);
    let new = wire.call(4, &init);
    assert_eq!((new.producer_id, new.producer_epoch), (old.producer_id, old.producer_epoch + 1));
    let add = |epoch: i16| {
        AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(StrBytes::from_static_str("tx")))
            .with_v3_and_below_producer_id(old.producer_id)
            .with_v3_and_below_producer_epoch(epoch)
            .with_v3_and_below_topics(vec![
                AddPartitionsToTxnTopic::default()
                    .with_name(TopicName(StrBytes::from_static_str("t")))
                    .with_partitions(vec![0]),
            ])
    };
    let mut added = |version, epoch| {
        let response = wire.call(version, &add(epoch));
        response.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    };
    assert_eq!(added(3, 0), ResponseError::ProducerFenced.code());
    assert_eq!(added(1, 0), ResponseError::InvalidProducerEpoch.code());
    assert_eq!(added(3, 1), 0);

    let mut wire = Wire::connect(server.addr);
    let mut write = |epoch: i16| {
        let records = batch(old.producer_id.0, epoch, 0, true, &[("k", "v")]);
        let request = produce_request("t", 0, records)
            .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("tx"))));
        wire.call(9, &request).responses[0].partition_responses[0].error_code
    };
    assert_eq!(write(0), ResponseError::InvalidProducerEpoch.code());
    assert_eq!(write(1), 0);

    let mut wire = Wire::connect(server.addr);
    let mut end = |epoch: i16, committed: bool| {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(StrBytes::from_static_str("tx")))
            .with_producer_id(old.producer_id)
            .with_producer_epoch(epoch)
            .with_committed(committed);
        wire.call(3, &request).error_code
    };
    assert_eq!(end(0, true), ResponseError::ProducerFenced.code());
    assert_eq!(end(1, true), 0);
    // Asked again because the answer was lost.
    assert_eq!(end(1, true), 0);
    assert_eq!(end(1, false), ResponseError::InvalidTxnState.code());
    // A record that arrives behind the marker would hang for ever: it is refused.
    assert_eq!(write(1), ResponseError::InvalidTxnState.code());
    let mut wire = Wire::connect(server.addr);
    let stray = batch(old.producer_id.0, 1, 1, true, &[("k", "v")]);
    assert_eq!(produce(&mut wire, "t", stray).0, ResponseError::InvalidTxnState.code());
    assert_eq!(read_all(&server.servers(), "t", 0, "read_committed").len(), 1);
    assert_ne!(old.producer_id, ProducerId(-1));
    server.stop();
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let sender = transactional(&server, "tx", &[("transaction.timeout.ms", "1000")]);
    sender.producer.begin_transaction().unwrap();
    sender.put("t", 0, "k", "late");
    Sender::new(&server.servers(), &[]).put("t", 0, "k", "plain");
    eventually("the abort", || {
        let read = read_all(&server.servers(), "t", 0, "read_committed");
        (values(&read) == ["plain"]).then_some(())
    });
    assert!(sender.producer.commit_transaction(DEADLINE).is_err());
    server.stop();
}

fn committed(consumer: &BaseConsumer, timeout: Duration) -> Result<Offset, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition("in", 0);
    let list = consumer.committed_offsets(list, timeout)?;
    Ok(list.elements()[0].offset())
}

#[test]
fn offsets_belong_to_the_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("in", 1, &[]);
    server.create_topic("out", 1, &[]);
    Sender::new(&server.servers(), &[]).put("in", 0, "k", "command");
    let consumer: BaseConsumer = server
        .client(&[("group.id", "g"), ("auto.offset.reset", "earliest"), ("enable.auto.commit", "false")])
        .create()
        .unwrap();
    consumer.subscribe(&["in"]).unwrap();
    eventually("the record", || consumer.poll(Duration::from_millis(50))?.ok().map(|_| ()));
    let metadata = consumer.group_metadata().unwrap();
    let sender = transactional(&server, "tx", &[]);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("in", 0, Offset::Offset(1)).unwrap();

    sender.producer.begin_transaction().unwrap();
    sender.put("out", 0, "k", "event");
    sender.producer.send_offsets_to_transaction(&offsets, &metadata, DEADLINE).unwrap();
    // Whoever asks now has to wait for the decision.
    assert!(committed(&consumer, Duration::from_millis(300)).is_err());
    sender.producer.abort_transaction(DEADLINE).unwrap();
    assert_eq!(committed(&consumer, DEADLINE).unwrap(), Offset::Invalid);

    sender.producer.begin_transaction().unwrap();
    sender.put("out", 0, "k", "event");
    sender.producer.send_offsets_to_transaction(&offsets, &metadata, DEADLINE).unwrap();
    sender.producer.commit_transaction(DEADLINE).unwrap();
    assert_eq!(committed(&consumer, DEADLINE).unwrap(), Offset::Offset(1));

    // A member that left can commit nothing.
    drop(consumer);
    sender.producer.begin_transaction().unwrap();
    let error = sender.producer.send_offsets_to_transaction(&offsets, &metadata, DEADLINE).unwrap_err();
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::UnknownMemberId));
    sender.producer.abort_transaction(DEADLINE).unwrap();
    server.stop();
}
