//! What the events come to, row by row: copies are compared with it.

use std::collections::{BTreeMap, VecDeque};

use millrace_kernel::Value;

use crate::oracle::world::World;
use crate::workload::{Place, Workload};

/// Rows by their keys as readers know them.
pub(super) type Rows = BTreeMap<Vec<Value>, Vec<Value>>;
/// What a row has come to, each from where on in the events.
type History = Vec<(i64, Option<Vec<Value>>)>;

/// So many of the places that changed last are known.
const RECENT: usize = 12;

/// The rows of live views, from the first event on.
pub(super) struct Folded<W: Workload> {
    sources: Vec<Source<W>>,
    recent: VecDeque<Place>,
}

struct Source<W: Workload> {
    rows: W::Rows,
    /// How many events were folded.
    events: usize,
    histories: BTreeMap<Place, History>,
}

impl<W: Workload> Default for Folded<W> {
    fn default() -> Self {
        Self { sources: Vec::new(), recent: VecDeque::new() }
    }
}

impl<W: Workload> Folded<W> {
    /// Folds the events that have come since.
    pub(super) fn read_on(&mut self, world: &World<'_, W>) {
        for (number, seen) in world.partitions() {
            if self.sources.len() <= number as usize {
                let (rows, histories) = Default::default();
                self.sources.push(Source { rows, events: 0, histories });
            }
            let source = &mut self.sources[number as usize];
            for (offset, event) in &seen.events[source.events..] {
                for place in W::fold(&mut source.rows, &world.setup.domain, number, event) {
                    if world.table(place.0).live.is_none() {
                        continue;
                    }
                    let row = W::row(&source.rows, &place);
                    self.recent.push_front(place.clone());
                    source.histories.entry(place).or_default().push((offset + 1, row));
                }
            }
            source.events = seen.events.len();
            self.recent.truncate(RECENT);
        }
    }

    /// The places in live views that changed last, the newest first.
    pub(super) fn recent(&self) -> &VecDeque<Place> {
        &self.recent
    }

    /// Whether there ever was such a row.
    pub(super) fn knows(&self, place: &Place) -> bool {
        self.sources.iter().any(|source| source.histories.contains_key(place))
    }

    /// The rows of a view and partition key that follow from a source partition, and what has become of them.
    pub(super) fn own(&self, number: i32, of: &Place) -> Vec<Own<'_>> {
        let source = self.sources.get(number as usize);
        (source.into_iter().flat_map(|source| source.histories.range(of.clone()..)))
            .take_while(|((view, key), _)| *view == of.0 && key.starts_with(&of.1))
            .map(|((_, key), history)| (key.as_slice(), history.as_slice()))
            .collect()
    }
}

/// A row's key, and what has become of the row.
pub(super) type Own<'a> = (&'a [Value], &'a [(i64, Option<Vec<Value>>)]);

/// The first moment, `from` or later, in which `own` are what stands in `rows`. The model knows no buckets.
pub(super) fn moment(own: &[Own<'_>], rows: &Rows, from: i64) -> Option<i64> {
    let mut moments = vec![from];
    moments.extend(own.iter().flat_map(|(_, history)| *history).map(|(at, _)| *at).filter(|at| *at > from));
    moments.sort_unstable();
    let fits = |moment: &i64| own.iter().all(|(key, history)| rows.get(*key) == at(history, *moment));
    moments.into_iter().find(fits)
}

fn at(history: &[(i64, Option<Vec<Value>>)], moment: i64) -> Option<&Vec<Value>> {
    let passed = history.partition_point(|(from, _)| *from <= moment);
    passed.checked_sub(1).and_then(|last| history[last].1.as_ref())
}
