//! The views of accounting: each family a consumer group that fills its own tables.

pub mod accounts;
pub mod totals;

use millrace_kernel::{NoSettings, Projection};

use crate::messages::EventData;

/// All view families.
#[must_use]
pub fn all(_settings: &NoSettings) -> Vec<Projection<EventData>> {
    vec![accounts::family(), totals::family()]
}
