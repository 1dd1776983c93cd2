//! A small network in the whole pipeline, in memory, and an audit of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use millrace_audit::{Audit, AuditFault, Report, Shelf, Silent, verify};
use millrace_domain_chirp::messages::commands::{
    DeleteChirp, EditChirp, FollowUser, PostChirp, RegisterUser, UnfollowUser,
};
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Command, Domain, Metadata, Page, PageQuery, Table, Value, Write};
use millrace_ports::{
    Appender, Group, GroupSpec, Log, LogFault, Reader, Record, Start, StoreFault, TableChange,
    TopicPartition, TransactionalWriter, ViewStore,
};
use millrace_runtime::ProcessorSettings;
use millrace_runtime::progress::system_tables;
use millrace_testkit::log::memory::MemoryLog;
use millrace_testkit::pipeline::Pipeline;
use millrace_testkit::store::memory::MemoryStore;

pub const PARTITIONS: i32 = 3;

/// Thresholds and a cap that a handful of people cross.
pub fn settings() -> Settings {
    Settings { celebrity_above: 2, celebrity_below: 2, timeline_cap: 4, fan_out_at_once: 1, bucket_rows: 2 }
}

/// All tables of the domain and the engine's own.
pub fn tables() -> Vec<Table> {
    let mut tables = parse_tables(Chirp::SCHEMAS.views).unwrap();
    tables.extend(system_tables());
    tables
}

pub fn command(id: &str, data: impl Into<CommandData>) -> Command<CommandData> {
    Command { id: id.into(), metadata: Metadata::default(), data: data.into() }
}

pub fn register(user: &str) -> CommandData {
    RegisterUser { user_id: user.into(), username: format!("name_{user}").into() }.into()
}

pub fn post(author: &str, chirp: &str, content: &str) -> CommandData {
    PostChirp { chirp_id: chirp.into(), author_id: author.into(), content: content.into() }.into()
}

pub fn follow(follower: &str, followee: &str) -> CommandData {
    FollowUser { follower_id: follower.into(), followee_id: followee.into() }.into()
}

/// Numbers that look random and are not.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }
}

/// A command of a small network in which authors cross the thresholds both ways.
fn random(dice: &mut Dice) -> CommandData {
    let user = |n: usize| format!("u{n}");
    let (someone, author) = (user(dice.below(6)), user(dice.below(3)));
    let chirp_id = format!("c{}", dice.below(12));
    match dice.below(10) {
        0..=3 => post(&author, &chirp_id, &format!("text {}", dice.below(1_000))),
        4 => EditChirp {
            chirp_id: chirp_id.into(),
            author_id: author.into(),
            content: format!("edited {}", dice.below(99)).into(),
        }
        .into(),
        5 => DeleteChirp { chirp_id: chirp_id.into(), author_id: author.into() }.into(),
        6..=8 => follow(&someone, &author),
        _ => UnfollowUser { follower_id: someone.into(), followee_id: author.into() }.into(),
    }
}

/// Runs a network to its rest: registrations, repeated ids, commands that come the wrong way, and
/// some that cannot be read.
pub fn network(commands: usize) -> Pipeline<Chirp> {
    let mut pipeline = empty();
    fill(&mut pipeline, commands);
    pipeline
}

pub fn empty() -> Pipeline<Chirp> {
    let engine = ProcessorSettings { batch_max_records: 5, ..ProcessorSettings::default() };
    Pipeline::<Chirp>::new(PARTITIONS, settings(), engine)
}

pub fn fill(pipeline: &mut Pipeline<Chirp>, commands: usize) {
    pipeline.start_processor();
    pipeline.start_projectors();
    let mut dice = Dice::new(7);
    for n in 0..6 {
        pipeline.send(&command(&format!("register-{n}"), register(&format!("u{n}"))));
    }
    // a name that is taken: the process ends badly
    let taken = RegisterUser { user_id: "late".into(), username: "NAME_u1".into() };
    pipeline.settle();
    pipeline.send(&command("register-late", taken));
    for n in 0..commands {
        let id = if dice.below(10) == 0 && n > 0 { format!("c-{}", n - 1) } else { format!("c-{n}") };
        pipeline.send(&command(&id, random(&mut dice)));
        for lane in 0..dice.below(4) {
            pipeline.turn(dice.below(3), lane);
        }
    }
    let topic = pipeline.names().commands.to_string();
    let value = pipeline.encode(&command("stray", post("u0", "stray", "?")));
    pipeline.send_raw(&topic, None, Some(value.clone()));
    pipeline.send_raw(&topic, Some(Bytes::from("u1")), Some(value));
    pipeline.send_raw(&topic, Some(Bytes::from("u1")), Some(Bytes::from("no Avro")));
    pipeline.settle();
}

/// Audits the pipeline, seen through `log` and `store`.
pub fn audit_through(
    pipeline: &Pipeline<Chirp>,
    log: &dyn Log,
    store: &dyn ViewStore,
    limit: usize,
) -> Report {
    audit_committed(pipeline, log, store, limit, &|_, at| pipeline.committed(at))
}

/// As [`audit_through`], with the offsets that groups have committed.
pub fn audit_committed(
    pipeline: &Pipeline<Chirp>,
    log: &dyn Log,
    store: &dyn ViewStore,
    limit: usize,
    offset: &dyn Fn(&str, &TopicPartition) -> Option<i64>,
) -> Report {
    // next to nothing is held in memory
    audit_on(pipeline, (log, store), limit, offset, &Shelf::new(&scratch, 2_000))
}

/// A scratch store.
pub fn scratch() -> Result<Box<dyn ViewStore>, AuditFault> {
    Ok(Box::new(MemoryStore::new()))
}

