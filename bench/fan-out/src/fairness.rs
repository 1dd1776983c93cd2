//! How long small authors' chirps take to their readers while a giant's is told to a million.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_domain_chirp::{EventData, Settings};
use millrace_kernel::{Event, Page, PageQuery, Table, Value as Cell, Write};
use millrace_ports::{StoreFault, Submitted, TableChange, ViewStore};
use millrace_runtime::projector::ProjectorPhase;
use serde_json::{Value, json};

use crate::stage::{Events, Stage, store};
use crate::{Failure, memory};

/// How long the last chirps may take, and the first ones behind a giant whose rows are all written at once.
const ARRIVAL: Duration = Duration::from_secs(300);
/// Readers of a small author.
const READERS: u32 = 5;
/// The giant's number, and where its followers begin.
const GIANT: u32 = 0;
const FOLLOWERS: u32 = 1_000_000;

/// Who is there.
#[derive(Clone, Copy)]
pub struct Scene {
    pub audience: u32,
    pub small: u32,
    pub rate: u32,
    pub seconds: u64,
}

/// A store that notes when a small chirp's last row is acknowledged.
struct Watched {
    store: Arc<dyn ViewStore>,
    /// By chirp: when it was appended, and how many of its rows are missing.
    waiting: Mutex<HashMap<String, (Instant, u32)>>,
    /// When each was appended, and how long it took.
    took: Mutex<Vec<(Instant, Duration)>>,
    /// Rows of the giant that were given to the store.
    told: AtomicU64,
}

impl Watched {
    fn note(&self, writes: &[Write]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            let Write::Put(put) = write else { continue };
            let (true, Some(Cell::Text(chirp))) = (put.table == "home_timelines", put.values.get(2)) else {
                continue;
            };
            let Some((appended, missing)) = waiting.get_mut(&**chirp) else { continue };
            *missing -= 1;
            if *missing == 0 {
                let took = (*appended, appended.elapsed());
                self.took.lock().unwrap_or_else(PoisonError::into_inner).push(took);
                waiting.remove(&**chirp);
            }
        }
    }
}

impl ViewStore for Watched {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        self.store.plan_tables(tables)
    }
    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.store.create_tables(tables)
    }
    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.store.open_tables(tables)
    }
    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        self.store.drop_tables(names)
    }
    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        self.store.apply(writes)?;
        self.note(writes);
        Ok(())
    }
    fn submit(&self, writes: Arc<Vec<Write>>) -> Result<Box<dyn Submitted>, StoreFault> {
        self.told.fetch_add(writes.len() as u64, Ordering::Relaxed);
        self.store.submit(writes)
    }
    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        self.store.read(queries)
    }
    fn scan(&self, table: &str, after: &[Cell], limit: usize) -> Result<Page, StoreFault> {
        self.store.scan(table, after, limit)
    }
}

/// Measures without a giant, with one, and if asked with one whose rows are all written at once.
pub fn measure(cql: &str, scene: Scene, at_once: bool) -> Result<Value, Failure> {
    let in_turns = Settings { celebrity_above: u64::MAX, celebrity_below: 0, ..Settings::default() };
    let whole = Settings { fan_out_at_once: usize::MAX, ..in_turns.clone() };
    let mut cases = vec![("without the giant", &in_turns, false), ("with the giant", &in_turns, true)];
    if at_once {
        cases.push(("with the giant, all at once", &whole, true));
    }
    let mut found = Vec::new();
    for (name, settings, has_giant) in cases {
        let case = run(cql, scene, settings, has_giant)?;
        eprintln!("{name}: p50 {} ms, p99 {} ms", case["p50_ms"], case["p99_ms"]);
        found.push(json!({"name": name, "figures": case}));
    }
    Ok(json!({
        "audience": scene.audience,
        "small_authors": scene.small,
        "rate": scene.rate,
        "seconds": scene.seconds,
        "cases": found,
    }))
}

fn run(cql: &str, scene: Scene, settings: &Settings, has_giant: bool) -> Result<Value, Failure> {
    let stage = Stage::new()?;
    let mut events = Events::default();
    let people = (0..=scene.small).chain(FOLLOWERS..FOLLOWERS + scene.small * READERS);
    for person in people {
        stage.append(&events.registered(person))?;
    }
    for reader in 0..scene.audience {
        stage.append(&events.followed(FOLLOWERS + reader, GIANT))?;
    }
    for small in 1..=scene.small {
        for reader in 0..READERS {
            stage.append(&events.followed(FOLLOWERS + (small - 1) * READERS + reader, small))?;
        }
    }
    let from = stage.end()?;
    stage.skip_to(from)?;
    let (target, _) = store(cql)?;
    let watched = Arc::new(Watched {
        store: Arc::new(target),
        waiting: Mutex::default(),
        took: Mutex::default(),
        told: AtomicU64::new(0),
    });
    let mut lane = stage.lane(Arc::clone(&watched) as Arc<dyn ViewStore>, settings)?;
    while !matches!(lane.phase(), ProjectorPhase::Applying(at) if at >= from) {
        lane.turn(Duration::ZERO)?;
    }
    let folded = memory::resident();

    let is_over = AtomicBool::new(false);
    let (began, sent) = std::thread::scope(|scope| -> Result<_, Failure> {
        let lane = scope.spawn(|| -> Result<(), Failure> {
            while !is_over.load(Ordering::Relaxed) {
                lane.turn(Duration::from_millis(5))?;
            }
            Ok(())
        });
        let post = post_all(&stage, &mut events, &watched, scene, has_giant);
        is_over.store(true, Ordering::Relaxed);
        lane.join().map_err(|_| "the lane has panicked")??;
        post
    })?;
    let mut took = std::mem::take(&mut *watched.took.lock().unwrap_or_else(PoisonError::into_inner));
    took.sort_by_key(|(appended, _)| *appended);
    let mut sorted: Vec<f64> = took.iter().map(|(_, took)| took.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| sorted.get(((sorted.len() as f64 * part) as usize).min(sorted.len().max(1) - 1));
    let points: Vec<_> = took
        .iter()
        .map(|(at, took)| json!([(*at - began).as_secs_f64(), took.as_secs_f64() * 1e3]))
        .collect();
    Ok(json!({
        "sent": sent,
        "arrived": took.len(),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "longest_ms": sorted.last(),
        "rows_of_the_giant": watched.told.load(Ordering::Relaxed),
        "memory_grew_by_mb": (memory::resident() - folded) / 1e6,
        "points": points,
    }))
}

/// Posts at a steady rate, and waits a little for the last ones.
fn post_all(
    stage: &Stage,
    events: &mut Events,
    watched: &Watched,
    scene: Scene,
    has_giant: bool,
) -> Result<(Instant, u64), Failure> {
    if has_giant {
        stage.append(&events.posted(GIANT))?;
    }
    let began = Instant::now();
    let count = u64::from(scene.rate) * scene.seconds;
    for n in 0..count {
        let due = began + Duration::from_secs_f64(n as f64 / f64::from(scene.rate));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let event = events.posted(1 + (n % u64::from(scene.small)) as u32);
        let mut waiting = watched.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(chirp_id(&event), (Instant::now(), READERS));
        drop(waiting);
        stage.append(&event)?;
    }
    let until = Instant::now() + ARRIVAL;
    let is_missing = || !watched.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
    while is_missing() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((began, count))
}

fn chirp_id(event: &Event<EventData>) -> String {
    match &event.data {
        EventData::ChirpPosted(posted) => posted.chirp_id.to_string(),
        _ => String::new(),
    }
}
