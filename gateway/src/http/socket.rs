//! `GET /v1/socket`: subscriptions and commands in JSON frames over one WebSocket (RFC 6455). docs/http-api.md lists the frames.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Bytes, to_bytes};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, timeout};

use super::commands;
use super::problem::{BAD_PARAMETER, BUSY, INVALID, MALFORMED, Problem, SLOW, UNAUTHENTICATED};
use super::streams::wanted;
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::live::{Ended, Event};
use crate::message::{from_json, short};
use crate::token::Key;
use crate::view::Longs;

/// Subscriptions of one socket.
const MOST_SUBSCRIPTIONS: usize = 1_000;
/// Commands of one socket that wait for their outcomes.
const MOST_COMMANDS: usize = 64;
/// Frames that wait to be taken by the client.
const WAITING: usize = 16;
/// The longest name that a client gives to a subscription or a command, in characters.
const LONGEST_ID: usize = 64;
/// How long a client may take to say who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(10);
/// How often a client is asked whether it is there, and how long it may be silent.
const PING_EVERY: Duration = Duration::from_secs(15);
const SILENT: Duration = Duration::from_secs(45);
/// How long a client may take nothing.
const STALLED: Duration = Duration::from_secs(30);

/// Codes with which a socket is closed: of the RFC, and of our own from 4000 on, as it wants.
const GOING_AWAY: u16 = 1001;
const POLICY: u16 = 1008;
const EXPIRED: u16 = 4401;

/// Opens a socket. Who asks is known by `Authorization`, or says so in the first frame.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    Extension(found): Extension<Result<Principal, Problem>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        Problem::new(BAD_PARAMETER, "This address is for WebSockets; ask for one with Upgrade: websocket.")
    })?;
    let most = gateway.limits().body_bytes;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    Ok(upgrade.on_upgrade(move |socket| async move { Serving::new(gateway, found.ok()).run(socket).await }))
}

/// A socket that is open.
struct Serving {
    gateway: Gateway,
    principal: Option<Principal>,
    frames: mpsc::Sender<Frame>,
    said: mpsc::Receiver<Frame>,
    subscriptions: HashMap<String, JoinHandle<()>>,
    commands: Arc<Semaphore>,
}

/// What has come.
enum Came {
    /// This gateway ends.
    Ending,
    /// Something to be sent.
    Frame(Frame),
    Message(Message),
    /// It is time to ask whether the client is there.
    Ping,
    /// Nobody has said who it is.
    Silent,
    Gone,
}

/// What is sent to the client.
enum Frame {
    Say(Json),
    /// The subscription has ended.
    Over(String, Json),
    Close(u16, &'static str),
}

impl Serving {
    fn new(gateway: Gateway, principal: Option<Principal>) -> Self {
        let (frames, said) = mpsc::channel(WAITING);
        let commands = Arc::new(Semaphore::new(MOST_COMMANDS));
        Self { gateway, principal, frames, said, subscriptions: HashMap::new(), commands }
    }

    async fn run(mut self, mut socket: WebSocket) {
        let began = Instant::now();
        let mut heard_at = began;
        let mut pings = interval_at(began + PING_EVERY, PING_EVERY);
        let mut ending = self.gateway.ending();
        let closing = loop {
            let unknown = self.principal.is_none();
            let came = tokio::select! {
                biased;
                () = told(&mut ending) => Came::Ending,
                frame = self.said.recv() => frame.map_or(Came::Gone, Came::Frame),
                received = socket.recv() => match received {
                    None | Some(Err(_) | Ok(Message::Close(_))) => Came::Gone,
                    Some(Ok(message)) => Came::Message(message),
                },
                _ = pings.tick() => Came::Ping,
                () = tokio::time::sleep_until(began + AUTH_WITHIN), if unknown => Came::Silent,
            };
            match came {
                Came::Ending => {
                    // streams say where they go on, each, and end
                    self.drain(&mut socket).await;
                    break Some((GOING_AWAY, "this gateway is ending; go on at another"));
                }
                Came::Frame(Frame::Close(code, why)) => {
                    self.drain(&mut socket).await;
                    break Some((code, why));
                }
                Came::Frame(frame) => {
                    if !self.send(&mut socket, frame).await {
                        break None;
                    }
                }
                Came::Message(message) => {
                    heard_at = Instant::now();
                    match message {
                        Message::Text(text) => self.heard(&text).await,
                        Message::Binary(_) => {
                            self.refuse(None, &Problem::new(MALFORMED, "A frame is a text of JSON."));
                        }
                        _ => {}
                    }
                }
                Came::Ping => {
                    let is_there = heard_at.elapsed() <= SILENT;
                    if !(is_there && sent(&mut socket, Message::Ping(Bytes::new())).await) {
                        break None;
                    }
                }
                Came::Silent => break Some((POLICY, "send {\"op\": \"auth\", \"token\": …} first")),
                Came::Gone => break None,
            }
        };
        self.subscriptions.values().for_each(JoinHandle::abort);
        if let Some((code, why)) = closing {
            let reason = Utf8Bytes::from_static(why);
            sent(&mut socket, Message::Close(Some(CloseFrame { code, reason }))).await;
        }
    }

