//! `millrace explain`: what became of a command, and why.

use millrace_audit::EventPlace;
use millrace_audit::explain::{
    Act, Asked, Dead, Explanation, Follows, Happened, RowWrite, Searched, Standing,
};
use millrace_kernel::{Status, Violation};
use millrace_runtime::dead::headers::Mark;

use super::history::in_domain;
use super::{Asking, Tools, elsewhere, time};
use crate::args;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::output;
use crate::output::paper::{Paper, plain};

/// Runs `millrace explain`.
///
/// # Errors
/// A command that nothing is known of, wrong usage, servers that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    explain: &args::Explain,
) -> Result<(), CliError> {
    let (entries, asking) = asking(domains, &explain.command_id, explain.since.as_deref(), explain.rows)?;
    let explanation = whole(servers, domains, &Tools::new(servers)?, (entries, &asking))?;
    match explain.json {
        true => output::json(&explanation),
        false => output::line(print(&explanation, Paper::new())),
    }
}

/// The story of a command, also in other domains.
///
/// # Errors
/// As [`seek`].
pub fn whole(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    tools: &Tools<'_>,
    (entries, asking): (Vec<&dyn DomainEntry>, &Asking<'_>),
) -> Result<Explanation, CliError> {
    let Sought { mut explanation, .. } = seek(servers, tools, entries, asking, true)?;
    elsewhere::follow(servers, tools, domains, asking, &mut explanation)?;
    Ok(explanation)
}

/// The domains that a command may be of, and what is asked about it.
///
/// # Errors
/// What names no command, or no time.
pub fn asking<'a, 't>(
    domains: &'a [Box<dyn DomainEntry>],
    command: &'t str,
    since: Option<&str>,
    most_rows: usize,
) -> Result<(Vec<&'a dyn DomainEntry>, Asking<'t>), CliError> {
    let (entries, command_id) = in_domain(domains, command)?;
    if command_id.is_empty() {
        return Err(CliError::usage(format!("{command:?} names no command"))
            .hint("Write a command's id, or <domain>:<id>."));
    }
    let since = since.map(|text| time("--since", text)).transpose()?;
    Ok((entries, Asking { command_id, since, most_rows }))
}

/// A command that was found.
pub struct Sought<'a> {
    /// The domain.
    pub entry: &'a dyn DomainEntry,
    /// What is known of it.
    pub explanation: Explanation,
}

/// Looks for a command in these domains; in their tables, too, if the rows that it has changed are wanted.
///
/// # Errors
/// A command that nothing is known of, or that two domains know, servers that do not answer.
pub fn seek<'a>(
    servers: &Servers<'_>,
    tools: &Tools<'_>,
    entries: Vec<&'a dyn DomainEntry>,
    asking: &Asking<'_>,
    with_rows: bool,
) -> Result<Sought<'a>, CliError> {
    let Asking { command_id, since, .. } = *asking;
    let mut searched = Vec::new();
    let mut found = Vec::new();
    for entry in entries {
        let store = with_rows.then(|| servers.open_store(entry)).transpose()?;
        match entry.examiner(servers.config)?.explain(tools, store.as_deref(), asking)? {
            Ok(explanation) => found.push(Sought { entry, explanation }),
            Err(of_domain) => searched.extend(of_domain),
        }
    }
    let Some(sought) = found.pop() else { return Err(unknown(command_id, since, &searched)) };
    match found.pop() {
        None => Ok(sought),
        Some(other) => {
            let (one, other) = (sought.explanation.domain, other.explanation.domain);
            Err(CliError::usage(format!("there are commands {command_id} of {other} and {one}"))
                .hint(format!("Say which: {other}:{command_id}")))
        }
    }
}

fn unknown(command_id: &str, since: Option<i64>, searched: &[Searched]) -> CliError {
    let lines: Vec<String> = searched
        .iter()
        .map(|searched| {
            let records = output::number(searched.records);
            match searched.back_to {
                Some(back_to) => {
                    format!("{}: {records} records, back to {}", searched.topic, output::time(back_to))
                }
                None => format!("{}: no record", searched.topic),
            }
        })
        .collect();
    let way_out = match since {
        Some(_) => "An earlier --since looks further back.",
        None => {
            "That is all the topics keep. Is the id right? `millrace history AGGREGATE_ID` tells of older ones."
        }
    };
    CliError::missing(format!("nothing is known of a command {command_id}"))
        .hint(format!("Looked through\n  {}\n{way_out}", lines.join("\n  ")))
}

fn stands(place: &EventPlace) -> String {
    format!("{}[{}] at {}", place.topic, place.partition, place.offset)
}

/// A duration for people.
fn span(micros: i64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        1_000_000..120_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => format!("{} min", micros / 60_000_000),
    }
}

