//! Writes down what happens in a history, before it happens.

use std::collections::BTreeSet;

use millrace_kernel::{Command, Metadata};

use crate::dice::Dice;
use crate::plan::{Act, DiskFate, Loss, Setup};
use crate::strays::{KEYS, Stray};
use crate::workload::Workload;

/// Writes the acts of a history.
pub(crate) struct Writer<'a, W: Workload> {
    dice: &'a mut Dice,
    partitions: i32,
    copies: bool,
    tombstone_seconds: Option<u64>,
    producer: W::Producer,
    sent: Vec<(i32, Command<W::CommandData>)>,
    /// Chances of what happens to whole processes, each so many times in a thousand acts.
    crash: u32,
    join: u32,
    leave: u32,
    sleep: u32,
    pass: u32,
    set_clock: u32,
    hold_markers: u32,
    store_down: u32,
    disk: u32,
    repeat: u32,
    /// Chance of a command that its producer sends over and over, in a thousand commands; not where ids are soon
    /// forgotten: answers that are still due then come behind newer ones, which the oracle does not foresee.
    storm: u32,
    /// What decides about those: histories without them stay what they were.
    storms: Dice,
    repeat_step: u32,
    probe: u32,
    lose: u32,
    stray: u32,
    /// The keys of strays that wait.
    parked: BTreeSet<usize>,
    /// What is to come after so many acts.
    queued: Vec<(usize, Act<W::CommandData>)>,
    /// For how many more acts no producer sends anything.
    quiet: usize,
    /// How many acts there are to a command.
    pace: u32,
    commands: usize,
}

impl<'a, W: Workload> Writer<'a, W> {
    pub(crate) fn new(dice: &'a mut Dice, setup: &Setup<W::Settings>) -> Self {
        let mut storms = dice.clone();
        let remembers_long = setup.window_ids >= 16 && setup.window_seconds >= 3_600;
        let storm = if remembers_long && storms.per_mille(250) { storms.within(10, 60) as u32 } else { 0 };
        let mut rate = |most: i64| if dice.per_mille(500) { dice.within(1, most) as u32 } else { 0 };
        let (crash, join, leave, sleep) = (rate(12), rate(6), rate(6), rate(12));
        let (pass, set_clock, hold_markers, store_down) = (rate(30), rate(10), rate(12), rate(5));
        let disk = rate(6);
        let (repeat, repeat_step, probe) = (rate(200), rate(20), rate(30));
        let lose = rate(3);
        let stray = if W::stray("").is_some() { rate(25) } else { 0 };
        Self {
            pace: dice.within(3, 12) as u32,
            commands: dice.within(20, 150) as usize,
            producer: W::producer(dice),
            partitions: setup.partitions,
            copies: setup.copies,
            tombstone_seconds: setup.tombstone_seconds,
            dice,
            sent: Vec::new(),
            crash,
            join,
            leave,
            sleep,
            pass,
            set_clock,
            hold_markers,
            store_down,
            disk,
            repeat,
            storm,
            storms,
            repeat_step,
            probe,
            lose,
            stray,
            parked: BTreeSet::new(),
            queued: Vec::new(),
            quiet: 0,
        }
    }

    pub(crate) fn write(mut self) -> Vec<Act<W::CommandData>> {
        let mut acts = Vec::new();
        while self.sent.len() < self.commands {
            self.quiet = self.quiet.saturating_sub(1);
            let due = self.queued.iter().position(|(left, _)| *left == 0);
            self.queued.iter_mut().for_each(|(left, _)| *left = left.saturating_sub(1));
            let act = match due {
                Some(due) => self.queued.swap_remove(due).1,
                None if self.quiet == 0 && self.dice.below(self.pace as usize) == 0 => self.send(),
                None => self.other(),
            };
            acts.push(act);
        }
        acts
    }

    fn send(&mut self) -> Act<W::CommandData> {
        let mut command = W::command(&mut self.producer, self.dice, self.sent.len());
        let at = W::partition(&command.data, self.partitions);
        if self.dice.per_mille(self.repeat) {
            // an id again, by chance with other content: one command as long as its partition is the
            // same, since another partition cannot know it. Mostly a recent one, which must be known
            let most = if self.dice.per_mille(800) { 5 } else { usize::MAX };
            let recent = self.sent.iter().rev().filter(|(partition, _)| *partition == at).take(most);
            let recent: Vec<_> = recent.map(|(_, command)| command.clone()).collect();
            if !recent.is_empty() {
                let again = self.dice.pick(&recent).clone();
                command = if self.dice.below(3) == 0 { Command { id: again.id, ..command } } else { again };
            }
        }
        self.sent.push((at, command.clone()));
        if self.storm > 0 && self.storms.per_mille(self.storm) {
            // more often than is answered with the first answer, if this begins a process
            for _ in 0..self.storms.within(5, 30) {
                self.queued.push((0, Act::Send(Box::new(command.clone()))));
            }
        }
        Act::Send(Box::new(command))
    }

