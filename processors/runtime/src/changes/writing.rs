//! Writes to live views as changes, and appending them once the rows are acknowledged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::change::Columns;
use millrace_kernel::live::key_text;
use millrace_kernel::table::Column;
use millrace_kernel::{Change, Table, Text, Value, Write, partition};
use millrace_ports::{Appender, Log, LogFault, MAX_RECORD_BYTES, Outgoing, TopicPartition};
use millrace_wire::Codec;

use crate::metrics::{Meter, Span, TRACEPARENT};
use crate::versions::Version;

/// So many changes are given to the log at once.
const MOST: usize = 5_000;

/// Where the projectors of a view family write the changes of its live views.
pub struct ChangeLog {
    views: HashMap<String, Table>,
    version: Version,
    topic: Arc<str>,
    partitions: i32,
    codec: Codec<Change>,
    appender: Arc<dyn Appender>,
    /// By source partition: nobody can have subscribed to what followed from events before this offset.
    since: Vec<i64>,
}

/// A change that is to be written when its row is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The view's partition key, as [`key_text`] writes it.
    key: String,
    change: Change,
    /// The trace that the event belongs to: the value of its header `traceparent`.
    trace: Option<Bytes>,
}

impl ChangeLog {
    /// The log of the live ones among `tables`, in their `version`; nothing where none is live. `since` has an offset for each
    /// source partition: of events before it no changes are written.
    #[must_use]
    pub fn new(
        tables: &[Table],
        version: Version,
        topic: Arc<str>,
        codec: Codec<Change>,
        appender: Arc<dyn Appender>,
        since: Vec<i64>,
    ) -> Self {
        let live = tables.iter().filter(|table| table.live.is_some());
        let views = live.map(|table| (table.name.clone(), table.clone())).collect();
        let partitions = i32::try_from(since.len()).unwrap_or(i32::MAX);
        Self { views, version, topic, partitions, codec, appender, since }
    }

