//! `millrace faults`: what is in the way, what happens next by itself, and what an operator can do.

use serde::Serialize;

use super::processes::Process;
use super::reads::Unwell;
use super::{Report, Role, gather};
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::output;
use crate::output::Paper;

/// What stands between what happens next and what can be done, where both are said in one text.
const ACTION: &str = ". What you can do: ";

/// Something that is in the way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// Of what kind: `process`, `lane`, `role`, `dead`, `registry`, `topic`, `transaction`, `tables`.
    pub kind: &'static str,
    /// Where: an address, a role with its partition, a topic, a table.
    pub at: String,
    /// What.
    pub what: String,
    /// For how long, in seconds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Whether something stands still because of it; else it is to be minded.
    pub stops: bool,
    /// What happens next, if nobody does anything.
    pub next: String,
    /// What can be done.
    pub action: String,
}

/// Runs `millrace faults`.
///
/// # Errors
/// Servers that do not answer; or something stands still.
pub fn run(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>], as_json: bool) -> Result<(), CliError> {
    let faults = faults(&gather(servers, domains)?);
    match as_json {
        true => faults.iter().try_for_each(output::json)?,
        false if faults.is_empty() => output::line("nothing is in the way")?,
        false => output::line(print(&faults))?,
    }
    match faults.iter().any(|fault| fault.stops) {
        true => Err(CliError::said()),
        false => Ok(()),
    }
}

fn print(faults: &[Fault]) -> String {
    let mut paper = Paper::new();
    for fault in faults {
        paper.gap();
        let verdict = if fault.stops { "STANDS STILL" } else { "mind" };
        paper.line(0, &format!("{verdict}: {}", fault.at));
        let since = fault.seconds.map(|seconds| format!(", for {seconds:.0} s")).unwrap_or_default();
        paper.field(2, "what", &format!("{}{since}", fault.what));
        paper.field(2, "next", &fault.next);
        paper.field(2, "do", &fault.action);
    }
    paper.text()
}

/// All that is in the way by a report, what stands still first.
#[must_use]
pub fn faults(report: &Report) -> Vec<Fault> {
    let mut found: Vec<Fault> = report.processes.iter().flat_map(of_process).collect();
    found.extend(report.roles.iter().flat_map(of_role));
    found.extend(report.registry.iter().map(|away| Fault {
        kind: "registry",
        at: "schema registry".to_owned(),
        what: format!("it is away: {away}"),
        seconds: None,
        stops: true,
        next:
            "what is known of schemas goes on; what needs a schema that was not read before waits".to_owned(),
        action: "look whether it runs and can be reached from here".to_owned(),
    }));
    found.extend(report.topics.iter().map(|deviation| Fault {
        kind: "topic",
        at: deviation.topic.to_string(),
        what: deviation.to_string(),
        seconds: None,
        stops: deviation.stops,
        next: match deviation.stops {
            true => "nothing is decided until it is as declared".to_owned(),
            false => "the work goes on, and the promise that depends on it does not hold".to_owned(),
        },
        action: "see `millrace topics plan`, and bring it there with `millrace topics apply`".to_owned(),
    }));
    found.extend(report.transactions.iter().map(|open| {
        let (what, action) = open.parts();
        Fault {
            kind: "transaction",
            at: open.at(),
            what,
            seconds: Some(open.seconds()),
            stops: true,
            next: "the broker ends it when the time is over that its producer has asked for".to_owned(),
            action,
        }
    }));
    found.extend(report.tables.iter().map(of_tables));
    found.sort_by_key(|fault| !fault.stops);
    found
}

fn of_process(process: &Process) -> Vec<Fault> {
    let mut found = Vec::new();
    if let Some(why) = process.silent() {
        found.push(Fault {
            kind: "process",
            at: process.address().to_owned(),
            what: format!("it does not answer: {why}"),
            seconds: None,
            stops: true,
            next: "if it has ended, others of its role take over what it held when its session times out"
                .to_owned(),
            action: "start it again; or take it out of telemetry.processes, if it is not to come back"
                .to_owned(),
        });
    }
    for trouble in process.in_the_way() {
        let place = if trouble.partition < 0 { String::new() } else { format!("[{}]", trouble.partition) };
        let (next, action) = trouble.next().split_once(ACTION).unwrap_or((trouble.next(), ""));
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        found.push(Fault {
            kind: "lane",
            at: format!("{}{place} at {}", trouble.role, process.address()),
            what: trouble.detail.clone(),
            seconds: Some(trouble.since_seconds),
            stops: true,
            next: or(next, "it is tried again until it works"),
            action: or(action, "look at the log of that process"),
        });
    }
    found
}

