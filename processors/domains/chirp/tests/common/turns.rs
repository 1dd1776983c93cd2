//! Projections whose fan-outs are written in pieces, in any order that the engine may choose: an event
//! of an author waits for the author's fan-outs, everything else goes on.

use std::collections::{BTreeMap, VecDeque};

use millrace_domain_chirp::{EventData, Settings};
use millrace_kernel::{Event, FanOut, Stage, Write, Writes};

use super::network::{Dice, Oracle, Projections};

/// An event whose rows are not all written.
struct Waiting {
    event: Event<EventData>,
    stages: VecDeque<Stage>,
    has_begun: bool,
}

/// Projections, and the events of every author that are still being written.
pub struct InTurns {
    pub projections: Projections,
    /// By partition and line.
    lines: BTreeMap<(i32, u64), VecDeque<Waiting>>,
    /// How often an event was taken in while a fan-out of another author was under way.
    pub overtaken: usize,
}

impl InTurns {
    pub fn new(settings: &Settings) -> Self {
        Self { projections: Projections::new(settings), lines: BTreeMap::new(), overtaken: 0 }
    }

    /// Whether all rows are written.
    pub fn is_done(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes in the next event of a partition, and writes its rows if it need not wait.
    pub fn take(&mut self, partition: i32, event: &Event<EventData>, dice: &mut Dice) {
        let (mut ahead, mut now) = (Vec::new(), Vec::new());
        let mut is_parked = false;
        for family in 0..self.projections.families() {
            let mut writes = Writes::new();
            self.projections.projector(family, partition).stage(event, &mut writes);
            let asked = writes.take();
            ahead.extend(asked.ahead);
            let waits = asked.line.is_some_and(|line| self.lines.contains_key(&(partition, line)));
            if let (Some(line), true) =
                (asked.line, waits || asked.stages.iter().any(|stage| !stage.fan_outs.is_empty()))
            {
                let waiting = Waiting { event: event.clone(), stages: asked.stages.into(), has_begun: false };
                self.lines.entry((partition, line)).or_default().push_back(waiting);
                is_parked = true;
            } else {
                now.extend(asked.stages);
            }
        }
        for mut writes in ahead {
            dice.shuffle(&mut writes);
            for write in writes {
                self.projections.tables.write(&write);
                self.check(std::slice::from_ref(&self.projections.oracle));
            }
        }
        if is_parked {
            assert_eq!(now, [], "an event is of one family here");
            return;
        }
        self.overtaken += usize::from(!self.lines.is_empty());
        let before = self.projections.oracle.clone();
        let mut after = before.clone();
        after.apply(event);
        for Stage { mut writes, fan_outs } in now {
            assert_eq!(fan_outs, [], "who announces a fan-out is in a line");
            dice.shuffle(&mut writes);
            for write in writes {
                self.projections.tables.write(&write);
                self.check(&[before.clone(), after.clone()]);
            }
        }
        self.projections.oracle = after;
    }

    /// Writes some rows of some line.
    pub fn go_on(&mut self, dice: &mut Dice) {
        let Some(at) = self.lines.keys().nth(dice.below(self.lines.len())).copied() else { return };
        let rows = self.piece(at, 1 + dice.below(3), dice);
        for row in rows {
            self.projections.tables.write(&row);
            self.check(std::slice::from_ref(&self.projections.oracle));
        }
        self.finish(at);
    }

    /// Some rows of the first stage of the first event of a line.
    fn piece(&mut self, at: (i32, u64), most: usize, dice: &mut Dice) -> Vec<Write> {
        let Some(waiting) = self.lines.get_mut(&at).and_then(VecDeque::front_mut) else { return Vec::new() };
        waiting.has_begun = true;
        let Some(stage) = waiting.stages.front_mut() else { return Vec::new() };
        dice.shuffle(&mut stage.writes);
        let mut rows: Vec<Write> = stage.writes.drain(..most.min(stage.writes.len())).collect();
        while let Some(fan_out) = stage.fan_outs.first().filter(|_| rows.len() < most) {
            let before = rows.len();
            let family = self.projections.family("timelines");
            let projector = self.projections.projector(family, at.0);
            let has_more = projector.fan_out(FanOut(fan_out.0), most - before, &mut rows);
            assert!(
                rows.len() <= most && (!has_more || rows.len() > before),
                "no more than asked for, but some"
            );
            if !has_more {
                stage.fan_outs.remove(0);
            }
        }
        if stage.is_empty() {
            waiting.stages.pop_front();
        }
        rows
    }

    fn finish(&mut self, at: (i32, u64)) {
        let Some(queue) = self.lines.get_mut(&at) else { return };
        let is_written = queue.front().is_some_and(|waiting| waiting.stages.is_empty());
        if let Some(done) = is_written.then(|| queue.pop_front()).flatten() {
            self.projections.oracle.apply(&done.event);
        }
        if queue.is_empty() {
            self.lines.remove(&at);
        }
    }

    /// Every feed is one of `oracles`, with any of the events that are being written.
    fn check(&self, oracles: &[Oracle]) {
        let begun: Vec<&Event<EventData>> = self
            .lines
            .values()
            .filter_map(|queue| queue.front())
            .filter(|waiting| waiting.has_begun)
            .map(|waiting| &waiting.event)
            .collect();
        let mut possible = Vec::new();
        for oracle in oracles {
            for some in 0..1_u32 << begun.len() {
                let mut oracle = oracle.clone();
                (0..begun.len()).filter(|n| some >> n & 1 == 1).for_each(|n| oracle.apply(begun[n]));
                possible.push(oracle);
            }
        }
        let cap = self.projections.settings.timeline_cap;
        for reader in &oracles[0].users {
            let seen = self.projections.feed(reader);
            assert!(
                possible.iter().any(|oracle| oracle.feed(reader, cap) == seen),
                "{reader} sees {seen:?} amid {begun:?}, which is none of {:?}",
                possible.iter().map(|oracle| oracle.feed(reader, cap)).collect::<Vec<_>>()
            );
        }
    }
}
