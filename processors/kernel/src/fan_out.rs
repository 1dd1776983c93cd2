//! Projections whose rows follow an order: stages, lines, and fan-outs that are written in pieces.

use crate::known::{Keeps, Known};
use crate::message::Event;
use crate::row::Write;

/// The projection of one source partition, of which some event has rows without number, or rows that must not be seen
/// before others. A [`Projector`](crate::Projector) or [`KeyedProjector`](crate::KeyedProjector) is one for the engine, too.
pub trait StagedProjector<E>: Send {
    /// What it needs of the events before.
    fn keeps(&self) -> Keeps {
        Keeps::Fold
    }

    /// Takes in `event` and asks for the rows that follow from it, with what is known *as of* that event.
    fn stage(&mut self, event: &Event<E>, known: &mut dyn Known, writes: &mut Writes);

    /// Adds the next rows of a fan-out that [`Writes::fan_out`] has announced to `rows`, at most
    /// `most` (at least 1) of them, and returns whether there are more. The rows are those of the
    /// announcing event, though later events may have been taken in since. Not called again after
    /// it has returned `false`. Who announces none need not have it.
    fn fan_out(
        &mut self,
        _fan_out: FanOut,
        _most: usize,
        _known: &mut dyn Known,
        _rows: &mut Vec<Write>,
    ) -> bool {
        false
    }

    /// Where a fan-out is, so that another instance that comes to the same event can go on there. Nothing where that
    /// cannot be told: the other one then begins at its first row.
    fn place(&mut self, _fan_out: FanOut, _known: &mut dyn Known) -> Option<Place> {
        None
    }

    /// Lets a fan-out go on at a place that it had elsewhere; the rows up to there are in the tables. Nothing is changed
    /// where the place is of something else, or not ahead. Returns whether it is of this fan-out.
    fn go_on_at(&mut self, _fan_out: FanOut, _place: Place, _known: &mut dyn Known) -> bool {
        false
    }
}

/// A place in a fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Greater the further the fan-out is.
    pub passed: u32,
    /// A digest of what decides which rows come up to a place: who finds another one is at another fan-out.
    pub order: u64,
}

/// Many rows of one event that are made when they are written: the projector knows which, by this
/// number of its own choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FanOut(pub u64);

/// Rows that may be written in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Rows at hand.
    pub writes: Vec<Write>,
    /// Rows to be made in pieces ([`StagedProjector::fan_out`]).
    pub fan_outs: Vec<FanOut>,
}

impl Stage {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.fan_outs.is_empty()
    }
}

/// What one event asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Rows that wait in no line ([`Writes::ahead`]), in stages.
    pub ahead: Vec<Vec<Write>>,
    /// Events of one line are written in their order ([`Writes::in_line`]).
    pub line: Option<u64>,
    /// Each is acknowledged before the next one starts.
    pub stages: Vec<Stage>,
}

/// The rows an event asks for, in stages: a stage is acknowledged by the store before the
/// next one starts. Within a stage writes may land in any order.
#[derive(Debug, Default)]
pub struct Writes {
    asked: Asked,
    muted: bool,
}

impl Writes {
    /// Collects writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Drops writes: the local state is being folded again and the rows are there already.
    #[must_use]
    pub fn muted() -> Self {
        Self { asked: Asked::default(), muted: true }
    }

    /// Whether writes are dropped; lets a projector skip the work of making many.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// Puts this event's rows behind those of earlier events of the same `line` that are still
    /// being written. Events of no line, and of different lines, wait for nobody. A projector that
    /// announces fan-outs says so of every event whose rows must not be seen before theirs.
    pub fn in_line(&mut self, line: u64) {
        if !self.muted {
            self.asked.line = Some(line);
        }
    }

    /// Asks for a write in the current stage.
    pub fn push(&mut self, write: Write) {
        if !self.muted {
            self.stage().writes.push(write);
        }
    }

    /// Asks for writes in the current stage.
    pub fn extend(&mut self, writes: impl IntoIterator<Item = Write>) {
        writes.into_iter().for_each(|write| self.push(write));
    }

    /// Asks for writes, stage by stage, that wait for no earlier event of the line and for no other
    /// row of this event: those that others of other lines count on, and that are right sooner, too.
    pub fn ahead(&mut self, stages: impl IntoIterator<Item = Vec<Write>>) {
        if !self.muted {
            self.asked.ahead.extend(stages.into_iter().filter(|stage| !stage.is_empty()));
        }
    }

    /// Announces a fan-out in the current stage: rows that are made in pieces while other events
    /// have their turns, so that one event with a million rows neither fills the memory nor stops
    /// everybody else.
    pub fn fan_out(&mut self, fan_out: FanOut) {
        if !self.muted {
            self.stage().fan_outs.push(fan_out);
        }
    }

    /// Ends the current stage: what follows starts when the store has acknowledged it.
    pub fn then(&mut self) {
        if !self.muted && self.asked.stages.last().is_some_and(|stage| !stage.is_empty()) {
            self.asked.stages.push(Stage::default());
        }
    }

    /// What was asked for since the last call; empty stages are left out.
    pub fn take(&mut self) -> Asked {
        let mut asked = std::mem::take(&mut self.asked);
        asked.stages.retain(|stage| !stage.is_empty());
        asked
    }

    fn stage(&mut self) -> &mut Stage {
        if self.asked.stages.is_empty() {
            self.asked.stages.push(Stage::default());
        }
        let last = self.asked.stages.len() - 1;
        &mut self.asked.stages[last]
    }
}
