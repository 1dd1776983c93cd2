//! What a stream shows of a view: its rows as JSON, those that its reader may see, down to a floor.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use millrace_kernel::change::Columns;
use millrace_kernel::live::key_text;
use millrace_kernel::table::Column;
use millrace_kernel::{Change, Table, Value};
use millrace_ports::{StoreFault, ViewStore};
use serde_json::{Map, Value as Json};

use crate::ports::ViewDescription;
use crate::view::{Longs, Permit, columns, row};

/// What a stream shows.
pub(crate) struct Shown {
    view: Arc<ViewDescription>,
    permit: Permit,
    longs: Longs,
    /// The clustering columns of the last row that is shown, where not all are.
    floor: Option<Vec<Value>>,
    scope: Scope,
}

/// How it is known which rows of the key the reader may see.
enum Scope {
    /// All of them.
    All,
    /// All or none: the permit looks at the partition key only. Whether it was all when that was asked last.
    Whole(Option<bool>),
    /// Some of them. These are the keys of rows that were shown: the end of any other row is nothing to the reader.
    Some(HashSet<String>),
}

/// What a change comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Shows {
    /// It is not the reader's, or below the floor.
    Nothing,
    /// A row is another now, or gone.
    Change { key: Json, row: Json },
    /// The reader may see the rows from now on, or no more: they are read anew.
    Otherwise,
}

impl Shown {
    pub(crate) fn new(view: Arc<ViewDescription>, permit: Permit, longs: Longs) -> Self {
        let scope = match permit {
            Permit::All => Scope::All,
            Permit::Some(_) if permit.is_by_partition(&view.table) => Scope::Whole(None),
            Permit::Some(_) => Scope::Some(HashSet::new()),
        };
        Self { view, permit, longs, floor: None, scope }
    }

    fn table(&self) -> &Table {
        &self.view.table
    }

