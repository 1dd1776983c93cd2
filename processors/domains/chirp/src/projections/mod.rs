//! The views of chirp: two families, each a consumer group that fills its own tables.

pub mod timelines;
pub mod users;

use millrace_kernel::Projection;

use crate::messages::EventData;
use crate::settings::Settings;

/// All view families.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Projection<EventData>> {
    vec![users::family(), timelines::family(settings)]
}
