//! Nobody takes from others what they need: connections, bytes, time, files.

use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, FetchRequest, JoinGroupRequest, MetadataRequest,
};
use kafka_protocol::protocol::StrBytes;
use millrace_embedded::broker::{Broker, BrokerError};

use crate::support::{DEADLINE, Server, Wire, config, eventually, produce_bytes};

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    matches!(stream.read(&mut [0; 16]), Ok(0))
        || matches!(stream.read(&mut [0; 16]), Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
}

#[test]
fn silent_connections_keep_nobody_out() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| config.limits.connections = 20);
    let _silent: Vec<_> = (0..100).map(|_| TcpStream::connect(server.addr).unwrap()).collect();
    let mut wires: Vec<_> = (0..10).map(|_| Wire::connect(server.addr)).collect();
    for wire in &mut wires {
        assert_eq!(wire.call(3, &ApiVersionsRequest::default()).error_code, 0);
    }
    let _more: Vec<_> = (0..100).map(|_| TcpStream::connect(server.addr).unwrap()).collect();
    for wire in &mut wires {
        assert_eq!(wire.call(3, &ApiVersionsRequest::default()).error_code, 0);
    }
    server.stop();
}

#[test]
fn clients_of_the_same_process_have_places_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| {
        config.limits.connections = 3;
        config.own_listener = true;
    });
    // All places are taken by who is being answered.
    let mut waiting: Vec<_> = (0..3).map(|_| Wire::connect(server.addr)).collect();
    for wire in &mut waiting {
        wire.call(3, &ApiVersionsRequest::default());
        wire.send(12, &FetchRequest::default().with_max_wait_ms(60_000).with_min_bytes(1));
    }
    let mut stranger = TcpStream::connect(server.addr).unwrap();
    assert!(is_closed(&mut stranger));
    let own: std::net::SocketAddr = server.own_servers().parse().unwrap();
    assert_ne!(own, server.addr);
    let mut ours = Wire::connect(own);
    let answer = ours.call(9, &MetadataRequest::default().with_topics(Some(Vec::new())));
    assert_eq!(answer.brokers[0].port, i32::from(own.port()), "they stay on their own");
    server.stop();
}

#[test]
fn clients_are_told_the_address_by_which_they_came_or_the_one_that_was_set() {
    let told = |addr: std::net::SocketAddr| {
        let answer = Wire::connect(addr).call(9, &MetadataRequest::default().with_topics(Some(Vec::new())));
        (answer.brokers[0].host.to_string(), answer.brokers[0].port)
    };
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| config.listen = ([0, 0, 0, 0], 0).into());
    let port = server.addr.port();
    for host in ["127.0.0.1", "127.0.0.2"] {
        assert_eq!(told(format!("{host}:{port}").parse().unwrap()), (host.to_owned(), i32::from(port)));
    }
    server.stop();
    let server = Server::start_with(dir.path(), |config| {
        config.listen = ([0, 0, 0, 0], 0).into();
        config.advertised = Some(("kafka.example.org".to_owned(), 0));
    });
    let port = server.addr.port();
    let local = ([127, 0, 0, 1], port).into();
    assert_eq!(told(local), ("kafka.example.org".to_owned(), i32::from(port)));
    server.stop();
}

#[test]
fn who_stands_still_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| {
        config.limits.silent = Duration::from_millis(100);
        config.limits.idle = Duration::from_millis(100);
        config.limits.stalled = Duration::from_millis(100);
    });
    let mut silent = TcpStream::connect(server.addr).unwrap();
    assert!(is_closed(&mut silent));
    let mut idle = Wire::connect(server.addr);
    idle.call(3, &ApiVersionsRequest::default());
    assert!(idle.receive().is_none());
    let mut half = Wire::connect(server.addr);
    half.send_bytes(&[0, 0, 0, 100, 0, 3]);
    assert!(half.receive().is_none());
    // Who waits for an answer is not idle.
    let mut waits = Wire::connect(server.addr);
    waits.send(12, &FetchRequest::default().with_max_wait_ms(500).with_min_bytes(1));
    assert!(waits.receive().is_some());
    server.stop();
}

