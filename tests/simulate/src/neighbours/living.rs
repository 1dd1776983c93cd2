//! One neighbour at work: its processes take steps and die, it is asked for things, and what can be seen of it is noted.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kernel::{Domain, Event, Outcome, Text};
use millrace_ports::{Record, TopicPartition, ViewStore};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::{Pipeline, RoleKind};

use super::{Happened, Neighbour, Resident, Unreliable};
use crate::dice::Dice;
use crate::holds;
use crate::lives::Lives;
use crate::luck::Luck;
use crate::oracle::world::Failure;
use crate::plan::Beside;
use crate::store::UnreliableStore;
use crate::workload::Known;

/// How often something is asked for, so many times in a thousand chances; else a process takes steps.
const ASKS: u32 = 120;
/// How often a process dies between two steps.
const DIES: u32 = 15;
/// How often the broker forgets how far its policies have read.
const FORGETS: u32 = 2;
/// Most steps at once.
const STEPS: i64 = 5;
/// After so many rounds in which nobody does anything, what was asked for has come to what it comes to; mostly.
const QUIET: usize = 3;
/// One that is still at work after so many rounds stands in front of something that it does not get past.
const MOST_ROUNDS: usize = 1_000;

/// A neighbour, and when what could be seen of it.
pub struct Living<N: Neighbour, S> {
    pipeline: Pipeline<N::Domain>,
    store: Unreliable,
    producer: N::Producer,
    asked: usize,
    reacts: fn(&Event<<N::Domain as Domain>::Event>) -> Vec<S>,
    lives: Lives,
    came: Vec<String>,
    happened: Vec<Happened<S>>,
    /// Up to where each place has been looked at, and which kind is looked up there; none in the events.
    looked: BTreeMap<TopicPartition, (i64, Option<usize>)>,
}

impl<N: Neighbour, S> Living<N, S> {
    pub(super) fn beside<D: Domain>(
        other: &Pipeline<D>,
        setup: &Beside,
        luck: &Luck,
        reacts: fn(&Event<<N::Domain as Domain>::Event>) -> Vec<S>,
    ) -> Self {
        let partitions = setup.partitions;
        let settings = ProcessorSettings { batch_max_records: 3, ..ProcessorSettings::default() };
        let of_domain = <N::Domain as Domain>::Settings::default();
        let mut pipeline = Pipeline::<N::Domain>::beside(other, partitions, of_domain, settings);
        let store = Arc::new(UnreliableStore::new(Arc::clone(&pipeline.store), luck.clone()));
        pipeline.write_through(Arc::clone(&store) as Arc<dyn ViewStore>);
        (0..setup.processors).for_each(|_| pipeline.start_processor());
        pipeline.start_policies();
        (0..setup.projectors).for_each(|_| pipeline.start_projectors());
        let lookups = <N::Domain as Domain>::LOOKUPS.iter().map(|kind| pipeline.names().lookup(kind));
        let lookups = lookups.enumerate().map(|(at, topic)| (topic, Some(at)));
        let topics: Vec<_> =
            [(Arc::clone(&pipeline.names().events), None)].into_iter().chain(lookups).collect();
        let places = topics.into_iter().flat_map(|(topic, kind)| {
            (0..partitions).map(move |number| (TopicPartition::new(Arc::clone(&topic), number), (0, kind)))
        });
        let looked = places.collect();
        let producer = N::producer(&mut Dice::new(setup.luck));
        let (lives, came, happened) = Default::default();
        Self { pipeline, store, producer, asked: 0, reacts, lives, came, happened, looked }
    }

    fn ask(&mut self, dice: &mut Dice) -> String {
        self.asked += 1;
        let command = N::command(&mut self.producer, dice, self.asked);
        self.pipeline.send(&command);
        format!("{} is asked for {}", <N::Domain as Domain>::NAME, crate::show::command(&command))
    }

    /// Every process and each of its lanes takes a step; whether anything was done.
    fn all_take_a_step(&mut self) -> bool {
        let mut is_progress = false;
        for at in 0..self.pipeline.instances() {
            for lane in 0..self.pipeline.lanes(at).len().max(1) {
                is_progress |= self.pipeline.turn(at, lane);
            }
        }
        is_progress
    }

    /// Lets all take steps until nobody does anything any more; whether that came.
    fn settles(&mut self) -> bool {
        let mut quiet = 0;
        for _ in 0..MOST_ROUNDS {
            quiet = if self.all_take_a_step() { 0 } else { quiet + 1 };
            if quiet == QUIET {
                return true;
            }
        }
        false
    }

    fn kill(&mut self, at: usize, how: &str) -> String {
        let kind = self.pipeline.process(at).map(|(_, kind)| kind);
        self.pipeline.kill(at);
        format!("a {kind:?} of {} {how}", <N::Domain as Domain>::NAME)
    }

