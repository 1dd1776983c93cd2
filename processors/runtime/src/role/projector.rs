//! The projectors of a view family: one for each version of its tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Projection, Table};
use millrace_ports::{Group, GroupSpec, LogFault, StoreFault, ViewStore};
use millrace_wire::Codec;

use super::{
    Beside, Ports, RoleError, equal_partitions, is_final_codec, is_final_log, kind_of_log, reserve, trouble,
};
use crate::changes::{ChangeLog, told_since};
use crate::copies::Copies;
use crate::health::{Health, LaneState, ROLE_ITSELF};
use crate::local::LocalState;
use crate::metrics::{Watched, watch};
use crate::processor::lane::Turn;
use crate::projector::begin::place;
use crate::projector::{ProjectorFault, ProjectorLane, ProjectorPhase, ProjectorShared};
use crate::settings::ProjectorSettings;
use crate::standby::{Keeper, Standby};
use crate::supervise::{LaneWork, Moves, Stop, Supervision, Trouble, persist};
use crate::topology::Topology;
use crate::versions::{self, Destination, Filled, State, Version, catalogue};

pub use crate::projector::Pace;

/// How often the catalogue of versions is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long deletes are remembered, in microseconds: as long as servers of CQL do (`gc_grace_seconds`). No write is later.
const DELETES_REMEMBERED_MICROS: i64 = 10 * 24 * 3_600 * 1_000_000;
/// How often older ones are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// What the projectors of a view family need.
pub struct FamilyRole<'a, D: Domain> {
    /// The outside world.
    pub ports: &'a Ports,
    /// What the names of topics and groups begin with.
    pub prefix: &'a str,
    /// The domain's settings.
    pub domain_settings: &'a D::Settings,
    /// The view family.
    pub family: &'a str,
    /// The tables; those of the engine are opened.
    pub store: Arc<dyn ViewStore>,
    /// What an operator has set.
    pub settings: &'a ProjectorSettings,
    /// Where it says how it is.
    pub health: &'a Health,
    /// When to end.
    pub stop: &'a Stop,
}

/// A version that is being filled.
struct Filling<'scope> {
    stop: Stop,
    thread: ScopedJoinHandle<'scope, Result<(), RoleError>>,
}

