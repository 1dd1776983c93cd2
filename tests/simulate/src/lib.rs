//! Seeded histories of the whole pipeline with faults of every kind, and naive oracles that judge them.
//!
//! `plan` writes a history down before it happens, `run` carries it out step by step in one thread, `luck` and
//! `store` put in what goes wrong, `oracle` and the workloads say what must come out, and `shrink`
//! makes a history that fails as short as it can. docs/simulation.md explains the design.

use std::hint::black_box;

use workload::Workload;

pub mod accounting;
pub mod chirp;
pub mod clubs;
pub mod dice;
pub mod estimation;
pub mod identity;
pub mod lives;
pub mod luck;
pub mod many;
pub mod neighbours;
pub mod oracle;
pub mod plan;
#[cfg(debug_assertions)]
pub mod planted;
pub mod projects;
pub mod run;
mod script;
pub mod show;
pub mod shrink;
pub mod store;
pub mod strays;
pub mod tally;
pub mod watch;
pub mod workload;

/// What the binary and the test programs call. Generic code is compiled with whoever uses it first with a type: here once,
/// instead of with each of those again, which takes a minute for each.
#[doc(hidden)]
pub fn compiled_once() {
    fn uses<W: Workload>() {
        black_box(many::many::<W> as fn(_, &_) -> _);
        black_box(run::run::<W> as fn(&_, _) -> _);
        black_box(plan::Plan::<W>::new as fn(_) -> _);
        black_box(shrink::shrink::<W> as fn(&_, _) -> _);
        black_box(show::history::<W> as fn(&_) -> _);
    }
    uses::<accounting::AccountingWorkload>();
    uses::<chirp::ChirpWorkload>();
    uses::<clubs::ClubsWorkload>();
    uses::<estimation::EstimationWorkload>();
    uses::<identity::IdentityWorkload>();
    uses::<projects::ProjectsWorkload>();
}
