//! Carries a history out, one step at a time, and lets the oracles judge it.

mod processes;
mod rebuild;
mod records;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Command, Domain, Outcome, Table, codes};
use millrace_ports::{TopicPartition, ViewStore};
use millrace_runtime::versions::Live;
use millrace_runtime::{ProcessorSettings, ProjectorSettings};
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::pipeline::{Pipeline, RoleKind, SESSION};

use crate::dice::{Dice, Digest};
use crate::luck::Luck;
use crate::neighbours::Neighbours;
use crate::oracle::versions::Versions;
use crate::oracle::world::{At, Diary, Ends, Failure, Partition, Seen, World};
use crate::oracle::{judge, look};
use crate::plan::{Act, Plan, TOMBSTONE_MARGIN_SECONDS};
use crate::store::UnreliableStore;
use crate::strays::{Stray, Strays};
use crate::tally::Tally;
use crate::watch::{Watched, Watchers};
use crate::workload::Workload;

/// What came of a history.
#[derive(Clone, Debug)]
pub struct Ran {
    /// A name for all that was written: the same whenever the history is.
    pub digest: Digest,
    /// What has happened.
    pub tally: Tally,
    /// What did not hold.
    pub failure: Option<Failure>,
    /// What was done, one line each, if it was asked for.
    pub trace: Vec<String>,
}

/// Carries `plan` out. With `traced`, what happens is written down as well.
#[must_use]
pub fn run<W: Workload>(plan: &Plan<W>, traced: bool) -> Ran {
    let luck = Luck::new(plan.setup.rates.clone());
    let mut trace = Vec::new();
    let mut digest = Digest::default();
    // a panic is a failure like any other: the seed must not get lost over it
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut running = Running::new(plan, luck.clone(), traced.then_some(&mut trace));
        let result = running.run(plan);
        running.digest(&mut digest);
        result
    }));
    let failure = match result {
        Ok(result) => result.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(Failure::new("nothing panics", text.unwrap_or_else(|| "a panic".to_owned())))
        }
    };
    Ran { digest, tally: luck.tally(), failure, trace }
}

/// How often the broker forgets how far policies have read, so many times in a thousand chances.
const FORGETS: u32 = 2;

/// A process that sleeps.
struct Asleep {
    until: usize,
    since_micros: i64,
}

struct Running<'a, W: Workload> {
    pipeline: Pipeline<W::Domain>,
    neighbours: Neighbours<W::StepData>,
    store: Arc<UnreliableStore>,
    luck: Luck,
    seen: Seen<W>,
    diary: Diary,
    tables: BTreeMap<String, Table>,
    asleep: BTreeMap<u64, Asleep>,
    /// Processors with another secret for pseudonyms, and until which act.
    misled: BTreeMap<u64, usize>,
    markers_held_until: usize,
    store_down_until: usize,
    /// What somebody has taken away and nobody has brought back yet.
    lost: Option<TopicPartition>,
    act: usize,
    /// Look-ups that the domain writes: which one of them, where, and up to where it has been looked at.
    lookups: Vec<(usize, TopicPartition, i64)>,
    /// Ids of commands that were sent, and when each was issued, if it says so.
    ids: BTreeMap<String, Option<i64>>,
    strays: Strays,
    watchers: Watchers<W>,
    /// What answered when a reader looked who has not looked again.
    looked: Option<Live>,
    trace: Option<&'a mut Vec<String>>,
    dice: Dice,
}