    /// Notes what `writes`, which follow from the event at `offset`, change in live views. They belong to `trace`, if to one.
    pub(crate) fn note<'w>(
        &self,
        writes: impl IntoIterator<Item = &'w Write>,
        (source_partition, source_offset): (i32, i64),
        trace: Option<&Bytes>,
        into: &mut Vec<Noted>,
    ) {
        let first = into.len();
        let since = usize::try_from(source_partition).ok().and_then(|at| self.since.get(at));
        if since.is_none_or(|since| source_offset < *since) {
            return;
        }
        for write in writes {
            let Some(table) = self.views.get(write.table()) else { continue };
            if is_of_left_bucket(table, write) {
                continue;
            }
            let (key, row, range) = match write {
                Write::Put(put) => (&put.values, Some(&put.values), false),
                Write::Delete(delete) => (&delete.key, None, delete.range),
            };
            let named = |(at, column): (usize, &Column)| {
                Some((Text::from(column.name.as_str()), key.get(at)?.clone()))
            };
            let partition_key = &key[..table.logical_partition().len().min(key.len())];
            let is_whole = key.len() >= table.key_columns() && !range;
            let key_columns: Columns = match is_whole {
                true => table.logical_key().filter_map(named).collect(),
                // what lies behind a place in a bucket is not named by columns that readers know
                false => table.logical_partition().iter().enumerate().filter_map(named).collect(),
            };
            into.push(Noted {
                key: key_text(partition_key),
                trace: trace.cloned(),
                change: Change {
                    view: Text::from(table.name.as_str()),
                    version: self.version.0,
                    source_partition,
                    source_offset,
                    settled: 0,
                    recorded_at: write.timestamp(),
                    key: key_columns,
                    row: row.map(|values| columns(table, values)),
                    reread: !is_whole,
                    more: false,
                },
            });
        }
        let mut later = HashSet::new();
        for noted in into[first..].iter_mut().rev() {
            // two views may have keys that are written alike
            noted.change.more = !later.insert((noted.change.view.clone(), noted.key.clone()));
        }
    }

    /// Writes the changes that were noted, and returns when they are there. `settled` is the offset before which the changes of
    /// all events of the source partition have been written before these. Each is a span of its trace, which goes on from there.
    ///
    /// # Errors
    /// [`LogFault`]: some may be there. They are to be written again, all of them.
    pub(crate) fn append(&self, noted: &[Noted], settled: i64, meter: &Meter) -> Result<(), LogFault> {
        for some in noted.chunks(MOST) {
            let spans: Vec<_> = some.iter().map(|noted| self.span(noted, meter)).collect();
            let of = some.iter().zip(&spans);
            self.appender
                .append(of.map(|(noted, span)| self.record(noted, settled, span.as_deref())).collect())?;
            spans.into_iter().flatten().for_each(Span::end);
        }
        Ok(())
    }

    /// The span of telling of a change, where its trace is recorded.
    fn span(&self, noted: &Noted, meter: &Meter) -> Option<Box<dyn Span>> {
        let trace = noted.trace.as_ref()?;
        let of = [
            ("messaging.system", "kafka".to_owned()),
            ("messaging.destination.name", self.topic.to_string()),
            ("millrace.source.partition", noted.change.source_partition.to_string()),
            ("millrace.source.offset", noted.change.source_offset.to_string()),
        ];
        meter.role().begin(&format!("change {}", noted.change.view), trace, &of)
    }

    fn record(&self, noted: &Noted, settled: i64, span: Option<&dyn Span>) -> Outgoing {
        let change = Change { settled, ..noted.change.clone() };
        let key = Bytes::from(noted.key.clone());
        let own = span.map(|span| Bytes::copy_from_slice(span.traceparent().as_bytes()));
        let trace = own.or_else(|| noted.trace.clone());
        let headers: Vec<_> = trace.map(|trace| (TRACEPARENT.to_owned(), trace)).into_iter().collect();
        let record = |value: Bytes| Outgoing {
            topic: Arc::clone(&self.topic),
            partition: partition::of_key(&key, self.partitions),
            key: Some(key.clone()),
            value: Some(value),
            timestamp_ms: change.recorded_at / 1_000,
            headers: headers.clone(),
        };
        let whole = record(self.codec.encode(&change));
        if whole.size_bytes() <= MAX_RECORD_BYTES {
            return whole;
        }
        // a row may be larger than a record: who hears of it reads it
        record(self.codec.encode(&Change { row: None, reread: true, ..change.clone() }))
    }
}

/// From which offset of each partition of the events on changes are told. Nobody has subscribed to tables that are only being
/// built, and whoever does after the switch reads rows that are behind the end that the events have now.
///
/// # Errors
/// [`LogFault`].
pub fn told_since(
    log: &dyn Log,
    events: &Arc<str>,
    partitions: i32,
    is_building: bool,
) -> Result<Vec<i64>, LogFault> {
    let of = |partition| match is_building {
        false => Ok(0),
        true => log.last_stable_offset(&TopicPartition::new(Arc::clone(events), partition)),
    };
    (0..partitions).map(of).collect()
}

/// Whether a write sweeps a bucket that its rows have left, each with a write of its own.
fn is_of_left_bucket(table: &Table, write: &Write) -> bool {
    let is_whole = |key: &[Value]| key.len() == table.partition_columns && table.directory().is_some();
    matches!(write, Write::Delete(delete) if delete.range && is_whole(&delete.key))
}

/// The columns of a row as readers know them: without the bucket.
fn columns(table: &Table, values: &[Value]) -> Columns {
    let bucket = table.directory().map(|_| table.partition_columns - 1);
    let named = table.columns.iter().zip(values).enumerate().filter(|(at, _)| Some(*at) != bucket);
    named.map(|(_, (column, value))| (Text::from(column.name.as_str()), value.clone())).collect()
}
