//! HTTP within bounds: connections in [`Places`], heads, bodies and answers in time. Every request has the client's address
//! with it, as [`ConnectInfo`].

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use millrace_tls::Certificate;
use openssl::ssl::Ssl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_openssl::SslStream;
use tower::ServiceExt as _;

use super::Limits;
use super::places::{Doing, Place, Places, accept};

/// Serves `router` to whoever connects until told to stop, then lets requests under way finish. `what` names the server
/// in the log.
pub async fn serve(
    what: &'static str,
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    serve_in(Places::new(what, limits), listener, router, false, stopped).await;
}

/// The same with encrypted connections; each is shown the certificate that there is when it begins.
pub async fn serve_encrypted(
    what: &'static str,
    listener: TcpListener,
    certificate: Arc<Certificate>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    let places = Places::new(what, limits);
    serve_all(places, listener, Some(certificate), router, false, stopped).await;
}

/// The same in places that were made; with `own_only` for connections of this process alone.
pub(crate) async fn serve_in(
    places: Arc<Places>,
    listener: TcpListener,
    router: Router,
    own_only: bool,
    stopped: watch::Receiver<bool>,
) {
    serve_all(places, listener, None, router, own_only, stopped).await;
}

async fn serve_all(
    places: Arc<Places>,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    router: Router,
    own_only: bool,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            // Also when the sender is dropped: without it nobody could stop this.
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = accept(&listener, &places, own_only) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        match &certificate {
            None => connections.spawn(connection(timed(stream, &place), peer, place, router, stopped)),
            Some(certificate) => {
                connections.spawn(encrypted(stream, peer, Arc::clone(certificate), place, router, stopped))
            }
        };
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// An answer without an end of its own. Whoever takes it is at it until it is over.
struct Going {
    body: Body,
    place: Arc<Place>,
}

impl HttpBody for Going {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.place.does(Doing::Idle);
    }
}

type Timed = Pin<Box<TimeoutStream<TcpStream>>>;

/// A stream that does not wait without end for a client to take what is sent.
fn timed(stream: TcpStream, place: &Place) -> Timed {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(place.limits().stalled));
    Box::pin(stream)
}

/// Agrees with the client on how to encrypt, in no more time than a first request may take, and goes on so.
async fn encrypted(
    stream: TcpStream,
    peer: SocketAddr,
    certificate: Arc<Certificate>,
    place: Arc<Place>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let ssl = Ssl::new(certificate.acceptor().context());
    let Ok(mut stream) = ssl.and_then(|ssl| SslStream::new(ssl, timed(stream, &place))) else { return };
    tokio::select! {
        agreed = timeout(place.limits().silent, Pin::new(&mut stream).accept()) => match agreed {
            Ok(Ok(())) => {}
            // a port scan, another protocol, a client that does not trust the certificate: its affair
            Ok(Err(error)) => return tracing::debug!(%error, "no agreement on encryption"),
            Err(_) => return,
        },
        () = place.taken_back() => return,
        _ = stopped.wait_for(|stopped| *stopped) => return,
    }
    connection(stream, peer, place, router, stopped).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    place: Arc<Place>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = place.limits().clone();
    // An answer is counted until the next request comes, which is when the client has taken it.
    let answer = Arc::new(Mutex::new(None));
    let at = Arc::clone(&place);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        at.does(Doing::Asking);
        let (router, place, answer) = (router.clone(), Arc::clone(&at), Arc::clone(&answer));
        async move {
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&place));
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let Some(bytes) = response.body().size_hint().exact() else {
                // it goes on for as long as there is something to say: whoever takes it is not idle meanwhile
                return Ok(response.map(|body| Body::new(Going { body, place })));
            };
            let counted = place.count(usize::try_from(bytes).unwrap_or(usize::MAX));
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
            place.does(Doing::Idle);
            Ok::<_, Infallible>(response)
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.silent);
    if let Some(bytes) = limits.head_bytes {
        server.max_buf_size(bytes);
    }
    // a connection may be made a socket
    let serving = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(serving);
    let mut stopping = false;
    loop {
        tokio::select! {
            // How it ended is the client's affair.
            _ = serving.as_mut() => return,
            () = place.taken_back() => return,
            _ = stopped.wait_for(|stopped| *stopped), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}
