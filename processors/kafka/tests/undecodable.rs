//! Batches that a real broker takes and no client can decompress: few bytes of zstd that come to more than a client
//! allows. Everything around them is read, and their end is found.

use crate::common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::OnKafka;
use millrace_kafka::{KafkaConfig, KafkaLog, KafkaProducer, Message};
use millrace_ports::{Log, LogFault, Reader, Record, Start, TopicPartition};
use millrace_services::{Services, topic_prefix};
use millrace_testkit::log::conformance::LogFixture;

const SOON: Duration = Duration::from_secs(60);

struct Stage {
    kafka: OnKafka,
    at: TopicPartition,
    bombs: KafkaProducer,
}

impl Stage {
    fn new() -> Self {
        let server = Services::kafka().unwrap_or_else(|error| panic!("no Kafka to test on: {error}"));
        let kafka = OnKafka::at(&server.bootstrap, topic_prefix("undecodable"));
        let at = TopicPartition::new(format!("{}bombs", kafka.prefix()), 0);
        kafka.create_topic(&at.topic, 1);
        let mut config = KafkaConfig::new(&server.bootstrap);
        // an ordinary producer's settings: it may build batches as large as it likes, the broker sees them compressed
        let properties = [
            ("compression.type", "zstd"),
            ("message.max.bytes", "600000000"),
            ("batch.size", "600000000"),
            // all records of a batch must have been handed over before it is sent
            ("linger.ms", "4000"),
        ];
        config.properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let bombs = KafkaLog::connect(config).unwrap().producer().unwrap();
        Self { kafka, at, bombs }
    }

    fn message(&self, value: Bytes) -> Message {
        Message {
            topic: self.at.topic.to_string(),
            partition: 0,
            key: None,
            value: Some(value),
            timestamp_ms: None,
            headers: Vec::new(),
        }
    }

    fn good(&self, text: &'static str) -> i64 {
        self.kafka.producer.send_and_wait(&self.message(text.into()), SOON).unwrap().offset
    }

    /// One batch of so many records that come to 200 MB together.
    fn bomb(&self, records: usize) {
        let value = Bytes::from(vec![0; 200_000_000 / records]);
        for _ in 1..records {
            self.bombs.send(&self.message(value.clone()), Box::new(|_| {})).unwrap();
        }
        self.bombs.send_and_wait(&self.message(value), SOON).unwrap();
    }

    fn reader(&self, from: i64) -> Box<dyn Reader> {
        self.kafka.log.reader(&[(self.at.clone(), Start::Offset(from))]).unwrap()
    }
}

/// What comes next: records, or a fault that is not about the connection.
fn next(reader: &mut dyn Reader) -> Result<Vec<Record>, LogFault> {
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        match reader.poll(100, Duration::from_millis(100)) {
            Ok(records) if records.is_empty() => {}
            Err(LogFault::Unavailable { .. }) => {}
            other => return other,
        }
    }
    panic!("nothing came")
}

fn is_bad(stage: &Stage, reader: &mut dyn Reader) -> i64 {
    match next(reader) {
        Err(LogFault::Undecodable { partition, offset, message }) => {
            assert_eq!(partition, stage.at);
            assert!(!message.is_empty());
            offset
        }
        Err(fault) => panic!("{fault}"),
        Ok(records) => panic!("{:?}", texts(&records)),
    }
}

/// Values as texts; of long ones the first characters.
fn texts(records: &[Record]) -> Vec<String> {
    let text = |value: &Bytes| String::from_utf8_lossy(&value[..value.len().min(20)]).into_owned();
    records.iter().filter_map(|record| record.value.as_ref()).map(text).collect()
}

#[test]
fn a_batch_that_cannot_be_decompressed_is_told_and_its_end_is_found() {
    let stage = Stage::new();
    let before = stage.good("before");
    stage.bomb(1);
    let between = stage.good("between");
    assert_eq!(between, before + 2);
    stage.bomb(5);
    stage.bomb(2);
    let behind = stage.good("behind");
    assert_eq!(behind, between + 8);

    let mut reader = stage.reader(0);
    assert_eq!(texts(&next(&mut *reader).unwrap()), ["before"], "what stands before it is given first");
    let bad = is_bad(&stage, &mut *reader);
    assert_eq!(bad, before + 1);
    assert_eq!(is_bad(&stage, &mut *reader), bad, "it is told again until somebody decides what to do");
    assert_eq!(reader.position(&stage.at), bad);
    assert_eq!(stage.kafka.log.batch_end(&stage.at, bad).unwrap(), between);
    reader.seek(&stage.at, between).unwrap();
    assert_eq!(texts(&next(&mut *reader).unwrap()), ["between"]);
    // two in a row, of several records each
    let bad = is_bad(&stage, &mut *reader);
    assert_eq!(bad, between + 1);
    let end = stage.kafka.log.batch_end(&stage.at, bad).unwrap();
    assert_eq!(end, bad + 5);
    reader.seek(&stage.at, end).unwrap();
    let bad = is_bad(&stage, &mut *reader);
    assert_eq!(bad, end);
    assert_eq!(stage.kafka.log.batch_end(&stage.at, bad).unwrap(), behind);
    reader.seek(&stage.at, behind).unwrap();
    assert_eq!(texts(&next(&mut *reader).unwrap()), ["behind"]);
}

#[test]
fn a_read_from_its_middle_and_one_at_the_end_of_the_partition_are_told_too() {
    let stage = Stage::new();
    let before = stage.good("before");
    stage.bomb(4);
    let mut reader = stage.reader(before + 3);
    assert_eq!(is_bad(&stage, &mut *reader), before + 1, "where it begins, not where the read did");
    let end = stage.kafka.log.batch_end(&stage.at, before + 1).unwrap();
    assert_eq!(end, before + 5);
    reader.seek(&stage.at, end).unwrap();
    assert!(reader.poll(10, Duration::from_secs(2)).unwrap().is_empty());
    stage.good("behind");
    assert_eq!(texts(&next(&mut *reader).unwrap()), ["behind"]);
}

#[test]
fn who_allows_more_can_read_it() {
    let stage = Stage::new();
    stage.bomb(1);
    let mut config = stage.kafka.log.config().clone();
    config.properties = BTreeMap::from([("receive.message.max.bytes".to_owned(), "300000000".to_owned())]);
    let patient = KafkaLog::connect(config).unwrap();
    let mut reader = patient.reader(&[(stage.at.clone(), Start::Beginning)]).unwrap();
    assert_eq!(next(&mut *reader).unwrap()[0].value.as_ref().unwrap().len(), 200_000_000);
}
