//! Two versions of a view family, compared.

use std::sync::Mutex;

use millrace_audit::versions::{Comparison, Differing, compare};
use millrace_audit::{Kind, Silent};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Delete, Put, Table, Value, Write};
use millrace_ports::ViewStore;
use millrace_runtime::versions::{Destination, Version};
use millrace_testkit::store::MemoryStore;

const VIEWS: [&str; 1] = ["notes"];

fn declared() -> Vec<Table> {
    let text = "CREATE TABLE notes (\n  author text, -- Who.\n  number bigint, -- Which.\n  body text, -- What.\n  PRIMARY KEY ((author), number)\n) WITH comment = 'Notes.';";
    parse_tables(text).unwrap()
}

fn note(author: &str, number: i64, body: &str, timestamp: i64) -> Write {
    let values = vec![Value::from(author), Value::from(number), Value::from(body)];
    Write::Put(Put { table: "notes", values, timestamp })
}

/// A store with two versions of the table.
struct Scene {
    store: MemoryStore,
}

impl Scene {
    fn new() -> Self {
        let store = MemoryStore::new();
        for version in [Version(1), Version(2)] {
            let tables = version.tables(&declared(), &VIEWS);
            store.create_tables(&tables).unwrap();
            store.open_tables(&tables).unwrap();
        }
        Self { store }
    }

    fn write(&self, version: i32, mut write: Write) {
        Destination::new(Version(version), &VIEWS).redirect([&mut write]);
        self.store.apply(&[write]).unwrap();
    }

    fn both(&self, write: &Write) {
        self.write(1, write.clone());
        self.write(2, write.clone());
    }

    /// Compares; `meanwhile` happens before every second look.
    fn compare(&self, limit: usize, meanwhile: &dyn Fn()) -> Differing {
        let catch_up = || {
            meanwhile();
            Ok(())
        };
        compare(&Comparison {
            domain: "scraps",
            store: &self.store,
            tables: &declared(),
            old: Version(1),
            new: Version(2),
            catch_up: &catch_up,
            limit,
            watcher: &Silent,
        })
        .unwrap()
    }
}

#[test]
fn tables_that_are_alike_do_not_differ() {
    let scene = Scene::new();
    for number in 0..5_000 {
        scene.both(&note(&format!("author-{}", number % 700), number, "same", 1));
    }
    let found = scene.compare(10, &|| {});
    assert!(found.is_none(), "{found:?}");
    assert_eq!((found.tables[0].old_rows, found.tables[0].new_rows), (5_000, 5_000));
}

#[test]
fn what_differs_is_named_and_counted() {
    let scene = Scene::new();
    for number in 0..3_000 {
        scene.both(&note(&format!("author-{}", number % 7), number, "same", 1));
    }
    scene.write(1, note("author-1", 1, "old", 2));
    scene.write(2, note("author-9", 7, "new", 2));
    let key = vec![Value::from("author-2"), Value::from(2_i64)];
    scene.write(2, Write::Delete(Delete { table: "notes", key, range: false, timestamp: 2 }));
    let found = scene.compare(10, &|| {});
    let mut told: Vec<_> =
        found.differences.iter().map(|it| (it.key.clone(), it.kind, it.columns.len())).collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("author=author-1, number=1".to_owned(), Kind::Different, 1),
            ("author=author-2, number=2".to_owned(), Kind::Missing, 1),
            ("author=author-9, number=7".to_owned(), Kind::Surplus, 1),
        ]
    );
    assert_eq!(scene.compare(1, &|| {}).tables[0].differences, 3, "all are counted");
    assert_eq!(scene.compare(1, &|| {}).differences.len(), 1);
}

/// One version has nothing at all: what is held while rows have no like stays bounded.
#[test]
fn a_version_without_rows_lacks_them_all() {
    let scene = Scene::new();
    for number in 0..25_000 {
        scene.write(1, note(&format!("author-{}", number % 700), number, "same", 1));
    }
    let found = scene.compare(3, &|| {});
    assert_eq!((found.tables[0].differences, found.differences.len()), (25_000, 3));
}

/// A row that changes all the time is the same in two versions that follow each other.
#[test]
fn a_row_that_changes_is_no_difference_when_both_follow() {
    let scene = Scene::new();
    scene.write(1, note("ann", 1, "body-1", 1));
    scene.write(2, note("ann", 1, "body-0", 0));
    let step = Mutex::new(1);
    let found = scene.compare(10, &|| {
        let mut step = step.lock().unwrap();
        scene.write(2, note("ann", 1, &format!("body-{step}"), *step));
        *step += 1;
        scene.write(1, note("ann", 1, &format!("body-{step}"), *step));
    });
    assert!(found.is_none(), "{found:?}");
}

/// One that changes in one version alone is a difference.
#[test]
fn a_row_that_changes_in_one_version_alone_is_a_difference() {
    let scene = Scene::new();
    scene.write(2, note("ann", 1, "stands", 0));
    let step = Mutex::new(1);
    let found = scene.compare(10, &|| {
        let mut step = step.lock().unwrap();
        *step += 1;
        scene.write(1, note("ann", 1, &format!("body-{step}"), *step));
    });
    assert_eq!(found.tables[0].differences, 1, "{found:?}");
}

/// A row that one version has taken in later than the other is no difference.
#[test]
fn a_row_that_comes_late_is_no_difference() {
    let scene = Scene::new();
    scene.write(1, note("ann", 1, "here", 1));
    let found = scene.compare(10, &|| scene.write(2, note("ann", 1, "here", 1)));
    assert!(found.is_none(), "{found:?}");
}

/// What the new version is still to take in is looked at, too.
#[test]
fn a_row_that_both_versions_are_still_to_have_is_compared() {
    let scene = Scene::new();
    let found = scene.compare(10, &|| scene.write(2, note("ann", 1, "late", 1)));
    assert_eq!(found.tables[0].differences, 1, "{found:?}");
}

#[test]
fn a_table_of_another_shape_is_named_and_not_compared() {
    let scene = Scene::new();
    let mut wider = declared();
    wider[0].columns.push(millrace_kernel::table::Column {
        name: "mood".to_owned(),
        kind: millrace_kernel::ColumnType::Text,
        comment: "New.".to_owned(),
    });
    scene.store.create_tables(&Version(2).tables(&wider, &VIEWS)).unwrap();
    scene.store.open_tables(&Version(2).tables(&wider, &VIEWS)).unwrap();
    let found = compare(&Comparison {
        domain: "scraps",
        store: &scene.store,
        tables: &wider,
        old: Version(1),
        new: Version(2),
        catch_up: &|| Ok(()),
        limit: 1,
        watcher: &Silent,
    })
    .unwrap();
    assert!(!found.is_none());
    assert!(found.tables[0].incomparable.as_ref().is_some_and(|why| why.contains("mood")), "{found:?}");
}
