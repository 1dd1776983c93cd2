//! What the cases share: names, batches, and waiting for what must happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_ports::{
    Group, GroupEvent, GroupSpec, LogFault, Outgoing, Reader, Record, Start, TopicPartition, Transaction,
    TransactionalWriter,
};

use super::{LogFixture, PATIENCE, Plain};

/// A short wait of one poll.
pub(super) const MOMENT: Duration = Duration::from_millis(20);

/// A new topic of this fixture.
pub(super) fn topic(fixture: &dyn LogFixture, name: &str, partitions: i32) -> Arc<str> {
    let name = format!("{}{name}", fixture.prefix());
    fixture.create_topic(&name, partitions);
    name.into()
}

/// A partition of a topic.
pub(super) fn at(topic: &Arc<str>, partition: i32) -> TopicPartition {
    TopicPartition::new(topic.clone(), partition)
}

/// A record for a batch, with a key made from the value.
pub(super) fn outgoing(at: &TopicPartition, value: &str) -> Outgoing {
    Outgoing {
        topic: at.topic.clone(),
        partition: at.partition,
        key: Some(Bytes::from(format!("key of {value}"))),
        value: Some(Bytes::from(value.to_owned())),
        timestamp_ms: 1_700_000_000_000,
        headers: Vec::new(),
    }
}

/// A batch of these records.
pub(super) fn batch(records: Vec<Outgoing>) -> Transaction {
    Transaction { records, offsets: BTreeMap::new() }
}

/// A record of a foreign producer.
pub(super) fn plain(value: &str, timestamp_ms: i64) -> Plain {
    Plain { value: Some(Bytes::from(value.to_owned())), timestamp_ms, ..Plain::default() }
}

/// The values of records as text.
pub(super) fn values(records: &[Record]) -> Vec<String> {
    let text = |it: &Record| String::from_utf8_lossy(it.value.as_deref().unwrap_or_default()).into_owned();
    records.iter().map(text).collect()
}

/// Asks until there is an answer.
pub(super) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
    }
}

/// A reader from the beginning of `partitions`, as soon as each has a leader: one that was made just now may have none yet.
pub(super) fn reader(fixture: &dyn LogFixture, partitions: &[TopicPartition]) -> Box<dyn Reader> {
    let from: Vec<_> = partitions.iter().map(|it| (it.clone(), Start::Beginning)).collect();
    eventually("each partition has a leader", || match fixture.log().reader(&from) {
        Err(LogFault::Unavailable { .. }) => None,
        opened => Some(opened.unwrap()),
    })
}

/// Reads until there are `count` records.
pub(super) fn read(reader: &mut dyn Reader, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while records.len() < count {
        records.extend(reader.poll(count - records.len(), MOMENT).unwrap());
        assert!(Instant::now() < deadline, "{} of {count} records after {PATIENCE:?}", records.len());
    }
    records
}

/// Reads up to the high watermark, as a restore does.
pub(super) fn read_all(fixture: &dyn LogFixture, partition: &TopicPartition) -> Vec<Record> {
    let end = fixture.log().high_watermark(partition).unwrap();
    let mut reader = reader(fixture, std::slice::from_ref(partition));
    let mut records = Vec::new();
    eventually("the reader reaches the high watermark", || {
        records.extend(reader.poll(10_000, MOMENT).unwrap());
        (reader.position(partition) >= end).then_some(())
    });
    // beyond it when the marker of a commit was written after the watermark had been read
    let now = fixture.log().high_watermark(partition).unwrap();
    assert!((end..=now).contains(&reader.position(partition)), "{} to {now}", end);
    records
}

/// One member of a group, and what it holds by what it was told.
pub(super) struct Seat {
    pub(super) group: Box<dyn Group>,
    pub(super) owned: BTreeSet<i32>,
    /// Whether revoked partitions are released at once.
    pub(super) obliging: bool,
    /// Whether they are handed over rather than released.
    pub(super) hands_over: bool,
    pub(super) told: Vec<GroupEvent>,
}

