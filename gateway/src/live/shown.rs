//! What a stream shows of a view: its rows as JSON, those that its reader may see, down to a floor.

use std::cmp::Ordering;
use std::collections::HashSet;

use millrace_kernel::change::Columns;
use millrace_kernel::live::key_text;
use millrace_kernel::table::Column;
use millrace_kernel::{Change, Table, Value};
use millrace_ports::{StoreFault, ViewStore};
use serde_json::{Map, Value as Json};

use crate::view::{Longs, Permit, columns, row};

/// What a stream shows.
pub(crate) struct Shown {
    table: Table,
    permit: Permit,
    longs: Longs,
    /// The clustering columns of the last row that is shown, where not all are.
    floor: Option<Vec<Value>>,
    /// The keys of rows that were shown, where not all may be: what goes away is told of those only.
    keys: Option<HashSet<String>>,
}

/// A change as it is shown.
#[derive(Debug, PartialEq)]
pub(crate) struct ShownChange {
    pub(crate) key: Json,
    pub(crate) row: Json,
}

impl Shown {
    pub(crate) fn new(table: Table, permit: Permit, longs: Longs, floor: Option<Vec<Value>>) -> Self {
        let keys = matches!(permit, Permit::Some(_)).then(HashSet::new);
        Self { table, permit, longs, floor, keys }
    }

    /// Whether other tables are read to find out what is shown.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.permit, Permit::Some(_))
    }

    /// All of it, to be put back.
    pub(crate) fn take(&mut self) -> Self {
        let (floor, keys) = (self.floor.take(), self.keys.take());
        Self { table: self.table.clone(), permit: self.permit.clone(), longs: self.longs, floor, keys }
    }

    /// The clustering columns of the last row that is shown, where not all are.
    pub(crate) fn floor(&self) -> Option<&[Value]> {
        self.floor.as_deref()
    }

    /// Whether a row is not below the floor.
    pub(crate) fn covers(&self, row: &[Value]) -> bool {
        self.is_above(&row[self.table.partition_columns..])
    }

    /// Shows no rows behind this one.
    pub(crate) fn end_at(&mut self, row: &[Value]) {
        self.floor = Some(row[self.table.partition_columns..self.table.key_columns()].to_vec());
    }

    /// Begins to show rows anew.
    pub(crate) fn clear(&mut self) {
        self.keys = self.keys.take().map(|_| HashSet::new());
    }

    /// Those of `rows` that are shown.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn rows(
        &mut self,
        store: &dyn ViewStore,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Json>, StoreFault> {
        let rows = rows.into_iter().filter(|row| self.covers(row)).collect();
        let permitted = self.permit.filter(store, rows)?;
        if let Some(keys) = &mut self.keys {
            keys.extend(permitted.iter().map(|row| key_text(&key(&self.table, row))));
        }
        let json = |values: &Vec<Value>| Json::Object(row(columns(&self.table), values, self.longs));
        Ok(permitted.iter().map(json).collect())
    }

    /// What is shown of a change; nothing where it is not the reader's, or below the floor.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn change(
        &mut self,
        store: &dyn ViewStore,
        change: &Change,
    ) -> Result<Option<ShownChange>, StoreFault> {
        let values = values(&self.table, change.row.as_ref().unwrap_or(&change.key));
        if !self.is_above(&values[self.table.partition_columns..]) {
            return Ok(None);
        }
        let of_key = key_text(&key(&self.table, &values));
        let key_json = Json::Object(object(&self.table, &values, self.longs));
        let gone =
            |was_shown: bool| was_shown.then_some(ShownChange { key: key_json.clone(), row: Json::Null });
        if change.row.is_none() {
            let was_shown = self.keys.as_mut().is_none_or(|keys| keys.remove(&of_key));
            return Ok(gone(was_shown));
        }
        let Some(values) = self.permit.filter(store, vec![values])?.pop() else {
            // it may have been the reader's until now
            return Ok(gone(self.keys.as_mut().is_some_and(|keys| keys.remove(&of_key))));
        };
        if let Some(keys) = &mut self.keys {
            keys.insert(of_key);
        }
        let row = Json::Object(row(columns(&self.table), &values, self.longs));
        Ok(Some(ShownChange { key: key_json, row }))
    }

    /// Whether a row with these columns behind the partition key is not below the floor.
    fn is_above(&self, clustering: &[Value]) -> bool {
        let Some(floor) = &self.floor else { return true };
        for ((value, floor), descends) in clustering.iter().zip(floor).zip(&self.table.clustering_descending)
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
    use crate::ports::ViewDescription;

    const TABLE: &str = "-- Readable by: owner\nCREATE TABLE notes (\n  a text, -- x\n  bucket bigint, -- x\n  at bigint, -- x\n  id text, -- x\n  owner text, -- x\n  PRIMARY KEY ((a, bucket), at, id)\n) WITH comment = 'x' AND CLUSTERING ORDER BY (at DESC);";

    fn shown(user: Option<&str>) -> Shown {
        let table = parse_tables(TABLE).unwrap().remove(0);
        let view = ViewDescription { table: table.clone(), projection: "d.f".to_owned() };
        let principal = match user {
            Some(user) => Principal::known(Known { user: user.into(), ..Known::default() }),
            None => Principal::Anyone,
        };
        let permit = Permit::of(&principal, &view, std::slice::from_ref(&view)).unwrap();
        Shown::new(table, permit, Longs::Numbers, None)
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
        shown.change(&MemoryStore::new(), change).unwrap().map(|it| (it.key, it.row))
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
        let rows = some.rows(&MemoryStore::new(), vec![row(6, "a"), row(5, "m"), row(4, "a")]).unwrap();
        assert_eq!(rows.len(), 2);
    }
}
