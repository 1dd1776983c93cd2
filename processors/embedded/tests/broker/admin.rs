//! Topics and their settings, and starting where one cannot.

use std::error::Error as _;

use millrace_embedded::broker::{Broker, BrokerError};
use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;

use crate::support::{DEADLINE, Server, admin, config};

#[test]
fn topics_are_created_changed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let admin = admin(&server.servers());
    let options = AdminOptions::new();
    let create = |topic: NewTopic<'_>, options: &AdminOptions| {
        let created = server.runtime.block_on(admin.create_topics([&topic], options)).unwrap();
        created.into_iter().next().unwrap().map_err(|(_, error)| error)
    };
    let new = |name, partitions| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let only_check = AdminOptions::new().validate_only(true);
    create(new("t", 2), &only_check).unwrap();
    create(new("t", 2).set("cleanup.policy", "compact"), &options).unwrap();
    for (topic, error) in [
        (new("t", 2), RDKafkaErrorCode::TopicAlreadyExists),
        (new("u", 0), RDKafkaErrorCode::InvalidPartitions),
        (NewTopic::new("u", 1, TopicReplication::Fixed(3)), RDKafkaErrorCode::InvalidReplicationFactor),
        (new("a/b", 1), RDKafkaErrorCode::InvalidTopic),
        (new("u", 1).set("nonsense", "1"), RDKafkaErrorCode::InvalidConfig),
        (new("u", 1).set("retention.ms", "soon"), RDKafkaErrorCode::InvalidConfig),
    ] {
        assert_eq!(create(topic, &options), Err(error));
    }

    let partitions = |count| {
        let more = NewPartitions::new("t", count);
        let grown = admin.create_partitions([&more], &options);
        server.runtime.block_on(grown).unwrap().remove(0).map_err(|(_, error)| error)
    };
    assert_eq!(partitions(1), Err(RDKafkaErrorCode::InvalidPartitions));
    partitions(4).unwrap();
    let consumer: BaseConsumer = server.client(&[]).create().unwrap();
    let metadata = consumer.fetch_metadata(Some("t"), DEADLINE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 4);

    let change = AlterConfig::new(ResourceSpecifier::Topic("t"))
        .set("cleanup.policy", "compact,delete")
        .set("retention.ms", "1000");
    let altered = admin.alter_configs([&change], &options);
    server.runtime.block_on(altered).unwrap().remove(0).unwrap();
    server.stop();

    let server = Server::start(dir.path());
    let admin = crate::support::admin(&server.servers());
    let described = admin.describe_configs([&ResourceSpecifier::Topic("t")], &options);
    let described = server.runtime.block_on(described).unwrap().remove(0).unwrap();
    let value = |name: &str| described.get(name).unwrap().value.clone().unwrap();
    assert_eq!(value("cleanup.policy"), "compact,delete");
    assert_eq!(value("retention.ms"), "1000");
    assert_eq!(value("message.timestamp.type"), "CreateTime");
    let deleted = server.runtime.block_on(admin.delete_topics(&["t"], &options)).unwrap();
    assert!(deleted[0].is_ok());
    let deleted = server.runtime.block_on(admin.delete_topics(&["t"], &options)).unwrap();
    assert!(deleted[0].is_err());
    assert!(!dir.path().join("topics/t").exists());
    server.create_topic("t", 1, &[]);
    server.stop();
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = config(dir.path(), |config| config.listen.set_port(port));
    let error = runtime.block_on(Broker::start(config)).unwrap_err();
    assert!(matches!(error, BrokerError::PortTaken { .. }));
    let message = error.to_string();
    assert!(message.contains(&port.to_string()) && message.contains("--kafka-port"), "{message}");
}

#[test]
fn a_data_folder_in_use_is_refused_and_free_again_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(Broker::start(config(dir.path(), |_| {}))).unwrap_err();
    assert!(matches!(error, BrokerError::DataDirInUse { .. }), "{error}");
    assert!(error.to_string().contains(&dir.path().display().to_string()));
    server.stop();
    Server::start(dir.path()).stop();
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(Broker::start(config(&file.join("data"), |_| {}))).unwrap_err();
    assert!(matches!(error, BrokerError::DataDirNotWritable { .. }), "{error}");
    assert!(error.source().is_some());
}
