//! Every request counted, with what it was answered and how long that took.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use millrace_runtime::metrics::GatewayMeter;

/// Counts a request.
pub(super) async fn measure(
    State(meter): State<Arc<GatewayMeter>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = route(path.map(MatchedPath::as_str).unwrap_or_default());
    let began = Instant::now();
    let response = next.run(request).await;
    meter.answered(route, response.status().as_u16(), began.elapsed().as_secs_f64());
    response
}

/// What a path is called where requests are counted: few names, whatever is asked for.
fn route(path: &str) -> &'static str {
    match path.strip_prefix("/v1/").and_then(|path| path.split('/').next()) {
        Some("commands") => "commands",
        Some("outcomes") => "outcomes",
        Some("views") => "views",
        Some(_) => "own",
        None => "other",
    }
}
