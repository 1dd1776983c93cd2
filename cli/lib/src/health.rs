//! `/live`, `/ready` and `/health` over HTTP, and `/metrics` beside them. The first three print the
//! same report; they differ in when they answer 503.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::{MethodRouter, get};
use millrace_embedded::net::{Limits, http};
use millrace_runtime::Health;
use millrace_runtime::health::HealthReport;
use millrace_telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Settings;
use crate::error::CliError;
use crate::foreign;

/// The media type of Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is served when nobody has chosen a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unless {
    /// Nothing.
    Off,
    /// A free port of loopback, for who knows this process.
    Free,
}

/// Serves the health and the metrics of this process until the runtime ends, and says where.
///
/// # Errors
/// The port is taken.
pub async fn serve(
    settings: &Settings,
    health: Health,
    telemetry: Telemetry,
    unless: Unless,
) -> Result<Option<SocketAddr>, CliError> {
    let address = match (settings.health_port, unless) {
        (0, Unless::Off) => return Ok(None),
        (0, Unless::Free) => format!("{}:0", Ipv4Addr::LOCALHOST),
        (port, _) => format!("{}:{port}", settings.health_host),
    };
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        CliError::failed(format!("the health endpoints cannot listen on {address}: {error}"))
            .hint("Choose another port with --health-port; 0 is off.")
    })?;
    let address = listener.local_addr()?;
    tracing::info!("health endpoints at http://{address}/live, /ready and /health; metrics at /metrics");
    let router = router(&health).route("/metrics", metrics(telemetry));
    tokio::spawn(async move {
        // Ends with the runtime: nobody tells it to stop.
        let (_stop, stopped) = watch::channel(false);
        http::serve("health endpoints", listener, router, limits(), stopped).await;
    });
    Ok(Some(address))
}

/// A few who look often: enough for a cluster's probes, and no more than a process can spare.
fn limits() -> Limits {
    let soon = Duration::from_secs(30);
    Limits { connections: 64, silent: soon, idle: soon, ..Limits::default() }
}

/// All metrics, in Prometheus' text format. Looking at everything may take a moment, which must not
/// keep `/live` waiting.
fn metrics(telemetry: Telemetry) -> MethodRouter {
    get(async move || {
        let telemetry = telemetry.clone();
        let text = tokio::task::spawn_blocking(move || telemetry.text()).await;
        match text {
            Ok(Ok(text)) => (StatusCode::OK, [(header::CONTENT_TYPE, TEXT_FORMAT)], text),
            Ok(Err(error)) => failed(error.to_string()),
            Err(error) => failed(error.to_string()),
        }
    })
}

type Answer = (StatusCode, [(header::HeaderName, &'static str); 1], String);

fn failed(why: String) -> Answer {
    (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, TEXT_FORMAT)], why)
}

/// - `/live`: 503 when a lane hangs. Then a restart helps, and only then: a broker or a store that
///   is away does not come back because its clients are restarted.
/// - `/ready`: 503 until every role is a member of its group and every lane is at work.
/// - `/health`: 503 while anything is in the way of any lane; starting is well.
pub fn router(health: &Health) -> Router {
    Router::new()
        .route("/live", answer(health, |report| report.live))
        .route("/ready", answer(health, |report| report.ready))
        .route("/health", answer(health, |report| report.healthy))
}

fn answer(health: &Health, is_good: fn(&HealthReport) -> bool) -> MethodRouter {
    let health = health.clone();
    get(async move || {
        let report = health.report();
        let status = if is_good(&report) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        // whoever asks with curl reads it in a terminal
        (status, [(header::CONTENT_TYPE, "application/json")], foreign::json(&report).unwrap_or_default())
    })
}
