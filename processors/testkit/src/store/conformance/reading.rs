//! Pages, scans and odd values.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use millrace_kernel::{PageQuery, Value, Write};
use millrace_ports::ViewStore;

use super::{Fixture, apply, delete, note, page, put, query, rows, text};

/// Reads on from page to page, and says what stood in each.
fn turn_pages(store: &dyn ViewStore, mut query: PageQuery, key_columns: usize) -> Vec<Vec<Value>> {
    let (mut all, skip) = (Vec::new(), query.key.len());
    loop {
        let rows = page(store, &query);
        assert!(rows.len() <= query.limit, "a page of at most {}, not {}", query.limit, rows.len());
        let Some(last) = rows.last() else { return all };
        query.after = last[skip..key_columns].to_vec();
        all.extend(rows);
    }
}

/// Every page goes on strictly behind the one before, to the end.
pub fn pages_follow_one_another(fixture: &Fixture) {
    let store = fixture.ready();
    let numbers: Vec<i64> = (0..50).chain([i64::MIN, i64::MAX, -7]).collect();
    let writes: Vec<Write> = numbers.iter().map(|n| note("ann", *n, &n.to_string(), 1)).collect();
    apply(store, &writes);
    let mut expected = numbers;
    expected.sort_unstable();
    for limit in [1, 7, 53, 54, usize::MAX] {
        let all = turn_pages(store, PageQuery { limit, ..query("notes", vec!["ann".into()]) }, 2);
        let found: Vec<Value> = all.iter().map(|row| row[1].clone()).collect();
        assert_eq!(found, expected.iter().copied().map(Value::from).collect::<Vec<_>>(), "limit {limit}");
    }
    // a place need not be a row
    let behind =
        PageQuery { after: vec![Value::from(-8_i64)], limit: 1, ..query("notes", vec!["ann".into()]) };
    assert_eq!(page(store, &behind)[0][1], Value::from(-7_i64));
    let none = PageQuery { limit: 0, ..query("notes", vec!["ann".into()]) };
    assert_eq!(page(store, &none).len(), 0);
    for member in ["", "a", "b"] {
        apply(store, &[put("members", vec!["t".into(), member.into()], 1)]);
    }
    let all = turn_pages(store, PageQuery { limit: 1, ..query("members", vec!["t".into()]) }, 2);
    assert_eq!(all.iter().map(|row| text(&row[1])).collect::<Vec<_>>(), ["b", "a", ""], "descending");
}

/// The feed of reader `r`, in the table's order.
fn fill_feed(store: &dyn ViewStore) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for posted_at in [i64::MAX, 5, 0, -5] {
        for rank in [i32::MIN, 0, 7] {
            for pinned in [true, false] {
                all.push(vec!["r".into(), posted_at.into(), rank.into(), pinned.into(), "x".into()]);
            }
        }
    }
    let writes: Vec<Write> = all.iter().rev().map(|row| put("feed", row.clone(), 1)).collect();
    apply(store, &writes);
    all
}

/// Pages follow a table whose clustering columns ascend and descend in turns; a place may
/// name only the first few of them.
pub fn pages_follow_mixed_orders(fixture: &Fixture) {
    let store = fixture.ready();
    let all = fill_feed(store);
    for limit in [1, 2, 5, 100] {
        let query = PageQuery { limit, ..query("feed", vec!["r".into()]) };
        assert_eq!(turn_pages(store, query, 4), all, "limit {limit}");
    }
    for place in &all {
        for width in 1..=3 {
            let after = place[1..=width].to_vec();
            let end = all.iter().rposition(|row| row[1..=width] == after).map_or(0, |at| at + 1);
            for limit in [2, 100] {
                let query = PageQuery { after: after.clone(), limit, ..query("feed", vec!["r".into()]) };
                let expected: Vec<_> = all[end..].iter().take(limit).cloned().collect();
                assert_eq!(page(store, &query), expected, "after {after:?}, limit {limit}");
            }
        }
    }
}

/// A key may go on into the clustering columns; the place then goes on from there.
pub fn pages_of_a_clustering_prefix(fixture: &Fixture) {
    let store = fixture.ready();
    let all = fill_feed(store);
    let part: Vec<_> = all.iter().filter(|row| row[1] == Value::from(0_i64)).cloned().collect();
    let key = vec!["r".into(), 0_i64.into()];
    assert_eq!(rows(store, "feed", key.clone()), part);
    assert_eq!(turn_pages(store, PageQuery { limit: 1, ..query("feed", key.clone()) }, 4), part);
    let after = PageQuery { after: vec![0_i32.into()], ..query("feed", key) };
    assert_eq!(page(store, &after), part[4..]);
    let whole = all[3][..4].to_vec();
    assert_eq!(rows(store, "feed", whole), [all[3].clone()], "the whole key");
}