impl<'a, W: Workload> Running<'a, W> {
    fn new(plan: &Plan<W>, luck: Luck, trace: Option<&'a mut Vec<String>>) -> Self {
        let setup = &plan.setup;
        let settings = ProcessorSettings {
            batch_max_records: setup.batch_max_records,
            dedup_window_ids: setup.window_ids,
            dedup_window_seconds: setup.window_seconds,
            issued_at_ahead_seconds: setup.margin_seconds,
            state_cache_bytes: setup.cache_bytes,
            checkpoint_interval_ms: setup.checkpoint_ms,
            checkpoint_max_changes: setup.checkpoint_changes,
            state_max_age_seconds: setup
                .tombstone_seconds
                .map_or(ProcessorSettings::default().state_max_age_seconds, |it| {
                    it - TOMBSTONE_MARGIN_SECONDS
                }),
            steps_keep_seconds: setup.steps_keep_seconds,
            ..ProcessorSettings::default()
        };
        let of_others =
            |domain: &str| setup.beside.iter().find(|it| it.domain == domain).map(|beside| beside.partitions);
        let mut pipeline = Pipeline::among(setup.partitions, &of_others, setup.domain.clone(), settings);
        pipeline.projector_settings = ProjectorSettings {
            batch_max_events: setup.batch_max_events,
            fan_out_max_rows: setup.fan_out_max_rows,
            commit_interval_ms: setup.commit_ms,
            ..ProjectorSettings::default()
        };
        let mut neighbours = W::neighbours(&pipeline, &setup.beside, &luck);
        assert!(neighbours.begin(&luck, &setup.beside), "neighbours come to rest while nothing goes wrong");
        let store = Arc::new(UnreliableStore::new(Arc::clone(&pipeline.store), luck.clone()));
        pipeline.write_through(Arc::clone(&store) as Arc<dyn ViewStore>);
        pipeline.log.inject(Box::new(luck.clone()));
        Self::name_versions(&pipeline);
        if setup.disks {
            pipeline.give_disks();
        }
        if setup.copies {
            pipeline.keep_copies();
        }
        if let Some(seconds) = setup.tombstone_seconds {
            pipeline.compact(Duration::from_secs(seconds));
        }
        for _ in 0..setup.processors {
            pipeline.start_processor();
        }
        for _ in 0..setup.projectors {
            pipeline.start_projectors();
        }
        pipeline.start_policies();
        let kinds = <W::Domain as Domain>::LOOKUPS.iter();
        let topics = kinds.map(|kind| pipeline.names().lookup(kind)).enumerate();
        let lookups = topics.flat_map(|(kind, topic)| {
            let at = move |number| TopicPartition::new(Arc::clone(&topic), number);
            (0..setup.partitions).map(move |number| (kind, at(number), 0))
        });
        let lookups = lookups.collect();
        let tables = parse_tables(<W::Domain as Domain>::SCHEMAS.views).unwrap_or_default();
        Self {
            tables: tables.into_iter().map(|table| (table.name.clone(), table)).collect(),
            neighbours,
            store,
            luck,
            seen: Seen::new(setup.partitions),
            diary: Diary::new(setup.partitions),
            pipeline,
            asleep: BTreeMap::new(),
            misled: BTreeMap::new(),
            markers_held_until: 0,
            store_down_until: 0,
            lost: None,
            act: 0,
            lookups,
            ids: BTreeMap::new(),
            strays: Strays::default(),
            watchers: Watchers::default(),
            looked: None,
            trace,
            dice: Dice::new(plan.seed ^ 0x0dac_1e5e),
        }
    }

    fn run(&mut self, plan: &Plan<W>) -> Result<(), Failure> {
        for act in &plan.acts {
            self.act += 1;
            if self.act == self.markers_held_until {
                self.luck.hold_markers(None);
            }
            if self.act == self.store_down_until {
                self.luck.set_store_down(false);
            }
            self.asleep.retain(|_, asleep| {
                let sleeps = asleep.until > self.act;
                let slept = millrace_ports::Clock::now_micros(&*self.pipeline.clock) - asleep.since_micros;
                if !sleeps && slept > SESSION.as_micros() as i64 {
                    self.luck.count(|tally| tally.zombies += 1);
                }
                sleeps
            });
            self.put_right(self.act);
            self.perform(plan, act)?;
            self.note_visible();
        }
        self.settle(plan)
    }

