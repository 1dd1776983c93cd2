//! The tables that say which versions there are and which one answers.

use millrace_kernel::{PageQuery, Put, Value, Write};
use millrace_ports::{StoreFault, ViewStore};

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
    /// The write that records it. The latest of several stays.
    #[must_use]
    pub fn write(&self, projection: &str) -> Write {
        Write::Put(Put {
            table: VERSIONS,
            values: vec![
                Value::from(projection),
                Value::Int(self.version.0),
                Value::from(self.revision.as_str()),
                Value::from(self.state.name()),
                Value::BigInt(self.changed_at),
            ],
            timestamp: self.changed_at,
        })
    }

    /// Whether projectors of this revision keep it up to date.
    #[must_use]
    pub fn is_kept_by(&self, revision: &str) -> bool {
        self.state == State::Complete && self.revision == revision
    }

    /// The same in another state.
    #[must_use]
    pub fn now(&self, state: State, changed_at: i64) -> Self {
        Self { state, changed_at, ..self.clone() }
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

/// The version that answers for a family with these views. Its first view decides for all of them:
/// one row is read at one moment, several would not be.
///
/// # Errors
/// [`StoreFault`].
pub fn live(store: &dyn ViewStore, views: &[&str]) -> Result<Version, StoreFault> {
    let Some(first) = views.first() else { return Ok(Version::FIRST) };
    let key = vec![Value::from(*first)];
    let query = PageQuery { table: VIEWS.to_owned(), key, after: Vec::new(), limit: 1, in_turn: false };
    let pages = store.read(&[query])?;
    let row = pages.first().and_then(|page| page.rows.first());
    Ok(match row.and_then(|row| row.get(2)) {
        Some(Value::Int(version)) => Version(*version),
        _ => Version::FIRST,
    })
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
