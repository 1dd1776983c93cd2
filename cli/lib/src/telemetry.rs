//! What this process measures, and where that goes.

use millrace_telemetry::{Options, Telemetry};

use crate::config::{Settings, TelemetrySettings};
use crate::error::CliError;

/// The standard variable for where telemetry goes.
const STANDARD_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Begins to measure.
///
/// # Errors
/// An endpoint that is none.
pub fn start(settings: &Settings) -> Result<Telemetry, CliError> {
    begin(&Options {
        endpoint: endpoint(&settings.telemetry),
        sends_metrics: settings.telemetry.otlp_metrics,
    })
}

fn begin(options: &Options) -> Result<Telemetry, CliError> {
    Telemetry::start(options).map_err(|error| {
        CliError::usage(error.to_string()).hint(format!(
            "Set telemetry.otlp_endpoint, or {STANDARD_ENDPOINT}, to a URL such as http://localhost:4318."
        ))
    })
}

/// The same for a command that ends by itself, which only has traces to send; `None` when nobody
/// takes them.
///
/// # Errors
/// As [`start`].
pub fn of_traces(settings: &Settings) -> Result<Option<Telemetry>, CliError> {
    let options = Options { endpoint: endpoint(&settings.telemetry), sends_metrics: false };
    (!options.endpoint.is_empty()).then(|| begin(&options)).transpose()
}

fn endpoint(settings: &TelemetrySettings) -> String {
    match settings.otlp_endpoint.as_str() {
        "" => std::env::var(STANDARD_ENDPOINT).unwrap_or_default(),
        set => set.to_owned(),
    }
}
