//! A view family replayed from the first event into a scratch store, and kept as far as the live
//! one has published.
//!
//! Every scratch row says which event wrote it, and what is deleted stays as a row that says so.

use millrace_kernel::table::Column;
use millrace_kernel::{
    ColumnType, Domain, Page, PageQuery, Projection, Put, StagedProjector, Table, Value, Write, Writes,
};
use millrace_ports::tables::compare_in_order;
use millrace_ports::{Start, TopicPartition, ViewStore};
use millrace_runtime::progress::{Progress, read_progress};

use super::Scene;
use super::ahead::Ahead;
use crate::book::Book;
use crate::difference::EventPlace;
use crate::fault::AuditFault;
use crate::reading::{Tail, decode_event};

/// Writes that are put into the scratch store at once.
const BATCH: usize = 4_000;
/// How many offsets beyond what is published may be looked at: more than a projector takes at once.
const AHEAD: i64 = 20_000;

/// Values of a row, or of its first columns.
type Row = Vec<Value>;

/// One source partition.
pub(super) struct Source<'s, D: Domain> {
    pub at: TopicPartition,
    tail: Tail,
    projector: Box<dyn StagedProjector<D::Event>>,
    /// What it knows of the events so far.
    known: Book<'s>,
    /// The rows of all events before it are in the scratch store.
    pub applied: i64,
    read_to: i64,
    pub ahead: Ahead<'s>,
}

/// The replay of one family.
pub(super) struct Replay<'s, D: Domain> {
    /// `<domain>.<family>`.
    pub projection: String,
    /// Tables of the family as they are declared.
    pub tables: Vec<Table>,
    pub sources: Vec<Source<'s, D>>,
    pub scratch: Box<dyn ViewStore>,
}

/// A row of the scratch store.
pub(super) struct Replayed {
    /// The columns, unless the row was deleted.
    pub values: Option<Vec<Value>>,
    /// The event that wrote or deleted it.
    pub event: (i32, i64),
}

impl<'s, D: Domain> Replay<'s, D> {
    /// Replays `family` up to what is published now.
    pub fn start(scene: &Scene<'s, D>, family: &Projection<D::Event>) -> Result<Self, AuditFault> {
        let tables: Vec<Table> = scene
            .tables
            .iter()
            .filter(|table| family.views.contains(&table.name.as_str()))
            .cloned()
            .collect();
        let scratch = scene.audit.shelf.scratch()?;
        let widened: Vec<Table> = tables.iter().map(widened).collect();
        scratch.create_tables(&widened)?;
        scratch.open_tables(&widened)?;
        let mut sources = Vec::new();
        for partition in 0..scene.partitions {
            let at = scene.at(&scene.names.events, partition);
            sources.push(Source {
                tail: Tail::open(scene.audit.log, at.clone(), Start::Beginning)?,
                at,
                projector: (family.projector)(partition),
                known: Book::new(scene.audit.shelf),
                applied: 0,
                read_to: 0,
                ahead: Ahead::new(scene.audit.shelf, family.views),
            });
        }
        let projection = format!("{}.{}", D::NAME, family.name);
        Ok(Self { projection, tables, sources, scratch })
    }

    /// What the live projection has published.
    pub fn published(&self, scene: &Scene<'_, D>) -> Result<Vec<Progress>, AuditFault> {
        Ok(read_progress(scene.audit.store, &self.projection)?)
    }

    /// Brings the scratch store to what is published now, and not further: whoever reads a live
    /// row after this finds it as it was then, or newer.
    pub fn advance(&mut self, scene: &Scene<'_, D>) -> Result<(), AuditFault> {
        let published = self.published(scene)?;
        let scratch = &*self.scratch;
        let mut batch = Vec::new();
        for source in &mut self.sources {
            let progress = published.iter().find(|progress| progress.partition == source.at.partition);
            let target = progress.map_or(0, |progress| progress.events_offset);
            // a position beyond the log's end is reported by itself
            let target = target.min(scene.audit.log.high_watermark(&source.at)?);
            if target <= source.applied {
                continue;
            }
            while let Some((offset, writes)) = source.ahead.pop(target)? {
                push(&self.tables, &mut batch, writes, (source.at.partition, offset));
                if batch.len() >= BATCH {
                    scratch.apply(&batch)?;
                    batch.clear();
                }
            }
            let (partition, tables) = (source.at.partition, &self.tables);
            source.read(scene, target, |offset, writes| {
                push(tables, &mut batch, writes, (partition, offset));
                if batch.len() >= BATCH {
                    scratch.apply(&batch)?;
                    batch.clear();
                }
                Ok(())
            })?;
            source.known.rest()?;
            source.applied = target;
        }
        scratch.apply(&batch)?;
        Ok(())
    }

