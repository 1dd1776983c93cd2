//! `GET /v1/socket`: subscriptions and commands in JSON frames over one WebSocket (RFC 6455). docs/http-api.md lists the frames.
//!
//! | to find out | open |
//! |---|---|
//! | what goes on while a socket is open, and in which order it is sent | `mod.rs` |
//! | what a client may ask for | `asked.rs` |
//! | the frames | `frames.rs` |
//! | codes, and how a socket is closed | `wire.rs` |

mod asked;
mod frames;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::Extensions;
use axum::response::Response;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, sleep_until, timeout_at};

use self::frames::{Frame, error};
use self::wire::{Closing, EXPIRED, GOING_AWAY, POLICY, Received, close, received, said, sent};
use super::problem::{BAD_PARAMETER, MALFORMED, Problem};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::live::expired;

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
/// For how long subscriptions and commands are waited for once a socket is to be closed: a moment longer than commands wait once the
/// gateway is to end.
const DRAIN: Duration = Duration::from_secs(4);

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
    Received(Received),
    /// It is time to ask whether the client is there.
    Ping,
    /// Nobody has said who it is.
    Silent,
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
                        frame = socket.recv() => Came::Received(received(frame)),
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
                Came::Received(Received::Message(message)) => {
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
                Came::Received(Received::Closed) => return Closing::Answered,
                Came::Received(Received::Broken(code, why)) => return Closing::With(code, why),
                Came::Received(Received::Gone) => return Closing::Gone,
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
}

/// Returns when this gateway ends.
async fn told(ending: &mut watch::Receiver<bool>) {
    // whoever would tell is gone only with everything else
    drop(ending.wait_for(|ending| *ending).await);
}
