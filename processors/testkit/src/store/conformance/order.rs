//! Timestamps decide, not the order of arrival.

use millrace_kernel::Value;

use super::{Fixture, apply, bodies, delete, note, orders, put, rows};

/// Every type and null come back as they went in.
pub fn a_row_is_read_as_it_was_written(fixture: &Fixture) {
    let store = fixture.ready();
    let full: Vec<Value> =
        vec!["ann".into(), 1_i64.into(), "text".into(), i32::MIN.into(), true.into(), i64::MAX.into()];
    let empty: Vec<Value> =
        vec!["ann".into(), 2_i64.into(), Value::Null, Value::Null, Value::Null, Value::Null];
    apply(store, &[put("notes", full.clone(), 1), put("notes", empty.clone(), 1)]);
    assert_eq!(rows(store, "notes", vec!["ann".into()]), [full, empty]);
    let member: Vec<Value> = vec!["t".into(), "m".into()];
    apply(store, &[put("members", member.clone(), 1)]);
    assert_eq!(rows(store, "members", vec!["t".into()]), [member]);
}

/// Of several puts the one with the greatest timestamp stays, in one call and over several.
pub fn the_greatest_timestamp_stays(fixture: &Fixture) {
    let store = fixture.ready();
    let versions = [("one", 1), ("two", 2), ("three", 3)];
    for (index, order) in orders(&versions).iter().enumerate() {
        let (apart, at_once) = (format!("apart-{index}"), format!("at-once-{index}"));
        for (body, timestamp) in order {
            apply(store, &[note(&apart, 1, body, *timestamp)]);
        }
        let writes: Vec<_> =
            order.iter().map(|(body, timestamp)| note(&at_once, 1, body, *timestamp)).collect();
        apply(store, &writes);
        assert_eq!(bodies(store, &apart), ["three"], "{order:?}");
        assert_eq!(bodies(store, &at_once), ["three"], "{order:?}");
    }
}

/// A write that comes late changes no column, also none that is null since.
pub fn a_late_write_loses(fixture: &Fixture) {
    let store = fixture.ready();
    let new: Vec<Value> =
        vec!["ann".into(), 1_i64.into(), Value::Null, 2_i32.into(), Value::Null, Value::Null];
    let old: Vec<Value> =
        vec!["ann".into(), 1_i64.into(), "old".into(), 1_i32.into(), true.into(), 1_i64.into()];
    apply(store, &[put("notes", new.clone(), 10)]);
    apply(store, &[put("notes", old, 9)]);
    assert_eq!(rows(store, "notes", vec!["ann".into()]), [new]);
}

/// A row is written whole: what is null in the newer one is null afterwards.
pub fn a_rewrite_clears_what_it_leaves_out(fixture: &Fixture) {
    let store = fixture.ready();
    let old: Vec<Value> =
        vec!["ann".into(), 1_i64.into(), "old".into(), 1_i32.into(), true.into(), 1_i64.into()];
    let new: Vec<Value> =
        vec!["ann".into(), 1_i64.into(), Value::Null, Value::Null, Value::Null, Value::Null];
    apply(store, &[put("notes", old, 1)]);
    apply(store, &[put("notes", new.clone(), 2)]);
    assert_eq!(rows(store, "notes", vec!["ann".into()]), [new]);
}

/// At equal timestamps columns compare by value, whatever comes first: null beats all, else
/// the greater in bytes.
pub fn ties_compare_by_value(fixture: &Fixture) {
    let store = fixture.ready();
    let rest: [[Value; 4]; 3] = [
        ["a".into(), 1_i32.into(), false.into(), 5_i64.into()],
        ["b".into(), (-1_i32).into(), true.into(), Value::Null],
        ["ab".into(), 7_i32.into(), false.into(), 9_i64.into()],
    ];
    for (index, order) in orders(&rest).into_iter().enumerate() {
        let author = format!("ann-{index}");
        for values in order {
            let mut row: Vec<Value> = vec![author.as_str().into(), 1_i64.into()];
            row.extend(values);
            apply(store, &[put("notes", row, 5)]);
        }
        let expected: [Value; 4] = ["b".into(), (-1_i32).into(), true.into(), Value::Null];
        assert_eq!(rows(store, "notes", vec![author.as_str().into()])[0][2..], expected);
    }
}

/// What was applied may be applied again, in part, at any time.
pub fn applying_again_changes_nothing(fixture: &Fixture) {
    let store = fixture.ready();
    let history = [
        note("ann", 1, "one", 1),
        note("ann", 2, "two", 2),
        delete("notes", vec!["ann".into(), 1_i64.into()], 3),
        note("ann", 2, "second", 4),
        note("ann", 3, "three", 5),
        delete("notes", vec!["ann".into(), 3_i64.into()], 6),
        note("ann", 3, "third", 7),
    ];
    apply(store, &history);
    let expected = rows(store, "notes", vec!["ann".into()]);
    assert_eq!(bodies(store, "ann"), ["second", "third"]);
    for from in 0..history.len() {
        apply(store, &history[from..]);
        apply(store, &history[..from]);
        assert_eq!(rows(store, "notes", vec!["ann".into()]), expected, "again from {from}");
    }
}
