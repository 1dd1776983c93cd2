//! Compaction of the log in memory: what stays, what goes, and when.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_ports::{Clock, Log, Start, TopicPartition};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::pipeline::ManualClock;

const TOMBSTONES: Duration = Duration::from_secs(80);

struct Scene {
    log: MemoryLog,
    clock: Arc<ManualClock>,
    at: TopicPartition,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let log = MemoryLog::stepwise(Arc::clone(&clock) as Arc<dyn Clock>);
        log.create_topic("states", 1);
        log.compact_topic("states", TOMBSTONES);
        Self { log, clock, at: TopicPartition::new("states", 0) }
    }

    fn write(&self, key: &'static str, value: Option<&'static str>) {
        let value = value.map(|value| Bytes::from_static(value.as_bytes()));
        let key = Some(Bytes::from_static(key.as_bytes()));
        self.log.append(&self.at, Plain { key, value, timestamp_ms: 1, headers: Vec::new() }).unwrap();
    }

    /// Lets time pass; the broker notices when it is asked for something.
    fn pass(&self, seconds: i64) {
        self.clock.pass(seconds * 1_000_000);
        self.log.high_watermark(&self.at).unwrap();
    }

    fn read(&self, start: Start) -> Vec<(i64, String, Option<String>)> {
        let mut reader = self.log.reader(&[(self.at.clone(), start)]).unwrap();
        let records = reader.poll(100, Duration::ZERO).unwrap();
        assert_eq!(reader.position(&self.at), self.log.high_watermark(&self.at).unwrap());
        let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
        records.into_iter().map(|it| (it.offset, text(it.key.unwrap()), it.value.map(text))).collect()
    }
}

fn entry(offset: i64, key: &str, value: Option<&str>) -> (i64, String, Option<String>) {
    (offset, key.to_owned(), value.map(str::to_owned))
}

#[test]
fn the_newest_record_of_a_key_stays_and_a_tombstone_for_its_time() {
    let scene = Scene::new();
    scene.write("a", Some("1"));
    scene.write("b", Some("1"));
    scene.write("a", Some("2"));
    scene.write("b", None);
    scene.pass(11);
    let compacted = [entry(2, "a", Some("2")), entry(3, "b", None)];
    assert_eq!(scene.read(Start::Beginning), compacted);
    scene.pass(60);
    assert_eq!(scene.read(Start::Beginning), compacted, "who reads within its time is told");
    scene.pass(30);
    assert_eq!(scene.read(Start::Beginning), [entry(2, "a", Some("2"))]);
    assert_eq!(
        scene.read(Start::Offset(1)),
        [entry(2, "a", Some("2"))],
        "offsets stay, also of what is gone"
    );
    scene.write("c", Some("1"));
    assert_eq!(scene.read(Start::Offset(4)), [entry(4, "c", Some("1"))]);
}

#[test]
fn who_comes_later_than_a_tombstone_lives_is_never_told() {
    let scene = Scene::new();
    scene.write("a", Some("1"));
    let mut reader = scene.log.reader(&[(scene.at.clone(), Start::Beginning)]).unwrap();
    assert_eq!(reader.poll(100, Duration::ZERO).unwrap().len(), 1);
    scene.write("a", None);
    scene.pass(11);
    scene.pass(90);
    assert_eq!(reader.poll(100, Duration::ZERO).unwrap().len(), 0, "it still believes in a");
    assert_eq!(reader.position(&scene.at), 2);
}
