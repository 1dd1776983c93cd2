//! HTTP within bounds: connections in [`Places`], heads, bodies and answers in time.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
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

/// The same in places that were made; with `own_only` for connections of this process alone.
pub(crate) async fn serve_in(
    places: Arc<Places>,
    listener: TcpListener,
    router: Router,
    own_only: bool,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _, place) = tokio::select! {
            // Also when the sender is dropped: without it nobody could stop this.
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = accept(&listener, &places, own_only) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        connections.spawn(connection(stream, place, router.clone(), stopped.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    place: Arc<Place>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = place.limits().clone();
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stalled));
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
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let bytes = response.body().size_hint().exact().unwrap_or_default();
            let counted = place.count(usize::try_from(bytes).unwrap_or(usize::MAX));
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
            place.does(Doing::Idle);
            Ok::<_, Infallible>(response)
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.silent);
    let serving = server.serve_connection(TokioIo::new(Box::pin(stream)), service);
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
