//! A projector's lane, poll by poll: what it publishes, and where it stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use millrace_domain_chirp::messages::events::UserRegistered;
use millrace_domain_chirp::{Chirp, EventData};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{
    Domain, Event, FanOut, Metadata, Page, PageQuery, Position, Projector, Put, Table, Value, Write, Writes,
};
use millrace_ports::{
    Clock, Group, GroupSpec, Log, Outgoing, StoreFault, Submitted, SystemClock, TableChange, TopicPartition,
    Transaction, ViewStore,
};
use millrace_runtime::metrics::Metrics;
use millrace_runtime::progress::{
    FAN_OUTS, PROGRESS, Progress, WaitError, read_progress, system_tables, wait_until,
};
use millrace_runtime::projector::{MakeProjector, ProjectorFault, ProjectorLane, ProjectorShared};
use millrace_runtime::{ProjectorSettings, Topology};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::store::MemoryStore;
use millrace_wire::{Codec, Latest, MemoryRegistry, Registry, RegistryFault};

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
    fn subjects(&self, id: u32) -> Result<Option<Vec<String>>, RegistryFault> {
        self.reach()?.subjects(id)
    }
    fn latest(&self, subject: &str) -> Result<Option<Latest>, RegistryFault> {
        self.reach()?.latest(subject)
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
        let settings = ProjectorSettings { batch_max_events, ..ProjectorSettings::default() };
        self.lane_of(settings, Box::new(move |_| Box::new(Seer(Arc::clone(&folds)))))
    }

    fn lane_of(&self, settings: ProjectorSettings, make: MakeProjector<EventData>) -> ProjectorLane<Chirp> {
        self.lane_into(Arc::clone(&self.store) as Arc<dyn ViewStore>, settings, make)
    }

    fn lane_into(
        &self,
        store: Arc<dyn ViewStore>,
        settings: ProjectorSettings,
        make: MakeProjector<EventData>,
    ) -> ProjectorLane<Chirp> {
        let shared = ProjectorShared {
            log: Arc::new(self.log.clone()),
            clock: Arc::new(SystemClock),
            store,
            names: self.names.clone(),
            projection: PROJECTION.to_owned(),
            destination: Default::default(),
            pace: Default::default(),
            codec: codec(&self.registry),
            make,
            settings,
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

/// Commands at this offset are a giant's: their events have so many rows that they are written in turns.
const GIANT: i64 = 5;
/// How many rows that is.
const AUDIENCE: usize = 50;

/// A row for every event; for a giant's so many, made in pieces, and a last one when all are there.
#[derive(Default)]
struct Teller {
    under_way: std::collections::BTreeMap<u64, (usize, i64)>,
}

fn seen(id: String, timestamp: i64) -> Write {
    Write::Put(Put { table: "seen", values: vec![Value::from("all"), Value::from(id.as_str())], timestamp })
}

impl Projector<EventData> for Teller {
    fn apply(&mut self, event: &Event<EventData>, writes: &mut Writes) {
        let (id, at) = (event.version as u64, event.recorded_at);
        if event.command_offset != GIANT {
            writes.in_line(1);
            writes.push(seen(format!("small-{id}"), at));
            return;
        }
        writes.in_line(0);
        if !writes.is_muted() {
            self.under_way.insert(id, (0, at));
        }
        writes.fan_out(FanOut(id));
        writes.then();
        writes.push(seen(format!("told-{id}"), at));
    }

    fn fan_out(&mut self, FanOut(id): FanOut, most: usize, rows: &mut Vec<Write>) -> bool {
        let (told, at) = self.under_way.get_mut(&id).expect("not asked again after its end");
        let upto = AUDIENCE.min(*told + most);
        rows.extend((*told..upto).map(|n| seen(format!("giant-{id}-{n}"), *at)));
        *told = upto;
        let has_more = upto < AUDIENCE;
        if !has_more {
            self.under_way.remove(&id);
        }
        has_more
    }
}

impl Stage {
    fn teller(&self, fan_out_max_rows: usize) -> ProjectorLane<Chirp> {
        let settings = ProjectorSettings { fan_out_max_rows, ..ProjectorSettings::default() };
        self.lane_of(settings, Box::new(|_| Box::<Teller>::default()))
    }

    fn is_there(&self, id: &str) -> bool {
        self.store.rows("seen").iter().any(|row| row[1] == Value::from(id))
    }

    /// Whether whoever waits for the command at `offset` is told that its rows are there.
    fn is_waited_for(&self, offset: i64) -> bool {
        let position = Position { topic: "chirp.commands".into(), partition: 0, offset };
        match wait_until(&*self.store, PROJECTION, std::slice::from_ref(&position), Duration::ZERO) {
            Ok(()) => true,
            Err(WaitError::TimedOut { missing, .. }) => {
                assert_eq!(missing, position, "the error names what is missing");
                false
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn open_fan_outs(&self) -> usize {
        self.store.rows(FAN_OUTS).len()
    }
}

#[test]
fn a_giants_fan_out_lets_others_pass_and_is_waited_for() {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(GIANT), 1), (Cause::Command(6), 1)]);
    let metrics = Metrics::default();
    let mut lane = stage.teller(4).metered(metrics.role("chirp.projector.seen").lane(0));
    let mut sent = 6;
    let mut passed = 0;
    for _ in 0..100 {
        lane.turn(Duration::ZERO).unwrap();
        let is_told = stage.is_waited_for(GIANT);
        assert!(!is_told || stage.is_there("told-1"), "told before it is there");
        if stage.is_waited_for(sent) {
            assert!(stage.is_there(&format!("small-{}", stage.sent)), "told before it is there");
            if is_told {
                break;
            }
            assert_eq!(stage.open_fan_outs(), 1);
            let progress = stage.progress();
            assert_eq!(progress.events_offset, 0, "not all before a later event is there");
            passed += 1;
            sent += 1;
            stage.write(&[(Cause::Command(sent), 1)]);
        }
    }
    assert!(passed >= 3, "{passed} commands passed the giant's");
    assert_eq!((stage.rows(), stage.open_fan_outs()), (AUDIENCE + 1 + stage.sent as usize - 1, 0));
    assert_eq!(metrics.snapshot()[0].counts.puts, stage.rows() as u64, "every row is counted, and once");
}

#[test]
fn a_giants_fan_out_is_written_again_by_who_takes_over() {
    for turns in 1..30 {
        let mut stage = Stage::new();
        stage.write(&[(Cause::Command(GIANT), 2), (Cause::Command(6), 1)]);
        stage.write(&[(Cause::Command(7), 1), (Cause::Step(2), 1)]);
        let mut lane = stage.teller(9);
        for _ in 0..turns {
            lane.turn(Duration::ZERO).unwrap();
        }
        // one goes in order, the other does not say a word
        if turns % 2 == 0 {
            lane.finish().unwrap();
        }
        drop(lane);
        let mut next = stage.teller(7);
        for _ in 0..60 {
            next.turn(Duration::ZERO).unwrap();
            assert!(!stage.is_waited_for(GIANT) || stage.is_there("told-2"), "told before it is there");
        }
        assert!(stage.is_waited_for(GIANT) && stage.is_waited_for(7), "after {turns} turns of the first");
        assert_eq!((stage.rows(), stage.open_fan_outs()), (2 * (AUDIENCE + 1) + 3, 0));
        let end = stage.log.high_watermark(&stage.at()).unwrap();
        assert_eq!(stage.progress().events_offset, end);
    }
}

#[test]
fn a_command_that_waits_behind_its_giant_is_not_published_before() {
    let mut stage = Stage::new();
    // both of the giant's line; the second's rows are few, but must not be seen before the first's
    stage.write(&[(Cause::Command(GIANT), 2)]);
    let mut lane = stage.teller(3);
    for _ in 0..100 {
        lane.turn(Duration::ZERO).unwrap();
        assert!(!stage.is_there("giant-2-0") || stage.is_there("told-1") || stage.is_there("giant-1-49"));
    }
    assert!(stage.is_waited_for(GIANT));
}

/// A store that takes its time with what is in no hurry, and can be away.
struct Leisurely {
    inner: Arc<MemoryStore>,
    is_away: Arc<AtomicBool>,
}

impl Leisurely {
    fn reach(&self) -> Result<&MemoryStore, StoreFault> {
        match self.is_away.load(Ordering::SeqCst) {
            false => Ok(&self.inner),
            true => Err(StoreFault::Unavailable { step: "write rows", message: "away".to_owned() }),
        }
    }
}

/// Writes that are applied when they are asked for the second time.
struct Later(Leisurely, Arc<Vec<Write>>, usize);

impl Submitted for Later {
    fn settle(&mut self, _: Duration) -> Result<bool, StoreFault> {
        self.2 += 1;
        if self.2 < 2 {
            return Ok(false);
        }
        self.0.reach()?.apply(&self.1).map(|()| true)
    }
}

impl ViewStore for Leisurely {
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
        self.reach()?.apply(writes)
    }
    fn submit(&self, writes: Arc<Vec<Write>>) -> Result<Box<dyn Submitted>, StoreFault> {
        let same = Self { inner: Arc::clone(&self.inner), is_away: Arc::clone(&self.is_away) };
        Ok(Box::new(Later(same, writes, 0)))
    }
    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        self.reach()?.read(queries)
    }
    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        self.reach()?.scan(table, after, limit)
    }
}