    fn perform(&mut self, plan: &Plan<W>, act: &Act<W::CommandData>) -> Result<(), Failure> {
        match act {
            Act::Send(command) => self.send(plan, command)?,
            Act::Probe { luck } => {
                self.seen.refresh(&self.pipeline)?;
                let mut dice = Dice::new(*luck);
                let asked = W::probe(&self.seen, &self.neighbours, &plan.setup.domain, &mut dice);
                let is_met = asked.is_none();
                if let Some((metadata, data)) = asked.or_else(|| W::meet(&self.neighbours, &mut dice)) {
                    self.luck.count(|tally| tally.met += u64::from(is_met));
                    let id = format!("probe-{}", self.act);
                    self.send(plan, &Command { id: id.into(), metadata, data })?;
                }
            }
            Act::Stray { what, luck } => {
                self.luck.begin(*luck);
                let done = self.strays.perform::<W>(&self.pipeline, what);
                self.luck.end();
                if let Some(done) = done? {
                    self.luck.count(|tally| match what {
                        Stray::Forge { .. } => tally.forged += 1,
                        Stray::Replay { .. } => tally.replayed += 1,
                        _ => tally.strays += 1,
                    });
                    self.say(|| done);
                }
            }
            Act::RepeatStep { pick } => self.repeat_step(*pick)?,
            Act::Lane { process, lane, steps, luck } => {
                let before = self.luck.partly();
                for step in 0..*steps {
                    // every step has a luck of its own, and 0 stays 0
                    let luck = luck.wrapping_mul(2 * step as u64 + 1);
                    let take = |pipeline: &mut Pipeline<W::Domain>, at| pipeline.lane(at, *lane as usize);
                    let goes_on = self.step(*process, luck, "lane", take);
                    if self.luck.partly() > before {
                        // half of what belongs together is there: now is the time to look
                        self.look(plan)?;
                        break;
                    }
                    if !goes_on {
                        break;
                    }
                }
            }
            Act::Member { process, luck } => {
                self.step(*process, *luck, "group", Pipeline::membership);
            }
            Act::Follow { process, luck } => {
                self.step(*process, *luck, "lookups", Pipeline::follow);
            }
            Act::StandBy { process, pick, luck } => {
                self.step(*process, *luck, "copy", |pipeline, at| pipeline.stand_by(at, *pick));
            }
            Act::Trim { process, luck } => {
                if self.step(*process, *luck, "trim", Pipeline::trim) {
                    self.luck.count(|tally| tally.trimmed += 1);
                }
            }
            Act::Lose { loss, partition } => {
                self.lose(*loss, (partition % plan.setup.partitions as u64) as i32);
            }
            Act::BringBack => self.bring_back(),
            Act::Crash { process, restart, disk } => {
                if let Some(at) = self.place(*process) {
                    self.crash(at, *restart, *disk, "crashes");
                    self.luck.count(|tally| tally.crashes += 1);
                }
            }
            Act::Disk { process, fate } => {
                let disk = self.place(*process).and_then(|at| self.pipeline.disk(at)).cloned();
                if let Some(disk) = disk {
                    self.befall(&disk, *fate);
                    self.say(|| format!("disk of a process: {fate:?}"));
                }
            }
            Act::Join { process } => {
                let kind = self.place(*process).and_then(|at| self.pipeline.process(at));
                if let Some((_, kind)) = kind {
                    self.join(kind);
                }
            }
            Act::Leave { process } => {
                if let Some(at) = self.place(*process)
                    && let Some((number, kind)) = self.pipeline.process(at)
                    && !self.asleep.contains_key(&number)
                    && self.pipeline.count(kind) > 1
                {
                    self.pipeline.leave(at);
                    self.luck.count(|tally| tally.leaves += 1);
                    self.say(|| format!("process {number} ({kind:?}) leaves"));
                }
            }
            Act::Sleep { process, acts } => {
                if let Some((number, _)) = self.place(*process).and_then(|at| self.pipeline.process(at)) {
                    let since_micros = millrace_ports::Clock::now_micros(&*self.pipeline.clock);
                    self.asleep.insert(number, Asleep { until: self.act + acts, since_micros });
                    self.say(|| format!("process {number} sleeps for {acts} acts"));
                    self.pass(SESSION.as_micros() as i64 + 1_000_000, true);
                }
            }
            Act::Pass { micros, in_touch } => {
                self.say(|| format!("{} ms pass", micros / 1_000));
                self.pass(*micros, *in_touch);
            }
            Act::SetClock { process, ahead } => {
                if let Some(at) = self.place(*process) {
                    self.pipeline.set_ahead(at, *ahead);
                    self.luck.count(|tally| tally.clocks_set += 1);
                    self.say(|| format!("clock of process at {at} is {} ms ahead", ahead / 1_000));
                }
            }
            Act::HoldMarkers { acts, salt } => {
                self.luck.hold_markers(Some(*salt));
                self.markers_held_until = self.act + acts;
                self.say(|| format!("no markers for {acts} acts"));
            }
            Act::StoreDown { acts } => {
                self.luck.set_store_down(true);
                self.store_down_until = self.act + acts;
                self.say(|| format!("no store for {acts} acts"));
            }
            Act::LateWrites => self.apply_late()?,
            Act::Operate { family, what, luck } => self.operate(*family, *what, *luck)?,
            Act::CutAll => {
                self.say(|| "all subscribers are cut".to_owned());
                let watched = self.watchers.cut_all();
                self.watched(watched);
            }
            Act::Repeat { pick } => self.repeat(*pick),
            Act::Expire { family, keep } => self.expire(*family, *keep),
            Act::Watch { luck } => self.watch(plan, *luck)?,
            Act::Neighbour { luck } => {
                if let Some(done) = self.neighbours.step(&self.luck, *luck) {
                    self.say(|| done);
                }
                if Dice::new(luck.rotate_left(17)).per_mille(FORGETS) {
                    self.forget_policies();
                }
            }
            Act::Mislead { process, acts } => self.mislead(*process, *acts),
            Act::Look => {
                self.say(|| "look at the tables".to_owned());
                self.look(plan)?;
            }
        }
        Ok(())
    }

