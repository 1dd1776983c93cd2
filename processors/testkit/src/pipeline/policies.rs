//! Processes that react to the events of other domains.

use std::sync::Arc;

use millrace_kernel::Domain;
use millrace_ports::{Clock, Log, TopicPartition};
use millrace_runtime::Topology;
use millrace_runtime::policy::PolicyShared;
use millrace_wire::{Codec, Reading};

use super::process::{Process, Role};
use super::{Pipeline, RoleKind, SkewedClock};

impl<D: Domain> Pipeline<D> {
    /// Starts a process for every policy of the domain.
    ///
    /// # Panics
    /// As [`Pipeline::start`].
    pub fn start_policies(&mut self) {
        for place in 0..D::policies().len() {
            self.start(RoleKind::Policy(place));
        }
    }

    /// The consumer group of the policy at this place.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn policy_group(&self, place: usize) -> String {
        self.names.policy_group(D::policies()[place].domain)
    }

    /// The offset at which a policy goes on with the events of another domain.
    ///
    /// # Panics
    /// When none runs.
    #[must_use]
    pub fn reacted(&self, at: &TopicPartition) -> Option<i64> {
        let is_policy = |process: &&Process<D>| matches!(process.kind(), RoleKind::Policy(_));
        let policy = self.processes.iter().find(is_policy).expect("a policy runs");
        policy.group.committed(std::slice::from_ref(at)).ok()?.get(at).copied()
    }

    pub(super) fn start_policy(&mut self, place: usize) {
        let kind = RoleKind::Policy(place);
        let policy = D::policies().into_iter().nth(place).expect("the domain has so many policies");
        let clock = Arc::new(SkewedClock::new(Arc::clone(&self.clock)));
        let events = self.names.events_elsewhere(policy.domain);
        let schema = D::SCHEMAS.steps.expect("whoever reacts has steps");
        let reading = Reading::new(Arc::clone(&self.registry), &Topology::subject(&events), policy.schema);
        let steps =
            Codec::register(Arc::clone(&self.registry), &Topology::subject(&self.names.steps), schema);
        let group = self.join(&self.names.policy_group(policy.domain), &events);
        let shared = PolicyShared {
            log: Arc::new(self.log.clone()) as Arc<dyn Log>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            names: self.names.clone(),
            partitions: self.partitions,
            policy,
            events,
            reading: reading.expect("the schema parses"),
            steps: steps.expect("the schema parses"),
        };
        self.add(group, None, Role::Policy(kind, Arc::new(shared)), clock, None);
    }
}
