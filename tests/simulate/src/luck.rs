//! What goes wrong inside one step: asked by the log and by the store before each of their
//! operations, answered by the step's own luck.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_ports::TopicPartition;
use millrace_testkit::log::memory::{Faults, Operation, Verdict};

use crate::dice::{Dice, Digest};
use crate::plan::Rates;
use crate::tally::Tally;

/// What becomes of a call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreVerdict {
    /// All writes are applied, in any order.
    Apply,
    /// Nothing is, and it fails.
    Refuse,
    /// All are, and it fails all the same.
    Timeout,
    /// Some are, and it fails.
    Partly,
    /// It fails, and all are applied some time later.
    Late,
}

/// Chance, as the log and the store see it. Clones share it.
#[derive(Clone)]
pub struct Luck(Arc<Mutex<Inner>>);

struct Inner {
    rates: Rates,
    /// The chance of the step that is taken now; `None` when nothing goes wrong in it.
    dice: Option<Dice>,
    /// After how many more operations the process dies.
    dies_after: Option<usize>,
    /// It has died: whatever it still does comes to nothing.
    is_dead: bool,
    holds_markers: Option<u64>,
    store_is_down: bool,
    tally: Tally,
}

/// Most operations of one step that a process may die in.
const OPERATIONS: usize = 6;

impl Luck {
    /// Nothing goes wrong until a step begins.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            rates,
            dice: None,
            dies_after: None,
            is_dead: false,
            holds_markers: None,
            store_is_down: false,
            tally: Tally::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step begins, with this luck; 0 = nothing goes wrong.
    pub fn begin(&self, luck: u64) {
        let mut inner = self.lock();
        let mut dice = Dice::new(luck);
        let chance = inner.rates.die_inside;
        inner.dies_after = (luck != 0 && dice.per_mille(chance)).then(|| dice.below(OPERATIONS));
        inner.dice = (luck != 0).then_some(dice);
        inner.is_dead = false;
    }

    /// The step ends; whether its process has died in it.
    pub fn end(&self) -> bool {
        let mut inner = self.lock();
        inner.dice = None;
        inner.dies_after = None;
        std::mem::take(&mut inner.is_dead)
    }

    /// The broker writes no markers to the partitions that `salt` chooses (0 = all), or goes on writing.
    pub fn hold_markers(&self, salt: Option<u64>) {
        self.lock().holds_markers = salt;
    }

    /// The store is out of reach, or back.
    pub fn set_store_down(&self, down: bool) {
        self.lock().store_is_down = down;
    }

    /// What has happened so far.
    pub fn tally(&self) -> Tally {
        self.lock().tally.clone()
    }

    /// How many calls of the store were applied in part so far.
    pub fn partly(&self) -> u64 {
        self.lock().tally.store_partly
    }

    /// Counts what happens outside the log and the store.
    pub fn count(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.lock().tally);
    }

    /// What becomes of a call of the store, and the dice for what is left to chance in it.
    pub fn store_verdict(&self) -> (StoreVerdict, Dice) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.is_dead {
            return (StoreVerdict::Refuse, Dice::new(0));
        }
        let verdict = inner.store_chance();
        match verdict {
            StoreVerdict::Apply => {}
            StoreVerdict::Refuse => inner.tally.store_refused += 1,
            StoreVerdict::Timeout => inner.tally.store_timed_out += 1,
            StoreVerdict::Partly => inner.tally.store_partly += 1,
            StoreVerdict::Late => inner.tally.store_late += 1,
        }
        let dice = inner.dice.as_mut().map_or_else(|| Dice::new(0), |dice| Dice::new(dice.roll()));
        (verdict, dice)
    }
}

impl Inner {
    /// Counts down to the death of the process; `Some(true)` when the operation still happens.
    fn dies(&mut self) -> Option<bool> {
        match &mut self.dies_after {
            Some(0) => {
                self.is_dead = true;
                self.dies_after = None;
                Some(self.dice.as_mut().is_some_and(|dice| dice.per_mille(500)))
            }
            Some(left) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    fn store_chance(&mut self) -> StoreVerdict {
        if let Some(happens) = self.dies() {
            return if happens { StoreVerdict::Partly } else { StoreVerdict::Refuse };
        }
        if self.store_is_down {
            return StoreVerdict::Refuse;
        }
        let Some(dice) = &mut self.dice else { return StoreVerdict::Apply };
        let rates = &self.rates;
        if dice.per_mille(rates.store_refuse) {
            StoreVerdict::Refuse
        } else if dice.per_mille(rates.store_timeout) {
            StoreVerdict::Timeout
        } else if dice.per_mille(rates.store_partly) {
            StoreVerdict::Partly
        } else if dice.per_mille(rates.store_late) {
            StoreVerdict::Late
        } else {
            StoreVerdict::Apply
        }
    }

    fn log_chance(&mut self, operation: &Operation<'_>) -> Verdict {
        if let Operation::WriteMarkers { at, .. } = operation {
            let waits = self.holds_markers.is_some_and(|salt| is_chosen(*at, salt))
                || self.dice.as_mut().is_some_and(|dice| dice.per_mille(self.rates.marker_later));
            self.tally.markers_delayed += u64::from(waits);
            return if waits { Verdict::Later } else { Verdict::Proceed };
        }
        if self.is_dead {
            return Verdict::Refuse;
        }
        // a rebalance is told by the client's own library, whose answer cannot be lost, and what
        // it has revoked is given back without the broker
        let (may_refuse, may_lose) = match operation {
            Operation::Release { .. } => (false, true),
            Operation::PollGroup { .. } | Operation::PollReader => (true, false),
            _ => (true, true),
        };
        if let Some(happens) = self.dies() {
            return if happens && may_lose { Verdict::LoseAnswer } else { Verdict::Refuse };
        }
        let Some(dice) = &mut self.dice else { return Verdict::Proceed };
        let rates = &self.rates;
        if may_refuse && dice.per_mille(rates.refuse) {
            self.tally.refused += 1;
            Verdict::Refuse
        } else if may_lose && dice.per_mille(rates.lose_answer) {
            self.tally.answers_lost += 1;
            Verdict::LoseAnswer
        } else if dice.per_mille(rates.later) {
            self.tally.later += 1;
            Verdict::Later
        } else {
            Verdict::Proceed
        }
    }
}

/// Whether `salt` chooses a place: all of them, or what one broker of four leads.
fn is_chosen(at: Option<&TopicPartition>, salt: u64) -> bool {
    let mut name = Digest::default();
    if let Some(at) = at {
        name.bytes(at.topic.as_bytes());
        name.number(i64::from(at.partition));
    }
    salt == 0 || Dice::new(name.value() ^ salt).per_mille(250)
}

impl Faults for Luck {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        self.lock().log_chance(operation)
    }
}