    /// Sends what is said until all subscriptions have ended, for a moment at most.
    async fn drain(&mut self, socket: &mut WebSocket) {
        let until = Instant::now() + Duration::from_secs(2);
        while !self.subscriptions.is_empty() {
            let said = tokio::time::timeout_at(until, self.said.recv()).await;
            let Ok(Some(frame)) = said else { return };
            if !self.send(socket, frame).await {
                return;
            }
        }
    }

    async fn send(&mut self, socket: &mut WebSocket, frame: Frame) -> bool {
        let json = match frame {
            Frame::Say(json) => json,
            Frame::Over(id, json) => {
                self.subscriptions.remove(&id);
                json
            }
            Frame::Close(..) => return true,
        };
        json.is_null() || sent(socket, Message::Text(json.to_string().into())).await
    }

    /// Says what is wrong with a frame.
    fn refuse(&self, id: Option<&str>, problem: &Problem) {
        let frame = Frame::Say(json!({"op": "error", "id": id, "problem": problem.json()}));
        // the reader of frames is this task: it must not wait for itself
        if self.frames.try_send(frame).is_err() {
            let frames = self.frames.clone();
            drop(frames.try_send(Frame::Close(POLICY, "frames come faster than their answers are taken")));
        }
    }

    async fn heard(&mut self, text: &str) {
        let members = match from_json(text) {
            Ok(Json::Object(members)) => members,
            Ok(_) => return self.refuse(None, &Problem::new(INVALID, "A frame is an object.")),
            Err(error) => {
                let problem = Problem::new(MALFORMED, format!("The frame is not JSON: {error}."));
                return self.refuse(None, &problem);
            }
        };
        let id = members.get("id").and_then(Json::as_str).map(str::to_owned);
        if let Err(problem) = self.take(members, id.as_deref()).await {
            self.refuse(id.as_deref(), &problem);
        }
    }

    async fn take(&mut self, members: Map<String, Json>, id: Option<&str>) -> Result<(), Problem> {
        let op = text(&members, "op")?;
        if op == "auth" {
            known(&members, &["op", "id", "token"])?;
            self.principal = Some(self.gateway.authenticator().of_token(text(&members, "token")?).await?);
            return Ok(());
        }
        let Some(principal) = self.principal.clone() else {
            return Err(Problem::new(UNAUTHENTICATED, "Send {\"op\": \"auth\", \"token\": …} first."));
        };
        let id = id.filter(|id| !id.is_empty() && id.chars().count() <= LONGEST_ID).ok_or_else(|| {
            Problem::new(
                INVALID,
                format!("id: give a name of up to {LONGEST_ID} characters, for the answers."),
            )
        })?;
        match op {
            "subscribe" => self.subscribe(&principal, id, &members),
            "unsubscribe" => {
                known(&members, &["op", "id"])?;
                let subscription = self.subscriptions.remove(id);
                let none = || Problem::new(INVALID, format!("There is no subscription {}.", short(id)));
                subscription.ok_or_else(none).map(|subscription| subscription.abort())
            }
            "command" => self.command(&principal, id, members),
            other => {
                let detail =
                    format!("op: {} is none of auth, subscribe, unsubscribe, command.", short(other));
                Err(Problem::new(INVALID, detail))
            }
        }
    }

