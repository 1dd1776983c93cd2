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
    BAD_PARAMETER, BUSY, FORBIDDEN, KEY_REUSED, LOG_AWAY, Problem, REJECTED, TOO_LARGE, UNKNOWN,
};
use super::{body, path};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::log::{Asked, Channel, Submitted};
use crate::message::{
    self, MessageType, MessageTypes, Sealing, check_members, check_metadata, data_problems, pointer_to_field,
    short,
};
use crate::nearest::suggestion;
use crate::sign_in::vouched;
use crate::token::{Key, Positions, Prefer, key, position};
use crate::view::Longs;

/// The members of a body.
const MEMBERS: [&str; 2] = ["data", "metadata"];
/// The header by which it is told that the trace is recorded (W3C Trace Context, level 2).
const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Sends a command and answers with what became of it.
pub(super) async fn post(
    State(gateway): State<Gateway>,
    principal: Principal,
    at: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (domain, kind) = path(at)?;
    // said before the body is waited for
    command(gateway.channel(&domain)?, &kind)?;
    let key = command_key(&headers)?;
    let body = body::read(gateway.limits(), &headers, body).await?;
    send(&gateway, &principal, (&domain, &kind), key, body, &headers).await
}

/// Sends the command in `body` under `key` and answers with what became of it; `headers` say how long that is waited for, and how
/// it is written.
pub(super) async fn send(
    gateway: &Gateway,
    principal: &Principal,
    (domain, kind): (&str, &str),
    key: Key,
    body: Json,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let channel = gateway.channel(domain)?;
    let kind = command(channel, kind)?;
    // secrets are sealed as those of this command, so that who repeats it sends the same bytes
    let id = principal.command_id(&key.text);
    let sealing = Sealing::with(gateway.seals_for().newest(), &id);
    let (metadata, data) = checked(&channel.description.types, kind, body, sealing)?;
    let schemas = &channel.description.schemas;
    if let Principal::Known(known) = principal {
        vouched(schemas.claims, &kind.name, known, &data)?;
    }
    let metadata = issued(channel, &key, acting(principal, metadata)?)?;
    if schemas.sign_in != Some(kind.name.as_str()) {
        gateway.greet(principal).await;
    }
    let span = span(gateway, channel, kind, headers);
    let asked = Asked {
        id,
        kind: kind.name.clone(),
        metadata,
        data,
        traceparent: match &span {
            Some(span) => Some(span.traceparent().as_bytes().to_vec()),
            None => headers.get(TRACEPARENT).map(|value| value.as_bytes().to_vec()),
        },
        wait: Prefer::read(headers).wait,
    };
    let submitted = channel.submit(asked, gateway.ending()).await;
    // a page that began the trace tells of its own part then
    let recorded = span.as_ref().and_then(|span| HeaderValue::from_str(span.traceparent()).ok());
    span.into_iter().for_each(Span::end);
    let mut response = answer(channel.description.name, &key, submitted, answer::longs(headers));
    if let Some(recorded) = recorded {
        response.headers_mut().insert(TRACE_RESPONSE, recorded);
    }
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
        (Some(value), None) => Key::read(value.as_bytes()).map_err(|why| {
            Problem::new(BAD_PARAMETER, format!("Idempotency-Key: {why}.")).with("header", "Idempotency-Key")
        }),
        (Some(_), Some(_)) => {
            let detail = "Idempotency-Key is given twice; a command has one key.";
            Err(Problem::new(BAD_PARAMETER, detail).with("header", "Idempotency-Key"))
        }
    }
}

