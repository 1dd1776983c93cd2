//! `GET /v1/socket`: subscriptions and commands in JSON frames over one WebSocket (RFC 6455). docs/http-api.md lists the frames.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Bytes, to_bytes};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value as Json, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, sleep, sleep_until, timeout, timeout_at};
use tokio_tungstenite::tungstenite;

use super::commands;
use super::problem::{BAD_PARAMETER, BUSY, INVALID, MALFORMED, NO_ANSWER, Problem, SLOW, UNAUTHENTICATED};
use super::streams::wanted;
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::live::{Ended, Event, expired, left};
use crate::message::{from_json, short};
use crate::token::Key;
use crate::view::Longs;

/// Subscriptions of one socket.
const MOST_SUBSCRIPTIONS: usize = 1_000;
/// Commands of one socket that wait for their outcomes.
const MOST_COMMANDS: usize = 64;
/// Frames of each kind that wait to be taken by the client.
const WAITING: usize = 16;
/// Frames of somebody who is not known, one behind the other, after which a socket is closed.
const MOST_REFUSALS: u32 = 10;
/// The longest name that a client gives to a subscription or a command, in characters.
const LONGEST_ID: usize = 64;
/// How long a client may take to say who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(10);
/// How often a client is asked whether it is there, and how long it may be silent.
const PING_EVERY: Duration = Duration::from_secs(15);
const SILENT: Duration = Duration::from_secs(45);
/// How long a client may take nothing.
const STALLED: Duration = Duration::from_secs(30);
/// For how long subscriptions and commands are waited for once a socket is to be closed: a moment longer than commands wait once the
/// gateway is to end.
const DRAIN: Duration = Duration::from_secs(4);
/// How long a client may take to answer that a socket is closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
/// How long is waited, of somebody to whom nobody listens any more, until it may have read why.
const LINGER: Duration = Duration::from_millis(500);

/// Codes with which a socket is closed: of the RFC, and of our own from 4000 on, as it wants.
const GOING_AWAY: u16 = 1001;
const PROTOCOL: u16 = 1002;
const NO_TEXT: u16 = 1007;
const POLICY: u16 = 1008;
const TOO_LONG: u16 = 1009;
const EXPIRED: u16 = 4401;

/// Opens a socket. Who asks is known by `Authorization`, or says so in the first frame.
pub(super) async fn get(
    State(gateway): State<Gateway>,
    Extension(found): Extension<Result<Principal, Problem>>,
    extensions: Extensions,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|_| {
        Problem::new(BAD_PARAMETER, "This address is for WebSockets; ask for one with Upgrade: websocket.")
    })?;
    let client = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let most = gateway.limits().body_bytes;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    let open = gateway.sockets().opened();
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        let closing = Serving::new(gateway, client, found.ok()).run(&mut socket).await;
        close(socket, closing).await;
        drop(open);
    }))
}

/// A socket that is open.
struct Serving {
    gateway: Gateway,
    /// Where the client is, where that is known.
    client: Option<IpAddr>,
    principal: Option<Principal>,
    /// Until when the principal is known: what its subscriptions go by.
    expiry: watch::Sender<Option<i64>>,
    /// How often somebody was not known, one time behind the other.
    refused: u32,
    answers: mpsc::Sender<Frame>,
    changes: mpsc::Sender<Frame>,
    said: Said,
    subscriptions: HashMap<String, Subscribed>,
    /// How many subscriptions there have been.
    numbers: u64,
    commands: Arc<Semaphore>,
}

/// What waits to be sent.
struct Said {
    /// Of commands: come first.
    answers: mpsc::Receiver<Frame>,
    /// Of subscriptions.
    changes: mpsc::Receiver<Frame>,
}

/// A subscription of the client.
struct Subscribed {
    number: u64,
    passing: JoinHandle<()>,
}

