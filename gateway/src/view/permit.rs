//! Which rows of a view somebody may read, as the view declares beside its table ([`millrace_kernel::readers`]).
//!
//! One mechanism for pages and for streams: whatever shows a row asks here first.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::readers::{OtherView, Readers};
use millrace_kernel::{Table, Value};
use millrace_ports::{StoreFault, ViewStore};

use super::neighbours::{Neighbours, Tables};
use super::page::{From, read};
use crate::auth::Principal;
use crate::http::problem::{FORBIDDEN, Problem};
use crate::ports::ViewDescription;

/// What one principal may read of one view.
#[derive(Clone, Debug)]
pub(crate) enum Permit {
    /// Every row.
    All,
    /// The rows of which one of these holds.
    Some(Arc<Rows>),
}

/// Whose rows may be read.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    user: String,
    ways: Vec<Way>,
}

/// One way of being allowed to read a row.
#[derive(Clone, Debug)]
enum Way {
    /// The user is in this column of the row.
    Own(usize),
    /// This column of the row is true.
    Where(usize),
    /// What the one row of a table says whose key is in these columns of the row. `elsewhere` are the tables of its domain,
    /// where that is another than this row's.
    Other { view: Arc<ViewDescription>, elsewhere: Option<Tables>, key: Vec<Part>, says: Says },
}

/// A part of the key of a row of another table.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// What is in this column of the row.
    Column(usize),
    /// The user.
    User,
}

/// How a row of another table says that somebody may read.
#[derive(Clone, Debug)]
enum Says {
    /// The user is in this column of it.
    Column(usize),
    /// By being there.
    Being,
    /// By being one that may be read itself, in one of these ways; by being there, where anybody may read it.
    Readers(Option<Vec<Way>>),
}

impl Permit {
    /// What `principal` may read of the view, one of `domain`. Where other domains say who may, they are asked of `neighbours`.
    ///
    /// # Errors
    /// The answer to somebody who may read no row, whatever it holds.
    pub(crate) fn of(
        principal: &Principal,
        view: &ViewDescription,
        domain: &str,
        neighbours: &dyn Neighbours,
    ) -> Result<Self, Problem> {
        if principal.is_trusted() {
            return Ok(Self::All);
        }
        let table = &view.table;
        if is_for_all(principal, table) {
            return Ok(Self::All);
        }
        let ways = ways(principal, table, domain, neighbours);
        match principal.user() {
            Some(user) if !ways.is_empty() => Ok(Self::Some(Arc::new(Rows { user: user.to_owned(), ways }))),
            _ => Err(Problem::new(FORBIDDEN, refusal(table))),
        }
    }

    /// Who reads, where not every row may be read.
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Some(rows) => Some(&rows.user),
        }
    }

    /// Whether rows of one partition key of the table may be read all, or none.
    pub(crate) fn is_by_partition(&self, table: &Table) -> bool {
        let Self::Some(rows) = self else { return true };
        let is_before = |column: &usize| *column < table.partition_columns;
        rows.ways.iter().all(|way| match way {
            Way::Own(column) | Way::Where(column) => is_before(column),
            Way::Other { key, .. } => key.iter().all(|part| match part {
                Part::Column(column) => is_before(column),
                Part::User => true,
            }),
        })
    }

    /// Those of `rows` that may be read, in their order; where that needs other rows of the domain, they are read in `store`.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) fn filter(
        &self,
        store: &dyn ViewStore,
        rows: Vec<Vec<Value>>,
    ) -> Result<Vec<Vec<Value>>, StoreFault> {
        let Self::Some(permitted) = self else { return Ok(rows) };
        // rows of a page have few owners
        let mut owners = HashMap::new();
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            if permitted.allow(store, &row, &mut owners)? {
                kept.push(row);
            }
        }
        Ok(kept)
    }
}

/// Whether the user is the owner, by the way and the key of the row that says so.
type Owners = HashMap<(usize, Vec<Value>), bool>;

