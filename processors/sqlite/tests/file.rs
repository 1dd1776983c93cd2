//! What is special about files: other programs, damage, power, and what deletes leave behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Delete, PageQuery, Put, Table, Value, Write};
use millrace_ports::{StoreFault, ViewStore};
use millrace_sqlite::{SqliteOptions, SqliteStore};
use rusqlite::{Connection, OpenFlags};

fn tables() -> Vec<Table> {
    parse_tables(
        "CREATE TABLE notes (\n  author text, -- Who's who.\n  number bigint, -- Which.\n  body text, -- What.\n  PRIMARY KEY ((author), number)\n) WITH comment = 'Notes, newest first.' AND CLUSTERING ORDER BY (number DESC);",
    )
    .unwrap()
}

fn store(dir: &Path) -> SqliteStore {
    let options = SqliteOptions { busy_timeout: Duration::from_millis(50), ..SqliteOptions::default() };
    let store = SqliteStore::open_with(dir, "domain", &options).unwrap();
    store.create_tables(&tables()).unwrap();
    store.open_tables(&tables()).unwrap();
    store
}

fn note(author: &str, number: i64, timestamp: i64) -> Write {
    let values = vec![author.into(), number.into(), "body".into()];
    Write::Put(Put { table: "notes", values, timestamp })
}

fn delete(author: &str, number: Option<i64>, range: bool, timestamp: i64) -> Write {
    let mut key: Vec<Value> = vec![author.into()];
    key.extend(number.map(Value::from));
    Write::Delete(Delete { table: "notes", key, range, timestamp })
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn an_analyst_reads_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.apply(&[note("ann", 1, 7)]).unwrap();
    let analyst = Connection::open(dir.path().join("domain.sqlite")).unwrap();
    analyst.execute_batch("BEGIN; SELECT * FROM notes").unwrap();
    assert_eq!(count(&analyst, "notes"), 1);
    store.apply(&[note("ann", 2, 8)]).unwrap();
    assert_eq!(count(&analyst, "notes"), 1, "one moment for as long as the transaction lasts");
    analyst.execute_batch("COMMIT").unwrap();
    let row: (String, i64, String, i64) = analyst
        .query_row("SELECT * FROM notes WHERE number = 2", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    assert_eq!(row, ("ann".to_owned(), 2, "body".to_owned(), 8));
}

/// Does something as one who may read the folder and what is in it, and write neither.
fn as_a_stranger<T>(dir: &Path, does: impl FnOnce() -> T) -> T {
    const NOBODY: u32 = 65_534;
    let set = |mode: u32| fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
    // root may write whatever the modes say; the rights of this thread alone are changed, and given back
    set(0o555);
    // SAFETY: numbers only; who is not root changes nothing by it.
    let (user, group) = unsafe { (libc::setfsuid(NOBODY), libc::setfsgid(NOBODY)) };
    let is_barred = fs::write(dir.join("mine"), "").is_err();
    let done = does();
    // SAFETY: as above.
    unsafe { (libc::setfsuid(user as u32), libc::setfsgid(group as u32)) };
    set(0o755);
    assert!(is_barred, "whoever this is has no right to write");
    done
}

/// How many notes such a one sees with any tool.
fn seen_by_a_stranger(file: &Path) -> rusqlite::Result<i64> {
    as_a_stranger(file.parent().unwrap(), || {
        let reader = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
    })
}

#[test]
fn who_may_not_write_reads_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let other = store(dir.path());
    let store = store(dir.path());
    store.apply(&[note("ann", 1, 7)]).unwrap();
    assert_eq!(seen_by_a_stranger(store.path()), Ok(1), "while it is written");
    let file = store.path().to_owned();
    drop(other);
    store.apply(&[note("ann", 2, 8)]).unwrap();
    assert_eq!(seen_by_a_stranger(&file), Ok(2), "while one of two writes");
    drop(store);
    assert_eq!(seen_by_a_stranger(&file), Ok(2), "after a clean end");
    let tool = Connection::open(&file).unwrap();
    assert_eq!(count(&tool, "notes"), 2);
    assert_eq!(seen_by_a_stranger(&file), Ok(2), "while its owner has it open");
    drop(tool);
    assert_eq!(seen_by_a_stranger(&file), Ok(2), "after that");
}

#[test]
fn after_a_clean_end_the_file_is_all_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store.apply(&(0..100).map(|number| note("ann", number, 7)).collect::<Vec<_>>()).unwrap();
    let page = store.scan("notes", &[], 10).unwrap();
    assert_eq!(page.rows.len(), 10, "somebody has read");
    let (file, copy) = (store.path().to_owned(), dir.path().join("copy.sqlite"));
    drop(store);
    fs::copy(&file, &copy).unwrap();
    assert_eq!(count(&Connection::open(&copy).unwrap(), "notes"), 100);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn tables_that_nobody_may_write_are_opened_for_reading() {
    let dir = tempfile::tempdir().unwrap();
    let file = store(dir.path()).path().to_owned();
    store(dir.path()).apply(&[note("ann", 1, 7)]).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    as_a_stranger(dir.path(), || {
        let readable = SqliteStore::open(dir.path(), "domain").unwrap();
        readable.open_tables(&tables()).unwrap();
        assert_eq!(readable.scan("notes", &[], 10).unwrap().rows.len(), 1);
        let refused = readable.apply(&[note("ann", 2, 8)]);
        assert!(refused.is_err_and(|why| why.to_string().contains("readonly")), "it says why");
    });
}

