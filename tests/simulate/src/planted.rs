//! Hunts for planted bugs: each is turned on, and the same histories are run that pass without it.

use std::collections::BTreeMap;

use millrace_runtime::planted::{Bug, plant};

use crate::accounting::AccountingWorkload;
use crate::chirp::ChirpWorkload;
use crate::clubs::ClubsWorkload;
use crate::estimation::EstimationWorkload;
use crate::identity::IdentityWorkload;
use crate::many::{Many, Summary, many};
use crate::projects::ProjectsWorkload;
use crate::workload::Workload;

/// In how many histories a bug was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The bug.
    pub bug: Bug,
    /// The workload.
    pub workload: &'static str,
    /// How many histories failed.
    pub failed: usize,
    /// Of how many.
    pub of: u64,
    /// The rule that was broken most often.
    pub rule: &'static str,
}

/// The names of the workloads, in the order in which [`hunt`] tells of them.
pub const WORKLOADS: [&str; 6] = [
    ChirpWorkload::NAME,
    AccountingWorkload::NAME,
    ClubsWorkload::NAME,
    IdentityWorkload::NAME,
    ProjectsWorkload::NAME,
    EstimationWorkload::NAME,
];

type Hunt = fn(Bug, Many) -> Found;

const HUNTS: [Hunt; WORKLOADS.len()] = [
    hunt_in::<ChirpWorkload>,
    hunt_in::<AccountingWorkload>,
    hunt_in::<ClubsWorkload>,
    hunt_in::<IdentityWorkload>,
    hunt_in::<ProjectsWorkload>,
    hunt_in::<EstimationWorkload>,
];

/// Runs `what` of every workload with `bug` turned on. Bugs are turned on for the whole process: one hunt at a time.
#[must_use]
pub fn hunt(bug: Bug, what: Many) -> [Found; WORKLOADS.len()] {
    HUNTS.map(|hunt| hunt(bug, Many { go_on: true, ..what }))
}

/// As [`hunt`], but ends with the first history that fails.
#[must_use]
pub fn first_that_finds(bug: Bug, what: Many) -> Option<Found> {
    HUNTS.iter().map(|hunt| hunt(bug, Many { go_on: false, ..what })).find(|found| found.failed > 0)
}

fn hunt_in<W: Workload>(bug: Bug, what: Many) -> Found {
    plant(Some(bug));
    let summary = many::<W>(what, &|_, _| {});
    plant(None);
    Found {
        bug,
        workload: W::NAME,
        failed: summary.failures.len(),
        of: summary.ran,
        rule: most_broken(&summary),
    }
}

fn most_broken(summary: &Summary) -> &'static str {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (_, failure) in &summary.failures {
        *counts.entry(failure.rule).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("", |(rule, _)| rule)
}