fn print(explanation: &Explanation, mut paper: Paper) -> String {
    let kind = explanation.acts.first().map(|act| act.kind).or(explanation.asked.iter().find_map(|a| a.kind));
    let kind = kind.unwrap_or("command");
    paper.line(0, &format!("{kind} {} of {}", explanation.command_id, explanation.domain));
    standing(&mut paper, explanation);
    let first = explanation.outcomes.iter().find_map(|answered| answered.outcome.digest);
    for (index, asked) in explanation.asked.iter().enumerate() {
        paper.gap();
        let title = match (index, explanation.asked.len()) {
            (0, _) => "asked".to_owned(),
            (_, all) => format!("asked again ({} of {all})", index + 1),
        };
        paper.line(0, &title);
        print_asked(&mut paper, asked, index == 0);
        if let (Some(digest), Some(first)) = (asked.digest, first)
            && !digest.agrees_with(first)
        {
            paper.field(
                2,
                "content",
                "another than that of the command that was decided first under this id",
            );
        }
    }
    for answered in &explanation.outcomes {
        let outcome = &answered.outcome;
        paper.gap();
        let again = if outcome.duplicate { ", repeating the first answer" } else { "" };
        let failure = outcome.failure.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        paper.line(0, &format!("answered: {}{failure}{again}", status(outcome.status)));
        paper.field(2, "recorded", &output::time(outcome.recorded_at));
        paper.field(2, "stands", &stands(&answered.place));
        violations(&mut paper, &outcome.violations);
    }
    if explanation.unlisted > 0 {
        paper.gap();
        paper.line(
            0,
            &format!("… and {} more records and answers of this id", output::number(explanation.unlisted)),
        );
    }
    let asked_at = explanation.asked.first().map(|asked| asked.at);
    for act in explanation.acts.iter().filter(|act| act.is_step || !act.events.is_empty()) {
        paper.gap();
        print_act(&mut paper, act, asked_at);
    }
    for other in &explanation.elsewhere {
        paper.gap();
        paper.line(0, &elsewhere::title(other));
        for act in &other.acts {
            paper.gap();
            print_act(&mut paper, act, asked_at);
        }
    }
    paper.text()
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Rejected => "rejected",
    }
}

fn violations(paper: &mut Paper, violations: &[Violation]) {
    for violation in violations {
        let field = violation.field.as_deref().map(|field| format!(" on {field}")).unwrap_or_default();
        paper.field(2, "because", &format!("{}{field}: {}", violation.code, violation.message));
    }
}

fn standing(paper: &mut Paper, explanation: &Explanation) {
    let say = |paper: &mut Paper, text: &str| paper.line(2, text);
    match &explanation.standing {
        Standing::Answered { status: found, after_micros } => {
            let after = after_micros.map(|micros| format!(" after {}", span(micros))).unwrap_or_default();
            say(paper, &format!("{}{after}", status(*found)));
        }
        Standing::Ended => say(paper, "its process has ended; its outcome is not kept any more"),
        Standing::Waiting { records } => say(
            paper,
            &format!(
                "waits to be decided, {} records away; `millrace status` tells whether the processors go on",
                output::number(records.max(&0).unsigned_abs())
            ),
        ),
        Standing::Open { step, place, dead } => {
            let step = step.unwrap_or("a step");
            let place = place.as_ref().map(|place| format!(", {}", stands(place))).unwrap_or_default();
            say(paper, &format!("its process is open and awaits {step}{place}"));
            if let Some(dead) = dead {
                say(
                    paper,
                    &format!(
                        "that step is in the dead topic, so the process does not go on by itself: {}",
                        dead.reason
                    ),
                );
                redrive(paper, explanation.domain, dead);
            }
        }
        Standing::Dead(dead) if let Some(mark) = dead.done => {
            let what = match mark {
                Mark::Skipped => "an operator has dropped it from the dead topic",
                Mark::Redriven => "it was put back from the dead topic",
            };
            say(paper, &format!("has no outcome: {what}, where it was since {}", dead.reason));
            paper.line(2, &format!("it stood in {}", stands(&dead.place)));
        }
        Standing::Dead(dead) => {
            say(paper, &format!("is in the dead topic and has no outcome: {}", dead.reason));
            redrive(paper, explanation.domain, dead);
        }
        Standing::Forgotten => {
            say(paper, "was decided so long ago that its outcome is not kept any more; it has left no event");
        }
        Standing::Lost => say(
            paper,
            "was decided, but there is neither an outcome nor an open process; `millrace verify` tells what else is wrong",
        ),
    }
}

fn redrive(paper: &mut Paper, domain: &str, dead: &Dead) {
    paper.line(2, &format!("it stands in {}", stands(&dead.place)));
    paper.line(
        2,
        &format!(
            "once the reason is mended: `millrace dead list {domain}`, then `millrace dead redrive --dry-run`"
        ),
    );
}

