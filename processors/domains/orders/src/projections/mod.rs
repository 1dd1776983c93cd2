//! The views of orders: each family a consumer group that fills its own tables.

pub mod days;
pub mod shop;

use millrace_kernel::Projection;

use crate::messages::EventData;

/// All view families.
#[must_use]
pub fn all() -> Vec<Projection<EventData>> {
    vec![shop::family(), days::family()]
}
