//! `POST /v1/commands/{domain}/{Type}`.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use millrace_kernel::{Metadata, Outcome, Status};
use millrace_runtime::metrics::{Span, TRACEPARENT};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json, json};

use super::answer;
use super::problem::{
    BAD_PARAMETER, BUSY, KEY_REUSED, LOG_AWAY, Problem, REJECTED, TOO_LARGE, UNKNOWN,
};
use super::{body, path};
use crate::gateway::Gateway;
use crate::log::{Asked, Channel, Submitted};
use crate::message::{self, MessageType, check_members, check_metadata, data_problems, pointer_to_field, short};
use crate::nearest::suggestion;
use crate::token::{Key, Positions, Prefer, key, position};
use crate::view::Longs;

/// The members of a body.
const MEMBERS: [&str; 2] = ["data", "metadata"];

/// Sends a command and answers with what became of it.
pub(super) async fn post(
    State(gateway): State<Gateway>,
    at: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let principal = gateway.authenticator().principal(&headers)?;
    let (domain, kind) = path(at)?;
    let channel = gateway.channel(&domain)?;
    let kind = command(channel, &kind)?;
    let key = command_key(&headers)?;
    let (metadata, data) = checked(channel, kind, body::read(&headers, body).await?)?;
    let metadata = issued(channel, &key, metadata)?;
    let span = span(&gateway, channel, kind, &headers);
    let asked = Asked {
        id: principal.command_id(&key.text),
        kind: kind.name.clone(),
        metadata,
        data,
        traceparent: match &span {
            Some(span) => Some(span.traceparent().as_bytes().to_vec()),
            None => headers.get(TRACEPARENT).map(|value| value.as_bytes().to_vec()),
        },
        wait: Prefer::read(&headers).wait,
    };
    let submitted = channel.submit(asked, gateway.ending()).await;
    span.into_iter().for_each(Span::end);
    let mut response = answer(channel, &key, submitted, answer::longs(&headers));
    // also of a command that had none: whoever repeats it needs it
    if let Ok(key) = HeaderValue::from_str(&key.text) {
        response.headers_mut().insert(HeaderName::from_static(key::HEADER), key);
    }
    Ok(response)
}

/// The request as a part of the trace that it comes with, where traces are recorded.
fn span(
    gateway: &Gateway,
    channel: &Channel,
    kind: &MessageType,
    headers: &HeaderMap,
) -> Option<Box<dyn Span>> {
    let traceparent = headers.get(TRACEPARENT)?.as_bytes();
    let route = format!("/v1/commands/{}/{}", channel.description.name, kind.name);
    let of = [("http.request.method", "POST".to_owned()), ("http.route", route.clone())];
    gateway.meter().begin(&format!("POST {route}"), traceparent, &of)
}

/// The command of that name.
fn command<'c>(channel: &'c Channel, name: &str) -> Result<&'c MessageType, Problem> {
    let types = &channel.description.types;
    types.get(name).ok_or_else(|| {
        let near = suggestion(name, types.types.iter().map(|kind| kind.name.as_str()));
        let domain = channel.description.name;
        Problem::new(UNKNOWN, format!("{domain} has no command {}{near}", short(name)))
    })
}

fn command_key(headers: &HeaderMap) -> Result<Key, Problem> {
    let mut given = headers.get_all(key::HEADER).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(Key::made()),
        (Some(value), None) => Key::read(value.as_bytes())
            .map_err(|why| Problem::new(BAD_PARAMETER, format!("Idempotency-Key: {why}.")).with("header", "Idempotency-Key")),
        (Some(_), Some(_)) => {
            let detail = "Idempotency-Key is given twice; a command has one key.";
            Err(Problem::new(BAD_PARAMETER, detail).with("header", "Idempotency-Key"))
        }
    }
}

/// Metadata and data, as the schema wants them.
fn checked(channel: &Channel, kind: &MessageType, body: Json) -> Result<(Metadata, Json), Problem> {
    let Json::Object(mut members) = body else {
        let problem = message::Problem::new("the body is an object: {\"data\": {…}, \"metadata\"?: {…}}");
        return Err(Problem::invalid(&[problem.pointing("")]));
    };
    let mut problems = check_members(&members, &MEMBERS);
    let metadata = match members.remove("metadata") {
        None | Some(Json::Null) => Metadata::default(),
        Some(given) => check_metadata(&channel.description.types.metadata, given)
            .unwrap_or_else(|more| take(&mut problems, more)),
    };
    let data = members.remove("data").unwrap_or_else(|| Json::Object(Map::new()));
    let data = data_problems(kind, data).unwrap_or_else(|more| take(&mut problems, more));
    match problems.is_empty() {
        true => Ok((metadata, data)),
        false => Err(Problem::invalid(&problems)),
    }
}

