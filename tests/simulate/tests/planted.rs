//! Every planted bug is found; see docs/simulation.md.

#![cfg(debug_assertions)]

use millrace_runtime::planted::{Bug, plant};
use millrace_simulate::accounting::AccountingWorkload;
use millrace_simulate::chirp::ChirpWorkload;
use millrace_simulate::clubs::ClubsWorkload;
use millrace_simulate::estimation::EstimationWorkload;
use millrace_simulate::identity::IdentityWorkload;
use millrace_simulate::many::{Many, many, silence_panics};
use millrace_simulate::plan::Plan;
use millrace_simulate::planted::{Found, first_that_finds};
use millrace_simulate::projects::ProjectsWorkload;
use millrace_simulate::run::run;
use millrace_simulate::shrink::shrink;

/// How many histories of each workload must hold while no bug is on.
const HISTORIES: u64 = 100;
/// How many of each workload are run before more are run of any; `make planted` counts in how many of many a bug is found.
const AT_ONCE: u64 = 20;
/// How many of each are run at most.
const MOST: u64 = 4_000;

fn is_found(bug: Bug) {
    silence_panics();
    let found = (0..MOST / AT_ONCE).find_map(|round| {
        let what = Many { from: round * AT_ONCE, seeds: AT_ONCE, jobs: 1, go_on: false };
        first_that_finds(bug, what).map(|found| (found, what))
    });
    let (Found { workload, of, rule, .. }, what) = found.unwrap_or_else(|| {
        panic!("{bug:?} ({}) is not found in {MOST} histories of each workload", bug.says())
    });
    println!("{bug:?}: found by {workload} in history {}; {rule}", what.from + of - 1);
}

macro_rules! tests {
    ($($bug:ident)*) => {
        $(
            #[test]
            #[allow(non_snake_case, reason = "the test has the name of its bug")]
            fn $bug() {
                is_found(Bug::$bug);
            }
        )*
    };
}

millrace_runtime::each_planted_bug!(tests);

#[test]
fn no_history_fails_while_no_bug_is_on() {
    let what = Many { from: 0, seeds: HISTORIES, jobs: 2, go_on: false };
    assert_eq!(many::<ChirpWorkload>(what, &|_, _| {}).failures, []);
    assert_eq!(many::<AccountingWorkload>(what, &|_, _| {}).failures, []);
    assert_eq!(many::<ClubsWorkload>(what, &|_, _| {}).failures, []);
    assert_eq!(many::<IdentityWorkload>(what, &|_, _| {}).failures, []);
    assert_eq!(many::<ProjectsWorkload>(what, &|_, _| {}).failures, []);
    assert_eq!(many::<EstimationWorkload>(what, &|_, _| {}).failures, []);
}

#[test]
fn a_failure_shrinks_to_a_short_history_that_fails_alike() {
    silence_panics();
    plant(Some(Bug::StateFromTopic));
    let fails = |plan: &Plan<AccountingWorkload>| run(plan, false).failure.map(|failure| failure.rule);
    let plan = (0..100).map(Plan::<AccountingWorkload>::new).find(|plan| fails(plan).is_some());
    let plan = plan.expect("this bug is found at once");
    let short = shrink(&plan, 600);
    assert_eq!(fails(&plan), fails(&short));
    assert!(short.acts.len() * 4 < plan.acts.len(), "{} of {} acts", short.acts.len(), plan.acts.len());
    plant(None);
}
