//! `millrace watch`: a view as it changes, in the terminal.

use std::io::BufReader;
use std::time::{Duration, Instant};

use millrace_gateway::view;
use serde_json::{Value, json};

use crate::args;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::gateway::{HttpClient, Told};
use crate::output;
use crate::output::Styled::{Bold, Dim, Plain};
use crate::query::conditions;
use crate::views;

/// How soon it connects again, at first and at last.
const AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// For how long it asks a gateway again that it has heard before and that refuses it now: a token may be renewed meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `millrace watch`, until somebody ends it.
///
/// # Errors
/// Wrong usage, a gateway that refuses, or one that was never there.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    watch: &args::Watch,
) -> Result<(), CliError> {
    let given = conditions(&watch.conditions)?;
    let (domain, name) = address(servers, domains, watch, &given)?;
    let client = HttpClient::new(&gateway(servers, watch), &servers.config.settings.http_token_file)?;
    let path = format!("/v1/streams/{domain}/{name}");
    let limit = watch.limit.map(|limit| limit.to_string());
    let mut parameters = given;
    parameters.extend(limit.as_deref().map(|limit| ("limit", limit)));
    let mut token = watch.from.clone();
    let (mut pause, mut has_begun, mut refused_at) = (AGAIN.0, false, None::<Instant>);
    loop {
        let opened = client.stream(&path, &parameters, token.as_deref());
        match opened {
            Ok(reader) => {
                if has_begun && watch.json {
                    // what was told amid a snapshot may be told from the first row on
                    output::json(&json!({"event": "again", "token": token}))?;
                }
                (has_begun, refused_at) = (true, None);
                if follow(BufReader::new(reader), &mut token, watch.json)? {
                    pause = AGAIN.0;
                }
            }
            Err(error) if !has_begun => return Err(error),
            Err(error) => {
                let is_over = refused_at.is_some_and(|since| since.elapsed() > PATIENCE);
                if error.is_usage() && is_over {
                    return Err(error);
                }
                refused_at = error.is_usage().then(|| refused_at.unwrap_or_else(Instant::now));
                tracing::debug!("{}", error.text());
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(AGAIN.1);
    }
}

/// The domain and the view, or what a domain has of its own: `chirp.feed`.
fn address(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    watch: &args::Watch,
    given: &[(&str, &str)],
) -> Result<(String, String), CliError> {
    let (domain, plain) = match watch.view.split_once('.') {
        Some((domain, plain)) => (Some(domain), plain),
        None => (None, watch.view.as_str()),
    };
    for entry in domains.iter().filter(|entry| domain.is_none_or(|domain| domain == entry.name())) {
        for tool in entry.tools() {
            let resource = tool.resource(servers.config)?;
            let live = resource.as_ref().and_then(|resource| resource.live());
            if let Some(live) = live.filter(|live| live.name() == plain) {
                return Ok((entry.name().to_owned(), live.name().to_owned()));
            }
        }
    }
    let found = views::find(domains, servers.config, &watch.view)?;
    if found.table.live.is_none() {
        return Err(CliError::usage(format!(
            "{} cannot be watched: it is not declared as live",
            found.table.name
        ))
        .hint("Put a line `-- Live: …` before it in views.cql; `millrace query` reads it as it is."));
    }
    view::key(&found.table, given, false)?;
    Ok((found.entry.name().to_owned(), found.table.name))
}

/// The gateway: the one that is named, that of a running `millrace up`, or where one listens by the settings.
fn gateway(servers: &Servers<'_>, watch: &args::Watch) -> String {
    let named = watch.http.clone().or_else(|| Endpoints::find().and_then(|found| found.http));
    named.unwrap_or_else(|| format!("http://{}", servers.config.settings.gateway.listen))
}

/// Prints what is told until that ends; whether it came so far that the copy was one of a moment. The token goes on behind it.
///
/// # Errors
/// Nobody reads what is printed any more, or the gateway says that it cannot be.
fn follow(
    reader: impl std::io::BufRead,
    token: &mut Option<String>,
    as_json: bool,
) -> Result<bool, CliError> {
    let (mut told, mut is_live) = (Told::default(), false);
    for line in reader.lines() {
        let Ok(line) = line else { break };
        if let Some((name, data)) = told.line(&line, token) {
            is_live |= name == "live";
            let data: Value = serde_json::from_str(&data).unwrap_or_default();
            // credentials that have expired may have been replaced
            let is_refused =
                (400..500).contains(&data["status"].as_u64().unwrap_or_default()) && data["status"] != 401;
            if name == "error" && is_refused {
                return Err(CliError::usage(data["detail"].as_str().unwrap_or("the gateway refuses it")));
            }
            print(&name, data, token.as_deref(), as_json)?;
        }
    }
    Ok(is_live)
}

fn print(name: &str, mut data: Value, token: Option<&str>, as_json: bool) -> Result<(), CliError> {
    if as_json {
        if let Value::Object(members) = &mut data {
            members.insert("event".to_owned(), name.into());
            members.insert("token".to_owned(), json!(token));
        }
        return output::json(&data);
    }
    let says = |sign: &str, row: &Value| output::styled(&[Bold(sign), Plain(" "), Plain(&row.to_string())]);
    match name {
        "snapshot" => data["rows"].as_array().into_iter().flatten().try_for_each(|row| says(" ", row)),
        "change" if data["row"].is_null() => says("-", &data["key"]),
        "change" => says("+", &data["row"]),
        "live" => output::styled(&[Dim("live: what changes from here on")]),
        "reset" => output::styled(&[Dim(&format!("anew: {}", data["reason"].as_str().unwrap_or_default()))]),
        _ => output::styled(&[Dim(data["detail"].as_str().unwrap_or(name))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(text: &str) -> (Result<bool, CliError>, Option<String>) {
        let mut token = Some("T0".to_owned());
        (follow(text.as_bytes(), &mut token, true), token)
    }

    #[test]
    fn what_cannot_be_ends_it_and_what_may_come_back_does_not() {
        let (followed_one, token) = followed("event: live\nid: T1\ndata: {}\n\nevent: change\nid: T2\nda");
        assert!(followed_one.is_ok_and(|is_live| is_live));
        assert_eq!(token.as_deref(), Some("T1"), "the change was cut off");
        for (status, ends) in [(404, true), (403, true), (401, false), (503, false)] {
            let problem =
                format!("event: error\ndata: {{\"status\": {status}, \"detail\": \"so it is\"}}\n\n");
            match followed(&problem).0 {
                Err(error) => assert!(ends && error.is_usage() && error.text() == "so it is", "{status}"),
                Ok(is_live) => assert!(!ends && !is_live, "{status}"),
            }
        }
    }
}
