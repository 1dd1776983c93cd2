//! Two versions of a view family, compared while both go on.
//!
//! Whole tables are read side by side: a store goes through two tables of the same key in the same
//! order, so rows that both have meet soon. What does not meet is looked at again when both versions
//! have all events that were there by then, as often as it takes to be sure.

mod meeting;

use std::collections::VecDeque;

use millrace_kernel::{PageQuery, Table, Value};
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::versions::Version;
use serde::Serialize;

use self::meeting::{Meeting, Side};
use crate::difference::{Check, ColumnDifference, Difference, Kind};
use crate::fault::AuditFault;
use crate::shown;
use crate::watch::Watcher;

/// Rows read at once.
const PAGE: usize = 1_000;
/// Rows of one version only that are held before they are looked up in the other.
const MOST_ALONE: usize = 10_000;
/// Rows looked at again at once.
const BATCH: usize = 500;
/// How often a row that changes every time is looked at.
const LOOKS: usize = 12;

/// What is compared, and with what.
pub struct Comparison<'a> {
    /// The domain.
    pub domain: &'static str,
    /// The tables.
    pub store: &'a dyn ViewStore,
    /// The family's tables as they are declared.
    pub tables: &'a [Table],
    /// The version that answers.
    pub old: Version,
    /// The version that was built; its tables are opened.
    pub new: Version,
    /// Returns when both versions have the events that were there when it was called, or when one of
    /// them does not come any further.
    pub catch_up: &'a dyn Fn() -> Result<(), AuditFault>,
    /// Most differences to list; all are counted.
    pub limit: usize,
    /// Is told how far it has come.
    pub watcher: &'a dyn Watcher,
}

/// What the comparison of one table came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The view.
    pub view: String,
    /// Rows read of the old version.
    pub old_rows: u64,
    /// Rows read of the new version.
    pub new_rows: u64,
    /// Rows that differ.
    pub differences: u64,
    /// Why its rows could not be compared: the old table has not the columns or the key of the new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomparable: Option<String>,
}

/// What the comparison of a family came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Differing {
    /// Table by table.
    pub tables: Vec<Compared>,
    /// Rows that differ, as many as were asked for: what is expected is the old version's.
    pub differences: Vec<Difference>,
}

impl Differing {
    /// Whether every row of every table is the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.tables.iter().all(|table| table.differences == 0 && table.incomparable.is_none())
    }
}

/// Compares all tables of a family.
///
/// # Errors
/// [`AuditFault`]: it could not be found out.
pub fn compare(comparison: &Comparison<'_>) -> Result<Differing, AuditFault> {
    let mut all = Differing::default();
    // a row that neither has yet would be looked for in neither
    (comparison.catch_up)()?;
    for table in comparison.tables {
        comparison.watcher.stage(&format!("comparing {}.{}", comparison.domain, table.name), 0);
        let compared = comparison.table(table, &mut all.differences)?;
        all.tables.push(compared);
    }
    Ok(all)
}

