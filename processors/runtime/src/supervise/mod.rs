//! A group member and its lanes: a thread for each partition that is ours, for as long as
//! it is ours.

mod member;
mod patience;
mod setback;
mod stop;
mod worker;

use std::time::Duration;

pub use member::{Moves, Supervision};
pub(crate) use patience::Patience;
pub use patience::persist;
pub use stop::Stop;

use crate::health::LaneState;
use crate::processor::lane::Turn;

/// What is in the way of a lane.
pub struct Trouble {
    /// What happened, with its causes.
    pub message: String,
    /// How far the lane had come: inputs with the offsets at which it goes on.
    pub position: String,
    /// What happens next, and what an operator can do.
    pub next: String,
    /// Whether another instance owns the partition now.
    pub is_fenced: bool,
    /// What kind of thing it is, for its count.
    pub kind: &'static str,
}

/// A partition's work, one step at a time.
pub trait LaneWork: Send {
    /// One step; after trouble the next one goes on or begins again, as the work needs.
    ///
    /// # Errors
    /// What is in the way.
    fn turn(&mut self, wait: Duration) -> Result<Turn, Trouble>;

    /// Drops everything that is not committed; the next step begins again.
    fn reset(&mut self);

    /// Ends what is under way, for a planned move.
    ///
    /// # Errors
    /// What is in the way; then the next owner repeats some work.
    fn finish(&mut self) -> Result<(), Trouble>;

    /// How far it has come: inputs with the offsets at which it goes on.
    fn position(&self) -> String;

    /// How it is and what it does.
    fn describe(&self) -> (LaneState, String);

    /// How much it has done for good: grows with what it commits or writes, and outlives every reset. To be where it
    /// was before counts for nothing: restoring, reading and deciding again lead to the same fault.
    fn done(&self) -> u64;

    /// Whether it stands at the end of its inputs with nothing in hand. May ask a server; asked after a fault alone.
    fn has_caught_up(&self) -> bool;

    /// Reports the same in numbers, to whoever it reports to.
    fn measure(&self) {}
}
