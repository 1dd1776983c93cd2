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
