//! How long a page of a feed takes to read, quietly and while fan-outs are written, beside the bare client
//! asking the same queries.

mod bare;
mod load;
mod network;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use millrace_domain_chirp::feed::{Cursor, feed};
use millrace_domain_chirp::messages::rows::{ChirpsByAuthorRow, HomeTimelinesRow};
use millrace_kernel::PageQuery;
use millrace_ports::{StoreFault, ViewStore};
use millrace_runtime::projector::ProjectorPhase;
use millrace_scylla::{ScyllaConfig, ScyllaStore};
use millrace_sqlite::SqliteStore;
use serde_json::{Value, json};

use self::bare::{Bare, BareCql, BareSqlite};
use crate::stage::{Events, Stage, projector, store, tables};
use crate::{Failure, graph};

/// Chirps of a page.
const LIMIT: usize = 20;
/// Pages of each kind and contestant before anything counts.
const WARM_UP: usize = 100;
/// Pages below the floor are so many times rarer.
const RARER: usize = 5;

/// Where the tables are.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Tables {
    /// In a file of this machine
    Sqlite,
    /// On a CQL server
    Cql,
}

/// How much is read and written.
#[derive(clap::Args, Clone, Copy)]
pub struct Amount {
    /// Pages of each kind and contestant; of those below the floor a fifth
    #[arg(long, default_value_t = 1_000)]
    samples: usize,
    /// Pages read a second; below the floor a fifth
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Chirps told a second meanwhile, most of them to a hundred readers
    #[arg(long, default_value_t = 50)]
    chirps: u32,
}

/// A page that is read again and again.
struct Page {
    reader: String,
    cursor: Option<Cursor>,
    /// What is asked for it, call by call.
    calls: Vec<Vec<PageQuery>>,
}

/// Pages of one kind, of different readers.
struct Kind {
    name: &'static str,
    pages: Vec<Page>,
}

/// Measures on `target`.
pub fn measure(target: Tables, cql: Option<&str>, amount: Amount, seed: u64) -> Result<Value, Failure> {
    match target {
        Tables::Cql => {
            let cql = cql.ok_or("--cql says where the server is")?;
            let (written, keyspace) = store(cql)?;
            // who reads is another process than who writes, and has connections of its own
            let read = ScyllaStore::connect(ScyllaConfig::new([cql], keyspace.clone()))?;
            read.open_tables(&tables())?;
            let mut bare = BareCql::connect(cql, &keyspace, tables())?;
            run(Arc::new(written), &read, &mut bare, amount, seed)
        }
        Tables::Sqlite => {
            let folder = tempfile::tempdir()?;
            let written = SqliteStore::open(folder.path(), "chirp")?;
            written.create_tables(&tables())?;
            written.open_tables(&tables())?;
            let read = SqliteStore::open(folder.path(), "chirp")?;
            read.open_tables(&tables())?;
            let mut bare = BareSqlite::open(read.path(), tables())?;
            run(Arc::new(written), &read, &mut bare, amount, seed)
        }
    }
}

fn run(
    written: Arc<dyn ViewStore>,
    read: &dyn ViewStore,
    bare: &mut dyn Bare,
    amount: Amount,
    seed: u64,
) -> Result<Value, Failure> {
    let settings = network::settings();
    let cap = settings.timeline_cap;
    let stage = Stage::new()?;
    let mut events = Events::default();
    let (people, past) = network::past(&mut events, seed);
    let mut profiles = projector(&settings, "users");
    for event in people.iter().chain(&past) {
        stage.append(event)?;
    }
    for event in &people {
        profiles.rows(event).iter().try_for_each(|writes| written.apply(writes))?;
    }
    let upto = stage.end()?;
    let mut lane = stage.lane(written, &settings)?;
    let began = Instant::now();
    while !matches!(lane.phase(), ProjectorPhase::Applying(at) if at >= upto) {
        lane.turn(Duration::ZERO)?;
    }
    eprintln!("{upto} events are in the tables after {:.0} s", began.elapsed().as_secs_f64());

    let kinds = kinds(read, cap)?;
    let mut cases = Vec::new();
    let quiet = all_kinds(read, bare, &kinds, amount, cap)?;
    cases.push(json!({"load": "quiet", "pages": quiet}));
    let (amid, writing) = load::beside(&stage, &mut lane, &mut events, amount.chirps, || {
        all_kinds(read, bare, &kinds, amount, cap)
    })?;
    cases.push(json!({"load": "fan-outs", "writing": writing, "pages": amid}));
    let queries: serde_json::Map<String, Value> = kinds
        .iter()
        .map(|kind| (kind.name.to_owned(), kind.pages[0].calls.iter().map(Vec::len).collect()))
        .collect();
    Ok(json!({
        "limit": LIMIT,
        "samples": amount.samples,
        "rate": amount.rate,
        "queries_by_call": queries,
        "cases": cases,
    }))
}

