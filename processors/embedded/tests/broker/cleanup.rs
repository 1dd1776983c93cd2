//! Compaction and retention.

use std::collections::BTreeMap;
use std::path::Path;

use rand::{Rng as _, SeedableRng as _};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::Producer as _;

use crate::support::{DEADLINE, Read, Sender, Server, eventually, read_all};

fn segments(dir: &Path, topic: &str) -> usize {
    let files = std::fs::read_dir(dir.join("topics").join(topic).join("0")).unwrap();
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "log")).count()
}

fn newest(records: &[Read]) -> BTreeMap<String, (i64, Option<String>)> {
    let mut newest = BTreeMap::new();
    for record in records {
        newest.insert(record.key.clone().unwrap(), (record.offset, record.value.clone()));
    }
    newest
}

#[test]
fn compaction_keeps_the_newest_of_each_key_and_its_offset() {
    for codec in ["none", "zstd"] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path());
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.bytes", "2000"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "100"),
        ];
        server.create_topic("t", 1, &settings);
        let sender = Sender::new(
            &server.servers(),
            &[("transactional.id", "tx"), ("compression.codec", codec), ("linger.ms", "5")],
        );
        sender.producer.init_transactions(DEADLINE).unwrap();
        let mut model = BTreeMap::new();
        for round in 0..40 {
            sender.producer.begin_transaction().unwrap();
            let abort = round % 5 == 4;
            for key in 0..10 {
                let value = (key != round % 10).then(|| format!("{round}"));
                let key = format!("k{key}");
                sender.send("t", 0, &key, value.as_deref());
                if !abort {
                    model.insert(key, value);
                }
            }
            assert!(sender.flush().iter().all(Result::is_ok));
            if abort {
                sender.producer.abort_transaction(DEADLINE).unwrap();
            } else {
                sender.producer.commit_transaction(DEADLINE).unwrap();
            }
        }
        // Something behind it, so that all of the above is in sealed segments.
        // It does not compress.
        let mut random = rand::rngs::SmallRng::seed_from_u64(1);
        let filler: String = (0..3000).map(|_| random.random_range('!'..'~')).collect();
        for n in 0..2 {
            sender.producer.begin_transaction().unwrap();
            sender.put("t", 0, "filler", &format!("{n}{filler}"));
            sender.producer.commit_transaction(DEADLINE).unwrap();
        }
        let read = |isolation: &str| read_all(&server.servers(), "t", 0, isolation);
        let compacted = eventually("compaction", || {
            let now = read("read_committed");
            // Tombstones go as well, after their time.
            let done = now.iter().filter(|record| record.key.as_deref() != Some("filler")).count()
                == model.values().flatten().count();
            done.then_some(now)
        });
        let mut found = newest(&compacted);
        found.remove("filler");
        let expected: BTreeMap<String, Option<String>> =
            model.iter().filter(|(_, value)| value.is_some()).map(|(k, v)| (k.clone(), v.clone())).collect();
        let found: BTreeMap<String, Option<String>> =
            found.into_iter().map(|(key, (_, value))| (key, value)).collect();
        assert_eq!(found, expected);
        assert!(compacted.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        // Aborted records are gone for everybody, not only hidden.
        assert_eq!(read("read_uncommitted"), compacted);
        eventually("segments to be merged", || (segments(dir.path(), "t") <= 5).then_some(()));
        server.stop();

        let server = Server::start(dir.path());
        assert_eq!(read_all(&server.servers(), "t", 0, "read_committed"), compacted);
        let sender = Sender::new(&server.servers(), &[("transactional.id", "tx")]);
        sender.producer.init_transactions(DEADLINE).unwrap();
        sender.producer.begin_transaction().unwrap();
        sender.put("t", 0, "k0", "again");
        sender.producer.commit_transaction(DEADLINE).unwrap();
        let last = read_all(&server.servers(), "t", 0, "read_committed").pop().unwrap();
        assert_eq!(last.value.as_deref(), Some("again"));
        server.stop();
    }
}

#[test]
fn an_open_transaction_keeps_compaction_away() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let settings =
        [("cleanup.policy", "compact"), ("segment.bytes", "1024"), ("min.cleanable.dirty.ratio", "0")];
    server.create_topic("t", 1, &settings);
    let sender = Sender::new(&server.servers(), &[("transactional.id", "tx")]);
    sender.producer.init_transactions(DEADLINE).unwrap();
    sender.producer.begin_transaction().unwrap();
    sender.put("t", 0, "k", "old");
    let plain = Sender::new(&server.servers(), &[]);
    for n in 0..100 {
        plain.put("t", 0, "other", &n.to_string());
    }
    sender.put("t", 0, "k", "new");
    assert_eq!(read_all(&server.servers(), "t", 0, "read_uncommitted").len(), 102);
    sender.producer.commit_transaction(DEADLINE).unwrap();
    for n in 0..100 {
        plain.put("t", 0, "other", &n.to_string());
    }
    eventually("compaction", || {
        (read_all(&server.servers(), "t", 0, "read_committed").len() < 50).then_some(())
    });
    let all = read_all(&server.servers(), "t", 0, "read_committed");
    assert_eq!(newest(&all)["k"].1.as_deref(), Some("new"));
    server.stop();
}

#[test]
fn old_segments_go_by_time_and_by_size() {
    for setting in [("retention.ms", "1"), ("retention.bytes", "3000")] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path());
        server.create_topic("t", 1, &[("segment.bytes", "1024"), setting]);
        let sender = Sender::new(&server.servers(), &[]);
        let value = "x".repeat(100);
        for _ in 0..100 {
            sender.put("t", 0, "k", &value);
        }
        let consumer: BaseConsumer = server.client(&[("group.id", "g")]).create().unwrap();
        let start = eventually("old records to go", || {
            let (low, high) = consumer.fetch_watermarks("t", 0, DEADLINE).unwrap();
            assert_eq!(high, 100);
            (low > 60).then_some(low)
        });
        let read = read_all(&server.servers(), "t", 0, "read_committed");
        assert!(read.iter().all(|record| record.offset >= start));
        server.stop();
        let server = Server::start(dir.path());
        assert_eq!(Sender::new(&server.servers(), &[]).put("t", 0, "k", "next"), 100);
        server.stop();
    }
}
