//! The adapter passes the suite that every log must pass, on Apache Kafka.

use crate::common;

use common::OnKafka;
use millrace_services::{Services, topic_prefix};
use millrace_testkit::log_conformance;

fn fixture() -> OnKafka {
    let server = Services::kafka().unwrap_or_else(|error| panic!("no Kafka to test on: {error}"));
    OnKafka::at(&server.bootstrap, topic_prefix("log"))
}

log_conformance!(fixture());
