//! A broker that is not there, goes away, and comes back.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use millrace_kafka::{KafkaConfig, KafkaLog, Message};
use millrace_ports::{
    Group, GroupEvent, GroupSpec, Log, LogFault, Start, TopicPartition, Transaction, TransactionalWriter,
};
use millrace_services::{OwnedKafka, free_port};

const PATIENCE: Duration = Duration::from_secs(60);

fn quick(bootstrap: &str) -> KafkaLog {
    let mut config = KafkaConfig::new(bootstrap);
    config.request_timeout = Duration::from_secs(2);
    config.transaction_timeout = Duration::from_secs(5);
    KafkaLog::connect(config).unwrap()
}

fn message(topic: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        partition: 0,
        key: None,
        value: Some("x".into()),
        timestamp_ms: None,
        headers: Vec::new(),
    }
}

fn join(log: &KafkaLog, topic: &str) -> Box<dyn Group> {
    let session_timeout = Duration::from_secs(6);
    log.join(&GroupSpec { group_id: format!("{topic}.group"), topic: topic.into(), session_timeout }).unwrap()
}

/// Tries until it works, as a loop of the runtime does.
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
    }
}

fn assert_names(fault: LogFault, host: &str) {
    match fault {
        LogFault::Unavailable { message, .. } => assert!(message.contains(host), "{message}"),
        fault => panic!("not Unavailable: {fault}"),
    }
}

#[test]
fn every_call_says_which_broker_is_absent_and_soon() {
    let port = free_port().unwrap();
    let host = format!("127.0.0.1:{}", port.number());
    let log = quick(&host);
    let here = TopicPartition::new("absent", 0);
    let start = Instant::now();
    assert_names(log.partitions("absent").unwrap_err(), &host);
    assert_names(log.high_watermark(&here).unwrap_err(), &host);
    assert_names(log.offset_at(&here, 0).unwrap_err(), &host);
    assert_names(log.reader(&[(here.clone(), Start::Beginning)]).err().unwrap(), &host);
    let group = join(&log, "absent");
    assert_names(group.committed(std::slice::from_ref(&here)).unwrap_err(), &host);
    let mut writer = group.writer("absent").unwrap();
    assert_names(writer.fence().unwrap_err(), &host);
    let poll = until("the group says so, too", || group.poll(Duration::from_millis(100)).err());
    assert_names(poll, &host);
    let producer = log.producer().unwrap();
    assert_names(producer.send_and_wait(&message("absent"), Duration::from_secs(1)).unwrap_err(), &host);
    assert_names(log.admin().unwrap().cluster().unwrap_err(), &host);
    group.leave();
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

/// What a client says of each attempt fills its queue; the one complaint that explains them all lies behind it.
#[test]
fn what_is_wrong_is_found_behind_any_number_of_log_lines() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = elsewhere.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in elsewhere.incoming() {
            let Ok(mut connection) = connection else { return };
            let _ = connection.read(&mut [0; 512]);
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let mut config = KafkaConfig::new(&host);
    config.request_timeout = Duration::from_secs(2);
    config.properties.insert("security.protocol".to_owned(), "SSL".to_owned());
    config.properties.insert("reconnect.backoff.max.ms".to_owned(), "20".to_owned());
    let log = KafkaLog::connect(config).unwrap();
    for _ in 0..3 {
        let partitions = log.partitions("absent").map(|_| ());
        let offsets = log.admin().unwrap().group_offsets("absent", &[TopicPartition::new("absent", 0)]);
        for fault in [partitions.unwrap_err(), offsets.map(|_| ()).unwrap_err()] {
            assert!(fault.to_string().contains("(last: "), "{fault}");
            assert!(fault.to_string().contains("does not speak TLS"), "{fault}");
        }
    }
}

#[test]
fn an_unknown_property_is_refused_with_its_name() {
    let mut config = KafkaConfig::new("127.0.0.1:1");
    config.properties.insert("no.such.property".to_owned(), "1".to_owned());
    match KafkaLog::connect(config).err() {
        Some(LogFault::Refused { message, .. }) => assert!(message.contains("no.such.property"), "{message}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn everything_goes_on_after_a_restart_of_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = OwnedKafka::start(dir.path()).unwrap();
    let log = quick(&server.bootstrap());
    let topic = "restart";
    let here = TopicPartition::new(topic, 0);
    let configs = [("retention.ms".to_owned(), "-1".to_owned())].into();
    let wanted = millrace_kafka::NewTopic { name: topic.to_owned(), partitions: 1, replication: 1, configs };
    log.admin().unwrap().create(&wanted).unwrap();
    let producer = log.producer().unwrap();
    producer.send_and_wait(&message(topic), PATIENCE).unwrap();
    let mut reader = log.reader(&[(here.clone(), Start::Beginning)]).unwrap();
    let group = join(&log, topic);
    until("an assignment", || {
        matches!(group.poll(Duration::from_millis(50)).ok()?, Some(GroupEvent::Assigned(_))).then_some(())
    });
    let mut writer = group.writer("restart").unwrap();
    until("a fence", || writer.fence().ok());

    server.kill9().unwrap();
    let batch = |offset| Transaction { records: Vec::new(), offsets: [(here.clone(), offset)].into() };
    let lost = writer.submit(batch(1)).and_then(|()| settled(&mut *writer));
    assert!(matches!(lost, Err(LogFault::Unavailable { .. })), "{lost:?}");
    let mut count = 0;
    until("the reader notices", || match reader.poll(10, Duration::from_millis(50)) {
        Err(LogFault::Unavailable { .. }) => Some(()),
        Err(fault) => panic!("not Unavailable: {fault}"),
        Ok(records) => {
            count += records.len();
            None
        }
    });
    server.restart().unwrap();

    producer.send_and_wait(&message(topic), PATIENCE).unwrap();
    until("both records are read", || {
        count += reader.poll(10, Duration::from_millis(50)).map_or(0, |it| it.len());
        (count == 2).then_some(())
    });
    until("a batch commits", || {
        let _ = group.poll(Duration::from_millis(20));
        writer.fence().ok()?;
        writer.submit(batch(2)).ok()?;
        settled(&mut *writer).ok()
    });
    let committed = until("offsets", || group.committed(std::slice::from_ref(&here)).ok());
    assert_eq!(committed[&here], 2);
}

fn settled(writer: &mut dyn TransactionalWriter) -> Result<(), LogFault> {
    until("the batch is over", || match writer.settle(Duration::from_millis(50)) {
        Ok(false) => None,
        Ok(true) => Some(Ok(())),
        Err(fault) => Some(Err(fault)),
    })
}
