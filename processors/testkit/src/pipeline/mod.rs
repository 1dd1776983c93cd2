//! The whole pipeline in memory — processors, lookups, projectors — one small step at a time
//! in one thread, so that a seeded test decides what happens between any two steps.

mod clock;
mod policies;
mod process;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::domain::Domain;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Addressed, Command, Event, Outcome, PseudonymKeys, partition};
use millrace_ports::{Clock, Group, GroupSpec, Log, Record, TopicPartition, ViewStore};
use millrace_runtime::LocalState;
use millrace_runtime::copies::Copies;
use millrace_runtime::health::LaneState;
use millrace_runtime::processor::codecs::Codecs;
use millrace_runtime::processor::lane::Shared;
use millrace_runtime::processor::looked_up::LookupTopics;
use millrace_runtime::processor::lookup::{LookupFollower, LookupTables, MOST_AGE};
use millrace_runtime::processor::pseudonyms::Pseudonyms;
use millrace_runtime::progress::system_tables;
use millrace_runtime::standby::Keeper;
use millrace_runtime::{ProcessorSettings, ProjectorSettings, Topology};
use millrace_wire::{MemoryRegistry, Registry};

pub use self::clock::{ManualClock, SkewedClock};
use self::process::{Process, Role};
pub use self::process::{RoleKind, Stepped};
use crate::given::test_keys;
use crate::local::MemoryDisk;
use crate::log::memory::{MemoryLog, Plain};
use crate::store::memory::MemoryStore;

/// How long a silent member keeps its partitions, by the simulated clock.
pub const SESSION: Duration = Duration::from_secs(10);
/// By how much the clock moves with every step.
const STEP_MICROS: i64 = 1_000;
/// By how much it moves when nothing is left to do: less than a session, so that whoever is polled stays.
const QUIET_MICROS: i64 = 3_000_000;
/// `max.message.bytes` of the dead topic, as every domain declares it.
const DEAD_MAX_BYTES: usize = 2_097_152;
/// How many copies of a partition others keep, where they do.
const COPIES: usize = 1;
/// Where the clock begins.
const BEGIN_MICROS: i64 = 1_700_000_000_000_000;

/// What all domains share.
struct Outside {
    log: MemoryLog,
    clock: Arc<ManualClock>,
    registry: Arc<dyn Registry>,
}

impl Default for Outside {
    fn default() -> Self {
        let clock = Arc::new(ManualClock::at(BEGIN_MICROS));
        let log = MemoryLog::stepwise(Arc::clone(&clock) as Arc<dyn Clock>);
        Self { log, clock, registry: Arc::new(MemoryRegistry::default()) }
    }
}

/// The pipeline of one domain, with as many processes of each role as asked for.
pub struct Pipeline<D: Domain> {
    /// The log, to look into and to inject faults.
    pub log: MemoryLog,
    /// The tables, likewise.
    pub store: Arc<MemoryStore>,
    /// The broker's clock, to let time pass.
    pub clock: Arc<ManualClock>,
    /// Settings of projectors that start from now on.
    pub projector_settings: ProjectorSettings,
    written_through: Arc<dyn ViewStore>,
    names: Topology,
    partitions: i32,
    registry: Arc<dyn Registry>,
    codecs: Codecs<D>,
    domain_settings: D::Settings,
    settings: ProcessorSettings,
    processes: Vec<Process<D>>,
    started: u64,
    /// Memberships of the dead: nobody tells the group that they are gone.
    graveyard: Vec<Arc<dyn Group>>,
    /// Whether processes keep their state on a disk, each on its own.
    has_disks: bool,
    /// Whether processors keep copies of partitions that others own.
    keeps_copies: bool,
    /// The keys of pseudonyms of processors that start from now on.
    keys: Arc<PseudonymKeys>,
    /// Disks of processes that are gone: the next of that role to start gets the one that was left last.
    left_disks: Vec<(RoleKind, MemoryDisk)>,
}

