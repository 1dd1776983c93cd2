//! What follows from events: the states they leave and the rows they write.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Standalone, Table, Write, Writes};
use millrace_ports::Start;
use millrace_runtime::progress::{Progress, read_progress};
use serde_json::Value as Json;

use super::{Act, Follows, RowWrite, Scene};
use crate::fault::AuditFault;
use crate::reading::{Tail, decode_event};
use crate::shown;

/// A projector and the name of its projection.
type Named<D> = (String, Standalone<<D as Domain>::Event>);

/// What an event leaves.
struct Effect {
    state: Json,
    rows: Vec<Follows>,
}

impl<D: Domain> Scene<'_, D> {
    /// Fills in states and rows, by folding each partition up to the last of its events.
    pub(super) fn show_effects(&self, acts: &mut [Act]) -> Result<(), AuditFault> {
        let Some(store) = self.question.store else { return Ok(()) };
        let mut wanted: BTreeMap<i32, BTreeMap<i64, String>> = BTreeMap::new();
        for event in acts.iter().flat_map(|act| &act.events) {
            let of_partition = wanted.entry(event.place.partition).or_default();
            of_partition.insert(event.place.offset, event.aggregate_id.clone());
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let tables =
            parse_tables(D::SCHEMAS.views).map_err(|error| AuditFault::Tables { domain: D::NAME, error })?;
        let mut progress = Vec::new();
        for family in D::projections(self.question.settings) {
            progress.extend(read_progress(store, &format!("{}.{}", D::NAME, family.name))?);
        }
        let mut effects: BTreeMap<(i32, i64), Effect> = BTreeMap::new();
        for (partition, offsets) in &wanted {
            self.replay(*partition, offsets, &tables, &progress, &mut effects)?;
        }
        for event in acts.iter_mut().flat_map(|act| &mut act.events) {
            if let Some(effect) = effects.remove(&(event.place.partition, event.place.offset)) {
                (event.state, event.rows) = (effect.state, effect.rows);
            }
        }
        Ok(())
    }

    fn replay(
        &self,
        partition: i32,
        wanted: &BTreeMap<i64, String>,
        tables: &[Table],
        progress: &[Progress],
        effects: &mut BTreeMap<(i32, i64), Effect>,
    ) -> Result<(), AuditFault> {
        let Some((last, _)) = wanted.last_key_value() else { return Ok(()) };
        let (log, watcher) = (self.question.log, self.question.watcher);
        let at = self.at(&self.names.events, partition);
        let mut projectors: Vec<Named<D>> = D::projections(self.question.settings)
            .iter()
            .map(|family| (format!("{}.{}", D::NAME, family.name), family.standalone(partition)))
            .collect();
        let aggregates: BTreeSet<&str> = wanted.values().map(String::as_str).collect();
        let mut states: HashMap<String, D::State> = HashMap::new();
        let mut tail = Tail::open(log, at.clone(), Start::Beginning)?;
        watcher.stage(&format!("replaying {at}"), (last + 1 - log.low_watermark(&at)?).max(0).unsigned_abs());
        tail.up_to(last + 1, watcher, &mut |record| {
            let event = decode_event(&self.codecs.events, record)?;
            if aggregates.contains(event.aggregate_id.as_str()) {
                let before = states.remove(event.aggregate_id.as_str());
                if let Some(after) = D::evolve(before, &event.data, event.recorded_at) {
                    states.insert(event.aggregate_id.to_string(), after);
                }
            }
            let is_wanted = wanted.contains_key(&record.offset);
            let mut rows = Vec::new();
            for (projection, projector) in &mut projectors {
                let mut writes = if is_wanted { Writes::new() } else { Writes::muted() };
                projector.stage(&event, &mut writes);
                if is_wanted {
                    let applied = progress.iter().any(|progress| {
                        progress.projection == *projection
                            && progress.partition == partition
                            && progress.events_offset > record.offset
                    });
                    let all: Vec<Write> = projector.take_whole(&mut writes).into_iter().flatten().collect();
                    rows.push(self.follows(projection, applied, &all, tables));
                }
            }
            if is_wanted {
                let state = shown::state(states.get(event.aggregate_id.as_str()));
                effects.insert((partition, record.offset), Effect { state, rows });
            }
            Ok(())
        })
    }

    fn follows(&self, projection: &str, applied: bool, all: &[Write], tables: &[Table]) -> Follows {
        let most = self.question.most_rows;
        let writes = all.iter().take(most).map(|write| row_write(write, tables)).collect();
        Follows { projection: projection.to_owned(), applied, writes, more: all.len().saturating_sub(most) }
    }
}

fn row_write(write: &Write, tables: &[Table]) -> RowWrite {
    let table = tables.iter().find(|table| table.name == write.table());
    let columns = table.map_or(&[][..], |table| table.columns.as_slice());
    let width = table.map_or(0, Table::key_columns);
    let (action, key, values) = match write {
        Write::Put(put) => {
            let (key, rest) = put.values.split_at(width.min(put.values.len()));
            let rest = Json::Object(shown::row(&columns[width..], rest));
            ("put", shown::row(columns, key), rest)
        }
        Write::Delete(delete) => {
            let action = if delete.range { "delete_after" } else { "delete" };
            (action, shown::row(columns, &delete.key), Json::Null)
        }
    };
    RowWrite { action, table: write.table(), key: Json::Object(key), values, timestamp: write.timestamp() }
}
