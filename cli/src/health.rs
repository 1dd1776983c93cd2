//! `/health` and `/ready` over HTTP.

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use millrace_runtime::Health;
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
    tracing::info!("health endpoints at http://{address}/health and /ready");
    let of_health = health.clone();
    let router = Router::new()
        .route("/health", get(async move || answer(&of_health, |report| report.healthy)))
        .route("/ready", get(async move || answer(&health, |report| report.ready && report.healthy)));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!("the health endpoints have ended: {error}");
        }
    });
    Ok(())
}

fn answer(
    health: &Health,
    is_good: fn(&millrace_runtime::role::HealthReport) -> bool,
) -> (StatusCode, Json<serde_json::Value>) {
    let report = health.report();
    let status = if is_good(&report) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_value(&report).unwrap_or_default();
    (status, Json(body))
}
