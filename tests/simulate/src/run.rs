//! Carries a history out, one step at a time, and lets the oracles judge it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Command, Domain, Metadata, Outcome, codes};
use millrace_ports::{GroupEvent, TopicPartition, ViewStore};
use millrace_runtime::{ProcessorSettings, ProjectorSettings};
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::log::memory::Plain;
use millrace_testkit::pipeline::{Pipeline, RoleKind, SESSION, Stepped};

use crate::dice::{Dice, Digest};
use crate::luck::Luck;
use crate::oracle::world::{At, Diary, Ends, Failure, Partition, Seen, World};
use crate::oracle::{judge, look};
use crate::plan::{Act, DiskFate, Loss, Plan, TOMBSTONE_MARGIN_SECONDS};
use crate::show;
use crate::store::UnreliableStore;
use crate::strays::{Stray, Strays};
use crate::tally::Tally;
use crate::workload::Workload;

/// Most processors at a time, and most projectors of one view family.
const MOST: (usize, usize) = (4, 3);
/// How much time passes at once while everybody stays in touch with their groups.
const IN_TOUCH_MICROS: i64 = 4_000_000;

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

/// A process that sleeps.
struct Asleep {
    until: usize,
    since_micros: i64,
}

struct Running<'a, W: Workload> {
    pipeline: Pipeline<W::Domain>,
    store: Arc<UnreliableStore>,
    luck: Luck,
    seen: Seen<W>,
    diary: Diary,
    keys: BTreeMap<String, usize>,
    asleep: BTreeMap<u64, Asleep>,
    markers_held_until: usize,
    store_down_until: usize,
    /// What somebody has taken away and nobody has brought back yet.
    lost: Option<TopicPartition>,
    act: usize,
    /// Where look-ups are followed from.
    lookups: Vec<TopicPartition>,
    /// Ids of commands that were sent, and when each was issued, if it says so.
    ids: BTreeMap<String, Option<i64>>,
    strays: Strays,
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
        let mut pipeline = Pipeline::new(setup.partitions, setup.domain.clone(), settings);
        pipeline.projector_settings = ProjectorSettings {
            batch_max_events: setup.batch_max_events,
            fan_out_max_rows: setup.fan_out_max_rows,
            ..ProjectorSettings::default()
        };
        let store = Arc::new(UnreliableStore::new(Arc::clone(&pipeline.store), luck.clone()));
        pipeline.write_through(Arc::clone(&store) as Arc<dyn ViewStore>);
        pipeline.log.inject(Box::new(luck.clone()));
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
        let kinds = <W::Domain as Domain>::LOOKUPS.iter();
        let topics = kinds.map(|kind| pipeline.names().lookup(kind));
        let lookups = topics.flat_map(|topic| {
            (0..setup.partitions).map(move |number| TopicPartition::new(Arc::clone(&topic), number))
        });
        let lookups = lookups.collect();
        let tables = parse_tables(<W::Domain as Domain>::SCHEMAS.views).unwrap_or_default();
        Self {
            keys: tables.iter().map(|table| (table.name.clone(), table.key_columns())).collect(),
            store,
            luck,
            seen: Seen::new(setup.partitions),
            diary: Diary::new(setup.partitions),
            pipeline,
            asleep: BTreeMap::new(),
            markers_held_until: 0,
            store_down_until: 0,
            lost: None,
            act: 0,
            lookups,
            ids: BTreeMap::new(),
            strays: Strays::default(),
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
                if let Some(data) = W::probe(&self.seen, &plan.setup.domain, &mut Dice::new(*luck)) {
                    let id = format!("probe-{}", self.act);
                    self.send(plan, &Command { id, metadata: Metadata::default(), data })?;
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
            Act::Look => {
                self.say(|| "look at the tables".to_owned());
                self.look(plan)?;
            }
        }
        Ok(())
    }

    /// Takes away what must not be taken away, and starts all processors anew: those at work have their
    /// state in memory, and have read ahead.
    fn lose(&mut self, loss: Loss, partition: i32) {
        let names = self.pipeline.names();
        let topic = match loss {
            Loss::State => &names.state,
            Loss::Steps => &names.steps,
        };
        let at = TopicPartition::new(Arc::clone(topic), partition);
        let log = self.pipeline.log.clone();
        let is_lost = self.lost.is_none()
            && match loss {
                Loss::State => log.empty(&at).unwrap_or(false),
                Loss::Steps => log.forget_before(&at, log.committed_end(&at)).is_ok(),
            };
        if !is_lost {
            return;
        }
        self.say(|| format!("{at} is lost"));
        self.luck.count(|tally| tally.losses += 1);
        self.lost = Some(at);
        let mut count = 0;
        // from the end, as those behind one that is gone move up
        for process in (0..self.pipeline.instances()).rev() {
            if self.pipeline.process(process).is_some_and(|(_, kind)| kind == RoleKind::Processor) {
                self.crash(process, false, DiskFate::Kept, "is stopped");
                count += 1;
            }
        }
        (0..count).for_each(|_| self.pipeline.start(RoleKind::Processor));
    }

    fn bring_back(&mut self) {
        if let Some(at) = &self.lost
            && self.pipeline.log.bring_back(at).unwrap_or(false)
        {
            let at = at.clone();
            self.lost = None;
            self.say(|| format!("{at} is brought back"));
        }
    }

    fn send(&mut self, plan: &Plan<W>, command: &Command<W::CommandData>) -> Result<(), Failure> {
        let key = W::routing_key(&command.data).to_owned();
        let at = TopicPartition::new(
            Arc::clone(&self.pipeline.names().commands),
            W::partition(&command.data, plan.setup.partitions),
        );
        let now = millrace_ports::Clock::now_micros(&*self.pipeline.clock);
        let is_new = !self.ids.contains_key(&command.id);
        // whoever sends a command again says the same
        let issued_at = command.metadata.issued_at.map(|before| now - before);
        let issued_at = *self.ids.entry(command.id.clone()).or_insert(issued_at);
        let metadata = Metadata { issued_at, ..command.metadata.clone() };
        let command = &Command { metadata, ..command.clone() };
        let value = self.pipeline.encode(command);
        let offset = self.append(&at, Some(Bytes::from(key)), Some(value))?;
        self.diary.sent.insert((at.partition, offset), self.act);
        self.diary.appended.insert((at.partition, offset), now / 1_000 * 1_000);
        self.luck.count(|tally| {
            tally.commands += 1;
            tally.repeated += u64::from(!is_new);
        });
        self.say(|| format!("send {at} offset {offset}: {}", show::command(command)));
        Ok(())
    }

    fn append(&self, at: &TopicPartition, key: Option<Bytes>, value: Option<Bytes>) -> Result<i64, Failure> {
        let timestamp_ms = millrace_ports::Clock::now_micros(&*self.pipeline.clock) / 1_000;
        let record = Plain { key, value, timestamp_ms, headers: Vec::new() };
        let appended = self.pipeline.log.append(at, record);
        appended.map_err(|why| Failure::new("commands can be sent", why.to_string()))
    }

    /// Delivers a committed step once more, as a writer without idempotence or an operator might.
    fn repeat_step(&mut self, pick: u64) -> Result<(), Failure> {
        let steps = Arc::clone(&self.pipeline.names().steps);
        let all = self.pipeline.log.committed_records(&steps);
        if all.is_empty() {
            return Ok(());
        }
        let record = &all[(pick % all.len() as u64) as usize];
        let at = TopicPartition::new(steps, record.partition);
        let offset = self.append(&at, record.key.clone(), record.value.clone())?;
        self.diary.repeated_steps.insert((at.partition, offset));
        self.luck.count(|tally| tally.steps_repeated += 1);
        self.say(|| format!("step at {at} offset {} is delivered again at {offset}", record.offset));
        Ok(())
    }

    /// The place of a process that a plan names.
    fn place(&self, process: u64) -> Option<usize> {
        let count = self.pipeline.instances();
        (count > 0).then(|| (process % count as u64) as usize)
    }

    fn step(
        &mut self,
        process: u64,
        luck: u64,
        what: &str,
        take: impl FnOnce(&mut Pipeline<W::Domain>, usize) -> Stepped,
    ) -> bool {
        let Some(at) = self.place(process) else { return false };
        let Some((number, kind)) = self.pipeline.process(at) else { return false };
        if self.asleep.contains_key(&number) {
            return false;
        }
        self.luck.begin(luck);
        let stepped = take(&mut self.pipeline, at);
        let died = self.luck.end();
        self.hear(&stepped);
        if let Some(trouble) = &stepped.trouble {
            self.luck.count(|tally| {
                tally.troubled += 1;
                tally.fenced += u64::from(trouble.contains("fenced"));
            });
        }
        if stepped.progress || died {
            self.say(|| {
                let trouble = stepped.trouble.as_deref().map(|t| format!(": {t}")).unwrap_or_default();
                format!("process {number} ({kind:?}) {what}{trouble}")
            });
        }
        if died {
            self.crash(at, true, DiskFate::Kept, "dies inside");
            self.luck.count(|tally| tally.deaths_inside += 1);
        }
        stepped.progress && !died
    }

    fn crash(&mut self, at: usize, restart: bool, disk: DiskFate, how: &str) {
        let number = self.pipeline.process(at).map(|(number, _)| number);
        let Some(kind) = self.pipeline.crash(at) else { return };
        self.say(|| format!("process {} ({kind:?}) {how}, its disk: {disk:?}", number.unwrap_or(0)));
        if let Some(left) = self.pipeline.left_disks().last().cloned() {
            self.befall(&left, disk);
        }
        if restart {
            self.pipeline.start(kind);
        }
    }

    fn befall(&self, disk: &MemoryDisk, fate: DiskFate) {
        match fate {
            DiskFate::Kept => return,
            DiskFate::LosesPower(writes) => disk.lose_power(writes),
            DiskFate::Wiped => disk.wipe(),
            DiskFate::Damaged => disk.damage(),
            DiskFate::Full => disk.refuse_writes(true),
            DiskFate::Emptied => disk.refuse_writes(false),
        }
        self.luck.count(|tally| tally.disks_hurt += u64::from(fate != DiskFate::Emptied));
    }

    fn join(&mut self, kind: RoleKind) {
        let most = if kind == RoleKind::Processor { MOST.0 } else { MOST.1 };
        if self.pipeline.count(kind) < most {
            self.pipeline.start(kind);
            self.luck.count(|tally| tally.joins += 1);
            self.say(|| format!("one more {kind:?} joins"));
        }
    }

    fn pass(&mut self, micros: i64, in_touch: bool) {
        let mut left = micros;
        while left > 0 {
            let now = if in_touch { left.min(IN_TOUCH_MICROS) } else { left };
            self.pipeline.clock.pass(now);
            left -= now;
            if !in_touch {
                continue;
            }
            for at in 0..self.pipeline.instances() {
                let number = self.pipeline.process(at).map_or(0, |(number, _)| number);
                if !self.asleep.contains_key(&number) {
                    let stepped = self.pipeline.membership(at);
                    self.hear(&stepped);
                }
            }
        }
    }

    fn hear(&self, stepped: &Stepped) {
        self.luck.count(|tally| match &stepped.heard {
            Some(GroupEvent::Lost(_)) => tally.lost += 1,
            Some(GroupEvent::Revoked(_)) => tally.revoked += 1,
            Some(GroupEvent::Assigned(_)) => tally.assigned += 1,
            None => {}
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
        for at in &self.lookups {
            note(at, self.diary.lookups.entry((Arc::clone(&at.topic), at.partition)).or_default());
        }
    }

    fn world<'w>(&'w self, plan: &'w Plan<W>) -> World<'w, W> {
        World {
            setup: &plan.setup,
            seen: &self.seen,
            diary: &self.diary,
            pipeline: &self.pipeline,
            keys: &self.keys,
        }
    }

    fn look(&mut self, plan: &Plan<W>) -> Result<(), Failure> {
        self.seen.refresh(&self.pipeline)?;
        let mut dice = self.dice.clone();
        let feeds = look(&self.world(plan), &mut dice)?;
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
        let of_running = (0..self.pipeline.instances()).filter_map(|at| self.pipeline.disk(at));
        of_running.chain(self.pipeline.left_disks()).for_each(|disk| disk.refuse_writes(false));
        for kind in
            [RoleKind::Processor, RoleKind::Projector(0), RoleKind::Projector(1), RoleKind::Projector(2)]
        {
            if self.pipeline.count(kind) == 0 {
                self.pipeline.start(kind);
            }
        }
        self.bring_back();
        let rests = self.pipeline.comes_to_rest();
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
        let checkpoints: u64 = of_running.chain(self.pipeline.left_disks()).map(MemoryDisk::writes).sum();
        self.luck.count(|tally| {
            tally.histories += 1;
            tally.acts += acts;
            tally.events += events;
            tally.checkpoints += checkpoints;
            tally.outcomes += outcomes;
            tally.expired += expired;
        });
        let mut dice = self.dice.clone();
        let feeds = judge(&self.world(plan), &mut dice)?;
        self.luck.count(|tally| tally.feeds += feeds);
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
        let topics =
            [&names.commands, &names.steps, &names.events, &names.state, &names.outcomes, &names.dead];
        for topic in topics {
            for record in self.pipeline.log.committed_records(topic) {
                digest.number(i64::from(record.partition));
                digest.number(record.offset);
                digest.number(record.timestamp_ms);
                digest.bytes(record.key.as_deref().unwrap_or_default());
                digest.bytes(record.value.as_deref().unwrap_or_default());
            }
        }
        for table in self.keys.keys() {
            for row in self.pipeline.store.rows(table) {
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
