//! The roles a process can play, each blocking its thread until it is asked to stop.

mod policy;
mod projector;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_kernel::{Domain, Published};
use millrace_ports::{Clock, Group, GroupSpec, LocalFault, LocalStores, Log, LogFault};
use millrace_wire::codec::CodecError;
use millrace_wire::{Registry, RegistryFault};
use thiserror::Error;

use crate::advice::{Advise, chain};
use crate::copies::Copies;
use crate::follow::follow;
use crate::health::{Health, LaneState, ROLE_ITSELF};
use crate::local::LocalState;
use crate::metrics::{Watched, watch};
use crate::processor::codecs::Codecs;
use crate::processor::copy::CopyFault;
use crate::processor::lane::{Lane, LaneFault, LanePhase, Shared, Turn};
use crate::processor::looked_up::{LookedUp, LookupTopics};
use crate::processor::lookup::{LookupTables, MOST_AGE};
use crate::processor::trim::keep_trimmed;
use crate::settings::ProcessorSettings;
use crate::standby::{Keeper, Standby};
use crate::supervise::{LaneWork, Moves, Stop, Supervision, Trouble, persist};
use crate::topic_rules::{self, TopicsFault};
use crate::topology::Topology;

pub use self::policy::{policy_role, run_policy};
pub use self::projector::{FamilyRole, Pace};
pub use crate::health::{HealthReport, LaneReport};

/// How long a lane that must go waits for its last commit.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// The outside world of a role.
#[derive(Clone)]
pub struct Ports {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The schema registry.
    pub registry: Arc<dyn Registry>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where the state of partitions is kept on disk, if anywhere.
    pub local: Option<Arc<dyn LocalStores>>,
    /// How long a transaction of the processors may be open, here and in other processes: what is open for longer is
    /// somebody else's, or of one that has died.
    pub transaction_timeout: Duration,
}

/// Why a role cannot run, however long it waits.
#[derive(Debug, Error)]
pub enum RoleError {
    /// A topic is missing.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// Two topics that belong together are not of one size.
    #[error(
        "{topic} has {found} partitions, but {reference} has {expected}: all topics of a domain must have the same number; `millrace topics plan` shows what is declared"
    )]
    Partitions {
        /// The topic that differs.
        topic: String,
        /// How many it has.
        found: i32,
        /// The topic it is compared with.
        reference: String,
        /// How many that has.
        expected: i32,
    },
    /// What decisions look up is not there.
    #[error(
        "{of} is looked up, and its topic {topic} does not exist: the domain {domain} publishes it, and `millrace topics apply {domain}` of a build with that domain makes it",
        domain = of.domain
    )]
    NotPublished {
        /// What.
        of: Published,
        /// Its topic.
        topic: String,
    },
    /// The domain does nothing about the events of that one.
    #[error("{domain} has no policy for {of}")]
    NoSuchPolicy {
        /// The domain.
        domain: &'static str,
        /// The other one.
        of: String,
    },
    /// What a policy reads is not there.
    #[error(
        "{domain} reacts to the events of {of}, and {topic} does not exist: `millrace topics apply {of}` of a build with that domain makes it"
    )]
    NoEvents {
        /// The domain that reacts.
        domain: &'static str,
        /// Whose events it reads.
        of: &'static str,
        /// Their topic.
        topic: String,
    },
    /// A schema is refused or does not parse.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The domain has no such view family.
    #[error("{domain} has no view family {family}; it has {known}")]
    NoSuchFamily {
        /// The domain.
        domain: &'static str,
        /// What was asked for.
        family: String,
        /// What there is.
        known: String,
    },
    /// The tables are missing or differ.
    #[error(transparent)]
    Store(#[from] millrace_ports::StoreFault),
}

fn is_final_log(fault: &LogFault) -> bool {
    matches!(fault, LogFault::NoSuchTopic { .. } | LogFault::Refused { .. })
}

/// Without the right to look, waiting mends nothing, and the domain can do without.
fn is_final_rule(fault: &TopicsFault) -> bool {
    matches!(fault, TopicsFault::Log(fault) if is_final_log(fault))
}

fn is_final_codec(error: &CodecError) -> bool {
    !matches!(error, CodecError::Registry(RegistryFault::Unavailable { .. }))
}