/// Keeps what is wrong; the value is never used.
fn take<T: Default>(problems: &mut Vec<message::Problem>, more: Vec<message::Problem>) -> T {
    problems.extend(more);
    T::default()
}

/// With the time at which the command was issued, where old ones are refused.
fn issued(channel: &Channel, key: &Key, mut metadata: Metadata) -> Result<Metadata, Problem> {
    if channel.description.refuses_expired && metadata.issued_at.is_none() {
        metadata.issued_at = key::issued_at(&key.text);
        if metadata.issued_at.is_none() {
            let message = format!(
                "{} must know when a command was issued, as it never does one twice: give metadata.issued_at, or an \
                 Idempotency-Key that is a UUIDv7, and the same again when you repeat it",
                channel.description.name
            );
            return Err(Problem::invalid(&[message::Problem::new(message).pointing("/metadata/issued_at")]));
        }
    }
    Ok(metadata)
}

fn answer(channel: &Channel, key: &Key, submitted: Submitted, longs: Longs) -> Response {
    let domain = channel.description.name;
    match submitted {
        Submitted::Answered(outcome) => answered(domain, &outcome, longs),
        Submitted::OtherContent(outcome) => {
            let detail = "The key was used before for a command of other content. That one has its outcome; this one changed \
                          nothing. Give every command a key of its own.";
            positioned(Problem::new(KEY_REUSED, detail).with("command_id", &*outcome.command_id).into_response(), domain, &outcome)
        }
        Submitted::Pending(at) => {
            let key = utf8_percent_encode(&key.text, NON_ALPHANUMERIC);
            let location = format!("/v1/outcomes/{domain}/{key}?at={at}");
            let mut response = answer::json(&json!({"status": "pending", "location": location}));
            *response.status_mut() = StatusCode::ACCEPTED;
            if let Ok(location) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            response
        }
        Submitted::TooLarge { bytes } => {
            let most = millrace_ports::log::MAX_RECORD_BYTES;
            Problem::new(TOO_LARGE, format!("The command comes to {bytes} bytes; a record has at most {most}."))
                .into_response()
        }
        Submitted::Refused(problem) => Problem::invalid(&[match problem.pointer {
            Some(_) => problem,
            None => problem.pointing("/data"),
        }])
        .into_response(),
        Submitted::Busy => Problem::new(BUSY, "So many commands wait for their outcomes already. Nothing was sent.")
            .retry_after(1)
            .into_response(),
        Submitted::Away { why, unsent } => {
            tracing::debug!(domain, "a command was not taken: {}", why.0);
            let detail = match unsent {
                true => "The log cannot be reached. Nothing was sent; send the same again, here or at another gateway.",
                false => "The log did not answer. Whether the command has arrived is not known; send the same again under \
                          the same key, here or at another gateway: it is decided once.",
            };
            Problem::new(LOG_AWAY, detail).retry_after(1).into_response()
        }
    }
}

/// 200, or 422 with every rule that did not hold.
fn answered(domain: &str, outcome: &Outcome, longs: Longs) -> Response {
    let response = match outcome.status {
        Status::Accepted => answer::json_with(&answer::outcome(outcome, longs), longs),
        Status::Rejected => {
            let detail = match &outcome.violations[..] {
                [] => "It was rejected.".to_owned(),
                [only] => only.message.clone(),
                [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
            };
            let mut problem = Problem::new(REJECTED, detail);
            if let Json::Object(members) = answer::outcome(outcome, longs) {
                // `status` is the number of the answer here
                for (name, value) in members.into_iter().filter(|(name, _)| name != "status") {
                    problem = problem.with(&name, value);
                }
            }
            let violations = outcome.violations.iter().map(|violation| {
                let pointer = violation.field.as_deref().map(pointer_to_field);
                json!({
                    "code": violation.code, "message": violation.message, "field": violation.field,
                    "pointer": pointer,
                })
            });
            problem.with("violations", violations.collect::<Vec<_>>()).into_response()
        }
    };
    positioned(response, domain, outcome)
}

/// With what a reader must be able to see from now on.
pub(super) fn positioned(mut response: Response, domain: &str, outcome: &Outcome) -> Response {
    if let Ok(token) = HeaderValue::from_str(&Positions::of(domain, outcome).to_string()) {
        response.headers_mut().insert(HeaderName::from_static(position::HEADER), token);
    }
    response
}
