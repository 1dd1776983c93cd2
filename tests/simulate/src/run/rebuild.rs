//! Rebuilds: what an operator does, one step at a time. Each step follows from what the catalogue and the tables say, as
//! whoever began may have died before any of them, or inside one.

use std::sync::Arc;

use millrace_kernel::{Delete, Value, Write};
use millrace_ports::{Clock, StoreFault, ViewStore};
use millrace_runtime::progress::{PLACES, PROGRESS, read_progress};
use millrace_runtime::versions::catalogue::{self, switch};
use millrace_runtime::versions::{CatalogueFault, Filled, State, Version};
use millrace_testkit::pipeline::{Pipeline, RoleKind};

use super::Running;
use crate::oracle::world::Failure;
use crate::plan::Operate;
use crate::workload::Workload;

/// How many versions of a family there are at most.
const MOST_VERSIONS: usize = 3;
/// How many steps each lane of a rebuild takes while its operator waits.
const STEPS: usize = 4;
/// How often an operator looks until a rebuild is done, when nothing goes wrong any more.
const LOOKS: usize = 40;

/// A view family, by its place, and what its versions are.
struct Family {
    place: usize,
    projection: String,
    views: &'static [&'static str],
    /// All that were recorded, the oldest first.
    all: Vec<Filled>,
    live: Version,
}

impl Family {
    /// Versions that are not dropped.
    fn kept(&self) -> impl DoubleEndedIterator<Item = &Filled> {
        self.all.iter().filter(|it| it.state != State::Dropped)
    }

    /// The version that a rebuild is at, if there is one.
    fn begun(&self) -> Option<Filled> {
        self.kept().rfind(|it| it.version > self.live).cloned()
    }
}

/// What the store says when a catalogue cannot be changed.
type Asked = Result<(), CatalogueFault>;