#[test]
fn a_store_that_goes_away_amid_a_fan_out_is_a_fault_until_it_is_back_and_no_row_is_lost() {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(GIANT), 1)]);
    let is_away = Arc::new(AtomicBool::new(false));
    let store = Leisurely { inner: Arc::clone(&stage.store), is_away: Arc::clone(&is_away) };
    let settings = ProjectorSettings { fan_out_max_rows: 4, ..ProjectorSettings::default() };
    let mut lane = stage.lane_into(Arc::new(store), settings, Box::new(|_| Box::<Teller>::default()));
    while stage.rows() < AUDIENCE / 2 {
        lane.turn(Duration::ZERO).unwrap();
    }
    is_away.store(true, Ordering::SeqCst);
    let faults: Vec<bool> = (0..20).map(|_| lane.turn(Duration::ZERO).is_err()).collect();
    let first = faults.iter().position(|is_fault| *is_fault).expect("somebody is told");
    assert!(first < 4, "soon: {faults:?}");
    // who is told that all is well in between resets health and pauses, and asks without end
    assert!(faults[first..].iter().all(|is_fault| *is_fault), "until it is back: {faults:?}");
    is_away.store(false, Ordering::SeqCst);
    for _ in 0..100 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert!(stage.is_waited_for(GIANT));
    assert_eq!((stage.rows(), stage.open_fan_outs()), (AUDIENCE + 1, 0));
}

