//! What follows from events: the states they leave and the rows they write.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, StagedProjector, Table, Write, Writes};
use millrace_ports::Start;
use millrace_runtime::progress::{Progress, read_progress};
use serde_json::Value as Json;

use super::{Act, Follows, RowWrite, Scene};
use crate::book::Book;
use crate::fault::AuditFault;
use crate::reading::{Tail, decode_event};
use crate::shown;

/// A projector, the name of its projection, and what it knows of the events so far.
struct Replayed<'s, D: Domain> {
    projection: String,
    projector: Box<dyn StagedProjector<D::Event>>,
    known: Book<'s>,
}

/// Rows of a fan-out that are made at once.
const PIECE: usize = 1_000;

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
        let mut projectors: Vec<Replayed<'_, D>> = D::projections(self.question.settings)
            .iter()
            .map(|family| Replayed {
                projection: format!("{}.{}", D::NAME, family.name),
                projector: (family.projector)(partition),
                known: Book::new(self.question.shelf),
            })
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
            for replayed in &mut projectors {
                let mut writes = if is_wanted { Writes::new() } else { Writes::muted() };
                replayed.projector.stage(&event, &mut replayed.known, &mut writes);
                if is_wanted {
                    let applied = progress.iter().any(|progress| {
                        progress.projection == replayed.projection
                            && progress.partition == partition
                            && progress.events_offset > record.offset
                    });
                    rows.push(self.follows(replayed, applied, &mut writes, tables));
                }
                replayed.known.take_fault()?;
            }
            if is_wanted {
                let state = shown::state(states.get(event.aggregate_id.as_str()));
                effects.insert((partition, record.offset), Effect { state, rows });
            }
            Ok(())
        })
    }

    /// The first rows that an event asks for, and how many more there are.
    fn follows(
        &self,
        replayed: &mut Replayed<'_, D>,
        applied: bool,
        writes: &mut Writes,
        tables: &[Table],
    ) -> Follows {
        let projection = replayed.projection.clone();
        let mut follows = Follows { projection, applied, writes: Vec::new(), more: 0 };
        let mut show = |rows: &[Write]| {
            let left = self.question.most_rows - follows.writes.len();
            follows.writes.extend(rows.iter().take(left).map(|write| row_write(write, tables)));
            follows.more += rows.len().saturating_sub(left);
        };
        let asked = writes.take();
        asked.ahead.iter().for_each(|rows| show(rows));
        for stage in asked.stages {
            show(&stage.writes);
            for fan_out in stage.fan_outs {
                let mut goes_on = true;
                while goes_on {
                    let mut rows = Vec::new();
                    goes_on = replayed.projector.fan_out(fan_out, PIECE, &mut replayed.known, &mut rows);
                    show(&rows);
                }
            }
        }
        follows
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