impl<D: Domain> FamilyRole<'_, D> {
    /// Fills, until it is asked to stop, every complete version whose rows this build makes in the
    /// same way. Versions come and go meanwhile.
    ///
    /// # Errors
    /// [`RoleError`], which no waiting mends. What may pass — a server away — is waited for.
    pub fn run(&self) -> Result<(), RoleError> {
        let of_family = self.of_family()?;
        let revision = versions::revision(&of_family.revision, of_family.views, &declared::<D>());
        let projection = format!("{}.{}", D::NAME, self.family);
        std::thread::scope(|scope| {
            let mut filling: BTreeMap<Version, Filling<'_>> = BTreeMap::new();
            let mut is_idle = false;
            let mut forgot_at: Option<Instant> = None;
            let mut forgotten: BTreeSet<Version> = BTreeSet::new();
            let ended = loop {
                match catalogue::read(&*self.store, &projection) {
                    Ok(all) => {
                        let wanted = fitting(&all, &revision);
                        if let Err(error) = self.stop_all_but(&wanted, &mut filling) {
                            break Err(error);
                        }
                        for version in wanted {
                            is_idle = false;
                            filling.entry(version).or_insert_with(|| self.start(scope, version));
                        }
                        self.forget_dropped(&all, &mut forgotten);
                        if filling.is_empty() {
                            self.report_idle(&all, &revision, !std::mem::replace(&mut is_idle, true));
                        } else if !filling.contains_key(&Version::FIRST) {
                            self.health.remove(&self.role(Version::FIRST), ROLE_ITSELF);
                        }
                    }
                    // those that are filled say themselves that the store is away
                    Err(fault) if filling.is_empty() => {
                        let role = self.role(Version::FIRST);
                        let next = "it tries again by itself, every second";
                        self.health.fault(&role, ROLE_ITSELF, fault.to_string(), next);
                    }
                    Err(fault) => tracing::debug!(projection, %fault, "versions cannot be looked up"),
                }
                if forgot_at.is_none_or(|at| at.elapsed() >= FORGET_EVERY) && !filling.is_empty() {
                    forgot_at = Some(Instant::now());
                    self.forget_deletes(filling.keys(), of_family.views);
                }
                let has_ended = filling.values().any(|it| it.thread.is_finished());
                if self.stop.wait(LOOK) || has_ended {
                    break self.stop_all_but(&[], &mut filling);
                }
            };
            filling.values().for_each(|it| it.stop.request());
            ended
        })
    }

    /// Fills one version until it is asked to stop, at the given pace; from the first event where it `is_building` and
    /// holds nothing yet, whatever a group of that name has applied to tables before these.
    ///
    /// # Errors
    /// As [`FamilyRole::run`].
    pub fn fill(&self, version: Version, is_building: bool, pace: Pace) -> Result<(), RoleError> {
        self.fill_until(version, is_building, pace, self.stop)
    }

    fn of_family(&self) -> Result<Projection<D::Event>, RoleError> {
        let families = D::projections(self.domain_settings);
        let known = families.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        let found = families.into_iter().find(|f| f.name == self.family);
        found.ok_or_else(|| RoleError::NoSuchFamily {
            domain: D::NAME,
            family: self.family.to_owned(),
            known,
        })
    }

    /// Lets the store forget what was deleted so long ago that no earlier write comes any more. Versions that are being built
    /// are not among them: their writes are as old as the events.
    fn forget_deletes<'v>(&self, versions: impl Iterator<Item = &'v Version>, views: &[&'static str]) {
        let before = self.ports.clock.now_micros().saturating_sub(DELETES_REMEMBERED_MICROS);
        for version in versions {
            let tables: Vec<String> =
                version.tables(&declared::<D>(), views).into_iter().map(|table| table.name).collect();
            if let Err(fault) = self.store.forget_deletes(&tables, before) {
                tracing::debug!(role = self.role(*version), %fault, "old deletes are forgotten later");
            }
        }
    }

    /// Removes what projectors of dropped versions have kept here: it is of no use to anybody, and may be large.
    fn forget_dropped(&self, all: &[Filled], forgotten: &mut BTreeSet<Version>) {
        let Some(stores) = &self.ports.local else { return };
        let events = Topology::of::<D>(self.prefix).events;
        for version in all.iter().filter(|it| it.state == State::Dropped).map(|it| it.version) {
            if forgotten.contains(&version) {
                continue;
            }
            let projection = version.of(&format!("{}.{}", D::NAME, self.family));
            match stores.remove(&place::<D>(&events, &projection)) {
                Ok(()) => {
                    forgotten.insert(version);
                }
                Err(fault) => {
                    tracing::debug!(role = self.role(version), %fault, "what it kept is removed later")
                }
            }
        }
    }

    fn role(&self, version: Version) -> String {
        version.of(&format!("{}.projector.{}", D::NAME, self.family))
    }

    fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, version: Version) -> Filling<'scope> {
        tracing::info!(role = self.role(version), "starting");
        let stop = Stop::new();
        let of_thread = stop.clone();
        let thread = scope.spawn(move || self.fill_until(version, false, Pace::default(), &of_thread));
        Filling { stop, thread }
    }

    /// Ends those that are not `wanted`; what the first one that could not go on says.
    fn stop_all_but(
        &self,
        wanted: &[Version],
        filling: &mut BTreeMap<Version, Filling<'_>>,
    ) -> Result<(), RoleError> {
        let gone: Vec<Version> = filling.keys().filter(|it| !wanted.contains(it)).copied().collect();
        gone.iter().filter_map(|version| filling.get(version)).for_each(|it| it.stop.request());
        let mut ended = Ok(());
        for version in gone {
            let Some(it) = filling.remove(&version) else { continue };
            match it.thread.join() {
                Ok(done) => ended = ended.and(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
            self.health.remove(&self.role(version), ROLE_ITSELF);
        }
        ended
    }

    fn report_idle(&self, all: &[Filled], revision: &str, is_news: bool) {
        let others: Vec<String> = all
            .iter()
            .filter(|it| it.state != State::Dropped)
            .map(|it| {
                format!("version {} ({}) is filled as {:?}", it.version.0, it.state.name(), it.revision)
            })
            .collect();
        let detail = format!(
            "there are no tables that this process may fill: {}, but it would fill them as {revision:?}",
            others.join(", ")
        );
        let next = format!(
            "it waits for such tables. What you can do: fill the next version beside those that are there with \
             `millrace rebuild {}.{}`, or run the build and the settings that they were filled with",
            D::NAME,
            self.family
        );
        let role = self.role(Version::FIRST);
        if is_news {
            tracing::warn!(role, "{detail}; {next}");
        }
        self.health.fault(&role, ROLE_ITSELF, detail, next);
    }

    fn fill_until(
        &self,
        version: Version,
        is_building: bool,
        pace: Pace,
        stop: &Stop,
    ) -> Result<(), RoleError> {
        let (ports, health, settings) = (self.ports, self.health, self.settings);
        let names = Topology::of::<D>(self.prefix);
        let of_family = self.of_family()?;
        let role = self.role(version);
        health.set(&role, ROLE_ITSELF, LaneState::Starting, "looking for its tables");
        let tables = version.tables(&declared::<D>(), of_family.views);
        let is_final = |fault: &StoreFault| !matches!(fault, StoreFault::Unavailable { .. });
        let opened = persist(&role, health, stop, || self.store.open_tables(&tables), is_final)?;
        if opened.is_none() {
            return Ok(());
        }
        health.set(&role, ROLE_ITSELF, LaneState::Starting, "looking for its topic");
        let own: Vec<Table> = (declared::<D>().into_iter())
            .filter(|table| of_family.views.contains(&table.name.as_str()))
            .collect();
        let is_live = own.iter().any(|table| table.live.is_some());
        let changes = is_live.then(|| names.changes(self.family));
        let topics: Vec<&Arc<str>> = [&names.events, &names.commands].into_iter().chain(&changes).collect();
        let Some(partitions) = equal_partitions(&role, &*ports.log, &topics, health, stop)? else {
            return Ok(());
        };
        let projection = version.of(&format!("{}.{}", D::NAME, self.family));
        if !reserve(ports, &place::<D>(&names.events, &projection), &role, health, stop) {
            return Ok(());
        }
        let subject = Topology::subject(&names.events);
        let codec = || Codec::register(Arc::clone(&ports.registry), &subject, D::SCHEMAS.events);
        let Some(codec) = persist(&role, health, stop, codec, is_final_codec)? else { return Ok(()) };
        let changes = match changes.and_then(|topic| Some((topic, D::SCHEMAS.changes?))) {
            None => None,
            Some((topic, schema)) => {
                let subject = Topology::subject(&topic);
                let codec = || Codec::register(Arc::clone(&ports.registry), &subject, schema);
                let Some(codec) = persist(&role, health, stop, codec, is_final_codec)? else { return Ok(()) };
                let since = || told_since(&*ports.log, &names.events, partitions, is_building);
                let Some(since) = persist(&role, health, stop, since, is_final_log)? else { return Ok(()) };
                let appender = persist(&role, health, stop, || ports.log.appender(), is_final_log)?;
                let Some(appender) = appender else { return Ok(()) };
                Some(ChangeLog::new(&own, version, topic, codec, appender, since))
            }
        };
        let spec = GroupSpec {
            group_id: names.projector_group(&version.of(self.family)),
            topic: Arc::clone(&names.events),
            session_timeout: settings.session_timeout(),
        };
        let meter = health.metrics().role(&role);
        let ends = ports.transaction_timeout;
        watch(health, &role, Arc::clone(&ports.log), inputs(&names), ends, stop.clone());
        let shared = Arc::new(ProjectorShared::<D> {
            log: Arc::clone(&ports.log),
            clock: Arc::clone(&ports.clock),
            store: Arc::clone(&self.store),
            names,
            projection,
            destination: Destination::new(version, of_family.views),
            views: of_family.views,
            is_building,
            pace,
            codec,
            changes,
            make: of_family.projector,
            revision: of_family.revision,
            partitions,
            local: ports.local.clone().map(|stores| LocalState::new(stores, settings.state_cache_bytes)),
            copies: Copies::new(false),
            settings: settings.clone(),
        });
        let beside = Beside::default();
        let stand_by = |group: &Arc<dyn Group>| {
            let copies = shared.copies_kept();
            if copies > 0 {
                let keeper = Keeper::new(Arc::clone(&shared), copies);
                let standby = Standby { keeper, role: role.clone(), health: health.clone() };
                beside.put("keeping standby copies", standby.start(Arc::clone(group), stop.clone()));
            }
        };
        let make = |group: Arc<dyn Group>, partition: i32| -> Box<dyn LaneWork> {
            Box::new(ProjectorLane::new(Arc::clone(&shared), group, partition).metered(meter.lane(partition)))
        };
        Supervision {
            role: &role,
            log: &*ports.log,
            spec: &spec,
            moves: Moves::ByRelease,
            health,
            stop,
            make: &make,
            joined: &stand_by,
        }
        .run();
        beside.join(&role);
        Ok(())
    }
}

/// The versions that a projector of `revision` keeps up to date. Where nobody has made an entry,
/// there is a first version, made by whoever is asked.
fn fitting(all: &[Filled], revision: &str) -> Vec<Version> {
    if all.is_empty() {
        return vec![Version::FIRST];
    }
    all.iter().filter(|it| it.is_kept_by(revision)).map(|it| it.version).collect()
}

fn declared<D: Domain>() -> Vec<Table> {
    parse_tables(D::SCHEMAS.views).expect("the build that made the rows' types from it has read it")
}

/// What a projector reads: only the partition's processor writes there.
fn inputs(names: &Topology) -> Vec<Watched> {
    let (topic, names) = (Arc::clone(&names.events), names.clone());
    vec![Watched { topic, holder: Box::new(move |partition| names.transactional_id(partition)) }]
}

fn kind_of_projector(fault: &ProjectorFault) -> &'static str {
    match fault {
        ProjectorFault::Log(fault) => kind_of_log(fault),
        ProjectorFault::Store(_) => "store",
        ProjectorFault::Schema { .. } => "registry",
        ProjectorFault::Unreadable { .. } => "unreadable",
        ProjectorFault::Local(_)
        | ProjectorFault::TablesBehind { .. }
        | ProjectorFault::EventsGone { .. } => "state",
    }
}

