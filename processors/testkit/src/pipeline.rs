//! The whole pipeline in memory — processors, lookups, projectors — one small step at a time
//! in one thread, so that a seeded test decides what happens between any two steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::domain::Domain;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Command, Event, Outcome, partition};
use millrace_ports::{Clock, Group, GroupEvent, GroupSpec, Log, Record, TopicPartition, ViewStore};
use millrace_runtime::processor::codecs::Codecs;
use millrace_runtime::processor::lane::{Lane, Shared, Turn};
use millrace_runtime::processor::lookup::{LookupFollower, LookupTables};
use millrace_runtime::progress::system_tables;
use millrace_runtime::projector::{ProjectorLane, ProjectorShared};
use millrace_runtime::supervise::LaneWork;
use millrace_runtime::{ProcessorSettings, ProjectorSettings, Topology};
use millrace_wire::{Codec, MemoryRegistry, Registry};

use crate::log::memory::{MemoryLog, Plain};
use crate::store::memory::MemoryStore;

/// How long a silent member keeps its partitions, by the simulated clock.
const SESSION: Duration = Duration::from_secs(10);
/// By how much the clock moves with every step.
const STEP_MICROS: i64 = 1_000;

/// A clock that only the test moves.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl ManualClock {
    /// Lets `micros` pass.
    pub fn pass(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

/// One process: a member of a group with the lanes it owns.
struct Instance<D: Domain> {
    group: Arc<dyn Group>,
    lanes: BTreeMap<i32, Box<dyn LaneWork>>,
    follower: Option<LookupFollower>,
    role: Role<D>,
}

enum Role<D: Domain> {
    Processor(Arc<Shared<D>>),
    Projector(Arc<ProjectorShared<D>>),
}

/// The pipeline of one domain, with as many processes of each role as asked for.
pub struct Pipeline<D: Domain> {
    /// The log, to look into and to inject faults.
    pub log: MemoryLog,
    /// The tables, likewise.
    pub store: Arc<MemoryStore>,
    /// The clock, to let time pass.
    pub clock: Arc<ManualClock>,
    names: Topology,
    partitions: i32,
    registry: Arc<dyn Registry>,
    codecs: Codecs<D>,
    domain_settings: D::Settings,
    settings: ProcessorSettings,
    instances: Vec<Instance<D>>,
}

impl<D: Domain> Pipeline<D> {
    /// Topics of so many `partitions`, empty tables, and no process yet.
    ///
    /// # Panics
    /// When the domain's schemas or tables do not parse.
    #[must_use]
    pub fn new(partitions: i32, domain_settings: D::Settings, settings: ProcessorSettings) -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(1_700_000_000_000_000)));
        let log = MemoryLog::stepwise(Arc::clone(&clock) as Arc<dyn Clock>);
        let names = Topology::new("", D::NAME);
        for topic in
            [&names.commands, &names.steps, &names.events, &names.state, &names.outcomes, &names.dead]
        {
            log.create_topic(topic, partitions);
        }
        for kind in D::LOOKUPS {
            log.create_topic(&names.lookup(kind), partitions);
        }
        let store = Arc::new(MemoryStore::new());
        let mut tables = parse_tables(D::SCHEMAS.views).expect("views.cql parses");
        tables.extend(system_tables());
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).expect("tables can be made");
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let codecs = Codecs::register(&registry, &names).expect("the schemas parse");
        Self {
            log,
            store,
            clock,
            names,
            partitions,
            registry,
            codecs,
            domain_settings,
            settings,
            instances: Vec::new(),
        }
    }

    /// Starts a processor.
    ///
    /// # Panics
    /// When an injected fault is in the way: start processes before injecting.
    pub fn start_processor(&mut self) {
        let lookup_topics = D::LOOKUPS.iter().map(|kind| (*kind, self.names.lookup(kind))).collect();
        let lookups = Arc::new(LookupTables::new(lookup_topics, self.partitions));
        let log: Arc<dyn Log> = Arc::new(self.log.clone());
        let follower = LookupFollower::start(&*log, Arc::clone(&lookups)).expect("the log answers");
        let group = self.join(&self.names.processor_group(), &self.names.commands);
        let shared = Shared {
            log,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            names: self.names.clone(),
            partitions: self.partitions,
            codecs: Codecs::register(&self.registry, &self.names).expect("the schemas parse"),
            lookups,
            settings: self.settings.clone(),
        };
        self.instances.push(Instance {
            group,
            lanes: BTreeMap::new(),
            follower: Some(follower),
            role: Role::Processor(Arc::new(shared)),
        });
    }

    /// Starts a projector of every view family.
    ///
    /// # Panics
    /// As [`Pipeline::start_processor`].
    pub fn start_projectors(&mut self) {
        for family in D::projections(&self.domain_settings) {
            let group = self.join(&self.names.projector_group(family.name), &self.names.events);
            let subject = Topology::subject(&self.names.events);
            let codec = Codec::register(Arc::clone(&self.registry), &subject, D::SCHEMAS.events);
            let shared = ProjectorShared {
                log: Arc::new(self.log.clone()),
                clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
                store: Arc::clone(&self.store) as Arc<dyn ViewStore>,
                names: self.names.clone(),
                projection: format!("{}.{}", D::NAME, family.name),
                codec: codec.expect("the schema parses"),
                make: family.projector,
                settings: ProjectorSettings { batch_max_events: 7, ..ProjectorSettings::default() },
            };
            self.instances.push(Instance {
                group,
                lanes: BTreeMap::new(),
                follower: None,
                role: Role::Projector(Arc::new(shared)),
            });
        }
    }

    fn join(&self, group_id: &str, topic: &Arc<str>) -> Arc<dyn Group> {
        let spec =
            GroupSpec { group_id: group_id.to_owned(), topic: Arc::clone(topic), session_timeout: SESSION };
        Arc::from(self.log.join(&spec).expect("the log answers"))
    }

    /// How many processes run.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.instances.len()
    }

    /// Kills a process: nothing it holds is finished, nobody is told.
    pub fn kill(&mut self, instance: usize) {
        let killed = self.instances.remove(instance);
        let is_processor = matches!(killed.role, Role::Processor(_));
        // a dead process neither polls nor leaves; its session runs out by the clock
        std::mem::forget(killed.group);
        drop(killed.lanes);
        if is_processor {
            self.start_processor();
        } else if let Role::Projector(shared) = killed.role {
            let group =
                self.join(&self.names.projector_group(family_of(&shared.projection)), &self.names.events);
            self.instances.push(Instance {
                group,
                lanes: BTreeMap::new(),
                follower: None,
                role: Role::Projector(shared),
            });
        }
    }

    /// Sends a command as a producer does; its partition and offset.
    ///
    /// # Panics
    /// When the command cannot be encoded.
    pub fn send(&self, command: &Command<D::Command>) -> (i32, i64) {
        let key = D::routing_key(&command.data);
        self.send_raw(&self.names.commands, Some(Bytes::from(key)), Some(self.encode(command)))
    }

    /// A command's bytes.
    ///
    /// # Panics
    /// When the command cannot be encoded.
    #[must_use]
    pub fn encode(&self, command: &Command<D::Command>) -> Bytes {
        self.codecs.commands.encode(command).expect("a command fits its schema")
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

    /// The names of the domain's topics.
    #[must_use]
    pub fn names(&self) -> &Topology {
        &self.names
    }

    /// One step of the process `instance`, of its lane number `lane`; whether anything was done.
    /// A lane in trouble begins again with its next step, as under supervision.
    pub fn turn(&mut self, instance: usize, lane: usize) -> bool {
        self.clock.pass(STEP_MICROS);
        let count = self.instances.len();
        let Some(instance) = self.instances.get_mut(instance % count.max(1)) else { return false };
        let mut progress = instance.membership();
        if let Some(follower) = &mut instance.follower {
            progress |= follower.turn(Duration::ZERO).unwrap_or(false);
        }
        let lanes = instance.lanes.len();
        if let Some(lane) = instance.lanes.values_mut().nth(lane % lanes.max(1)) {
            // the log never waits here, but what a lane does when it may wait is to be seen
            progress |= match lane.turn(Duration::from_millis(1)) {
                Ok(turn) => turn == Turn::Progress,
                Err(_) => true,
            };
        }
        progress
    }

    /// Steps everything until nothing is left to do. Panics when that takes too long.
    ///
    /// # Panics
    /// When something still moves after very many steps: a livelock.
    pub fn settle(&mut self) {
        const ROUNDS: usize = 20_000;
        // long enough for the session of a killed process and its open transaction to end
        let quiet_for = 2 * SESSION.as_micros() as i64 / STEP_MICROS;
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let mut progress = false;
            for instance in 0..self.instances.len() {
                for lane in 0..self.partitions as usize {
                    progress |= self.turn(instance, lane);
                    quiet += 1;
                }
            }
            if progress {
                quiet = 0;
            } else if quiet > quiet_for {
                return;
            }
        }
        panic!("the pipeline does not come to rest");
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
    ///
    /// # Panics
    /// When no processor runs.
    #[must_use]
    pub fn committed_commands(&self, partition: i32) -> Option<i64> {
        let at = TopicPartition::new(Arc::clone(&self.names.commands), partition);
        let is_processor = |instance: &&Instance<D>| matches!(instance.role, Role::Processor(_));
        let processor = self.instances.iter().find(is_processor).expect("a processor runs");
        processor.group.committed(std::slice::from_ref(&at)).ok()?.get(&at).copied()
    }

    fn read<T>(&self, topic: &str, decode: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let records = self.log.committed_records(topic);
        let values = records.iter().map(|record| record.value.as_deref().expect("it has a value"));
        values.map(|value| decode(value).expect("it can be read")).collect()
    }
}

