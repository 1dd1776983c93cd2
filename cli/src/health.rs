//! `/live`, `/ready` and `/health` over HTTP. All three print the same report; they differ in
//! when they answer 503.

use axum::http::StatusCode;
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use millrace_runtime::Health;
use millrace_runtime::health::HealthReport;
use tokio::net::TcpListener;

use crate::config::Settings;
use crate::error::CliError;

/// Serves the health of this process until the runtime ends; does nothing when it is off.
///
/// # Errors
/// The port is taken.
pub async fn serve(settings: &Settings, health: Health) -> Result<(), CliError> {
    if settings.health_port == 0 {
        return Ok(());
    }
    let address = format!("{}:{}", settings.health_host, settings.health_port);
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        CliError::failed(format!("the health endpoints cannot listen on {address}: {error}"))
            .hint("Choose another port with --health-port; 0 is off.")
    })?;
    tracing::info!("health endpoints at http://{address}/live, /ready and /health");
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router(&health)).await {
            tracing::error!(
                "the health endpoints have ended: {error}. Next: the roles go on without them. What you can do: \
                 restart this process"
            );
        }
    });
    Ok(())
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
        (status, Json(serde_json::to_value(&report).unwrap_or_default()))
    })
}
