//! A projector's lane, poll by poll: what it publishes, and where it stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use millrace_domain_chirp::messages::events::UserRegistered;
use millrace_domain_chirp::{Chirp, EventData};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Event, Metadata, Position, Projector, Put, Value, Write, Writes};
use millrace_ports::{
    Clock, Group, GroupSpec, Log, Outgoing, SystemClock, TopicPartition, Transaction, ViewStore,
};
use millrace_runtime::progress::{PROGRESS, Progress, read_progress, system_tables, wait_until};
use millrace_runtime::projector::{ProjectorFault, ProjectorLane, ProjectorShared};
use millrace_runtime::{ProjectorSettings, Topology};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::store::MemoryStore;
use millrace_wire::{Codec, MemoryRegistry, Registry, RegistryFault};

const SEEN: &str = "
CREATE TABLE seen (
  all_of text, -- always the same
  id text, -- id of an event
  PRIMARY KEY ((all_of), id)
) WITH comment = 'Every event.';
";
const PROJECTION: &str = "chirp.seen";

/// A registry that can be away.
#[derive(Default)]
struct Flaky {
    inner: MemoryRegistry,
    is_away: AtomicBool,
}

impl Flaky {
    fn reach(&self) -> Result<&MemoryRegistry, RegistryFault> {
        match self.is_away.load(Ordering::SeqCst) {
            false => Ok(&self.inner),
            true => Err(RegistryFault::Unavailable { url: "http://x".into(), message: "away".into() }),
        }
    }
}

impl Registry for Flaky {
    fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryFault> {
        self.reach()?.register(subject, schema)
    }
    fn find(&self, subject: &str, schema: &str) -> Result<Option<u32>, RegistryFault> {
        self.reach()?.find(subject, schema)
    }
    fn schema(&self, id: u32) -> Result<Option<String>, RegistryFault> {
        self.reach()?.schema(id)
    }
    fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, RegistryFault> {
        self.reach()?.is_compatible(subject, schema)
    }
    fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), RegistryFault> {
        self.reach()?.set_compatibility(subject, level)
    }
}

/// A row for every event, and a count of the folds.
struct Seer(Arc<AtomicUsize>);

impl Projector<EventData> for Seer {
    fn apply(&mut self, event: &Event<EventData>, writes: &mut Writes) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let values = vec![Value::from("all"), Value::from(event.id.as_str())];
        writes.push(Write::Put(Put { table: "seen", values, timestamp: event.recorded_at }));
    }
}

struct Stage {
    log: MemoryLog,
    store: Arc<MemoryStore>,
    registry: Arc<Flaky>,
    codec: Codec<Event<EventData>>,
    names: Topology,
    group: Arc<dyn Group>,
    folds: Arc<AtomicUsize>,
    sent: i64,
}

/// What caused events: a command or a step, by its offset.
#[derive(Clone, Copy)]
enum Cause {
    Command(i64),
    Step(i64),
}

impl Stage {
    fn new() -> Self {
        let log = MemoryLog::stepwise(Arc::new(SystemClock) as Arc<dyn Clock>);
        let names = Topology::new("", "chirp");
        log.create_topic(&names.events, 1);
        let store = Arc::new(MemoryStore::new());
        store.create_tables(&tables()).and_then(|()| store.open_tables(&tables())).unwrap();
        let registry = Arc::new(Flaky::default());
        let spec = GroupSpec {
            group_id: "seen".into(),
            topic: Arc::clone(&names.events),
            session_timeout: Duration::from_secs(60),
        };
        let group: Arc<dyn Group> = Arc::from(log.join(&spec).unwrap());
        assert!(group.poll(Duration::ZERO).unwrap().is_some(), "the only member gets the partition");
        let codec = codec(&registry);
        Self { log, store, registry, codec, names, group, folds: Arc::default(), sent: 0 }
    }

