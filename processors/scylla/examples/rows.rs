//! How many rows a second a CQL server takes: `MILLRACE_TEST_CQL=host:port cargo run --example rows`.

use std::time::Instant;

use millrace_kernel::table::parse_tables;
use millrace_kernel::{PageQuery, Put, Write};
use millrace_ports::{StoreFault, ViewStore};
use millrace_scylla::{ScyllaConfig, ScyllaStore};
use millrace_services::{Services, keyspace};

const FEED: &str = "CREATE TABLE feed (
  reader text, -- Whose feed.
  posted_at bigint, -- When.
  chirp text, -- Which chirp.
  author text, -- Whose chirp.
  body text, -- What.
  PRIMARY KEY ((reader), posted_at, chirp)
) WITH comment = 'A feed, newest first.'
  AND CLUSTERING ORDER BY (posted_at DESC, chirp DESC);";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Services::cql()?;
    for concurrency in [32, 128, 512] {
        println!("{concurrency} requests at once");
        let config = ScyllaConfig {
            concurrency,
            ..ScyllaConfig::new([server.contact_point.clone()], keyspace("bench"))
        };
        let store = ScyllaStore::connect(config)?;
        let tables = parse_tables(FEED)?;
        store.create_tables(&tables)?;
        store.open_tables(&tables)?;
        measure(&store)?;
    }
    Ok(())
}

fn measure(store: &ScyllaStore) -> Result<(), StoreFault> {
    let rows = |readers: i64| -> Vec<Write> { (0..50_000).map(|n| row(n, readers)).collect() };
    let (scattered, grouped) = (rows(50_000), rows(1_000));
    timed("rows, each its own partition", 50_000, || store.apply(&scattered))?;
    timed("rows, 50 a partition", 50_000, || store.apply(&grouped))?;
    let query = |n: i64| PageQuery {
        table: "feed".into(),
        key: vec![format!("reader-{}", n % 1_000).into()],
        after: vec![40_000_i64.into(), "chirp-1".into()],
        limit: 20,
        in_turn: false,
    };
    timed("pages of 20, one by one", 1_000, || {
        (0..1_000).try_for_each(|n| store.read(&[query(n)]).map(drop))
    })?;
    let queries: Vec<PageQuery> = (0..5_000).map(query).collect();
    timed("pages of 20, at once", 5_000, || store.read(&queries).map(drop))
}

fn row(n: i64, readers: i64) -> Write {
    let reader = format!("reader-{}", n % readers);
    let body = format!("chirp number {n}, which says what a chirp of some length would say to its readers");
    let values = vec![reader.into(), n.into(), format!("chirp-{n}").into(), "author-1".into(), body.into()];
    Write::Put(Put { table: "feed", values, timestamp: 1_000 + n })
}

fn timed(what: &str, count: i64, run: impl FnOnce() -> Result<(), StoreFault>) -> Result<(), StoreFault> {
    let start = Instant::now();
    run()?;
    println!("  {what:30} {:>9.0} a second", count as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
