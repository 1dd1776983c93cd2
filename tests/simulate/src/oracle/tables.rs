//! Tables are a fold of the events before the published position, and of no event that was not committed.

use std::collections::{BTreeMap, BTreeSet};

use millrace_kernel::{Event, Value};
use millrace_runtime::progress::{FAN_OUTS, Progress, read_progress};
use millrace_runtime::versions::Version;

use super::world::{Failure, World};
use crate::holds;
use crate::workload::{Place, Workload};

/// Rows that a place may hold; `None` is no row.
type Options = BTreeMap<Place, Vec<Option<Vec<Value>>>>;

/// Looks at the tables while projections are under way: what is published is there, and what is there
/// has been committed.
///
/// # Errors
/// What does not hold.
pub fn look<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    for (family, tables) in W::families() {
        for version in &world.versions.kept[*family] {
            let published = published(world, family, *version)?;
            let mut options = Options::new();
            for (number, said) in &published {
                honest(world, *number, said)?;
                merge(&mut options, fold(world, *number, said));
            }
            compare(world, *version, tables, &options)?;
        }
    }
    Ok(())
}

/// Judges the tables when nothing is left to do.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    look(world)?;
    for (family, tables) in W::families() {
        for version in &world.versions.kept[*family] {
            at_rest(world, family, *version, tables)?;
        }
    }
    Ok(())
}