    fn subscribe(
        &mut self,
        principal: &Principal,
        id: &str,
        members: &Map<String, Json>,
    ) -> Result<(), Problem> {
        known(members, &["op", "id", "domain", "view", "key", "limit", "token", "longs"])?;
        if self.subscriptions.contains_key(id) {
            return Err(Problem::new(INVALID, format!("There is a subscription {} already.", short(id))));
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let detail = format!("A socket has at most {MOST_SUBSCRIPTIONS} subscriptions.");
            return Err(Problem::new(BUSY, detail));
        }
        let mut given = Vec::new();
        match members.get("key") {
            Some(Json::Object(key)) => {
                for (name, value) in key {
                    let value = match value {
                        Json::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    given.push((name.clone(), value));
                }
            }
            None => {}
            Some(_) => {
                return Err(Problem::new(INVALID, "key: give the partition key of the view as an object."));
            }
        }
        given.extend(members.get("limit").map(|limit| ("limit".to_owned(), limit.to_string())));
        let token = match members.get("token") {
            None | Some(Json::Null) => None,
            Some(_) => Some(text(members, "token")?.to_owned()),
        };
        let at = (text(members, "domain")?, text(members, "view")?);
        let expiry = watch::channel(principal.expires_at()).1;
        let wanted = wanted(&self.gateway, principal, at, &given, longs(members)?, token, expiry)?;
        let (out, mut said) = mpsc::channel(4);
        let (frames, id) = (self.frames.clone(), id.to_owned());
        let name = id.clone();
        let passing = tokio::spawn(async move {
            let running = tokio::spawn(wanted.run(out));
            let mut is_live = false;
            while let Some((event, token)) = said.recv().await {
                match &event {
                    Event::Live => is_live = true,
                    Event::Reset { .. } | Event::Snapshot { .. } => is_live = false,
                    // a token alone says that the copy is exact there
                    Event::Beat if !is_live => continue,
                    _ => {}
                }
                for frame in of_event(&id, event, token) {
                    if frames.send(frame).await.is_err() {
                        return;
                    }
                }
            }
            drop(running);
        });
        self.subscriptions.insert(name, passing);
        Ok(())
    }

    fn command(
        &self,
        principal: &Principal,
        id: &str,
        mut members: Map<String, Json>,
    ) -> Result<(), Problem> {
        known(&members, &["op", "id", "domain", "type", "key", "data", "metadata", "wait", "longs"])?;
        let Ok(place) = Arc::clone(&self.commands).try_acquire_owned() else {
            let detail = format!(
                "{MOST_COMMANDS} commands of this socket wait for their outcomes already. Nothing was sent."
            );
            return Err(Problem::new(BUSY, detail));
        };
        let key = match members.get("key") {
            None | Some(Json::Null) => Key::made(),
            Some(_) => Key::read(text(&members, "key")?.as_bytes())
                .map_err(|why| Problem::new(INVALID, format!("key: {why}.")))?,
        };
        let (domain, kind) = (text(&members, "domain")?.to_owned(), text(&members, "type")?.to_owned());
        let mut headers = HeaderMap::new();
        if longs(&members)? == Longs::Texts {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json; longs=string"));
        }
        if let Some(wait) = members.get("wait") {
            let seconds =
                wait.as_u64().ok_or_else(|| Problem::new(INVALID, "wait: a whole number of seconds."))?;
            let prefer = HeaderValue::from_str(&format!("wait={seconds}"));
            headers.extend(prefer.ok().map(|prefer| (header::HeaderName::from_static("prefer"), prefer)));
        }
        let mut body = Map::new();
        for member in ["data", "metadata"] {
            body.extend(members.remove(member).map(|value| (member.to_owned(), value)));
        }
        let (gateway, principal, frames) = (self.gateway.clone(), principal.clone(), self.frames.clone());
        let id = id.to_owned();
        tokio::spawn(async move {
            let at = (domain.as_str(), kind.as_str());
            let sent = commands::send(&gateway, &principal, at, key, Json::Object(body), &headers).await;
            let frame = match sent {
                Ok(response) => outcome(&id, response).await,
                Err(problem) => json!({"op": "error", "id": id, "problem": problem.json()}),
            };
            // who asked may have gone
            drop(frames.send(Frame::Say(frame)).await);
            drop(place);
        });
        Ok(())
    }
}

/// What a stream says, as frames.
fn of_event(id: &str, event: Event, token: Option<String>) -> Vec<Frame> {
    let with = |op: &str, data: Json| {
        let mut frame = Map::from_iter([("op".to_owned(), op.into()), ("id".to_owned(), id.into())]);
        if let Json::Object(members) = data {
            frame.extend(members);
        }
        frame.extend(token.clone().map(|token| ("token".to_owned(), token.into())));
        Json::Object(frame)
    };
    match event {
        Event::End(ended) => {
            let problem = |problem: &Problem| with("error", json!({"problem": problem.json()}));
            match ended {
                Ended::Leaving => {
                    let leaving =
                        Problem::new(BUSY, "This gateway is ending; go on from the token at another.");
                    vec![Frame::Over(id.to_owned(), problem(&leaving))]
                }
                Ended::Slow => {
                    let slow = Problem::new(SLOW, "More has changed than was taken; go on from the token.");
                    vec![Frame::Over(id.to_owned(), problem(&slow))]
                }
                Ended::Trouble(trouble) => vec![Frame::Over(id.to_owned(), problem(&trouble))],
                Ended::Expired => {
                    let expired = Problem::new(UNAUTHENTICATED, "The credentials have expired.");
                    vec![
                        Frame::Over(id.to_owned(), problem(&expired)),
                        Frame::Close(EXPIRED, "the credentials have expired; go on with new ones"),
                    ]
                }
            }
        }
        // a sign of life is the socket's own
        Event::Beat if token.is_none() => Vec::new(),
        Event::Beat => vec![Frame::Say(with("live", json!({})))],
        other => vec![Frame::Say(with(other.name().unwrap_or("live"), other.data()))],
    }
}

/// An answer to a command as a frame.
async fn outcome(id: &str, response: Response) -> Json {
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
        _ => json!({"op": "error", "id": id, "problem": body}),
    }
}

/// Returns when this gateway ends.
async fn told(ending: &mut watch::Receiver<bool>) {
    // whoever would tell is gone only with everything else
    drop(ending.wait_for(|ending| *ending).await);
}

async fn sent(socket: &mut WebSocket, message: Message) -> bool {
    timeout(STALLED, socket.send(message)).await.is_ok_and(|sent| sent.is_ok())
}

fn text<'m>(members: &'m Map<String, Json>, name: &str) -> Result<&'m str, Problem> {
    let value = members.get(name).and_then(Json::as_str);
    value.ok_or_else(|| Problem::new(INVALID, format!("{name}: a text is missing.")))
}

