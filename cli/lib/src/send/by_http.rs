//! `millrace send --http URL`: through a gateway.

use std::time::{Duration, Instant};

use millrace_kernel::{Metadata, Outcome};
use serde_json::{Value, json};

use super::print_outcome;
use crate::args;
use crate::error::CliError;
use crate::gateway::HttpClient;
use crate::output;
use crate::views::Awaited;

/// A command, checked.
pub(super) struct Command<'a> {
    pub(super) id: &'a str,
    pub(super) domain: &'a str,
    pub(super) kind: &'a str,
    pub(super) metadata: Metadata,
    pub(super) data: Value,
}

/// Sends it, and prints what came of it.
pub(super) fn run(
    (url, token_file): (&str, &str),
    command: Command<'_>,
    send: &args::Send,
    awaited: Option<&Awaited<'_>>,
) -> Result<(), CliError> {
    let Command { id, domain, kind, metadata, data } = command;
    let client = HttpClient::new(url, token_file)?;
    let mut metadata = serde_json::to_value(metadata)?;
    if let Some(members) = metadata.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let body = json!({"data": data, "metadata": metadata});
    let wait = match send.wait || awaited.is_some() {
        true => Duration::from_secs(send.timeout),
        false => Duration::ZERO,
    };
    let until = Instant::now() + wait;
    let answered = client.send(domain, kind, id, &body, wait)?;
    let Some(outcome) = answered.outcome else {
        let location = answered.location.unwrap_or_default();
        if !wait.is_zero() {
            let text = format!("{id} was sent, and there is no outcome within {} s", send.timeout);
            return Err(CliError::failed(text).hint(format!("It may still come: {url}{location}")));
        }
        return match send.json {
            true => output::json(&json!({"id": id, "location": location})),
            false => output::line(format!("sent {id}; its outcome is at {url}{location}")),
        };
    };
    // a problem document has the members of the outcome but for the status
    let mut outcome = outcome;
    outcome["status"] = json!(if answered.is_rejected { "rejected" } else { "accepted" });
    let outcome: Outcome = serde_json::from_value(outcome)?;
    match send.json {
        true => output::json(&outcome)?,
        false => print_outcome(kind, id, None, &outcome)?,
    }
    if let Some(awaited) = awaited {
        let view = &awaited.view.table.name;
        client.until_shown(domain, view, &answered.position, until)?;
    }
    if answered.is_rejected { Err(CliError::said()) } else { Ok(()) }
}
