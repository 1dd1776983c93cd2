//! What is deleted stays deleted, until it is written later.

use millrace_kernel::{Value, Write};

use super::{Fixture, apply, bodies, cut, delete, note, orders, put, rows};

fn key(author: &str, number: i64) -> Vec<Value> {
    vec![author.into(), number.into()]
}

/// A deleted row is gone, and a put dated before the delete does not bring it back.
pub fn a_delete_removes_and_stays(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[note("ann", 1, "one", 1), note("ann", 2, "two", 1)]);
    apply(store, &[delete("notes", key("ann", 1), 5)]);
    assert_eq!(bodies(store, "ann"), ["two"]);
    apply(store, &[note("ann", 1, "late", 4)]);
    assert_eq!(bodies(store, "ann"), ["two"]);
    // a delete of what was never there counts as well
    apply(store, &[delete("notes", key("bob", 1), 5)]);
    apply(store, &[note("bob", 1, "late", 4)]);
    assert_eq!(bodies(store, "bob"), Vec::<String>::new());
    let member: Vec<Value> = vec!["t".into(), "m".into()];
    apply(store, &[put("members", member.clone(), 1), delete("members", member.clone(), 2)]);
    apply(store, &[put("members", member.clone(), 1)]);
    assert_eq!(rows(store, "members", vec!["t".into()]), Vec::<Vec<Value>>::new());
}

/// A delete beats a put of the same time, whichever comes first.
pub fn a_delete_wins_a_tie(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[note("ann", 1, "one", 5)]);
    apply(store, &[delete("notes", key("ann", 1), 5)]);
    apply(store, &[delete("notes", key("bob", 1), 5)]);
    apply(store, &[note("bob", 1, "one", 5)]);
    apply(store, &[note("eve", 1, "one", 5), delete("notes", key("eve", 1), 5)]);
    for author in ["ann", "bob", "eve"] {
        assert_eq!(bodies(store, author), Vec::<String>::new(), "{author}");
    }
}

/// A put dated after the delete brings the row back, whichever comes first.
pub fn a_later_put_brings_a_row_back(fixture: &Fixture) {
    let store = fixture.ready();
    for (index, order) in orders(&[0, 1, 2]).into_iter().enumerate() {
        let author = &format!("ann-{index}");
        let deleted = |timestamp| delete("notes", key(author, 1), timestamp);
        let history = [note(author, 1, "one", 1), deleted(2), note(author, 1, "again", 3)];
        for at in &order {
            apply(store, std::slice::from_ref(&history[*at]));
        }
        assert_eq!(bodies(store, author), ["again"], "{order:?}");
        apply(store, &[deleted(3)]);
        apply(store, &history);
        assert_eq!(bodies(store, author), Vec::<String>::new(), "{order:?}");
    }
}

/// A delete that comes late leaves a newer row alone.
pub fn a_delete_spares_newer_rows(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[note("ann", 1, "new", 9)]);
    apply(store, &[delete("notes", key("ann", 1), 8), cut("notes", vec!["ann".into()], 8)]);
    assert_eq!(bodies(store, "ann"), ["new"]);
    apply(store, &[note("ann", 1, "late", 7)]);
    assert_eq!(bodies(store, "ann"), ["new"]);
}

/// A range removes what lies strictly behind a place in the table's order, and only there.
pub fn a_range_deletes_what_lies_behind(fixture: &Fixture) {
    let store = fixture.ready();
    let mut writes: Vec<Write> = (1..=5).map(|n| note("ann", n, &n.to_string(), 1)).collect();
    writes.extend((1..=5).map(|n| note("bob", n, &n.to_string(), 1)));
    writes.push(note("ann", 6, "newer", 9));
    apply(store, &writes);
    apply(store, &[cut("notes", key("ann", 3), 5)]);
    assert_eq!(bodies(store, "ann"), ["1", "2", "3", "newer"], "ascending: behind is greater");
    assert_eq!(bodies(store, "bob").len(), 5, "another partition is untouched");
    for member in ["a", "b", "c", "d"] {
        apply(store, &[put("members", vec!["t".into(), member.into()], 1)]);
    }
    apply(store, &[cut("members", vec!["t".into(), "c".into()], 5)]);
    let left = rows(store, "members", vec!["t".into()]);
    assert_eq!(
        left,
        [["t", "d"], ["t", "c"]].map(|row| row.map(Value::from).to_vec()),
        "descending: smaller"
    );
}

