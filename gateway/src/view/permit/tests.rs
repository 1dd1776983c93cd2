//! Who may read which rows, against naive filters: of tables made for it, and of every table of every domain.

use millrace_kernel::table::parse_tables;
use millrace_kernel::{ColumnType, Put, Write};
use millrace_testkit::store::memory::MemoryStore;

use super::*;
use crate::auth::Known;
use crate::view::neighbours::tests::Domains;

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

-- Readable by: user_id among clubs.members
CREATE TABLE votes (
  vote_id text, -- x
  club_id text, -- x
  PRIMARY KEY ((vote_id))
) WITH comment = 'x';

-- Readable by: readers of clubs.halls
CREATE TABLE keys (
  hall_id text, -- x
  PRIMARY KEY ((hall_id))
) WITH comment = 'x';

-- Readable by: keeper_id of clubs.halls
CREATE TABLE cellars (
  hall_id text, -- x
  PRIMARY KEY ((hall_id))
) WITH comment = 'x';
";

/// Of another domain, which has other members.
const CLUBS: &str = "
-- Readable by: user_id among members
CREATE TABLE members (
  club_id text, -- x
  user_id text, -- x
  PRIMARY KEY ((club_id), user_id)
) WITH comment = 'x';

-- Readable by: user_id among members, keeper_id
CREATE TABLE halls (
  hall_id text, -- x
  club_id text, -- x
  keeper_id text, -- x
  PRIMARY KEY ((hall_id))
) WITH comment = 'x';
";

/// Which team a board is of, whose it is, and whether it is open.
const BOARDS: [(&str, &str, &str, bool); 4] =
    [("x", "t", "", false), ("y", "", "eve", false), ("z", "", "", true), ("u", "other", "bob", false)];
const MEMBERS: [(&str, &str); 3] = [("t", "ann"), ("t", "eve"), ("other", "eve")];

/// Ann and Bob are in club `c`, whose hall Bob keeps; Eve keeps that of club `e`.
const CLUB: [(&str, &str); 2] = [("c", "ann"), ("c", "bob")];
const HALLS: [(&str, &str, &str); 2] = [("h", "c", "bob"), ("i", "e", "eve")];

fn views() -> Vec<Arc<ViewDescription>> {
    described(TABLES)
}

fn described(text: &str) -> Vec<Arc<ViewDescription>> {
    let view = |table| Arc::new(ViewDescription { table, projection: "x".to_owned() });
    parse_tables(text).unwrap().into_iter().map(view).collect()
}

fn clubs() -> Arc<dyn ViewStore> {
    let (store, tables) = (MemoryStore::new(), parse_tables(CLUBS).unwrap());
    store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
    let put = |table, values| Write::Put(Put { table, values, timestamp: 1 });
    let members = CLUB.map(|(club, user)| put("members", vec![club.into(), user.into()]));
    let halls = HALLS.map(|(hall, club, keeper)| put("halls", vec![hall.into(), club.into(), keeper.into()]));
    store.apply(&members).and_then(|()| store.apply(&halls)).unwrap();
    Arc::new(store)
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
    let domains = Domains::one("d", &views).and("clubs", &described(CLUBS), clubs());
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
            "votes" => [("1", "c"), ("2", "e"), ("3", ""), ("4", "t")]
                .map(|(vote, club)| vec![vote.into(), club.into()])
                .into(),
            "keys" | "cellars" => ["h", "i", "gone"].map(|hall| vec![hall.into()]).into(),
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
                    "votes" => CLUB.iter().any(|it| row[1] == Value::from(it.0) && Some(it.1) == user),
                    "keys" | "cellars" => HALLS.iter().any(|(hall, club, keeper)| {
                        let is_member = CLUB.iter().any(|it| it.0 == *club && Some(it.1) == user);
                        let is_reader = Some(*keeper) == user || name == "keys" && is_member;
                        row[0] == Value::from(*hall) && is_reader
                    }),
                    // to a notice that is there
                    "replies" => row[0] == Value::from("1"),
                    _ => false,
                })
                .collect();
            let permitted = match Permit::of(&principal, view, "d", &domains) {
                Ok(permit) => permit.filter(&store, rows(name)).unwrap(),
                Err(_) => Vec::new(),
            };
            assert_eq!(permitted, naive, "{name} for {user:?}");
        }
    }
}

/// Tables that are away let nobody through, and a domain that is not there no more.
#[test]
fn nobody_reads_what_another_domain_does_not_say() {
    let (views, store) = (views(), store());
    let votes = views.iter().find(|view| view.table.name == "votes").unwrap();
    let rows = || vec![vec!["1".into(), "c".into()]];
    let ann = somebody("ann", &[]);
    let of = |domains: Domains| Permit::of(&ann, votes, "d", &domains);
    let one = || Domains::one("d", &views);
    let asked = of(one().and("clubs", &described(CLUBS), clubs())).unwrap();
    assert_eq!(asked.filter(&store, rows()).unwrap(), rows());
    assert!(of(one()).is_err());
    assert!(of(one().away("clubs", &described(CLUBS))).unwrap().filter(&store, rows()).is_err());
}

/// A domain as it is declared, and its rows.
struct Declared {
    name: String,
    text: String,
    views: Vec<Arc<ViewDescription>>,
    store: Arc<MemoryStore>,
}

