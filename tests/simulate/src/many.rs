//! Many histories, on all cores, with what came of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::dice::Digest;
use crate::oracle::world::Failure;
use crate::plan::Plan;
use crate::run::run;
use crate::tally::Tally;
use crate::workload::Workload;

/// Which histories to run.
#[derive(Clone, Copy, Debug)]
pub struct Many {
    /// The first seed.
    pub from: u64,
    /// How many seeds.
    pub seeds: u64,
    /// How many at a time.
    pub jobs: usize,
    /// Whether to go on after a failure.
    pub go_on: bool,
}

/// What came of them.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many ran.
    pub ran: u64,
    /// What has happened in all of them.
    pub tally: Tally,
    /// The seeds that failed, and why, in order.
    pub failures: Vec<(u64, Failure)>,
    /// A name for all of them together.
    pub digest: Digest,
    /// How long it took.
    pub took: Duration,
}

/// Runs histories; `progress` is called now and then with how many have run.
pub fn many<W: Workload>(what: Many, progress: &(dyn Fn(u64, Duration) + Sync)) -> Summary {
    let (next, ran, stopped) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let summary = Mutex::new((Summary::default(), Vec::new()));
    let started = Instant::now();
    let work = || {
        let mut tally = Tally::default();
        let mut found = Vec::new();
        let mut digests = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= what.seeds {
                break;
            }
            let seed = what.from + number;
            let result = run(&Plan::<W>::new(seed), false);
            tally.add(&result.tally);
            digests.push((seed, result.digest));
            if let Some(failure) = result.failure {
                found.push((seed, failure));
                stopped.fetch_or(!what.go_on, Ordering::Relaxed);
            }
            progress(ran.fetch_add(1, Ordering::Relaxed) + 1, started.elapsed());
        }
        let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
        summary.0.tally.add(&tally);
        summary.0.failures.append(&mut found);
        summary.1.append(&mut digests);
    };
    std::thread::scope(|scope| {
        for _ in 0..what.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let (mut summary, mut digests) = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failures.sort_by_key(|(seed, _)| *seed);
    digests.sort_by_key(|(seed, _)| *seed);
    for (_, digest) in &digests {
        summary.digest.bytes(digest.to_string().as_bytes());
    }
    summary.ran = ran.into_inner();
    summary.took = started.elapsed();
    summary
}

/// Keeps panics that are caught and reported from being printed as well.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}
