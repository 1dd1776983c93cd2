//! Spans within traces that producers have begun, sent away by OTLP.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use millrace_runtime::metrics::{PageSpan, Span};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfig, BatchConfigBuilder, BatchSpanProcessor, IdGenerator, RandomIdGenerator, Sampler, SdkTracer,
    SdkTracerProvider,
};

use crate::exporter::TelemetryError;
use crate::traceparent;

/// So many spans wait at most to be sent; those that come then are lost.
const MOST_WAITING: usize = 32_768;

/// Begins spans and sends them away, in a thread of its own, when they have ended.
#[derive(Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Sends spans to the OTLP endpoint `base`, by HTTP.
    ///
    /// # Errors
    /// [`TelemetryError::Endpoint`].
    pub(crate) fn start(base: &str, resource: Resource) -> Result<Self, TelemetryError> {
        let endpoint = format!("{base}/v1/traces");
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&endpoint)
            .build()
            .map_err(|error| TelemetryError::Endpoint { endpoint, why: error.to_string() })?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            // what is not to be recorded never gets here
            .with_sampler(Sampler::AlwaysOn)
            .with_id_generator(Ids::default())
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches()).build())
            .build();
        Ok(Self { tracer: provider.tracer("millrace"), provider })
    }

    /// Begins a span below the one that `traceparent` names; `None` when it names none, or one that
    /// is not recorded.
    #[must_use]
    pub fn child(
        &self,
        name: &str,
        kind: SpanRole,
        traceparent: &[u8],
        attributes: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>> {
        let parent = Context::new().with_remote_span_context(sampled(traceparent)?);
        Some(self.begin(name, kind, &parent, attributes))
    }

    /// Begins a trace.
    #[must_use]
    pub fn root(&self, name: &str, kind: SpanRole, attributes: &[(&'static str, String)]) -> Box<dyn Span> {
        self.begin(name, kind, &Context::new(), attributes)
    }

    /// Records a span that has ended in a page, which has given it its ids. Whether it is one: its own header and that of its
    /// parent are of one trace that is recorded.
    #[must_use]
    pub fn page(&self, told: &PageSpan) -> bool {
        let Some(own) = sampled(told.traceparent.as_bytes()) else { return false };
        let parent = match &told.parent {
            None => Context::new(),
            Some(parent) => match sampled(parent.as_bytes()) {
                Some(parent) if parent.trace_id() == own.trace_id() && parent.span_id() != own.span_id() => {
                    Context::new().with_remote_span_context(parent)
                }
                _ => return false,
            },
        };
        let micros = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let began = SystemTime::UNIX_EPOCH + micros(told.began_at);
        GIVEN.set(Some((own.trace_id(), own.span_id())));
        let builder =
            self.tracer.span_builder(told.name.clone()).with_kind(SpanKind::Client).with_start_time(began);
        let mut span = builder.start_with_context(&self.tracer, &parent);
        GIVEN.set(None);
        span.end_with_timestamp(began + micros(told.micros));
        true
    }

    fn begin(
        &self,
        name: &str,
        kind: SpanRole,
        parent: &Context,
        attributes: &[(&'static str, String)],
    ) -> Box<dyn Span> {
        let attributes = attributes.iter().map(|(name, value)| KeyValue::new(*name, value.clone()));
        let kind = match kind {
            SpanRole::Producer => SpanKind::Producer,
            SpanRole::Consumer => SpanKind::Consumer,
            SpanRole::Server => SpanKind::Server,
        };
        let builder = self.tracer.span_builder(name.to_owned()).with_kind(kind);
        let span = builder.with_attributes(attributes).start_with_context(&self.tracer, parent);
        let context = span.span_context();
        let traceparent = format!("00-{}-{}-01", context.trace_id(), context.span_id());
        Box::new(Begun { span, traceparent })
    }

    /// Sends away what has ended. Those that cannot be sent are lost: traces are no evidence.
    pub fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::debug!("traces: {error}");
        }
    }
}

/// How spans wait to be sent: a trace that lacks one of them is of little use, so there is room for some thousands of traces. The
/// standard variables (`OTEL_BSP_…`) say otherwise.
fn batches() -> BatchConfig {
    let builder = BatchConfigBuilder::default();
    match std::env::var_os("OTEL_BSP_MAX_QUEUE_SIZE") {
        Some(_) => builder.build(),
        None => builder.with_max_queue_size(MOST_WAITING).build(),
    }
}

thread_local! {
    /// The ids of the span that begins next on this thread, where somebody else has chosen them.
    static GIVEN: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Ids by chance, unless they are given.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        GIVEN.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        GIVEN.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

/// Which side of a topic a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanRole {
    /// It sends a message.
    Producer,
    /// It works on a message.
    Consumer,
    /// It answers a request.
    Server,
}

struct Begun {
    span: opentelemetry_sdk::trace::Span,
    traceparent: String,
}

impl Span for Begun {
    fn traceparent(&self) -> &str {
        &self.traceparent
    }

    fn end(mut self: Box<Self>) {
        self.span.end();
    }
}

/// The span that a header names, if it is to be recorded.
fn sampled(traceparent: &[u8]) -> Option<SpanContext> {
    let (trace, span) = traceparent::sampled(traceparent)?;
    let (trace, span) = (TraceId::from(trace), SpanId::from(span));
    Some(SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_recorded_is_taken_up() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let rows = [
            (format!("00-{trace}-00f067aa0ba902b7-01"), true, "recorded"),
            (format!("00-{trace}-00f067aa0ba902b7-00"), false, "not recorded"),
            (format!("cc-{trace}-00f067aa0ba902b7-01-what-comes-later"), true, "of a later version"),
            (format!("ff-{trace}-00f067aa0ba902b7-01"), false, "a version that is none"),
            (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), false, "no trace"),
            (format!("00-{trace}-0000000000000000-01"), false, "no span"),
            (format!("00-{trace}-01"), false, "too short"),
            ("nonsense".to_owned(), false, "nonsense"),
            (String::new(), false, "empty"),
        ];
        for (header, expected, what) in rows {
            assert_eq!(sampled(header.as_bytes()).is_some(), expected, "{what}: {header}");
        }
        assert!(sampled(&[0xff, 0xfe]).is_none());
    }
}