/// What is declared in `schemas/`, and rows in which everybody has some.
fn of_every_domain() -> Vec<Declared> {
    let schemas = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    let folders = std::fs::read_dir(schemas).unwrap().map(|entry| entry.unwrap().path());
    let mut domains = Vec::new();
    for folder in folders.filter(|folder| folder.join("views.cql").exists()) {
        let (name, file) = (folder.file_name().unwrap().to_str().unwrap(), folder.join("views.cql"));
        let text = std::fs::read_to_string(file).unwrap();
        let tables = parse_tables(&text).unwrap();
        let store = MemoryStore::new();
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
        for table in &tables {
            // not everybody belongs to everything
            for n in (0..81_usize).filter(|n| ![2, 3].contains(&(n % 9))) {
                let value = |(at, column): (usize, &millrace_kernel::table::Column)| match column.kind {
                    ColumnType::Text => USERS[n / 3_usize.pow(at as u32 % 4) % 3].into(),
                    ColumnType::BigInt => (n as i64 % 7).into(),
                    ColumnType::Int => (n as i32 % 2).into(),
                    ColumnType::Boolean => (n % 2 == 1).into(),
                };
                let values = table.columns.iter().enumerate().map(value).collect();
                let table: &'static str = table.name.clone().leak();
                store.apply(&[Write::Put(Put { table, values, timestamp: n as i64 + 1 })]).unwrap();
            }
        }
        let views = tables.into_iter().filter(|table| !table.is_directory());
        let views =
            views.map(|table| Arc::new(ViewDescription { table, projection: "x".to_owned() })).collect();
        domains.push(Declared { name: name.to_owned(), text, views, store: Arc::new(store) });
    }
    domains
}

const USERS: [&str; 3] = ["ann", "bob", "eve"];

/// What the words before a table of a domain allow, read as a person reads them, against all rows of all tables.
fn is_allowed(
    all: &[Declared],
    domain: &Declared,
    view: &Table,
    row: &[Value],
    (user, roles): (&str, &[&str]),
) -> bool {
    let before = domain.text.split(&format!("CREATE TABLE {} (", view.name)).next().unwrap();
    let mut words = before.trim_end().lines().rev().take_while(|line| line.starts_with("--"));
    let Some(said) = words.find_map(|line| line.strip_prefix("-- Readable by:")) else { return false };
    let at = |table: &Table, name: &str| table.columns.iter().position(|it| it.name == name).unwrap();
    let is_user = |table: &Table, column: &str, row: &[Value]| row[at(table, column)] == Value::from(user);
    let others = |other: &str, taken: &str| -> (&Declared, Vec<(Table, Vec<Value>)>) {
        let (of, other) = match other.split_once('.') {
            Some((of, other)) => (all.iter().find(|it| it.name == of).unwrap(), other),
            None => (domain, other),
        };
        let tables = parse_tables(&of.text).unwrap();
        let other = tables.iter().find(|it| it.name == other).unwrap();
        let is_same = |of: &Vec<Value>| {
            let key = other.columns[..other.key_columns()].iter().filter(|it| it.name != taken);
            key.map(|it| it.name.as_str()).all(|name| of[at(other, name)] == row[at(view, name)])
        };
        let rows = of.store.rows(&other.name).into_iter().filter(is_same);
        (of, rows.map(|of| (other.clone(), of)).collect())
    };
    said.split(',').map(str::trim).any(|one| match one.split_whitespace().collect::<Vec<_>>()[..] {
        ["public"] => true,
        ["role", role] => roles.contains(&role),
        [column] => is_user(view, column, row),
        ["public", "where", column] => row[at(view, column)] == Value::Boolean(true),
        ["readers", "of", other] => {
            let (of, rows) = others(other, "");
            rows.iter().any(|(table, row)| is_allowed(all, of, table, row, (user, roles)))
        }
        [column, "of", other] => {
            others(other, "").1.iter().any(|(table, owner)| is_user(table, column, owner))
        }
        [column, "among", other] => {
            others(other, column).1.iter().any(|(table, member)| is_user(table, column, member))
        }
        _ => panic!("{one}"),
    })
}

#[test]
fn in_every_view_of_every_domain_everybody_reads_what_a_naive_filter_leaves() {
    let (mut shown, mut hidden) = (0, 0);
    let all = of_every_domain();
    let mut domains = Domains::default();
    for Declared { name, views, store, .. } in &all {
        domains = domains.and(name, views, Arc::clone(store) as _);
    }
    for domain in &all {
        let Declared { name, views, store, .. } = domain;
        for view in views {
            let rows = store.rows(&view.table.name);
            assert!(!rows.is_empty());
            for (user, roles) in [("ann", &[][..]), ("bob", &["auditor"][..]), ("eve", &["operator"][..])] {
                let naive =
                    rows.iter().filter(|row| is_allowed(&all, domain, &view.table, row, (user, roles)));
                let naive: Vec<Vec<Value>> = naive.cloned().collect();
                let permitted = match Permit::of(&somebody(user, roles), view, name, &domains) {
                    Ok(permit) => permit.filter(&**store, rows.clone()).unwrap(),
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
    let domains = Domains::one("d", &views);
    let of = |name: &str| views.iter().find(|view| view.table.name == name).unwrap();
    let refused = |principal: &Principal, name| {
        Permit::of(principal, of(name), "d", &domains).err().map(|problem| problem.detail().to_owned())
    };
    let ann = somebody("ann", &[]);
    assert_eq!(refused(&ann, "totals").as_deref(), Some("totals is for the role auditor."));
    assert!(refused(&somebody("ann", &["auditor"]), "silent").is_some_and(|it| it.contains("does not say")));
    assert_eq!(refused(&ann, "entries"), None);
    assert_eq!(refused(&Principal::Anyone, "silent"), None);
}
