//! The frames of a socket: what they say, and what may stand in those of a client.

use axum::body::to_bytes;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::http::problem::{BUSY, INVALID, Problem, SLOW, UNAUTHENTICATED};
use crate::live::{Ended, Event};
use crate::message::short;
use crate::view::Longs;

/// What is sent to the client.
pub(super) enum Frame {
    /// The answer to a command, which has its place until it is sent.
    Answer(Json, OwnedSemaphorePermit),
    /// Of the subscription of this name and number.
    Of { id: String, number: u64, json: Json, is_last: bool },
}

/// What a stream says, as a frame.
pub(super) fn of_event(id: &str, event: Event, token: Option<String>) -> Option<Json> {
    let has_token = token.is_some();
    let with = |op: &str, data: Json| {
        let mut frame = Map::from_iter([("op".to_owned(), op.into()), ("id".to_owned(), id.into())]);
        if let Json::Object(members) = data {
            frame.extend(members);
        }
        frame.extend(token.map(|token| ("token".to_owned(), token.into())));
        Some(Json::Object(frame))
    };
    match event {
        Event::End(ended) => {
            let problem = match ended {
                Ended::Leaving => {
                    Problem::new(BUSY, "This gateway is ending; go on from the token at another.")
                }
                Ended::Slow => Problem::new(SLOW, "More has changed than was taken; go on from the token."),
                Ended::Trouble(trouble) => *trouble,
                Ended::Expired => Problem::new(
                    UNAUTHENTICATED,
                    "The credentials with which this was asked have expired, or others have taken their place; go on from the \
                     token.",
                ),
            };
            with("error", json!({"problem": written(&problem)}))
        }
        // a sign of life is the socket's own
        Event::Beat if !has_token => None,
        Event::Beat => with("live", json!({})),
        other => with(other.name().unwrap_or("live"), other.data()),
    }
}

/// What is wrong, as a frame.
pub(super) fn error(id: Option<&str>, problem: &Problem) -> Json {
    json!({"op": "error", "id": id, "problem": written(problem)})
}

/// A problem without the headers that an answer has: what stands in `Retry-After` is a member here.
pub(super) fn written(problem: &Problem) -> Json {
    with_retry_after(problem.json(), problem.header(&header::RETRY_AFTER))
}

pub(super) fn with_retry_after(mut problem: Json, retry_after: Option<&HeaderValue>) -> Json {
    let seconds = retry_after.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let (Json::Object(members), Some(seconds)) = (&mut problem, seconds) {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    problem
}

/// An answer to a command as a frame.
pub(super) async fn outcome(id: &str, response: Response) -> Json {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    let of = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (position, key) = (of("millrace-position"), of("idempotency-key"));
    let status = parts.status.as_u16();
    match status {
        200 | 202 | 422 => {
            json!({"op": "outcome", "id": id, "status": status, "outcome": body, "position": position, "key": key})
        }
        _ => {
            let problem = with_retry_after(body, parts.headers.get(header::RETRY_AFTER));
            json!({"op": "error", "id": id, "problem": problem})
        }
    }
}

pub(super) fn text<'m>(members: &'m Map<String, Json>, name: &str) -> Result<&'m str, Problem> {
    let value = members.get(name).and_then(Json::as_str);
    value.ok_or_else(|| Problem::new(INVALID, format!("{name}: a text is missing.")))
}

pub(super) fn longs(members: &Map<String, Json>) -> Result<Longs, Problem> {
    match members.get("longs").map(Json::as_str) {
        None | Some(Some("number")) => Ok(Longs::Numbers),
        Some(Some("string")) => Ok(Longs::Texts),
        Some(_) => Err(Problem::new(INVALID, "longs: \"number\" or \"string\".")),
    }
}

/// Whether a frame has these members only.
pub(super) fn known(members: &Map<String, Json>, known: &[&str]) -> Result<(), Problem> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let detail = format!("{}: this frame has {}.", short(name), known.join(", "));
            Err(Problem::new(INVALID, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(event: Event, token: Option<&str>) -> Option<Json> {
        of_event("s", event, token.map(str::to_owned))
    }

    #[test]
    fn what_a_stream_says_becomes_frames() {
        let change = Event::Change { key: json!({"id": 1}), row: Json::Null, trace: None };
        let wanted = json!({"op": "change", "id": "s", "key": {"id": 1}, "row": null, "token": "T"});
        assert_eq!(frame(change, Some("T")), Some(wanted));
        assert_eq!(frame(Event::Live, None), Some(json!({"op": "live", "id": "s"})));
        assert_eq!(frame(Event::Beat, None), None);
        assert_eq!(frame(Event::Beat, Some("T")), Some(json!({"op": "live", "id": "s", "token": "T"})));
        for (ended, kind) in [(Ended::Expired, "unauthenticated"), (Ended::Slow, "slow")] {
            let error = frame(Event::End(ended), Some("T")).unwrap();
            assert_eq!((&error["op"], &error["token"]), (&json!("error"), &json!("T")));
            assert_eq!(error["problem"]["type"], format!("urn:millrace:problem:{kind}"));
        }
    }
}
