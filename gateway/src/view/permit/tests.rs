//! Who may read which rows, against naive filters: of tables made for it, and of every table of every domain.

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

-- Readable by: user_id among members
CREATE TABLE members (
  team_id text, -- x
  user_id text, -- x
  PRIMARY KEY ((team_id), user_id)
) WITH comment = 'x';

-- Readable by: user_id among members, owner_id, public where open, role auditor
CREATE TABLE boards (
  board_id text, -- x
  team_id text, -- x
  owner_id text, -- x
  open boolean, -- x
  PRIMARY KEY ((board_id))
) WITH comment = 'x';

-- Readable by: readers of boards
CREATE TABLE cards (
  board_id text, -- x
  card_id text, -- x
  PRIMARY KEY ((board_id), card_id)
) WITH comment = 'x';

-- Readable by: readers of notices
CREATE TABLE replies (
  id text, -- x
  PRIMARY KEY ((id))
) WITH comment = 'x';
";

/// Which team a board is of, whose it is, and whether it is open.
const BOARDS: [(&str, &str, &str, bool); 4] =
    [("x", "t", "", false), ("y", "", "eve", false), ("z", "", "", true), ("u", "other", "bob", false)];
const MEMBERS: [(&str, &str); 3] = [("t", "ann"), ("t", "eve"), ("other", "eve")];

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
    let members = MEMBERS.map(|(team, user)| put("members", vec![team.into(), user.into()]));
    let boards = BOARDS.map(|(board, team, owner, open)| {
        put("boards", vec![board.into(), team.into(), owner.into(), open.into()])
    });
    store.apply(&members).and_then(|()| store.apply(&boards)).unwrap();
    store.apply(&[put("notices", vec!["1".into()])]).unwrap();
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
            "members" => MEMBERS.map(|(team, user)| vec![team.into(), user.into()]).into(),
            "boards" => BOARDS
                .map(|(board, team, owner, open)| vec![board.into(), team.into(), owner.into(), open.into()])
                .into(),
            "cards" => ["x", "y", "z", "u", "gone"].map(|board| vec![board.into(), "c".into()]).into(),
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
            let is_of_board = |row: &[Value]| {
                let of = BOARDS.iter().find(|(board, ..)| row[0] == Value::from(*board));
                of.is_some_and(|(_, team, owner, open)| {
                    let is_member = MEMBERS.iter().any(|it| it.0 == *team && Some(it.1) == user);
                    is_member || Some(*owner) == user || *open || is_auditor
                })
            };
            let naive: Vec<Vec<Value>> = rows(name)
                .into_iter()
                .filter(|row| match name {
                    _ if user.is_none() => true,
                    "accounts" => is_auditor || owner(row) == user,
                    "entries" => owner(row) == user,
                    "notices" => true,
                    "totals" => is_auditor,
                    "members" => row[0] == Value::from("t") && user == Some("ann") || user == Some("eve"),
                    "boards" | "cards" => is_of_board(row),
                    // to a notice that is there
                    "replies" => row[0] == Value::from("1"),
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
                    ColumnType::Boolean => (n % 2 == 1).into(),
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
    let at = |table: &Table, name: &str| table.columns.iter().position(|it| it.name == name).unwrap();
    let is_user = |table: &Table, column: &str, row: &[Value]| row[at(table, column)] == Value::from(user);
    let others = |other: &str, taken: &str| -> Vec<(Table, Vec<Value>)> {
        let tables = parse_tables(text).unwrap();
        let other = tables.iter().find(|it| it.name == other).unwrap();
        let is_same = |of: &Vec<Value>| {
            let key = other.columns[..other.key_columns()].iter().filter(|it| it.name != taken);
            key.map(|it| it.name.as_str()).all(|name| of[at(other, name)] == row[at(view, name)])
        };
        let rows = store.rows(&other.name).into_iter().filter(is_same);
        rows.map(|of| (other.clone(), of)).collect()
    };
    said.split(',').map(str::trim).any(|one| match one.split_whitespace().collect::<Vec<_>>()[..] {
        ["public"] => true,
        ["role", role] => roles.contains(&role),
        [column] => is_user(view, column, row),
        ["public", "where", column] => row[at(view, column)] == Value::Boolean(true),
        ["readers", "of", other] => {
            others(other, "").iter().any(|(table, of)| is_allowed(text, store, table, of, (user, roles)))
        }
        [column, "of", other] => others(other, "").iter().any(|(table, owner)| is_user(table, column, owner)),
        [column, "among", other] => {
            others(other, column).iter().any(|(table, member)| is_user(table, column, member))
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
            for (user, roles) in [("ann", &[][..]), ("bob", &["auditor"][..]), ("eve", &["operator"][..])] {
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
    assert!(refused(&somebody("ann", &["auditor"]), "silent").is_some_and(|it| it.contains("does not say")));
    assert_eq!(refused(&ann, "entries"), None);
    assert_eq!(refused(&Principal::Anyone, "silent"), None);
}
