//! The table of metrics as OpenTelemetry instruments, and where their values go.

use std::sync::Arc;

use millrace_runtime::metrics::{Distribution, Instruments, PageSpan, Recorder, Span};
use millrace_runtime::{Health, Metrics};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Histogram, Meter, MeterProvider as _};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};
use thiserror::Error;

use crate::seen::Looks;
use crate::spans::{SpanRole, Traces};
use crate::table::{self, Kind, Metric, Source};

/// What is sent, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// URL of an OTLP endpoint (HTTP), without `/v1/…`; empty: nothing is sent.
    pub endpoint: String,
    /// Whether metrics are sent there; traces always are.
    pub sends_metrics: bool,
}

/// Why nothing can be measured.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The endpoint is none.
    #[error("nothing can be sent to {endpoint}: {why}")]
    Endpoint {
        /// Its URL.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// A bug: the table is not what the exporter takes.
    #[error("the metrics cannot be exported: {0}")]
    Exporter(String),
}

/// What a process measures, and the way out for it.
#[derive(Clone)]
pub struct Telemetry {
    registry: Registry,
    provider: SdkMeterProvider,
    meter: Meter,
    metrics: Metrics,
    traces: Option<Traces>,
}

impl Telemetry {
    /// Begins to measure; give [`Telemetry::metrics`] to the health of the process, and then that to
    /// [`Telemetry::observe`].
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn start(options: &Options) -> Result<Self, TelemetryError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // the table has the names as they are to be
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()
            .map_err(|error| TelemetryError::Exporter(error.to_string()))?;
        let resource = resource();
        let mut provider = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(exporter);
        let endpoint = options.endpoint.trim_end_matches('/');
        if options.sends_metrics && !endpoint.is_empty() {
            provider = provider.with_periodic_exporter(metric_exporter(endpoint)?);
        }
        let traces = (!endpoint.is_empty()).then(|| Traces::start(endpoint, resource)).transpose()?;
        let provider = provider.build();
        let meter = provider.meter("millrace");
        let instruments = Arc::new(Otel::new(&meter, traces.clone()));
        Ok(Self { registry, provider, meter, metrics: Metrics::with(instruments), traces })
    }

    /// What the runtime fills.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// From now on shows how `health` and its metrics are.
    pub fn observe(&self, health: &Health) {
        let looks = Looks::at(health.clone());
        for metric in table::metrics() {
            let Source::Look(read) = metric.source else { continue };
            let looks = looks.clone();
            let callback = move |observer: &dyn AsyncInstrument<f64>| {
                read(&looks.look(), &mut |value, labels| observer.observe(value, &labelled(metric, labels)));
            };
            match metric.kind {
                Kind::Counter => {
                    let builder = self.meter.f64_observable_counter(metric.name);
                    builder
                        .with_description(metric.help)
                        .with_unit(metric.unit)
                        .with_callback(callback)
                        .build();
                }
                // an observable gauge of the SDK goes on telling the last value of a partition that
                // has moved away; this one, a gauge to Prometheus as well, forgets it
                _ => {
                    let builder = self.meter.f64_observable_up_down_counter(metric.name);
                    builder
                        .with_description(metric.help)
                        .with_unit(metric.unit)
                        .with_callback(callback)
                        .build();
                }
            }
        }
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// [`TelemetryError::Exporter`], a bug.
    pub fn text(&self) -> Result<String, TelemetryError> {
        let families = self.registry.gather();
        TextEncoder::new()
            .encode_to_string(&families)
            .map_err(|error| TelemetryError::Exporter(error.to_string()))
    }

    /// Where traces go, if they go anywhere.
    #[must_use]
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
    }

    /// Sends away what is left, and ends. What cannot be sent is lost.
    pub fn shutdown(&self) {
        if let Some(traces) = &self.traces {
            traces.shutdown();
        }
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!("metrics: {error}");
        }
    }
}

/// The service is `millrace`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
fn resource() -> Resource {
    let is_named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty());
    let builder = Resource::builder();
    if is_named { builder.build() } else { builder.with_service_name("millrace").build() }
}

fn metric_exporter(base: &str) -> Result<MetricExporter, TelemetryError> {
    let endpoint = format!("{base}/v1/metrics");
    MetricExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&endpoint)
        .build()
        .map_err(|error| TelemetryError::Endpoint { endpoint, why: error.to_string() })
}

fn labelled(metric: &Metric, labels: &[&str]) -> Vec<KeyValue> {
    metric.labels.iter().zip(labels).map(|(name, value)| KeyValue::new(*name, (*value).to_owned())).collect()
}

/// The port of the runtime, on OpenTelemetry.
struct Otel {
    histograms: Vec<Recording>,
    traces: Option<Traces>,
}

struct Recording {
    of: Distribution,
    metric: &'static Metric,
    /// The value of the second label, if there is one.
    label: &'static str,
    histogram: Histogram<f64>,
}

impl Otel {
    fn new(meter: &Meter, traces: Option<Traces>) -> Self {
        let mut histograms = Vec::new();
        for metric in table::metrics() {
            let (Source::Recorded(of), Kind::Histogram(bounds)) = (metric.source, metric.kind) else {
                continue;
            };
            let builder =
                meter.f64_histogram(metric.name).with_description(metric.help).with_unit(metric.unit);
            let histogram = builder.with_boundaries(bounds.to_vec()).build();
            for (of, label) in of {
                histograms.push(Recording { of: *of, metric, label, histogram: histogram.clone() });
            }
        }
        Self { histograms, traces }
    }
}

impl Instruments for Otel {
    fn recorder(&self, of: Distribution, role: &str) -> Recorder {
        let Some(found) = self.histograms.iter().find(|recording| recording.of == of) else {
            return Arc::new(|_| {});
        };
        let labels = labelled(found.metric, &[role, found.label]);
        let histogram = found.histogram.clone();
        Arc::new(move |value| histogram.record(value, &labels))
    }

    fn begin(
        &self,
        name: &str,
        traceparent: &[u8],
        attributes: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>> {
        self.traces.as_ref()?.child(name, SpanRole::Consumer, traceparent, attributes)
    }

    fn serve(
        &self,
        name: &str,
        traceparent: &[u8],
        attributes: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>> {
        self.traces.as_ref()?.child(name, SpanRole::Server, traceparent, attributes)
    }

    fn page(&self, span: &PageSpan) -> bool {
        self.traces.as_ref().is_some_and(|traces| traces.page(span))
    }
}
