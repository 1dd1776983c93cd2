//! A socket itself: what is received, what is sent, and how it is closed (RFC 6455).

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use serde_json::Value as Json;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

/// How long a client may take nothing.
const STALLED: Duration = Duration::from_secs(30);
/// How long a client may take to answer that a socket is closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
/// How long is waited, of somebody to whom nobody listens any more, until it may have read why.
const LINGER: Duration = Duration::from_millis(500);

/// Codes with which a socket is closed: of the RFC, and of our own from 4000 on, as it wants.
pub(super) const GOING_AWAY: u16 = 1001;
pub(super) const PROTOCOL: u16 = 1002;
pub(super) const NO_TEXT: u16 = 1007;
pub(super) const POLICY: u16 = 1008;
pub(super) const TOO_LONG: u16 = 1009;
pub(super) const EXPIRED: u16 = 4401;

/// How a socket ends.
pub(super) enum Closing {
    /// We close it.
    With(u16, &'static str),
    /// The client has closed it, and gets its answer.
    Answered,
    Gone,
}

/// What was received.
pub(super) enum Received {
    Message(Message),
    /// The client closes it.
    Closed,
    /// It is nothing that could be read: the code with which the socket is closed, and why.
    Broken(u16, &'static str),
    /// The connection has ended.
    Gone,
}

/// What was received.
pub(super) fn received(frame: Option<Result<Message, axum::Error>>) -> Received {
    match frame {
        None => Received::Gone,
        Some(Ok(Message::Close(_))) => Received::Closed,
        Some(Ok(message)) => Received::Message(message),
        Some(Err(error)) => match error.into_inner().downcast_ref::<Error>() {
            Some(Error::Capacity(_)) => Received::Broken(TOO_LONG, "a frame is too long"),
            Some(Error::Utf8(_)) => Received::Broken(NO_TEXT, "a frame is a text in UTF-8"),
            Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Received::Gone,
            Some(Error::Protocol(_)) => Received::Broken(PROTOCOL, "this is no WebSocket"),
            _ => Received::Gone,
        },
    }
}

/// Closes a socket: says so, and reads on until the client has answered. Whatever was unread when a connection ends would take the
/// last words with it.
pub(super) async fn close(mut socket: WebSocket, closing: Closing) {
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

pub(super) async fn said(socket: &mut WebSocket, json: &Json) -> bool {
    sent(socket, Message::Text(json.to_string().into())).await
}

pub(super) async fn sent(socket: &mut WebSocket, message: Message) -> bool {
    timeout(STALLED, socket.send(message)).await.is_ok_and(|sent| sent.is_ok())
}