impl Comparison<'_> {
    fn table(&self, table: &Table, listed: &mut Vec<Difference>) -> Result<Compared, AuditFault> {
        let mut compared = Compared { view: table.name.clone(), ..Compared::default() };
        let old = Table { name: self.old.table(&table.name), ..table.clone() };
        match self.store.open_tables(std::slice::from_ref(&old)) {
            Ok(()) => {}
            Err(fault @ StoreFault::Schema { .. }) => {
                compared.incomparable = Some(fault.to_string());
                return Ok(compared);
            }
            Err(fault) => return Err(fault.into()),
        }
        let mut meeting = Meeting::new(table.key_columns());
        let mut after: [Option<Vec<Value>>; 2] = [Some(Vec::new()), Some(Vec::new())];
        while let Some(side) = meeting.next_to_read(&after) {
            let name = self.name(table, side);
            let from = after[side as usize].take().unwrap_or_default();
            let rows = self.store.scan(&name, &from, PAGE)?.rows;
            *(if side == Side::Old { &mut compared.old_rows } else { &mut compared.new_rows }) +=
                rows.len() as u64;
            self.watcher.advance(rows.len() as u64);
            if rows.len() == PAGE {
                after[side as usize] = rows.last().map(|row| row[..table.key_columns()].to_vec());
            }
            meeting.take(side, rows);
            if meeting.alone() > MOST_ALONE {
                compared.differences += self.look_again(table, meeting.drain(), listed)?;
            }
        }
        compared.differences += self.look_again(table, meeting.drain(), listed)?;
        Ok(compared)
    }

    fn name(&self, table: &Table, side: Side) -> String {
        match side {
            Side::Old => self.old.table(&table.name),
            Side::New => self.new.table(&table.name),
        }
    }

    /// Looks at the rows of these keys in both versions until it is sure which differ. Returns how many.
    fn look_again(
        &self,
        table: &Table,
        keys: Vec<Vec<Value>>,
        listed: &mut Vec<Difference>,
    ) -> Result<u64, AuditFault> {
        let mut left: VecDeque<Suspect> = keys.into_iter().map(Suspect::new).collect();
        let mut differing = 0;
        for look in 1..=LOOKS {
            if left.is_empty() {
                break;
            }
            (self.catch_up)()?;
            for _ in 0..left.len().div_ceil(BATCH) {
                let mut batch: Vec<Suspect> = left.drain(..BATCH.min(left.len())).collect();
                let keys = || batch.iter().map(|suspect| suspect.key.as_slice());
                let old = self.rows(&self.name(table, Side::Old), keys())?;
                let new = self.rows(&self.name(table, Side::New), keys())?;
                for ((suspect, old), new) in batch.iter_mut().zip(old).zip(new) {
                    suspect.seen(old, new);
                }
                for suspect in batch {
                    match suspect.verdict(look == LOOKS) {
                        Verdict::Alike => {}
                        Verdict::Unsure => left.push_back(suspect),
                        Verdict::Differs => {
                            differing += 1;
                            if listed.len() < self.limit {
                                listed.push(self.describe(table, &suspect));
                            }
                        }
                    }
                }
            }
        }
        Ok(differing)
    }

    fn rows<'k>(
        &self,
        table: &str,
        keys: impl Iterator<Item = &'k [Value]>,
    ) -> Result<Vec<Option<Vec<Value>>>, AuditFault> {
        let query = |key: &[Value]| PageQuery {
            table: table.to_owned(),
            key: key.to_vec(),
            after: Vec::new(),
            limit: 1,
            in_turn: false,
        };
        let pages = self.store.read(&keys.map(query).collect::<Vec<_>>())?;
        Ok(pages.into_iter().map(|page| page.rows.into_iter().next()).collect())
    }

    fn describe(&self, table: &Table, suspect: &Suspect) -> Difference {
        let (old, new) = (suspect.old.last().cloned().flatten(), suspect.new.last().cloned().flatten());
        let (of_old, of_new) = (self.old.0, self.new.0);
        let (kind, message) = match (&old, &new) {
            (Some(_), None) => (Kind::Missing, format!("version {of_new} lacks a row of version {of_old}")),
            (None, _) => (Kind::Surplus, format!("version {of_new} has a row that version {of_old} has not")),
            _ => (Kind::Different, format!("version {of_new} has another row than version {of_old}")),
        };
        let cell = |row: &Option<Vec<Value>>, at: usize| {
            row.as_ref().and_then(|row| row.get(at)).map_or(serde_json::Value::Null, shown::value)
        };
        let columns = table.columns.iter().enumerate().skip(table.key_columns());
        let columns = columns
            .map(|(at, column)| ColumnDifference {
                column: column.name.clone(),
                expected: cell(&old, at),
                found: cell(&new, at),
            })
            .filter(|column| column.expected != column.found)
            .collect();
        Difference {
            domain: self.domain,
            check: Check::Views,
            kind,
            place: table.name.clone(),
            key: shown::key(&table.columns, &suspect.key),
            columns,
            events: Vec::new(),
            message,
        }
    }
}

/// A row that was not the same in both versions.
struct Suspect {
    key: Vec<Value>,
    /// The row as each look has found it.
    old: Vec<Option<Vec<Value>>>,
    new: Vec<Option<Vec<Value>>>,
}

enum Verdict {
    Alike,
    Differs,
    Unsure,
}

impl Suspect {
    fn new(key: Vec<Value>) -> Self {
        Self { key, old: Vec::new(), new: Vec::new() }
    }

    fn seen(&mut self, old: Option<Vec<Value>>, new: Option<Vec<Value>>) {
        self.old.push(old);
        self.new.push(new);
    }

    /// Both versions go on between two reads of them. A row is the same when one version shows now
    /// what the other shows or has shown before: it changes, and both follow. It differs when neither
    /// changes any more.
    fn verdict(&self, is_last: bool) -> Verdict {
        let (Some(old), Some(new)) = (self.old.last(), self.new.last()) else { return Verdict::Unsure };
        if old == new {
            return Verdict::Alike;
        }
        let changed = |seen: &[Option<Vec<Value>>]| seen.windows(2).any(|pair| pair[0] != pair[1]);
        let has_met = self.new.iter().any(|new| self.old.contains(new));
        if changed(&self.old) && changed(&self.new) && has_met {
            return Verdict::Alike;
        }
        let stands =
            |seen: &[Option<Vec<Value>>]| seen.len() >= 2 && seen[seen.len() - 1] == seen[seen.len() - 2];
        if is_last || (stands(&self.old) && stands(&self.new)) { Verdict::Differs } else { Verdict::Unsure }
    }
}
