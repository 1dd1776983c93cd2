//! The single-node Kafka broker and schema registry behind millrace up.

pub mod broker;
pub mod net;
pub mod registry;

/// What the fuzz targets of `tests/fuzz` call, and nobody else should.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::broker::fuzzing::{batch, log, metadata, request, side_files};
    pub use crate::registry::fuzzing::{Interface, changes, compatibility, schema};
}