#[test]
fn a_group_that_lost_its_offset_applies_nothing_a_second_time() {
    let (stage, causes) = written();
    let mut lane = stage.lane(100);
    for _ in 0..6 {
        lane.turn(Duration::ZERO).unwrap();
    }
    lane.finish().unwrap();
    let (rows, progress) = (stage.rows(), stage.progress());
    assert_eq!(rows, causes.iter().map(|(_, count)| count).sum::<usize>());

    stage.log.forget_offsets("seen");
    let mut lane = stage.lane(100);
    let fault = lane.turn(Duration::ZERO).unwrap_err();
    let ProjectorFault::OffsetLost { at, applied, .. } = &fault else { panic!("{fault}") };
    assert_eq!((at, *applied), (&stage.at(), progress.events_offset), "up to where the tables are filled");
    assert_eq!(stage.progress(), progress);

    // the way out: the group goes on where the tables stand
    stage.group.commit(&std::collections::BTreeMap::from([(stage.at(), *applied)])).unwrap();
    lane.turn(Duration::ZERO).unwrap();
    for _ in 0..6 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert_eq!(stage.folds.load(Ordering::SeqCst), 2 * rows, "all is folded again, and nothing written");
}

#[test]
fn who_dies_right_after_its_first_rows_has_lost_no_offset() {
    let (stage, _) = written();
    let mut lane = stage.lane(100);
    for _ in 0..3 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert!(stage.progress().events_offset > 0, "it has published, and not committed behind that");
    drop(lane);
    let mut lane = stage.lane(100);
    for _ in 0..6 {
        lane.turn(Duration::ZERO).unwrap();
    }
}