/// Decides a domain's commands until `stop`.
///
/// # Errors
/// [`RoleError`], which no waiting mends. What may pass — a server away — is waited for.
pub fn run_processor<D: Domain>(
    ports: &Ports,
    prefix: &str,
    settings: &ProcessorSettings,
    health: &Health,
    stop: &Stop,
) -> Result<(), RoleError> {
    let names = Topology::of::<D>(prefix);
    let role = format!("{}.processor", D::NAME);
    health.set(&role, ROLE_ITSELF, LaneState::Starting, "looking for its topics");
    let mut topics = names.own();
    let lookups = LookupTopics::of::<D>(&names);
    topics.extend(lookups.own.iter().map(|(_, topic)| topic));
    let Some(partitions) = equal_partitions(&role, &*ports.log, &topics, health, stop)? else {
        return Ok(());
    };
    let Some(looked_up) = looked_up(&role, &*ports.log, &lookups, partitions, health, stop)? else {
        return Ok(());
    };
    let look = || topic_rules::check(&*ports.log, &names, &lookups, settings);
    match persist(&role, health, stop, look, is_final_rule) {
        Ok(Some(deviations)) => {
            deviations.iter().for_each(|it| tracing::warn!(role, "{it}; see `millrace topics plan`"))
        }
        Ok(None) => return Ok(()),
        Err(fault) => tracing::warn!(
            role,
            "the configuration of its topics is not known, and taken for good: {fault}. What you can do: give the \
             processors the right to describe it (DescribeConfigs), see docs/processes.md"
        ),
    }
    if !reserve(ports, &names.state, &role, health, stop) {
        return Ok(());
    }
    let codecs = persist(&role, health, stop, || Codecs::register(&ports.registry, &names), is_final_codec)?;
    let Some(codecs) = codecs else { return Ok(()) };
    let most_age = MOST_AGE.min(Duration::from_secs(settings.state_max_age_seconds));
    let lookups = LookupTables::new(looked_up, Arc::clone(&ports.clock), most_age);
    let lookups = Arc::new(lookups);
    let follower = follow(&role, Arc::clone(&ports.log), Arc::clone(&lookups), health, stop);
    let spec = GroupSpec {
        group_id: names.processor_group(),
        topic: Arc::clone(&names.commands),
        session_timeout: settings.session_timeout(),
    };
    let meter = health.metrics().role(&role);
    let (inputs, ends) = (inputs_of_processor(&names), ports.transaction_timeout);
    watch(health, &role, Arc::clone(&ports.log), inputs, ends, stop.clone());
    let shared = Arc::new(Shared::<D> {
        log: Arc::clone(&ports.log),
        clock: Arc::clone(&ports.clock),
        names,
        partitions,
        codecs: Arc::new(codecs),
        lookups,
        settings: settings.clone(),
        local: ports.local.clone().map(|stores| LocalState::new(stores, settings.state_cache_bytes)),
        copies: Arc::new(Copies::new(settings.standby_copies > 0)),
    });
    let make = |group: Arc<dyn Group>, partition: i32| -> Box<dyn LaneWork> {
        Box::new(Lane::new(Arc::clone(&shared), group, partition).metered(meter.lane(partition)))
    };
    let beside = Beside::default();
    let stand_by = |group: &Arc<dyn Group>| {
        let trimming = keep_trimmed(role.clone(), Arc::clone(&shared), Arc::clone(group), stop.clone());
        beside.put("deleting old steps", trimming);
        let (shared, role, health) = (Arc::clone(&shared), role.clone(), health.clone());
        let keeper = Keeper::new(shared, settings.standby_copies);
        let thread = Standby { keeper, role, health }.start(Arc::clone(group), stop.clone());
        beside.put("keeping standby copies", thread);
    };
    Supervision {
        role: &role,
        log: &*ports.log,
        spec: &spec,
        moves: Moves::ByFence,
        health,
        stop,
        make: &make,
        joined: &stand_by,
    }
    .run();
    beside.join(&role);
    if follower.join().is_err() {
        tracing::error!(role, "following the lookup tables ended by a panic, which is a bug");
    }
    Ok(())
}