impl Rows {
    fn allow(&self, store: &dyn ViewStore, row: &[Value], owners: &mut Owners) -> Result<bool, StoreFault> {
        for (at, way) in self.ways.iter().enumerate() {
            let asked = self.key(way, row).map(|key| (at, key));
            let known = asked.as_ref().and_then(|asked| owners.get(asked)).copied();
            let is_allowed = match known {
                Some(is_allowed) => is_allowed,
                None => self.allows(store, way, row)?,
            };
            owners.extend(asked.map(|asked| (asked, is_allowed)));
            if is_allowed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn allows(&self, store: &dyn ViewStore, way: &Way, row: &[Value]) -> Result<bool, StoreFault> {
        let (view, elsewhere, says) = match way {
            Way::Own(column) => return Ok(self.is_user(row.get(*column))),
            Way::Where(column) => return Ok(row.get(*column) == Some(&Value::Boolean(true))),
            Way::Other { view, elsewhere, says, .. } => (view, elsewhere, says),
        };
        let Some(key) = self.key(way, row) else { return Ok(false) };
        let others = elsewhere.as_ref().map(Tables::open).transpose()?;
        let store = others.as_deref().unwrap_or(store);
        let mut found = None;
        read::<StoreFault>(store, &view.table, From::Key(key, None), 1, &mut |other| {
            found = Some(other.to_vec());
            Ok(())
        })?;
        let Some(other) = found else { return Ok(false) };
        Ok(match says {
            Says::Column(column) => self.is_user(other.get(*column)),
            Says::Being | Says::Readers(None) => true,
            Says::Readers(Some(ways)) => {
                for way in ways {
                    if self.allows(store, way, &other)? {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }

    /// The key of the row of another table that is asked, if one is: no row has a key of which a part is missing or empty.
    fn key(&self, way: &Way, row: &[Value]) -> Option<Vec<Value>> {
        let Way::Other { key, .. } = way else { return None };
        let is_value = |value: &Value| *value != Value::Null && *value != Value::from("");
        let value = |part: &Part| match part {
            Part::Column(column) => row.get(*column).cloned().filter(is_value),
            Part::User => Some(self.user.as_str().into()),
        };
        key.iter().map(value).collect()
    }

    fn is_user(&self, value: Option<&Value>) -> bool {
        matches!(value, Some(Value::Text(text)) if **text == *self.user)
    }
}

/// Whether `principal` may read every row of a table, whatever it holds.
fn is_for_all(principal: &Principal, table: &Table) -> bool {
    table.readers.iter().any(|readers| match readers {
        Readers::Public => true,
        Readers::Role(role) => principal.has_role(role),
        Readers::Column(_)
        | Readers::ColumnOf { .. }
        | Readers::Among { .. }
        | Readers::ReadersOf(_)
        | Readers::PublicWhere(_) => false,
    })
}

/// In which ways rows of a table of `domain` are allowed one by one.
fn ways(principal: &Principal, table: &Table, domain: &str, neighbours: &dyn Neighbours) -> Vec<Way> {
    table.readers.iter().filter_map(|readers| way(principal, table, domain, neighbours, readers)).collect()
}

/// `None` for what the build of the domain, or the start of the gateway, has refused.
fn way(
    principal: &Principal,
    table: &Table,
    domain: &str,
    neighbours: &dyn Neighbours,
    readers: &Readers,
) -> Option<Way> {
    let key = |other: &Table, user: Option<&str>| {
        let part = |name: &str| match user {
            Some(user) if user == name => Some(Part::User),
            _ => table.column(name).map(Part::Column),
        };
        other.columns[..other.key_columns()].iter().map(|it| part(&it.name)).collect::<Option<Vec<_>>>()
    };
    let other = match readers {
        Readers::Public | Readers::Role(_) => return None,
        Readers::Column(column) => return table.column(column).map(Way::Own),
        Readers::PublicWhere(column) => return table.column(column).map(Way::Where),
        Readers::ColumnOf { view, .. } | Readers::Among { view, .. } | Readers::ReadersOf(view) => view,
    };
    let OtherView { domain: elsewhere, name } = other;
    let of = elsewhere.as_deref().unwrap_or(domain);
    let view = neighbours.views(of)?.iter().find(|it| it.table.name == *name)?;
    let elsewhere = match elsewhere {
        Some(elsewhere) => Some(neighbours.tables(elsewhere)?),
        None => None,
    };
    let (key, says) = match readers {
        Readers::ColumnOf { column, .. } => {
            (key(&view.table, None)?, Says::Column(view.table.column(column)?))
        }
        Readers::Among { column, .. } => (key(&view.table, Some(column))?, Says::Being),
        _ => {
            let is_restricted = !is_for_all(principal, &view.table);
            let ways = is_restricted.then(|| ways(principal, &view.table, of, neighbours));
            (key(&view.table, None)?, Says::Readers(ways))
        }
    };
    Some(Way::Other { view: Arc::clone(view), elsewhere, key, says })
}

fn refusal(table: &Table) -> String {
    let roles: Vec<&str> = table.readers.iter().filter_map(role).collect();
    match roles[..] {
        [] => format!("{} does not say who may read it, so nobody may here.", table.name),
        [..] => format!("{} is for the role {}.", table.name, roles.join(" or ")),
    }
}

fn role(readers: &Readers) -> Option<&str> {
    match readers {
        Readers::Role(role) => Some(role),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