#[test]
fn who_takes_no_answer_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| {
        config.limits.stalled = Duration::from_millis(200);
        config.limits.connections = 1;
    });
    let mut wire = Wire::connect(server.addr);
    let names = (0..2_000).map(|n| {
        let name = StrBytes::from_string(format!("{n}{}", "x".repeat(200)));
        kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(name.into()))
    });
    let request = MetadataRequest::default().with_topics(Some(names.collect()));
    // Until nothing goes in any more: the answers are not taken.
    wire.set_write_timeout(Duration::from_millis(500));
    while wire.try_send(9, &request).is_ok() {}
    eventually("its place is free", || {
        let mut wire = Wire::connect(server.addr);
        wire.try_send(3, &ApiVersionsRequest::default()).ok()?;
        wire.receive().map(|_| ())
    });
    server.stop();
}

#[test]
fn bytes_in_flight_are_bounded_and_nobody_keeps_them() {
    const LARGE: usize = 3 << 20;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| config.limits.bytes_in_flight = 4 << 20);
    server.create_topic("t", 1, &[("max.message.bytes", "4000000")]);
    // They hold more together than there is: parts of requests, and requests behind one that waits.
    let mut hogs: Vec<_> = (0..6).map(|_| Wire::connect(server.addr)).collect();
    for hog in &mut hogs {
        hog.set_write_timeout(Duration::from_millis(200));
        let mut promise = (LARGE as u32 + 1000).to_be_bytes().to_vec();
        promise.resize(LARGE, 0);
        let _ = hog.try_send_bytes(&promise);
    }
    let mut behind = Wire::connect(server.addr);
    behind.send(5, &join_that_waits());
    let mut honest = Wire::connect(server.addr);
    let request = produce_bytes("t", &"v".repeat(LARGE));
    let answer = honest.call(9, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    server.stop();
}

fn join_that_waits() -> JoinGroupRequest {
    JoinGroupRequest::default()
        .with_group_id(StrBytes::from_static_str("g").into())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
}

#[test]
fn a_topic_that_would_take_all_files_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let allowed = millrace_embedded::net::files::allowed();
    if allowed > 9_000 {
        return; // this machine allows more than a topic may have
    }
    let mut wire = Wire::connect(server.addr);
    let topic = kafka_protocol::messages::create_topics_request::CreatableTopic::default()
        .with_name(StrBytes::from_static_str("t").into())
        .with_num_partitions(9_999)
        .with_replication_factor(1);
    let answer = wire.call(5, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000));
    let message = answer.topics[0].error_message.as_ref().unwrap();
    assert!(message.contains("open files"), "{message}");
    server.stop();
}

#[test]
fn the_folder_is_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("kafka");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    Server::start(&data).stop();
    assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o7777, 0o700);
}

/// A link stands for a disk that finds a folder under both names.
#[test]
fn topics_that_share_a_folder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("orders", 1, &[]);
    server.create_topic("PLACES", 1, &[]);
    server.create_topic("places", 1, &[]);
    std::os::unix::fs::symlink("orders", dir.path().join("topics/Orders")).unwrap();
    let mut wire = Wire::connect(server.addr);
    let topic = kafka_protocol::messages::create_topics_request::CreatableTopic::default()
        .with_name(StrBytes::from_static_str("Orders").into())
        .with_num_partitions(1)
        .with_replication_factor(1);
    let answer = wire.call(5, &CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000));
    assert_eq!(answer.topics[0].error_code, kafka_protocol::ResponseError::InvalidTopicException.code());
    assert!(answer.topics[0].error_message.as_ref().unwrap().contains("'orders'"));
    assert!(dir.path().join("topics/orders/0").exists(), "its records are where they were");
    server.stop();

    std::fs::remove_file(dir.path().join("topics/Orders")).unwrap();
    std::fs::remove_dir_all(dir.path().join("topics/places")).unwrap();
    std::os::unix::fs::symlink("PLACES", dir.path().join("topics/places")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(Broker::start(config(dir.path(), |_| {}))).unwrap_err();
    assert!(
        matches!(&error, BrokerError::Damaged { what } if what.contains("'PLACES' and 'places'")),
        "{error}"
    );
}
