//! `GET /v1/streams/{domain}/{view}?key=value`: a view as it changes, as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use millrace_kernel::Value;
use millrace_ports::tables::MAX_KEY_BYTES;
use tokio::sync::{mpsc, watch};

use super::problem::{BAD_PARAMETER, FORBIDDEN, LOG_AWAY, Problem, UNKNOWN};
use super::read::Reading;
use super::views::{MOST, view, wrong_key};
use super::{answer, path, query};
use crate::auth::Principal;
use crate::gateway::{Gateway, Own};
use crate::live::{Event, Expiry, Out, OwnRequest, Request, Spoken, Viewed, run, run_own};
use crate::log::{Away, Channel};
use crate::message::short;
use crate::ports::ResourceFault;
use crate::token::position::AFTER;
use crate::view::{Longs, Permit, key};

/// So many things wait at most to be taken by the client.
const WAITING: usize = 4;
/// The header by which a client says where it was (the HTML standard, section 9.2).
const LAST: HeaderName = HeaderName::from_static("last-event-id");
/// How long a client waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 500;

/// Opens a stream.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    principal: Principal,
    at: Result<Path<(String, String)>, PathRejection>,
    RawQuery(given): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (domain, name) = path(at)?;
    let given = query(given.as_deref())?;
    let token = token(&headers);
    gateway.greet_meanwhile(&principal);
    if headers.contains_key(AFTER) {
        // whoever has just written finds it among the rows
        let channel = gateway.channel(&domain)?;
        drop(Reading::begin(&gateway, channel, &projections(&gateway, &domain, &name), &headers).await?);
    }
    // nobody renews what stands in a header
    let expiry = watch::channel(principal.expires_at()).1;
    let at = (domain.as_str(), name.as_str());
    let wanted = wanted(&gateway, &principal, at, &given, answer::longs(&headers), token, expiry)?;
    if let Wanted::Own(request) = &wanted {
        exists(&gateway, request).await?;
    }
    let (out, said) = mpsc::channel(WAITING);
    tokio::spawn(wanted.run(out));
    Ok(events(said))
}

/// Where a client says that it was. What is none, or longer than any, is kept: it is to hear that it goes on from nowhere.
fn token(headers: &HeaderMap) -> Option<String> {
    let token = String::from_utf8_lossy(headers.get(LAST)?.as_bytes()).into_owned();
    Some(token).filter(|token| !token.is_empty())
}

/// Whether there is such a thing, as an answer that has begun can say that only to those who read on. Tables that are away are the
/// stream's affair, which waits for them.
async fn exists(gateway: &Gateway, request: &OwnRequest) -> Result<(), Problem> {
    let (own, id) = (Arc::clone(&request.own), request.id.clone());
    let reading = Reading::begin(gateway, &own.channel, &[], &HeaderMap::new()).await;
    let Ok(reading) = reading else { return Ok(()) };
    let found =
        reading.ask(move |tables| Ok(own.resource.live().map(|live| live.items(tables, &id, 1, None)))).await;
    match found {
        Ok(Some(Err(ResourceFault::Unknown(why)))) => Err(Problem::new(UNKNOWN, format!("{why}."))),
        _ => Ok(()),
    }
}

/// How many rows are wanted, within bounds.
fn rows_wanted(text: &str, most: usize) -> Result<usize, Problem> {
    text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        let detail = format!("limit: a stream begins with 1 to {most} rows.");
        Problem::new(BAD_PARAMETER, detail).with("parameter", "limit")
    })
}

/// Those that fill what is followed; none where there is no such thing.
fn projections(gateway: &Gateway, domain: &str, name: &str) -> Vec<String> {
    let own = gateway.own().iter().find(|own| is_own(own, domain, name));
    if let Some(own) = own {
        return own.projections.clone();
    }
    let channel = gateway.channel(domain);
    let views = channel.iter().flat_map(|channel| &channel.description.views);
    views.filter(|view| view.table.name == name).map(|view| view.projection.clone()).collect()
}

fn is_own(own: &Own, domain: &str, name: &str) -> bool {
    own.channel.description.name == domain && own.resource.live().is_some_and(|live| live.name() == name)
}

/// A stream that may be opened.
pub(crate) enum Wanted {
    /// Of a view.
    View(Box<Request>),
    /// Of what a domain has of its own.
    Own(OwnRequest),
}

impl Wanted {
    /// Serves it until it ends.
    pub(crate) async fn run(self, out: Out) {
        match self {
            // each takes its own room, not that of the larger one
            Self::View(request) => Box::pin(run(*request, out)).await,
            Self::Own(request) => Box::pin(run_own(request, out)).await,
        }
    }
}

