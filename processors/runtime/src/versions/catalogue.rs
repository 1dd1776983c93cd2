//! The tables that say which versions there are and which one answers.
//!
//! Operators write them from several machines whose clocks differ, and the store keeps what has the greatest time. So
//! a version is claimed by the first who inserts its row; what changes a row is dated behind what it changes; and who
//! has written looks whether it stands.

use millrace_kernel::{PageQuery, Put, Value, Write};
use millrace_ports::{StoreFault, ViewStore};
use thiserror::Error;

use super::Version;
use crate::progress::VIEWS;

/// The table of versions.
pub const VERSIONS: &str = "millrace_versions";

/// How far a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `rebuild` fills it, and nobody else does.
    Building,
    /// It has every row. Projectors of its revision keep it so.
    Complete,
    /// It has no tables any more, and its number is not given again.
    Dropped,
}

impl State {
    /// As it is written in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Complete => "complete",
            Self::Dropped => "dropped",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Building, Self::Complete, Self::Dropped].into_iter().find(|state| state.name() == text)
    }
}

/// A version of a family's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Its number.
    pub version: Version,
    /// How it is filled: see [`super::revision`].
    pub revision: String,
    /// How far it is.
    pub state: State,
    /// When it came to be so, microseconds since the epoch.
    pub changed_at: i64,
}

impl Filled {
    /// The row that records it. The latest of several stays.
    #[must_use]
    pub fn row(&self, projection: &str) -> Put {
        Put {
            table: VERSIONS,
            values: vec![
                Value::from(projection),
                Value::Int(self.version.0),
                Value::from(self.revision.as_str()),
                Value::from(self.state.name()),
                Value::BigInt(self.changed_at),
            ],
            timestamp: self.changed_at,
        }
    }

    /// Whether projectors of this revision keep it up to date.
    #[must_use]
    pub fn is_kept_by(&self, revision: &str) -> bool {
        self.state == State::Complete && self.revision == revision
    }

    fn from_row(row: &[Value]) -> Option<Self> {
        match row {
            [
                _,
                Value::Int(version),
                Value::Text(revision),
                Value::Text(state),
                Value::BigInt(changed_at),
            ] => Some(Self {
                version: Version(*version),
                revision: revision.to_string(),
                state: State::parse(state)?,
                changed_at: *changed_at,
            }),
            _ => None,
        }
    }
}

/// All versions of a family, `<domain>.<family>`, that ever were, the oldest first.
///
/// # Errors
/// [`StoreFault`].
pub fn read(store: &dyn ViewStore, projection: &str) -> Result<Vec<Filled>, StoreFault> {
    let key = vec![Value::from(projection)];
    let query =
        PageQuery { table: VERSIONS.to_owned(), key, after: Vec::new(), limit: 100_000, in_turn: false };
    let pages = store.read(&[query])?;
    Ok(pages.iter().flat_map(|page| &page.rows).filter_map(|row| Filled::from_row(row)).collect())
}

/// Why a change does not stand.
#[derive(Debug, Error)]
pub enum CatalogueFault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Somebody else has changed the same meanwhile.
    #[error("somebody else has changed it meanwhile: {found}")]
    Changed {
        /// What is there now.
        found: String,
    },
    /// What is there has a time that is more than a day ahead, so nothing takes its place before that.
    #[error("what is there is dated more than a day ahead of this machine's clock")]
    Ahead,
}

/// By how much what changes a row is dated later if the row stays as it was, in microseconds: a store that gives a row
/// its time does so by a clock of its own.
const AHEAD_MICROS: [i64; 5] = [0, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000];

/// Records a new version, unless somebody else has recorded one of that number; whether it has.
///
/// # Errors
/// [`StoreFault`]; it may be recorded all the same.
pub fn claim(store: &dyn ViewStore, projection: &str, new: &Filled) -> Result<bool, StoreFault> {
    store.insert(&new.row(projection))
}

