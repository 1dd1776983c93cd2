//! `millrace history`: an aggregate's events and its state.

use millrace_audit::changes::{Changed, differences};
use millrace_audit::history::{History, Told, Until, Window};
use millrace_kernel::AggregateId;
use serde_json::Value as Json;

use super::withheld::Withheld;
use super::{Tools, time};
use crate::args;
use crate::connect::Servers;
use crate::domain::{DomainEntry, by_name};
use crate::error::CliError;
use crate::nearest::suggestion;
use crate::output;
use crate::output::paper::{Paper, plain};

/// Runs `millrace history`.
///
/// # Errors
/// An aggregate without events, an ambiguous one, wrong usage, servers that do not answer.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    history: &args::History,
) -> Result<(), CliError> {
    let until = match (history.version, &history.at) {
        (Some(version), _) => Until::Version(version),
        (None, Some(at)) => Until::Time(time("--at", at)?),
        (None, None) => Until::Now,
    };
    let window = Window { with_states: history.changes, ..Window::whole(until) };
    let found = find(servers, domains, &Tools::new(servers)?, &history.aggregate_id, &window)?;
    match history.json {
        true => output::json(&told(&found, &Withheld::nothing())),
        false => output::line(print(&found, Paper::new())),
    }
}

/// The history of the aggregate that is named, of the one domain that has it.
///
/// # Errors
/// As [`run`].
pub fn find(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    tools: &Tools<'_>,
    name: &str,
    window: &Window,
) -> Result<History, CliError> {
    let (entries, text) = in_domain(domains, name)?;
    let id = AggregateId::parse(text).ok_or_else(|| {
        CliError::usage(format!("{text:?} names no aggregate"))
            .hint("Write it as <Aggregate>/<id>: User/ann, Chirp/ann/c1, Account/a1.")
    })?;
    let until = window.until;
    let mut told = Vec::new();
    for entry in entries {
        told.push(entry.examiner(servers.config)?.history(tools, &id, window)?);
    }
    let (mut with, without): (Vec<History>, Vec<History>) =
        told.into_iter().partition(|history| history.version > 0);
    let Some(found) = with.pop() else { return Err(unknown(&id, until, &without)) };
    if let Some(other) = with.pop() {
        return Err(CliError::usage(format!(
            "{id} is an aggregate of {} and of {}",
            other.domain, found.domain
        ))
        .hint(format!("Say which: millrace history {}:{id}", other.domain)));
    }
    if let Until::Version(version) = until
        && found.version < version
        && found.next.is_none()
    {
        return Err(CliError::missing(format!("{id} has version {}, not {version} yet", found.version)));
    }
    Ok(found)
}

/// A history as JSON, without what is withheld; with what each event has changed, where its states are known.
pub fn told(history: &History, withheld: &Withheld) -> Json {
    let mut told = serde_json::to_value(history).unwrap_or_default();
    let kind = &history.aggregate_id;
    withheld.state(kind, &mut told["state"]);
    let events = told["events"].as_array_mut().into_iter().flatten();
    for (event, changed) in events.zip(changes(history, withheld)) {
        let of = event["type"].as_str().unwrap_or_default().to_owned();
        withheld.fields(&of, &mut event["data"]);
        if let Some(changed) = changed {
            event["changes"] = serde_json::to_value(changed).unwrap_or_default();
        }
    }
    told
}

/// What each event has changed, where the states are known.
fn changes(history: &History, withheld: &Withheld) -> Vec<Option<Vec<Changed>>> {
    let shown = |state: &Option<Json>| {
        state.clone().map(|mut state| {
            withheld.state(&history.aggregate_id, &mut state);
            state
        })
    };
    let mut before = shown(&history.before);
    let mut next = |event: &Told| {
        let after = shown(&event.state);
        let found = before.as_ref().zip(after.as_ref()).map(|(before, after)| differences(before, after));
        before = after;
        found
    };
    history.events.iter().map(&mut next).collect()
}

/// The domains that `text` may be about, and the rest of it: `accounting:Account/a1`.
pub fn in_domain<'a, 't>(
    domains: &'a [Box<dyn DomainEntry>],
    text: &'t str,
) -> Result<(Vec<&'a dyn DomainEntry>, &'t str), CliError> {
    match text.split_once(':') {
        // an id may have a colon, too
        Some((name, rest)) if !name.contains('/') && domains.iter().any(|entry| entry.name() == name) => {
            Ok((vec![by_name(domains, name)?], rest))
        }
        Some((name, rest)) if !name.contains('/') && rest.contains('/') => Err(by_name(domains, name)
            .err()
            .unwrap_or_else(|| CliError::usage(format!("there is no domain {name}")))),
        _ => Ok((domains.iter().map(|entry| &**entry).collect(), text)),
    }
}

fn unknown(id: &AggregateId, until: Until, searched: &[History]) -> CliError {
    let then = match until {
        Until::Time(micros) => format!(" up to {}", output::time(micros)),
        _ => String::new(),
    };
    let places: Vec<String> = searched
        .iter()
        .map(|history| {
            let searched = &history.searched;
            let (topic, partition) = (&searched.topic, searched.partition);
            format!("{topic}[{partition}] ({} events)", output::number(searched.events))
        })
        .collect();
    let neighbours: Vec<&str> =
        searched.iter().flat_map(|history| history.searched.neighbours.iter().map(String::as_str)).collect();
    let near = suggestion(id.as_str(), neighbours.iter().copied());
    let hint = match neighbours.is_empty() {
        true => format!(
            "Looked through {}, where its routing key {} belongs. Is the id spelt as it was sent?",
            places.join(", "),
            id.routing_key()
        ),
        false => {
            let some: Vec<&str> = neighbours.into_iter().take(8).collect();
            format!(
                "Looked through {}. With the same routing key there are: {}",
                places.join(", "),
                some.join(", ")
            )
        }
    };
    CliError::missing(format!("{id} has no event{then}{near}")).hint(hint)
}

fn print(history: &History, mut paper: Paper) -> String {
    let newest = output::time(history.recorded_at);
    paper.line(
        0,
        &format!("{} of {}: version {}, {newest}", history.aggregate_id, history.domain, history.version),
    );
    for (event, changed) in history.events.iter().zip(changes(history, &Withheld::nothing())) {
        paper.gap();
        paper.line(2, &format!("v{} {}", event.version, event.kind));
        paper.field(4, "recorded", &output::time(event.recorded_at));
        let place = &event.place;
        paper.field(4, "stands", &format!("{}[{}] at {}", place.topic, place.partition, place.offset));
        let cause = match &event.causation_id {
            Some(cause) if *cause != event.command_id => format!("{}, by its step {cause}", event.command_id),
            _ => event.command_id.clone(),
        };
        paper.field(4, "command", &cause);
        if let Some(user) = &event.user_id {
            paper.field(4, "user", user);
        }
        paper.object(4, "data", &event.data);
        for Changed { field, before, after } in changed.into_iter().flatten() {
            paper.field(4, "changed", &format!("{field}: {} → {}", plain(&before), plain(&after)));
        }
    }
    paper.gap();
    paper.line(2, &format!("state at version {}", history.version));
    match &history.state {
        serde_json::Value::Object(fields) => {
            let widest = fields.keys().map(|name| name.len()).max().unwrap_or(0);
            for (name, value) in fields {
                paper.line(4, &format!("{name}:{}{}", " ".repeat(1 + widest - name.len()), plain(value)));
            }
        }
        serde_json::Value::Null => paper.line(4, "none: it does not exist"),
        other => paper.line(4, &plain(other)),
    }
    paper.text()
}