    /// The broker forgets how far policies have read, and those at work begin again.
    fn forget(&mut self) -> String {
        for place in 0..<N::Domain as Domain>::policies().len() {
            self.pipeline.log.forget_offsets(&self.pipeline.policy_group(place));
            for at in (0..self.pipeline.instances()).rev() {
                if self.pipeline.process(at).is_some_and(|(_, kind)| kind == RoleKind::Policy(place)) {
                    self.pipeline.kill(at);
                }
            }
        }
        format!("the broker forgets how far the policies of {} have read", <N::Domain as Domain>::NAME)
    }

    fn note_event(&mut self, record: &Record, act: usize, luck: &Luck) {
        let value = record.value.as_deref().expect("an event has a value");
        let event = self.pipeline.codecs().events.decode(value).expect("an event can be read");
        if let Some(id) = N::made_known(&event.data) {
            luck.count(|tally| tally.came += 1);
            self.lives.turned(&id, event.version, true, act);
            self.came.push(id);
        }
        if let Some(id) = N::made_unknown(&event.data) {
            luck.count(|tally| tally.went += 1);
            self.lives.turned(&id, event.version, false, act);
        }
        let steps = (self.reacts)(&event);
        let (event_id, recorded_at) = (event.id.to_string(), event.recorded_at);
        self.happened.push(Happened { event_id, recorded_at, steps });
    }
}

impl<N: Neighbour, S> Resident<S> for Living<N, S> {
    fn domain(&self) -> &'static str {
        <N::Domain as Domain>::NAME
    }

    fn begin(&mut self, luck: &Luck, commands: usize) -> bool {
        if commands == 0 {
            return true;
        }
        let mut dice = Dice::new(0xbe91_0000 ^ commands as u64);
        for _ in 0..commands {
            self.ask(&mut dice);
            // what one asks for may rest on what others have come to
            if !self.settles() {
                return false;
            }
        }
        let rests = self.pipeline.comes_to_rest();
        self.note(0, luck);
        rests
    }

    fn step(&mut self, luck: &Luck, chance: u64) -> String {
        let mut dice = Dice::new(chance);
        if dice.per_mille(ASKS) {
            return self.ask(&mut dice);
        }
        let count = self.pipeline.instances();
        let at = if count > 1 { dice.below(count) } else { 0 };
        if dice.per_mille(DIES) {
            return self.kill(at, "is killed");
        }
        if count > 1 && dice.per_mille(FORGETS) && !<N::Domain as Domain>::policies().is_empty() {
            return self.forget();
        }
        luck.begin(chance);
        self.pipeline.membership(at);
        self.pipeline.follow(at);
        let lane = dice.roll() as usize;
        for _ in 0..dice.within(1, STEPS) {
            self.pipeline.lane(at, lane);
        }
        if luck.end() {
            return self.kill(at, "dies inside");
        }
        format!("process {at} of {} takes steps", <N::Domain as Domain>::NAME)
    }

    fn note(&mut self, act: usize, luck: &Luck) {
        let log = self.pipeline.log.clone();
        let mut fresh = Vec::new();
        for (at, (next, kind)) in &mut self.looked {
            let (records, upto) = log.committed_from(at, *next);
            *next = upto;
            fresh.extend(records.into_iter().map(|record| (*kind, record)));
        }
        for (kind, record) in fresh {
            let Some(kind) = kind else {
                self.note_event(&record, act, luck);
                continue;
            };
            let id = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
            let read = |value| self.pipeline.codecs().lookups[kind].decode(value).expect("it can be read");
            let version = record.value.as_deref().map(|value| read(value).version);
            self.lives.told(&id, version, act);
        }
    }

    fn known(&self, id: &str, sent: usize, decided: usize) -> Known {
        self.lives.known(id, sent, decided)
    }

    fn happened(&self) -> &[Happened<S>] {
        &self.happened
    }

    fn came(&self) -> &[String] {
        &self.came
    }

    fn comes_to_rest(&mut self) -> bool {
        let rests = self.pipeline.comes_to_rest();
        // what the store has accepted and never confirmed may come at any time
        rests && self.store.apply_late().is_ok()
    }

    fn judge(&self) -> Result<(), Failure> {
        let mut answers: BTreeMap<Text, Vec<Outcome>> = BTreeMap::new();
        for outcome in self.pipeline.outcomes() {
            answers.entry(outcome.command_id.clone()).or_default().push(outcome);
        }
        let domain = <N::Domain as Domain>::NAME;
        let is_once = |outcomes: &Vec<Outcome>| matches!(&outcomes[..], [only] if !only.duplicate);
        let wrong = answers.values().find(|outcomes| !is_once(outcomes));
        holds!(wrong.is_none(), "every command beside is answered once", "{domain}: {wrong:?}");
        holds!(
            answers.len() == self.asked,
            "every command beside is answered once",
            "{domain}: {} answers to {} commands",
            answers.len(),
            self.asked
        );
        let dead = self.pipeline.log.committed_records(&self.pipeline.names().dead);
        holds!(dead.is_empty(), "nothing is dead", "{domain}: {:?}", dead.first().map(|it| &it.headers));
        N::judge(&self.pipeline)
    }
}
