//! What can be in the way of a partition's state.

use millrace_ports::{LocalFault, LogFault, TopicPartition};
use millrace_wire::RegistryFault;
use thiserror::Error;

/// Why a partition's state cannot be read or followed.
#[derive(Debug, Error)]
pub enum CopyFault {
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// The disk is in the way.
    #[error(transparent)]
    Local(#[from] LocalFault),
    /// It was not followed for so long that the topic may have forgotten what was deleted meanwhile.
    #[error(
        "the copy of {at} knows nothing that is younger than {age_seconds} s, and the topic may have forgotten what was deleted meanwhile (state_max_age_seconds is {most_seconds})"
    )]
    TooOld {
        /// The partition of the state topic.
        at: TopicPartition,
        /// How long ago it was last known to be whole, seconds.
        age_seconds: i64,
        /// How long that may be, seconds.
        most_seconds: u64,
    },
    /// A record of our own topic cannot be read; deciding without it could be wrong.
    #[error("{at}: {record} cannot be read: {why}; nothing is decided in this partition until it can")]
    Unreadable {
        /// Where it stands.
        at: TopicPartition,
        /// The record: by its offset, or by its key.
        record: String,
        /// What is wrong with it.
        why: String,
    },
}
