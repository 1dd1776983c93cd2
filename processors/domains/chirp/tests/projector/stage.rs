//! Events, a projector that writes a row for each, and what it has written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use millrace_domain_chirp::messages::events::UserRegistered;
use millrace_domain_chirp::{Chirp, EventData};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Event, Known, Metadata, Put, StagedProjector, Value, Write, Writes};
use millrace_ports::{
    Clock, Group, GroupSpec, Log, Outgoing, SystemClock, TopicPartition, Transaction, ViewStore,
};
use millrace_runtime::copies::Copies;
use millrace_runtime::progress::{Progress, read_progress, system_tables};
use millrace_runtime::projector::{MakeProjector, ProjectorLane, ProjectorShared};
use millrace_runtime::{LocalState, ProjectorSettings, Topology};
use millrace_testkit::local::MemoryDisk;
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
pub(crate) const PROJECTION: &str = "chirp.seen";

/// A registry that can be away.
#[derive(Default)]
pub(crate) struct Flaky {
    inner: MemoryRegistry,
    pub(crate) is_away: AtomicBool,
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

impl StagedProjector<EventData> for Seer {
    fn stage(&mut self, event: &Event<EventData>, _: &mut dyn Known, rows: &mut Writes) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let values = vec![Value::from("all"), Value::from(event.id.as_str())];
        rows.push(Write::Put(Put { table: "seen", values, timestamp: event.recorded_at }));
    }
}

/// The events of a domain, a projector of them and the store it writes to.
pub(crate) struct Stage {
    pub(crate) log: MemoryLog,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) registry: Arc<Flaky>,
    pub(crate) codec: Codec<Event<EventData>>,
    names: Topology,
    pub(crate) group: Arc<dyn Group>,
    pub(crate) folds: Arc<AtomicUsize>,
    pub(crate) sent: i64,
}

/// What caused events: a command or a step, by its offset.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    Command(i64),
    Step(i64),
}

