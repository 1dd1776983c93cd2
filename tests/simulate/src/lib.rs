//! Seeded histories of the whole pipeline with faults of every kind, and naive oracles that judge them.
//!
//! `plan` writes a history down before it happens, `run` carries it out step by step in one thread, `luck` and
//! `store` put in what goes wrong, `oracle` and the workloads say what must come out, and `shrink`
//! makes a history that fails as short as it can. docs/simulation.md explains the design.

pub mod accounting;
pub mod chirp;
pub mod dice;
pub mod luck;
pub mod many;
pub mod oracle;
pub mod plan;
#[cfg(debug_assertions)]
pub mod planted;
pub mod run;
mod script;
pub mod show;
pub mod shrink;
pub mod store;
pub mod strays;
pub mod tally;
pub mod workload;