/// Brings a version from what it was when it was read to another state. Gives what it is then; whoever wanted the same
/// may have been first.
///
/// # Errors
/// [`CatalogueFault`].
pub fn record(
    store: &dyn ViewStore,
    projection: &str,
    before: &Filled,
    state: State,
    now_micros: i64,
) -> Result<Filled, CatalogueFault> {
    let look = || -> Result<Option<Filled>, CatalogueFault> {
        let found = read(store, projection)?.into_iter().find(|it| it.version == before.version);
        match found {
            Some(found) if found.state == state && found.revision == before.revision => Ok(Some(found)),
            Some(found) if found == *before => Ok(None),
            Some(found) => Err(CatalogueFault::Changed { found: format!("it is {}", found.state.name()) }),
            None => Err(CatalogueFault::Changed { found: "it is not there".to_owned() }),
        }
    };
    for ahead in AHEAD_MICROS {
        if let Some(done) = look()? {
            return Ok(done);
        }
        let changed_at = now_micros.max(before.changed_at + 1) + ahead;
        let after = Filled { state, changed_at, ..before.clone() };
        store.apply(&[Write::Put(after.row(projection))])?;
    }
    look()?.ok_or(CatalogueFault::Ahead)
}

/// Lets `version` answer for a family with these views.
///
/// # Errors
/// [`CatalogueFault`].
pub fn answer(
    store: &dyn ViewStore,
    views: &[&str],
    version: Version,
    now_micros: i64,
) -> Result<(), CatalogueFault> {
    let before = answers(store, views)?;
    let newest = before.iter().flatten().map(|(_, switched_at)| *switched_at).max().unwrap_or(0);
    for ahead in AHEAD_MICROS {
        let switched_at = now_micros.max(newest + 1) + ahead;
        store.apply(&switch(views, version, switched_at))?;
        let after = answers(store, views)?;
        if after.iter().all(|it| *it == Some((version, switched_at))) {
            return Ok(());
        }
        if after != before {
            let found: Vec<String> = after.iter().flatten().map(|(it, _)| it.0.to_string()).collect();
            return Err(CatalogueFault::Changed {
                found: format!("the views have versions {}", found.join(", ")),
            });
        }
    }
    Err(CatalogueFault::Ahead)
}

/// Records that a version is dropped, which does not answer: `live` does, and is written once more before. Somebody may have
/// asked for this version to answer and have heard of a timeout only; a store can apply such a write hours later, and what
/// answers then must not be tables that are gone.
///
/// # Errors
/// [`CatalogueFault`].
pub fn give_up(
    store: &dyn ViewStore,
    projection: &str,
    views: &[&str],
    (given_up, live): (&Filled, Version),
    now_micros: i64,
) -> Result<(), CatalogueFault> {
    answer(store, views, live, now_micros)?;
    record(store, projection, given_up, State::Dropped, now_micros).map(drop)
}

/// For each view the version that answers, and since when.
fn answers(store: &dyn ViewStore, views: &[&str]) -> Result<Vec<Option<(Version, i64)>>, StoreFault> {
    let query = |view: &&str| {
        let key = vec![Value::from(*view)];
        PageQuery { table: VIEWS.to_owned(), key, after: Vec::new(), limit: 1, in_turn: false }
    };
    let pages = store.read(&views.iter().map(query).collect::<Vec<_>>())?;
    let of_row = |row: &Vec<Value>| match row.as_slice() {
        [_, _, Value::Int(version), Value::BigInt(switched_at), ..] => {
            Some((Version(*version), *switched_at))
        }
        _ => None,
    };
    Ok(pages.iter().map(|page| page.rows.first().and_then(of_row)).collect())
}

/// The version that answers for a family with these views. Its first view decides for all of them:
/// one row is read at one moment, several would not be.
///
/// # Errors
/// [`StoreFault`].
pub fn live(store: &dyn ViewStore, views: &[&str]) -> Result<Version, StoreFault> {
    let first = &views[..views.len().min(1)];
    Ok(answers(store, first)?.into_iter().flatten().next().map_or(Version::FIRST, |(version, _)| version))
}

/// The writes that let `version` answer: a row for each view.
#[must_use]
pub fn switch(views: &[&str], version: Version, switched_at: i64) -> Vec<Write> {
    let row = |view: &&str| {
        let table = Value::from(version.table(view).as_str());
        let values = vec![Value::from(*view), table, Value::Int(version.0), Value::BigInt(switched_at)];
        Write::Put(Put { table: VIEWS, values, timestamp: switched_at })
    };
    views.iter().map(row).collect()
}
