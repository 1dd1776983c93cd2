//! Versions of a view family's tables, so that a changed projection can fill new ones while the
//! old ones answer.
//!
//! Version 1 has the plain names of the views, version *n* has `<view>_v<n>`. Each has its own
//! consumer group and publishes its own progress. The [`catalogue`] says which there are and how
//! far they are; `millrace_views` says which one answers.

pub mod catalogue;
mod live;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use millrace_kernel::{Table, Write};

pub use catalogue::{CatalogueFault, Filled, State};
pub use live::{Live, LiveStore};

/// Number of a version, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub i32);

impl Version {
    /// The version whose tables have the plain names.
    pub const FIRST: Self = Self(1);

    /// The version that is built after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The name of a view's table.
    #[must_use]
    pub fn table(self, view: &str) -> String {
        if self == Self::FIRST { view.to_owned() } else { format!("{view}_v{}", self.0) }
    }

    /// What its projection, role or consumer group is called, where those of the first version are
    /// called `name`.
    #[must_use]
    pub fn of(self, name: &str) -> String {
        if self == Self::FIRST { name.to_owned() } else { format!("{name}.v{}", self.0) }
    }

    /// The declarations of its tables, of those in `declared` that are among `views`.
    #[must_use]
    pub fn tables(self, declared: &[Table], views: &[&str]) -> Vec<Table> {
        let of_family = declared.iter().filter(|table| views.contains(&table.name.as_str()));
        of_family.map(|table| Table { name: self.table(&table.name), ..table.clone() }).collect()
    }
}

/// Where the rows of a version go: projectors know their views by the plain names.
#[derive(Clone, Debug, Default)]
pub struct Destination {
    tables: HashMap<&'static str, &'static str>,
}

impl Destination {
    /// The tables of `version`, for these views.
    #[must_use]
    pub fn new(version: Version, views: &[&'static str]) -> Self {
        if version == Version::FIRST {
            return Self::default();
        }
        Self { tables: views.iter().map(|view| (*view, lasting(version.table(view)))).collect() }
    }

    /// Sends writes to this version's tables.
    pub fn redirect<'w>(&self, writes: impl IntoIterator<Item = &'w mut Write>) {
        if self.tables.is_empty() {
            return;
        }
        for write in writes {
            let table = match write {
                Write::Put(put) => &mut put.table,
                Write::Delete(delete) => &mut delete.table,
            };
            if let Some(here) = self.tables.get(table) {
                *table = here;
            }
        }
    }
}

/// The name, for as long as the process lives: rows carry the names of their tables as constants,
/// and of versions there are few.
fn lasting(name: String) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

/// How a family's tables are filled, for [`Filled::revision`]: the projection's own revision, and
/// the columns and keys of the tables, as a number that changes with them.
#[must_use]
pub fn revision(of_projection: &str, views: &[&str], declared: &[Table]) -> String {
    let of_family = declared.iter().filter(|table| views.contains(&table.name.as_str()));
    let shape: String = of_family.map(shape).collect();
    format!("{of_projection}, tables={:08x}", fnv(&shape))
}

fn shape(table: &Table) -> String {
    let columns: String =
        table.columns.iter().map(|column| format!("{} {},", column.name, column.kind.cql())).collect();
    format!("{}({columns}{},{:?})", table.name, table.partition_columns, table.clustering_descending)
}

/// FNV-1a of 32 bits (Fowler, Noll, Vo): the same in every build, which the standard library does
/// not promise of its own hashes.
fn fnv(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use millrace_kernel::{Put, Value};

    use super::*;
    use crate::progress::system_tables;

    #[test]
    fn no_table_of_the_engine_has_partitions_without_a_bound() {
        assert_eq!(millrace_kernel::table::check_bounds(&system_tables()), Ok(()));
    }

    #[test]
    fn the_first_version_has_the_plain_names() {
        assert_eq!(Version::FIRST.table("chirps"), "chirps");
        assert_eq!(Version(2).table("chirps"), "chirps_v2");
        assert_eq!(Version::FIRST.of("chirp.timelines"), "chirp.timelines");
        assert_eq!(Version::FIRST.next().of("chirp.timelines"), "chirp.timelines.v2");
    }

    #[test]
    fn rows_go_to_the_version_they_are_for() {
        let put = |table| Write::Put(Put { table, values: vec![Value::Int(1)], timestamp: 1 });
        let mut writes = vec![put("chirps"), put("others")];
        Destination::new(Version(3), &["chirps"]).redirect(&mut writes);
        assert_eq!(writes, [put("chirps_v3"), put("others")]);
        let mut writes = vec![put("chirps")];
        Destination::new(Version::FIRST, &["chirps"]).redirect(&mut writes);
        assert_eq!(writes, [put("chirps")]);
    }

    #[test]
    fn a_revision_changes_with_columns_and_not_with_comments() {
        let tables = system_tables();
        let views: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        let of = |tables: &[Table]| revision("1", &views, tables);
        let mut changed = tables.clone();
        changed[0].columns[2].comment = "other words".to_owned();
        assert_eq!(of(&changed), of(&tables));
        changed[0].columns.pop();
        assert_ne!(of(&changed), of(&tables));
        assert_ne!(revision("2", &views, &tables), of(&tables));
        assert_eq!(revision("1", &[], &tables), "1, tables=811c9dc5", "the same in every build");
    }
}
