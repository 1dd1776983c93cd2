//! What can never succeed is refused with words that say why, and leaves nothing behind.

use millrace_kernel::{PageQuery, Value, Write};
use millrace_ports::StoreFault;
use millrace_ports::tables::{MAX_KEY_BYTES, MAX_ROW_BYTES};

use super::{Fixture, apply, bodies, cut, delete, note, put, query};

fn refused(fault: Option<StoreFault>, word: &str) {
    match fault {
        Some(StoreFault::Refused { message, .. }) => {
            assert!(message.contains(word), "the message names {word}: {message}");
        }
        other => panic!("not refused for {word}: {other:?}"),
    }
}

/// A write that does not fit its table is refused before any of its call is applied.
pub fn bad_writes_are_refused(fixture: &Fixture) {
    let store = fixture.ready();
    let row = |values: &[Value]| put("notes", values.to_vec(), 1);
    let (a, one, null): (Value, Value, Value) = ("a".into(), 1_i64.into(), Value::Null);
    let long = Value::from("x".repeat(MAX_KEY_BYTES + 1));
    let huge = Value::from("x".repeat(MAX_ROW_BYTES + 1));
    let with = |body: Value| row(&[a.clone(), one.clone(), body, null.clone(), null.clone(), null.clone()]);
    let keyed = |author: Value, number: Value| {
        row(&[author, number, null.clone(), null.clone(), null.clone(), null.clone()])
    };
    let cases: Vec<(Write, &str)> = vec![
        (put("nowhere", vec![a.clone()], 1), "nowhere"),
        (row(&[a.clone(), one.clone()]), "6 values"),
        (row(&vec![a.clone(); 7]), "6 values"),
        (keyed(null.clone(), one.clone()), "author"),
        (keyed(a.clone(), null.clone()), "number"),
        (keyed("".into(), one.clone()), "author"),
        (keyed(a.clone(), 1_i32.into()), "number"),
        (keyed(long.clone(), one.clone()), "65000"),
        (with(7_i64.into()), "body"),
        (with(huge), "8388608"),
        (note("a", 1, "old", -1), "1970"),
        (delete("nowhere", vec![a.clone()], 1), "nowhere"),
        (delete("notes", vec![a.clone()], 1), "2 key columns"),
        (delete("notes", vec![a.clone(), one.clone(), one.clone()], 1), "2 key columns"),
        (delete("notes", vec![a.clone(), null.clone()], 1), "number"),
        (delete("notes", vec![one.clone(), one.clone()], 1), "author"),
        (cut("notes", vec![], 1), "partition columns"),
        (cut("pairs", vec![a.clone()], 1), "partition columns"),
        (cut("notes", vec![a.clone(), one.clone(), one.clone()], 1), "partition columns"),
    ];
    for (write, word) in cases {
        refused(store.apply(&[note("good", 1, "good", 1), write]).err(), word);
        assert_eq!(bodies(store, "good"), Vec::<String>::new(), "nothing of the call is applied ({word})");
    }
    apply(store, &[note("good", 1, "good", 1)]);
    assert_eq!(bodies(store, "good"), ["good"], "the store goes on");
}

/// A query that cannot be answered is refused.
pub fn bad_queries_are_refused(fixture: &Fixture) {
    let store = fixture.ready();
    let (a, one): (Value, Value) = ("a".into(), 1_i64.into());
    let ask = |table: &str, key: &[Value], after: &[Value]| PageQuery {
        after: after.to_vec(),
        ..query(table, key.to_vec())
    };
    let cases: [(PageQuery, &str); 8] = [
        (ask("nowhere", &[], &[]), "nowhere"),
        (ask("pairs", std::slice::from_ref(&a), &[]), "partition columns"),
        (ask("notes", &[], std::slice::from_ref(&one)), "partition"),
        (ask("notes", &[a.clone(), one.clone(), one.clone()], &[]), "key columns"),
        (ask("notes", &[a.clone(), one.clone()], std::slice::from_ref(&one)), "key columns"),
        (ask("notes", &[Value::Null], &[]), "author"),
        (ask("notes", std::slice::from_ref(&one), &[]), "author"),
        (ask("notes", std::slice::from_ref(&a), &[7_i32.into()]), "number"),
    ];
    for (query, word) in cases {
        refused(store.read(&[query]).err(), word);
    }
    let scans: [(&str, &[Value], &str); 3] = [
        ("nowhere", &[], "nowhere"),
        ("notes", std::slice::from_ref(&a), "whole key"),
        ("notes", &[a.clone(), a.clone()], "number"),
    ];
    for (table, after, word) in scans {
        refused(store.scan(table, after, 1).err(), word);
    }
}
