//! A broker that goes away and comes back, and a reader that nobody looked at meanwhile.

use crate::common;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::OnKafka;
use millrace_embedded::broker::{Broker, BrokerConfig, BrokerHandle};
use millrace_ports::{LogFault, Reader, Start, TopicPartition};
use millrace_testkit::log::conformance::LogFixture;
use millrace_testkit::log::memory::Plain;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(60);
/// So many failed attempts to connect make an outage.
const ATTEMPTS: usize = 12;

fn record(value: &'static str) -> Plain {
    Plain { value: Some(Bytes::from_static(value.as_bytes())), ..Plain::default() }
}

/// Polls until a record comes; how many polls have failed before.
fn faults_before_a_record(reader: &mut dyn Reader) -> usize {
    let (mut faults, deadline) = (0, Instant::now() + LIMIT);
    loop {
        assert!(Instant::now() < deadline, "no record after {faults} faults");
        match reader.poll(10, Duration::from_millis(200)) {
            Ok(records) if records.is_empty() => {}
            Ok(_) => return faults,
            Err(LogFault::Unavailable { .. }) => faults += 1,
            Err(other) => panic!("{other}"),
        }
    }
}

/// The client queues an error for every attempt to connect. One who pauses after each fault, as
/// roles do, must not wait as many pauses for the records behind them.
#[test]
fn what_an_outage_has_queued_is_one_fault() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let start = |port: u16| -> BrokerHandle {
        let mut config = BrokerConfig::new(dir.path());
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        runtime.block_on(Broker::start(config)).unwrap()
    };
    let broker = start(0);
    let port = broker.addr().port();
    let clients = OnKafka::at(&broker.bootstrap_servers(), "outage.".to_owned());
    let at = TopicPartition::new(Arc::from("outage.records"), 0);
    clients.create_topic(&at.topic, 1);
    clients.produce(&at, record("before"));
    let open = || clients.log().reader(&[(at.clone(), Start::Beginning)]).unwrap();
    let (mut reader, mut witness) = (open(), open());
    faults_before_a_record(&mut *reader);
    faults_before_a_record(&mut *witness);

    runtime.block_on(broker.shutdown()).unwrap();
    let (mut seen, deadline) = (0, Instant::now() + LIMIT);
    while seen < ATTEMPTS {
        assert!(Instant::now() < deadline, "the client has told of {seen} attempts");
        seen += usize::from(witness.poll(10, Duration::from_millis(50)).is_err());
    }

    let _broker = start(port);
    clients.produce(&at, record("after"));
    let faults = faults_before_a_record(&mut *reader);
    assert!(faults <= 1, "{faults} faults stood before the record");
}
