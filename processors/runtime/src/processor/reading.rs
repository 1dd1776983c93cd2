//! What a partition does with its input before it decides: reads ahead, asks for schemas, passes over what cannot be
//! taken apart.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use millrace_kernel::Domain;
use millrace_ports::{LogFault, Reader, Record, TopicPartition};
use millrace_wire::RegistryFault;

use super::codecs::Codecs;
use super::intake::{Gap, Intake, read};
use super::lane::{LaneFault, Shared};
use super::schema_wait::{MOST_ASKED, SchemaWait};
use super::state::PartitionState;

/// How many records are read before the first of them is decided.
const AHEAD: usize = 64;

/// Reads the first of what is held, and brings near what they will look up: so the waits for memory of many commands
/// pass at once.
pub(super) fn read_ahead<D: Domain>(
    shared: &Shared<D>,
    held: &VecDeque<(u64, Record)>,
    gaps: &BTreeMap<i64, Gap>,
    ahead: &mut VecDeque<Intake<D>>,
    committed: &PartitionState<D::State>,
) {
    ahead.extend(held.iter().take(AHEAD).map(|(_, record)| {
        let is_step = record.topic == shared.names.steps;
        match gaps.get(&record.offset) {
            Some(gap) if !is_step => Intake::Gap(gap.clone()),
            _ => read(&shared.codecs, record, is_step),
        }
    }));
    committed.approach(ahead.iter().filter_map(|intake| match intake {
        Intake::Command(command, target) => Some((command.id.as_str(), target)),
        _ => None,
    }));
}

/// Asks the registry together for all the schemas of what is held that mean nothing here so far.
pub(super) fn ask_for_schemas<D: Domain>(
    shared: &Shared<D>,
    held: &VecDeque<(u64, Record)>,
    schemas: &mut SchemaWait,
) -> Result<(), RegistryFault> {
    let values = |steps: bool| {
        let of = held.iter().filter(move |(_, record)| (record.topic == shared.names.steps) == steps);
        of.filter_map(|(_, record)| record.value.as_deref())
    };
    let Codecs { commands, steps, .. } = &*shared.codecs;
    let of_steps = steps.as_ref().map(|steps| steps.not_known(values(true), MOST_ASKED));
    let ids = [commands.not_known(values(false), MOST_ASKED), of_steps.unwrap_or_default()];
    commands.ask_again(&ids[0])?;
    steps.iter().try_for_each(|steps| steps.ask_again(&ids[1]))?;
    ids.iter().for_each(|ids| schemas.asked(ids, shared.clock.monotonic_micros()));
    Ok(())
}

/// Takes `reader` behind the batch at `offset`, which cannot be decompressed; the batch from `first` on, as a part of it may
/// have been decided when another client could read it, and a record in the place of its last. Only for commands: of them the dead topic keeps what was lost. `None` when all of it was passed before.
///
/// # Errors
/// [`LaneFault::BatchWithoutEnd`] where nobody can tell where it ends.
pub(super) fn pass_over<D: Domain>(
    shared: &Shared<D>,
    reader: &mut dyn Reader,
    at: &TopicPartition,
    first: i64,
    offset: i64,
    why: String,
) -> Result<Option<(Gap, Record)>, LaneFault> {
    let next = match shared.log.batch_end(at, offset) {
        Ok(next) => next,
        Err(cause @ LogFault::Unavailable { .. }) => {
            return Err(LaneFault::BatchWithoutEnd { input: at.clone(), offset, why, cause });
        }
        Err(fault) => return Err(fault.into()),
    };
    reader.seek(at, next.max(first))?;
    if first >= next {
        return Ok(None);
    }
    let record = Record {
        topic: Arc::clone(&at.topic),
        partition: at.partition,
        offset: next - 1,
        timestamp_ms: shared.clock.now_micros() / 1_000,
        key: None,
        value: None,
        headers: Vec::new(),
    };
    Ok(Some((Gap { first, why }, record)))
}
