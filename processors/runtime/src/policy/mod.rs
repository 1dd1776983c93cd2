//! Policies: events of another domain turned into steps of this one, each exactly once.
//!
//! One consumer group of its own reads the other domain's events. What it has read and the steps that follow are one
//! transaction. It keeps nothing: steps are numbered by the event that asks for them, so whoever reads an event again,
//! for whatever reason, writes the same step with the same number, and the partition that takes steps knows it.

mod fault;
mod lane;
mod reacting;

use std::sync::Arc;

use millrace_kernel::{Domain, Policy, Step};
use millrace_ports::{Clock, Log};
use millrace_wire::{Codec, Reading};

pub use self::fault::PolicyFault;
pub use self::lane::PolicyLane;
pub use self::reacting::steps_of;
use crate::topology::Topology;

/// What all lanes of a policy share in one process.
pub struct PolicyShared<D: Domain> {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The names of the domain that reacts.
    pub names: Topology,
    /// How many partitions that domain has.
    pub partitions: i32,
    /// What it does.
    pub policy: Policy<D::Step>,
    /// The topic of the other domain's events.
    pub events: Arc<str>,
    /// Reads them.
    pub reading: Reading,
    /// Writes the steps.
    pub steps: Codec<Step<D::Step>>,
}