    /// A subscriber takes some steps.
    fn watch(&mut self, plan: &Plan<W>, luck: u64) -> Result<(), Failure> {
        self.seen.refresh(&self.pipeline)?;
        let mut watchers = std::mem::take(&mut self.watchers);
        let watched = self.world(plan, None).and_then(|world| watchers.step(&world, &mut Dice::new(luck)));
        self.watchers = watchers;
        self.watched(watched?);
        Ok(())
    }

    fn watched(&self, watched: Watched) {
        self.luck.count(|tally| {
            tally.cuts += watched.cuts;
            tally.resumed += watched.resumed;
            tally.cut_again += watched.cut_again;
            tally.resets += watched.resets;
            tally.rebuilt_streams += watched.rebuilt;
            tally.gone += watched.gone;
            tally.copies += watched.compared;
        });
    }

    fn apply_late(&self) -> Result<(), Failure> {
        self.store.apply_late().map_err(|why| Failure::new("rows can be written", why.to_string()))
    }

    /// Notes up to where events and outcomes can be seen now.
    fn note_visible(&mut self) {
        let (events, outcomes) =
            (Arc::clone(&self.pipeline.names().events), Arc::clone(&self.pipeline.names().outcomes));
        let (log, act) = (&self.pipeline.log, self.act);
        let note = |at: &TopicPartition, ends: &mut Ends| {
            let end = log.committed_end(at);
            if ends.last().map_or(end > 0, |(known, _)| end > *known) {
                ends.push((end, act));
            }
        };
        for (topic, ends) in [(events, &mut self.diary.events), (outcomes, &mut self.diary.outcomes)] {
            for (number, ends) in ends.iter_mut().enumerate() {
                note(&TopicPartition::new(Arc::clone(&topic), number as i32), ends);
            }
        }
        self.neighbours.note(act, &self.luck);
        for (kind, at, next) in &mut self.lookups {
            let (records, upto) = log.committed_from(at, *next);
            *next = upto;
            for record in records {
                let id = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
                let read = |value| self.pipeline.codecs().lookups[*kind].decode(value);
                let version = record.value.as_deref().map(|value| read(value).map(|it| it.version));
                let version = version.transpose().expect("what the engine writes can be read");
                self.diary.lookups.told(&id, version, act);
            }
        }
    }

    fn world<'w>(&'w self, plan: &'w Plan<W>, before: Option<&Live>) -> Result<World<'w, W>, Failure> {
        Ok(World {
            versions: Versions::look(&self.pipeline, before)?,
            setup: &plan.setup,
            seen: &self.seen,
            diary: &self.diary,
            pipeline: &self.pipeline,
            neighbours: &self.neighbours,
            tables: &self.tables,
        })
    }

