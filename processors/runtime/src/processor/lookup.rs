//! Lookup tables: which aggregates of any partition exist, followed from compacted topics.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hashbrown::HashSet;
use millrace_kernel::{AggregateId, Published, partition};
use millrace_ports::{Clock, Log, LogFault, Moment, Reader, Record, Start, TopicPartition};
use thiserror::Error;

use super::looked_up::LookedUp;

/// Most records taken from the log at once while following.
const FOLLOW_AT_ONCE: usize = 2_000;
/// A table that has not been whole for so long is read again from the beginning: compaction drops a tombstone
/// when its `delete.retention.ms` (a day, if nobody has set it) is over, and what it deleted would be known
/// for ever.
pub const MOST_AGE: Duration = Duration::from_secs(6 * 3_600);

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

/// What is known of one partition. It only ever moves forward: a table that has to be read again
/// from the beginning is built aside, and this one answers until that has caught up.
struct Slice {
    ids: RwLock<HashSet<Box<str>>>,
    /// Up to which offset (exclusive) it has followed; −1 until it is whole.
    position: AtomicI64,
    /// Whether the log no longer holds what comes next.
    is_cut_off: AtomicBool,
    /// When all that was in the log then was in it; for one that is being read as a whole, when that began.
    whole_at: Mutex<Moment>,
}

impl Slice {
    fn new(now: Moment) -> Self {
        Self {
            ids: RwLock::default(),
            position: AtomicI64::new(-1),
            is_cut_off: AtomicBool::new(false),
            whole_at: Mutex::new(now),
        }
    }

    fn whole_at(&self) -> Moment {
        *self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn was_whole_at(&self, moment: Moment) {
        *self.whole_at.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }
}

struct Table {
    of: Published,
    topic: Arc<str>,
    /// As many as its topic has partitions: of another domain's, another number than this domain has.
    slices: Vec<Slice>,
}

/// All lookup tables of a domain, shared by the lanes of one process.
pub struct LookupTables {
    tables: Vec<Table>,
    moved: (Mutex<()>, Condvar),
    clock: Arc<dyn Clock>,
    most_age: Duration,
}

impl LookupTables {
    /// Empty tables for what is looked up. One that has not been whole for `most_age` is not followed on; see [`MOST_AGE`].
    #[must_use]
    pub fn new(lookups: Vec<LookedUp>, clock: Arc<dyn Clock>, most_age: Duration) -> Self {
        let now = Moment::now(&*clock);
        let slices = |partitions| (0..partitions).map(|_| Slice::new(now)).collect();
        let table = |LookedUp { of, topic, partitions }| Table { of, topic, slices: slices(partitions) };
        Self { tables: lookups.into_iter().map(table).collect(), moved: Default::default(), clock, most_age }
    }

    /// Whether the domain looks nothing up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Whether the aggregate of `domain` is known to exist, and the partition that would know. Nothing is
    /// known to exist before its table was read once as a whole.
    ///
    /// # Panics
    /// When the aggregate's kind is none of those that the deciding domain declares: a bug in the domain.
    #[must_use]
    pub fn exists(&self, domain: &str, id: &AggregateId) -> (bool, LookupPartition) {
        let is_its = |table: &Table| table.of.kind == id.kind() && table.of.domain == domain;
        let lookup = self.tables.iter().position(is_its).unwrap_or_else(|| {
            panic!(
                "{id} of {domain} is looked up, but its kind is declared neither in Domain::LOOKUPS nor in \
                 Domain::LOOKUPS_ELSEWHERE"
            )
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

    /// The offset up to which (exclusive) the table has followed its topic; −1 before it was read
    /// once as a whole. It goes back only when the topic itself has.
    #[must_use]
    pub fn position(&self, of: LookupPartition) -> i64 {
        self.slice(of).position.load(Ordering::Acquire)
    }

    /// Every partition of every table.
    pub fn partitions(&self) -> impl Iterator<Item = LookupPartition> {
        let of_table = |(lookup, table): (usize, &Table)| {
            let partitions = 0..table.slices.len() as i32;
            partitions.map(move |partition| LookupPartition { lookup, partition })
        };
        self.tables.iter().enumerate().flat_map(of_table)
    }

    fn slice(&self, of: LookupPartition) -> &Slice {
        &self.tables[of.lookup].slices[of.partition as usize]
    }

    /// How old a partition is, if what was missed since it was whole may be gone from the log.
    fn too_old(&self, of: LookupPartition) -> Option<Duration> {
        let age = Duration::from_micros(self.slice(of).whole_at().age_micros(&*self.clock).unsigned_abs());
        (age > self.most_age).then_some(age)
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
}

fn take_in(ids: &mut HashSet<Box<str>>, record: &Record) {
    let Some(id) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else { return };
    match &record.value {
        Some(_) => drop(ids.insert(id.into())),
        None => drop(ids.remove(id)),
    }
}

/// A partition that is followed.
struct Source {
    of: LookupPartition,
    at: TopicPartition,
    building: Option<Building>,
    /// The end of its topic at the last look, and when that was.
    seen_end: Option<(i64, Moment)>,
}

/// Why a table does not follow its topic.
#[derive(Debug, Error)]
pub enum FollowFault {
    /// The log does not answer, or no longer holds what comes next.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// It was not followed for so long that the log may have forgotten what was deleted meanwhile.
    #[error(
        "the lookup table of {at} knows nothing that is younger than {age_seconds} s, and its topic may have forgotten what was deleted meanwhile"
    )]
    TooOld {
        /// Where.
        at: TopicPartition,
        /// How long ago it was last known to be whole, seconds.
        age_seconds: u64,
    },
}

/// A partition whose table does not follow its topic, though the log answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Where.
    pub at: TopicPartition,
    /// How far the table has come.
    pub position: i64,
    /// Where the topic ended at the look before.
    pub end: i64,
}

/// A table that is being read from the beginning, until it has reached `target`.
struct Building {
    ids: HashSet<Box<str>>,
    target: i64,
}

/// Keeps lookup tables up to date.
pub struct LookupFollower {
    tables: Arc<LookupTables>,
    sources: Vec<Source>,
    reader: Box<dyn Reader>,
}

impl LookupFollower {
    /// Follows the topics of `tables`, each from where its table stands. One that has not been
    /// read yet, or whose next records the log no longer holds, is read from the beginning.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn start(log: &dyn Log, tables: Arc<LookupTables>) -> Result<Self, LogFault> {
        let mut sources = Vec::new();
        let mut starts = Vec::new();
        for of in tables.partitions() {
            let (slice, at) = (tables.slice(of), tables.source(of));
            slice.is_cut_off.fetch_or(tables.too_old(of).is_some(), Ordering::AcqRel);
            let position = slice.position.load(Ordering::Acquire);
            let goes_on = position >= 0 && !slice.is_cut_off.load(Ordering::Acquire);
            let building = match goes_on {
                true => None,
                false => {
                    let now = Moment::now(&*tables.clock);
                    let target = log.high_watermark(&at)?;
                    slice.was_whole_at(now);
                    if target < position {
                        tracing::error!(
                            partition = %at, position, end = target,
                            "the topic has gone back: records were lost, or it was made anew. Its lookup table is \
                             read again from the beginning, and commands that need it wait for that. If the topic \
                             was deleted, run `millrace verify`"
                        );
                        slice.position.store(-1, Ordering::Release);
                    }
                    Some(Building { ids: HashSet::new(), target })
                }
            };
            let start = if goes_on { Start::Offset(position) } else { Start::Beginning };
            starts.push((at.clone(), start));
            sources.push(Source { of, at, building, seen_end: None });
        }
        let reader = log.reader(&starts)?;
        Ok(Self { tables, sources, reader })
    }