/// A range without a place is a whole partition.
pub fn a_range_deletes_a_whole_partition(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[note("ann", 1, "one", 1), note("ann", i64::MIN, "least", 1), note("bob", 1, "one", 1)]);
    apply(store, &[cut("notes", vec!["ann".into()], 2)]);
    apply(store, &[note("ann", 2, "late", 2), note("ann", i64::MIN, "late", 2)]);
    assert_eq!((bodies(store, "ann").len(), bodies(store, "bob").len()), (0, 1));
    let pair: Vec<Value> = vec!["a".into(), "b".into()];
    apply(store, &[put("pairs", vec!["a".into(), "b".into(), "x".into()], 1)]);
    apply(store, &[cut("pairs", pair.clone(), 2)]);
    apply(store, &[put("pairs", vec!["a".into(), "b".into(), "late".into()], 2)]);
    assert_eq!(rows(store, "pairs", pair.clone()).len(), 0);
    apply(store, &[put("pairs", vec!["a".into(), "b".into(), "new".into()], 3)]);
    assert_eq!(rows(store, "pairs", pair).len(), 1);
}

/// A range with a place of several columns follows the order of each, wherever it is cut.
pub fn a_range_follows_mixed_orders(fixture: &Fixture) {
    let store = fixture.ready();
    let places = || {
        [3_i64, 2, 1].into_iter().flat_map(|posted_at| {
            [-1_i32, 0, 1]
                .into_iter()
                .flat_map(move |rank| [true, false].map(|pinned| (posted_at, rank, pinned)))
        })
    };
    for (index, (posted_at, rank, pinned)) in places().enumerate() {
        let whole: Vec<Value> = vec![posted_at.into(), rank.into(), pinned.into()];
        for width in 1..=3 {
            let reader = Value::from(format!("{index}-{width}"));
            let all: Vec<Write> = places()
                .map(|(p, r, n)| {
                    put("feed", vec![reader.clone(), p.into(), r.into(), n.into(), "x".into()], 1)
                })
                .collect();
            apply(store, &all);
            let mut key = vec![reader.clone()];
            key.extend_from_slice(&whole[..width]);
            apply(store, &[cut("feed", key, 2)]);
            apply(store, &all);
            let left: Vec<Vec<Value>> =
                rows(store, "feed", vec![reader]).into_iter().map(|row| row[1..4].to_vec()).collect();
            let last_left = places()
                .enumerate()
                .filter(|(_, (p, r, n))| {
                    let place: [Value; 3] = [(*p).into(), (*r).into(), (*n).into()];
                    place[..width] == whole[..width]
                })
                .map(|(at, _)| at)
                .max();
            let expected: Vec<Vec<Value>> = places()
                .take(last_left.map_or(0, |at| at + 1))
                .map(|(p, r, n)| vec![p.into(), r.into(), n.into()])
                .collect();
            assert_eq!(left, expected, "cut behind {:?}", &whole[..width]);
        }
    }
}

/// Late writes into a deleted range lose; those behind no bound and newer ones do not.
/// Several ranges in one partition each keep their own time.
pub fn ranges_are_remembered(fixture: &Fixture) {
    let store = fixture.ready();
    let cuts =
        [cut("notes", key("?", 10), 50), cut("notes", key("?", 20), 70), cut("notes", key("?", 5), 30)];
    for (index, order) in orders(&cuts).into_iter().enumerate() {
        let author = format!("ann-{index}");
        for mut write in order {
            if let Write::Delete(delete) = &mut write {
                delete.key[0] = author.as_str().into();
            }
            apply(store, &[write]);
        }
        // (place, time) of a late write, and whether it stays
        let rows = [
            (5, 1, true),
            (6, 30, false),
            (10, 31, true),
            (11, 31, false),
            (11, 50, false),
            (12, 51, true),
            (20, 50, false),
            (20, 51, true),
            (21, 70, false),
            (22, 71, true),
            (i64::MAX, 70, false),
        ];
        for (place, time, stays) in rows {
            apply(store, &[delete("notes", key(&author, place), 0), note(&author, place, "late", time)]);
            let found = super::rows(store, "notes", key(&author, place)).len();
            assert_eq!(found == 1, stays, "place {place} at {time}, order {index}");
        }
    }
}

/// Puts, deletes and ranges give the same rows in whatever order they arrive.
pub fn deletes_in_any_order(fixture: &Fixture) {
    let store = fixture.ready();
    let history = |author: &str| {
        [
            note(author, 1, "one", 1),
            cut("notes", key(author, 1), 4),
            note(author, 2, "cut", 3),
            delete("notes", key(author, 1), 2),
            note(author, 2, "stays", 5),
        ]
    };
    for (index, order) in orders(&[0, 1, 2, 3, 4]).into_iter().enumerate() {
        let author = format!("ann-{index}");
        let history = history(&author);
        let (first, second) = order.split_at(2);
        // some in one call, some alone
        apply(store, &first.iter().map(|at| history[*at].clone()).collect::<Vec<_>>());
        for at in second {
            apply(store, std::slice::from_ref(&history[*at]));
        }
        assert_eq!(bodies(store, &author), ["stays"], "{order:?}");
    }
}