    /// Whether other tables are read to find out what is shown.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.permit, Permit::Some(_))
    }

    /// Shows no rows behind the one with these clustering columns.
    pub(crate) fn set_floor(&mut self, floor: Vec<Value>) {
        self.floor = Some(floor);
    }

    /// All of it, to be put back.
    pub(crate) fn take(&mut self) -> Self {
        let (floor, scope) = (self.floor.take(), std::mem::replace(&mut self.scope, Scope::All));
        Self { view: Arc::clone(&self.view), permit: self.permit.clone(), longs: self.longs, floor, scope }
    }

    /// The clustering columns of the last row that is shown, where not all are.
    pub(crate) fn floor(&self) -> Option<&[Value]> {
        self.floor.as_deref()
    }

    /// Whether a row is not below the floor.
    pub(crate) fn covers(&self, row: &[Value]) -> bool {
        self.is_above(&row[self.table().partition_columns..])
    }

    /// Shows no rows behind this one, which is shown: whoever has a token can read its key there.
    fn end_at(&mut self, row: &[Value]) {
        self.floor = Some(row[self.table().partition_columns..self.table().key_columns()].to_vec());
    }

    /// Whose tokens it takes, where not everybody may see every row.
    pub(crate) fn user(&self) -> Option<&str> {
        self.permit.user()
    }

    /// Whether none is shown, as it was asked at the beginning: what is different since is told with the next change.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.scope, Scope::Whole(Some(false)))
    }

    /// Whether it is asked of each row.
    pub(crate) fn is_by_row(&self) -> bool {
        matches!(self.scope, Scope::Some(_))
    }

    /// Whether somebody may go on with it in another connection. Of rows that are shown one by one nobody knows there which
    /// the client has; and where none is shown, all are missing if they may be seen later.
    pub(crate) fn is_resumable(&self) -> bool {
        matches!(self.scope, Scope::All | Scope::Whole(Some(true)))
    }

    /// Begins with the rows of this partition key: anew, or (`has_rows`) where it was. `false` where the reader has other rows
    /// than it may see.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn begin(
        &mut self,
        store: &dyn ViewStore,
        key: &[Value],
        has_rows: bool,
    ) -> Result<bool, StoreFault> {
        match &mut self.scope {
            Scope::All => {}
            Scope::Whole(before) => {
                let table = &self.view.table;
                let columns = table.logical_partition().iter().zip(key);
                let columns = columns.map(|(column, value)| (column.name.as_str().into(), value.clone()));
                let values = values(table, &columns.collect());
                let now = !self.permit.filter(store, vec![values])?.is_empty();
                return Ok(before.replace(now) != Some(false) && now || !has_rows);
            }
            Scope::Some(keys) if !has_rows => keys.clear(),
            Scope::Some(_) => {}
        }
        Ok(true)
    }

    /// Those of `rows` that are shown, so many at most; the last of so many is the last one that is followed.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn rows(
        &mut self,
        store: &dyn ViewStore,
        rows: Vec<Vec<Value>>,
        most: Option<usize>,
    ) -> Result<Vec<Json>, StoreFault> {
        let rows: Vec<Vec<Value>> = rows.into_iter().filter(|row| self.covers(row)).collect();
        let mut permitted = match self.scope {
            Scope::Whole(Some(false)) => Vec::new(),
            Scope::All | Scope::Whole(_) => rows,
            Scope::Some(_) => self.permit.filter(store, rows)?,
        };
        if let Some(most) = most {
            permitted.truncate(most);
            if let Some(last) = permitted.last().filter(|_| permitted.len() == most) {
                self.end_at(last);
            }
        }
        let table = &self.view.table;
        if let Scope::Some(keys) = &mut self.scope {
            keys.extend(permitted.iter().map(|row| key_text(&key(table, row))));
        }
        let json = |values: &Vec<Value>| Json::Object(row(columns(table), values, self.longs));
        Ok(permitted.iter().map(json).collect())
    }

    /// What is shown of a change.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn change(&mut self, store: &dyn ViewStore, change: &Change) -> Result<Shows, StoreFault> {
        let table = &self.view.table;
        let values = values(table, change.row.as_ref().unwrap_or(&change.key));
        if !self.is_above(&values[table.partition_columns..]) {
            return Ok(Shows::Nothing);
        }
        let told = |row: Json| Shows::Change { key: Json::Object(object(table, &values, self.longs)), row };
        let shows = match change.row {
            Some(_) => told(Json::Object(row(columns(table), &values, self.longs))),
            None => told(Json::Null),
        };
        let may = || Ok(!self.permit.filter(store, vec![values.clone()])?.is_empty());
        match &mut self.scope {
            Scope::All => Ok(shows),
            Scope::Whole(before) => {
                let now = may()?;
                let is_other = before.replace(now) != Some(now);
                Ok(match now {
                    _ if is_other => Shows::Otherwise,
                    true => shows,
                    false => Shows::Nothing,
                })
            }
            Scope::Some(keys) => {
                let key = key_text(&key(table, &values));
                if change.row.is_some() && may()? {
                    keys.insert(key);
                    return Ok(shows);
                }
                // it may have been the reader's until now
                Ok(if keys.remove(&key) { told(Json::Null) } else { Shows::Nothing })
            }
        }
    }

    /// Whether a row with these columns behind the partition key is not below the floor.
    fn is_above(&self, clustering: &[Value]) -> bool {
        let Some(floor) = &self.floor else { return true };
        for ((value, floor), descends) in
            clustering.iter().zip(floor).zip(&self.table().clustering_descending)
        {
            let order = if *descends { floor.cmp(value) } else { value.cmp(floor) };
            if order != Ordering::Equal {
                return order == Ordering::Less;
            }
        }
        true
    }
}

/// The columns of a row in the table's order, a bucket and what is missing as null.
fn values(table: &Table, columns: &Columns) -> Vec<Value> {
    let value =
        |column: &Column| columns.iter().find(|(name, _)| **name == *column.name).map(|(_, it)| it.clone());
    table.columns.iter().map(|column| value(column).unwrap_or(Value::Null)).collect()
}

/// The columns of a row's key as readers know it.
fn key(table: &Table, row: &[Value]) -> Vec<Value> {
    table.logical_key().filter_map(|(at, _)| row.get(at).cloned()).collect()
}

