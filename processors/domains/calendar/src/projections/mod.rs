//! The views of calendar: each family a consumer group that fills its own tables.

mod known;
pub mod timeslots;

use millrace_kernel::Projection;

use crate::messages::EventData;

/// All view families.
#[must_use]
pub fn all() -> Vec<Projection<EventData>> {
    vec![timeslots::family()]
}
