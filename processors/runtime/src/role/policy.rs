//! The policy of a domain: what it does about the events of another one.

use std::sync::Arc;

use millrace_kernel::Domain;
use millrace_ports::{Group, GroupSpec, LogFault};
use millrace_wire::{Codec, Reading};

use super::{
    LAST_COMMIT, Ports, RoleError, equal_partitions, is_final_codec, is_final_log, kind_of_log, trouble,
};
use crate::health::{Health, LaneState, ROLE_ITSELF};
use crate::metrics::{Watched, watch};
use crate::policy::{PolicyFault, PolicyLane, PolicyShared};
use crate::processor::lane::Turn;
use crate::settings::ProcessorSettings;
use crate::supervise::{LaneWork, Moves, Stop, Supervision, Trouble, persist};
use crate::topology::Topology;

/// Reacts to the events of the domain `of` until `stop`.
///
/// # Errors
/// [`RoleError`], which no waiting mends. What may pass — a server away — is waited for.
pub fn run_policy<D: Domain>(
    ports: &Ports,
    prefix: &str,
    of: &str,
    settings: &ProcessorSettings,
    health: &Health,
    stop: &Stop,
) -> Result<(), RoleError> {
    let Some(policy) = D::policies().into_iter().find(|policy| policy.domain == of) else {
        return Err(RoleError::NoSuchPolicy { domain: D::NAME, of: of.to_owned() });
    };
    let Some(schema) = D::SCHEMAS.steps else {
        return Err(RoleError::NoSuchPolicy { domain: D::NAME, of: format!("{of}: it has no steps") });
    };
    let names = Topology::of::<D>(prefix);
    let role = policy_role::<D>(of);
    health.set(&role, ROLE_ITSELF, LaneState::Starting, "looking for its topics");
    let Some(partitions) =
        equal_partitions(&role, &*ports.log, &[&names.commands, &names.steps], health, stop)?
    else {
        return Ok(());
    };
    let events = names.events_elsewhere(policy.domain);
    let ask = || ports.log.partitions(&events);
    match persist(&role, health, stop, ask, is_final_log) {
        Ok(Some(_)) => {}
        Ok(None) => return Ok(()),
        Err(LogFault::NoSuchTopic { topic }) => {
            return Err(RoleError::NoEvents { domain: D::NAME, of: policy.domain, topic });
        }
        Err(fault) => return Err(fault.into()),
    }
    let steps = || Codec::register(Arc::clone(&ports.registry), &Topology::subject(&names.steps), schema);
    let Some(steps) = persist(&role, health, stop, steps, is_final_codec)? else { return Ok(()) };
    let reading = Reading::new(Arc::clone(&ports.registry), &Topology::subject(&events), policy.schema)?;
    let spec = GroupSpec {
        group_id: names.policy_group(of),
        topic: Arc::clone(&events),
        session_timeout: settings.session_timeout(),
    };
    let meter = health.metrics().role(&role);
    let holders = Topology::new(prefix, policy.domain);
    let inputs = Watched {
        topic: Arc::clone(&events),
        holder: Box::new(move |partition| holders.transactional_id(partition)),
    };
    watch(health, &role, Arc::clone(&ports.log), vec![inputs], ports.transaction_timeout, stop.clone());
    let (log, clock) = (Arc::clone(&ports.log), Arc::clone(&ports.clock));
    let shared =
        Arc::new(PolicyShared::<D> { log, clock, names, partitions, policy, events, reading, steps });
    let make = |group: Arc<dyn Group>, partition: i32| -> Box<dyn LaneWork> {
        Box::new(PolicyLane::new(Arc::clone(&shared), group, partition).metered(meter.lane(partition)))
    };
    Supervision {
        role: &role,
        log: &*ports.log,
        spec: &spec,
        // it has no state to warm up
        moves: Moves::ByRelease,
        health,
        stop,
        make: &make,
        joined: &|_| {},
    }
    .run();
    Ok(())
}

/// What the policy of `D` for the domain `of` is called in health, logs and metrics.
#[must_use]
pub fn policy_role<D: Domain>(of: &str) -> String {
    format!("{}.policy.{of}", D::NAME)
}

fn kind_of_policy(fault: &PolicyFault) -> &'static str {
    match fault {
        PolicyFault::Log(fault) => kind_of_log(fault),
        PolicyFault::Registry(_) => "registry",
        PolicyFault::Unreadable { .. } => "unreadable",
        PolicyFault::Failed { .. } => "bug",
    }
}

impl<D: Domain> LaneWork for PolicyLane<D> {
    fn turn(&mut self, wait: std::time::Duration) -> Result<Turn, Trouble> {
        PolicyLane::turn(self, wait).map_err(|fault| {
            let (position, kind) = (self.position(), kind_of_policy(&fault));
            self.reset();
            trouble(&fault, position, kind, kind == "fenced")
        })
    }

    fn reset(&mut self) {
        PolicyLane::reset(self);
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        let position = self.position();
        PolicyLane::finish(self, LAST_COMMIT)
            .map_err(|fault| trouble(&fault, position, kind_of_policy(&fault), false))
    }

    fn position(&self) -> String {
        PolicyLane::position(self)
    }

    fn describe(&self) -> (LaneState, String) {
        match self.reacted_upto() {
            None => (LaneState::Starting, "fencing off its predecessor".to_owned()),
            Some(offset) => (LaneState::Running, format!("reacted up to offset {offset}")),
        }
    }

    fn done(&self) -> u64 {
        PolicyLane::done(self)
    }

    fn has_caught_up(&self) -> bool {
        PolicyLane::has_caught_up(self)
    }

    fn measure(&self) {
        PolicyLane::measure(self);
    }
}