impl<D: Domain> LaneWork for ProjectorLane<D> {
    fn turn(&mut self, wait: Duration) -> Result<Turn, Trouble> {
        ProjectorLane::turn(self, wait).map_err(|fault| {
            let position = self.position();
            // only what takes the position away takes the fold with it
            if matches!(&fault, ProjectorFault::Log(log) if !matches!(log, LogFault::Unavailable { .. })) {
                self.reset();
            }
            let kind = kind_of_projector(&fault);
            trouble(&fault, position, kind, kind == "fenced")
        })
    }

    fn reset(&mut self) {
        ProjectorLane::reset(self);
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        let position = self.position();
        ProjectorLane::finish(self)
            .map_err(|fault| trouble(&fault, position, kind_of_projector(&fault), false))
    }

    fn position(&self) -> String {
        ProjectorLane::position(self)
    }

    fn describe(&self) -> (LaneState, String) {
        match self.phase() {
            ProjectorPhase::Starting => (LaneState::Starting, "starting".to_owned()),
            ProjectorPhase::Folding(at, upto) => {
                (LaneState::Starting, format!("folding events, {at} of {upto}"))
            }
            ProjectorPhase::Applying(offset) => {
                (LaneState::Running, format!("applied up to offset {offset}"))
            }
        }
    }

    fn done(&self) -> u64 {
        ProjectorLane::done(self)
    }

    fn has_caught_up(&self) -> bool {
        ProjectorLane::has_caught_up(self)
    }

    fn measure(&self) {
        ProjectorLane::measure(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projector_fills_complete_versions_of_its_own_revision() {
        let filled = |version, revision: &str, state| Filled {
            version: Version(version),
            revision: revision.to_owned(),
            state,
            changed_at: 0,
        };
        let all = [
            filled(1, "old", State::Complete),
            filled(2, "new", State::Dropped),
            filled(3, "new", State::Complete),
            filled(4, "new", State::Building),
        ];
        assert_eq!(fitting(&all, "new"), [Version(3)]);
        assert_eq!(fitting(&all, "old"), [Version(1)]);
        assert_eq!(fitting(&all, "other"), []);
        assert_eq!(fitting(&[], "any"), [Version::FIRST], "tables that nobody has an entry of");
    }
}
