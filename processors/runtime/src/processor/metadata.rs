//! What a command says of itself beside its data, and what of that no command may say.

use millrace_kernel::text::{self, TextKind};
use millrace_kernel::{Metadata, Rejections, Violation, codes};

use crate::settings::ProcessorSettings;

/// Longest text that metadata may carry, in bytes: it is copied into every event.
const MAX_LENGTH: usize = 1_024;

/// What is wrong with the metadata of a command that arrived at `arrived_ms`, milliseconds since the epoch.
pub(super) fn violations(
    metadata: &Metadata,
    arrived_ms: i64,
    settings: &ProcessorSettings,
) -> Vec<Violation> {
    let texts = [
        ("metadata.trace_id", &metadata.trace_id),
        ("metadata.user_id", &metadata.user_id),
        ("metadata.correlation_id", &metadata.correlation_id),
        ("metadata.causation_id", &metadata.causation_id),
    ];
    let malformed = |field, problem| Violation::on(codes::INVALID_ARGUMENT, field, problem);
    let problems = texts.into_iter().filter_map(|(field, text)| Some((field, problem(text.as_deref()?)?)));
    let mut violations: Vec<_> = problems.map(|(field, problem)| malformed(field, problem)).collect();
    let latest = arrived_ms.saturating_mul(1_000).saturating_add(settings.issued_at_ahead_micros());
    if metadata.issued_at.is_some_and(|issued_at| issued_at > latest) {
        let ahead = settings.issued_at_ahead_seconds;
        let problem = format!("more than {ahead} seconds ahead of the time the command arrived");
        violations.push(malformed("metadata.issued_at", problem));
    }
    violations
}

fn problem(text: &str) -> Option<String> {
    let length = text.len();
    if length > MAX_LENGTH {
        return Some(format!("{length} bytes are more than the {MAX_LENGTH} allowed"));
    }
    text::problem(text, MAX_LENGTH, TextKind::Line)
}

/// All that is wrong, in the schema's order: `NotPermitted` first, then metadata, then data.
pub(super) fn merged(rejections: Rejections, metadata: Vec<Violation>) -> Vec<Violation> {
    let mut violations = rejections.into_violations();
    let at = violations.iter().take_while(|v| v.code == codes::NOT_PERMITTED).count();
    violations.splice(at..at, metadata);
    violations
}
