//! A log that costs next to nothing: what it delivers was made beforehand, what it is given it
//! counts and drops. What is left of a lane's time is the engine's own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use millrace_ports::roster::RosterEntry;
use millrace_ports::{
    Appender, Group, GroupEvent, GroupSpec, Log, LogFault, Reader, Record, Start, TopicPartition,
    Transaction, TransactionalWriter,
};

/// Counts what was written.
#[derive(Default)]
pub struct Written {
    pub records: AtomicU64,
    pub bytes: AtomicU64,
    pub transactions: AtomicU64,
}

/// One partition of commands, made beforehand; every other topic is empty.
#[derive(Clone)]
pub struct PreparedLog {
    commands: TopicPartition,
    records: Arc<Vec<Record>>,
    /// How many of them are there by now.
    limit: Arc<AtomicUsize>,
    written: Arc<Written>,
}

impl PreparedLog {
    pub fn new(commands: TopicPartition, records: Vec<Record>) -> Self {
        Self { commands, records: Arc::new(records), limit: Arc::default(), written: Arc::default() }
    }

    /// Lets the first `count` commands arrive.
    pub fn deliver_until(&self, count: usize) {
        self.limit.store(count.min(self.records.len()), Ordering::Relaxed);
    }

    fn end(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub fn written(&self) -> &Written {
        &self.written
    }
}

impl Log for PreparedLog {
    fn join(&self, _: &GroupSpec) -> Result<Box<dyn Group>, LogFault> {
        Ok(Box::new(self.clone()))
    }

    fn writer(&self, _: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        Ok(Box::new(CountingWriter(Arc::clone(&self.written))))
    }

    fn reader(&self, starts: &[(TopicPartition, Start)]) -> Result<Box<dyn Reader>, LogFault> {
        let next = starts.iter().find_map(|(at, start)| match start {
            Start::Offset(offset) if *at == self.commands => usize::try_from(*offset).ok(),
            _ => None,
        });
        Ok(Box::new(PreparedReader { log: self.clone(), next }))
    }

    fn appender(&self) -> Result<Arc<dyn Appender>, LogFault> {
        Err(LogFault::Refused { step: "append records", message: "nothing is appended here".to_owned() })
    }

    fn high_watermark(&self, at: &TopicPartition) -> Result<i64, LogFault> {
        // what was written is dropped, but a lane minds that its topics do not grow
        let written = self.written.records.load(Ordering::Relaxed) as i64;
        Ok(if *at == self.commands { self.end() as i64 } else { written })
    }

    fn low_watermark(&self, _: &TopicPartition) -> Result<i64, LogFault> {
        Ok(0)
    }

    fn delete_before(&self, _: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        Ok(())
    }

    fn offset_at(&self, _: &TopicPartition, _: i64) -> Result<i64, LogFault> {
        Ok(0)
    }

    fn partitions(&self, _: &str) -> Result<i32, LogFault> {
        Ok(1)
    }
}

impl Group for PreparedLog {
    fn poll(&self, _: Duration) -> Result<Option<GroupEvent>, LogFault> {
        Ok(None)
    }

    fn release(&self, _: &[i32]) -> Result<(), LogFault> {
        Ok(())
    }

    fn hand_over(&self, _: &[i32]) -> Result<(), LogFault> {
        Ok(())
    }

    fn retire(&self) {}

    fn roster(&self) -> Result<Vec<RosterEntry>, LogFault> {
        Ok(Vec::new())
    }

    fn committed(&self, _: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
        Ok(BTreeMap::new())
    }

    fn commit(&self, _: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        Ok(())
    }

    fn writer(&self, id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        Log::writer(self, id)
    }

    fn leave(&self) {}
}

struct PreparedReader {
    log: PreparedLog,
    /// The next command; `None` for a reader of other topics.
    next: Option<usize>,
}

impl Reader for PreparedReader {
    fn poll(&mut self, max: usize, _: Duration) -> Result<Vec<Record>, LogFault> {
        let Some(next) = &mut self.next else { return Ok(Vec::new()) };
        let until = (*next + max).min(self.log.end());
        let records = self.log.records[*next..until].to_vec();
        *next = until;
        Ok(records)
    }

    fn position(&self, at: &TopicPartition) -> i64 {
        if *at == self.log.commands { self.next.map_or(0, |next| next as i64) } else { 0 }
    }

    fn seek(&mut self, _: &TopicPartition, _: i64) -> Result<(), LogFault> {
        Ok(())
    }

    fn pause(&mut self, _: &TopicPartition, _: bool) -> Result<(), LogFault> {
        Ok(())
    }
}

struct CountingWriter(Arc<Written>);

impl TransactionalWriter for CountingWriter {
    fn fence(&mut self) -> Result<(), LogFault> {
        Ok(())
    }

    fn submit(&mut self, batch: Transaction) -> Result<(), LogFault> {
        let bytes: usize =
            batch.records.iter().map(|it| it.value.as_ref().map_or(0, |value| value.len())).sum();
        self.0.records.fetch_add(batch.records.len() as u64, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn settle(&mut self, _: Duration) -> Result<bool, LogFault> {
        Ok(true)
    }
}
