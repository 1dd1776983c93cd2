//! Connections: frames in, frames out, in order.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::core::{Client, Core};
use super::dispatch::{self, Outcome};

/// Requests of one connection that are read ahead of the one being answered.
const READ_AHEAD: usize = 4;

/// Accepts connections until told to stop.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(core.config.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::warn!(%peer, "refused a connection: there are too many");
                    continue;
                };
                let core = Arc::clone(&core);
                connections.spawn(async move {
                    connection(core, stream, peer).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give others the time to close theirs.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(core: Arc<Core>, stream: TcpStream, peer: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let (input, output) = stream.into_split();
    let (frames, received) = mpsc::channel(READ_AHEAD);
    let limit = core.config.max_request_bytes;
    // Ends by itself when the channel closes, at the latest with the next frame or the connection.
    let reader = tokio::spawn(read_frames(input, frames, limit, peer));
    answer(&core, received, output, peer).await;
    reader.abort();
}

async fn read_frames(mut input: OwnedReadHalf, frames: mpsc::Sender<Bytes>, limit: usize, peer: SocketAddr) {
    let mut buffer = BytesMut::new();
    loop {
        while buffer.len() < 4 {
            match input.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let length = buffer.get_i32();
        let Ok(length) = usize::try_from(length) else {
            tracing::warn!(%peer, length, "closing a connection: a negative request length");
            return;
        };
        if length > limit {
            tracing::warn!(%peer, length, limit, "closing a connection: too large a request");
            return;
        }
        // The buffer grows with what arrives, not with what the prefix promises.
        while buffer.len() < length {
            match input.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        let frame = buffer.split_to(length).freeze();
        if frames.send(frame).await.is_err() {
            return;
        }
    }
}

async fn answer(
    core: &Arc<Core>,
    mut frames: mpsc::Receiver<Bytes>,
    mut output: OwnedWriteHalf,
    peer: SocketAddr,
) {
    let mut client = Client { id: String::new(), host: peer.ip().to_string() };
    let mut early: Option<Bytes> = None;
    loop {
        let frame = match early.take() {
            Some(frame) => frame,
            None => match frames.recv().await {
                Some(frame) => frame,
                None => return,
            },
        };
        // A client that hangs up while it waits is noticed, and one that asks for more while its
        // fetch waits for records gets the fetch answered.
        let outcome = {
            let (hurry, hurried) = watch::channel(false);
            let handling = dispatch::handle(core, &mut client, frame, hurried);
            tokio::pin!(handling);
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut handling => break outcome,
                    next = frames.recv(), if early.is_none() => match next {
                        Some(frame) => {
                            early = Some(frame);
                            hurry.send_replace(true);
                        }
                        None => return,
                    },
                }
            }
        };
        match outcome {
            Outcome::Reply(bytes) => {
                if output.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Outcome::Silence => {}
            Outcome::Close(reason) => {
                tracing::warn!(%peer, client = client.id, reason, "closing a connection");
                return;
            }
        }
    }
}
