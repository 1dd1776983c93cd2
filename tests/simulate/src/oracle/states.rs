//! What a processor would restore from is what the events fold to, and nothing is left over.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kernel::{Bookkeeping, Domain, StateData};
use millrace_ports::{Record, TopicPartition};

use super::decisions::Judged;
use super::world::{Failure, World};
use crate::holds;
use crate::strays::is_stray;
use crate::workload::Workload;

/// Judges the state and lookup topics, the dead topic, and the group's offsets.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>, judged: &Judged<W>) -> Result<(), Failure> {
    let names = world.pipeline.names();
    let mut newest: BTreeMap<&str, (i32, i64, i64)> = BTreeMap::new();
    let mut known: BTreeMap<String, i32> = BTreeMap::new();
    for (number, seen) in world.partitions() {
        for (_, event) in &seen.events {
            newest.insert(&event.aggregate_id, (number, event.version, event.recorded_at));
            known.extend(W::made_known(&event.data).map(|id| (id, number)));
            W::made_unknown(&event.data).and_then(|id| known.remove(&id));
        }
    }
    for (key, record) in compacted(world.records(&names.state)) {
        let Some(value) = &record.value else {
            holds!(!newest.contains_key(key.as_str()), "a state is kept", "{key} has a tombstone");
            continue;
        };
        let decoded = world.pipeline.codecs().state.decode(value);
        let decoded =
            decoded.map_err(|why| Failure::new("records can be read", format!("state of {key}: {why}")))?;
        let revision = W::State::revision(&decoded);
        let (id, version, recorded_at, state) = W::State::from_record(decoded);
        let kept = state.as_ref().and_then(StateData::as_bookkeeping);
        let expected = if kept.is_some() { 0 } else { <W::Domain as Domain>::REVISION };
        holds!(revision == expected, "a state says which fold has made it", "{key}: {revision}");
        if let Some(kept) = kept {
            let stays =
                matches!(kept, Bookkeeping::Inbox(_) | Bookkeeping::Floor(_) | Bookkeeping::PseudonymKey(_));
            holds!(stays, "nothing is left over", "{key}: {kept:?}");
            continue;
        }
        let place = (record.partition, version, recorded_at);
        holds!(
            id == key && newest.remove(key.as_str()) == Some(place),
            "a state has its newest event's version",
            "{id}: {place:?}"
        );
        let expected = W::state(&judged.model, &key);
        holds!(
            state == expected,
            "a state is what its events fold to",
            "{key}: {state:?}, expected {expected:?}"
        );
    }
    holds!(newest.is_empty(), "every aggregate has a state", "{newest:?}");
    for kind in <W::Domain as Domain>::LOOKUPS {
        for (key, record) in compacted(world.records(&names.lookup(kind))) {
            let expected = known.remove(&key);
            let found = record.value.as_ref().map(|_| record.partition);
            holds!(found == expected, "a lookup holds what exists", "{key}: {found:?}, {expected:?}");
        }
    }
    holds!(known.is_empty(), "a lookup holds all that exists", "{known:?}");
    let mut dead = world.records(&names.dead);
    dead.retain(|record| !is_stray(record.key.as_deref()));
    holds!(dead.is_empty(), "nothing is dead", "{:?}", dead.first().map(|record| &record.headers));
    offsets(world)
}

/// After everything was decided the group goes on behind it.
fn offsets<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    let names = world.pipeline.names();
    for (number, seen) in world.partitions() {
        let newest = [
            (&names.commands, seen.commands.last().map(|(offset, _)| *offset)),
            (&names.steps, seen.steps.last().map(|(offset, _)| *offset)),
        ];
        for (topic, newest) in newest {
            let Some(newest) = newest else { continue };
            let at = TopicPartition::new(Arc::clone(topic), number);
            let committed = world.pipeline.committed(&at);
            holds!(
                committed.is_some_and(|next| next > newest),
                "what was decided is committed",
                "{at}: the group goes on at {committed:?}, the newest is {newest}"
            );
        }
    }
    Ok(())
}

/// The newest record of every key.
fn compacted(records: Vec<Record>) -> BTreeMap<String, Record> {
    let key =
        |record: &Record| String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
    records.into_iter().map(|record| (key(&record), record)).collect()
}
