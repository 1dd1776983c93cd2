//! What an audit finds: values, as `--json` prints them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Events: readable, with versions without gaps, times that rise, ids as derived and unique.
    Events,
    /// States equal the folded events; what the engine remembers makes sense.
    States,
    /// Lookup topics agree with the states.
    Lookups,
    /// Every command has one outcome, or is dead, or its process is open.
    Outcomes,
    /// What follows from other domains' events was written.
    Policies,
    /// Views equal the replay.
    Views,
}

/// In which way something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It should be there and is not.
    Missing,
    /// It is there and should not be.
    Surplus,
    /// It is there and is another.
    Different,
}

/// A column or field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnDifference {
    /// Its name.
    pub column: String,
    /// What follows from the events.
    pub expected: Json,
    /// What is there.
    pub found: Json,
}

/// Where an event or another record stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EventPlace {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The domain.
    pub domain: &'static str,
    /// Which check found it.
    pub check: Check,
    /// In which way it differs.
    pub kind: Kind,
    /// The topic or the table.
    pub place: String,
    /// What it is about: an aggregate, a command, an event, a row's key.
    pub key: String,
    /// What differs, column by column; empty when all of it is missing or surplus.
    pub columns: Vec<ColumnDifference>,
    /// The records that say what it should be, or that are wrong themselves.
    pub events: Vec<EventPlace>,
    /// The same in words, and what it means.
    pub message: String,
}

/// Differences found so far: as many as are asked for, and the count of all.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    limit: usize,
    found: RefCell<(Vec<Difference>, BTreeMap<Check, u64>)>,
}

impl Findings {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(crate) fn add(&self, difference: Difference) {
        let (listed, counts) = &mut *self.found.borrow_mut();
        let of_check = counts.entry(difference.check).or_default();
        *of_check += 1;
        // a flood of one kind must not hide the first few of another
        if listed.len() < self.limit || *of_check <= (self.limit / 10).max(1) as u64 {
            listed.push(difference);
        }
    }

    pub(crate) fn into_parts(self) -> (Vec<Difference>, BTreeMap<Check, u64>) {
        self.found.into_inner()
    }
}
