//! Lookups that must catch up before a miss in them counts.

use std::time::Duration;

use millrace_kernel::Domain;

use super::{COMMIT_LOOK, Running};
use crate::planted::{self, Bug};
use crate::processor::lane::{LaneFault, Shared, Turn};
use crate::processor::lookup::LookupPartition;

/// What a table must have reached before a miss in it counts.
#[derive(Clone, Copy)]
pub(super) struct Barrier {
    at: LookupPartition,
    target: i64,
    /// The newest record of the input that had arrived when the target was asked for.
    covers: u64,
}

impl<D: Domain> Running<D> {
    /// What was committed when the records at hand had arrived must be in the lookup tables
    /// before a miss counts. Never asked while a transaction of ours is open: two processors
    /// would wait for each other.
    pub(super) fn ask_barrier(
        &mut self,
        shared: &Shared<D>,
        missed: &[LookupPartition],
    ) -> Result<(), LaneFault> {
        if self.pending.is_some() {
            return Ok(());
        }
        for &at in missed {
            let target = shared.log.high_watermark(&shared.lookups.source(at))?;
            self.barrier.push(Barrier { at, target, covers: self.polled });
        }
        Ok(())
    }

    /// Whether no barrier is left to wait for.
    pub(super) fn pass_barrier(&mut self, shared: &Shared<D>) -> bool {
        if self.barrier.iter().any(|it| shared.lookups.position(it.at) < it.target) {
            return false;
        }
        for Barrier { at, covers, .. } in self.barrier.drain(..) {
            let upto = if planted::is_on(Bug::BarrierAskedTooEarly) { u64::MAX } else { covers };
            self.covered.insert(at, upto);
        }
        true
    }

    pub(super) fn wait_for_barrier(&self, shared: &Shared<D>, wait: Duration) -> Result<Turn, LaneFault> {
        shared.lookups.wait_for_move(COMMIT_LOOK.min(wait));
        Ok(Turn::Idle)
    }
}
