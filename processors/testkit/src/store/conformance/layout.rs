//! Making tables and finding them.

use millrace_kernel::table::{Column, ColumnType};
use millrace_kernel::{Table, Value};
use millrace_ports::StoreFault;
use millrace_ports::tables::COLUMNS;

use super::{Fixture, apply, note, put, query, rows, tables};

fn only(name: &str) -> Vec<Table> {
    tables().into_iter().filter(|table| table.name == name).collect()
}

/// A plan names every table that is missing, changes nothing, and is empty once all is there.
pub fn plan_names_what_is_missing(fixture: &Fixture) {
    let store = &*fixture.store;
    for _ in 0..2 {
        let plan = store.plan_tables(&tables()).expect("a plan");
        for table in tables() {
            assert!(
                plan.iter()
                    .any(|change| change.table == table.name && change.statement.contains(&table.name)),
                "{} is planned: {plan:?}",
                table.name
            );
        }
    }
    store.create_tables(&tables()).expect("tables can be made");
    assert_eq!(store.plan_tables(&tables()).expect("a plan"), [], "nothing is left to do");
    assert_eq!(store.plan_tables(&only("notes")).expect("a plan"), [], "other tables may stay");
}

/// Making tables again changes nothing and loses nothing.
pub fn tables_are_made_once(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[put("members", vec!["t".into(), "m".into()], 1)]);
    store.create_tables(&tables()).expect("again");
    store.open_tables(&tables()).expect("again");
    assert_eq!(rows(store, "members", vec!["t".into()]).len(), 1);
}

/// A column that is declared later is planned and made; one that is no longer declared stays.
pub fn a_column_may_be_added(fixture: &Fixture) {
    let store = &*fixture.store;
    let before = only("pairs");
    store.create_tables(&before).expect("tables can be made");
    store.open_tables(&before).expect("they can be opened");
    apply(store, &[put("pairs", vec!["a".into(), "b".into(), "body".into()], 1)]);

    let mut after = before.clone();
    let column = Column { name: "more".into(), kind: ColumnType::Int, comment: "More.".into() };
    after[0].columns.push(column);
    let plan = store.plan_tables(&after).expect("a plan");
    assert!(
        plan.iter().any(|change| change.table == "pairs" && change.statement.contains("more")),
        "{plan:?}"
    );
    let fault = store.open_tables(&after).expect_err("the column is missing");
    assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "pairs"), "{fault}");
    assert!(fault.to_string().contains("more"), "{fault}");
    store.create_tables(&after).expect("the column can be added");
    store.open_tables(&after).expect("it is there");
    assert_eq!(store.plan_tables(&after).expect("a plan"), []);
    let row = vec!["a".into(), "b".into(), "body".into(), Value::Null];
    assert_eq!(rows(store, "pairs", vec![]), [row], "an old row has no value there");
    let row: Vec<Value> = vec!["a".into(), "b".into(), "new".into(), 7_i32.into()];
    apply(store, &[put("pairs", row.clone(), 2)]);
    assert_eq!(rows(store, "pairs", vec![]), [row]);

    store.open_tables(&before).expect("a column that nobody declares may stay");
    assert_eq!(store.plan_tables(&before).expect("a plan"), []);
    assert_eq!(rows(store, "pairs", vec![])[0].len(), 3);
}

/// Another key, order or type is not repaired but named.
pub fn another_key_or_type_is_a_schema_fault(fixture: &Fixture) {
    let store = &*fixture.store;
    store.create_tables(&only("notes")).expect("tables can be made");
    let mut kind = only("notes");
    kind[0].columns[3].kind = ColumnType::Text;
    let mut order = only("notes");
    order[0].clustering_descending[0] = true;
    let mut partition = only("notes");
    partition[0].partition_columns = 2;
    partition[0].clustering_descending.clear();
    let mut key = only("notes");
    key[0].clustering_descending.push(false);
    for (changed, word) in [(kind, "size"), (order, "DESC"), (partition, "author, number"), (key, "body")] {
        for fault in [
            store.plan_tables(&changed).err(),
            store.create_tables(&changed).err(),
            store.open_tables(&changed).err(),
        ] {
            let fault = fault.expect("it differs");
            assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "notes"), "{fault}");
            assert!(fault.to_string().contains(word), "{word}: {fault}");
        }
    }
}

/// A table that nobody made cannot be opened.
pub fn a_missing_table_is_a_schema_fault(fixture: &Fixture) {
    let store = &*fixture.store;
    for _ in 0..2 {
        let fault = store.open_tables(&tables()).expect_err("there is no table");
        assert!(matches!(&fault, StoreFault::Schema { .. }), "{fault}");
        assert!(fault.to_string().contains("millrace tables plan"), "{fault}");
        store.create_tables(&only("members")).expect("one can be made");
    }
    let fault = store.open_tables(&tables()).expect_err("one of them is not all");
    assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "notes"), "{fault}");
}

/// A dropped table is gone with its documentation, and the others stay.
pub fn a_dropped_table_is_gone(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[note("ann", 1, "one", 1), put("members", vec!["red".into(), "ann".into()], 1)]);
    for _ in 0..2 {
        store.drop_tables(&["notes".to_owned()]).expect("what is gone is dropped already");
        assert_eq!(rows(store, COLUMNS, vec!["notes".into()]), Vec::<Vec<Value>>::new());
        let refused = store.apply(&[note("ann", 2, "two", 2)]).expect_err("there is no such table");
        assert!(matches!(refused, StoreFault::Refused { .. }), "{refused}");
    }
    let plan = store.plan_tables(&tables()).expect("a plan");
    assert!(plan.iter().any(|change| change.table == "notes"), "{plan:?}");
    assert_eq!(rows(store, "members", vec!["red".into()]).len(), 1);
    assert!(!rows(store, COLUMNS, vec!["members".into()]).is_empty());
}

/// What every column means can be read in the database, and follows the declaration.
pub fn comments_are_readable(fixture: &Fixture) {
    let store = fixture.ready();
    let found = rows(store, COLUMNS, vec!["feed".into()]);
    let expected = [
        ["feed", "body", "text", "", "What."],
        ["feed", "pinned", "boolean", "clustering 3, descending", "Whether it is pinned."],
        ["feed", "posted_at", "bigint", "clustering 1, descending", "When."],
        ["feed", "rank", "int", "clustering 2", "In which place."],
        ["feed", "reader", "text", "partition 1", "Whose feed."],
    ];
    assert_eq!(found, expected.map(|row| row.map(Value::from).to_vec()));
    let found = rows(store, COLUMNS, vec!["notes".into(), "body".into()]);
    assert_eq!(found[0][4], Value::from("Nullable: what it's about; \"quoted\"."));

    let mut changed = tables();
    changed[0].columns[2].comment = "Another word.".to_owned();
    let plan = store.plan_tables(&changed).expect("a plan");
    assert!(plan.iter().any(|change| change.table == COLUMNS), "{plan:?}");
    store.create_tables(&changed).expect("comments can change");
    assert_eq!(store.plan_tables(&changed).expect("a plan"), []);
    let all = store.read(&[query(COLUMNS, vec!["notes".into(), "body".into()])]).expect("an answer");
    assert_eq!(all[0].rows[0][4], Value::from("Another word."));
}