    fn look(&mut self, plan: &Plan<W>) -> Result<(), Failure> {
        self.seen.refresh(&self.pipeline)?;
        let mut dice = self.dice.clone();
        let world = self.world(plan, None)?;
        let (mut feeds, now) = (look(&world, &mut dice)?, world.versions.live.clone());
        // readers go on with what answered when they looked
        if self.looked.as_ref().is_some_and(|before| *before != now) {
            feeds += look(&self.world(plan, self.looked.as_ref())?, &mut dice)?;
        }
        self.looked = Some(now);
        self.dice = dice;
        self.luck.count(|tally| {
            tally.looks += 1;
            tally.feeds += feeds;
        });
        Ok(())
    }

    /// Nothing goes wrong any more, all wake up, and everything is done that is left to do.
    fn settle(&mut self, plan: &Plan<W>) -> Result<(), Failure> {
        self.act += 1;
        self.say(|| "nothing goes wrong any more".to_owned());
        self.luck.hold_markers(None);
        self.luck.set_store_down(false);
        self.asleep.clear();
        self.put_right(usize::MAX);
        let of_running = (0..self.pipeline.instances()).filter_map(|at| self.pipeline.disk(at));
        of_running.chain(&self.pipeline.left_disks()).for_each(|disk| disk.refuse_writes(false));
        if self.pipeline.count(RoleKind::Processor) == 0 {
            self.pipeline.start(RoleKind::Processor);
        }
        self.start_missing_policies();
        self.bring_back();
        self.end_rebuilds()?;
        let rests = self.neighbours.comes_to_rest() && self.pipeline.comes_to_rest();
        if !rests {
            return Err(Failure::new(
                "everything comes to rest",
                "something still moves after very many steps",
            ));
        }
        self.strays.judge_waiting::<W>(&self.pipeline)?;
        self.strays.clear::<W>(&mut self.pipeline)?;
        self.strays.judge_cleared::<W>(&self.pipeline)?;
        self.keep_copies();
        self.note_visible();
        // what the store has accepted and never confirmed may come at any time
        self.apply_late()?;
        self.seen.refresh(&self.pipeline)?;
        let (events, outcomes) = self.seen.partitions.iter().fold((0, 0), |(events, outcomes), partition| {
            (events + partition.events.len() as u64, outcomes + partition.outcomes.len() as u64)
        });
        let is_expired =
            |outcome: &&At<Outcome>| outcome.1.violations.iter().any(|it| it.code == codes::EXPIRED);
        let of_partition = |it: &Partition<W>| it.outcomes.iter().filter(is_expired).count() as u64;
        let expired: u64 = self.seen.partitions.iter().map(of_partition).sum();
        let acts = self.act as u64;
        let of_running = (0..self.pipeline.instances()).filter_map(|at| self.pipeline.disk(at));
        let checkpoints: u64 = of_running.chain(&self.pipeline.left_disks()).map(MemoryDisk::writes).sum();
        self.luck.count(|tally| {
            tally.histories += 1;
            tally.acts += acts;
            tally.events += events;
            tally.checkpoints += checkpoints;
            tally.outcomes += outcomes;
            tally.expired += expired;
        });
        let mut dice = self.dice.clone();
        let world = self.world(plan, None)?;
        world.versions.judge(&self.pipeline)?;
        let feeds = judge(&world, &mut dice)?;
        self.neighbours.judge()?;
        self.luck.count(|tally| tally.feeds += feeds);
        let mut watchers = std::mem::take(&mut self.watchers);
        let watched = watchers.settle(&self.world(plan, None)?)?;
        self.watched(watched);
        Ok(())
    }

    /// All processes look once more which copies they should keep.
    fn keep_copies(&mut self) {
        for at in 0..self.pipeline.instances() {
            self.pipeline.stand_by(at, 0);
        }
    }

    /// Names all that was written: every committed record and every row.
    fn digest(&self, digest: &mut Digest) {
        let names = self.pipeline.names();
        for topic in names.own() {
            for record in self.pipeline.log.committed_records(topic) {
                digest.number(i64::from(record.partition));
                digest.number(record.offset);
                digest.number(record.timestamp_ms);
                digest.bytes(record.key.as_deref().unwrap_or_default());
                digest.bytes(record.value.as_deref().unwrap_or_default());
            }
        }
        for table in self.all_tables() {
            for row in self.pipeline.store.rows(&table) {
                digest.bytes(format!("{row:?}").as_bytes());
            }
        }
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let act = self.act;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{act:>4}  {}", what()));
        }
    }
}
