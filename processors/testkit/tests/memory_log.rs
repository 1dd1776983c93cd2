//! The log in memory passes the suite that every log must pass.

use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{Log, TopicPartition};
use millrace_testkit::log::conformance::LogFixture;
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::log_conformance;

struct InMemory(MemoryLog);

impl LogFixture for InMemory {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.0.clone())
    }

    fn prefix(&self) -> &str {
        "memory."
    }

    fn create_topic(&self, name: &str, partitions: i32) {
        self.0.create_topic(name, partitions);
    }

    fn produce(&self, at: &TopicPartition, record: Plain) -> i64 {
        self.0.append(at, record).unwrap()
    }

    fn session_timeout(&self) -> Duration {
        Duration::from_millis(400)
    }
}

log_conformance!(InMemory(MemoryLog::new()));