    /// Takes in what is new, waiting up to `wait` for it; whether there was anything.
    ///
    /// # Errors
    /// [`FollowFault`]; after [`LogFault::Unavailable`] it may go on, after others
    /// [`LookupFollower::start`] goes on where the tables stand.
    pub fn turn(&mut self, wait: Duration) -> Result<bool, FollowFault> {
        self.check_age()?;
        let records = match self.reader.poll(FOLLOW_AT_ONCE, wait) {
            Ok(records) => records,
            Err(fault) => {
                self.note_cut(&fault);
                return Err(fault.into());
            }
        };
        for record in &records {
            self.take_in(record);
        }
        let mut moved = false;
        for source in &mut self.sources {
            let position = self.reader.position(&source.at);
            let slice = self.tables.slice(source.of);
            if let Some(whole) = source.building.take_if(|building| position >= building.target) {
                *slice.ids.write().unwrap_or_else(PoisonError::into_inner) = whole.ids;
                slice.is_cut_off.store(false, Ordering::Release);
            }
            if source.building.is_none() {
                moved |= slice.position.fetch_max(position, Ordering::AcqRel) < position;
            }
        }
        if moved {
            drop(self.tables.moved.0.lock().unwrap_or_else(PoisonError::into_inner));
            self.tables.moved.1.notify_all();
        }
        Ok(!records.is_empty())
    }

    /// Nothing is taken in behind a gap: a machine may have slept, and the log may have been away for days.
    fn check_age(&self) -> Result<(), FollowFault> {
        for source in &self.sources {
            if let Some(age) = self.tables.too_old(source.of) {
                self.tables.slice(source.of).is_cut_off.store(true, Ordering::Release);
                return Err(FollowFault::TooOld { at: source.at.clone(), age_seconds: age.as_secs() });
            }
        }
        Ok(())
    }

    /// How many partitions are being read from the beginning.
    #[must_use]
    pub fn building(&self) -> usize {
        self.sources.iter().filter(|source| source.building.is_some()).count()
    }

    /// Asks the log where the topics end; which tables have not come to where they ended at the
    /// look before. Look seldom: what has just been written takes its time.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn look(&mut self, log: &dyn Log) -> Result<Vec<Late>, LogFault> {
        let mut late = Vec::new();
        for source in &mut self.sources {
            let (at, position) = (&source.at, self.reader.position(&source.at));
            let now = Moment::now(&*self.tables.clock);
            match source.seen_end {
                Some((end, _)) if position < end => late.push(Late { at: at.clone(), position, end }),
                seen => {
                    if let (Some((_, seen_at)), None) = (seen, &source.building) {
                        self.tables.slice(source.of).was_whole_at(seen_at);
                    }
                    source.seen_end = Some((log.high_watermark(at)?, now));
                }
            }
        }
        Ok(late)
    }

    fn take_in(&mut self, record: &Record) {
        let is_source =
            |source: &&mut Source| source.at.partition == record.partition && source.at.topic == record.topic;
        let Some(source) = self.sources.iter_mut().find(is_source) else { return };
        match &mut source.building {
            Some(building) => take_in(&mut building.ids, record),
            None => {
                let slice = self.tables.slice(source.of);
                take_in(&mut slice.ids.write().unwrap_or_else(PoisonError::into_inner), record);
            }
        }
    }

    /// What the log does not hold cannot be followed, whoever tries it next.
    fn note_cut(&self, fault: &LogFault) {
        let LogFault::OutOfRange { partition, .. } = fault else { return };
        for source in self.sources.iter().filter(|source| source.at == *partition) {
            self.tables.slice(source.of).is_cut_off.store(true, Ordering::Release);
        }
    }
}
