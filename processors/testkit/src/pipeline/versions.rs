//! Projectors of every version of a family's tables, and which of them are to run.

use std::sync::Arc;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Projection};
use millrace_ports::{Clock, Log as _, StoreFault};
use millrace_runtime::changes::{ChangeLog, told_since};
use millrace_runtime::copies::Copies;
use millrace_runtime::projector::ProjectorShared;
use millrace_runtime::standby::Keeper;
use millrace_runtime::versions::{Destination, Filled, State, Version, catalogue};
use millrace_runtime::{LocalState, Topology};
use millrace_wire::Codec;

use super::clock::SkewedClock;
use super::process::{Role, RoleKind};
use super::{Pipeline, Process};

impl<D: Domain> Pipeline<D> {
    /// Starts a projector of every view family, for its first version.
    ///
    /// # Panics
    /// As [`Pipeline::start`].
    pub fn start_projectors(&mut self) {
        for family in 0..D::projections(&self.domain_settings).len() {
            self.start_projector(family);
        }
    }

    /// Starts a projector of the first version of the view family at this place; nothing when there is none.
    ///
    /// # Panics
    /// As [`Pipeline::start`].
    pub fn start_projector(&mut self, family: usize) {
        self.start_filler(family, Version::FIRST, false);
    }

    /// Starts a projector of a version, if it is one that such a projector fills.
    pub(super) fn start_filler(&mut self, family: usize, version: Version, is_building: bool) {
        let Some(found) = D::projections(&self.domain_settings).into_iter().nth(family) else { return };
        let kind = match is_building {
            true => RoleKind::Rebuild(family, version),
            false => RoleKind::Projector(family, version),
        };
        if !self.is_wanted(kind) {
            return;
        }
        // as `rebuild`: one that goes on with what is complete tells all, as somebody may read that from now on
        let is_building = is_building && self.state(family, version) == Some(State::Building);
        let group = self.join(&self.names.projector_group(&version.of(found.name)), &self.names.events);
        let subject = Topology::subject(&self.names.events);
        let codec = Codec::register(Arc::clone(&self.registry), &subject, D::SCHEMAS.events);
        let clock = Arc::new(SkewedClock::new(Arc::clone(&self.clock)));
        let disk = self.take_disk(kind);
        let cache_bytes = self.projector_settings.state_cache_bytes;
        let local = disk.clone().map(|disk| LocalState::stepwise(Arc::new(disk), cache_bytes));
        let changes = self.changes(&found, version, is_building);
        let shared = ProjectorShared {
            log: Arc::new(self.log.clone()),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            store: Arc::clone(&self.written_through),
            names: self.names.clone(),
            projection: version.of(&format!("{}.{}", D::NAME, found.name)),
            destination: Destination::new(version, found.views),
            views: found.views,
            is_building,
            pace: Default::default(),
            codec: codec.expect("the schema parses"),
            changes,
            make: found.projector,
            revision: found.revision,
            partitions: self.partitions,
            local,
            copies: Copies::new(false),
            settings: self.projector_settings.clone(),
        };
        let copies = if self.keeps_copies { shared.copies_kept() } else { 0 };
        let shared = Arc::new(shared);
        let keeper = Keeper::new(Arc::clone(&shared), copies);
        self.add(group, None, Role::Projector(kind, shared, keeper), clock, disk);
    }

    /// Where projectors of a family tell what changes in its live views, if it has some.
    fn changes(&self, of: &Projection<D::Event>, version: Version, is_building: bool) -> Option<ChangeLog> {
        let declared = parse_tables(D::SCHEMAS.views).expect("views.cql parses");
        let own: Vec<_> = declared.into_iter().filter(|it| of.views.contains(&it.name.as_str())).collect();
        let schema = D::SCHEMAS.changes.filter(|_| own.iter().any(|table| table.live.is_some()))?;
        let topic = self.names.changes(of.name);
        let codec = Codec::register(Arc::clone(&self.registry), &Topology::subject(&topic), schema);
        let codec = codec.expect("the schema parses");
        let appender = self.log.appender().expect("a log in memory");
        let since = told_since(&self.log, &self.names.events, self.partitions, is_building);
        Some(ChangeLog::new(&own, version, topic, codec, appender, since.expect("the log answers")))
    }

    /// `<domain>.<family>` and the views of the family at this place, if there is one.
    #[must_use]
    pub fn family(&self, family: usize) -> Option<(String, &'static [&'static str])> {
        let found = D::projections(&self.domain_settings).into_iter().nth(family)?;
        Some((format!("{}.{}", D::NAME, found.name), found.views))
    }

    /// Makes the tables of a version, through the store that projectors write to.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub fn make_tables(&self, family: usize, version: Version) -> Result<(), StoreFault> {
        let Some((_, views)) = self.family(family) else { return Ok(()) };
        let declared = parse_tables(D::SCHEMAS.views).expect("views.cql parses");
        let tables = version.tables(&declared, views);
        self.written_through.create_tables(&tables)?;
        self.written_through.open_tables(&tables)
    }

    /// Whether a process that does this has something to do: of projectors, whether there is such a version, and it is
    /// theirs to fill.
    ///
    /// # Panics
    /// When the catalogue of versions cannot be read.
    #[must_use]
    pub fn is_wanted(&self, kind: RoleKind) -> bool {
        let (family, version, is_building) = match kind {
            RoleKind::Processor | RoleKind::Policy(_) => return true,
            RoleKind::Projector(family, version) => (family, version, false),
            RoleKind::Rebuild(family, version) => (family, version, true),
        };
        match self.state(family, version) {
            None => version == Version::FIRST && self.is_unnamed(family),
            Some(State::Dropped) => false,
            Some(State::Building) => is_building,
            Some(State::Complete) => true,
        }
    }

    fn state(&self, family: usize, version: Version) -> Option<State> {
        self.catalogue(family).iter().find(|it| it.version == version).map(|it| it.state)
    }

    /// Whether no version was ever recorded.
    fn is_unnamed(&self, family: usize) -> bool {
        self.family(family).is_some() && self.catalogue(family).is_empty()
    }

    fn catalogue(&self, family: usize) -> Vec<Filled> {
        let projection = self.family(family).map(|(projection, _)| projection).unwrap_or_default();
        catalogue::read(&*self.store, &projection).expect("the catalogue can be read")
    }

    /// The processes, by their places, that find when they look that they are not wanted any more.
    #[must_use]
    pub fn unwanted(&self) -> Vec<usize> {
        let kinds = self.processes.iter().map(Process::kind).enumerate();
        kinds.filter(|(_, kind)| !self.is_wanted(*kind)).map(|(at, _)| at).collect()
    }

    /// The first process that does this and has not retired.
    #[must_use]
    pub fn find(&self, kind: RoleKind) -> Option<usize> {
        self.processes.iter().position(|process| process.kind() == kind && !process.has_retired)
    }
}
