//! Rows a second of a projector beside the bare driver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_domain_chirp::Settings;
use millrace_kernel::{Write, Writes};
use millrace_ports::ViewStore as _;
use millrace_runtime::progress::Progress;
use millrace_runtime::projector::ProjectorPhase;
use serde_json::{Value, json};

use crate::graph::Graph;
use crate::stage::{Events, FAMILY, Stage, store, tables, timelines};
use crate::{Failure, bare, memory};

/// How often the rows are written before anything counts.
const WARM_UP: usize = 3;

/// Lets both write the same chirps to keyspaces of their own, in turns.
pub fn measure(
    cql: &str,
    people: u32,
    follows: usize,
    rows: usize,
    rounds: usize,
    seed: u64,
) -> Result<Value, Failure> {
    let mut graph = Graph::new(people, follows, seed);
    let settings = Settings::default();
    let stage = Stage::new()?;
    let (mut events, mut muted) = (Events::default(), Writes::muted());
    let mut projector = timelines(&settings);
    for person in 0..people {
        let event = events.registered(person);
        projector.stage(&event, &mut muted);
        stage.append(&event)?;
    }
    for (reader, author) in std::mem::take(&mut graph.follows) {
        let event = events.followed(reader, author);
        projector.stage(&event, &mut muted);
        stage.append(&event)?;
    }
    let from = stage.end()?;
    eprintln!("{people} people and {follows} follows are in the log");

    // what the posts come to, for the bare driver
    let mut writes: Vec<Write> = Vec::new();
    let mut upto = from;
    while writes.len() < rows {
        let event = events.posted(graph.popular());
        writes.extend(projector.rows(&event).into_iter().flatten());
        upto = stage.append(&event)? + 1;
    }
    drop(projector);

    let bare_driver = || -> Result<f64, Failure> {
        let (_, keyspace) = store(cql)?;
        bare::write(cql, &keyspace, &tables(), &writes)
    };
    let projector = || -> Result<f64, Failure> {
        stage.skip_to(from)?;
        let (target, _) = store(cql)?;
        // these tables have what came before, as far as anybody asks
        let none = Progress::none(&format!("chirp.{FAMILY}"), 0);
        target.apply(&[Progress { events_offset: from, recorded_at: 1, ..none }.write()])?;
        let mut lane = stage.lane(Arc::new(target), &settings)?;
        while !matches!(lane.phase(), ProjectorPhase::Applying(at) if at >= from) {
            lane.turn(Duration::ZERO)?;
        }
        let began = Instant::now();
        while !matches!(lane.phase(), ProjectorPhase::Applying(at) if at >= upto) {
            lane.turn(Duration::ZERO)?;
        }
        Ok(writes.len() as f64 / began.elapsed().as_secs_f64())
    };
    // the server's virtual machine compiles: the first rounds are slower than the last, whoever writes
    for _ in 0..WARM_UP {
        bare_driver()?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            ours.push(projector()?);
            theirs.push(bare_driver()?);
        } else {
            theirs.push(bare_driver()?);
            ours.push(projector()?);
        }
        eprintln!(
            "round {}: projector {:.0}, bare driver {:.0} rows/s",
            round + 1,
            ours[round],
            theirs[round]
        );
    }
    Ok(json!({
        "people": people,
        "follows": follows,
        "chirps": upto - from,
        "rows": writes.len(),
        "projector_rows_a_second": ours,
        "bare_driver_rows_a_second": theirs,
        "peak_memory_mb": memory::peak() / 1e6,
    }))
}