/// No row, no fault.
pub fn a_key_without_a_row_is_an_empty_page(fixture: &Fixture) {
    let store = fixture.ready();
    apply(store, &[note("ann", 1, "one", 1)]);
    for key in [vec!["nobody".into()], vec!["ann".into(), 2_i64.into()]] {
        assert_eq!(rows(store, "notes", key).len(), 0);
    }
    assert_eq!(store.read(&[]).expect("nothing was asked"), []);
    store.apply(&[]).expect("nothing to write");
}

/// A scan gives rows of all partitions, at most as many as asked for.
pub fn a_scan_finds_every_row(fixture: &Fixture) {
    let store = fixture.ready();
    let expected: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let writes: Vec<Write> =
        expected.iter().map(|n| put("pairs", vec![n.as_str().into(), "b".into(), "x".into()], 1)).collect();
    apply(store, &writes);
    let found = |limit| -> Vec<String> {
        let rows = page(store, &PageQuery { limit, ..query("pairs", Vec::new()) });
        let mut found: Vec<String> = rows.iter().map(|row| text(&row[0])).collect();
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(found(1_000), expected);
    assert_eq!(found(usize::MAX), expected);
    assert_eq!(found(10).len(), 10, "each a different row");
    assert_eq!(found(0).len(), 0);
}

/// Page after page, a scan gives every row of every partition once, the rows of one in order.
pub fn a_scan_goes_through_a_whole_table(fixture: &Fixture) {
    let store = fixture.ready();
    let go_through = |table: &str, key_columns: usize, limit: usize| {
        let (mut all, mut after): (Vec<Vec<Value>>, Vec<Value>) = (Vec::new(), Vec::new());
        loop {
            let rows = store.scan(table, &after, limit).expect("the scan goes on").rows;
            assert!(rows.len() <= limit, "a page of at most {limit}, not {}", rows.len());
            let is_last = rows.len() < limit;
            all.extend(rows);
            match all.last() {
                Some(last) if !is_last => after = last[..key_columns].to_vec(),
                _ => return all,
            }
        }
    };
    assert_eq!(go_through("feed", 4, 3), Vec::<Vec<Value>>::new());
    let feed = fill_feed(store);
    let mut pairs: Vec<Vec<Value>> = Vec::new();
    for a in ["", "x", "y", "ü"] {
        for b in ["x", "y"] {
            pairs.push(vec![a.into(), b.into(), "z".into()]);
        }
    }
    let mut notes: Vec<Vec<Value>> = Vec::new();
    for author in 0..9 {
        for number in -2..=2_i64 {
            let mut row: Vec<Value> = vec![format!("a{author}").into(), number.into()];
            row.resize(6, Value::Null);
            notes.push(row);
        }
    }
    let of = |table: &'static str, rows: &[Vec<Value>]| -> Vec<Write> {
        rows.iter().map(|row| put(table, row.clone(), 1)).collect()
    };
    apply(store, &of("pairs", &pairs));
    apply(store, &of("notes", &notes));
    for limit in [1, 2, 5, 24, 1_000, usize::MAX] {
        assert_eq!(go_through("feed", 4, limit), feed, "one partition, limit {limit}");
        let mut found = go_through("pairs", 2, limit);
        found.sort();
        assert_eq!(found, pairs, "partitions of one row, limit {limit}");
        let mut found = go_through("notes", 2, limit);
        let ordered = found.chunks(5).all(|rows| {
            rows.iter().all(|row| row[0] == rows[0][0]) && rows.windows(2).all(|two| two[0][1] < two[1][1])
        });
        assert!(ordered, "whole partitions in the table's order, limit {limit}: {found:?}");
        found.sort();
        assert_eq!(found, notes, "limit {limit}");
    }
    assert_eq!(store.scan("notes", &[], 0).expect("nothing was asked").rows.len(), 0);
    // the row behind which it goes on need not be there any more
    let first = store.scan("notes", &[], 1).expect("a page").rows.remove(0);
    apply(store, &[delete("notes", first[..2].to_vec(), 2)]);
    let rest = store.scan("notes", &first[..2], 1_000).expect("the rest").rows;
    assert_eq!(rest.len(), notes.len() - 1);
}

