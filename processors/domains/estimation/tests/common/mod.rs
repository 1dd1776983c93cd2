//! Short names for messages, so that tables of tests read well.

mod commands;
pub mod consistent;
mod events;
pub mod model;
mod steps;
pub mod whole;

use millrace_kernel::{Text, Violation};
use millrace_testkit::world::Answer;

pub use self::commands::*;
pub use self::events::*;
pub use self::steps::*;

fn texts(texts: &[&str]) -> Vec<Text> {
    texts.iter().map(|text| (*text).into()).collect()
}

/// The reasons of a refusal, as (code, field); none when accepted.
pub fn reasons(answer: &Answer) -> Vec<(&str, &str)> {
    match answer {
        Answer::Accepted => Vec::new(),
        Answer::Rejected(violations) => pairs(violations),
    }
}

/// Violations as (code, field).
pub fn pairs(violations: &[Violation]) -> Vec<(&str, &str)> {
    violations.iter().map(|it| (it.code.as_str(), it.field.as_deref().unwrap_or_default())).collect()
}