#[test]
fn comments_stand_in_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let analyst = Connection::open(store.path()).unwrap();
    let sql: String = analyst
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'notes'", [], |row| row.get(0))
        .unwrap();
    for part in ["-- Notes, newest first.", "-- Who's who.", "-- Which.", "\"number\" DESC", "_written_at"] {
        assert!(sql.contains(part), "{part} stands in {sql}");
    }
    let comment: String = analyst
        .query_row("SELECT comment FROM millrace_tables WHERE table_name = 'notes'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(comment, "Notes, newest first.");
}

#[test]
fn all_is_there_after_another_start() {
    let dir = tempfile::tempdir().unwrap();
    let first = store(dir.path());
    first.apply(&[note("ann", 1, 5), note("ann", 2, 5), delete("ann", Some(1), false, 6)]).unwrap();
    // not dropped: as after kill -9, its connections never said goodbye
    std::mem::forget(first);
    let second = store(dir.path());
    second.apply(&[note("ann", 1, 5)]).unwrap();
    let query =
        PageQuery { table: "notes".into(), key: vec!["ann".into()], after: vec![], limit: 9, in_turn: false };
    assert_eq!(second.read(&[query]).unwrap()[0].rows.len(), 1, "a deleted row stays deleted");
}

#[test]
fn deletes_leave_little_and_can_be_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let file = Connection::open(store.path()).unwrap();
    let left = || (count(&file, "millrace_deleted_rows"), count(&file, "millrace_deleted_ranges"));
    let rows: Vec<Write> = (0..100).map(|n| delete("ann", Some(n), false, 10 + n)).collect();
    store.apply(&rows).unwrap();
    store.apply(&rows).unwrap();
    assert_eq!(left(), (100, 0));
    // trimming a feed again and again leaves the newest trim alone
    for n in 0..100 {
        store.apply(&[delete("ann", Some(n), true, 200 + n)]).unwrap();
    }
    assert_eq!(left(), (1, 1), "the row at the bound itself, and the newest range");
    store.apply(&[delete("ann", None, true, 1_000)]).unwrap();
    assert_eq!(left(), (0, 1));
    store.apply(&[note("bob", 1, 9), delete("bob", Some(1), false, 8)]).unwrap();
    assert_eq!(left(), (0, 1), "a newer row needs no reminder");
    store.apply(&[delete("eve", Some(1), false, 500)]).unwrap();
    let notes = ["notes".to_owned()];
    store.forget_deletes(&["others".to_owned()], 1_001).unwrap();
    assert_eq!(left(), (1, 1), "those of other tables stay");
    store.forget_deletes(&notes, 1_000).unwrap();
    assert_eq!(left(), (0, 1));
    store.forget_deletes(&notes, 1_001).unwrap();
    assert_eq!(left(), (0, 0));
    // more than are forgotten at once
    let many: Vec<Write> = (0..12_000).map(|n| delete("eve", Some(n), false, 2_000 + n)).collect();
    store.apply(&many).unwrap();
    store.forget_deletes(&notes, 2_000 + 11_990).unwrap();
    assert_eq!(left(), (10, 0));
}

#[test]
fn a_foreign_write_lock_makes_it_unavailable_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = store.apply(&[note("ann", 1, 1)]).unwrap_err();
    assert!(matches!(fault, StoreFault::Unavailable { .. }), "{fault}");
    assert!(fault.to_string().contains("write lock"), "{fault}");
    other.execute_batch("ROLLBACK").unwrap();
    store.apply(&[note("ann", 1, 1)]).unwrap();
}

#[test]
fn what_cannot_be_opened_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let open = |dir: &Path, create| {
        let options = SqliteOptions { create, ..SqliteOptions::default() };
        SqliteStore::open_with(dir, "domain", &options).err().unwrap().to_string()
    };
    let fault = open(dir.path(), false);
    assert!(fault.contains("domain.sqlite does not exist"), "{fault}");

    let file = dir.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let fault = open(&file, true);
    assert!(fault.contains("folder") && fault.contains("cannot be made"), "{fault}");

    fs::write(dir.path().join("domain.sqlite"), "this is no database, ".repeat(100)).unwrap();
    let fault = open(dir.path(), true);
    assert!(fault.contains("no SQLite file"), "{fault}");

    fs::remove_file(dir.path().join("domain.sqlite")).unwrap();
    drop(store(dir.path()));
    let other = Connection::open(dir.path().join("domain.sqlite")).unwrap();
    other.execute_batch("PRAGMA user_version = 99").unwrap();
    let fault = open(dir.path(), true);
    assert!(fault.contains("newer version"), "{fault}");
}

#[test]
fn a_table_that_vanishes_is_a_schema_fault() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    Connection::open(store.path()).unwrap().execute_batch("DROP TABLE notes").unwrap();
    let fault = store.apply(&[note("ann", 1, 1)]).unwrap_err();
    assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "notes"), "{fault}");
}

#[test]
fn the_name_of_its_own_column_is_not_given_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut tables = tables();
    tables[0].columns[2].name = "_written_at".to_owned();
    let fault = store(dir.path()).create_tables(&tables).unwrap_err();
    assert!(fault.to_string().contains("_written_at is the store's own column"), "{fault}");
}