impl<W: Workload> Running<'_, W> {
    /// What `tables apply` writes of the first version of every family.
    pub(super) fn name_versions(pipeline: &Pipeline<W::Domain>) {
        let now = pipeline.clock.now_micros();
        for (projection, views) in (0..).map_while(|place| pipeline.family(place)) {
            let (version, state) = (Version::FIRST, State::Complete);
            let first = Filled { version, revision: String::new(), state, changed_at: now };
            let mut writes = vec![Write::Put(first.row(&projection))];
            writes.extend(switch(views, version, now));
            pipeline.store.apply(&writes).expect("the tables of versions are there");
        }
    }

    /// An operator does the next thing about a family.
    pub(super) fn operate(&mut self, family: u64, what: Operate, luck: u64) -> Result<(), Failure> {
        let count = (0..).map_while(|place| self.pipeline.family(place)).count();
        let place = (family % count.max(1) as u64) as usize;
        self.pipeline.clock.pass(1_000);
        let asked = match what {
            Operate::Rebuild => self.rebuild(place, luck),
            Operate::Back => self.go_back(place, luck),
            Operate::Drop => self.drop_others(place, luck),
            Operate::Heed => {
                self.heed(place);
                Ok(())
            }
        };
        match asked {
            // who is told so looks again, and goes on
            Ok(()) | Err(CatalogueFault::Store(StoreFault::Unavailable { .. })) => Ok(()),
            Err(fault) => Err(Failure::new("nobody else changes versions", fault.to_string())),
        }
    }

    fn family(&self, place: usize) -> Result<Option<Family>, CatalogueFault> {
        let Some((projection, views)) = self.pipeline.family(place) else { return Ok(None) };
        let store = &*self.pipeline.store;
        let (all, live) = (catalogue::read(store, &projection)?, catalogue::live(store, views)?);
        Ok(Some(Family { place, projection, views, all, live }))
    }

    /// Asks the store for something, with what may go wrong meanwhile; nothing when the operator dies of it.
    fn ask(&self, luck: u64, ask: impl FnOnce(&dyn ViewStore) -> Asked) -> Result<bool, CatalogueFault> {
        self.luck.begin(luck);
        let asked = ask(&*self.store);
        let died = self.luck.end();
        asked.map(|()| !died)
    }

    /// The next step of `millrace rebuild`: a version is recorded, gets its tables, is filled, is complete, answers, and is
    /// handed over to projectors.
    fn rebuild(&mut self, place: usize, luck: u64) -> Asked {
        let Some(family) = self.family(place)? else { return Ok(()) };
        let (now, projection) = (self.pipeline.clock.now_micros(), family.projection.clone());
        let Some(begun) = family.begun() else {
            if !self.hand_over(&family) && family.kept().count() < MOST_VERSIONS {
                let version = family.all.iter().map(|it| it.version).max().unwrap_or(family.live).next();
                let (revision, state) = (String::new(), State::Building);
                let new = Filled { version, revision, state, changed_at: now };
                self.ask(luck, |store| Ok(catalogue::claim(store, &projection, &new).map(drop)?))?;
                self.say(|| format!("version {} of {projection} is begun", version.0));
            }
            return Ok(());
        };
        let (version, kind) = (begun.version, RoleKind::Rebuild(place, begun.version));
        if begun.state == State::Complete {
            self.ask(luck, |store| catalogue::answer(store, family.views, version, now))?;
            self.luck.count(|tally| tally.switches += 1);
            self.say(|| format!("version {} of {projection} answers", version.0));
        } else if self.pipeline.find(kind).is_none() {
            let pipeline = &self.pipeline;
            if self.ask(luck, |_| Ok(pipeline.make_tables(place, version)?))? {
                self.pipeline.start(kind);
                self.say(|| format!("version {} of {projection} is filled", version.0));
            }
        } else if self.is_filled(&projection, version)? {
            let record = |store: &dyn ViewStore| {
                catalogue::record(store, &projection, &begun, State::Complete, now).map(drop)
            };
            self.ask(luck, record)?;
            self.luck.count(|tally| tally.rebuilt += 1);
            self.say(|| format!("version {} of {projection} is complete", version.0));
        } else {
            self.fill(kind, luck);
        }
        Ok(())
    }

    /// Ends the rebuild of a version that answers, once a projector keeps it up to date; whether there is one to end.
    fn hand_over(&mut self, family: &Family) -> bool {
        let Some(at) = self.pipeline.find(RoleKind::Rebuild(family.place, family.live)) else { return false };
        match self.pipeline.find(RoleKind::Projector(family.place, family.live)) {
            Some(_) if self.is_awake(at) => {
                self.say(|| format!("the rebuild of {} ends", family.projection));
                self.pipeline.leave(at);
            }
            Some(_) => {}
            None => self.heed(family.place),
        }
        true
    }

    /// Lets those who fill a version take some steps.
    fn fill(&mut self, kind: RoleKind, luck: u64) {
        let find = |pipeline: &Pipeline<W::Domain>| pipeline.find(kind).unwrap_or_default() as u64;
        self.step(find(&self.pipeline), luck, "group", Pipeline::membership);
        for step in 0..STEPS * self.pipeline.partition_count() as usize {
            let luck = luck.wrapping_mul(2 * step as u64 + 1);
            self.step(find(&self.pipeline), luck, "lane", |pipeline, at| pipeline.lane(at, step));
        }
    }

    /// Whether a version has taken in all that can be seen.
    fn is_filled(&mut self, projection: &str, version: Version) -> Result<bool, CatalogueFault> {
        let progress = read_progress(&*self.pipeline.store, &version.of(projection))?;
        let events = Arc::clone(&self.pipeline.names().events);
        let newest = self.pipeline.log.committed_records(&events);
        let is_there = |partition: i32, offset: i64| {
            progress.iter().any(|it| it.partition == partition && it.events_offset > offset)
        };
        Ok(newest.iter().all(|record| is_there(record.partition, record.offset)))
    }

    /// `rebuild --back`: the version before answers again.
    fn go_back(&mut self, place: usize, luck: u64) -> Asked {
        let Some(family) = self.family(place)? else { return Ok(()) };
        let before = family.kept().rfind(|it| it.state == State::Complete && it.version < family.live);
        let Some(version) = before.map(|it| it.version) else { return Ok(()) };
        let now = self.pipeline.clock.now_micros();
        self.ask(luck, |store| catalogue::answer(store, family.views, version, now))?;
        self.luck.count(|tally| tally.switches += 1);
        self.say(|| format!("version {} of {} answers again", version.0, family.projection));
        Ok(())
    }

    /// `rebuild --drop`, of the oldest version that is not dropped yet: it is recorded, those who fill it end, and its tables
    /// go.
    fn drop_others(&mut self, place: usize, luck: u64) -> Asked {
        let Some(family) = self.family(place)? else { return Ok(()) };
        let now = self.pipeline.clock.now_micros();
        for filled in family.all.iter().filter(|it| it.version != family.live) {
            let (version, projection) = (filled.version, &family.projection);
            if filled.state != State::Dropped {
                let give_up = |store: &dyn ViewStore| {
                    catalogue::give_up(store, projection, family.views, (filled, family.live), now)
                };
                self.ask(luck, give_up)?;
                self.say(|| format!("version {} of {projection} is to be dropped", version.0));
                return Ok(());
            }
            self.heed(place);
            let of_version = [RoleKind::Projector(place, version), RoleKind::Rebuild(place, version)];
            if of_version.iter().any(|kind| self.pipeline.find(*kind).is_some()) {
                return Ok(());
            }
            let tables: Vec<String> = family.views.iter().map(|view| version.table(view)).collect();
            let key = vec![Value::from(version.of(projection).as_str())];
            let forget =
                |table| Write::Delete(Delete { table, key: key.clone(), range: true, timestamp: now });
            self.ask(luck, |store| {
                store.drop_tables(&tables)?;
                Ok(store.apply(&[PROGRESS, PLACES].map(forget))?)
            })?;
            self.luck.count(|tally| tally.dropped += 1);
        }
        Ok(())
    }

    /// Projectors look which versions there are: some end, and some begin.
    fn heed(&mut self, place: usize) {
        // from the end, as those behind one that is gone move up
        for at in self.pipeline.unwanted().into_iter().rev() {
            if self.is_awake(at) {
                self.say(|| format!("the process at {at} is not wanted any more"));
                self.pipeline.leave(at);
            }
        }
        let Ok(Some(family)) = self.family(place) else { return };
        for filled in family.kept().filter(|it| it.state == State::Complete) {
            let kind = RoleKind::Projector(place, filled.version);
            if self.pipeline.find(kind).is_none() {
                self.pipeline.start(kind);
                self.say(|| format!("one more {kind:?} joins"));
            }
        }
    }

    fn is_awake(&self, at: usize) -> bool {
        self.pipeline.process(at).is_some_and(|(number, _)| !self.asleep.contains_key(&number))
    }

    /// Every rebuild that was begun comes to its end, nothing going wrong any more, and what was written in part is written.
    pub(super) fn end_rebuilds(&mut self) -> Result<(), Failure> {
        for place in (0..).take_while(|place| self.pipeline.family(*place).is_some()).collect::<Vec<_>>() {
            self.heed(place);
            for _ in 0..LOOKS {
                let begun = self.family(place).ok().flatten().and_then(|it| it.begun());
                let Some(begun) = begun else { break };
                let is_filled = self.pipeline.find(RoleKind::Rebuild(place, begun.version)).is_some();
                if begun.state == State::Building && is_filled && !self.pipeline.comes_to_rest() {
                    return Err(Failure::new("a rebuild comes to its end", format!("{begun:?}")));
                }
                self.operate(place as u64, Operate::Rebuild, 0)?;
            }
            let Ok(Some(family)) = self.family(place) else { continue };
            if let Some(begun) = family.begun() {
                return Err(Failure::new("a rebuild comes to its end", format!("{begun:?}")));
            }
            self.heed(place);
            self.hand_over(&family);
            if family.all.len() > 1 {
                let now = self.pipeline.clock.now_micros();
                catalogue::answer(&*self.pipeline.store, family.views, family.live, now)
                    .map_err(|why| Failure::new("nobody else changes versions", why.to_string()))?;
            }
        }
        Ok(())
    }

    /// The tables of all versions that are kept, of those of the domain.
    pub(super) fn all_tables(&self) -> Vec<String> {
        let places = (0..).map_while(|place| self.family(place).ok().flatten());
        let later = places.flat_map(|family| {
            let versions: Vec<Version> = family.kept().map(|it| it.version).collect();
            let later = versions.into_iter().filter(|it| *it != Version::FIRST);
            later.flat_map(move |version| family.views.iter().map(move |view| version.table(view)))
        });
        self.tables.keys().cloned().chain(later).collect()
    }
}