/// First and second pages of who stays, and of who has left the authors that filled their timeline.
fn kinds(read: &dyn ViewStore, cap: usize) -> Result<[Kind; 3], Failure> {
    let mut kinds = [("first page", vec![]), ("second page", vec![]), ("below the floor", vec![])];
    for number in 0..network::READERS {
        let reader = graph::id(number);
        let first = page(read, &reader, None, cap)?;
        let second = page(read, &reader, first.1.clone(), cap)?;
        if network::is_leaver(number) {
            kinds[2].1.push(second.0);
        } else {
            kinds[0].1.push(first.0);
            kinds[1].1.push(second.0);
        }
    }
    for (name, pages) in &kinds {
        let is_below = *name == "below the floor";
        for page in pages {
            let rows = |table: &str| page.calls.iter().flatten().any(|query| query.table == table);
            if rows(ChirpsByAuthorRow::TABLE) != is_below || !rows(HomeTimelinesRow::TABLE) {
                return Err(format!("{name} of {} reads other tables than it should", page.reader).into());
            }
        }
    }
    Ok(kinds.map(|(name, pages)| Kind { name, pages }))
}

/// Reads a page; gives it with what was asked for, and the cursor behind it.
fn page(
    read: &dyn ViewStore,
    reader: &str,
    cursor: Option<Cursor>,
    cap: usize,
) -> Result<(Page, Option<Cursor>), Failure> {
    let mut calls = Vec::new();
    let mut ask = |queries: &[PageQuery]| {
        calls.push(queries.to_vec());
        read.read(queries)
    };
    let found = feed::<StoreFault>(&mut ask, reader, cursor.as_ref(), LIMIT, cap)?;
    if found.items.len() != LIMIT || found.is_last {
        return Err(format!("the feed of {reader} ends too early").into());
    }
    let next = found.items.last().map(|item| item.cursor.clone());
    Ok((Page { reader: reader.to_owned(), cursor, calls }, next))
}

fn all_kinds(
    read: &dyn ViewStore,
    bare: &mut dyn Bare,
    kinds: &[Kind; 3],
    amount: Amount,
    cap: usize,
) -> Result<Vec<Value>, Failure> {
    let [first, second, below] = kinds;
    let rare = amount.rate as usize / RARER;
    let mut found = paced(read, bare, &[first, second], amount.samples, amount.rate as usize, cap)?;
    found.extend(paced(read, bare, &[below], amount.samples / RARER, rare, cap)?);
    Ok(found)
}

/// Reads pages one at a time, kinds and contestants in turns, no more of them a second than `rate`.
fn paced(
    read: &dyn ViewStore,
    bare: &mut dyn Bare,
    kinds: &[&Kind],
    samples: usize,
    rate: usize,
    cap: usize,
) -> Result<Vec<Value>, Failure> {
    let mut took = vec![(Vec::new(), Vec::new()); kinds.len()];
    let warm_up = WARM_UP.min(samples / 4);
    let pause = Duration::from_secs_f64(1.0 / rate as f64);
    let mut due = Instant::now();
    for sample in 0..warm_up + samples {
        for (kind, (ours, theirs)) in kinds.iter().zip(&mut took) {
            let page = &kind.pages[sample % kind.pages.len()];
            for is_ours in [true, false] {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let began = Instant::now();
                due = began + pause;
                if is_ours {
                    let mut ask = |queries: &[PageQuery]| read.read(queries);
                    let found = feed::<StoreFault>(&mut ask, &page.reader, page.cursor.as_ref(), LIMIT, cap)?;
                    assert_eq!(found.items.len(), LIMIT);
                } else if bare.ask(&page.calls)? == 0 {
                    return Err("the bare client finds nothing".into());
                }
                let list = if is_ours { &mut *ours } else { &mut *theirs };
                list.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let mut found = Vec::new();
    for (kind, (ours, theirs)) in kinds.iter().zip(took) {
        for (who, times) in [("feed", ours), ("bare client", theirs)] {
            let mut times = times[warm_up..].to_vec();
            times.sort_by(f64::total_cmp);
            let at = |part: f64| times[((times.len() as f64 * part) as usize).min(times.len() - 1)];
            eprintln!("{}, {who}: p50 {:.2} ms, p99 {:.2} ms", kind.name, at(0.5), at(0.99));
            found.push(json!({
                "page": kind.name,
                "who": who,
                "samples": times.len(),
                "p50_ms": at(0.5),
                "p99_ms": at(0.99),
                "p999_ms": at(0.999),
                "longest_ms": times.last(),
            }));
        }
    }
    Ok(found)
}