fn object(table: &Table, values: &[Value], longs: Longs) -> Map<String, Json> {
    row(table.logical_key(), values, longs)
}

#[cfg(test)]
mod tests {
    use millrace_kernel::table::parse_tables;
    use millrace_testkit::store::memory::MemoryStore;
    use serde_json::json;

    use super::*;
    use crate::auth::{Known, Principal};
    use crate::view::neighbours::tests::Domains;

    const TABLE: &str = "-- Readable by: owner\nCREATE TABLE notes (\n  a text, -- x\n  bucket bigint, -- x\n  at bigint, -- x\n  id text, -- x\n  owner text, -- x\n  PRIMARY KEY ((a, bucket), at, id)\n) WITH comment = 'x' AND CLUSTERING ORDER BY (at DESC);";

    fn shown(user: Option<&str>) -> Shown {
        let table = parse_tables(TABLE).unwrap().remove(0);
        let view = Arc::new(ViewDescription { table, projection: "d.f".to_owned() });
        let principal = match user {
            Some(user) => Principal::known(Known { user: user.into(), ..Known::default() }),
            None => Principal::Anyone,
        };
        let permit =
            Permit::of(&principal, &view, "d", &Domains::one("d", std::slice::from_ref(&view))).unwrap();
        Shown::new(view, permit, Longs::Numbers)
    }

    fn change(at: i64, id: &str, owner: Option<&str>) -> Change {
        let key: Columns = vec![("a".into(), "x".into()), ("at".into(), at.into()), ("id".into(), id.into())];
        let row = owner.map(|owner| [&key[..], &[("owner".into(), owner.into())]].concat());
        Change {
            view: "notes".into(),
            version: 1,
            source_partition: 0,
            source_offset: 0,
            settled: 0,
            recorded_at: 0,
            key,
            row,
            reread: false,
            more: false,
        }
    }

    fn said(shown: &mut Shown, change: &Change) -> Option<(Json, Json)> {
        match shown.change(&MemoryStore::new(), change).unwrap() {
            Shows::Nothing => None,
            Shows::Change { key, row } => Some((key, row)),
            Shows::Otherwise => panic!("the permit goes by rows"),
        }
    }

    #[test]
    fn a_change_is_shown_by_the_key_that_readers_know() {
        let mut all = shown(None);
        let key = json!({"a": "x", "at": 5, "id": "n"});
        let row = json!({"a": "x", "at": 5, "id": "n", "owner": "ann"});
        assert_eq!(said(&mut all, &change(5, "n", Some("ann"))), Some((key.clone(), row)));
        assert_eq!(said(&mut all, &change(5, "n", None)), Some((key, Json::Null)));
    }

    #[test]
    fn what_is_another_s_is_not_told_and_what_comes_to_be_goes() {
        let mut own = shown(Some("ann"));
        assert_eq!(said(&mut own, &change(5, "n", Some("bob"))), None);
        assert_eq!(said(&mut own, &change(5, "n", None)), None, "not even that it is gone");
        assert!(said(&mut own, &change(5, "n", Some("ann"))).is_some());
        let gone = said(&mut own, &change(5, "n", Some("bob"))).unwrap();
        assert_eq!(gone.1, Json::Null, "it was ann's");
        assert_eq!(said(&mut own, &change(5, "n", None)), None);
    }

    #[test]
    fn nothing_is_shown_below_the_floor() {
        let mut some = shown(None);
        let row = |at: i64, id: &str| vec!["x".into(), 0_i64.into(), at.into(), id.into(), "ann".into()];
        some.end_at(&row(5, "m"));
        let at = |shown: &mut Shown, at, id| said(shown, &change(at, id, Some("ann"))).is_some();
        assert!(at(&mut some, 6, "z") && at(&mut some, 5, "m") && at(&mut some, 5, "a"));
        assert!(!at(&mut some, 4, "a") && !at(&mut some, 5, "n"));
        let rows = some.rows(&MemoryStore::new(), vec![row(6, "a"), row(5, "m"), row(4, "a")], None).unwrap();
        assert_eq!(rows.len(), 2);
    }
}
