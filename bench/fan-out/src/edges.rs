//! What a projector keeps of the network, in bytes.

use std::time::Instant;

use millrace_domain_chirp::Settings;
use millrace_kernel::{Standalone, Writes};
use serde_json::{Value, json};

use crate::graph::Graph;
use crate::stage::{Events, timelines};
use crate::{Failure, memory};

/// Rows of a piece of a fan-out.
const PIECE: usize = 5_000;

/// Folds a network into one projector.
pub fn measure(people: u32, follows: usize, seed: u64) -> Result<Value, Failure> {
    let graph = Graph::new(people, follows, seed);
    // nobody is a celebrity: every chirp is told to everybody
    let settings = Settings { celebrity_above: u64::MAX, celebrity_below: 0, ..Settings::default() };
    let mut projector = timelines(&settings);
    let mut events = Events::default();
    let mut muted = Writes::muted();

    let empty = memory::resident();
    for person in 0..people {
        projector.stage(&events.registered(person), &mut muted);
    }
    let registered = memory::resident();
    let began = Instant::now();
    for (reader, author) in &graph.follows {
        projector.stage(&events.followed(*reader, *author), &mut muted);
    }
    let seconds = began.elapsed().as_secs_f64();
    let followed = memory::resident();
    let mut audiences = vec![0_u32; people as usize];
    graph.follows.iter().for_each(|(_, author)| audiences[*author as usize] += 1);

    let mut in_flight = Vec::new();
    for rank in [people / 10, people / 100, 0] {
        in_flight.push(fan_out(&mut projector, &mut events, rank, audiences[rank as usize]));
    }
    Ok(json!({
        "people": people,
        "follows": follows,
        "bytes_a_person": (registered - empty) / f64::from(people),
        "bytes_a_follow": (followed - registered) / follows as f64,
        "follows_a_second": follows as f64 / seconds,
        "fan_outs": in_flight,
    }))
}

/// One chirp in pieces: how much memory its rows take at once.
fn fan_out(
    projector: &mut Standalone<millrace_domain_chirp::EventData>,
    events: &mut Events,
    author: u32,
    audience: u32,
) -> Value {
    let mut writes = Writes::new();
    let began = Instant::now();
    projector.stage(&events.posted(author), &mut writes);
    let taking_in = began.elapsed();
    let (before, peak_before) = (memory::resident(), memory::peak());
    let (mut rows, mut told) = (Vec::new(), 0);
    for stage in writes.take().stages {
        told += stage.writes.len();
        for fan_out in stage.fan_outs {
            let mut has_more = true;
            while has_more {
                has_more = projector.fan_out(fan_out, PIECE, &mut rows);
                told += rows.len();
                rows.clear();
            }
        }
    }
    json!({
        "audience": audience,
        "rows": told,
        "taken_in_ms": taking_in.as_secs_f64() * 1e3,
        "peak_grew_by_bytes": (memory::peak() - peak_before).max(memory::resident() - before).max(0.0),
    })
}