/// Metadata and data, as the schema wants them.
fn checked(
    types: &MessageTypes,
    kind: &MessageType,
    body: Json,
    sealing: Sealing<'_>,
) -> Result<(Metadata, Json), Problem> {
    let Json::Object(mut members) = body else {
        let problem = message::Problem::new("the body is an object: {\"data\": {…}, \"metadata\"?: {…}}");
        return Err(Problem::invalid(&[problem.pointing("")]));
    };
    let mut problems = check_members(&members, &MEMBERS);
    let metadata = match members.remove("metadata") {
        None | Some(Json::Null) => Metadata::default(),
        Some(given) => {
            check_metadata(&types.metadata, given).unwrap_or_else(|more| take(&mut problems, more))
        }
    };
    let data = members.remove("data").unwrap_or_else(|| Json::Object(Map::new()));
    let data = data_problems(kind, data, sealing).unwrap_or_else(|more| take(&mut problems, more));
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

/// With the user who acts: the one who asks, where that is known, and nobody else.
fn acting(principal: &Principal, mut metadata: Metadata) -> Result<Metadata, Problem> {
    let Some(user) = principal.user() else { return Ok(metadata) };
    match &metadata.user_id {
        Some(given) if **given != *user => {
            let detail = format!(
                "metadata.user_id is {}, and the token is of {}. Leave it out: the user is the token's.",
                short(given),
                short(user)
            );
            Err(Problem::new(FORBIDDEN, detail)
                .with("errors", json!([{"pointer": "/metadata/user_id", "detail": "not the token's user"}])))
        }
        _ => {
            metadata.user_id = Some(user.into());
            Ok(metadata)
        }
    }
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

fn answer(domain: &str, key: &Key, submitted: Submitted, longs: Longs) -> Response {
    match submitted {
        Submitted::Answered(outcome) => answered(domain, &outcome, longs),
        Submitted::OtherContent(outcome) => {
            let detail = "The key was used before for a command of other content. That one has its outcome; this one changed \
                          nothing. Give every command a key of its own.";
            positioned(
                Problem::new(KEY_REUSED, detail).with("command_id", &*outcome.command_id).into_response(),
                domain,
                &outcome,
            )
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
            Problem::new(
                TOO_LARGE,
                format!("The command comes to {bytes} bytes; a record has at most {most}."),
            )
            .into_response()
        }
        Submitted::Refused(problem) => Problem::invalid(&[match problem.pointer {
            Some(_) => problem,
            None => problem.pointing("/data"),
        }])
        .into_response(),
        Submitted::Busy => {
            Problem::new(BUSY, "So many commands wait for their outcomes already. Nothing was sent.")
                .retry_after(1)
                .into_response()
        }
        Submitted::Away { why, unsent } => {
            tracing::debug!(domain, "a command was not taken: {}", why.0);
            let detail = match unsent {
                true => {
                    "The log cannot be reached. Nothing was sent; send the same again, here or at another gateway."
                }
                false => {
                    "The log did not answer. Whether the command has arrived is not known; send the same again under \
                          the same key, here or at another gateway: it is decided once."
                }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::to_bytes;
    use millrace_domain_guestbook::Guestbook;
    use millrace_kernel::{Domain as _, Violation};

    use super::*;
    use crate::auth::Known;
    use crate::log::Away;
    use crate::token::At;

    fn outcome(status: Status, violations: Vec<Violation>) -> Arc<Outcome> {
        Arc::new(Outcome {
            command_id: "c1".into(),
            status,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations,
            recorded_at: 7,
            command_type: Some("Sign".into()),
            failure: (status == Status::Rejected).then(|| "SigningFailed".into()),
            digest: None,
        })
    }

    async fn answered(submitted: Submitted) -> (u16, HeaderMap, Json) {
        let key = Key { text: "k 1".to_owned(), is_made: false };
        let response = answer("guestbook", &key, submitted, Longs::Numbers);
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn what_became_of_a_command_has_one_status_each() {
        let violations =
            vec![Violation::on("InvalidArgument", "text", "too long"), Violation::of("NotFound", "no")];
        let away = |unsent| Submitted::Away { why: Away("secret-host:9092 is away".to_owned()), unsent };
        let at = At { partition: 3, offset: 9, sent_at_ms: 7 };
        let rows = [
            (Submitted::Answered(outcome(Status::Accepted, Vec::new())), 200, ""),
            (Submitted::Answered(outcome(Status::Rejected, violations)), 422, "rejected"),
            (Submitted::OtherContent(outcome(Status::Accepted, Vec::new())), 422, "key-reused"),
            (Submitted::Pending(at), 202, ""),
            (Submitted::TooLarge { bytes: 2_000_000 }, 413, "too-large"),
            (Submitted::Refused(message::Problem::new("no")), 400, "invalid"),
            (Submitted::Busy, 503, "busy"),
            (away(true), 503, "log-away"),
            (away(false), 503, "log-away"),
        ];
        for (submitted, expected, kind) in rows {
            let (status, headers, body) = answered(submitted).await;
            assert_eq!(status, expected, "{body}");
            assert_eq!(headers.contains_key(header::RETRY_AFTER), status == 503, "{body}");
            assert!(
                !body.to_string().contains("secret-host"),
                "who asks is not told where the log is: {body}"
            );
            if kind.is_empty() {
                assert_eq!(headers[header::CONTENT_TYPE], "application/json");
            } else {
                assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
                assert_eq!(
                    (&body["type"], &body["status"]),
                    (&json!(format!("urn:millrace:problem:{kind}")), &json!(expected))
                );
            }
        }
    }

    #[tokio::test]
    async fn a_rejection_tells_everything_and_a_pending_one_where_to_look() {
        let violations =
            vec![Violation::on("InvalidArgument", "text", "too long"), Violation::of("NotFound", "no")];
        let (_, headers, body) = answered(Submitted::Answered(outcome(Status::Rejected, violations))).await;
        assert_eq!(body["failure"], "SigningFailed");
        assert_eq!(
            body["violations"],
            json!([
                {"code": "InvalidArgument", "message": "too long", "field": "text", "pointer": "/data/text"},
                {"code": "NotFound", "message": "no", "field": null, "pointer": null},
            ])
        );
        assert_eq!(headers[position::HEADER], "guestbook:");
        let at = At { partition: 3, offset: 9, sent_at_ms: 7 };
        let (_, headers, _) = answered(Submitted::Pending(at)).await;
        assert_eq!(headers[header::LOCATION], "/v1/outcomes/guestbook/k%201?at=3.9.7");
    }

    #[test]
    fn everything_that_is_wrong_with_a_body_is_pointed_at() {
        let types = MessageTypes::read("guestbook", Guestbook::SCHEMAS.commands).unwrap();
        let kind = types.get("Sign").unwrap();
        let good = json!({"guest_id": "ann", "text": "Hello"});
        let rows: [(Json, &[&str]); 9] = [
            (json!([]), &[""]),
            (json!({}), &["/data/guest_id", "/data/text"]),
            (json!({"data": 7}), &["/data"]),
            (json!({"data": good, "dada": {}}), &["/dada"]),
            (json!({"data": {"guest_id": 7, "text": "x"}}), &["/data/guest_id"]),
            (json!({"data": {"guest_id": "ann", "text": "x", "a/b~": 1}}), &["/data/a~1b~0"]),
            (json!({"data": good, "metadata": []}), &["/metadata"]),
            (json!({"data": good, "metadata": {"user_id": 7, "x": 1}}), &["/metadata/x", "/metadata/user_id"]),
            (
                serde_json::from_str(r#"{"data": {"guest_id": "ann", "text": "Hello"}, "metadata": {"expected_version": 9223372036854775808}}"#).unwrap(),
                &["/metadata/expected_version"],
            ),
        ];
        for (body, pointers) in rows {
            let problem = checked(&types, kind, body.clone(), Sealing::Nowhere).unwrap_err();
            let errors = problem.member("errors").unwrap();
            let found: Vec<&str> =
                errors.as_array().unwrap().iter().map(|it| it["pointer"].as_str().unwrap()).collect();
            assert_eq!(found, pointers, "{body}");
        }
        let metadata = json!({"user_id": "ann", "issued_at": "2026-01-02T03:04:05Z"});
        let body = json!({"data": good, "metadata": metadata});
        let (metadata, data) = checked(&types, kind, body, Sealing::Nowhere).unwrap();
        assert_eq!((metadata.issued_at, data), (Some(1_767_323_045_000_000), good));
    }

    #[test]
    fn the_user_is_who_asks_and_nobody_else() {
        let ann = Principal::known(Known { user: "ann".into(), ..Known::default() });
        let said = |user: Option<&str>| Metadata { user_id: user.map(Into::into), ..Metadata::default() };
        for given in [None, Some("ann")] {
            assert_eq!(acting(&ann, said(given)).unwrap().user_id.as_deref(), Some("ann"));
        }
        for other in ["bob", "Ann", "ann "] {
            let response = acting(&ann, said(Some(other))).unwrap_err().into_response();
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
        }
        // where nobody has a name, everybody is believed
        for given in [None, Some("bob")] {
            assert_eq!(acting(&Principal::Anyone, said(given)).unwrap().user_id.as_deref(), given);
        }
    }
}