fn longs(members: &Map<String, Json>) -> Result<Longs, Problem> {
    match members.get("longs").map(Json::as_str) {
        None | Some(Some("number")) => Ok(Longs::Numbers),
        Some(Some("string")) => Ok(Longs::Texts),
        Some(_) => Err(Problem::new(INVALID, "longs: \"number\" or \"string\".")),
    }
}

/// Whether a frame has these members only.
fn known(members: &Map<String, Json>, known: &[&str]) -> Result<(), Problem> {
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

    fn frames(event: Event, token: Option<&str>) -> Vec<Json> {
        let frame = |frame| match frame {
            Frame::Say(json) | Frame::Over(_, json) => json,
            Frame::Close(code, _) => json!(code),
        };
        of_event("s", event, token.map(str::to_owned)).into_iter().map(frame).collect()
    }

    #[test]
    fn what_a_stream_says_becomes_frames() {
        let change = Event::Change { key: json!({"id": 1}), row: Json::Null };
        let wanted = json!({"op": "change", "id": "s", "key": {"id": 1}, "row": null, "token": "T"});
        assert_eq!(frames(change, Some("T")), [wanted]);
        assert_eq!(frames(Event::Live, None), [json!({"op": "live", "id": "s"})]);
        assert_eq!(frames(Event::Beat, None), [Json::Null; 0]);
        assert_eq!(frames(Event::Beat, Some("T")), [json!({"op": "live", "id": "s", "token": "T"})]);
        let expired = frames(Event::End(Ended::Expired), Some("T"));
        assert_eq!((&expired[0]["op"], &expired[0]["token"]), (&json!("error"), &json!("T")));
        assert_eq!(expired[1], json!(EXPIRED));
        let slow = &frames(Event::End(Ended::Slow), Some("T"))[0];
        assert_eq!((&slow["op"], &slow["token"]), (&json!("error"), &json!("T")));
        assert_eq!(slow["problem"]["type"], "urn:millrace:problem:slow");
    }
}