/// What has come.
enum Came {
    /// This gateway ends.
    Ending,
    /// It is not known any more who asks.
    Expired,
    /// Something to be sent.
    Frame(Frame),
    Message(Message),
    /// It is time to ask whether the client is there.
    Ping,
    /// Nobody has said who it is.
    Silent,
    /// The client has closed it.
    Closed,
    /// What has come is nothing that could be read.
    Broken(u16, &'static str),
    Gone,
}

/// What is sent to the client.
enum Frame {
    /// The answer to a command, which has its place until it is sent.
    Answer(Json, OwnedSemaphorePermit),
    /// Of the subscription of this name and number.
    Of { id: String, number: u64, json: Json, is_last: bool },
}

/// How a socket ends.
enum Closing {
    /// We close it.
    With(u16, &'static str),
    /// The client has closed it, and gets its answer.
    Answered,
    Gone,
}

impl Said {
    async fn next(&mut self) -> Frame {
        let frame = tokio::select! {
            biased;
            answer = self.answers.recv() => answer,
            change = self.changes.recv() => change,
        };
        match frame {
            Some(frame) => frame,
            // whoever reads it has a sender
            None => std::future::pending().await,
        }
    }
}

impl Serving {
    fn new(gateway: Gateway, client: Option<IpAddr>, principal: Option<Principal>) -> Self {
        let (answers, answered) = mpsc::channel(WAITING);
        let (changes, changed) = mpsc::channel(WAITING);
        let expires_at = principal.as_ref().and_then(Principal::expires_at);
        Self {
            gateway,
            client,
            principal,
            expiry: watch::Sender::new(expires_at),
            refused: 0,
            answers,
            changes,
            said: Said { answers: answered, changes: changed },
            subscriptions: HashMap::new(),
            numbers: 0,
            commands: Arc::new(Semaphore::new(MOST_COMMANDS)),
        }
    }