impl Seat {
    /// Joins the group `name` for the partitions of `topic`.
    pub(super) fn join(fixture: &dyn LogFixture, name: &str, topic: &Arc<str>) -> Self {
        let spec = GroupSpec {
            group_id: format!("{}{name}", fixture.prefix()),
            topic: topic.clone(),
            session_timeout: fixture.session_timeout(),
        };
        let group = fixture.log().join(&spec).unwrap();
        Self { group, owned: BTreeSet::new(), obliging: true, hands_over: false, told: Vec::new() }
    }

    /// A member that has all `count` partitions.
    pub(super) fn alone(fixture: &dyn LogFixture, name: &str, topic: &Arc<str>, count: usize) -> Self {
        let mut seat = Self::join(fixture, name, topic);
        eventually("the only member gets all partitions", || {
            seat.step();
            (seat.owned.len() == count).then_some(())
        });
        seat
    }

    /// One poll.
    pub(super) fn step(&mut self) {
        let Some(event) = self.group.poll(MOMENT).unwrap() else { return };
        match &event {
            GroupEvent::Assigned(partitions) => {
                for partition in partitions {
                    assert!(self.owned.insert(*partition), "{partition} was assigned twice");
                }
            }
            GroupEvent::Revoked(partitions) if self.obliging => {
                self.owned.retain(|it| !partitions.contains(it));
                if self.hands_over {
                    self.group.hand_over(partitions).unwrap();
                } else {
                    self.group.release(partitions).unwrap();
                }
            }
            GroupEvent::Revoked(_) => {}
            GroupEvent::Lost(partitions) => self.owned.retain(|it| !partitions.contains(it)),
        }
        self.told.push(event);
    }

    /// Releases what was revoked while it was not obliging.
    pub(super) fn catch_up(&mut self) {
        let revoked: Vec<i32> = self.told.iter().filter_map(revoked).flatten().copied().collect();
        let revoked: Vec<i32> = revoked.into_iter().filter(|it| self.owned.remove(it)).collect();
        if !revoked.is_empty() {
            self.group.release(&revoked).unwrap();
        }
    }

    /// Whether it was told to give something up.
    pub(super) fn was_revoked(&self) -> bool {
        self.told.iter().any(|it| matches!(it, GroupEvent::Revoked(_)))
    }

    /// A fenced writer under this name.
    pub(super) fn writer(&self, fixture: &dyn LogFixture, name: &str) -> Box<dyn TransactionalWriter> {
        let mut writer = self.group.writer(&format!("{}{name}", fixture.prefix())).unwrap();
        fenced(&mut *writer);
        writer
    }
}

fn revoked(event: &GroupEvent) -> Option<&Vec<i32>> {
    if let GroupEvent::Revoked(partitions) = event { Some(partitions) } else { None }
}

/// Fences; a broker whose coordinator is just being set up may take a few tries.
pub(super) fn fenced(writer: &mut dyn TransactionalWriter) {
    eventually("the fence is up", || match writer.fence() {
        Ok(()) => Some(()),
        Err(LogFault::Unavailable { .. }) => None,
        Err(fault) => panic!("fence: {fault}"),
    });
}

/// Waits until the batch is over.
pub(super) fn settled(writer: &mut dyn TransactionalWriter) -> Result<(), LogFault> {
    eventually("the batch is settled", || match writer.settle(MOMENT) {
        Ok(true) => Some(Ok(())),
        Ok(false) => None,
        Err(fault) => Some(Err(fault)),
    })
}

/// Writes and commits a batch.
pub(super) fn commit(writer: &mut dyn TransactionalWriter, batch: Transaction) -> Result<(), LogFault> {
    writer.submit(batch)?;
    settled(writer)
}

/// Asserts that a batch was refused because somebody else owns the partition.
pub(super) fn assert_fenced(result: Result<(), LogFault>) {
    assert!(matches!(result, Err(LogFault::Fenced { .. })), "expected to be fenced: {result:?}");
}
