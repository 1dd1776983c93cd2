//! How many simple rows a second one transaction takes: `cargo run --release --example upserts`.

use std::time::Instant;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Delete, PageQuery, Put, Write};
use millrace_ports::{StoreFault, ViewStore};
use millrace_sqlite::{SqliteOptions, SqliteStore, Synchronous};

const FEED: &str = "CREATE TABLE feed (
  reader text, -- Whose feed.
  posted_at bigint, -- When.
  chirp text, -- Which chirp.
  author text, -- Whose chirp.
  body text, -- What.
  PRIMARY KEY ((reader), posted_at, chirp)
) WITH comment = 'A feed, newest first.'
  AND CLUSTERING ORDER BY (posted_at DESC, chirp DESC);";

const ROWS: i64 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let dir = tempfile::tempdir()?;
        let options = SqliteOptions { synchronous, ..SqliteOptions::default() };
        let store = SqliteStore::open_with(dir.path(), "bench", &options)?;
        let tables = parse_tables(FEED)?;
        store.create_tables(&tables)?;
        store.open_tables(&tables)?;
        println!("{synchronous:?}");
        measure(&store)?;
    }
    Ok(())
}

fn measure(store: &SqliteStore) -> Result<(), StoreFault> {
    let rows: Vec<Write> = (0..ROWS).map(|n| row(n, 1_000 + n)).collect();
    timed("new rows, one transaction", ROWS, || store.apply(&rows))?;
    timed("the same again: all late", ROWS, || store.apply(&rows))?;
    let newer: Vec<Write> = (0..ROWS).map(|n| row(n, 1_000_000 + n)).collect();
    timed("the same, rewritten", ROWS, || store.apply(&newer))?;
    let deletes: Vec<Write> = (0..ROWS / 5)
        .map(|n| {
            let Write::Put(put) = row(n * 5, 0) else { unreachable!("rows are puts") };
            let key = put.values[..3].to_vec();
            Write::Delete(Delete { table: "feed", key, range: false, timestamp: 2_000_000 })
        })
        .collect();
    timed("deletes", ROWS / 5, || store.apply(&deletes))?;
    timed("rewritten among deletes", ROWS, || store.apply(&rows))?;
    timed("transactions of 10 rows", 10_000, || {
        rows[..10_000].chunks(10).try_for_each(|few| store.apply(few))
    })?;
    timed("pages of 20", 5_000, || {
        (0..5_000).try_for_each(|n| {
            let key = vec![format!("reader-{}", n % 1_000).into()];
            let query = PageQuery {
                table: "feed".into(),
                key,
                after: vec![50_000_i64.into()],
                limit: 20,
                in_turn: false,
            };
            store.read(&[query]).map(drop)
        })
    })
}

fn row(n: i64, timestamp: i64) -> Write {
    let reader = format!("reader-{}", n * 7 % 1_000);
    let body = format!("chirp number {n}, which says what a chirp of some length would say to its readers");
    let values = vec![reader.into(), n.into(), format!("chirp-{n}").into(), "author-1".into(), body.into()];
    Write::Put(Put { table: "feed", values, timestamp })
}

fn timed(what: &str, count: i64, run: impl FnOnce() -> Result<(), StoreFault>) -> Result<(), StoreFault> {
    let start = Instant::now();
    run()?;
    let seconds = start.elapsed().as_secs_f64();
    println!("  {what:28} {:>9.0} a second", count as f64 / seconds);
    Ok(())
}