    async fn run(mut self, socket: &mut WebSocket) -> Closing {
        let closing = self.serve(socket).await;
        self.subscriptions.values().for_each(|subscription| subscription.passing.abort());
        closing
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> Closing {
        let began = Instant::now();
        let mut heard_at = began;
        let mut pings = interval_at(began + PING_EVERY, PING_EVERY);
        let mut ending = self.gateway.ending();
        let clock = Arc::clone(self.gateway.clock());
        loop {
            let unknown = self.principal.is_none();
            let expiry = self.expiry.subscribe();
            let came = tokio::select! {
                biased;
                () = told(&mut ending) => Came::Ending,
                () = expired(&*clock, expiry) => Came::Expired,
                _ = pings.tick() => Came::Ping,
                () = sleep_until(began + AUTH_WITHIN), if unknown => Came::Silent,
                // by chance, so that neither side keeps the other waiting
                came = async {
                    tokio::select! {
                        frame = self.said.next() => Came::Frame(frame),
                        received = socket.recv() => heard(received),
                    }
                } => came,
            };
            match came {
                Came::Ending => {
                    // streams say where they go on, each, and end
                    self.drain(socket).await;
                    return Closing::With(GOING_AWAY, "this gateway is ending; go on at another");
                }
                Came::Expired => {
                    self.expiry.send_replace(Some(0));
                    self.drain(socket).await;
                    return Closing::With(EXPIRED, "the credentials have expired; go on with new ones");
                }
                Came::Frame(frame) => {
                    if !self.send(socket, frame).await {
                        return Closing::Gone;
                    }
                }
                Came::Message(message) => {
                    heard_at = Instant::now();
                    let refused = match message {
                        Message::Text(text) => self.heard(&text).await,
                        Message::Binary(_) => {
                            Err((None, Problem::new(MALFORMED, "A frame is a text of JSON.")))
                        }
                        _ => Ok(()),
                    };
                    // answered before anything else is listened to: who does not take that is not heard
                    if let Err((id, problem)) = refused
                        && !said(socket, &error(id.as_deref(), &problem)).await
                    {
                        return Closing::Gone;
                    }
                    if self.refused >= MOST_REFUSALS {
                        return Closing::With(POLICY, "nobody knows who you are");
                    }
                }
                Came::Ping => {
                    let is_there = heard_at.elapsed() <= SILENT;
                    if !(is_there && sent(socket, Message::Ping(Bytes::new())).await) {
                        return Closing::Gone;
                    }
                }
                Came::Silent => return Closing::With(POLICY, "send {\"op\": \"auth\", \"token\": …} first"),
                Came::Closed => return Closing::Answered,
                Came::Broken(code, why) => return Closing::With(code, why),
                Came::Gone => return Closing::Gone,
            }
        }
    }

    /// Sends what is said until all subscriptions have ended and all commands are answered, for a while at most.
    async fn drain(&mut self, socket: &mut WebSocket) {
        let until = Instant::now() + DRAIN;
        while !self.subscriptions.is_empty() || self.commands.available_permits() < MOST_COMMANDS {
            let Ok(frame) = timeout_at(until, self.said.next()).await else { return };
            let Ok(true) = timeout_at(until, self.send(socket, frame)).await else { return };
        }
    }

    async fn send(&mut self, socket: &mut WebSocket, frame: Frame) -> bool {
        match frame {
            Frame::Answer(json, place) => {
                let is_sent = said(socket, &json).await;
                drop(place);
                is_sent
            }
            Frame::Of { id, number, json, is_last } => {
                // what was on its way when the client has ended it
                if self.subscriptions.get(&id).is_none_or(|subscription| subscription.number != number) {
                    return true;
                }
                if is_last {
                    self.subscriptions.remove(&id);
                }
                said(socket, &json).await
            }
        }
    }

    /// Takes a frame, or says what is wrong with it.
    async fn heard(&mut self, text: &str) -> Result<(), (Option<String>, Problem)> {
        let members = match from_json(text) {
            Ok(Json::Object(members)) => members,
            Ok(_) => return Err((None, Problem::new(INVALID, "A frame is an object."))),
            Err(error) => {
                return Err((None, Problem::new(MALFORMED, format!("The frame is not JSON: {error}."))));
            }
        };
        let id = members.get("id").and_then(Json::as_str).map(str::to_owned);
        self.take(members, id.as_deref()).await.map_err(|problem| (id, problem))
    }

    /// It is not known who this is.
    fn refuse(&mut self, problem: Problem) -> Problem {
        self.refused += 1;
        if problem.status() == StatusCode::UNAUTHORIZED {
            self.gateway.front().refused(self.client);
        }
        problem
    }

    async fn take(&mut self, members: Map<String, Json>, id: Option<&str>) -> Result<(), Problem> {
        let op = text(&members, "op")?;
        if op == "auth" {
            known(&members, &["op", "id", "token"])?;
            let token = text(&members, "token")?;
            let found = self.gateway.front().of_token(self.client, token).await;
            let principal = found.map_err(|problem| self.refuse(problem))?;
            self.is(principal);
            return Ok(());
        }
        let Some(principal) = self.principal.clone() else {
            let problem = Problem::new(UNAUTHENTICATED, "Send {\"op\": \"auth\", \"token\": …} first.");
            return Err(self.refuse(problem));
        };
        if left(&**self.gateway.clock(), principal.expires_at()).is_some_and(|left| left.is_zero()) {
            return Err(self.refuse(Problem::new(UNAUTHENTICATED, "The credentials have expired.")));
        }
        let id = id.filter(|id| !id.is_empty() && id.chars().count() <= LONGEST_ID).ok_or_else(|| {
            Problem::new(
                INVALID,
                format!("id: give a name of up to {LONGEST_ID} characters, for the answers."),
            )
        })?;
        // as what is asked without a socket, at the same routes
        let counted = match op {
            "subscribe" => Some((Method::GET, "/v1/streams/{domain}/{view}")),
            "command" => Some((Method::POST, "/v1/commands/{domain}/{kind}")),
            _ => None,
        };
        if let Some((method, route)) = counted {
            self.gateway.front().count(&method, &principal, route)?;
        }
        match op {
            "subscribe" => self.subscribe(&principal, id, &members),
            "unsubscribe" => {
                known(&members, &["op", "id"])?;
                let subscription = self.subscriptions.remove(id);
                let none = || Problem::new(INVALID, format!("There is no subscription {}.", short(id)));
                subscription.ok_or_else(none).map(|subscription| subscription.passing.abort())
            }
            "command" => self.command(&principal, id, members),
            other => {
                let detail =
                    format!("op: {} is none of auth, subscribe, unsubscribe, command.", short(other));
                Err(Problem::new(INVALID, detail))
            }
        }
    }

    /// This is who asks from now on. Subscriptions of the same go on for as long; those of another end, each with its token.
    fn is(&mut self, principal: Principal) {
        self.refused = 0;
        let expires_at = principal.expires_at();
        match self.principal.as_ref().is_none_or(|before| before.is_same(&principal)) {
            true => drop(self.expiry.send_replace(expires_at)),
            false => {
                self.expiry.send_replace(Some(0));
                self.expiry = watch::Sender::new(expires_at);
            }
        }
        self.principal = Some(principal);
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
                        Json::Number(_) | Json::Bool(_) => value.to_string(),
                        Json::Null | Json::Array(_) | Json::Object(_) => {
                            let detail =
                                format!("key.{}: give a text, a number or a truth value.", short(name));
                            return Err(Problem::new(INVALID, detail));
                        }
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
        let expiry = self.expiry.subscribe();
        let wanted = wanted(&self.gateway, principal, at, &given, longs(members)?, token, expiry)?;
        let (out, mut said) = mpsc::channel(4);
        self.numbers += 1;
        let (changes, name, number) = (self.changes.clone(), id.to_owned(), self.numbers);
        let passing = tokio::spawn(async move {
            let of = |json, is_last| Frame::Of { id: name.clone(), number, json, is_last };
            tokio::spawn(wanted.run(out));
            let mut is_live = false;
            while let Some(said) = said.recv().await {
                let (event, token) = *said;
                match &event {
                    Event::Live => is_live = true,
                    Event::Reset { .. } | Event::Snapshot { .. } => is_live = false,
                    // a token alone says that the copy is exact there
                    Event::Beat if !is_live => continue,
                    _ => {}
                }
                let is_last = matches!(event, Event::End(_));
                let Some(json) = of_event(&name, event, token) else { continue };
                if changes.send(of(json, is_last)).await.is_err() || is_last {
                    return;
                }
            }
            // it has failed: who asked may have gone
            let failed = Problem::new(NO_ANSWER, "The subscription has failed; go on from the last token.");
            drop(changes.send(of(error(Some(&name), &failed), true)).await);
        });
        self.subscriptions.insert(id.to_owned(), Subscribed { number, passing });
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
        let (gateway, principal, answers) = (self.gateway.clone(), principal.clone(), self.answers.clone());
        let (id, of) = (id.to_owned(), id.to_owned());
        tokio::spawn(async move {
            let asked = tokio::spawn(async move {
                let at = (domain.as_str(), kind.as_str());
                let sent = commands::send(&gateway, &principal, at, key, Json::Object(body), &headers).await;
                match sent {
                    Ok(response) => outcome(&of, response).await,
                    Err(problem) => error(Some(&of), &problem),
                }
            });
            let json = asked.await.unwrap_or_else(|_| {
                let detail = "Something has failed. Whether the command has arrived is not known: send it again under the same \
                              key, it is decided once.";
                error(Some(&id), &Problem::new(NO_ANSWER, detail))
            });
            // who asked may have gone
            drop(answers.send(Frame::Answer(json, place)).await);
        });
        Ok(())
    }
}

/// What a stream says, as a frame.
fn of_event(id: &str, event: Event, token: Option<String>) -> Option<Json> {
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
fn error(id: Option<&str>, problem: &Problem) -> Json {
    json!({"op": "error", "id": id, "problem": written(problem)})
}

/// A problem without the headers that an answer has: what stands in `Retry-After` is a member here.
fn written(problem: &Problem) -> Json {
    with_retry_after(problem.json(), problem.header(&header::RETRY_AFTER))
}

fn with_retry_after(mut problem: Json, retry_after: Option<&HeaderValue>) -> Json {
    let seconds = retry_after.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let (Json::Object(members), Some(seconds)) = (&mut problem, seconds) {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    problem
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
        _ => {
            let problem = with_retry_after(body, parts.headers.get(header::RETRY_AFTER));
            json!({"op": "error", "id": id, "problem": problem})
        }
    }
}

/// Returns when this gateway ends.
async fn told(ending: &mut watch::Receiver<bool>) {
    // whoever would tell is gone only with everything else
    drop(ending.wait_for(|ending| *ending).await);
}

/// What was received.
fn heard(received: Option<Result<Message, axum::Error>>) -> Came {
    match received {
        None => Came::Gone,
        Some(Ok(Message::Close(_))) => Came::Closed,
        Some(Ok(message)) => Came::Message(message),
        Some(Err(error)) => match error.into_inner().downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => Came::Broken(TOO_LONG, "a frame is too long"),
            Some(tungstenite::Error::Utf8(_)) => Came::Broken(NO_TEXT, "a frame is a text in UTF-8"),
            Some(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => Came::Gone,
            Some(tungstenite::Error::Protocol(_)) => Came::Broken(PROTOCOL, "this is no WebSocket"),
            _ => Came::Gone,
        },
    }
}

/// Closes a socket: says so, and reads on until the client has answered. Whatever was unread when a connection ends would take the
/// last words with it.
async fn close(mut socket: WebSocket, closing: Closing) {
    let code = match closing {
        Closing::Gone => return,
        Closing::Answered => None,
        Closing::With(code, why) => {
            let reason = Utf8Bytes::from_static(why);
            if !sent(&mut socket, Message::Close(Some(CloseFrame { code, reason }))).await {
                return;
            }
            Some(code)
        }
    };
    let answered = async { while let Some(Ok(_)) = socket.recv().await {} };
    drop(timeout(CLOSED_WITHIN, answered).await);
    if matches!(code, Some(PROTOCOL | NO_TEXT | TOO_LONG)) {
        // nothing can be read of it any more
        sleep(LINGER).await;
    }
}

async fn said(socket: &mut WebSocket, json: &Json) -> bool {
    sent(socket, Message::Text(json.to_string().into())).await
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

    fn frame(event: Event, token: Option<&str>) -> Option<Json> {
        of_event("s", event, token.map(str::to_owned))
    }

    #[test]
    fn what_a_stream_says_becomes_frames() {
        let change = Event::Change { key: json!({"id": 1}), row: Json::Null };
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