fn print_asked(paper: &mut Paper, asked: &Asked, is_whole: bool) {
    paper.field(2, "arrived", &output::time(asked.at));
    paper.field(
        2,
        "stands",
        &format!("{}, key {}", stands(&asked.place), asked.key.as_deref().unwrap_or("none")),
    );
    if let Some(dead) = &asked.dead {
        let done = match dead.done {
            Some(Mark::Skipped) => "dropped since, ",
            Some(Mark::Redriven) => "put back since, ",
            None => "",
        };
        paper.field(2, "dead", &format!("{done}{}: {}", stands(&dead.place), dead.reason));
    }
    if let Some(trace) = &asked.traceparent {
        paper.field(2, "traceparent", trace);
    }
    let metadata = &asked.metadata;
    let issued_at = metadata.issued_at.map(output::time);
    let expected = metadata.expected_version.map(|version| version.to_string());
    let all = [
        ("user", metadata.user_id.as_deref()),
        ("trace", metadata.trace_id.as_deref()),
        ("correlation", metadata.correlation_id.as_deref()),
        ("caused by", metadata.causation_id.as_deref()),
        ("issued", issued_at.as_deref()),
        ("if version", expected.as_deref()),
    ];
    for (label, value) in all {
        if let Some(value) = value {
            paper.field(2, label, value);
        }
    }
    if is_whole {
        match asked.kind {
            Some(_) => paper.object(2, "data", &asked.data),
            None => paper.field(2, "data", "of a type that this build does not know"),
        }
    }
}

fn print_act(paper: &mut Paper, act: &Act, asked_at: Option<i64>) {
    if act.is_step {
        paper.line(0, &format!("step {} for {}", act.kind, act.key));
        match (&act.place, &act.trimmed) {
            (Some(place), _) => paper.field(2, "stands", &stands(place)),
            (None, Some(begins)) => paper.field(
                2,
                "stands",
                &format!(
                    "nowhere any more: it was decided, and deleted since; its topic begins at {}",
                    stands(begins)
                ),
            ),
            (None, None) => paper.field(2, "stands", "nowhere: its topic does not keep it any more"),
        }
        if let Some(dead) = &act.dead {
            paper.field(2, "dead", &format!("{}: {}", stands(&dead.place), dead.reason));
        } else if act.place.is_some() && !act.is_decided {
            paper.field(2, "waits", "the processors have not come to it yet");
        } else if act.trimmed.is_some() && act.events.is_empty() {
            let what = "nothing: it had been taken before, or it died so long ago that the dead topic has forgotten it";
            paper.field(2, "changed", what);
        } else if act.is_decided && act.events.is_empty() {
            paper.field(2, "changed", "nothing: it had been taken before");
        }
    } else {
        paper.line(0, "decided");
    }
    for event in &act.events {
        print_event(paper, event, asked_at);
    }
}

fn print_event(paper: &mut Paper, event: &Happened, asked_at: Option<i64>) {
    paper.line(2, &format!("{} {} v{}", event.kind, event.aggregate_id, event.version));
    let after =
        asked_at.map(|at| format!(", after {}", span((event.recorded_at - at).max(0)))).unwrap_or_default();
    paper.field(4, "recorded", &format!("{}{after}", output::time(event.recorded_at)));
    paper.field(4, "stands", &stands(&event.place));
    paper.object(4, "data", &event.data);
    let state = match &event.state {
        serde_json::Value::Null => "none".to_owned(),
        state => plain(state),
    };
    paper.field(4, "state", &state);
    for step in &event.asks_for {
        paper.field(4, "asks for", step);
    }
    let is_any = |follows: &&Follows| !follows.writes.is_empty() || follows.more > 0;
    for follows in event.rows.iter().filter(is_any) {
        print_rows(paper, follows, event.recorded_at);
    }
    if !event.rows.iter().any(|follows| is_any(&follows)) {
        paper.field(4, "rows", "none");
    }
}

fn print_rows(paper: &mut Paper, follows: &Follows, recorded_at: i64) {
    let applied = if follows.applied { "in the tables" } else { "NOT in the tables yet" };
    paper.field(4, "rows", &format!("{}: {applied}", follows.projection));
    for RowWrite { action, table, key, values, timestamp } in &follows.writes {
        let mut text = match *action {
            "put" => format!("+ {table} {}: {}", plain(key), plain(values)),
            "delete_after" => format!("- {table} all behind {}", plain(key)),
            _ => format!("- {table} {}", plain(key)),
        };
        if *timestamp != recorded_at {
            text.push_str(&format!(" (written as of {})", output::time(*timestamp)));
        }
        paper.item(6, &text);
    }
    if follows.more > 0 {
        let more = output::number(follows.more as u64);
        paper.line(6, &format!("… and {more} more; --rows N shows more of them"));
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_readable() {
        let rows = [(7, "7 µs"), (1_500, "1.5 ms"), (2_000_000, "2.0 s"), (600_000_000, "10 min")];
        for (micros, text) in rows {
            assert_eq!(span(micros), text);
        }
    }
}
