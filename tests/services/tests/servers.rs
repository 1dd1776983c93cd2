//! Smoke test of every owned server: it starts, serves, dies of SIGKILL, freezes, and comes back where it was.

use std::time::Duration;

use millrace_services::{CommitLog, Owned, OwnedCassandra, OwnedKafka, OwnedRegistry, Recipe, wait_until};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn kafka_comes_back_after_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut kafka = OwnedKafka::start(dir.path()).unwrap();
    let address = kafka.bootstrap();
    survives(&mut kafka);
    assert_eq!(kafka.bootstrap(), address);
}

#[test]
fn cassandra_comes_back_after_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut cassandra = OwnedCassandra::start(dir.path(), CommitLog::Batch).unwrap();
    let address = cassandra.contact_point();
    survives(&mut cassandra);
    assert_eq!(cassandra.contact_point(), address);
}

#[test]
fn registry_comes_back_after_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut registry = OwnedRegistry::start(dir.path()).unwrap();
    let address = registry.url();
    survives(&mut registry);
    assert_eq!(registry.url(), address);
}

fn survives<R: Recipe>(server: &mut Owned<R>) {
    let first = server.pid().unwrap();
    assert!(server.is_ready());

    server.sigstop().unwrap();
    // its threads stop one after the other
    wait_until(SOON, "the frozen server not to count as ready", || !server.is_ready()).unwrap();
    server.sigcont().unwrap();
    wait_until(SOON, "the thawed server", || server.is_ready()).unwrap();

    server.kill9().unwrap();
    assert!(!server.is_ready() && server.pid().is_none());
    server.restart().unwrap();
    assert!(server.is_ready());
    assert_ne!(server.pid().unwrap(), first);

    server.stop_term().unwrap();
    assert!(!server.is_ready());
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let error = OwnedKafka::start_with(dir.path(), &[("num.io.threads", "none")]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("ended") && text.contains("num.io.threads"), "{text}");
}