    /// Looks at the events beyond those in the scratch store, which the live rows may show already.
    pub fn look_ahead(&mut self, scene: &Scene<'_, D>) -> Result<(), AuditFault> {
        let published = self.published(scene)?;
        for source in &mut self.sources {
            let progress = published.iter().find(|progress| progress.partition == source.at.partition);
            let newest = progress.map_or(0, |progress| progress.events_offset).max(source.applied);
            let end = scene.audit.log.high_watermark(&source.at)?.min(newest + AHEAD);
            source.look(scene, end)?;
        }
        Ok(())
    }

    /// The scratch rows of these keys.
    pub fn rows(&self, table: &Table, keys: &[&[Value]]) -> Result<Vec<Option<Replayed>>, AuditFault> {
        let queries: Vec<PageQuery> = keys
            .iter()
            .map(|key| PageQuery {
                table: table.name.clone(),
                key: key.to_vec(),
                after: Vec::new(),
                limit: 1,
                in_turn: false,
            })
            .collect();
        let pages = self.scratch.read(&queries)?;
        Ok(pages
            .into_iter()
            .map(|page| page.rows.into_iter().next().and_then(|row| narrowed(table, row)))
            .collect())
    }

    /// A page of the scratch rows that are not deleted, and the key behind which it goes on.
    pub fn scan(
        &self,
        table: &Table,
        after: &[Value],
        limit: usize,
    ) -> Result<(Vec<Row>, Option<Row>), AuditFault> {
        let Page { rows } = self.scratch.scan(&table.name, after, limit)?;
        let next = match rows.last() {
            Some(last) if rows.len() == limit => Some(last[..table.key_columns()].to_vec()),
            _ => None,
        };
        let kept = rows.into_iter().filter_map(|row| narrowed(table, row)?.values).collect();
        Ok((kept, next))
    }

    /// How far the scratch store has come in all partitions together.
    pub fn position(&self) -> i64 {
        self.sources.iter().map(|source| source.applied).sum()
    }

    /// How many rows of a table are not deleted.
    pub fn count(&self, table: &Table) -> Result<u64, AuditFault> {
        let (mut after, mut count) = (Vec::new(), 0);
        loop {
            let (rows, next) = self.scan(table, &after, 5_000)?;
            count += rows.len() as u64;
            match next {
                Some(next) => after = next,
                None => return Ok(count),
            }
        }
    }

    /// Where an event stands.
    pub fn place(&self, (partition, offset): (i32, i64)) -> EventPlace {
        let topic = self.sources.first().map(|source| source.at.topic.to_string()).unwrap_or_default();
        EventPlace { topic, partition, offset }
    }
}

impl<D: Domain> Source<'_, D> {
    /// Takes in the events before `to` and keeps their rows.
    fn look(&mut self, scene: &Scene<'_, D>, to: i64) -> Result<(), AuditFault> {
        let Self { tail, projector, known, ahead, .. } = self;
        if to > self.read_to {
            read(scene, (tail, &mut **projector, known), to, |offset, rows| ahead.push(offset, rows))?;
            self.read_to = to;
        }
        Ok(())
    }

    /// Takes in the events before `to` and gives the rows of each, of a fan-out a piece at a time, to `each`.
    fn read(
        &mut self,
        scene: &Scene<'_, D>,
        to: i64,
        each: impl FnMut(i64, Vec<Write>) -> Result<(), AuditFault>,
    ) -> Result<(), AuditFault> {
        if to > self.read_to {
            read(scene, (&mut self.tail, &mut *self.projector, &mut self.known), to, each)?;
            self.read_to = to;
        }
        Ok(())
    }
}

