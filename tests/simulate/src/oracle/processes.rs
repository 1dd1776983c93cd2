//! What the processes that run at the end hold in memory, as their operators are told.

use std::collections::BTreeMap;

use millrace_runtime::health::LaneState;
use millrace_testkit::pipeline::RoleKind;

use super::world::{Failure, World};
use crate::holds;
use crate::workload::Workload;

/// Judges the lanes and the copies of all processors.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    let pipeline = world.pipeline;
    let processors = || {
        let is_processor = |at: &usize| matches!(pipeline.process(*at), Some((_, RoleKind::Processor)));
        (0..pipeline.instances()).filter(is_processor)
    };
    for at in processors() {
        for number in 0..world.setup.partitions {
            let Some((state, said)) = pipeline.describe(at, number) else { continue };
            holds!(
                state != LaneState::Running || said.contains(", 0 open processes"),
                "no process is open that has ended",
                "partition {number}: {said}"
            );
        }
    }
    let mut copies: BTreeMap<i32, usize> = BTreeMap::new();
    processors().flat_map(|at| pipeline.copies(at)).for_each(|it| *copies.entry(it).or_default() += 1);
    let most = if world.setup.copies { 1 } else { 0 };
    for (number, count) in copies {
        holds!(count <= most, "nobody keeps a copy that nobody wants", "{count} of partition {number}");
    }
    Ok(())
}