/// Threads beside the lanes, which begin when the group is joined and end with the role.
#[derive(Default)]
struct Beside(Mutex<Vec<(&'static str, JoinHandle<()>)>>);

impl Beside {
    fn put(&self, what: &'static str, thread: JoinHandle<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((what, thread));
    }

    fn join(self, role: &str) {
        for (what, thread) in self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if thread.join().is_err() {
                tracing::error!(role, "{what} ended by a panic, which is a bug");
            }
        }
    }
}

/// Waits until no other process works in the folder of local state: a member of the group is dealt partitions, and
/// those that it cannot open would stand still. `false` when asked to stop.
fn reserve(ports: &Ports, topic: &str, role: &str, health: &Health, stop: &Stop) -> bool {
    let Some(local) = &ports.local else { return true };
    // what else is in the way of a disk may concern some partitions only, and they say so
    let is_final = |fault: &LocalFault| !matches!(fault, LocalFault::Held { .. });
    !matches!(persist(role, health, stop, || local.reserve(topic), is_final), Ok(None))
}

/// The number of partitions that all `topics` have; `None` when asked to stop.
fn equal_partitions(
    role: &str,
    log: &dyn Log,
    topics: &[&Arc<str>],
    health: &Health,
    stop: &Stop,
) -> Result<Option<i32>, RoleError> {
    let mut first: Option<(&str, i32)> = None;
    for topic in topics {
        let ask = || log.partitions(topic);
        let Some(found) = persist(role, health, stop, ask, is_final_log)? else { return Ok(None) };
        match first {
            None => first = Some((topic, found)),
            Some((_, expected)) if expected == found => {}
            Some((reference, expected)) => {
                return Err(RoleError::Partitions {
                    topic: topic.to_string(),
                    found,
                    reference: reference.to_owned(),
                    expected,
                });
            }
        }
    }
    Ok(first.map(|(_, partitions)| partitions))
}

/// What decisions look up, with the partitions of each; `None` when asked to stop.
fn looked_up(
    role: &str,
    log: &dyn Log,
    lookups: &LookupTopics,
    partitions: i32,
    health: &Health,
    stop: &Stop,
) -> Result<Option<Vec<LookedUp>>, RoleError> {
    let mut is_stopped = false;
    let tables = lookups.tables(partitions, |of, topic| {
        match persist(role, health, stop, || log.partitions(topic), is_final_log) {
            Err(LogFault::NoSuchTopic { topic }) => Err(RoleError::NotPublished { of, topic }),
            found => {
                let found = found?;
                is_stopped |= found.is_none();
                Ok(found.unwrap_or_default())
            }
        }
    })?;
    Ok((!is_stopped).then_some(tables))
}

/// What a processor reads, and who may keep transactions open there: for commands that is whoever
/// sends them, for steps any processor of the domain.
fn inputs_of_processor(names: &Topology) -> Vec<Watched> {
    let (producers, any) = (names.dead_transactional_ids(), names.transactional_ids());
    let of_commands = format!("a producer of commands, or {producers}");
    let watched = |topic: &Arc<str>| {
        let holder = if *topic == names.commands { of_commands.clone() } else { any.clone() };
        Watched { topic: Arc::clone(topic), holder: Box::new(move |_| holder.clone()) }
    };
    names.inputs().into_iter().map(watched).collect()
}

fn trouble(
    fault: &(impl std::error::Error + Advise),
    position: String,
    kind: &'static str,
    is_fenced: bool,
) -> Trouble {
    Trouble { message: chain(fault), position, next: fault.advice().to_string(), is_fenced, kind }
}

fn kind_of_log(fault: &LogFault) -> &'static str {
    match fault {
        LogFault::Fenced { .. } => "fenced",
        LogFault::Undecodable { .. } => "unreadable",
        _ => "log",
    }
}

fn kind_of_lane(fault: &LaneFault) -> &'static str {
    match fault {
        LaneFault::Log(fault)
        | LaneFault::NotCommitted { fault, .. }
        | LaneFault::Copy(CopyFault::Log(fault)) => kind_of_log(fault),
        LaneFault::Registry(_) | LaneFault::Schema { .. } | LaneFault::Copy(CopyFault::Registry(_)) => {
            "registry"
        }
        LaneFault::Copy(_)
        | LaneFault::OffsetsLost { .. }
        | LaneFault::Gap { .. }
        | LaneFault::InputAnew { .. }
        | LaneFault::Gone { .. } => "state",
        LaneFault::Batch(_) => "bug",
        LaneFault::BatchWithoutEnd { .. } => "unreadable",
        LaneFault::Clock { .. } => "clock",
    }
}

impl<D: Domain> LaneWork for Lane<D> {
    fn turn(&mut self, wait: Duration) -> Result<Turn, Trouble> {
        Lane::turn(self, wait).map_err(|fault| {
            let position = self.position();
            if !fault.keeps_state() {
                self.reset();
            }
            let kind = kind_of_lane(&fault);
            trouble(&fault, position, kind, kind == "fenced")
        })
    }

    fn reset(&mut self) {
        Lane::reset(self);
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        let position = self.position();
        Lane::finish(self, LAST_COMMIT)
            .map_err(|fault| trouble(&fault, position, kind_of_lane(&fault), false))
    }

    fn position(&self) -> String {
        Lane::position(self)
    }

    fn describe(&self) -> (LaneState, String) {
        match self.phase() {
            LanePhase::Fencing => (LaneState::Starting, "fencing off its predecessor".to_owned()),
            LanePhase::Starting => (LaneState::Starting, "opening its state".to_owned()),
            LanePhase::Warming(records) | LanePhase::CatchingUp(records) => {
                (LaneState::Starting, format!("restoring, {records} records read"))
            }
            LanePhase::Running { aggregates, kept, clock_ahead_ms } => {
                let mut text =
                    format!("deciding; {aggregates} aggregates, {} open processes", kept.open_processes);
                if let Some(ahead) = clock_ahead_ms {
                    text.push_str(&format!("; this machine's clock is {} s off the broker's", ahead / 1_000));
                }
                (LaneState::Running, text)
            }
            LanePhase::ClockWrong { ahead_ms } => {
                (LaneState::Faulted, LaneFault::Clock { ahead_ms }.to_string())
            }
        }
    }

    fn done(&self) -> u64 {
        Lane::done(self)
    }

    fn has_caught_up(&self) -> bool {
        Lane::has_caught_up(self)
    }

    fn measure(&self) {
        Lane::measure(self);
    }
}
