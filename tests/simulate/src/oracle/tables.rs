//! Tables are a fold of the events before the published position, and of no event that was not committed.

use std::collections::{BTreeMap, BTreeSet};

use millrace_kernel::Value;
use millrace_runtime::progress::{Progress, read_progress};

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
        let published = published(world, family)?;
        let mut options = Options::new();
        for (number, progress) in &published {
            honest(world, *number, progress)?;
            merge(&mut options, fold(world, *number, progress.events_offset));
        }
        compare(world, tables, &options)?;
    }
    Ok(())
}

/// Judges the tables when nothing is left to do.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    for (family, tables) in W::families() {
        let published = published(world, family)?;
        let mut options = Options::new();
        for (number, seen) in world.partitions() {
            let Some((newest, _)) = seen.events.last() else { continue };
            let progress = published.get(&number).map_or(0, |progress| progress.events_offset);
            holds!(
                progress > *newest,
                "projections reach the end",
                "{family} has published {progress} of partition {number}, whose newest event is {newest}"
            );
            merge(&mut options, fold(world, number, i64::MAX));
        }
        look(world)?;
        compare(world, tables, &options)?;
    }
    Ok(())
}

/// What a projection has published, by partition.
///
/// # Errors
/// The progress cannot be read.
pub fn published<W: Workload>(
    world: &World<'_, W>,
    family: &str,
) -> Result<BTreeMap<i32, Progress>, Failure> {
    let found = read_progress(&*world.pipeline.store, family)
        .map_err(|why| Failure::new("progress can be read", why.to_string()))?;
    let mut published: BTreeMap<i32, Progress> =
        (0..world.setup.partitions).map(|number| (number, Progress::none(family, number))).collect();
    published.extend(found.into_iter().map(|progress| (progress.partition, progress)));
    Ok(published)
}

/// What is published is no more than has been committed, and its parts fit together.
fn honest<W: Workload>(world: &World<'_, W>, number: i32, progress: &Progress) -> Result<(), Failure> {
    let seen = &world.seen.partitions[number as usize];
    let before = || seen.events.iter().filter(|(offset, _)| *offset < progress.events_offset);
    let newest = |is_step: bool| {
        let of_kind = before().filter(move |(_, event)| event.is_caused_by_step() == is_step);
        of_kind.map(|(_, event)| event.command_offset).max().unwrap_or(-1)
    };
    let expected = (newest(false), newest(true));
    let found = (progress.commands_offset, progress.steps_offset);
    holds!(found == expected, "published positions fit together", "{progress:?}, expected {expected:?}");
    Ok(())
}

/// What each place may hold when the events before `published` are in the tables, and possibly later ones.
fn fold<W: Workload>(world: &World<'_, W>, number: i32, published: i64) -> Options {
    let seen = &world.seen.partitions[number as usize];
    let mut rows = W::Rows::default();
    let mut places = BTreeSet::new();
    let mut events = seen.events.iter().peekable();
    while let Some((_, event)) = events.next_if(|(offset, _)| *offset < published) {
        places.extend(W::fold(&mut rows, &world.setup.domain, number, event));
    }
    let row = |rows: &W::Rows, place: Place| (W::row(rows, &place), place);
    let published = places.into_iter().map(|place| row(&rows, place));
    let mut options: Options = published.map(|(row, place)| (place, vec![row])).collect();
    for (_, event) in events {
        for place in W::fold(&mut rows, &world.setup.domain, number, event) {
            let (row, place) = row(&rows, place);
            options.entry(place).or_insert_with(|| vec![None]).push(row);
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
    tables: &[&'static str],
    options: &Options,
) -> Result<(), Failure> {
    let mut found: BTreeMap<Place, Vec<Value>> = BTreeMap::new();
    for table in tables {
        let columns = world.key_columns(table);
        for row in world.pipeline.store.rows(table) {
            found.insert((*table, row[..columns].to_vec()), row);
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
            "{place:?} holds {row:?}, expected one of {rows:?}"
        );
    }
    holds!(found.is_empty(), "no row comes from nowhere", "{found:?}");
    Ok(())
}