/// As [`audit_committed`], with what memory may hold.
pub fn audit_on(
    pipeline: &Pipeline<Chirp>,
    (log, store): (&dyn Log, &dyn ViewStore),
    limit: usize,
    offset: &dyn Fn(&str, &TopicPartition) -> Option<i64>,
    shelf: &Shelf<'_>,
) -> Report {
    let committed = |group: &str, partitions: &[TopicPartition]| {
        Ok(partitions.iter().filter_map(|at| Some((at.clone(), offset(group, at)?))).collect())
    };
    let audit = Audit::<Chirp> {
        log,
        registry: pipeline.registry(),
        prefix: "",
        settings: &settings(),
        processor: &ProcessorSettings::default(),
        store,
        shelf,
        committed: &committed,
        limit,
        watcher: &Silent,
    };
    verify(&audit).unwrap()
}

/// Audits the pipeline twice: with next to nothing in memory, and with all of it there.
pub fn audit(pipeline: &Pipeline<Chirp>) -> Report {
    let through = (&pipeline.log as &dyn Log, &*pipeline.store as &dyn ViewStore);
    let report = audit_through(pipeline, through.0, through.1, 100);
    let shelf = Shelf::new(&scratch, usize::MAX);
    let in_memory = audit_on(pipeline, through, 100, &|_, at| pipeline.committed(at), &shelf);
    assert_eq!((in_memory.checked, &in_memory.counts), (report.checked, &report.counts));
    let sorted = |report: &Report| {
        let mut all: Vec<String> = report.differences.iter().map(|it| format!("{it:?}")).collect();
        all.sort_unstable();
        all
    };
    if report.differences.len() as u64 == report.total() {
        assert_eq!(sorted(&in_memory), sorted(&report));
    }
    report
}

/// A log in which some records cannot be seen, as if they had never been written.
pub struct Hiding {
    pub inner: MemoryLog,
    pub hide: Arc<dyn Fn(&Record) -> bool + Send + Sync>,
}

struct HidingReader {
    inner: Box<dyn Reader>,
    hide: Arc<dyn Fn(&Record) -> bool + Send + Sync>,
}

impl Log for Hiding {
    fn join(&self, spec: &GroupSpec) -> Result<Box<dyn Group>, LogFault> {
        self.inner.join(spec)
    }
    fn writer(&self, transactional_id: &str) -> Result<Box<dyn TransactionalWriter>, LogFault> {
        self.inner.writer(transactional_id)
    }
    fn reader(&self, partitions: &[(TopicPartition, Start)]) -> Result<Box<dyn Reader>, LogFault> {
        Ok(Box::new(HidingReader { inner: self.inner.reader(partitions)?, hide: Arc::clone(&self.hide) }))
    }
    fn appender(&self) -> Result<Arc<dyn Appender>, LogFault> {
        self.inner.appender()
    }
    fn high_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        // what is in an open transaction would be waited for, and nobody goes on with it while the audit reads
        Ok(self.inner.committed_end(partition))
    }
    fn batch_end(&self, partition: &TopicPartition, offset: i64) -> Result<i64, LogFault> {
        self.inner.batch_end(partition, offset)
    }
    fn delete_before(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), LogFault> {
        self.inner.delete_before(offsets)
    }

    fn low_watermark(&self, partition: &TopicPartition) -> Result<i64, LogFault> {
        self.inner.low_watermark(partition)
    }
    fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<i64, LogFault> {
        self.inner.offset_at(partition, timestamp_ms)
    }
    fn partitions(&self, topic: &str) -> Result<i32, LogFault> {
        self.inner.partitions(topic)
    }
}

impl Reader for HidingReader {
    fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Record>, LogFault> {
        let mut records = self.inner.poll(max, wait)?;
        records.retain(|record| !(self.hide)(record));
        Ok(records)
    }
    fn position(&self, partition: &TopicPartition) -> i64 {
        self.inner.position(partition)
    }
    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogFault> {
        self.inner.seek(partition, offset)
    }
    fn pause(&mut self, partition: &TopicPartition, paused: bool) -> Result<(), LogFault> {
        self.inner.pause(partition, paused)
    }
}

/// Tables that remember every call that wrote to them.
#[derive(Default)]
pub struct Recording {
    pub inner: MemoryStore,
    pub calls: Mutex<VecDeque<Vec<Write>>>,
}

/// Tables to which what was recorded is applied bit by bit while they are read: a projector that
/// goes on during the audit.
pub struct Moving {
    pub inner: MemoryStore,
    pub calls: Mutex<VecDeque<Vec<Write>>>,
    /// How many calls pass with each read.
    pub pace: usize,
}

impl Moving {
    fn step(&self) {
        for _ in 0..self.pace {
            let Some(writes) = self.calls.lock().unwrap().pop_front() else { return };
            self.inner.apply(&writes).unwrap();
        }
    }
}

macro_rules! through {
    ($name:ty, $before_apply:expr, $before_read:expr) => {
        impl ViewStore for $name {
            fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
                self.inner.plan_tables(tables)
            }
            fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
                self.inner.create_tables(tables)
            }
            fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
                self.inner.open_tables(tables)
            }
            fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
                self.inner.drop_tables(names)
            }
            fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
                $before_apply(self, writes);
                self.inner.apply(writes)
            }
            fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
                $before_read(self);
                self.inner.read(queries)
            }
            fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
                $before_read(self);
                // small pages, so that much happens between them
                let page = self.inner.scan(table, after, limit)?;
                $before_read(self);
                Ok(page)
            }
        }
    };
}

through!(
    Recording,
    |store: &Recording, writes: &[Write]| store.calls.lock().unwrap().push_back(writes.to_vec()),
    |_: &Recording| {}
);
through!(Moving, |_: &Moving, _: &[Write]| {}, |store: &Moving| store.step());
