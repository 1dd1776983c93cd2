//! The adapter passes the suite that every log must pass, on the embedded broker.

use crate::common;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::OnKafka;
use millrace_embedded::broker::{Broker, BrokerConfig, BrokerHandle};
use millrace_ports::{Log, TopicPartition};
use millrace_testkit::log::conformance::{LogFixture, Plain};
use millrace_testkit::log_conformance;
use tempfile::TempDir;

/// A broker of its own for each case. The clients go first.
struct Embedded {
    clients: OnKafka,
    _broker: BrokerHandle,
    _runtime: tokio::runtime::Runtime,
    _dir: TempDir,
}

fn fixture() -> Embedded {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut config = BrokerConfig::new(dir.path());
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let broker = runtime.block_on(Broker::start(config)).unwrap();
    let clients = OnKafka::at(&broker.bootstrap_servers(), "log.".to_owned());
    Embedded { clients, _broker: broker, _runtime: runtime, _dir: dir }
}

impl LogFixture for Embedded {
    fn log(&self) -> Arc<dyn Log> {
        self.clients.log()
    }

    fn prefix(&self) -> &str {
        self.clients.prefix()
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        self.clients.create_topic(name, partitions);
    }

    fn produce(&self, at: &TopicPartition, record: Plain) -> i64 {
        self.clients.produce(at, record)
    }

    fn session_timeout(&self) -> Duration {
        Duration::from_secs(2)
    }
}

log_conformance!(fixture());
