//! Answers to those who have sent a command again, and again, while its process ran.
//!
//! Each of them gets one when it ends, however many they are. A few are written with the first answer; of more it
//! is kept among the states how many are due, and every batch gives some and says how many are left, in one
//! transaction. So a crash in between neither forgets nor repeats one.

use millrace_kernel::bookkeeping::{Bookkeeping, Repeats};
use millrace_kernel::{AggregateId, Domain, StateData};
use millrace_ports::MAX_RECORD_BYTES;

use super::batch::{Batch, BatchError};
use super::codecs::Codecs;
use super::decide::{Place, kept};
use super::state::{Layers, Versioned};
use crate::planted::{self, Bug};

/// Most answers in a batch.
const MOST: usize = 1_000;

/// Gives answers that are due, up to `most`, with an empty batch; how many it gave.
///
/// # Errors
/// [`BatchError`].
pub(super) fn answer<D: Domain>(
    batch: &mut Batch<D>,
    codecs: &Codecs<D>,
    place: &Place<'_>,
    layers: (&super::state::PartitionState<D::State>, Option<&super::overlay::Overlay<D::State>>),
    most: usize,
) -> Result<usize, BatchError> {
    let (committed, pending) = layers;
    let most = most.min(MOST);
    let (mut given, mut bytes) = (0, 0);
    for id in committed.due().filter(|_| !planted::is_on(Bug::DueAnswersForgotten)) {
        if given >= most || bytes >= MAX_RECORD_BYTES {
            break;
        }
        let Some(due) = still_due(&Layers { committed, pending, current: &batch.overlay }, id) else {
            continue;
        };
        let size = batch.size_of_answer(codecs, &due.outcome).max(1);
        let room = (MAX_RECORD_BYTES.saturating_sub(bytes) / size).max(1);
        let now = room.min(most - given).min(usize::try_from(due.left).unwrap_or(usize::MAX));
        // the time at which the answer is given, as of every repeat: a restore reads from these how far back answers reach
        let given_at = Layers { committed, pending, current: &batch.overlay }.last_recorded_at();
        let recorded_at = batch.answer_again(codecs, place, &due.outcome, now, given_at)?;
        let counted = if planted::is_on(Bug::DueAnswersMiscounted) { now.div_ceil(2) } else { now };
        let left = due.left - counted as i64;
        let after = match left {
            0 => Versioned::none(),
            _ => kept::<D>(Bookkeeping::Repeats(Repeats { left, ..due }), recorded_at),
        };
        batch.overlay.put(id.clone(), after);
        (given, bytes) = (given + now, bytes + now * size);
    }
    Ok(given)
}

fn still_due<S: StateData>(layers: &Layers<'_, S>, id: &AggregateId) -> Option<Repeats> {
    match layers.get(id).state.as_deref()?.as_bookkeeping()? {
        Bookkeeping::Repeats(due) if due.left > 0 => Some(due.clone()),
        _ => None,
    }
}