fn of_role(role: &Role) -> Vec<Fault> {
    let mut found = Vec::new();
    let fault = |kind, what, seconds, stops, next: &str, action: String| Fault {
        kind,
        at: role.role.clone(),
        what,
        seconds,
        stops,
        next: next.to_owned(),
        action,
    };
    let (records, seconds) = (output::number(role.lag_records.unsigned_abs()), Some(role.lag_seconds));
    if !role.healthy && role.members == 0 {
        let what = format!("{records} record(s) wait, and nobody is there");
        let start = if role.tables.is_some() { "millrace projector" } else { "millrace processor" };
        let next = "what waits stays where it is, and is taken up as soon as somebody comes";
        found.push(fault("role", what, seconds, true, next, format!("start one: `{start}`")));
    } else if !role.healthy {
        let what = format!("{records} record(s) wait, the first for more than 30 s");
        let next = "it goes on; whether it catches up, its rate says";
        let action =
            "see what is in the way of its lanes; start more of them, up to one a partition".to_owned();
        found.push(fault("role", what, seconds, true, next, action));
    }
    let domain = role.role.split('.').next().unwrap_or_default();
    if role.dead_letters > 0 {
        let waits = match (role.waiting_processes.first(), role.waiting_keys.first()) {
            (Some(process), _) => {
                format!(
                    "; {} process(es) wait for a step, the longest: {process}",
                    role.waiting_processes.len()
                )
            }
            (None, Some(key)) => {
                format!("; {} key(s) wait behind one, the longest: {key}", role.waiting_keys.len())
            }
            (None, None) => String::new(),
        };
        let what =
            format!("{} record(s) could not be decided{waits}", output::number(role.dead_letters as u64));
        let stops = !(role.waiting_processes.is_empty() && role.waiting_keys.is_empty());
        let next = "nothing: they are kept for 30 days, and what waits for them waits";
        let action = format!(
            "see `millrace dead list {domain}`, mend the reason, then `millrace dead redrive {domain}`, or `skip` what nobody \
             can mend"
        );
        found.push(fault("dead", what, None, stops, next, action));
    }
    found
}

fn of_tables(unwell: &Unwell) -> Fault {
    Fault {
        kind: "tables",
        at: unwell.at(),
        what: unwell.what().to_owned(),
        seconds: None,
        stops: unwell.stops,
        next: match unwell.stops {
            true => "projectors try again until it works, and nothing is skipped; queries are answered with 503".to_owned(),
            false => "it goes on as it is".to_owned(),
        },
        action: "look whether the store runs, can be reached and has room; `millrace tables plan` compares it with what is declared"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(members: usize, lag_records: i64, healthy: bool) -> Role {
        Role {
            role: "shop.processor".to_owned(),
            group: "shop.processor".to_owned(),
            members,
            partitions: 4,
            lag_records,
            lag_seconds: 31.5,
            healthy,
            tables: None,
            dead_letters: 0,
            waiting_processes: Vec::new(),
            waiting_keys: Vec::new(),
        }
    }

    #[test]
    fn whatever_is_in_the_way_has_a_way_out() {
        let report = Report {
            roles: vec![
                role(1, 0, true),
                role(0, 3, false),
                role(2, 900, false),
                Role { dead_letters: 2, waiting_keys: vec!["k1".to_owned()], ..role(1, 0, true) },
                Role { dead_letters: 1, ..role(1, 0, true) },
            ],
            registry: Some("connection refused".to_owned()),
            ..Report::default()
        };
        let found = faults(&report);
        let kinds: Vec<_> = found.iter().map(|fault| (fault.kind, fault.stops)).collect();
        assert_eq!(
            kinds,
            [("role", true), ("role", true), ("dead", true), ("registry", true), ("dead", false)]
        );
        assert!(found.iter().all(|fault| !fault.next.is_empty() && !fault.action.is_empty()), "{found:?}");
        assert!(found[0].action.contains("millrace processor") && found[0].what.contains("nobody"));
        assert!(found[2].what.contains("k1") && found[2].action.contains("dead redrive shop"));
        assert_eq!(faults(&Report { roles: vec![role(1, 5, true)], ..Report::default() }), []);
    }
}
