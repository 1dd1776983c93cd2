//! Rests for a projector that is in no hurry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the lanes of a projector take new events, set by whoever knows that others need the
/// servers more. What they have taken they write in any case. By default they never rest.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<AtomicBool>);

impl Pace {
    /// Lets the lanes rest from now on, or work again.
    pub fn rest(&self, rests: bool) {
        self.0.store(rests, Ordering::Relaxed);
    }

    /// Whether they rest.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
