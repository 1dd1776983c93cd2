//! `millrace verify`: the audit, printed.

use std::collections::BTreeMap;
use std::time::Instant;

use millrace_audit::{Check, Difference, Kind, Report};
use serde_json::{Value as Json, json};

use super::Tools;
use crate::args;
use crate::connect::Servers;
use crate::domain::{DomainEntry, select};
use crate::error::CliError;
use crate::output;
use crate::output::paper::{Paper, plain};
use crate::tables::check_revisions;

/// Runs `millrace verify`.
///
/// # Errors
/// Differences, which have been printed; an unknown domain; servers that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    verify: &args::Verify,
) -> Result<(), CliError> {
    let chosen = select(domains, verify.domain.as_slice())?;
    let tools = Tools::new(servers)?;
    let mut reports: Vec<(&str, Report, f64)> = Vec::new();
    for entry in chosen {
        let store = servers.open_store(entry)?;
        check_revisions(&*store, entry, servers.config)?;
        let began = Instant::now();
        let report = entry.examiner(servers.config)?.verify(&tools, &*store, verify.limit)?;
        let seconds = began.elapsed().as_secs_f64();
        if !verify.json {
            output::line(print(entry.name(), &report, seconds))?;
        }
        reports.push((entry.name(), report, seconds));
    }
    if verify.json {
        output::json(&as_json(&reports))?;
    }
    match reports.iter().all(|(_, report, _)| report.total() == 0) {
        true => Ok(()),
        false => Err(CliError::said()),
    }
}

/// The one object of `--json`: all domains together, every difference with its domain.
fn as_json(reports: &[(&str, Report, f64)]) -> Json {
    let mut counts: BTreeMap<Check, u64> = BTreeMap::new();
    for (_, report, _) in reports {
        for (check, count) in &report.counts {
            *counts.entry(*check).or_default() += count;
        }
    }
    let total: u64 = counts.values().sum();
    let differences: Vec<&Difference> =
        reports.iter().flat_map(|(_, report, _)| &report.differences).collect();
    json!({
        "clean": total == 0,
        "differences_total": total,
        "differences_unlisted": total - differences.len() as u64,
        "counts": counts,
        "checked": reports.iter().map(|(name, report, _)| ((*name).to_owned(), json!(report.checked))).collect::<serde_json::Map<_, _>>(),
        "differences": differences,
        "seconds": reports.iter().map(|(_, _, seconds)| seconds).sum::<f64>(),
    })
}

fn print(domain: &str, report: &Report, seconds: f64) -> String {
    let mut paper = Paper::new();
    for difference in &report.differences {
        describe(&mut paper, difference);
        paper.gap();
    }
    let unlisted = report.total() - report.differences.len() as u64;
    if unlisted > 0 {
        paper.line(0, &format!("… and {} more; --limit N lists more of them", output::number(unlisted)));
        paper.gap();
    }
    let checked = &report.checked;
    let counts = [
        (checked.events, "events"),
        (checked.states, "states"),
        (checked.lookups, "look-ups"),
        (checked.commands, "commands"),
        (checked.outcomes, "outcomes"),
        (checked.reactions, "reactions"),
        (checked.rows, "rows"),
    ]
    .into_iter()
    // most domains react to nobody
    .filter(|(count, what)| *count > 0 || *what != "reactions")
    .map(|(count, what)| format!("{} {what}", output::number(count)))
    .collect::<Vec<_>>()
    .join(", ");
    let verdict = match report.total() {
        0 => "clean".to_owned(),
        1 => "1 difference".to_owned(),
        many => format!("{} differences", output::number(many)),
    };
    paper.line(0, &format!("{domain}: {verdict}"));
    paper.line(2, &format!("checked {counts} in {seconds:.1} s"));
    paper.text()
}

/// A difference, for people.
pub fn describe(paper: &mut Paper, difference: &Difference) {
    let check = match difference.check {
        Check::Events => "event",
        Check::States => "state",
        Check::Lookups => "look-up",
        Check::Outcomes => "outcome",
        Check::Policies => "step",
        Check::Views => "row",
    };
    let kind = match difference.kind {
        Kind::Missing => "missing",
        Kind::Surplus => "too many",
        Kind::Different => "different",
    };
    paper.line(0, &format!("{check} {kind}: {}: {}", difference.place, difference.key));
    paper.line(2, &difference.message);
    for column in &difference.columns {
        paper.line(2, &column.column);
        paper.field(4, "expected", &plain(&column.expected));
        paper.field(4, "found", &plain(&column.found));
    }
    for place in &difference.events {
        paper.line(2, &format!("{}[{}] at {}", place.topic, place.partition, place.offset));
    }
}