/// Several queries are answered one by one, of any tables.
pub fn several_queries_are_answered_in_order(fixture: &Fixture) {
    let store = fixture.ready();
    let writes: Vec<Write> = (0..40).map(|n| note(&format!("a{n}"), n, &n.to_string(), 1)).collect();
    apply(store, &writes);
    let mut queries: Vec<PageQuery> = (0..40).map(|n| query("notes", vec![format!("a{n}").into()])).collect();
    queries.insert(20, query("members", vec!["nobody".into()]));
    let pages = store.read(&queries).expect("answers");
    assert_eq!(pages.len(), 41);
    assert_eq!(pages[20].rows.len(), 0);
    for (at, page) in pages.iter().enumerate().filter(|(at, _)| *at != 20) {
        let n = if at < 20 { at } else { at - 1 };
        assert_eq!(page.rows[0][2], Value::from(n.to_string()), "answer {at}");
    }
}

/// A query in turn sees whatever was written before something that the one in front of it saw.
pub fn a_query_in_turn_sees_what_was_written_before(fixture: &Fixture) {
    let store = fixture.ready();
    let write = |author: &'static str, n: i64| note(author, i64::MAX, &n.to_string(), n);
    // the page in front takes its time, and what is written last stands at its end
    let filler: Vec<Write> = (0..5_000).map(|n| note("effect", n, "filler", 1)).collect();
    apply(store, &filler);
    apply(store, &[write("cause", 0), write("effect", 0)]);
    let cause = PageQuery { in_turn: true, ..query("notes", vec!["cause".into()]) };
    let queries = [
        query("members", vec!["nobody".into()]),
        query("notes", vec!["effect".into()]),
        cause.clone(),
        cause,
        query("notes", vec!["nobody".into()]),
    ];
    let is_over = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        scope.spawn(|| {
            for n in (1..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                apply(store, &[write("cause", n)]);
                apply(store, &[write("effect", n)]);
            }
        });
        let answers: Result<Vec<_>, _> = (0..20).map(|_| store.read(&queries)).collect();
        is_over.store(true, Ordering::Relaxed);
        answers
    });
    for pages in answers.expect("answers") {
        let rows: Vec<usize> = pages.iter().map(|page| page.rows.len()).collect();
        assert_eq!(rows, [0, 5_001, 1, 1, 0]);
        let seen: Vec<i64> =
            pages[1..4].iter().filter_map(|page| text(&page.rows.last()?[2]).parse().ok()).collect();
        assert!(
            seen.is_sorted() && seen.len() == 3,
            "the effect and twice what was written before: {seen:?}"
        );
    }
}

/// Texts of all kinds and the ends of the number ranges, as values and in keys.
pub fn odd_texts_and_numbers(fixture: &Fixture) {
    let store = fixture.ready();
    let texts = [
        "",
        " ",
        "'; DROP TABLE notes; --",
        "\"double\" 'single' `back` \\",
        "line\nbreak\r\ttab",
        "nul\0nul",
        "Ünïcödé 你好 🐦 e\u{301}",
        "%_?:@$1",
        "null",
        &"long ".repeat(5_000),
    ];
    for (n, odd) in texts.into_iter().enumerate() {
        apply(store, &[note("odd", n as i64, odd, 1), put("members", vec!["odd".into(), odd.into()], 1)]);
        apply(store, &[put("pairs", vec![odd.into(), "".into(), odd.into()], 1)]);
        let pair = rows(store, "pairs", vec![odd.into(), "".into()]);
        assert_eq!(pair, [[odd, "", odd].map(Value::from).to_vec()]);
        let member = rows(store, "members", vec!["odd".into(), odd.into()]);
        assert_eq!(member, [["odd", odd].map(Value::from).to_vec()]);
    }
    let found: Vec<String> = super::bodies(store, "odd");
    assert_eq!(found, texts);
    let mut sorted = texts.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let members: Vec<String> =
        rows(store, "members", vec!["odd".into()]).iter().map(|row| text(&row[1])).collect();
    assert_eq!(members, sorted, "by bytes, descending");
    let numbers = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    for number in numbers {
        let size = i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX });
        let row: Vec<Value> =
            vec!["ends".into(), number.into(), "x".into(), size.into(), (number > 0).into(), number.into()];
        apply(store, &[put("notes", row.clone(), i64::MAX - 1)]);
        assert_eq!(rows(store, "notes", vec!["ends".into(), number.into()]), [row]);
    }
    assert_eq!(rows(store, "notes", vec!["ends".into()]).len(), numbers.len());
}