    fn at(&self) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.names.events), 0)
    }

    fn lane(&self, batch_max_events: usize) -> ProjectorLane<Chirp> {
        let folds = Arc::clone(&self.folds);
        let shared = ProjectorShared {
            log: Arc::new(self.log.clone()),
            clock: Arc::new(SystemClock),
            store: Arc::clone(&self.store) as Arc<dyn ViewStore>,
            names: self.names.clone(),
            projection: PROJECTION.to_owned(),
            codec: codec(&self.registry),
            make: Box::new(move |_| Box::new(Seer(Arc::clone(&folds)))),
            settings: ProjectorSettings { batch_max_events, ..ProjectorSettings::default() },
        };
        ProjectorLane::new(Arc::new(shared), Arc::clone(&self.group), 0)
    }

    fn event(&mut self, cause: Cause) -> Bytes {
        self.sent += 1;
        let (offset, causation) = match cause {
            Cause::Command(offset) => (offset, "command"),
            Cause::Step(offset) => (offset, "step"),
        };
        let event = Event {
            id: format!("event-{}", self.sent),
            metadata: Metadata { causation_id: Some(causation.into()), ..Metadata::default() },
            aggregate_id: "User/ann".into(),
            version: self.sent,
            command_id: "command".into(),
            command_offset: offset,
            recorded_at: 1_000_000 + self.sent,
            data: EventData::UserRegistered(UserRegistered { user_id: "ann".into(), username: "Ann".into() }),
        };
        self.codec.encode(&event)
    }

    /// Writes what several causes have led to, as one transaction.
    fn write(&mut self, causes: &[(Cause, usize)]) {
        let mut transaction = Transaction::default();
        for (cause, count) in causes {
            for _ in 0..*count {
                let value = Some(self.event(*cause));
                transaction.records.push(Outgoing {
                    topic: Arc::clone(&self.names.events),
                    partition: 0,
                    key: Some(Bytes::from_static(b"ann")),
                    value,
                    timestamp_ms: 1,
                    headers: Vec::new(),
                });
            }
        }
        let mut writer = self.group.writer("writer").unwrap();
        writer.fence().unwrap();
        writer.submit(transaction).unwrap();
        while !writer.settle(Duration::ZERO).unwrap() {}
    }

    /// Appends an event without a transaction, with the id of a schema.
    fn append(&mut self, schema_id: u32) -> i64 {
        let mut value = self.event(Cause::Command(90)).to_vec();
        value[1..5].copy_from_slice(&schema_id.to_be_bytes());
        let record = Plain { key: None, value: Some(value.into()), timestamp_ms: 1, headers: Vec::new() };
        self.log.append(&self.at(), record).unwrap()
    }

    fn rows(&self) -> usize {
        self.store.rows("seen").len()
    }

    fn progress(&self) -> Progress {
        let found = read_progress(&*self.store, PROJECTION).unwrap();
        found.into_iter().next().unwrap_or_else(|| Progress::none(PROJECTION, 0))
    }
}

fn tables() -> Vec<millrace_kernel::Table> {
    let mut tables = parse_tables(SEEN).unwrap();
    tables.extend(system_tables());
    tables
}

fn codec(registry: &Arc<Flaky>) -> Codec<Event<EventData>> {
    let registry = Arc::clone(registry) as Arc<dyn Registry>;
    Codec::register(registry, "chirp.events-value", Chirp::SCHEMAS.events).unwrap()
}

/// Two transactions: a command with three events and a step with two, then a command with one.
fn written() -> (Stage, [(Cause, usize); 3]) {
    let mut stage = Stage::new();
    let causes = [(Cause::Command(5), 3), (Cause::Step(2), 2), (Cause::Command(9), 1)];
    stage.write(&causes[..2]);
    stage.write(&causes[2..]);
    (stage, causes)
}

/// A cause is published only when the rows of all its events, and of all before, are there.
fn assert_honest(stage: &Stage, causes: &[(Cause, usize)]) {
    let progress = stage.progress();
    let mut needed = 0;
    for (cause, count) in causes {
        needed += count;
        let is_published = match cause {
            Cause::Command(offset) => progress.commands_offset >= *offset,
            Cause::Step(offset) => progress.steps_offset >= *offset,
        };
        assert!(!is_published || stage.rows() >= needed, "{} rows, but {progress:?}", stage.rows());
    }
    assert!(progress.events_offset <= stage.rows() as i64 + 2, "{} rows, but {progress:?}", stage.rows());
}

#[test]
fn a_command_counts_as_applied_only_with_all_its_events_however_polls_cut_them() {
    for batch in 1..=7 {
        let (stage, causes) = written();
        let mut lane = stage.lane(batch);
        for _ in 0..30 {
            lane.turn(Duration::ZERO).unwrap();
            assert_honest(&stage, &causes);
        }
        let end = stage.log.high_watermark(&stage.at()).unwrap();
        let progress = stage.progress();
        assert_eq!(
            (progress.commands_offset, progress.steps_offset, progress.events_offset),
            (9, 2, end),
            "in polls of {batch} all is published in the end"
        );
    }
}

#[test]
fn a_restart_amid_a_commands_events_publishes_it_no_sooner() {
    for taken in 1..=6 {
        let (stage, causes) = written();
        let mut lane = stage.lane(1);
        for _ in 0..=taken {
            lane.turn(Duration::ZERO).unwrap();
        }
        lane.finish().unwrap();
        let mut next = stage.lane(2);
        for _ in 0..30 {
            next.turn(Duration::ZERO).unwrap();
            assert_honest(&stage, &causes);
        }
        assert_eq!(stage.progress().commands_offset, 9);
        assert_eq!(stage.rows(), 6);
    }
}

#[test]
fn waiting_ends_when_the_last_row_is_there_and_not_before() {
    let (stage, _) = written();
    let mut lane = stage.lane(1);
    let position = Position { topic: "chirp.commands".into(), partition: 0, offset: 5 };
    let reached =
        || wait_until(&*stage.store, PROJECTION, std::slice::from_ref(&position), Duration::ZERO).is_ok();
    while !reached() {
        assert!(stage.rows() < 6, "all rows are there, but nobody is told");
        lane.turn(Duration::ZERO).unwrap();
    }
    assert!(stage.rows() >= 3, "the command has three rows, of which {} are there", stage.rows());
}