impl<D: Domain> Pipeline<D> {
    /// Topics of so many `partitions`, empty tables, and no process yet.
    ///
    /// # Panics
    /// When the domain's schemas or tables do not parse.
    #[must_use]
    pub fn new(partitions: i32, domain_settings: D::Settings, settings: ProcessorSettings) -> Self {
        Self::on(Outside::default(), partitions, &|_| None, domain_settings, settings)
    }

    /// The same among other domains that are still to come, each with as many partitions as `of_others` says.
    ///
    /// # Panics
    /// As [`Pipeline::new`].
    #[must_use]
    pub fn among(
        partitions: i32,
        of_others: &dyn Fn(&str) -> Option<i32>,
        domain_settings: D::Settings,
        settings: ProcessorSettings,
    ) -> Self {
        Self::on(Outside::default(), partitions, of_others, domain_settings, settings)
    }

    /// The pipeline of one more domain on the log of `other`, with partitions and processes of its own.
    ///
    /// # Panics
    /// As [`Pipeline::new`].
    #[must_use]
    pub fn beside<E: Domain>(
        other: &Pipeline<E>,
        partitions: i32,
        domain_settings: D::Settings,
        settings: ProcessorSettings,
    ) -> Self {
        let (log, clock) = (other.log.clone(), Arc::clone(&other.clock));
        let outside = Outside { log, clock, registry: Arc::clone(&other.registry) };
        Self::on(outside, partitions, &|_| None, domain_settings, settings)
    }

