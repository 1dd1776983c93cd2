//! What is in the way of a policy, what happens next, and what can be done about it.

use millrace_ports::{LogFault, TopicPartition};
use millrace_wire::RegistryFault;
use thiserror::Error;

use crate::advice::{Advice, Advise};

/// Why a policy does not go on. No event is ever passed over because of one.
#[derive(Debug, Error)]
pub enum PolicyFault {
    /// The log does not answer, or another instance reads the partition.
    #[error(transparent)]
    Log(#[from] LogFault),
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// An event of a type that is read cannot be read.
    #[error(
        "{at} offset {offset} cannot be read: {why}; what follows from it is not known, so nothing behind it is reacted to"
    )]
    Unreadable {
        /// Where.
        at: TopicPartition,
        /// The event's offset.
        offset: i64,
        /// Why not.
        why: String,
    },
    /// What follows from an event cannot be said or written: a bug in the domain, the same every time.
    #[error("the reaction to {at} offset {offset} fails every time: {why}")]
    Failed {
        /// Where.
        at: TopicPartition,
        /// The event's offset.
        offset: i64,
        /// What goes wrong.
        why: String,
    },
}

impl Advise for PolicyFault {
    fn advice(&self) -> Advice {
        match self {
            Self::Log(fault) => fault.advice(),
            Self::Registry(fault) => fault.advice(),
            Self::Unreadable { .. } => Advice {
                next: "this partition stands still and tries again every few seconds; the others go on",
                action: "run a build of the reacting domain that is made from the other domain's schema as it is now",
            },
            Self::Failed { .. } => Advice {
                next: "this partition stands still and tries again every few seconds; the others go on",
                action: "mend the policy and deploy it: it goes on with this event",
            },
        }
    }
}