fn read<D: Domain>(
    scene: &Scene<'_, D>,
    (tail, projector, known): (&mut Tail, &mut dyn StagedProjector<D::Event>, &mut Book<'_>),
    to: i64,
    mut each: impl FnMut(i64, Vec<Write>) -> Result<(), AuditFault>,
) -> Result<(), AuditFault> {
    tail.up_to(to, scene.audit.watcher, &mut |record| {
        let event = decode_event(&scene.codecs.events, record)?;
        let mut writes = Writes::new();
        projector.stage(&event, known, &mut writes);
        known.take_fault()?;
        let asked = writes.take();
        asked.ahead.into_iter().try_for_each(|rows| each(record.offset, rows))?;
        for stage in asked.stages {
            each(record.offset, stage.writes)?;
            for fan_out in stage.fan_outs {
                let mut goes_on = true;
                while goes_on {
                    let mut rows = Vec::new();
                    goes_on = projector.fan_out(fan_out, BATCH, known, &mut rows);
                    known.take_fault()?;
                    each(record.offset, rows)?;
                }
            }
        }
        Ok(())
    })
}

/// The columns that say which event wrote a scratch row, and whether it was deleted.
const MARKS: [(&str, ColumnType); 3] = [
    ("millrace_partition", ColumnType::Int),
    ("millrace_offset", ColumnType::BigInt),
    ("millrace_deleted", ColumnType::Boolean),
];

fn widened(table: &Table) -> Table {
    let mut table = table.clone();
    // a deleted row is kept as one without values, whatever its columns promise
    table.columns.iter_mut().for_each(|column| column.comment.clear());
    table.columns.extend(MARKS.map(|(name, kind)| Column {
        name: name.to_owned(),
        kind,
        comment: "Of the audit.".to_owned(),
    }));
    table
}

fn narrowed(table: &Table, mut row: Vec<Value>) -> Option<Replayed> {
    let marks = row.split_off_checked(table.columns.len())?;
    match marks.as_slice() {
        [Value::Int(partition), Value::BigInt(offset), Value::Boolean(deleted)] => {
            Some(Replayed { values: (!deleted).then_some(row), event: (*partition, *offset) })
        }
        _ => None,
    }
}

trait SplitOff {
    fn split_off_checked(&mut self, at: usize) -> Option<Vec<Value>>;
}

impl SplitOff for Vec<Value> {
    fn split_off_checked(&mut self, at: usize) -> Option<Vec<Value>> {
        (at <= self.len()).then(|| self.split_off(at))
    }
}

/// Adds `writes` to `batch` as the scratch store keeps them.
fn push(tables: &[Table], batch: &mut Vec<Write>, writes: Vec<Write>, (partition, offset): (i32, i64)) {
    let marks = |deleted: bool| [Value::Int(partition), Value::BigInt(offset), Value::Boolean(deleted)];
    for write in writes {
        batch.push(match write {
            Write::Put(mut put) => {
                put.values.extend(marks(false));
                Write::Put(put)
            }
            Write::Delete(delete) if !delete.range => {
                let width = tables.iter().find(|t| t.name == delete.table).map_or(0, |t| t.columns.len());
                let mut values = delete.key;
                values.resize(width.max(values.len()), Value::Null);
                values.extend(marks(true));
                Write::Put(Put { table: delete.table, values, timestamp: delete.timestamp })
            }
            range => range,
        });
    }
}

/// What a write leaves of the row with this key: `None` when it does not touch it.
pub(super) fn effect<'w>(table: &Table, key: &[Value], write: &'w Write) -> Option<Option<&'w [Value]>> {
    if write.table() != table.name {
        return None;
    }
    match write {
        Write::Put(put) => put.values.starts_with(key).then_some(Some(put.values.as_slice())),
        Write::Delete(delete) if delete.range => {
            let width = table.partition_columns;
            let (partition, place) = delete.key.split_at_checked(width)?;
            let is_behind = key.starts_with(partition)
                && (place.is_empty() || compare_in_order(table, width, &key[width..], place).is_gt());
            is_behind.then_some(None)
        }
        Write::Delete(delete) => (delete.key == key).then_some(None),
    }
}
