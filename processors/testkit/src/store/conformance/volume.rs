//! Many rows, and many who write.

use std::thread;

use millrace_kernel::{PageQuery, Value, Write};

use super::{Fixture, apply, bodies, note, page, query, rows};

/// Ten thousand rows of many partitions in one call.
pub fn many_rows_in_one_call(fixture: &Fixture) {
    let store = fixture.ready();
    let author = |n: i64| format!("author-{}", n * n % 997);
    let mut writes: Vec<Write> = (0..10_000).map(|n| note(&author(n), n, &n.to_string(), n)).collect();
    apply(store, &writes);
    let all = rows(store, "notes", Vec::new());
    assert_eq!(all.len(), 10_000);
    for row in &all {
        let Value::BigInt(n) = row[1] else { panic!("{row:?}") };
        assert_eq!((&row[0], &row[2]), (&Value::from(author(n)), &Value::from(n.to_string())));
    }
    writes.reverse();
    apply(store, &writes);
    assert_eq!(rows(store, "notes", Vec::new()).len(), 10_000, "again, the other way round");
}

/// A partition larger than any page a driver would fetch at once.
pub fn a_large_partition_is_paged(fixture: &Fixture) {
    let store = fixture.ready();
    let writes: Vec<Write> = (0..12_000).map(|n| note("ann", n, &format!("note {n}"), 1)).collect();
    apply(store, &writes);
    assert_eq!(rows(store, "notes", vec!["ann".into()]).len(), 12_000, "in one page");
    let (mut after, mut seen) = (Vec::new(), 0_i64);
    loop {
        let limit = 5_500;
        let page = page(store, &PageQuery { after, limit, ..query("notes", vec!["ann".into()]) });
        for row in &page {
            assert_eq!(row[1], Value::from(seen), "each once, in order");
            seen += 1;
        }
        match page.last() {
            Some(last) => after = vec![last[1].clone()],
            None => break,
        }
    }
    assert_eq!(seen, 12_000);
}

/// Threads that write the same rows leave the newest, and each finds its own at once.
pub fn threads_write_at_once(fixture: &Fixture) {
    let store = fixture.ready();
    thread::scope(|scope| {
        for thread in 0..8_i64 {
            scope.spawn(move || {
                for round in 0..20_i64 {
                    let time = 1 + round * 8 + thread;
                    let own = format!("own-{thread}");
                    let mut writes: Vec<Write> =
                        (0..10).map(|n| note("shared", n, &format!("{time:04}"), time)).collect();
                    writes.push(note(&own, round, &round.to_string(), time));
                    apply(store, &writes);
                    assert_eq!(bodies(store, &own).len() as i64, round + 1, "one reads one's own writes");
                }
            });
        }
    });
    assert_eq!(bodies(store, "shared"), vec!["0160"; 10]);
}

/// Of several who insert a row at once one has, and it is that one's row which is there.
pub fn of_several_who_insert_a_row_one_has(fixture: &Fixture) {
    let store = fixture.ready();
    let put = |author: &str, body: &str, timestamp: i64| match note(author, 1, body, timestamp) {
        Write::Put(put) => put,
        Write::Delete(_) => unreachable!("a note is a put"),
    };
    for round in 0..10 {
        let author = format!("author-{round}");
        let won: Vec<String> = thread::scope(|scope| {
            let threads: Vec<_> = (0..6_i64)
                .map(|thread| {
                    let (put, author) = (&put, &author);
                    scope.spawn(move || {
                        let body = format!("of {thread}");
                        // whoever comes later and dates the row earlier gets it as little
                        store.insert(&put(author, &body, 10 - thread)).unwrap().then_some(body)
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(bodies(store, &author), won);
        assert!(!store.insert(&put(&author, "late", 100)).unwrap());
    }
}
