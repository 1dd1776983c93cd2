//! Why a projector stands still.

use millrace_ports::{LocalFault, LogFault, StoreFault, TopicPartition};
use millrace_wire::RegistryFault;
use thiserror::Error;

/// Why a projector's lane must try again.
#[derive(Debug, Error)]
pub enum ProjectorFault {
    /// The log does not answer, or another instance owns the partition.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The store does not answer or refuses.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The registry does not answer, and an event needs a schema that is not known yet.
    #[error("{at} offset {offset} cannot be read yet: {fault}; everything before it is in the tables")]
    Schema {
        /// Where it stands.
        at: TopicPartition,
        /// Its offset.
        offset: i64,
        /// What the registry said.
        #[source]
        fault: RegistryFault,
    },
    /// What it knows by key cannot be read or written.
    #[error(transparent)]
    Local(#[from] LocalFault),
    /// Tables that lack what the group says they have.
    #[error(
        "the group has applied the events of {at} to {projection} up to offset {committed}, but these tables hold them up to offset {applied} only: they were deleted, restored from an older copy, or are not those that this group fills; nothing is applied, as the events between would be missing without a word"
    )]
    TablesBehind {
        /// The events' partition.
        at: TopicPartition,
        /// Whose tables they are.
        projection: String,
        /// What they hold lies before this offset.
        applied: i64,
        /// What they should hold lies before this one.
        committed: i64,
    },
    /// Tables of events that the log does not have.
    #[error(
        "{projection} has applied the events of {at} up to offset {applied}, but the topic ends at offset {end}: it was made anew or restored from an older copy, or the tables are of another system; nothing is applied, as the rows of other events would be taken for these"
    )]
    EventsGone {
        /// The events' partition.
        at: TopicPartition,
        /// Whose tables they are.
        projection: String,
        /// The tables or the group go up to this offset.
        applied: i64,
        /// The log goes up to this one.
        end: i64,
    },
    /// An event cannot be read. It is not skipped: the views would be wrong without a word.
    #[error(
        "{at} offset {offset} cannot be read: {why}; everything before it is in the tables, and the partition stands still there until it can be read"
    )]
    Unreadable {
        /// Where it stands.
        at: TopicPartition,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        why: String,
    },
}

impl ProjectorFault {
    /// Whether the tables, the group and the log do not belong together.
    #[must_use]
    pub fn is_about_tables(&self) -> bool {
        matches!(self, Self::TablesBehind { .. } | Self::EventsGone { .. })
    }
}
