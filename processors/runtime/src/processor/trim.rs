//! Steps that were decided long ago are deleted, and no others.
//!
//! The steps topic keeps everything (`retention.ms` −1): a step that is deleted before it is decided leaves
//! its process open for ever, and nobody can send it again. So it is the processors that delete, behind
//! the offset that is committed as decided, and leave what is younger than `steps_keep_seconds` for those
//! who ask what became of a process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_kernel::Domain;
use millrace_ports::{Group, LogFault, TopicPartition};

use super::lane::Shared;
use crate::advice::Advise;
use crate::planted::{self, Bug};
use crate::supervise::Stop;

/// When the first look is, after the start: not while everything else begins.
const FIRST: Duration = Duration::from_secs(60);
/// How often it looks after that.
const EVERY: Duration = Duration::from_secs(3_600);

/// Deletes what is decided and old enough, in all partitions of the domain: every process does, so that it is
/// done whoever is there. Where each partition of which something was deleted begins now.
///
/// # Errors
/// [`LogFault`]; what could not be deleted stays.
pub fn trim<D: Domain>(
    shared: &Shared<D>,
    group: &dyn Group,
) -> Result<BTreeMap<TopicPartition, i64>, LogFault> {
    if D::SCHEMAS.steps.is_none() {
        return Ok(BTreeMap::new());
    }
    let keep_ms = i64::try_from(shared.settings.steps_keep_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let since_ms = (shared.clock.now_micros() / 1_000).saturating_sub(keep_ms).max(0);
    let places: Vec<_> = (0..shared.partitions)
        .map(|partition| TopicPartition::new(Arc::clone(&shared.names.steps), partition))
        .collect();
    let mut ends = BTreeMap::new();
    // what is committed is decided, whoever has decided it; without an offset nothing is known to be
    for (at, decided) in group.committed(&places)? {
        let decided = if planted::is_on(Bug::StepsTrimmedUndecided) {
            shared.log.last_stable_offset(&at)?
        } else {
            decided
        };
        let oldest = shared.log.low_watermark(&at)?;
        if oldest >= decided {
            continue;
        }
        let end = decided.min(shared.log.offset_at(&at, since_ms)?);
        if end > oldest {
            ends.insert(at, end);
        }
    }
    if !ends.is_empty() {
        shared.log.delete_before(&ends)?;
    }
    Ok(ends)
}

/// Trims every now and then until `stop`, in a thread of its own.
pub(crate) fn keep_trimmed<D: Domain>(
    role: String,
    shared: Arc<Shared<D>>,
    group: Arc<dyn Group>,
    stop: Stop,
) -> JoinHandle<()> {
    let name = format!("{role}.trim");
    let work = move || {
        let mut pause = FIRST;
        while !stop.wait(pause) {
            pause = EVERY;
            match trim(&shared, &*group) {
                Ok(ends) => ends.iter().for_each(|(at, end)| {
                    tracing::info!(role, partition = %at, begins_at = end, "steps decided long ago were deleted");
                }),
                Err(fault @ LogFault::Refused { .. }) => tracing::warn!(
                    role,
                    "steps that were decided long ago cannot be deleted, so their topic grows: {fault}. Next: it is \
                     tried again in an hour. What you can do: give the processors the right to delete in {}: see \
                     docs/processes.md",
                    shared.names.steps
                ),
                Err(fault) => {
                    tracing::warn!(role, "deleting old steps: {fault}, in an hour again. Next: {}", fault.advice());
                }
            }
        }
    };
    std::thread::Builder::new().name(name).spawn(work).expect("the system has room for a thread")
}
