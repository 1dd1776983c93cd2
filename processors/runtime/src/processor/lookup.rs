//! Lookup tables: which aggregates of any partition exist, followed from compacted topics.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::HashSet;
use millrace_kernel::{AggregateId, partition};
use millrace_ports::{Log, LogFault, Reader, Record, Start, TopicPartition};

/// Most records taken from the log at once while following.
const FOLLOW_AT_ONCE: usize = 2_000;

/// What no machine can sleep.
const SHORTEST_SLEEP: Duration = Duration::from_micros(1);

/// A partition of a lookup table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupPartition {
    /// Index among the domain's lookups.
    pub lookup: usize,
    /// Partition of its topic.
    pub partition: i32,
}

struct Slice {
    ids: RwLock<HashSet<Box<str>>>,
    position: AtomicI64,
}

struct Table {
    kind: &'static str,
    topic: Arc<str>,
    slices: Vec<Slice>,
}

/// All lookup tables of a domain, shared by the lanes of one process.
pub struct LookupTables {
    tables: Vec<Table>,
    moved: (Mutex<()>, Condvar),
}

impl LookupTables {
    /// Empty tables for `lookups` (kind and topic), of so many `partitions` each.
    #[must_use]
    pub fn new(lookups: Vec<(&'static str, Arc<str>)>, partitions: i32) -> Self {
        let slice = || Slice { ids: RwLock::default(), position: AtomicI64::new(-1) };
        let table = |(kind, topic)| Table { kind, topic, slices: (0..partitions).map(|_| slice()).collect() };
        Self { tables: lookups.into_iter().map(table).collect(), moved: Default::default() }
    }

    /// Whether the domain looks nothing up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Whether the aggregate is known to exist, and the partition that would know.
    ///
    /// # Panics
    /// When the aggregate's kind is none of the domain's lookups: a bug in the domain.
    #[must_use]
    pub fn exists(&self, id: &AggregateId) -> (bool, LookupPartition) {
        let lookup =
            self.tables.iter().position(|table| table.kind == id.kind()).unwrap_or_else(|| {
                panic!("{id} is looked up, but its kind is not declared in Domain::LOOKUPS")
            });
        let slices = &self.tables[lookup].slices;
        let partition = partition::of_key(id.routing_key().as_bytes(), slices.len() as i32);
        let ids = slices[partition as usize].ids.read().unwrap_or_else(PoisonError::into_inner);
        (ids.contains(id.as_str()), LookupPartition { lookup, partition })
    }

    /// Where in the log a partition of a table comes from.
    #[must_use]
    pub fn source(&self, of: LookupPartition) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.tables[of.lookup].topic), of.partition)
    }

    /// The offset up to which (exclusive) the table has followed its topic.
    #[must_use]
    pub fn position(&self, of: LookupPartition) -> i64 {
        self.tables[of.lookup].slices[of.partition as usize].position.load(Ordering::Acquire)
    }

    /// Sleeps until a table has moved on, or for `wait`; a wait too short for the machine to keep
    /// (a simulation's) is none.
    pub fn wait_for_move(&self, wait: Duration) {
        if wait < SHORTEST_SLEEP {
            return;
        }
        let guard = self.moved.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.1.wait_timeout(guard, wait));
    }

    fn take_in(&self, record: &Record) {
        let Some(table) = self.tables.iter().find(|table| table.topic == record.topic) else { return };
        let Some(slice) = table.slices.get(record.partition as usize) else { return };
        let Some(id) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { return };
        let mut ids = slice.ids.write().unwrap_or_else(PoisonError::into_inner);
        if record.value.is_some() {
            ids.insert(id.into());
        } else {
            ids.remove(id);
        }
    }
}

/// Keeps lookup tables up to date.
pub struct LookupFollower {
    tables: Arc<LookupTables>,
    sources: Vec<(LookupPartition, TopicPartition)>,
    reader: Box<dyn Reader>,
}

impl LookupFollower {
    /// Follows the topics of `tables` from their beginning. What the tables hold already
    /// stays; reading it again changes nothing.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn start(log: &dyn Log, tables: Arc<LookupTables>) -> Result<Self, LogFault> {
        let mut sources = Vec::new();
        for (lookup, table) in tables.tables.iter().enumerate() {
            for partition in 0..table.slices.len() as i32 {
                let of = LookupPartition { lookup, partition };
                sources.push((of, tables.source(of)));
            }
        }
        let starts: Vec<_> = sources.iter().map(|(_, at)| (at.clone(), Start::Beginning)).collect();
        let reader = log.reader(&starts)?;
        Ok(Self { tables, sources, reader })
    }

    /// Takes in what is new, waiting up to `wait` for it; whether there was anything.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn turn(&mut self, wait: Duration) -> Result<bool, LogFault> {
        let records = self.reader.poll(FOLLOW_AT_ONCE, wait)?;
        for record in &records {
            self.tables.take_in(record);
        }
        let mut moved = false;
        for (of, source) in &self.sources {
            let position = self.reader.position(source);
            let slice = &self.tables.tables[of.lookup].slices[of.partition as usize];
            moved |= slice.position.swap(position, Ordering::AcqRel) != position;
        }
        if moved {
            drop(self.tables.moved.0.lock().unwrap_or_else(PoisonError::into_inner));
            self.tables.moved.1.notify_all();
        }
        Ok(!records.is_empty())
    }
}
