//! The views of estimation: each family a consumer group that fills its own tables.

pub mod estimations;
mod known;
pub mod own_estimates;

use millrace_kernel::Projection;

use crate::messages::EventData;

/// All view families.
#[must_use]
pub fn all() -> Vec<Projection<EventData>> {
    vec![estimations::family(), own_estimates::family()]
}
