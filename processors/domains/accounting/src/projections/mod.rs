//! The views of accounting: each family a consumer group that fills its own tables.

pub mod accounts;
pub mod totals;

use millrace_kernel::ProjectionFamily;

use crate::messages::EventData;
use crate::settings::Settings;

/// All view families.
#[must_use]
pub fn all(_settings: &Settings) -> Vec<ProjectionFamily<EventData>> {
    vec![accounts::family(), totals::family()]
}