/// A version has all events, and its buckets are in its directories.
fn at_rest<W: Workload>(
    world: &World<'_, W>,
    family: &str,
    version: Version,
    tables: &[&'static str],
) -> Result<(), Failure> {
    let published = published(world, family, version)?;
    let mut options = Options::new();
    for (number, seen) in world.partitions() {
        let Some((newest, _)) = seen.events.last() else { continue };
        let Some(said) = published.get(&number) else { continue };
        let progress = said.progress.events_offset;
        holds!(
            progress > *newest,
            "projections reach the end",
            "version {} of {family} has published {progress} of partition {number}, whose newest event is {newest}",
            version.0
        );
        holds!(said.open.is_empty(), "fan-outs end", "{family} partition {number}: {:?}", said.open);
        merge(&mut options, fold(world, number, said));
    }
    compare(world, version, tables, &options)?;
    tables.iter().try_for_each(|name| buckets(world, version, name))
}

/// Every row of a bucketed table is in a bucket that its directory names, and what follows the newest bucket of a
/// partition stands there, too.
fn buckets<W: Workload>(world: &World<'_, W>, version: Version, name: &str) -> Result<(), Failure> {
    let table = world.table(name);
    let Some(directory) = table.directory().map(|it| version.table(&it)) else { return Ok(()) };
    let name = version.table(name);
    let named: BTreeSet<Vec<Value>> = world.pipeline.store.rows(&directory).into_iter().collect();
    let rows = world.pipeline.store.rows(&name);
    let used: BTreeSet<&[Value]> = rows.iter().map(|row| &row[..table.partition_columns]).collect();
    for bucket in &used {
        holds!(named.contains(*bucket), "every bucket is in the directory", "{name} {bucket:?}: {named:?}");
    }
    let newest = |of: &[Value]| named.iter().rfind(|it| it[..it.len() - 1] == *of);
    for bucket in named.iter().filter(|bucket| !used.contains(&bucket[..])) {
        let is_newest = newest(&bucket[..bucket.len() - 1]) == Some(bucket);
        holds!(is_newest, "only the newest bucket is kept when it is empty", "{directory} {bucket:?}");
    }
    Ok(())
}

/// What a family says of a partition's events: which of them are in the tables.
pub struct Said {
    /// How far it has come.
    pub progress: Progress,
    /// Commands (false) and steps (true) whose rows are still being written, by offset.
    pub open: BTreeSet<(bool, i64)>,
}

impl Said {
    /// Whether the rows of the event at `offset` are said to be there.
    pub fn covers<E>(&self, offset: i64, event: &Event<E>) -> bool {
        let is_step = event.is_caused_by_step();
        let newest = if is_step { self.progress.steps_offset } else { self.progress.commands_offset };
        let cause = event.command_offset;
        offset < self.progress.events_offset || (cause <= newest && !self.open.contains(&(is_step, cause)))
    }
}

/// What a version of a projection has published, by partition.
///
/// # Errors
/// The progress cannot be read.
pub fn published<W: Workload>(
    world: &World<'_, W>,
    family: &str,
    version: Version,
) -> Result<BTreeMap<i32, Said>, Failure> {
    let family = &version.of(family);
    let found = read_progress(&*world.pipeline.store, family)
        .map_err(|why| Failure::new("progress can be read", why.to_string()))?;
    let none = |number| Said { progress: Progress::none(family, number), open: BTreeSet::new() };
    let mut published: BTreeMap<i32, Said> =
        (0..world.setup.partitions).map(|number| (number, none(number))).collect();
    for progress in found {
        published.insert(progress.partition, Said { progress, open: BTreeSet::new() });
    }
    for row in world.pipeline.store.rows(FAN_OUTS) {
        let [
            Value::Text(projection),
            Value::Int(number),
            Value::Text(cause),
            Value::BigInt(offset),
            Value::BigInt(event),
            _,
        ] = row.as_slice()
        else {
            return Err(Failure::new("fan-outs can be read", format!("{row:?}")));
        };
        if **projection == *family {
            let said = published.entry(*number).or_insert_with(|| none(*number));
            // what the progress has passed is there, whatever is said of it
            if *event >= said.progress.events_offset {
                said.open.insert((&**cause == "steps", *offset));
            }
        }
    }
    Ok(published)
}

/// What is published is no more than has been committed, and its parts fit together.
fn honest<W: Workload>(world: &World<'_, W>, number: i32, said: &Said) -> Result<(), Failure> {
    let seen = &world.seen.partitions[number as usize];
    let progress = &said.progress;
    for (is_step, found) in [(false, progress.commands_offset), (true, progress.steps_offset)] {
        let of_kind = || seen.events.iter().filter(move |(_, event)| event.is_caused_by_step() == is_step);
        let before = of_kind().filter(|(offset, _)| *offset < progress.events_offset);
        let oldest = before.map(|(_, event)| event.command_offset).max().unwrap_or(-1);
        let is_cause = found == oldest || of_kind().any(|(_, event)| event.command_offset == found);
        holds!(
            is_cause && found >= oldest,
            "published positions fit together",
            "{progress:?} with {:?} open, but what is before its events ends at {oldest} (steps: {is_step})",
            said.open
        );
    }
    Ok(())
}

/// What each place may hold when the events that are said to be there are in the tables, and possibly
/// any of the others.
fn fold<W: Workload>(world: &World<'_, W>, number: i32, said: &Said) -> Options {
    let seen = &world.seen.partitions[number as usize];
    let mut rows = W::Rows::default();
    let mut options = Options::new();
    for (offset, event) in &seen.events {
        let is_there = said.covers(*offset, event);
        for place in W::fold(&mut rows, &world.setup.domain, number, event) {
            let row = W::row(&rows, &place);
            let of_place = options.entry(place).or_insert_with(|| vec![None]);
            if is_there {
                of_place.clear();
            }
            of_place.push(row);
        }
    }
    options
}

/// A place that only one partition writes has its options from that one.
fn merge(into: &mut Options, from: Options) {
    for (place, rows) in from {
        into.entry(place).or_default().extend(rows);
    }
}

fn compare<W: Workload>(
    world: &World<'_, W>,
    version: Version,
    tables: &[&'static str],
    options: &Options,
) -> Result<(), Failure> {
    let mut found: BTreeMap<Place, Vec<Value>> = BTreeMap::new();
    for name in tables {
        let table = world.table(name);
        let bucket = table.directory().map(|_| table.partition_columns - 1);
        let columns = table.key_columns() - usize::from(bucket.is_some());
        for mut row in world.pipeline.store.rows(&version.table(name)) {
            // what a table says does not depend on how it is cut
            bucket.map(|column| row.remove(column));
            let before = found.insert((*name, row[..columns].to_vec()), row);
            holds!(before.is_none(), "a row stands in one bucket", "{name}: {before:?}");
        }
    }
    for (place, rows) in options {
        if !tables.contains(&place.0) {
            continue;
        }
        let row = found.remove(place);
        holds!(
            rows.contains(&row),
            "a table is the fold of its events",
            "{place:?} of version {} holds {row:?}, expected one of {rows:?}",
            version.0
        );
    }
    holds!(found.is_empty(), "no row comes from nowhere", "{found:?}");
    Ok(())
}
