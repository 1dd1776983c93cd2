//! Which rows of a view somebody may read, as the view declares beside its table ([`millrace_kernel::readers`]).
//!
//! One mechanism for pages and for streams: whatever shows a row asks here first.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::readers::Readers;
use millrace_kernel::{Table, Value};
use millrace_ports::{StoreFault, ViewStore};

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
    /// The user is in a column of the one row of another table whose key is in these columns of the row.
    Of { view: Arc<ViewDescription>, key: Vec<usize>, column: usize },
}

impl Permit {
    /// What `principal` may read of the view, one of `views`.
    ///
    /// # Errors
    /// The answer to somebody who may read no row, whatever it holds.
    pub(crate) fn of(
        principal: &Principal,
        view: &ViewDescription,
        views: &[Arc<ViewDescription>],
    ) -> Result<Self, Problem> {
        if principal.is_trusted() {
            return Ok(Self::All);
        }
        let table = &view.table;
        let is_for_all = |readers: &Readers| match readers {
            Readers::Public => true,
            Readers::Role(role) => principal.has_role(role),
            Readers::Column(_) | Readers::ColumnOf { .. } => false,
        };
        if table.readers.iter().any(is_for_all) {
            return Ok(Self::All);
        }
        let ways: Vec<Way> = table.readers.iter().filter_map(|readers| way(table, views, readers)).collect();
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
            Way::Own(column) => is_before(column),
            Way::Of { key, .. } => key.iter().all(is_before),
        })
    }

    /// Those of `rows` that may be read, in their order; where that needs other rows, they are read in `store`.
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

/// Whether the user is the owner, by the key of the row that says so.
type Owners = HashMap<(usize, String), bool>;