#[test]
fn the_newest_progress_wins_in_whatever_order_it_arrives() {
    let mut published: Vec<Progress> = Vec::new();
    for batch in 1..=7 {
        let (stage, _) = written();
        let mut lane = stage.lane(batch);
        for _ in 0..30 {
            lane.turn(Duration::ZERO).unwrap();
            let progress = stage.progress();
            if progress.recorded_at > 0 && !published.contains(&progress) {
                published.push(progress);
            }
        }
    }
    assert!(published.len() >= 3, "the test has nothing to compare: {published:?}");
    for a in &published {
        for b in &published {
            let store = MemoryStore::new();
            store.create_tables(&tables()).and_then(|()| store.open_tables(&tables())).unwrap();
            store.apply(&[a.write()]).and_then(|()| store.apply(&[b.write()])).unwrap();
            let kept = read_progress(&store, PROJECTION).unwrap().remove(0);
            let newer = if a.events_offset >= b.events_offset { a } else { b };
            assert_eq!(&kept, newer, "of {a:?} and {b:?} in {PROGRESS}");
        }
    }
}

#[test]
fn events_copied_without_transactions_are_published_too() {
    let mut stage = Stage::new();
    let own = stage.codec.schema_id();
    stage.append(own);
    let mut lane = stage.lane(500);
    for _ in 0..5 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert_eq!((stage.progress().commands_offset, stage.progress().events_offset), (90, 1));
}

#[test]
fn an_event_that_cannot_be_read_holds_back_only_what_comes_after_it() {
    let (mut stage, _) = written();
    let mut lane = stage.lane(500);
    for _ in 0..5 {
        lane.turn(Duration::ZERO).unwrap();
    }
    // in one poll: a good event, a bad one, and a good one behind it
    stage.write(&[(Cause::Command(10), 1)]);
    let unknown_id = 77;
    let bad = stage.append(unknown_id);
    stage.write(&[(Cause::Command(91), 1)]);
    let mut faults = Vec::new();
    for _ in 0..10 {
        if let Err(fault) = lane.turn(Duration::ZERO) {
            faults.push(fault);
        }
    }
    assert_eq!(stage.rows(), 7, "what came before it is in the tables");
    assert!(faults.len() > 5, "it is said again and again");
    for fault in &faults {
        assert!(
            matches!(fault, ProjectorFault::Unreadable { at, offset, .. } if *at == stage.at() && *offset == bad),
            "{fault}"
        );
    }
    let progress = stage.progress();
    assert!(progress.commands_offset >= 9 && progress.events_offset <= bad, "{progress:?}");
    // the registry learns of the schema: an id may be given out later
    for n in 0.. {
        let other = format!("{}{}", Chirp::SCHEMAS.events, " ".repeat(n));
        if stage.registry.register("chirp.events-value", &other).unwrap() == unknown_id {
            break;
        }
    }
    for _ in 0..5 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert_eq!(stage.rows(), 9, "it goes on by itself");
    assert_eq!(stage.progress().commands_offset, 91);
    assert_eq!(stage.folds.load(Ordering::SeqCst), 9, "no event is folded twice");
}

#[test]
fn a_registry_that_is_away_holds_back_only_the_event_that_needs_it() {
    let (mut stage, _) = written();
    let other = format!("{} ", Chirp::SCHEMAS.events);
    let id = stage.registry.register("chirp.events-value", &other).unwrap();
    let waiting = stage.append(id);
    let mut lane = stage.lane(500);
    stage.registry.is_away.store(true, Ordering::SeqCst);
    let mut last = None;
    for _ in 0..5 {
        last = lane.turn(Duration::ZERO).err();
    }
    let fault = last.expect("the registry is away");
    assert!(matches!(fault, ProjectorFault::Schema { offset, .. } if offset == waiting), "{fault}");
    assert_eq!(stage.rows(), 6);
    stage.registry.is_away.store(false, Ordering::SeqCst);
    lane.turn(Duration::ZERO).unwrap();
    assert_eq!((stage.rows(), stage.folds.load(Ordering::SeqCst)), (7, 7));
}

#[test]
fn a_log_that_is_away_costs_no_fold() {
    use millrace_testkit::log::memory::{Faults, NoFaults, Operation, Verdict};
    struct Away;
    impl Faults for Away {
        fn before(&mut self, operation: &Operation<'_>) -> Verdict {
            if matches!(operation, Operation::PollReader) { Verdict::Refuse } else { Verdict::Proceed }
        }
    }
    let (mut stage, _) = written();
    let mut lane: Box<dyn millrace_runtime::supervise::LaneWork> = Box::new(stage.lane(500));
    for _ in 0..5 {
        assert!(lane.turn(Duration::ZERO).is_ok());
    }
    stage.log.inject(Box::new(Away));
    assert!(lane.turn(Duration::ZERO).is_err());
    stage.log.inject(Box::new(NoFaults));
    stage.write(&[(Cause::Command(91), 1)]);
    for _ in 0..5 {
        assert!(lane.turn(Duration::ZERO).is_ok());
    }
    assert_eq!((stage.rows(), stage.folds.load(Ordering::SeqCst)), (7, 7));
}
