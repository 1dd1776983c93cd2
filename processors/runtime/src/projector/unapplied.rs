//! Rows on their way into the store, and what is true once they are there.

use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::Write;
use millrace_ports::Record;

use crate::changes::Noted;
use crate::metrics::{Distribution, Meter, Span, TRACEPARENT};
use crate::progress::Progress;

/// Writes that the store has not acknowledged yet, in stages, and what they prove.
pub(super) struct Unapplied {
    pub(super) stages: Vec<Vec<Write>>,
    pub(super) done: usize,
    /// What they change for those who have subscribed to a view, to be told once all of them are there.
    pub(super) noted: Vec<Noted>,
    /// Before this offset all is applied then, but for what is written in turns.
    pub(super) upto: i64,
    /// What may be published then, but for the same.
    pub(super) progress: Progress,
    pub(super) tally: Tally,
}

/// What a batch of events has come to.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) events: u64,
    puts: u64,
    deletes: u64,
    /// When the oldest event was written, milliseconds since the epoch.
    pub(super) oldest_ms: Option<i64>,
    spans: Vec<Box<dyn Span>>,
}

impl Tally {
    /// Takes in an event whose rows are to be written. What follows from it belongs to the trace that is returned, if to one.
    pub(super) fn take(&mut self, record: &Record, meter: &Meter, projection: &str) -> Option<Bytes> {
        self.events += 1;
        self.oldest_ms = Some(self.oldest_ms.map_or(record.timestamp_ms, |it| it.min(record.timestamp_ms)));
        let (_, parent) = record.headers.iter().find(|(name, _)| name == TRACEPARENT)?;
        let of = [
            ("messaging.system", "kafka".to_owned()),
            ("messaging.destination.name", record.topic.to_string()),
            ("messaging.destination.partition.id", record.partition.to_string()),
            ("messaging.kafka.offset", record.offset.to_string()),
        ];
        let Some(span) = meter.role().begin(&format!("project {projection}"), parent, &of) else {
            // nobody takes traces here: whoever hears of it goes on from where the event was
            return Some(parent.clone());
        };
        let own = Bytes::copy_from_slice(span.traceparent().as_bytes());
        self.spans.push(span);
        Some(own)
    }

    /// The store is asked for the rows: a span below that of each event, until they are there.
    pub(super) fn writing(&self, meter: &Meter, projection: &str) -> Vec<Box<dyn Span>> {
        let name = format!("write rows of {projection}");
        let begin = |span: &Box<dyn Span>| meter.role().begin(&name, span.traceparent().as_bytes(), &[]);
        self.spans.iter().filter_map(begin).collect()
    }

    pub(super) fn count(&mut self, stages: &[Vec<Write>]) {
        for write in stages.iter().flatten() {
            match write {
                Write::Put(_) => self.puts += 1,
                Write::Delete(_) => self.deletes += 1,
            }
        }
    }

    pub(super) fn report(self, meter: &Meter, took: Duration) {
        meter.update(|numbers| numbers.records += self.events);
        if self.puts + self.deletes > 0 {
            meter.role().record(Distribution::RowsSeconds, took.as_secs_f64());
            meter.role().count(|counts| {
                counts.puts += self.puts;
                counts.deletes += self.deletes;
            });
        }
        self.spans.into_iter().for_each(|span| span.end());
    }
}

/// Joins an event's stages to those of the events before it: its first stage may run with
/// their last one, since rows carry the times that decide between them.
pub(super) fn append(stages: &mut Vec<Vec<Write>>, mut of_event: Vec<Vec<Write>>) {
    of_event.retain(|stage| !stage.is_empty());
    if let (Some(last), false) = (stages.last_mut(), of_event.is_empty()) {
        last.append(&mut of_event[0]);
        of_event.remove(0);
    }
    stages.append(&mut of_event);
}