fn family_of(projection: &str) -> &str {
    projection.split_once('.').map_or(projection, |(_, family)| family)
}

impl<D: Domain> Instance<D> {
    /// Follows the group; whether anything changed.
    fn membership(&mut self) -> bool {
        let Ok(Some(event)) = self.group.poll(Duration::ZERO) else { return false };
        match event {
            GroupEvent::Assigned(partitions) => {
                for partition in partitions {
                    let group = Arc::clone(&self.group);
                    let lane: Box<dyn LaneWork> = match &self.role {
                        Role::Processor(shared) => Box::new(Lane::new(Arc::clone(shared), group, partition)),
                        Role::Projector(shared) => {
                            Box::new(ProjectorLane::new(Arc::clone(shared), group, partition))
                        }
                    };
                    self.lanes.insert(partition, lane);
                }
            }
            GroupEvent::Revoked(partitions) => {
                for partition in &partitions {
                    if let Some(mut lane) = self.lanes.remove(partition) {
                        // what cannot be finished is repeated by the next owner
                        drop(lane.finish());
                    }
                }
                drop(self.group.release(&partitions));
            }
            GroupEvent::Lost(partitions) => {
                for partition in &partitions {
                    self.lanes.remove(partition);
                }
                drop(self.group.release(&partitions));
            }
        }
        true
    }
}
