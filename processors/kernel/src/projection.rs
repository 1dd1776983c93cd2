//! Projections: events in, rows out, with what is known of earlier events of the same partition beside.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fan_out::{FanOut, Place, StagedProjector, Writes};
use crate::known::{InMemory, Keeps, Known};
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
    /// revision; another one fills the next version of them (`millrace rebuild`). It is raised as well when what is known
    /// by key comes to look otherwise: what an earlier revision has kept is not read.
    pub revision: String,
    /// Makes the projector of one source partition: [`stateless`], [`keyed`], or one that writes in stages.
    pub projector: Box<dyn Fn(i32) -> Box<dyn StagedProjector<E>> + Send + Sync>,
}

impl<E> Projection<E> {
    /// The projector of a partition with a memory of its own, which knows nothing yet: for audits, tests and tools.
    #[must_use]
    pub fn standalone(&self, partition: i32) -> Standalone<E> {
        Standalone { projector: (self.projector)(partition), known: InMemory::default() }
    }
}

/// A projection whose rows follow from the event alone.
pub trait Projector<E>: Send {
    /// The rows that follow from `event`.
    fn apply(&self, event: &Event<E>, rows: &mut Rows<'_>);
}

/// A projection whose rows follow from the event and from what is known of its key: a fold, like the state of an
/// aggregate. Events without number of one event, or rows that must not be seen before those of another, want a
/// [`StagedProjector`] instead.
pub trait KeyedProjector<E>: Send {
    /// What is known of a key. It is kept on disk: raise the projection's revision when it comes to look otherwise.
    type State: Serialize + DeserializeOwned;

    /// Whose state `event` changes, if it concerns any: unique within the projection, such as the id of an account.
    fn key<'e>(&self, event: &'e Event<E>) -> Option<&'e str>;

    /// The state with `event` folded in; total, it cannot fail. Nothing where nothing need be known.
    fn evolve(&self, state: Option<Self::State>, event: &Event<E>) -> Option<Self::State>;

    /// The rows that follow from `event`, with the state *as of* that event. Not asked for where that is nothing.
    fn apply(&self, state: &Self::State, event: &Event<E>, rows: &mut Rows<'_>);
}

/// The rows that an event asks for. They may be written in any order.
#[derive(Debug)]
pub struct Rows<'w>(&'w mut Writes);

impl Rows<'_> {
    /// Asks for a write.
    pub fn push(&mut self, write: Write) {
        self.0.push(write);
    }
}

/// A [`Projector`], for [`Projection::projector`].
pub fn stateless<E: 'static>(projector: impl Projector<E> + 'static) -> Box<dyn StagedProjector<E>> {
    Box::new(Stateless(projector))
}

/// A [`KeyedProjector`], for [`Projection::projector`].
pub fn keyed<E: 'static>(projector: impl KeyedProjector<E> + 'static) -> Box<dyn StagedProjector<E>> {
    Box::new(ByKey(projector))
}

struct Stateless<P>(P);

impl<E, P: Projector<E>> StagedProjector<E> for Stateless<P> {
    fn keeps(&self) -> Keeps {
        Keeps::Nothing
    }

    fn stage(&mut self, event: &Event<E>, _known: &mut dyn Known, writes: &mut Writes) {
        if !writes.is_muted() {
            self.0.apply(event, &mut Rows(writes));
        }
    }
}

struct ByKey<P>(P);

impl<E, P: KeyedProjector<E>> StagedProjector<E> for ByKey<P> {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<E>, known: &mut dyn Known, writes: &mut Writes) {
        let Some(key) = self.0.key(event) else { return };
        let key = key.as_bytes();
        let before = match known.get(key).map(serde_json::from_slice).transpose() {
            Ok(before) => before,
            Err(error) => return known.distrust(key, error.to_string()),
        };
        let was_there = before.is_some();
        let Some(state) = self.0.evolve(before, event) else {
            if was_there {
                known.remove(key);
            }
            return;
        };
        match serde_json::to_vec(&state) {
            Ok(encoded) => known.put(key, encoded),
            Err(error) => return known.distrust(key, error.to_string()),
        }
        if !writes.is_muted() {
            self.0.apply(&state, event, &mut Rows(writes));
        }
    }
}

/// A projector and all that it knows, in memory.
pub struct Standalone<E> {
    projector: Box<dyn StagedProjector<E>>,
    known: InMemory,
}

impl<E> Standalone<E> {
    /// Takes in `event`, as [`StagedProjector::stage`].
    pub fn stage(&mut self, event: &Event<E>, writes: &mut Writes) {
        self.projector.stage(event, &mut self.known, writes);
    }

    /// The next rows of a fan-out, as [`StagedProjector::fan_out`].
    pub fn fan_out(&mut self, fan_out: FanOut, most: usize, rows: &mut Vec<Write>) -> bool {
        self.projector.fan_out(fan_out, most, &mut self.known, rows)
    }

    /// Where a fan-out is, as [`StagedProjector::place`].
    pub fn place(&mut self, fan_out: FanOut) -> Option<Place> {
        self.projector.place(fan_out, &mut self.known)
    }

    /// Goes on with a fan-out at a place, as [`StagedProjector::go_on_at`].
    pub fn go_on_at(&mut self, fan_out: FanOut, place: Place) -> bool {
        self.projector.go_on_at(fan_out, place, &mut self.known)
    }

    /// As [`Writes::take`], with all rows of all fan-outs made at once, stage by stage.
    pub fn take_whole(&mut self, writes: &mut Writes) -> Vec<Vec<Write>> {
        let asked = writes.take();
        let mut whole = asked.ahead;
        for stage in asked.stages {
            let mut rows = stage.writes;
            for fan_out in stage.fan_outs {
                while self.fan_out(fan_out, usize::MAX, &mut rows) {}
            }
            whole.push(rows);
        }
        whole
    }

    /// Takes in `event` and gives all rows that follow from it, stage by stage.
    pub fn rows(&mut self, event: &Event<E>) -> Vec<Vec<Write>> {
        let mut writes = Writes::new();
        self.stage(event, &mut writes);
        self.take_whole(&mut writes)
    }
}
