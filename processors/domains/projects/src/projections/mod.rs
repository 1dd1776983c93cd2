//! The views of projects: each family a consumer group that fills its own tables.

pub mod boards;
mod known;
pub mod teams;

use millrace_kernel::Projection;

use crate::messages::EventData;

/// All view families.
#[must_use]
pub fn all() -> Vec<Projection<EventData>> {
    vec![teams::family(), boards::family()]
}
