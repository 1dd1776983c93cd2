//! Projections: events in, rows out, with a fold of the same partition's events beside.

use crate::fan_out::{FanOut, StagedProjector, Writes};
use crate::message::Event;
use crate::row::Write;

/// A group of views that are filled together by one consumer group.
pub struct Projection<E> {
    /// Its name: part of the consumer group's.
    pub name: &'static str,
    /// The tables it writes. No other family writes them.
    pub views: &'static [&'static str],
    /// Which rows it makes of an event: a number that is raised when the code comes to make others,
    /// and the settings they depend on, in words. Tables are only filled by projectors of one
    /// revision; another one fills the next version of them (`millrace rebuild`).
    pub revision: String,
    /// Makes the projector of one source partition, with nothing folded yet: a [`Projector`], or one that writes in
    /// stages.
    pub projector: Box<dyn Fn(i32) -> Box<dyn StagedProjector<E>> + Send + Sync>,
}

/// The projection of one source partition: a fold over its events, in their order.
///
/// It is rebuilt by folding the same events again, so it holds nothing that is not a function of them. The engine mutes
/// `rows` while it does so. One event of which rows without number follow, or whose rows must not be seen before those of
/// another, wants a [`StagedProjector`] instead.
pub trait Projector<E>: Send {
    /// Takes in `event` and asks for the rows that follow from it, with the local state *as of* that event.
    fn apply(&mut self, event: &Event<E>, rows: &mut Rows<'_>);
}

/// The rows that an event asks for. They may be written in any order.
#[derive(Debug)]
pub struct Rows<'w>(&'w mut Writes);

impl Rows<'_> {
    /// Asks for a write.
    pub fn push(&mut self, write: Write) {
        self.0.push(write);
    }

    /// Whether writes are dropped; lets a projector skip the work of making many.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.0.is_muted()
    }
}

impl<E, P: Projector<E>> StagedProjector<E> for P {
    fn stage(&mut self, event: &Event<E>, writes: &mut Writes) {
        self.apply(event, &mut Rows(writes));
    }

    /// It announces none.
    fn fan_out(&mut self, _fan_out: FanOut, _most: usize, _rows: &mut Vec<Write>) -> bool {
        false
    }
}