/// A stream as it was asked for.
pub(crate) fn wanted(
    gateway: &Gateway,
    principal: &Principal,
    (domain, name): (&str, &str),
    given: &[(String, String)],
    longs: Longs,
    token: Option<String>,
    expiry: Expiry,
) -> Result<Wanted, Problem> {
    let channel = gateway.channel(domain)?;
    let own = gateway.own().iter().find(|own| is_own(own, domain, name));
    if let Some(own) = own {
        return of_own(gateway, principal, own, given, token, expiry);
    }
    let view = view(channel, name)?;
    if view.table.live.is_none() {
        let detail = format!("{name} cannot be subscribed to; it can be read at /v1/views/{domain}/{name}.");
        return Err(Problem::new(UNKNOWN, detail));
    }
    let permit = Permit::of(principal, view, channel.description.name, gateway)?;
    let (mut rows, mut conditions) = (None, Vec::new());
    for (name, value) in given {
        match name.as_str() {
            "limit" => rows = Some(rows_wanted(value, MOST)?),
            _ => conditions.push((name.as_str(), value.as_str())),
        }
    }
    let key: Vec<Value> = key(&view.table, &conditions, false).map_err(wrong_key)?;
    let columns = view.table.logical_partition();
    if key.len() != columns.len() {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let detail = format!("{name}: name all of {} and nothing else.", names.join(", "));
        return Err(Problem::new(BAD_PARAMETER, detail));
    }
    Ok(Wanted::View(Box::new(Request {
        viewed: Viewed {
            channel: channel.clone(),
            view: Arc::clone(view),
            key,
            partitions: partitions(channel)?,
        },
        permit,
        longs,
        limit: rows,
        token,
        expiry,
        signs: gateway.resume_key().clone(),
        ending: gateway.ending(),
        meter: gateway.shared_meter(),
    })))
}

/// The same of what a domain has of its own.
fn of_own(
    gateway: &Gateway,
    principal: &Principal,
    own: &Arc<Own>,
    given: &[(String, String)],
    token: Option<String>,
    expiry: Expiry,
) -> Result<Wanted, Problem> {
    let Some(live) = own.resource.live() else {
        return Err(Problem::new(UNKNOWN, "It cannot be subscribed to."));
    };
    let (most, usually) = live.limits();
    let (mut items, mut id) = (usually, None);
    for (name, value) in given {
        match name.as_str() {
            "limit" => items = rows_wanted(value, most)?,
            name if name == live.parameter() => id = Some(value.clone()),
            other => {
                let detail = format!("{}: this address takes {} and limit.", short(other), live.parameter());
                return Err(Problem::new(BAD_PARAMETER, detail).with("parameter", other));
            }
        }
    }
    let Some(id) = id.filter(|id| !id.is_empty() && id.len() <= MAX_KEY_BYTES) else {
        let detail = format!("{}: say whose it is.", live.parameter());
        return Err(Problem::new(BAD_PARAMETER, detail).with("parameter", live.parameter()));
    };
    if !(own.resource.is_public() || principal.is_trusted() || principal.user() == Some(&*id)) {
        let detail = format!("What belongs to {} is for that user alone.", short(&id));
        return Err(Problem::new(FORBIDDEN, detail));
    }
    Ok(Wanted::Own(OwnRequest {
        own: Arc::clone(own),
        id,
        partitions: partitions(&own.channel)?,
        limit: items,
        token,
        expiry,
        signs: gateway.resume_key().clone(),
        ending: gateway.ending(),
    }))
}

/// How many partitions a domain has, while its log answers.
fn partitions(channel: &Channel) -> Result<i32, Problem> {
    let line = channel.line().map_err(|Away(why)| {
        tracing::debug!("no stream is begun: {why}");
        Problem::new(LOG_AWAY, "Changes cannot be read now; ask again.").retry_after(1)
    })?;
    Ok(line.partitions)
}

/// What is said, as it comes, to a client that reads server-sent events.
fn events(said: mpsc::Receiver<Spoken>) -> Response {
    let body = Body::new(Events { said, begins: true });
    let mut response = body.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // proxies that collect answers are asked not to
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An answer that goes on as long as something is said.
struct Events {
    said: mpsc::Receiver<Spoken>,
    begins: bool,
}

impl axum::body::HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if std::mem::take(&mut self.begins) {
            // sent at once, so that the client knows that somebody is there
            let first = format!("retry: {RETRY_MS}\n\n");
            return Poll::Ready(Some(Ok(http_body::Frame::data(first.into()))));
        }
        let next = std::task::ready!(self.said.poll_recv(context));
        Poll::Ready(next.map(|said| Ok(http_body::Frame::data(written(&said.0, said.1.as_deref()).into()))))
    }
}

/// One thing that is said, as the HTML standard wants it (section 9.2.6). JSON has no line breaks.
fn written(event: &Event, token: Option<&str>) -> String {
    let id = token.map(|token| format!("id: {token}\n")).unwrap_or_default();
    match event.name() {
        Some(name) => format!("event: {name}\n{id}data: {}\n\n", event.data()),
        // without data nothing happens at the client, but it knows the token from now on
        None if token.is_some() => format!("{id}\n"),
        None => ":\n\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::live::Ended;

    #[test]
    fn events_are_written_as_browsers_read_them() {
        let change = Event::Change { key: json!({"id": "a\nb"}), row: json!(null), trace: None };
        assert_eq!(
            written(&change, Some("T")),
            "event: change\nid: T\ndata: {\"key\":{\"id\":\"a\\nb\"},\"row\":null}\n\n"
        );
        assert_eq!(written(&Event::Live, None), "event: live\ndata: {}\n\n");
        assert_eq!(written(&Event::Beat, Some("T")), "id: T\n\n");
        assert_eq!(written(&Event::Beat, None), ":\n\n");
        assert_eq!(written(&Event::End(Ended::Leaving), Some("T")), "id: T\n\n");
        assert!(written(&Event::End(Ended::Expired), None).starts_with("event: error\ndata: {"));
    }
}
