//! Topics are made, described, grown and configured; groups are looked at without joining them.

use std::time::{Duration, Instant};

use crate::common;

use common::OnKafka;
use millrace_kafka::NewTopic;
use millrace_ports::{Log, LogFault, TopicPartition};
use millrace_services::{Services, topic_prefix};
use millrace_testkit::log::conformance::{LogFixture, Plain};

fn configs(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn topics_are_looked_after() {
    let server = Services::kafka().unwrap_or_else(|error| panic!("no Kafka to test on: {error}"));
    let prefix = topic_prefix("admin");
    let kafka = OnKafka::at(&server.bootstrap, prefix.clone());
    let name = format!("{prefix}state");
    assert_eq!(kafka.admin.describe(&name).unwrap(), None);

    let wanted = NewTopic {
        name: name.clone(),
        partitions: 2,
        replication: -1,
        configs: configs(&[("cleanup.policy", "compact"), ("delete.retention.ms", "1000")]),
    };
    kafka.admin.create(&wanted).unwrap();
    kafka.admin.create(&wanted).unwrap();
    let found = kafka.admin.describe(&name).unwrap().unwrap();
    assert_eq!((found.partitions, found.replication), (2, 1));
    assert_eq!(found.configs["cleanup.policy"], "compact");

    kafka.admin.alter_configs(&name, &configs(&[("delete.retention.ms", "2000")])).unwrap();
    // a broker takes in a moment later what its controller has acknowledged
    let deadline = Instant::now() + Duration::from_secs(20);
    let found = loop {
        let found = kafka.admin.describe(&name).unwrap().unwrap();
        if found.configs["delete.retention.ms"] == "2000" {
            break found;
        }
        assert!(Instant::now() < deadline, "{:?}", found.configs);
    };
    assert_eq!(found.configs["cleanup.policy"], "compact", "what was not named stays");
    let refused = kafka.admin.alter_configs(&name, &configs(&[("cleanup.policy", "shred")]));
    assert!(matches!(refused, Err(LogFault::Refused { .. })), "{refused:?}");

    kafka.admin.add_partitions(&name, 4).unwrap();
    assert_eq!(kafka.log.partitions(&name).unwrap(), 4);
    let refused = kafka.admin.add_partitions(&name, 3);
    assert!(matches!(refused, Err(LogFault::Refused { .. })), "{refused:?}");
    let bad = NewTopic { name: format!("{prefix}bad"), configs: configs(&[("no.such", "1")]), ..wanted };
    let refused = kafka.admin.create(&bad);
    assert!(matches!(refused, Err(LogFault::Refused { .. })), "{refused:?}");

    let cluster = kafka.admin.cluster().unwrap();
    assert_eq!(cluster.topics[&name], 4);
    assert!(!cluster.brokers.is_empty());
}

#[test]
fn a_groups_lag_is_seen_from_outside() {
    let server = Services::kafka().unwrap_or_else(|error| panic!("no Kafka to test on: {error}"));
    let prefix = topic_prefix("lag");
    let kafka = OnKafka::at(&server.bootstrap, prefix.clone());
    let name = format!("{prefix}commands");
    kafka.create_topic(&name, 1);
    let here = TopicPartition::new(name.as_str(), 0);
    for _ in 0..3 {
        kafka.produce(&here, Plain { value: Some("x".into()), ..Plain::default() });
    }
    let group = format!("{prefix}group");
    let lag = kafka.admin.lag(&group, std::slice::from_ref(&here)).unwrap()[&here];
    assert_eq!((lag.committed, lag.end, lag.lag), (None, 3, 3));
    assert!(kafka.admin.group_offsets(&group, &[here]).unwrap().is_empty());
}
