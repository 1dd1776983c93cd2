//! The views of identity: one family, a consumer group that fills its own tables.

pub mod users;

use millrace_kernel::Projection;

use crate::messages::EventData;

/// All view families.
#[must_use]
pub fn all() -> Vec<Projection<EventData>> {
    vec![users::family()]
}