impl Stage {
    pub(crate) fn new() -> Self {
        let log = MemoryLog::stepwise(Arc::new(SystemClock) as Arc<dyn Clock>);
        let names = Topology::new("", "chirp");
        log.create_topic(&names.events, 1);
        let store = empty_store();
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

    pub(crate) fn at(&self) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.names.events), 0)
    }

    pub(crate) fn lane(&self, batch_max_events: usize) -> ProjectorLane<Chirp> {
        let settings = ProjectorSettings { batch_max_events, ..ProjectorSettings::default() };
        self.lane_of(settings, self.seer())
    }

    pub(crate) fn lane_of(
        &self,
        settings: ProjectorSettings,
        make: MakeProjector<EventData>,
    ) -> ProjectorLane<Chirp> {
        self.lane_into(Arc::clone(&self.store) as Arc<dyn ViewStore>, settings, make)
    }

    pub(crate) fn lane_into(
        &self,
        store: Arc<dyn ViewStore>,
        settings: ProjectorSettings,
        make: MakeProjector<EventData>,
    ) -> ProjectorLane<Chirp> {
        let shared = self.shared(store, settings, make);
        ProjectorLane::new(Arc::new(shared), Arc::clone(&self.group), 0)
    }

    fn shared(
        &self,
        store: Arc<dyn ViewStore>,
        settings: ProjectorSettings,
        make: MakeProjector<EventData>,
    ) -> ProjectorShared<Chirp> {
        ProjectorShared {
            changes: None,
            log: Arc::new(self.log.clone()),
            clock: Arc::new(SystemClock),
            store,
            names: self.names.clone(),
            projection: PROJECTION.to_owned(),
            destination: Default::default(),
            views: &["seen"],
            is_building: false,
            pace: Default::default(),
            codec: codec(&self.registry),
            make,
            revision: "1".to_owned(),
            partitions: 1,
            local: None,
            copies: Copies::new(false),
            settings,
        }
    }

    /// What makes a projector that writes a row for each event, and counts them.
    pub(crate) fn seer(&self) -> MakeProjector<EventData> {
        let folds = Arc::clone(&self.folds);
        Box::new(move |_| Box::new(Seer(Arc::clone(&folds))))
    }

    /// A lane that keeps what it knows on `disk`, after every event if it can.
    pub(crate) fn lane_on(
        &self,
        disk: &MemoryDisk,
        make: MakeProjector<EventData>,
        revision: &str,
    ) -> ProjectorLane<Chirp> {
        self.lane_keeping(disk, make, revision, 1)
    }

    /// A lane that keeps what it knows on `disk`, once so many keys have changed.
    pub(crate) fn lane_keeping(
        &self,
        disk: &MemoryDisk,
        make: MakeProjector<EventData>,
        revision: &str,
        changes: usize,
    ) -> ProjectorLane<Chirp> {
        let shared = self.shared_on(disk, make, revision, changes);
        ProjectorLane::new(shared, Arc::clone(&self.group), 0)
    }

    /// What lanes and copies share that keep what they know on `disk`, once so many keys have changed.
    pub(crate) fn shared_on(
        &self,
        disk: &MemoryDisk,
        make: MakeProjector<EventData>,
        revision: &str,
        changes: usize,
    ) -> Arc<ProjectorShared<Chirp>> {
        let settings = ProjectorSettings {
            batch_max_events: 2,
            checkpoint_max_changes: changes,
            ..ProjectorSettings::default()
        };
        let mut shared = self.shared(Arc::clone(&self.store) as Arc<dyn ViewStore>, settings, make);
        shared.local = Some(LocalState::stepwise(Arc::new(disk.clone()), 1_000));
        shared.revision = revision.to_owned();
        Arc::new(shared)
    }

    /// A lane that fills tables which `rebuild` has just made.
    pub(crate) fn lane_building(&self, store: Arc<dyn ViewStore>) -> ProjectorLane<Chirp> {
        let mut shared = self.shared(store, ProjectorSettings::default(), self.seer());
        shared.is_building = true;
        ProjectorLane::new(Arc::new(shared), Arc::clone(&self.group), 0)
    }

    fn event(&mut self, cause: Cause) -> Bytes {
        self.sent += 1;
        let (offset, causation) = match cause {
            Cause::Command(offset) => (offset, "command"),
            Cause::Step(offset) => (offset, "step"),
        };
        let event = Event {
            id: format!("event-{}", self.sent).into(),
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
    pub(crate) fn write(&mut self, causes: &[(Cause, usize)]) {
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
    pub(crate) fn append(&mut self, schema_id: u32) -> i64 {
        let mut value = self.event(Cause::Command(90)).to_vec();
        value[1..5].copy_from_slice(&schema_id.to_be_bytes());
        let record = Plain { key: None, value: Some(value.into()), timestamp_ms: 1, headers: Vec::new() };
        self.log.append(&self.at(), record).unwrap()
    }

    pub(crate) fn rows(&self) -> usize {
        self.store.rows("seen").len()
    }

    pub(crate) fn progress(&self) -> Progress {
        let found = read_progress(&*self.store, PROJECTION).unwrap();
        found.into_iter().next().unwrap_or_else(|| Progress::none(PROJECTION, 0))
    }
}

/// Tables that nothing was written to.
pub(crate) fn empty_store() -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    store.create_tables(&tables()).and_then(|()| store.open_tables(&tables())).unwrap();
    store
}

pub(crate) fn tables() -> Vec<millrace_kernel::Table> {
    let mut tables = parse_tables(SEEN).unwrap();
    tables.extend(system_tables());
    tables
}

fn codec(registry: &Arc<Flaky>) -> Codec<Event<EventData>> {
    let registry = Arc::clone(registry) as Arc<dyn Registry>;
    Codec::register(registry, "chirp.events-value", Chirp::SCHEMAS.events).unwrap()
}

/// Two transactions: a command with three events and a step with two, then a command with one.
pub(crate) fn written() -> (Stage, [(Cause, usize); 3]) {
    let mut stage = Stage::new();
    let causes = [(Cause::Command(5), 3), (Cause::Step(2), 2), (Cause::Command(9), 1)];
    stage.write(&causes[..2]);
    stage.write(&causes[2..]);
    (stage, causes)
}

/// A cause is published only when the rows of all its events, and of all before, are there.
pub(crate) fn assert_honest(stage: &Stage, causes: &[(Cause, usize)]) {
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
