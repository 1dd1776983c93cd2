//! Connections: frames in, frames out, in order.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::core::{Advertised, Client, Core};
use super::dispatch::{self, Outcome};
use crate::net::paced;
use crate::net::places::{Doing, InFlight, Place, Places, accept};

/// Requests of one connection that are read ahead of the one being answered.
const READ_AHEAD: usize = 4;
/// Requests up to this size are not counted: there is always room for a heartbeat.
const SMALL: usize = 64 << 10;
/// What is read at once of a larger one.
const STEP: usize = 256 << 10;

/// An address that the broker listens on.
#[derive(Debug)]
pub(crate) struct Door {
    pub listener: TcpListener,
    /// What clients that come by it are told; without, the address by which they came.
    pub advertised: Option<Arc<Advertised>>,
    pub places: Arc<Places>,
    /// Whether only this process may come by it.
    pub own_only: bool,
}

/// A request, counted for as long as it is held.
type Frame = (Bytes, InFlight);

/// Accepts connections until told to stop.
pub(crate) async fn serve(core: Arc<Core>, door: Door, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = accept(&door.listener, &door.places, door.own_only) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let advertised = door.advertised.clone().unwrap_or_else(|| came_by(&stream));
        let core = Arc::clone(&core);
        connections.spawn(connection(core, stream, peer, place, advertised));
    }
    drop(door);
    connections.shutdown().await;
}

/// The address of this end, which the client has just shown to reach.
fn came_by(stream: &TcpStream) -> Arc<Advertised> {
    let found = stream.local_addr().map(|addr| Advertised {
        // A client that speaks IPv4 to a socket of both kinds is told an address of its kind.
        host: addr.ip().to_canonical().to_string(),
        port: addr.port(),
    });
    Arc::new(found.unwrap_or_default())
}

async fn connection(
    core: Arc<Core>,
    stream: TcpStream,
    peer: SocketAddr,
    place: Arc<Place>,
    advertised: Arc<Advertised>,
) {
    let _ = stream.set_nodelay(true);
    let (input, output) = stream.into_split();
    let (frames, received) = mpsc::channel(READ_AHEAD);
    let limit = core.config.max_request_bytes;
    let client = Client {
        id: String::new(),
        host: peer.ip().to_string(),
        advertised,
        place: Some(Arc::clone(&place)),
    };
    // Both end with this: a place that is taken back is free at once.
    let mut reader = JoinSet::new();
    reader.spawn(read_frames(input, frames, limit, peer, Arc::clone(&place)));
    tokio::select! {
        () = answer(&core, received, output, peer, client, &place) => {}
        () = place.taken_back() => tracing::debug!(%peer, "closing a connection for another"),
    }
}

async fn read_frames(
    mut input: OwnedReadHalf,
    frames: mpsc::Sender<Frame>,
    limit: usize,
    peer: SocketAddr,
    place: Arc<Place>,
) {
    let mut buffer = BytesMut::new();
    let limits = place.limits().clone();
    let mut patience = limits.silent;
    loop {
        while buffer.len() < 4 {
            let within = if buffer.is_empty() { patience } else { limits.stalled };
            match paced::read_some(&mut input, &mut buffer, within, &place).await {
                Ok(0) => return,
                Ok(_) => {}
                // It waits for its answer.
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut && !place.is_idle() => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "closing a connection on which nothing is asked");
                    return;
                }
            }
        }
        patience = limits.idle;
        let length = buffer.get_i32();
        let Ok(length) = usize::try_from(length) else {
            tracing::warn!(%peer, length, "closing a connection: a negative request length");
            return;
        };
        if length > limit {
            tracing::warn!(%peer, length, limit, "closing a connection: too large a request");
            return;
        }
        let whole = read_body(&mut input, &mut buffer, length, &place);
        let Ok(Some(in_flight)) = tokio::time::timeout(limits.stalled * 10, whole).await else {
            tracing::debug!(%peer, length, "closing a connection: a request did not come to its end");
            return;
        };
        let frame = buffer.split_to(length).freeze();
        if frames.send((frame, in_flight)).await.is_err() {
            return;
        }
    }
}

/// Reads until the buffer holds `length` bytes. It grows with what arrives, not with what was promised.
async fn read_body(
    input: &mut OwnedReadHalf,
    buffer: &mut BytesMut,
    length: usize,
    place: &Arc<Place>,
) -> Option<InFlight> {
    let mut in_flight = place.count(0);
    let mut counted = SMALL;
    while buffer.len() < length {
        if buffer.len() >= counted {
            let step = STEP.min(length - counted);
            place.waits(true);
            place.wait_for(&mut in_flight, step).await;
            place.waits(false);
            counted += step;
        }
        buffer.reserve((length - buffer.len()).min(STEP));
        match paced::read_some(input, buffer, place.limits().stalled, place).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
    Some(in_flight)
}

async fn answer(
    core: &Arc<Core>,
    mut frames: mpsc::Receiver<Frame>,
    mut output: OwnedWriteHalf,
    peer: SocketAddr,
    mut client: Client,
    place: &Arc<Place>,
) {
    let mut early: Option<Frame> = None;
    loop {
        let (frame, in_flight) = match early.take() {
            Some(frame) => frame,
            None => match frames.recv().await {
                Some(frame) => frame,
                None => return,
            },
        };
        place.does(Doing::Asking);
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
        drop(in_flight);
        match outcome {
            Outcome::Reply(bytes) => {
                let _counted = place.count(bytes.len());
                place.does(Doing::Taking);
                if paced::write_all(&mut output, &bytes, place.limits().stalled, place).await.is_err() {
                    return;
                }
            }
            Outcome::Silence => {}
            Outcome::Close(reason) => {
                tracing::warn!(%peer, client = client.id, reason, "closing a connection");
                return;
            }
        }
        place.does(Doing::Idle);
    }
}