impl Rows {
    fn allow(&self, store: &dyn ViewStore, row: &[Value], owners: &mut Owners) -> Result<bool, StoreFault> {
        for (at, way) in self.ways.iter().enumerate() {
            let is_allowed = match way {
                Way::Own(column) => self.is_user(row.get(*column)),
                Way::Of { view, key, column } => {
                    let key: Vec<Value> = key.iter().filter_map(|column| row.get(*column).cloned()).collect();
                    let known = (at, format!("{key:?}"));
                    match owners.get(&known) {
                        Some(is_owner) => *is_owner,
                        None => {
                            let mut is_owner = false;
                            read::<StoreFault>(store, &view.table, From::Key(key, None), 1, &mut |owner| {
                                is_owner = self.is_user(owner.get(*column));
                                Ok(())
                            })?;
                            owners.insert(known, is_owner);
                            is_owner
                        }
                    }
                }
            };
            if is_allowed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_user(&self, value: Option<&Value>) -> bool {
        matches!(value, Some(Value::Text(text)) if **text == *self.user)
    }
}

/// `None` for what the build of the domain has refused.
fn way(table: &Table, views: &[Arc<ViewDescription>], readers: &Readers) -> Option<Way> {
    match readers {
        Readers::Public | Readers::Role(_) => None,
        Readers::Column(column) => table.column(column).map(Way::Own),
        Readers::ColumnOf { column, view } => {
            let view = views.iter().find(|it| it.table.name == *view)?;
            let other = &view.table;
            let key = other.columns[..other.key_columns()].iter().map(|it| table.column(&it.name));
            let (key, column) = (key.collect::<Option<_>>()?, other.column(column)?);
            Some(Way::Of { view: Arc::clone(view), key, column })
        }
    }
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
mod tests {
    use millrace_kernel::table::parse_tables;
    use millrace_kernel::{ColumnType, Put, Write};
    use millrace_testkit::store::memory::MemoryStore;

    use super::*;
    use crate::auth::Known;

    const TABLES: &str = "
-- Readable by: owner_id, role auditor
CREATE TABLE accounts (
  account_id text, -- x
  owner_id text, -- x
  PRIMARY KEY ((account_id))
) WITH comment = 'x';

-- Readable by: owner_id of accounts
CREATE TABLE entries (
  account_id text, -- x
  version bigint, -- x
  PRIMARY KEY ((account_id), version)
) WITH comment = 'x';

-- Readable by: public
CREATE TABLE notices (
  id text, -- x
  PRIMARY KEY ((id))
) WITH comment = 'x';

-- Readable by: role auditor
CREATE TABLE totals (
  day text, -- x
  PRIMARY KEY ((day))
) WITH comment = 'x';

CREATE TABLE silent (
  id text, -- x
  PRIMARY KEY ((id))
) WITH comment = 'x';
";

    fn views() -> Vec<Arc<ViewDescription>> {
        let view = |table| Arc::new(ViewDescription { table, projection: "x".to_owned() });
        parse_tables(TABLES).unwrap().into_iter().map(view).collect()
    }

    fn store() -> MemoryStore {
        let (store, tables) = (MemoryStore::new(), parse_tables(TABLES).unwrap());
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
        let put = |table, values| Write::Put(Put { table, values, timestamp: 1 });
        let owned = [("a", "ann"), ("b", "bob")];
        let accounts = owned.map(|(account, owner)| put("accounts", vec![account.into(), owner.into()]));
        store.apply(&accounts).unwrap();
        store
    }

    fn somebody(user: &str, roles: &[&str]) -> Principal {
        let roles = roles.iter().map(|role| (*role).into()).collect();
        Principal::known(Known { user: user.into(), roles, ..Known::default() })
    }

    /// Every view for every principal: by the rule as it is written above, row by row, with nothing shared.
    #[test]
    fn everybody_reads_what_a_naive_filter_leaves() {
        let (views, store) = (views(), store());
        let rows = |view: &str| -> Vec<Vec<Value>> {
            match view {
                "accounts" => vec![vec!["a".into(), "ann".into()], vec!["b".into(), "bob".into()]],
                "entries" => [("a", 1_i64), ("a", 2), ("b", 1), ("gone", 1)]
                    .map(|(account, version)| vec![account.into(), version.into()])
                    .into(),
                _ => vec![vec!["1".into()], vec!["2".into()]],
            }
        };
        let people = [
            (Principal::Anyone, None, false),
            (somebody("ann", &[]), Some("ann"), false),
            (somebody("bob", &["auditor"]), Some("bob"), true),
            (somebody("eve", &["operator"]), Some("eve"), false),
        ];
        for (principal, user, is_auditor) in people {
            for view in &views {
                let name = view.table.name.as_str();
                let owner = |row: &[Value]| match &row[0] {
                    Value::Text(account) if **account == *"a" => Some("ann"),
                    Value::Text(account) if **account == *"b" => Some("bob"),
                    _ => None,
                };
                let naive: Vec<Vec<Value>> = rows(name)
                    .into_iter()
                    .filter(|row| match name {
                        _ if user.is_none() => true,
                        "accounts" => is_auditor || owner(row) == user,
                        "entries" => owner(row) == user,
                        "notices" => true,
                        "totals" => is_auditor,
                        _ => false,
                    })
                    .collect();
                let permitted = match Permit::of(&principal, view, &views) {
                    Ok(permit) => permit.filter(&store, rows(name)).unwrap(),
                    Err(_) => Vec::new(),
                };
                assert_eq!(permitted, naive, "{name} for {user:?}");
            }
        }
    }

    /// What is declared in `schemas/`, and rows in which everybody has some.
    fn of_every_domain() -> Vec<(String, Vec<Arc<ViewDescription>>, MemoryStore)> {
        let schemas = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        let folders = std::fs::read_dir(schemas).unwrap().map(|entry| entry.unwrap().path());
        let mut domains = Vec::new();
        for file in folders.map(|folder| folder.join("views.cql")).filter(|file| file.exists()) {
            let text = std::fs::read_to_string(file).unwrap();
            let tables = parse_tables(&text).unwrap();
            let store = MemoryStore::new();
            store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
            for table in &tables {
                for n in 0..81_usize {
                    let value = |(at, column): (usize, &millrace_kernel::table::Column)| match column.kind {
                        ColumnType::Text => USERS[n / 3_usize.pow(at as u32 % 4) % 3].into(),
                        ColumnType::BigInt => (n as i64 % 7).into(),
                        ColumnType::Int => (n as i32 % 2).into(),
                        ColumnType::Boolean => Value::Null,
                    };
                    let values = table.columns.iter().enumerate().map(value).collect();
                    let name: &'static str = table.name.clone().leak();
                    store.apply(&[Write::Put(Put { table: name, values, timestamp: n as i64 + 1 })]).unwrap();
                }
            }
            let views = tables.into_iter().filter(|table| !table.is_directory());
            let views =
                views.map(|table| Arc::new(ViewDescription { table, projection: "x".to_owned() })).collect();
            domains.push((text, views, store));
        }
        domains
    }

    const USERS: [&str; 3] = ["ann", "bob", "eve"];

    /// What the words before a table allow, read as a person reads them, against all rows of all tables.
    fn is_allowed(
        text: &str,
        store: &MemoryStore,
        view: &Table,
        row: &[Value],
        (user, roles): (&str, &[&str]),
    ) -> bool {
        let before = text.split(&format!("CREATE TABLE {} (", view.name)).next().unwrap();
        let mut words = before.trim_end().lines().rev().take_while(|line| line.starts_with("--"));
        let Some(said) = words.find_map(|line| line.strip_prefix("-- Readable by:")) else { return false };
        let is_user = |table: &Table, column: &str, row: &[Value]| {
            row[table.columns.iter().position(|it| it.name == column).unwrap()] == Value::from(user)
        };
        said.split(',').map(str::trim).any(|one| match one.split_whitespace().collect::<Vec<_>>()[..] {
            ["public"] => true,
            ["role", role] => roles.contains(&role),
            [column] => is_user(view, column, row),
            [column, "of", other] => {
                let tables = parse_tables(text).unwrap();
                let other = tables.iter().find(|it| it.name == other).unwrap();
                store.rows(&other.name).iter().any(|owner| {
                    let is_same = |at: usize| {
                        let name = &other.columns[at].name;
                        owner[at] == row[view.columns.iter().position(|it| it.name == *name).unwrap()]
                    };
                    (0..other.key_columns()).all(is_same) && is_user(other, column, owner)
                })
            }
            _ => panic!("{one}"),
        })
    }

    #[test]
    fn in_every_view_of_every_domain_everybody_reads_what_a_naive_filter_leaves() {
        let (mut shown, mut hidden) = (0, 0);
        for (text, views, store) in of_every_domain() {
            for view in &views {
                let rows = store.rows(&view.table.name);
                assert!(!rows.is_empty());
                for (user, roles) in [("ann", &[][..]), ("bob", &["auditor"][..]), ("eve", &["operator"][..])]
                {
                    let naive =
                        rows.iter().filter(|row| is_allowed(&text, &store, &view.table, row, (user, roles)));
                    let naive: Vec<Vec<Value>> = naive.cloned().collect();
                    let permitted = match Permit::of(&somebody(user, roles), view, &views) {
                        Ok(permit) => permit.filter(&store, rows.clone()).unwrap(),
                        Err(_) => Vec::new(),
                    };
                    assert_eq!(permitted, naive, "{} for {user}", view.table.name);
                    (shown, hidden) = (shown + naive.len(), hidden + rows.len() - naive.len());
                }
            }
        }
        assert!(shown > 100 && hidden > 100, "{shown} and {hidden}");
    }

    #[test]
    fn where_no_row_can_be_read_that_is_said() {
        let views = views();
        let of = |name: &str| views.iter().find(|view| view.table.name == name).unwrap();
        let refused = |principal: &Principal, name| {
            Permit::of(principal, of(name), &views).err().map(|problem| problem.detail().to_owned())
        };
        let ann = somebody("ann", &[]);
        assert_eq!(refused(&ann, "totals").as_deref(), Some("totals is for the role auditor."));
        assert!(
            refused(&somebody("ann", &["auditor"]), "silent").is_some_and(|it| it.contains("does not say"))
        );
        assert_eq!(refused(&ann, "entries"), None);
        assert_eq!(refused(&Principal::Anyone, "silent"), None);
    }
}
