//! What was acknowledged is there after a restart, also after `kill -9`, and torn ends are cut.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace_embedded::broker::{Broker, SyncPolicy};
use rdkafka::producer::Producer as _;

use crate::support::{DEADLINE, Sender, Server, config, create_topic, read_all, values};

const CHILD_DIR: &str = "BROKER_TEST_CHILD_DIR";

/// Not a test of its own: the process that the tests below kill.
#[test]
fn child_broker() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let broker = runtime.block_on(Broker::start(config(dir.as_ref(), |_| {}))).unwrap();
    println!("listening {}", broker.addr());
    runtime.block_on(std::future::pending::<()>());
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn child(dir: &std::path::Path) -> (Killed, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability::child_broker", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let servers = lines
        .find_map(|line| line.unwrap().split_once("listening ").map(|(_, addr)| addr.to_owned()))
        .unwrap();
    (Killed(child), servers)
}

#[test]
fn acknowledged_records_and_transactions_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut expected = Vec::new();
    for round in 0..3 {
        let (killed, servers) = child(dir.path());
        if round == 0 {
            create_topic(&runtime, &servers, "t", 1, &[("segment.bytes", "4096")]);
        }
        let sender = Sender::new(&servers, &[("transactional.id", "tx")]);
        sender.producer.init_transactions(DEADLINE).unwrap();
        for n in 0..20 {
            sender.producer.begin_transaction().unwrap();
            let value = format!("{round}/{n}");
            for _ in 0..5 {
                sender.send("t", 0, "k", Some(&value));
            }
            assert!(sender.flush().iter().all(Result::is_ok));
            if n % 4 == 3 {
                sender.producer.abort_transaction(DEADLINE).unwrap();
            } else {
                sender.producer.commit_transaction(DEADLINE).unwrap();
                expected.extend(std::iter::repeat_n(value, 5));
            }
        }
        sender.producer.begin_transaction().unwrap();
        sender.put("t", 0, "k", "left open");
        drop(killed);
        drop(sender);
    }
    let server = Server::start(dir.path());
    // The last one left something open: nobody else has to wait for it once its successor is there.
    let sender = Sender::new(&server.servers(), &[("transactional.id", "tx")]);
    sender.producer.init_transactions(DEADLINE).unwrap();
    assert_eq!(values(&read_all(&server.servers(), "t", 0, "read_committed")), expected);
    server.stop();
}

#[test]
fn a_torn_end_is_cut_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (killed, servers) = child(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    create_topic(&runtime, &servers, "t", 1, &[]);
    let sender = Sender::new(&servers, &[]);
    for n in 0..5 {
        sender.put("t", 0, "k", &n.to_string());
    }
    drop(killed);
    drop(sender);
    let segment = dir.path().join("topics/t/0/00000000000000000000.log");
    let whole = std::fs::read(&segment).unwrap();
    // A whole batch less its last bytes, as a write that did not finish.
    let mut file = std::fs::OpenOptions::new().append(true).open(&segment).unwrap();
    file.write_all(&whole[..whole.len() / 5 - 3]).unwrap();
    let metadata_bytes = std::fs::metadata(dir.path().join("metadata.log")).unwrap().len();
    let mut metadata =
        std::fs::OpenOptions::new().append(true).open(dir.path().join("metadata.log")).unwrap();
    metadata.write_all(&[0, 0, 0, 50, 1, 2, 3, 4, b'{']).unwrap();

    let server = Server::start(dir.path());
    assert_eq!(std::fs::metadata(&segment).unwrap().len(), whole.len() as u64);
    // What was cut off can still be looked at.
    let kept = |name: &str| std::fs::read(dir.path().join("set-aside").join(name)).unwrap();
    let torn = kept(&format!("t-0-00000000000000000000.log.from-{}", whole.len()));
    assert_eq!(torn, whole[..whole.len() / 5 - 3]);
    assert_eq!(kept(&format!("metadata.log.from-{metadata_bytes}")), [0, 0, 0, 50, 1, 2, 3, 4, b'{']);
    assert_eq!(Sender::new(&server.servers(), &[]).put("t", 0, "k", "5"), 5);
    server.stop();
    let server = Server::start(dir.path());
    let read = read_all(&server.servers(), "t", 0, "read_committed");
    assert_eq!(values(&read), ["0", "1", "2", "3", "4", "5"]);
    server.stop();
}

#[test]
fn a_start_with_a_hundred_thousand_records_is_quick() {
    let dir = tempfile::tempdir().unwrap();
    let (killed, servers) = child(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    create_topic(&runtime, &servers, "t", 4, &[]);
    let sender = Sender::new(&servers, &[("linger.ms", "5")]);
    let value = "x".repeat(200);
    for n in 0..100_000 {
        sender.send("t", n % 4, &format!("key {n}"), Some(&value));
    }
    assert!(sender.flush().iter().all(Result::is_ok));
    drop(killed);
    drop(sender);
    for ended in ["killed", "stopped"] {
        let start = Instant::now();
        let server = Server::start(dir.path());
        let took = start.elapsed();
        println!("start after being {ended}: {took:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        server.stop();
    }
}

#[test]
fn synced_writes_are_acknowledged_and_share_their_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), |config| config.sync = SyncPolicy::Always);
    server.create_topic("t", 4, &[]);
    let sender = Sender::new(&server.servers(), &[("transactional.id", "tx")]);
    sender.producer.init_transactions(DEADLINE).unwrap();
    for n in 0..20 {
        sender.producer.begin_transaction().unwrap();
        for partition in 0..4 {
            sender.send("t", partition, "k", Some(&n.to_string()));
        }
        sender.producer.commit_transaction(DEADLINE).unwrap();
    }
    assert_eq!(read_all(&server.servers(), "t", 3, "read_committed").len(), 20);
    server.stop();
}
