//! Histories in a form that people can read.

use std::fmt::Write;

use millrace_kernel::Command;

use crate::plan::Plan;
use crate::run::run;
use crate::workload::Workload;

/// A command in one line.
#[must_use]
pub fn command<C: std::fmt::Debug>(command: &Command<C>) -> String {
    let metadata = &command.metadata;
    let mut text = format!("{} {:?}", command.id, command.data);
    if let Some(user) = &metadata.user_id {
        let _ = write!(text, " by {user}");
    }
    if let Some(version) = metadata.expected_version {
        let _ = write!(text, " expecting version {version}");
    }
    if let Some(at) = metadata.issued_at {
        let _ = write!(text, " issued at {at}");
    }
    text
}

/// A whole history: what holds for it, what was done, what came of it.
#[must_use]
pub fn history<W: Workload>(plan: &Plan<W>) -> String {
    let ran = run(plan, true);
    let mut text = format!("{:#?}\n", plan.setup);
    for line in &ran.trace {
        text.push_str(line);
        text.push('\n');
    }
    match &ran.failure {
        Some(failure) => {
            let _ = writeln!(text, "{failure}");
        }
        None => text.push_str("all holds\n"),
    }
    text
}
