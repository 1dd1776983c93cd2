//! Steady load on real servers while everything that can break does: the faults are dealt from a seed, overlap as they
//! like and all heal; then everything must come to rest, and foreign code must find nothing lost and nothing twice.

mod check;
mod deck;
mod faults;
mod journal;
mod load;
mod pauses;
mod run;

pub use deck::{Kind, Luck};
pub use run::{Failure, Plan, Report, run};
