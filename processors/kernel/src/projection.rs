//! Projections: events in, rows out, with a fold of the same partition's events beside.

use crate::message::Event;
use crate::row::Write;

/// A group of views that are filled together by one consumer group.
pub struct ProjectionFamily<E> {
    /// Its name: part of the consumer group's.
    pub name: &'static str,
    /// The tables it writes. No other family writes them.
    pub views: &'static [&'static str],
    /// Makes the projector of one source partition, with nothing folded yet.
    pub projector: Box<dyn Fn(i32) -> Box<dyn Projector<E>> + Send + Sync>,
}

/// The projection of one source partition: a fold over its events, in their order.
///
/// It is rebuilt by folding the same events again, so it holds nothing that is not a
/// function of them. The engine mutes `writes` while it does so.
pub trait Projector<E>: Send {
    /// Takes in `event` and asks for the rows that follow from it, with the local state
    /// *as of* that event.
    fn apply(&mut self, event: &Event<E>, writes: &mut Writes);
}

/// The rows an event asks for, in stages: a stage is acknowledged by the store before the
/// next one starts. Within a stage writes may land in any order.
#[derive(Debug, Default)]
pub struct Writes {
    stages: Vec<Vec<Write>>,
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
        Self { stages: Vec::new(), muted: true }
    }

    /// Whether writes are dropped; lets a projector skip the work of making many.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// Asks for a write in the current stage.
    pub fn push(&mut self, write: Write) {
        if self.muted {
            return;
        }
        match self.stages.last_mut() {
            Some(stage) => stage.push(write),
            None => self.stages.push(vec![write]),
        }
    }

    /// Ends the current stage: what follows starts when the store has acknowledged it.
    pub fn then(&mut self) {
        if !self.muted && self.stages.last().is_some_and(|stage| !stage.is_empty()) {
            self.stages.push(Vec::new());
        }
    }

    /// The stages asked for since the last call; empty ones are left out.
    pub fn take(&mut self) -> Vec<Vec<Write>> {
        let mut stages = std::mem::take(&mut self.stages);
        stages.retain(|stage| !stage.is_empty());
        stages
    }
}
