//! Why an audit could not be made: never a difference, always something to mend and try again.

use millrace_kernel::table::TableError;
use millrace_ports::{LogFault, StoreFault, TopicPartition};
use millrace_runtime::projector::ProjectorFault;
use millrace_wire::RegistryFault;
use millrace_wire::codec::CodecError;
use thiserror::Error;

/// Why it could not be found out.
#[derive(Debug, Error)]
pub enum AuditFault {
    /// The log does not answer.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The tables do not answer.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// A schema cannot be used.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The domain's tables cannot be read: a bug in the domain.
    #[error("views.cql of {domain}: {error}")]
    Tables {
        /// The domain.
        domain: &'static str,
        /// What is wrong with them.
        error: TableError,
    },
    /// Nothing more came of a partition, though it is longer.
    #[error(
        "{at} was read to offset {reached} of {wanted} and then gave nothing for {seconds} s; \
         is a transaction left open on it?"
    )]
    Stuck {
        /// The partition.
        at: TopicPartition,
        /// How far it was read.
        reached: i64,
        /// How far it was to be read.
        wanted: i64,
        /// How long nothing came.
        seconds: u64,
    },
    /// Whoever asked has no more time.
    #[error("{at} was read to offset {reached} of {wanted} when the time was over")]
    Overdue {
        /// The partition.
        at: TopicPartition,
        /// How far it was read.
        reached: i64,
        /// How far it was to be read.
        wanted: i64,
    },
    /// What a projector would meet cannot be found out.
    #[error(transparent)]
    Projector(#[from] ProjectorFault),
    /// The scratch store does not hold what was put there.
    #[error("what was put into the scratch store for {what} is another now: {why}")]
    Scratch {
        /// Of what.
        what: String,
        /// What was found.
        why: String,
    },
    /// A record that everything else depends on cannot be read.
    #[error("{at} offset {offset} cannot be read: {why}")]
    Unreadable {
        /// The partition.
        at: TopicPartition,
        /// The record's offset.
        offset: i64,
        /// What is wrong with it.
        why: String,
    },
}