    fn on(
        outside: Outside,
        partitions: i32,
        of_others: &dyn Fn(&str) -> Option<i32>,
        domain_settings: D::Settings,
        settings: ProcessorSettings,
    ) -> Self {
        let of_others = |domain: &str| of_others(domain).unwrap_or(partitions + 1);
        let Outside { log, clock, registry } = outside;
        let names = Topology::of::<D>("");
        for topic in names.own() {
            log.create_topic(topic, partitions);
        }
        for family in D::projections(&domain_settings) {
            log.create_topic(&names.changes(family.name), partitions);
        }
        let lookups = LookupTopics::of::<D>(&names);
        lookups.own.iter().for_each(|(_, topic)| log.create_topic(topic, partitions));
        // where nobody publishes what is looked up, a test may write it
        for (of, topic) in lookups.elsewhere.iter().filter(|(_, topic)| log.partitions(topic).is_err()) {
            log.create_topic(topic, of_others(of.domain));
        }
        for policy in D::policies() {
            log.create_topic(&names.events_elsewhere(policy.domain), of_others(policy.domain));
        }
        log.limit_topic_bytes(&names.dead, DEAD_MAX_BYTES);
        let store = Arc::new(MemoryStore::new());
        let mut tables = parse_tables(D::SCHEMAS.views).expect("views.cql parses");
        tables.extend(system_tables());
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).expect("tables can be made");
        let codecs = Codecs::register(&registry, &names).expect("the schemas parse");
        Self {
            written_through: Arc::clone(&store) as Arc<dyn ViewStore>,
            projector_settings: ProjectorSettings {
                batch_max_events: 7,
                checkpoint_max_changes: 5,
                ..ProjectorSettings::default()
            },
            log,
            store,
            clock,
            names,
            partitions,
            registry,
            codecs,
            domain_settings,
            settings,
            processes: Vec::new(),
            started: 0,
            graveyard: Vec::new(),
            has_disks: false,
            keeps_copies: false,
            keys: Arc::new(test_keys(&["k1"])),
            left_disks: Vec::new(),
        }
    }

    /// Processes that start from now on keep their state on a disk, each on its own. The disk
    /// of one that is gone is taken over by the next of its role.
    pub fn give_disks(&mut self) {
        self.has_disks = true;
    }

    /// Processors that start from now on pass over these gaps: `processor.accepted_gaps`.
    pub fn accept_gaps(&mut self, gaps: &str) {
        gaps.clone_into(&mut self.settings.accepted_gaps);
    }

    /// Processors that start from now on keep copies of partitions that others own.
    pub fn keep_copies(&mut self) {
        self.keeps_copies = true;
    }

    /// Processors that start from now on have these keys of pseudonyms; at first it is `k1` of [`test_keys`].
    pub fn use_keys(&mut self, keys: PseudonymKeys) {
        self.keys = Arc::new(keys);
    }

    /// Everything that starts from now on asks this registry.
    ///
    /// # Panics
    /// When it does not take the domain's schemas.
    pub fn ask(&mut self, registry: Arc<dyn Registry>) {
        self.codecs = Codecs::register(&registry, &self.names).expect("the registry takes the schemas");
        self.registry = registry;
    }

    /// Processes that start from now on keep their state in memory.
    pub fn take_disks(&mut self) {
        self.has_disks = false;
    }

    /// The disks of processes that are gone, to damage them or to let them lose something.
    #[must_use]
    pub fn left_disks(&self) -> Vec<MemoryDisk> {
        self.left_disks.iter().map(|(_, disk)| disk.clone()).collect()
    }

    /// The disk for a process that starts, if those have any.
    fn take_disk(&mut self, kind: RoleKind) -> Option<MemoryDisk> {
        let left = self.left_disks.iter().rposition(|(of, _)| *of == kind);
        let disk = left.map(|at| self.left_disks.remove(at).1);
        self.has_disks.then(|| disk.unwrap_or_default())
    }

    /// The disk of a process, if it has one.
    #[must_use]
    pub fn disk(&self, instance: usize) -> Option<&MemoryDisk> {
        self.processes.get(instance)?.disk.as_ref()
    }

    /// What the lanes of a processor would share that has this disk.
    ///
    /// # Panics
    /// When the domain's schemas do not parse.
    #[must_use]
    pub fn shared(&self, disk: Option<MemoryDisk>, settings: ProcessorSettings) -> Shared<D> {
        self.shared_by(disk, settings, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    fn shared_by(
        &self,
        disk: Option<MemoryDisk>,
        settings: ProcessorSettings,
        clock: Arc<dyn Clock>,
    ) -> Shared<D> {
        let lookups = LookupTopics::of::<D>(&self.names);
        let tables = lookups.tables(self.partitions, |_, topic| self.log.partitions(topic));
        let most_age = MOST_AGE.min(Duration::from_secs(settings.state_max_age_seconds));
        let lookups = LookupTables::new(tables.expect("the topics exist"), Arc::clone(&clock), most_age);
        let local = disk.map(|disk| LocalState::stepwise(Arc::new(disk), settings.state_cache_bytes));
        Shared {
            log: Arc::new(self.log.clone()),
            clock,
            names: self.names.clone(),
            partitions: self.partitions,
            codecs: Arc::new(Codecs::register(&self.registry, &self.names).expect("the schemas parse")),
            lookups: Arc::new(lookups),
            pseudonyms: Pseudonyms::new(Arc::clone(&self.keys)),
            settings,
            local,
            copies: Arc::new(Copies::new(self.keeps_copies)),
        }
    }

    /// Projectors that start from now on write through `store`, which passes on to
    /// [`Pipeline::store`] what it likes.
    pub fn write_through(&mut self, store: Arc<dyn ViewStore>) {
        self.written_through = store;
    }

    /// Starts a process of any kind.
    ///
    /// # Panics
    /// When an injected fault is in the way: start processes while none is injected.
    pub fn start(&mut self, kind: RoleKind) {
        match kind {
            RoleKind::Processor => self.start_processor(),
            RoleKind::Projector(family, version) => self.start_filler(family, version, false),
            RoleKind::Rebuild(family, version) => self.start_filler(family, version, true),
            RoleKind::Policy(place) => self.start_policy(place),
        }
    }

    /// Starts a processor.
    ///
    /// # Panics
    /// As [`Pipeline::start`].
    pub fn start_processor(&mut self) {
        let disk = self.take_disk(RoleKind::Processor);
        let clock = Arc::new(SkewedClock::new(Arc::clone(&self.clock)));
        let on = Arc::clone(&clock) as Arc<dyn Clock>;
        let shared = self.shared_by(disk.clone(), self.settings.clone(), on);
        let follower =
            LookupFollower::start(&*shared.log, Arc::clone(&shared.lookups)).expect("the log answers");
        let group = self.join(&self.names.processor_group(), &self.names.commands);
        let shared = Arc::new(shared);
        let copies = if self.keeps_copies { COPIES } else { 0 };
        let role = Role::Processor(Arc::clone(&shared), Keeper::new(shared, copies));
        self.add(group, Some(follower), role, clock, disk);
    }

    fn join(&self, group_id: &str, topic: &Arc<str>) -> Arc<dyn Group> {
        let spec =
            GroupSpec { group_id: group_id.to_owned(), topic: Arc::clone(topic), session_timeout: SESSION };
        Arc::from(self.log.join(&spec).expect("the log answers"))
    }

    fn add(
        &mut self,
        group: Arc<dyn Group>,
        follower: Option<LookupFollower>,
        role: Role<D>,
        clock: Arc<SkewedClock>,
        disk: Option<MemoryDisk>,
    ) {
        self.started += 1;
        let number = self.started;
        let (lanes, lent) = Default::default();
        let has_retired = false;
        self.processes.push(Process { number, group, lanes, lent, has_retired, follower, role, clock, disk });
    }

    /// How many processes run.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.processes.len()
    }

    /// The number of a process, which no other has or will have, and what it does.
    #[must_use]
    pub fn process(&self, instance: usize) -> Option<(u64, RoleKind)> {
        self.processes.get(instance).map(|process| (process.number, process.kind()))
    }

    /// How many processes do this and have not retired.
    #[must_use]
    pub fn count(&self, kind: RoleKind) -> usize {
        self.processes.iter().filter(|process| process.kind() == kind && !process.has_retired).count()
    }

    /// Kills a process and starts another in its place: nothing it holds is finished, nobody is told.
    ///
    /// # Panics
    /// As [`Pipeline::start`].
    pub fn kill(&mut self, instance: usize) {
        if let Some(kind) = self.crash(instance) {
            self.start(kind);
        }
    }

    /// Kills a process; what it did. It neither polls nor leaves: its session runs out by the clock.
    pub fn crash(&mut self, instance: usize) -> Option<RoleKind> {
        if instance >= self.processes.len() {
            return None;
        }
        let mut killed = self.processes.remove(instance);
        let kind = killed.kind();
        let disk = killed.disk.take();
        self.graveyard.push(Arc::clone(&killed.group));
        drop(killed);
        self.left_disks.extend(disk.map(|disk| (kind, disk)));
        Some(kind)
    }

    /// Ends a process in good order. A processor with others of its kind goes on until they have
    /// fenced it off, as under supervision.
    pub fn leave(&mut self, instance: usize) {
        let Some(leaving) = self.processes.get(instance) else { return };
        let kind = leaving.kind();
        let is_heir = |(at, it): (usize, &Process<D>)| at != instance && it.kind() == kind && !it.has_retired;
        if leaving.moves_by_fence() && self.processes.iter().enumerate().any(is_heir) {
            self.processes[instance].retire();
            self.bury(instance);
        } else {
            let mut leaving = self.processes.remove(instance);
            let disk = leaving.disk.take();
            leaving.leave();
            self.left_disks.extend(disk.map(|disk| (kind, disk)));
        }
    }

    /// Sets the clock of a process ahead of the broker's, or behind.
    pub fn set_ahead(&self, instance: usize, micros: i64) {
        if let Some(process) = self.processes.get(instance) {
            process.clock.set_ahead(micros);
        }
    }

    /// How a lane of a process is and what it does, as its health endpoint would say it.
    #[must_use]
    pub fn describe(&self, instance: usize, partition: i32) -> Option<(LaneState, String)> {
        self.processes.get(instance)?.lanes.get(&partition).map(|lane| lane.describe())
    }

    /// Sends a command as a producer does; its partition and offset.
    ///
    /// # Panics
    /// When the command cannot be encoded.
    pub fn send(&self, command: &Command<D::Command>) -> (i32, i64) {
        let key = command.data.routing_key().into_owned();
        self.send_raw(&self.names.commands, Some(Bytes::from(key)), Some(self.encode(command)))
    }

    /// A command's bytes.
    ///
    /// # Panics
    /// When the command cannot be encoded.
    #[must_use]
    pub fn encode(&self, command: &Command<D::Command>) -> Bytes {
        self.codecs.commands.encode(command)
    }

    /// Appends any record, to the partition of its key (0 without one).
    ///
    /// # Panics
    /// When the topic does not exist.
    pub fn send_raw(&self, topic: &str, key: Option<Bytes>, value: Option<Bytes>) -> (i32, i64) {
        let to = key.as_deref().map_or(0, |key| partition::of_key(key, self.partitions));
        self.send_to(topic, to, key, value)
    }

    /// Appends any record to any partition.
    ///
    /// # Panics
    /// When the topic or partition does not exist.
    pub fn send_to(&self, topic: &str, to: i32, key: Option<Bytes>, value: Option<Bytes>) -> (i32, i64) {
        let record = Plain { key, value, timestamp_ms: self.clock.now_micros() / 1_000, headers: Vec::new() };
        (to, self.log.append(&TopicPartition::new(topic, to), record).expect("the topic exists"))
    }

    /// The codecs of the domain's topics.
    #[must_use]
    pub fn codecs(&self) -> &Codecs<D> {
        &self.codecs
    }

    /// The registry that all codecs share.
    #[must_use]
    pub fn registry(&self) -> &Arc<dyn Registry> {
        &self.registry
    }

    /// How many partitions the domain has.
    #[must_use]
    pub fn partition_count(&self) -> i32 {
        self.partitions
    }

    /// The names of the domain's topics.
    #[must_use]
    pub fn names(&self) -> &Topology {
        &self.names
    }

    /// One step of the process `instance` and of its lane number `lane`; whether anything was done.
    pub fn turn(&mut self, instance: usize, lane: usize) -> bool {
        let count = self.processes.len().max(1);
        let mut progress = self.membership(instance % count).progress;
        progress |= self.follow(instance % count).progress;
        progress | self.lane(instance % count, lane).progress
    }

    /// The partitions that the process `instance` works on, in the order of its lanes.
    #[must_use]
    pub fn lanes(&self, instance: usize) -> Vec<i32> {
        self.processes
            .get(instance)
            .map(|process| process.lanes.keys().copied().collect())
            .unwrap_or_default()
    }

    /// The process `instance` follows its group.
    pub fn membership(&mut self, instance: usize) -> Stepped {
        self.clock.pass(STEP_MICROS);
        self.processes.get_mut(instance).map(Process::membership).unwrap_or_default()
    }

    /// The process `instance` follows its lookup tables.
    pub fn follow(&mut self, instance: usize) -> Stepped {
        self.clock.pass(STEP_MICROS);
        self.processes.get_mut(instance).map(Process::follow).unwrap_or_default()
    }

    /// The process `instance` looks of which partitions it should keep copies, and lets one of them follow.
    pub fn stand_by(&mut self, instance: usize, pick: u64) -> Stepped {
        self.clock.pass(STEP_MICROS);
        self.processes.get_mut(instance).map(|process| process.stand_by(pick)).unwrap_or_default()
    }

    /// The partitions of which a copy stands by in the process `instance`.
    #[must_use]
    pub fn copies(&self, instance: usize) -> Vec<i32> {
        self.processes.get(instance).map(Process::copies).unwrap_or_default()
    }

    /// Compacts the topics that are declared as compacted from now on; their tombstones stay for `tombstones`.
    pub fn compact(&mut self, tombstones: Duration) {
        self.log.compact_topic(&self.names.state, tombstones);
        LookupTopics::of::<D>(&self.names).all().for_each(|topic| self.log.compact_topic(topic, tombstones));
    }

    /// The process `instance` deletes the steps that were decided long ago.
    pub fn trim(&mut self, instance: usize) -> Stepped {
        self.clock.pass(STEP_MICROS);
        self.processes.get_mut(instance).map(|process| process.trim()).unwrap_or_default()
    }

    /// One of the lanes of the process `instance` takes a step; the clock of the broker moves on.
    pub fn lane(&mut self, instance: usize, lane: usize) -> Stepped {
        self.clock.pass(STEP_MICROS);
        let Some(process) = self.processes.get_mut(instance) else { return Stepped::default() };
        let stepped = process.lane(lane);
        self.bury(instance);
        stepped
    }

    /// A process that has retired ends once it has nothing left to work on, which may be at once.
    fn bury(&mut self, instance: usize) {
        if self.processes.get(instance).is_some_and(Process::is_over) {
            let gone = self.processes.remove(instance);
            let kind = gone.kind();
            self.left_disks.extend(gone.disk.map(|disk| (kind, disk)));
        }
    }

    /// Steps everything until nothing is left to do.
    ///
    /// # Panics
    /// When something still moves after very many steps: a livelock.
    pub fn settle(&mut self) {
        assert!(self.comes_to_rest(), "the pipeline does not come to rest");
    }

    /// Steps everything until nothing is left to do; whether that ever happens.
    pub fn comes_to_rest(&mut self) -> bool {
        const ROUNDS: usize = 3_000;
        // long enough for the session of a killed process and its open transaction to end
        let quiet_rounds = 2 * SESSION.as_micros() as i64 / QUIET_MICROS + 2;
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let mut progress = false;
            for instance in (0..self.processes.len()).rev() {
                progress |= self.membership(instance).progress;
                progress |= self.follow(instance).progress;
                let lanes = self.processes[instance].lanes.len();
                let before = self.processes.len();
                for lane in 0..lanes {
                    if self.processes.len() < before {
                        break;
                    }
                    progress |= self.lane(instance, lane).progress;
                }
            }
            if progress {
                quiet = 0;
                continue;
            }
            quiet += 1;
            if quiet > quiet_rounds {
                return true;
            }
            self.clock.pass(QUIET_MICROS);
        }
        false
    }

    /// All outcomes, by partition and offset.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.read(&self.names.outcomes, |value| self.codecs.outcomes.decode(value).ok())
    }

    /// All events with their partitions, by partition and offset.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn events(&self) -> Vec<(i32, Event<D::Event>)> {
        let records = self.log.committed_records(&self.names.events);
        let decode = |record: &Record| {
            let value = record.value.as_deref().expect("an event has a value");
            (record.partition, self.codecs.events.decode(value).expect("an event can be read"))
        };
        records.iter().map(decode).collect()
    }

    /// The offset at which the processors' group goes on with the commands of a partition.
    #[must_use]
    pub fn committed_commands(&self, partition: i32) -> Option<i64> {
        self.committed(&TopicPartition::new(Arc::clone(&self.names.commands), partition))
    }

    /// The offset at which the processors' group goes on with one of its inputs.
    ///
    /// # Panics
    /// When no processor runs.
    #[must_use]
    pub fn committed(&self, at: &TopicPartition) -> Option<i64> {
        let is_processor = |process: &&Process<D>| process.kind() == RoleKind::Processor;
        let processor = self.processes.iter().find(is_processor).expect("a processor runs");
        processor.group.committed(std::slice::from_ref(at)).ok()?.get(at).copied()
    }

    fn read<T>(&self, topic: &str, decode: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let records = self.log.committed_records(topic);
        let values = records.iter().map(|record| record.value.as_deref().expect("it has a value"));
        values.map(|value| decode(value).expect("it can be read")).collect()
    }
}
