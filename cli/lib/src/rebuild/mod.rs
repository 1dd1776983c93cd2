//! `millrace rebuild`: the next version of a family's tables, beside the one that answers.
//!
//! | to find out | open |
//! |---|---|
//! | which versions there are, and which one answers | `versions.rs` |
//! | how the next one is filled, at which pace, and what is said meanwhile | `build.rs`, `state_dir.rs`, `pace.rs` |
//! | how it is compared, comes to answer, goes back or is dropped | `compare.rs`, `answer.rs` |

mod answer;
mod build;
mod compare;
mod pace;
mod say;
mod state_dir;
mod versions;

use self::versions::Versions;
use crate::args;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;

/// Runs `millrace rebuild`.
///
/// # Errors
/// Wrong usage, servers that do not answer, an interruption, or differences that nobody has accepted.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    rebuild: &args::Rebuild,
) -> Result<(), CliError> {
    let mut versions = Versions::open(servers, domains, &rebuild.view)?;
    match rebuild {
        args::Rebuild { back: true, stale, json, .. } => answer::back(&mut versions, *stale, *json),
        args::Rebuild { drop: true, json, .. } => answer::drop(&mut versions, *json),
        _ => build::run(&mut versions, rebuild),
    }
}