    fn stray(&mut self) -> Act<W::CommandData> {
        let key = self.dice.below(KEYS);
        let what = match self.dice.below(10) {
            _ if self.parked.insert(key) => Stray::Junk { key },
            0 => Stray::Junk { key },
            1..4 => Stray::Ask { key },
            4..7 => Stray::Forge { key, luck: self.dice.roll() },
            7 | 8 => Stray::Replay { pick: self.dice.roll() },
            _ => Stray::Redrive { key },
        };
        Act::Stray { what, luck: self.dice.roll() | 1 }
    }

    fn other(&mut self) -> Act<W::CommandData> {
        let process = self.dice.roll();
        let mut chance = self.dice.below(1_000) as u32;
        let mut falls = |rate: u32| {
            let hit = chance < rate;
            chance = chance.saturating_sub(rate);
            hit
        };
        if falls(self.crash) {
            let disk = match self.dice.below(12) {
                0 | 1 => DiskFate::LosesPower(self.dice.within(1, 4) as usize),
                2 => DiskFate::Wiped,
                3 => DiskFate::Damaged,
                _ => DiskFate::Kept,
            };
            let crash = Act::Crash { process, restart: self.dice.per_mille(800), disk };
            if self.dice.per_mille(500) {
                return crash;
            }
            // a commit is answered, and its owner dies before all of its markers are written
            self.queued.push((self.dice.below(12), crash));
            return Act::HoldMarkers { acts: 24, salt: self.dice.roll() };
        }
        if falls(self.disk) {
            let fates = [DiskFate::Damaged, DiskFate::Full, DiskFate::Emptied, DiskFate::Emptied];
            return Act::Disk { process, fate: *self.dice.pick(&fates) };
        }
        if falls(self.join) {
            return Act::Join { process };
        }
        if falls(self.leave) {
            return Act::Leave { process };
        }
        if falls(self.sleep) {
            let acts = self.dice.within(5, 120) as usize;
            // it goes on where it was before it hears that it was replaced
            for turn in 0..self.dice.below(8) {
                let (lane, luck) = (self.dice.roll(), 0);
                self.queued.push((acts + turn, Act::Lane { process, lane, steps: 1, luck }));
            }
            return Act::Sleep { process, acts };
        }
        if falls(self.pass) {
            let micros = match self.dice.below(40) {
                // the day may change
                0 => self.dice.within(600, 40_000) * 1_000_000,
                1..10 => 11_000_000,
                10..20 => 4_000_000,
                // until tombstones have expired, or nearly; soon after somebody needs what stood by meanwhile
                20..23 if let Some(seconds) = self.tombstone_seconds => {
                    let (restart, disk) = (self.dice.per_mille(500), DiskFate::Kept);
                    let crash = Act::Crash { process: self.dice.roll(), restart, disk };
                    self.queued.push((self.dice.below(30), crash));
                    self.dice.within(seconds as i64 / 4, 2 * seconds as i64) * 1_000_000
                }
                _ => self.dice.within(1, 1_000_000),
            };
            return Act::Pass { micros, in_touch: self.dice.below(4) > 0 };
        }
        if falls(self.set_clock) {
            return Act::SetClock { process, ahead: self.dice.within(-90_000_000, 90_000_000) };
        }
        if falls(self.hold_markers) {
            let salt = if self.dice.per_mille(300) { 0 } else { self.dice.roll() };
            let acts = self.dice.within(2, 80) as usize;
            for _ in 0..self.dice.below(3) {
                self.queued.push((self.dice.below(acts), Act::Probe { luck: self.dice.roll() }));
            }
            if self.dice.per_mille(500) {
                // who has nothing more to write leaves markers as they are for longer
                self.quiet = acts;
                if let Some(data) = W::introduce(self.sent.len() + acts) {
                    let id = format!("new-{}-{acts}", self.sent.len());
                    let command = Command { id: id.into(), metadata: Metadata::default(), data };
                    let at = W::partition(&command.data, self.partitions);
                    self.sent.push((at, command.clone()));
                    self.queued.push((0, Act::Send(Box::new(command))));
                }
            }
            return Act::HoldMarkers { acts, salt };
        }
        if falls(self.store_down) {
            return Act::StoreDown { acts: self.dice.within(2, 60) as usize };
        }
        if falls(self.probe) {
            return Act::Probe { luck: self.dice.roll() };
        }
        if falls(self.lose) {
            let loss = if self.dice.below(2) == 0 { Loss::State } else { Loss::Steps };
            self.queued.push((self.dice.within(10, 80) as usize, Act::BringBack));
            return Act::Lose { loss, partition: self.dice.roll() };
        }
        if falls(self.repeat_step) {
            return Act::RepeatStep { pick: self.dice.roll() };
        }
        if falls(self.stray) {
            return self.stray();
        }
        let luck = self.dice.roll() | 1;
        match self.dice.below(100) {
            0..12 => Act::Member { process, luck },
            12..24 => Act::Follow { process, luck },
            24..26 => Act::LateWrites,
            26 => Act::Look,
            33 => Act::Trim { process, luck },
            27..33 if self.copies => Act::StandBy { process, pick: self.dice.roll(), luck },
            _ => {
                let steps = if self.dice.per_mille(400) { 1 } else { self.dice.within(2, 9) as usize };
                Act::Lane { process, lane: self.dice.roll(), steps, luck }
            }
        }
    }
}
