//! What is refused is what Apache Kafka refuses: the same batches, sent to both.

use millrace_services::{Services, topic_prefix};

use crate::bombs::rows;
use crate::support::{Wire, create_topic};

#[test]
fn apache_kafka_answers_as_the_table_says() {
    let servers = Services::kafka().unwrap().bootstrap.clone();
    let topic: &'static str = Box::leak(format!("{}batches", topic_prefix("peer")).into_boxed_str());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    create_topic(&runtime, &servers, topic, 1, &[]);
    let addr = std::net::ToSocketAddrs::to_socket_addrs(&servers).unwrap().next().unwrap();
    let mut wire = Wire::connect(addr);
    let mut differences = Vec::new();
    for row in rows() {
        let (code, _) = crate::produce::produce(&mut wire, topic, row.batch);
        if code != row.kafka {
            differences.push(format!("{}: {code}, not {}", row.name, row.kafka));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
