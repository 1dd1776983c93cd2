//! A projector that writes fan-outs while feeds are read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_domain_chirp::Chirp;
use millrace_runtime::projector::{ProjectorLane, ProjectorPhase};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use super::network::{AUDIENCE, posts_next};
use crate::Failure;
use crate::stage::{Events, Stage};

/// Lets `lane` write what `rate` chirps a second come to while `work` is done; says what it was.
pub fn beside<T>(
    stage: &Stage,
    lane: &mut ProjectorLane<Chirp>,
    events: &mut Events,
    rate: u32,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<(T, Value), Failure> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| -> Result<Option<i64>, Failure> {
            while !is_over.load(Ordering::Relaxed) {
                lane.turn(Duration::from_millis(5))?;
            }
            Ok(match lane.phase() {
                ProjectorPhase::Applying(at) => Some(at),
                _ => None,
            })
        });
        let posting = scope.spawn(|| -> Result<(u32, i64, f64), Failure> {
            let (mut dice, began) = (SmallRng::seed_from_u64(7), Instant::now());
            let (mut posted, mut end) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                let due = began + Duration::from_secs_f64(f64::from(posted) / f64::from(rate));
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                end = stage.append(&events.posted(posts_next(&mut dice)))? + 1;
                posted += 1;
            }
            Ok((posted, end, began.elapsed().as_secs_f64()))
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let applied = writing.join().map_err(|_| "the lane has panicked")??;
        let (posted, end, seconds) = posting.join().map_err(|_| "the poster has panicked")??;
        let behind = applied.map(|at| end - at);
        let report = json!({
            "chirps_a_second": f64::from(posted) / seconds,
            "readers_of_most": AUDIENCE,
            "chirps_behind_at_the_end": behind,
        });
        Ok((done?, report))
    })
}
