//! What a process measures, shown through OpenTelemetry.
//!
//! The runtime fills plain numbers; here they get names ([`metrics`], the one table of them), and leave
//! in Prometheus' text format when somebody asks, or by OTLP when somebody takes that. Nothing else
//! names `opentelemetry` or `prometheus`.

mod exporter;
mod manual;
mod process;
mod seen;
mod spans;
mod table;
mod traceparent;

pub use exporter::{Options, Telemetry, TelemetryError};
pub use manual::manual;
pub use spans::{SpanRole, Traces};
pub use table::{Kind, Metric, metrics};
