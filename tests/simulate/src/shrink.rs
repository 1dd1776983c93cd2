//! Makes a history that fails as short as it can while it goes on failing.

use crate::plan::{Act, Plan};
use crate::run::run;
use crate::workload::Workload;

/// The shortest history found that breaks the same rule as `plan` does, with at most so many `tries`.
#[must_use]
pub fn shrink<W: Workload>(plan: &Plan<W>, tries: usize) -> Plan<W> {
    let Some(failure) = run(plan, false).failure else { return copy(plan) };
    let mut shrinking = Shrinking { best: copy(plan), rule: failure.rule, tries };
    loop {
        let before = (shrinking.best.acts.len(), size(&shrinking.best));
        shrinking.fewer_processes();
        shrinking.fewer_acts();
        shrinking.fewer_faults();
        shrinking.fewer_steps();
        if (shrinking.best.acts.len(), size(&shrinking.best)) == before || shrinking.tries == 0 {
            return shrinking.best;
        }
    }
}

fn copy<W: Workload>(plan: &Plan<W>) -> Plan<W> {
    Plan { seed: plan.seed, setup: plan.setup.clone(), acts: plan.acts.clone() }
}

/// How much there is to it besides its length.
fn size<W: Workload>(plan: &Plan<W>) -> usize {
    let lucky = plan.acts.iter().filter(|act| {
        matches!(
            act,
            Act::Lane { luck: 1.., .. }
                | Act::Trim { luck: 1.., .. }
                | Act::Member { luck: 1.., .. }
                | Act::Follow { luck: 1.., .. }
                | Act::Operate { luck: 1.., .. }
        )
    });
    lucky.count() + plan.setup.processors + plan.setup.projectors + plan.setup.partitions as usize
}

struct Shrinking<W: Workload> {
    best: Plan<W>,
    rule: &'static str,
    tries: usize,
}

impl<W: Workload> Shrinking<W> {
    /// Takes `plan` for the best if it still fails in the same way.
    fn accept(&mut self, plan: Plan<W>) -> bool {
        if self.tries == 0 {
            return false;
        }
        self.tries -= 1;
        let fails = run(&plan, false).failure.is_some_and(|failure| failure.rule == self.rule);
        if fails {
            self.best = plan;
        }
        fails
    }

    fn fewer_processes(&mut self) {
        for change in [
            |plan: &mut Plan<W>| plan.setup.processors = 1,
            |plan: &mut Plan<W>| plan.setup.projectors = 1,
            |plan: &mut Plan<W>| plan.setup.disks = false,
            |plan: &mut Plan<W>| plan.setup.copies = false,
            |plan: &mut Plan<W>| plan.setup.tombstone_seconds = None,
            |plan: &mut Plan<W>| plan.setup.partitions = 1,
            |plan: &mut Plan<W>| plan.setup.partitions = 2,
        ] {
            let mut plan = copy(&self.best);
            change(&mut plan);
            if plan.setup != self.best.setup && plan.setup.partitions <= self.best.setup.partitions {
                self.accept(plan);
            }
        }
    }

    /// Leaves out ever shorter pieces.
    fn fewer_acts(&mut self) {
        let mut piece = self.best.acts.len().div_ceil(2).max(1);
        loop {
            let mut at = 0;
            while at < self.best.acts.len() {
                let mut plan = copy(&self.best);
                let end = (at + piece).min(plan.acts.len());
                plan.acts.drain(at..end);
                if !self.accept(plan) {
                    at += piece;
                }
            }
            if piece == 1 || self.tries == 0 {
                return;
            }
            piece = piece.div_ceil(2);
        }
    }

    /// Lets lanes take one step instead of several.
    fn fewer_steps(&mut self) {
        for at in 0..self.best.acts.len() {
            let mut plan = copy(&self.best);
            match &mut plan.acts[at] {
                Act::Lane { steps, .. } if *steps > 1 => *steps = 1,
                _ => continue,
            }
            self.accept(plan);
        }
    }

    /// Lets steps go well that need not go wrong.
    fn fewer_faults(&mut self) {
        for at in 0..self.best.acts.len() {
            let mut plan = copy(&self.best);
            match &mut plan.acts[at] {
                Act::Lane { luck, .. }
                | Act::Trim { luck, .. }
                | Act::Member { luck, .. }
                | Act::Follow { luck, .. }
                | Act::Operate { luck, .. }
                    if *luck != 0 =>
                {
                    *luck = 0;
                }
                _ => continue,
            }
            self.accept(plan);
        }
    }
}
